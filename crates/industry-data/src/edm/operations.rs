//! The six bound operations of `microsoft.graph.industryData`.

use super::own;
use odata::edm::{Operation, TypeRef};

const fn action(name: &'static str, binding: &'static str, binding_collection: bool) -> Operation {
    Operation {
        namespace: super::INDUSTRY_DATA,
        name,
        action: true,
        binding,
        binding_collection,
        binding_nullable: binding_collection,
        parameters: &[],
        returns: None,
        returns_nullable: true,
        composable: false,
    }
}

const fn function(name: &'static str, binding: &'static str, binding_collection: bool, returns: &'static str) -> Operation {
    Operation { action: false, returns: Some(returns), ..action(name, binding, binding_collection) }
}

/// All of them, in the order of the published metadata.
pub(super) static OPERATIONS: [Operation; 6] = [
    action("reset", own!("provisioningFlow"), false),
    action("start", own!("industryDataRun"), true),
    action("validate", own!("industryDataConnector"), false),
    Operation { composable: true, ..function("getStatistics", own!("industryDataRun"), true, own!("industryDataRunStatistics")) },
    Operation {
        composable: true,
        binding_nullable: true,
        ..function("getStatistics", own!("industryDataRun"), false, own!("industryDataRunStatistics"))
    },
    Operation {
        returns_nullable: false,
        parameters: &[("resetSession", TypeRef::BOOLEAN, true)],
        ..function("getUploadSession", own!("azureDataLakeConnector"), false, own!("fileUploadSession"))
    },
];
