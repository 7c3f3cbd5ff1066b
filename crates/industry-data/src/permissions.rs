//! Which permission opens what: the table of the reference pages and of Graph's directory.

/// What a permission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `/sourceSystems`
    SourceSystems,
    /// `/dataConnectors`
    DataConnectors,
    /// `getUploadSession` and `validate`
    Upload,
    /// `/years`
    Years,
    /// `/inboundFlows`
    InboundFlows,
    /// `/runs`
    Runs,
    /// `/outboundProvisioningFlowSets` and what hangs from them
    OutboundFlows,
    /// `/referenceDefinitions`
    ReferenceDefinitions,
    /// `/roleGroups`
    RoleGroups,
    /// `/operations`
    Operations,
    /// `/users`
    Users,
    /// `/groups`
    Groups,
    /// `/groups/{id}/members`
    GroupMembers,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read a collection.
    List,
    /// Read one entity.
    Read,
    /// Create, update, delete; or the action itself.
    Write,
}

/// The permissions of which one is needed, least privileged first.
///
/// `runs/start` is the only write of runs. What no page documents (reading activities, writing
/// role groups and operations) follows its nearest neighbour.
pub const fn allowed(resource: Resource, action: Action) -> &'static [&'static str] {
    use Action::{List, Read, Write};
    use Resource as R;
    match (resource, action) {
        (R::SourceSystems, List | Read) => &[
            "IndustryData-SourceSystem.Read.All",
            "IndustryData-SourceSystem.ReadWrite.All",
        ],
        (R::SourceSystems, Write) => &["IndustryData-SourceSystem.ReadWrite.All"],
        (R::DataConnectors, List | Read) => &[
            "IndustryData-DataConnector.Read.All",
            "IndustryData-DataConnector.ReadWrite.All",
        ],
        (R::DataConnectors, Write) => &["IndustryData-DataConnector.ReadWrite.All"],
        (R::Upload, _) => &[
            "IndustryData-DataConnector.Upload",
            "IndustryData-DataConnector.ReadWrite.All",
        ],
        (R::Years, List | Read) => &[
            "IndustryData-TimePeriod.Read.All",
            "IndustryData-TimePeriod.ReadWrite.All",
        ],
        (R::Years, Write) => &["IndustryData-TimePeriod.ReadWrite.All"],
        (R::InboundFlows, List | Read) => &[
            "IndustryData-InboundFlow.Read.All",
            "IndustryData-InboundFlow.ReadWrite.All",
        ],
        (R::InboundFlows, Write) => &["IndustryData-InboundFlow.ReadWrite.All"],
        (R::Runs, List | Read) => &["IndustryData-Run.Read.All", "IndustryData-Run.Start"],
        (R::Runs, Write) => &["IndustryData-Run.Start"],
        (R::OutboundFlows, List | Read) => &[
            "IndustryData-OutboundFlow.Read.All",
            "IndustryData-OutboundFlow.ReadWrite.All",
        ],
        (R::OutboundFlows, Write) => &["IndustryData-OutboundFlow.ReadWrite.All"],
        (R::ReferenceDefinitions, List) => &[
            "IndustryData.ReadBasic.All",
            "IndustryData-ReferenceDefinition.Read.All",
            "IndustryData-ReferenceDefinition.ReadWrite.All",
        ],
        (R::ReferenceDefinitions | R::RoleGroups, Read) => &[
            "IndustryData-ReferenceDefinition.Read.All",
            "IndustryData-ReferenceDefinition.ReadWrite.All",
        ],
        (R::ReferenceDefinitions | R::RoleGroups, Write) => {
            &["IndustryData-ReferenceDefinition.ReadWrite.All"]
        }
        (R::RoleGroups, List) => &[
            "IndustryData.ReadBasic.All",
            "IndustryData-ReferenceDefinition.Read.All",
            "IndustryData-ReferenceDefinition.ReadWrite.All",
        ],
        (R::Operations, List | Read) => &["IndustryData.ReadBasic.All"],
        (R::Operations, Write) => &["IndustryData-DataConnector.ReadWrite.All"],
        (R::Users, List | Read) => &[
            "User.Read.All",
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        (R::Users, Write) => &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        (R::Groups, List | Read) => &[
            "GroupMember.Read.All",
            "Group.Read.All",
            "Directory.Read.All",
            "Group.ReadWrite.All",
            "Directory.ReadWrite.All",
        ],
        (R::Groups, Write) => &["Group.ReadWrite.All", "Directory.ReadWrite.All"],
        (R::GroupMembers, List | Read) => &[
            "GroupMember.Read.All",
            "Group.Read.All",
            "GroupMember.ReadWrite.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        (R::GroupMembers, Write) => &[
            "GroupMember.ReadWrite.All",
            "Group.ReadWrite.All",
            "Directory.ReadWrite.All",
        ],
    }
}

/// Every application permission that Homeroom knows.
pub const ALL: [&str; 24] = [
    "IndustryData-DataConnector.Read.All",
    "IndustryData-DataConnector.ReadWrite.All",
    "IndustryData-DataConnector.Upload",
    "IndustryData-InboundFlow.Read.All",
    "IndustryData-InboundFlow.ReadWrite.All",
    "IndustryData-OutboundFlow.Read.All",
    "IndustryData-OutboundFlow.ReadWrite.All",
    "IndustryData-ReferenceDefinition.Read.All",
    "IndustryData-ReferenceDefinition.ReadWrite.All",
    "IndustryData-Run.Read.All",
    "IndustryData-Run.Start",
    "IndustryData-SourceSystem.Read.All",
    "IndustryData-SourceSystem.ReadWrite.All",
    "IndustryData-TimePeriod.Read.All",
    "IndustryData-TimePeriod.ReadWrite.All",
    "IndustryData.ReadBasic.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "User.Read.All",
    "User.ReadWrite.All",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_of_the_table_is_known() {
        use Resource as R;
        let resources = [
            R::SourceSystems,
            R::DataConnectors,
            R::Upload,
            R::Years,
            R::InboundFlows,
            R::Runs,
            R::OutboundFlows,
            R::ReferenceDefinitions,
            R::RoleGroups,
            R::Operations,
            R::Users,
            R::Groups,
            R::GroupMembers,
        ];
        for resource in resources {
            for action in [Action::List, Action::Read, Action::Write] {
                for name in allowed(resource, action) {
                    assert!(ALL.contains(name), "{name}");
                }
            }
        }
    }
}
