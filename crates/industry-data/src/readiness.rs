//! The life of `readinessStatus` (decision 4): pure functions from what holds to what is answered.
//!
//! The caller gathers the conditions (some from documents with the helpers here, some by trying,
//! such as whether the target directory answers) and stores the result when it differs.

use crate::rules::{Document, Lookup};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// A word of the enumeration `readinessStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// Created; something it needs is not there or not checked yet.
    NotReady,
    /// Takes part in the next run.
    Ready,
    /// Its part of the last run failed.
    Failed,
    /// Switched off by a client.
    Disabled,
    /// Its time is over.
    Expired,
}

impl Readiness {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "notReady",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
        }
    }

    /// The canonical word's meaning; `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::NotReady, Self::Ready, Self::Failed, Self::Disabled, Self::Expired].into_iter().find(|r| r.as_str() == word)
    }

    /// The status that a flow's document holds; one without counts as not ready.
    pub fn of(flow: &Document) -> Self {
        Self::parse(text(flow, "readinessStatus")).unwrap_or(Self::NotReady)
    }
}

/// Where an instant lies with regard to the window in which an inbound flow may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Before `effectiveDateTime`.
    NotYet,
    /// Inside.
    Open,
    /// At or after `expirationDateTime`.
    Over,
}

/// The window of an inbound flow at an instant. A time that is missing leaves that side open.
pub fn window(flow: &Document, now: Timestamp) -> Window {
    let time = |name: &str| text(flow, name).parse::<Timestamp>().ok();
    if time("expirationDateTime").is_some_and(|until| until <= now) {
        Window::Over
    } else if time("effectiveDateTime").is_some_and(|from| now < from) {
        Window::NotYet
    } else {
        Window::Open
    }
}

/// What an inbound flow's status depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboundConditions {
    /// Its connector exists, and has passed its test when it is one that can be tested.
    pub connector: bool,
    /// Its year exists.
    pub year: bool,
    /// Where now lies in its window.
    pub window: Window,
    /// Its part of the last run failed beyond recovery.
    pub last_run_failed: bool,
}

/// The conditions that can be read from configuration alone.
pub fn inbound_conditions(flow: &Document, now: Timestamp, last_run_failed: bool, lookup: &dyn Lookup) -> InboundConditions {
    InboundConditions {
        connector: bound(flow, "dataConnector", lookup).is_some_and(|connector| is_tested(&connector)),
        year: bound(flow, "year", lookup).is_some(),
        window: window(flow, now),
        last_run_failed,
    }
}

/// Whether a connector can be relied on: one with a credential has passed its last test, and has not been
/// changed since (see [`crate::rules`]); for a file connector there is nothing to test.
pub fn is_tested(connector: &Document) -> bool {
    connector
        .get("credential")
        .and_then(Value::as_object)
        .is_none_or(|credential| credential.get("isValid") == Some(&Value::Bool(true)) && !text(credential, "lastValidDateTime").is_empty())
}

/// The status of an inbound flow. A flow whose window has not opened yet is ready for when it does.
pub fn inbound_flow(current: Readiness, conditions: &InboundConditions) -> Readiness {
    if current == Readiness::Disabled {
        Readiness::Disabled
    } else if conditions.window == Window::Over {
        Readiness::Expired
    } else if conditions.last_run_failed {
        Readiness::Failed
    } else if conditions.connector && conditions.year {
        Readiness::Ready
    } else {
        Readiness::NotReady
    }
}

/// Whether an inbound flow takes part in a run that starts now: its window is open and nothing
/// but an earlier failure speaks against it.
pub fn inbound_is_active(flow: &Document, now: Timestamp) -> bool {
    window(flow, now) == Window::Open && matches!(Readiness::of(flow), Readiness::Ready | Readiness::Failed)
}

/// The inbound flows on which a provisioning flow feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// There are none, or none that runs now.
    Idle,
    /// At least one is active.
    Active,
    /// There are some, and all are past their time.
    Expired,
}

/// The state of a tenant's inbound flows.
pub fn feed(inbound: &[Document], now: Timestamp) -> Feed {
    if inbound.iter().any(|flow| inbound_is_active(flow, now)) {
        Feed::Active
    } else if !inbound.is_empty() && inbound.iter().all(|flow| window(flow, now) == Window::Over) {
        Feed::Expired
    } else {
        Feed::Idle
    }
}

/// What a provisioning flow's status depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvisioningConditions {
    /// The set's filter is empty or names known organizations only.
    pub organizations_known: bool,
    /// The inbound flows.
    pub feed: Feed,
    /// Matching rules exist for the role groups that the flow uses.
    pub rules_exist: bool,
    /// The target directory answers.
    pub directory_answers: bool,
    /// Its part of the last run failed.
    pub last_run_failed: bool,
}

/// The conditions of a flow in a set, from configuration, from what the caller knows of
/// organizations (external ids seen in any run), and from what it has tried.
pub fn provisioning_conditions(
    flow: &Document,
    set: &Document,
    now: Timestamp,
    knows_organization: &dyn Fn(&str) -> bool,
    directory_answers: bool,
    last_run_failed: bool,
    lookup: &dyn Lookup,
) -> ProvisioningConditions {
    ProvisioningConditions {
        organizations_known: filter_organizations(set).is_none_or(|ids| ids.iter().all(|id| knows_organization(id))),
        feed: feed(&lookup.list("inboundFlows", None), now),
        rules_exist: rules_exist(flow, lookup),
        directory_answers,
        last_run_failed,
    }
}

/// The status of a provisioning flow.
///
/// `disabled` is a client's word and stays; so is `ready`, which a client says to enable a flow
/// again and which only time and failure take back.
pub fn provisioning_flow(current: Readiness, conditions: &ProvisioningConditions) -> Readiness {
    let prerequisites =
        conditions.organizations_known && conditions.feed == Feed::Active && conditions.rules_exist && conditions.directory_answers;
    if current == Readiness::Disabled {
        Readiness::Disabled
    } else if conditions.feed == Feed::Expired {
        Readiness::Expired
    } else if conditions.last_run_failed {
        Readiness::Failed
    } else if prerequisites || current == Readiness::Ready {
        Readiness::Ready
    } else {
        Readiness::NotReady
    }
}

/// External ids of the organizations that a set's filter keeps; `None` when it keeps all.
pub fn filter_organizations(set: &Document) -> Option<BTreeSet<String>> {
    let named = set.get("filter")?.get("in")?.as_array()?;
    let ids: BTreeSet<String> = named.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    (!ids.is_empty()).then_some(ids)
}

/// Whether the role groups that a flow names have matching rules; for a flow that names none, any rule will do.
fn rules_exist(flow: &Document, lookup: &dyn Lookup) -> bool {
    let systems = lookup.list("sourceSystems", None);
    let covered: BTreeSet<&str> = systems.iter().flat_map(|system| groups_in(system.get("userMatchingSettings"))).collect();
    let used: BTreeSet<&str> = groups_in(flow.get("creationOptions").and_then(|options| options.get("configurations"))).collect();
    !covered.is_empty() && used.is_subset(&covered)
}

fn groups_in(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let elements = list.and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(|element| element.get("roleGroup@odata.bind").and_then(Value::as_str))
}

fn bound(flow: &Document, navigation: &str, lookup: &dyn Lookup) -> Option<Document> {
    let (collection, id) = text(flow, &format!("{navigation}@odata.bind")).split_once('/')?;
    lookup.get(collection, id)
}

fn text<'d>(document: &'d Document, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn flow(from: &str, until: Option<&str>, status: &str) -> Document {
        json!({ "effectiveDateTime": from, "expirationDateTime": until, "readinessStatus": status }).as_object().unwrap().clone()
    }

    fn now() -> Timestamp {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }

    const GOOD: ProvisioningConditions = ProvisioningConditions {
        organizations_known: true,
        feed: Feed::Active,
        rules_exist: true,
        directory_answers: true,
        last_run_failed: false,
    };

    #[test]
    fn a_flow_becomes_ready_once_everything_it_needs_is_there() {
        assert_eq!(provisioning_flow(Readiness::NotReady, &GOOD), Readiness::Ready);
        for missing in [
            ProvisioningConditions { organizations_known: false, ..GOOD },
            ProvisioningConditions { feed: Feed::Idle, ..GOOD },
            ProvisioningConditions { rules_exist: false, ..GOOD },
            ProvisioningConditions { directory_answers: false, ..GOOD },
        ] {
            assert_eq!(provisioning_flow(Readiness::NotReady, &missing), Readiness::NotReady);
            assert_eq!(provisioning_flow(Readiness::Ready, &missing), Readiness::Ready);
        }
    }

    #[test]
    fn a_disabled_flow_stays_disabled_whatever_happens() {
        let worst = ProvisioningConditions { feed: Feed::Expired, last_run_failed: true, ..GOOD };
        assert_eq!(provisioning_flow(Readiness::Disabled, &worst), Readiness::Disabled);
        assert_eq!(provisioning_flow(Readiness::Disabled, &GOOD), Readiness::Disabled);
    }

    #[test]
    fn time_and_failure_take_ready_back_and_a_good_run_gives_it_again() {
        assert_eq!(provisioning_flow(Readiness::Ready, &ProvisioningConditions { feed: Feed::Expired, ..GOOD }), Readiness::Expired);
        assert_eq!(provisioning_flow(Readiness::Ready, &ProvisioningConditions { last_run_failed: true, ..GOOD }), Readiness::Failed);
        assert_eq!(provisioning_flow(Readiness::Failed, &GOOD), Readiness::Ready);
        assert_eq!(provisioning_flow(Readiness::Expired, &GOOD), Readiness::Ready);
    }

    #[test]
    fn an_inbound_flow_needs_connector_and_year_and_time() {
        let good = InboundConditions { connector: true, year: true, window: Window::Open, last_run_failed: false };
        assert_eq!(inbound_flow(Readiness::NotReady, &good), Readiness::Ready);
        assert_eq!(inbound_flow(Readiness::NotReady, &InboundConditions { window: Window::NotYet, ..good }), Readiness::Ready);
        assert_eq!(inbound_flow(Readiness::Ready, &InboundConditions { window: Window::Over, ..good }), Readiness::Expired);
        assert_eq!(inbound_flow(Readiness::Ready, &InboundConditions { last_run_failed: true, ..good }), Readiness::Failed);
        assert_eq!(inbound_flow(Readiness::NotReady, &InboundConditions { year: false, ..good }), Readiness::NotReady);
    }

    #[test]
    fn a_connector_with_a_credential_is_relied_on_when_its_test_went_well() {
        let connector = |credential: Value| json!({ "id": "c", "credential": credential }).as_object().unwrap().clone();
        assert!(is_tested(json!({ "id": "c", "fileFormat": { "code": "x" } }).as_object().unwrap()));
        assert!(is_tested(&connector(json!({ "isValid": true, "lastValidDateTime": "2026-11-24T10:00:00Z" }))));
        // As created, as published: valid until tested, but nobody has seen it work.
        assert!(!is_tested(&connector(json!({ "isValid": true, "lastValidDateTime": null }))));
        assert!(!is_tested(&connector(json!({ "isValid": false, "lastValidDateTime": "2026-11-24T10:00:00Z" }))));
    }

    #[test]
    fn the_window_opens_on_time_and_closes_on_time() {
        assert_eq!(window(&flow("2026-11-24T10:00:00Z", None, "ready"), now()), Window::Open);
        assert_eq!(window(&flow("2026-11-24T10:00:00.5Z", None, "ready"), now()), Window::NotYet);
        assert_eq!(window(&flow("2026-01-01T00:00:00Z", Some("2026-11-24T10:00:00Z"), "ready"), now()), Window::Over);
    }

    #[test]
    fn the_feed_is_expired_only_when_all_of_it_is() {
        let old = flow("2025-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z"), "expired");
        let current = flow("2026-01-01T00:00:00Z", None, "ready");
        let coming = flow("2027-01-01T00:00:00Z", None, "ready");
        assert_eq!(feed(&[], now()), Feed::Idle);
        assert_eq!(feed(std::slice::from_ref(&old), now()), Feed::Expired);
        assert_eq!(feed(&[old.clone(), coming], now()), Feed::Idle);
        assert_eq!(feed(&[old, current], now()), Feed::Active);
    }

    #[test]
    fn a_filter_without_organizations_keeps_all() {
        let set = |value: Value| value.as_object().unwrap().clone();
        assert_eq!(filter_organizations(&set(json!({ "filter": null }))), None);
        assert_eq!(filter_organizations(&set(json!({ "filter": { "in": [] } }))), None);
        assert_eq!(filter_organizations(&set(json!({ "filter": { "in": ["b", "a"] } }))).map(|ids| ids.len()), Some(2));
    }

    #[test]
    fn words_are_the_enumerations_own() {
        for word in ["notReady", "ready", "failed", "disabled", "expired"] {
            assert_eq!(Readiness::parse(word).map(Readiness::as_str), Some(word));
        }
        assert_eq!(Readiness::parse("unknownFutureValue"), None);
    }
}
