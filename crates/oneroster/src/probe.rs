//! The test of a connection: a token, and a few records of each collection.

use crate::api::Api;
use crate::collection::Collection;
use crate::connection::{Connection, Surroundings};
use crate::fault::{Fault, FaultCode};
use crate::limits::Limits;
use crate::page::{Page, Reading};
use crate::paging::{Query, Seen, WalkError, fetch, url, walk};
use crate::pull::other_version;

/// What a test has found.
#[derive(Debug, Default)]
pub struct Probe {
    /// Collections that could be read.
    pub checked: Vec<Collection>,
    /// What makes a pull impossible.
    pub errors: Vec<Fault>,
    /// What should be known.
    pub warnings: Vec<Fault>,
    /// Ids of all organizations, when nothing is wrong.
    pub organizations: Vec<String>,
}

/// Tests a connection; takes a few seconds, half a minute a request at most.
pub async fn probe(connection: &Connection, surroundings: &Surroundings) -> Probe {
    let mut probe = Probe::default();
    let quick = Surroundings { limits: surroundings.limits.for_probe(), ..surroundings.clone() };
    probe.paths(connection);
    match Api::open(connection, &quick).await {
        Ok(api) => probe.collections(connection, &api).await,
        Err(fault) => probe.errors.push(fault),
    }
    if probe.errors.is_empty() {
        match organizations(connection, surroundings).await {
            Ok(ids) => probe.organizations = ids,
            Err(fault) => probe.errors.push(fault),
        }
    }
    probe
}

/// All organizations, in pages of the size that a pull uses.
async fn organizations(connection: &Connection, surroundings: &Surroundings) -> Result<Vec<String>, Fault> {
    let quick = surroundings.limits.for_probe();
    let limits = Limits { page_records: surroundings.limits.page_records, ..quick };
    let api = Api::open(connection, &Surroundings { limits, ..surroundings.clone() }).await?;
    let mut ids = Vec::new();
    let query = active(connection, Collection::Orgs);
    let mut on_page = |page: Page, _| {
        ids.extend(page.records.into_iter().filter(|record| !record.left_out).map(|record| record.sourced_id));
        Ok(())
    };
    match walk(&api, &query, &mut Seen::default(), &mut on_page).await {
        Ok(_) => Ok(ids),
        Err(WalkError::Fault(fault)) => Err(fault),
        // Nothing is written here.
        Err(WalkError::Io(error)) => Err(Fault::new(FaultCode::ProviderFailed, Collection::Orgs.name(), error.to_string())),
    }
}

/// What is asked of a collection.
fn active(connection: &Connection, collection: Collection) -> Query {
    let Connection { version, switches, .. } = *connection;
    Query { reading: Reading { collection, version, switches, delta: false }, filter: "status='active'".to_owned() }
}

impl Probe {
    /// A path that names the other version is a slip more often than not.
    fn paths(&mut self, connection: &Connection) {
        let named = |segment: &str| connection.base_url.to_ascii_lowercase().split('/').any(|part| part == segment);
        if let Some(other) = crate::Version::ALL.into_iter().find(|v| *v != connection.version && named(v.path_segment())) {
            let what = format!("its path names '{}', and apiVersion is {}", other.path_segment(), connection.version.as_str());
            self.warnings.push(Fault::new(FaultCode::VersionMismatch, "baseUrl", what));
        }
    }

    async fn collections(&mut self, connection: &Connection, api: &Api) {
        let (mut strangers, mut uncounted) = (false, Vec::new());
        for collection in Collection::ALL.into_iter().filter(|collection| collection.is_wanted(connection.switches)) {
            let query = active(connection, collection);
            match fetch(api, &query, &url(api, &query, 0, api.limits().page_records), true).await {
                Ok(fetched) if fetched.missing => {
                    self.warnings.push(Fault::new(FaultCode::CollectionMissing, collection.name(), "the provider does not have it"));
                }
                Ok(fetched) => {
                    self.checked.push(collection);
                    let records = &fetched.page.records;
                    strangers |= !records.is_empty() && records.iter().all(|record| record.other_version);
                    if fetched.total.is_none() {
                        uncounted.push(collection.name());
                    }
                    if records.is_empty() && matches!(collection, Collection::Orgs | Collection::Users) {
                        self.errors.push(Fault::new(FaultCode::CollectionEmpty, collection.name(), "there is not one active record in it"));
                    }
                }
                Err(fault) => {
                    // The other collections would say the same, only later.
                    let general = fault.code.is_of_the_connection() || fault.code == FaultCode::TimedOut;
                    self.errors.push(fault);
                    if general {
                        break;
                    }
                }
            }
        }
        if strangers {
            self.errors.push(other_version(connection.version));
        }
        if !uncounted.is_empty() {
            self.warnings.push(Fault::new(FaultCode::TotalCountMissing, uncounted.join(", "), "the answer has no X-Total-Count"));
        }
    }
}
