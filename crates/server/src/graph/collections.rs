//! The collections that the API serves: name, element type, permission, and what they hang from.

use industry_data::permissions::Resource;

/// One collection.
#[derive(Debug)]
pub struct Collection {
    /// Name in URLs and in the store.
    pub name: &'static str,
    /// Declared element type, qualified.
    pub element: &'static str,
    /// Row of the permission table.
    pub resource: Resource,
    /// What clients may do beyond reading.
    pub writes: Writes,
    /// URL path of the collection; `{}` stands for the parent's id.
    pub path: &'static str,
}

/// Which writes a collection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Create, update, delete.
    All,
    /// None: read-only by the reference.
    None,
}

const fn own(name: &'static str, element: &'static str, resource: Resource, writes: Writes, path: &'static str) -> Collection {
    Collection { name, element, resource, writes, path }
}

/// Every collection. `provisioningFlows` and `activities` hang from an entity of another one.
pub static COLLECTIONS: [Collection; 13] = [
    own(
        "sourceSystems",
        "microsoft.graph.industryData.sourceSystemDefinition",
        Resource::SourceSystems,
        Writes::All,
        "external/industryData/sourceSystems",
    ),
    own(
        "dataConnectors",
        "microsoft.graph.industryData.industryDataConnector",
        Resource::DataConnectors,
        Writes::All,
        "external/industryData/dataConnectors",
    ),
    own("years", "microsoft.graph.industryData.yearTimePeriodDefinition", Resource::Years, Writes::All, "external/industryData/years"),
    own(
        "inboundFlows",
        "microsoft.graph.industryData.inboundFlow",
        Resource::InboundFlows,
        Writes::All,
        "external/industryData/inboundFlows",
    ),
    own(
        "outboundProvisioningFlowSets",
        "microsoft.graph.industryData.outboundProvisioningFlowSet",
        Resource::OutboundFlows,
        Writes::All,
        "external/industryData/outboundProvisioningFlowSets",
    ),
    own(
        "provisioningFlows",
        "microsoft.graph.industryData.provisioningFlow",
        Resource::OutboundFlows,
        Writes::All,
        "external/industryData/outboundProvisioningFlowSets('{}')/provisioningFlows",
    ),
    own(
        "referenceDefinitions",
        "microsoft.graph.industryData.referenceDefinition",
        Resource::ReferenceDefinitions,
        Writes::All,
        "external/industryData/referenceDefinitions",
    ),
    own("roleGroups", "microsoft.graph.industryData.roleGroup", Resource::RoleGroups, Writes::All, "external/industryData/roleGroups"),
    own("runs", "microsoft.graph.industryData.industryDataRun", Resource::Runs, Writes::None, "external/industryData/runs"),
    own(
        "activities",
        "microsoft.graph.industryData.industryDataRunActivity",
        Resource::Runs,
        Writes::None,
        "external/industryData/runs('{}')/activities",
    ),
    own("operations", "microsoft.graph.longRunningOperation", Resource::Operations, Writes::None, "external/industryData/operations"),
    own("users", "microsoft.graph.user", Resource::Users, Writes::All, "users"),
    own("groups", "microsoft.graph.group", Resource::Groups, Writes::All, "groups"),
];

/// The collection of that name.
pub fn find(name: &str) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|c| c.name == name)
}

impl Collection {
    /// Its URL path below the version root.
    pub fn url_path(&self, parent: Option<&str>) -> String {
        match parent {
            Some(id) => self.path.replace("{}", &quote_key(id)),
            None => self.path.to_owned(),
        }
    }

    /// Path of one of its entities as contexts print it (`…('{id}')`).
    pub fn keyed_path(&self, parent: Option<&str>, id: &str) -> String {
        format!("{}('{}')", self.url_path(parent), quote_key(id))
    }

    /// URL path of one of its entities, in the form the reference prints (`…/{id}`).
    pub fn entity_path(&self, parent: Option<&str>, id: &str) -> String {
        // Canonical links use slashes throughout; only contexts print keys in parentheses.
        let collection = match parent {
            Some(parent) => self.path.replace("('{}')", &format!("/{}", encode_segment(parent))),
            None => self.path.to_owned(),
        };
        format!("{collection}/{}", encode_segment(id))
    }
}

/// A key inside `('…')`.
fn quote_key(id: &str) -> String {
    encode_segment(&id.replace('\'', "''"))
}

/// Percent-encodes what may not stand in a path segment.
pub fn encode_segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
    utf8_percent_encode(text, KEEP).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_contexts_take_the_published_forms() {
        let flows = find("provisioningFlows").unwrap();
        assert_eq!(flows.url_path(Some("a")), "external/industryData/outboundProvisioningFlowSets('a')/provisioningFlows");
        assert_eq!(flows.entity_path(Some("a"), "b"), "external/industryData/outboundProvisioningFlowSets/a/provisioningFlows/b");
    }

    #[test]
    fn every_element_type_is_in_the_model() {
        for collection in &COLLECTIONS {
            assert!(industry_data::MODEL.find_type(collection.element).is_some(), "{}", collection.element);
        }
    }
}
