//! The entity types of `microsoft.graph.industryData`, in the order of the published metadata.
//!
//! What a client must or may send follows the columns C and U of the public reference's pages.
//! Reference values that may not change (`year`, `fileFormat`) stand as mutable here, because two
//! spellings of one code are the same value; the rules compare them once they are canonical.

use super::{Rows, computed_on_create, date, flag, graph, int, many, one, own, part, text, time, word};
use crate::limits::DISPLAY_NAME_CHARACTERS;
use odata::edm::StructuredType;

const fn entity(
    name: &'static str,
    base: Option<&'static str>,
    properties: super::Properties,
    navigations: super::Navigations,
) -> StructuredType {
    StructuredType { entity: true, ..super::structured(super::INDUSTRY_DATA, name, base, properties, navigations) }
}

const fn abstract_entity(
    name: &'static str,
    base: Option<&'static str>,
    properties: super::Properties,
    navigations: super::Navigations,
) -> StructuredType {
    StructuredType { abstract_: true, ..entity(name, base, properties, navigations) }
}

/// All 26.
pub(super) static TYPES: &Rows = &[
    entity(
        "administrativeUnitProvisioningFlow",
        Some(own!("provisioningFlow")),
        &[part("creationOptions", own!("adminUnitCreationOptions")).required()],
        &[],
    ),
    abstract_entity(
        "apiDataConnector",
        Some(own!("industryDataConnector")),
        &[word("apiFormat", own!("apiFormat")).required(), text("baseUrl").required(), part("credential", own!("credential")).required()],
        &[],
    ),
    entity("azureDataLakeConnector", Some(own!("fileDataConnector")), &[part("fileFormat", own!("fileFormatReferenceValue"))], &[]),
    entity(
        "classGroupProvisioningFlow",
        Some(own!("provisioningFlow")),
        &[part("configuration", own!("classGroupConfiguration")).required()],
        &[],
    ),
    abstract_entity("fileDataConnector", Some(own!("industryDataConnector")), &[], &[]),
    entity("fileValidateOperation", Some(own!("validateOperation")), &[text("validatedFiles").list().non_null().computed()], &[]),
    entity("inboundApiFlow", Some(own!("inboundFlow")), &[], &[]),
    entity("inboundFileFlow", Some(own!("inboundFlow")), &[], &[]),
    abstract_entity(
        "inboundFlow",
        Some(own!("industryDataActivity")),
        &[
            word("dataDomain", own!("inboundDomain")).required().immutable(),
            time("effectiveDateTime").required(),
            time("expirationDateTime"),
        ],
        &[one("dataConnector", own!("industryDataConnector")).required(), one("year", own!("yearTimePeriodDefinition")).required()],
    ),
    entity("inboundFlowActivity", Some(own!("industryDataRunActivity")), &[], &[]),
    abstract_entity(
        "industryDataActivity",
        Some(graph!("entity")),
        &[
            text("displayName").required().max(DISPLAY_NAME_CHARACTERS),
            word("readinessStatus", own!("readinessStatus")).non_null().computed(),
        ],
        &[],
    ),
    abstract_entity(
        "industryDataConnector",
        Some(graph!("entity")),
        &[text("displayName").required().max(DISPLAY_NAME_CHARACTERS)],
        &[one("sourceSystem", own!("sourceSystemDefinition")).required()],
    ),
    entity(
        "industryDataRoot",
        Some(graph!("entity")),
        &[],
        &[
            many("dataConnectors", own!("industryDataConnector")).contained(),
            many("inboundFlows", own!("inboundFlow")).contained(),
            many("operations", graph!("longRunningOperation")).contained(),
            many("outboundProvisioningFlowSets", own!("outboundProvisioningFlowSet")).contained(),
            many("referenceDefinitions", own!("referenceDefinition")).contained(),
            many("roleGroups", own!("roleGroup")).contained(),
            many("runs", own!("industryDataRun")).contained(),
            many("sourceSystems", own!("sourceSystemDefinition")).contained(),
            many("years", own!("yearTimePeriodDefinition")).contained(),
        ],
    ),
    entity(
        "industryDataRun",
        Some(graph!("entity")),
        &[
            part("blockingError", graph!("publicError")).computed(),
            text("displayName").non_null().computed(),
            time("endDateTime").computed(),
            time("startDateTime").non_null().computed(),
            word("status", own!("industryDataRunStatus")).non_null().computed(),
        ],
        &[many("activities", own!("industryDataRunActivity")).contained()],
    ),
    abstract_entity(
        "industryDataRunActivity",
        Some(graph!("entity")),
        &[
            part("blockingError", graph!("publicError")).computed(),
            text("displayName").non_null().computed(),
            word("status", own!("industryDataActivityStatus")).non_null().computed(),
        ],
        &[one("activity", own!("industryDataActivity"))],
    ),
    entity(
        "oneRosterApiDataConnector",
        Some(own!("apiDataConnector")),
        &[
            text("apiVersion").required(),
            flag("isContactsEnabled").required(),
            flag("isDemographicsEnabled").required(),
            flag("isFlagsEnabled").required(),
        ],
        &[],
    ),
    entity("outboundFlowActivity", Some(own!("industryDataRunActivity")), &[], &[]),
    entity(
        "outboundProvisioningFlowSet",
        Some(graph!("entity")),
        &[
            time("createdDateTime").computed(),
            text("displayName").required().max(DISPLAY_NAME_CHARACTERS),
            part("filter", own!("filter")),
            time("lastModifiedDateTime").computed(),
        ],
        &[many("provisioningFlows", own!("provisioningFlow")).contained()],
    ),
    abstract_entity(
        "provisioningFlow",
        Some(graph!("entity")),
        &[
            time("createdDateTime").computed(),
            time("lastModifiedDateTime").computed(),
            computed_on_create(word("readinessStatus", own!("readinessStatus"))),
        ],
        &[],
    ),
    entity(
        "referenceDefinition",
        Some(graph!("entity")),
        &[
            text("code").required().immutable(),
            time("createdDateTime").non_null().computed(),
            text("displayName"),
            flag("isDisabled").required(),
            time("lastModifiedDateTime").non_null().computed(),
            text("referenceType").required().immutable(),
            int("sortIndex").required(),
            text("source").non_null().computed(),
        ],
        &[],
    ),
    entity(
        "roleGroup",
        Some(graph!("entity")),
        &[text("displayName").required().max(DISPLAY_NAME_CHARACTERS), part("roles", own!("roleReferenceValue")).list().required()],
        &[],
    ),
    entity(
        "securityGroupProvisioningFlow",
        Some(own!("provisioningFlow")),
        &[part("creationOptions", own!("securityGroupCreationOptions")).required()],
        &[],
    ),
    entity(
        "sourceSystemDefinition",
        Some(graph!("entity")),
        &[
            text("displayName").required().max(DISPLAY_NAME_CHARACTERS).immutable(),
            part("userMatchingSettings", own!("userMatchingSetting")).list(),
            text("vendor").max(DISPLAY_NAME_CHARACTERS),
        ],
        &[],
    ),
    entity(
        "userProvisioningFlow",
        Some(own!("provisioningFlow")),
        &[
            flag("createUnmatchedUsers"),
            part("creationOptions", own!("userCreationOptions")),
            part("managementOptions", own!("userManagementOptions")).required(),
        ],
        &[],
    ),
    abstract_entity(
        "validateOperation",
        Some(graph!("longRunningOperation")),
        &[
            part("errors", graph!("publicError")).list().non_null().computed(),
            part("warnings", graph!("publicError")).list().non_null().computed(),
        ],
        &[],
    ),
    entity(
        "yearTimePeriodDefinition",
        Some(graph!("entity")),
        &[
            text("displayName").required().max(DISPLAY_NAME_CHARACTERS),
            date("endDate").required(),
            date("startDate").required(),
            part("year", own!("yearReferenceValue")).required(),
        ],
        &[],
    ),
];
