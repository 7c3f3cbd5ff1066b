//! Which permission allows what: the permission table of the public reference, as data.
//!
//! The names are Microsoft Graph's own, so that tokens, consent and documentation carry over.

/// What a request touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `sourceSystems`, and a connector's `sourceSystem`.
    SourceSystems,
    /// `dataConnectors`, and a flow's `dataConnector`.
    DataConnectors,
    /// `getUploadSession` and `validate` of a connector.
    Upload,
    /// `years`, and a flow's `year`.
    Years,
    /// `inboundFlows`.
    InboundFlows,
    /// `runs`, their activities and statistics.
    Runs,
    /// `outboundProvisioningFlowSets` and the flows in them.
    OutboundFlows,
    /// `referenceDefinitions`.
    ReferenceDefinitions,
    /// `roleGroups`.
    RoleGroups,
    /// `operations`.
    Operations,
    /// `/users` of the directory.
    Users,
    /// `/groups` of the directory.
    Groups,
    /// Members of groups.
    GroupMembers,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read a collection.
    List,
    /// Read one entity.
    Read,
    /// Create, change or delete; for [`Resource::Upload`], any call.
    Write,
    /// Start a run.
    Start,
}

/// A permission that an application can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Name, as it stands in a token's `roles`.
    pub name: &'static str,
    /// Id of the application role in Microsoft Graph; `None` where no public source gives it.
    pub role_id: Option<&'static str>,
}

const fn permission(name: &'static str, role_id: &'static str) -> Permission {
    Permission { name, role_id: Some(role_id) }
}

const SOURCE_READ: &str = "IndustryData-SourceSystem.Read.All";
const SOURCE_WRITE: &str = "IndustryData-SourceSystem.ReadWrite.All";
const CONNECTOR_READ: &str = "IndustryData-DataConnector.Read.All";
const CONNECTOR_WRITE: &str = "IndustryData-DataConnector.ReadWrite.All";
const CONNECTOR_UPLOAD: &str = "IndustryData-DataConnector.Upload";
const PERIOD_READ: &str = "IndustryData-TimePeriod.Read.All";
const PERIOD_WRITE: &str = "IndustryData-TimePeriod.ReadWrite.All";
const INBOUND_READ: &str = "IndustryData-InboundFlow.Read.All";
const INBOUND_WRITE: &str = "IndustryData-InboundFlow.ReadWrite.All";
const RUN_READ: &str = "IndustryData-Run.Read.All";
const RUN_START: &str = "IndustryData-Run.Start";
const OUTBOUND_READ: &str = "IndustryData-OutboundFlow.Read.All";
const OUTBOUND_WRITE: &str = "IndustryData-OutboundFlow.ReadWrite.All";
const REFERENCE_READ: &str = "IndustryData-ReferenceDefinition.Read.All";
const REFERENCE_WRITE: &str = "IndustryData-ReferenceDefinition.ReadWrite.All";
const BASIC_READ: &str = "IndustryData.ReadBasic.All";
const USER_READ: &str = "User.Read.All";
const USER_WRITE: &str = "User.ReadWrite.All";
const GROUP_READ: &str = "Group.Read.All";
const GROUP_WRITE: &str = "Group.ReadWrite.All";
const MEMBER_READ: &str = "GroupMember.Read.All";
const MEMBER_WRITE: &str = "GroupMember.ReadWrite.All";
const DIRECTORY_READ: &str = "Directory.Read.All";
const DIRECTORY_WRITE: &str = "Directory.ReadWrite.All";

/// Every permission that Homeroom knows.
pub static ALL_PERMISSIONS: [Permission; 24] = [
    permission(CONNECTOR_READ, "7ab52c2f-a2ee-4d98-9ebc-725e3934aae2"),
    permission(CONNECTOR_WRITE, "eda0971c-482e-4345-b28f-69c309cb8a34"),
    permission(CONNECTOR_UPLOAD, "9334c44b-a7c6-4350-8036-6bf8e02b4c1f"),
    permission(INBOUND_READ, "305f6ba2-049a-4b1b-88bb-fe7e08758a00"),
    permission(INBOUND_WRITE, "e688c61f-d4c6-4d64-a197-3bcf6ba1d6ad"),
    permission(OUTBOUND_READ, "61d0354c-5d88-483c-b974-a37ec3395a2c"),
    permission(OUTBOUND_WRITE, "24a65b4a-e501-47e2-8849-d679517887f0"),
    permission(REFERENCE_READ, "6ee891c3-74a4-4148-8463-0c834375dfaf"),
    permission(REFERENCE_WRITE, "bda16293-63d3-45b7-b16b-833841d27d56"),
    permission(RUN_READ, "f6f5d10b-3024-4d1d-b674-aae4df4a1a73"),
    Permission { name: RUN_START, role_id: None },
    permission(SOURCE_READ, "bc167a60-39fe-4865-8b44-78400fc6ed03"),
    permission(SOURCE_WRITE, "7d866958-e06e-4dd6-91c6-a086b3f5cfeb"),
    permission(PERIOD_READ, "7c55c952-b095-4c23-a522-022bce4cc1e3"),
    permission(PERIOD_WRITE, "7afa7744-a782-4a32-b8c2-e3db637e8de7"),
    permission(BASIC_READ, "4f5ac95f-62fd-472c-b60f-125d24ca0bc5"),
    permission(USER_READ, "df021288-bdef-4463-88db-98f22de89214"),
    permission(USER_WRITE, "741f803b-c850-494e-b5df-cde7c675a1ca"),
    permission(GROUP_READ, "5b567255-7703-4780-807c-7be8301ae99b"),
    permission(GROUP_WRITE, "62a82d76-70ea-41e2-9197-370581804d09"),
    permission(MEMBER_READ, "98830695-27a2-44f7-8c18-0c3ebc9698f6"),
    permission(MEMBER_WRITE, "dbaae8cf-10b5-4b86-a4a1-f871c94c6695"),
    permission(DIRECTORY_READ, "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    permission(DIRECTORY_WRITE, "19dbc75e-c2e2-444c-a770-ec69d8559fc7"),
];

type Names = &'static [&'static str];

const UPLOAD: Names = &[CONNECTOR_UPLOAD, CONNECTOR_WRITE];
const RUNS: Names = &[RUN_READ, RUN_START];
const USERS: Names = &[USER_READ, USER_WRITE, DIRECTORY_READ, DIRECTORY_WRITE];
const GROUPS: Names = &[MEMBER_READ, MEMBER_WRITE, GROUP_READ, GROUP_WRITE, DIRECTORY_READ, DIRECTORY_WRITE];

/// The permissions any one of which allows an action; empty when no permission does.
///
/// The least privileged one comes first, so that a refusal can name it.
pub fn allowed(resource: Resource, action: Action) -> Names {
    match action {
        Action::List => list(resource),
        Action::Read => read(resource),
        Action::Write => write(resource),
        Action::Start => match resource {
            Resource::Runs => &[RUN_START],
            _ => &[],
        },
    }
}

/// Listing takes what reading takes, but for the collections that the basic permission opens.
fn list(resource: Resource) -> Names {
    match resource {
        Resource::ReferenceDefinitions => &[BASIC_READ, REFERENCE_WRITE],
        Resource::RoleGroups => &[BASIC_READ],
        other => read(other),
    }
}

fn read(resource: Resource) -> Names {
    match resource {
        Resource::SourceSystems => &[SOURCE_READ, SOURCE_WRITE],
        Resource::DataConnectors => &[CONNECTOR_READ, CONNECTOR_WRITE],
        Resource::Upload => UPLOAD,
        Resource::Years => &[PERIOD_READ, PERIOD_WRITE],
        Resource::InboundFlows => &[INBOUND_READ, INBOUND_WRITE],
        Resource::Runs => RUNS,
        Resource::OutboundFlows => &[OUTBOUND_READ, OUTBOUND_WRITE],
        Resource::ReferenceDefinitions | Resource::RoleGroups => &[REFERENCE_READ, REFERENCE_WRITE],
        Resource::Operations => &[BASIC_READ],
        Resource::Users => USERS,
        Resource::Groups | Resource::GroupMembers => GROUPS,
    }
}

/// The reference gives no permission for writing role groups; that of reference rows is the nearest.
fn write(resource: Resource) -> Names {
    match resource {
        Resource::SourceSystems => &[SOURCE_WRITE],
        Resource::DataConnectors => &[CONNECTOR_WRITE],
        Resource::Upload => UPLOAD,
        Resource::Years => &[PERIOD_WRITE],
        Resource::InboundFlows => &[INBOUND_WRITE],
        Resource::Runs | Resource::Operations => &[],
        Resource::OutboundFlows => &[OUTBOUND_WRITE],
        Resource::ReferenceDefinitions | Resource::RoleGroups => &[REFERENCE_WRITE],
        Resource::Users => &[USER_WRITE, DIRECTORY_WRITE],
        Resource::Groups => &[GROUP_WRITE, DIRECTORY_WRITE],
        Resource::GroupMembers => &[MEMBER_WRITE, GROUP_WRITE, DIRECTORY_WRITE],
    }
}

/// The permission of that name (exact spelling, as tokens compare it).
pub fn find(name: &str) -> Option<&'static Permission> {
    ALL_PERMISSIONS.iter().find(|permission| permission.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const RESOURCES: [Resource; 13] = [
        Resource::SourceSystems,
        Resource::DataConnectors,
        Resource::Upload,
        Resource::Years,
        Resource::InboundFlows,
        Resource::Runs,
        Resource::OutboundFlows,
        Resource::ReferenceDefinitions,
        Resource::RoleGroups,
        Resource::Operations,
        Resource::Users,
        Resource::Groups,
        Resource::GroupMembers,
    ];

    #[test]
    fn every_name_in_the_table_can_be_granted() {
        for resource in RESOURCES {
            for action in [Action::List, Action::Read, Action::Write, Action::Start] {
                for name in allowed(resource, action) {
                    assert!(find(name).is_some(), "{name}");
                }
            }
        }
    }

    #[test]
    fn names_and_ids_are_unique() {
        let names: BTreeSet<_> = ALL_PERMISSIONS.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), ALL_PERMISSIONS.len());
        let ids: Vec<_> = ALL_PERMISSIONS.iter().filter_map(|p| p.role_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn whoever_may_write_may_read() {
        for resource in RESOURCES {
            for name in allowed(resource, Action::Write) {
                assert!(allowed(resource, Action::Read).contains(name), "{resource:?} {name}");
            }
        }
    }

    #[test]
    fn nobody_writes_runs_and_operations() {
        assert!(allowed(Resource::Runs, Action::Write).is_empty());
        assert!(allowed(Resource::Operations, Action::Write).is_empty());
        assert_eq!(allowed(Resource::Runs, Action::Start), ["IndustryData-Run.Start"]);
    }
}
