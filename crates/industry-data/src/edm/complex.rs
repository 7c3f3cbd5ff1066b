//! The complex types of `microsoft.graph.industryData`, in the order of the published metadata.

use super::{Rows, flag, int, one, own, part, text, time, word};
use odata::edm::StructuredType;

const fn complex(
    name: &'static str,
    base: Option<&'static str>,
    properties: super::Properties,
    navigations: super::Navigations,
) -> StructuredType {
    super::structured(super::INDUSTRY_DATA, name, base, properties, navigations)
}

const fn abstract_complex(
    name: &'static str,
    base: Option<&'static str>,
    properties: super::Properties,
    navigations: super::Navigations,
) -> StructuredType {
    StructuredType { abstract_: true, ..complex(name, base, properties, navigations) }
}

/// All 32. A boolean or part inside a value that is not null but left out gets its default from
/// the rules, so only what has no sensible default is required.
pub(super) static TYPES: &Rows = &[
    complex("additionalClassGroupOptions", None, &[flag("createTeam").non_null(), flag("writeDisplayNameOnCreateOnly").non_null()], &[]),
    complex(
        "additionalUserOptions",
        None,
        &[flag("allowStudentContactAssociation"), flag("markAllStudentsAsMinors"), word("studentAgeGroup", own!("studentAgeGroup"))],
        &[],
    ),
    complex(
        "adminUnitCreationOptions",
        None,
        &[flag("createBasedOnOrg").non_null(), flag("createBasedOnOrgPlusRoleGroup").non_null()],
        &[],
    ),
    complex(
        "aggregatedInboundStatistics",
        None,
        &[
            int("errors"),
            int("groups"),
            part("matchedPeopleByRole", own!("industryDataRunRoleCountMetric")).list(),
            int("memberships"),
            int("organizations"),
            int("people"),
            part("unmatchedPeopleByRole", own!("industryDataRunRoleCountMetric")).list(),
            int("warnings"),
        ],
        &[],
    ),
    complex("basicFilter", Some(own!("filter")), &[word("attribute", own!("filterOptions")).required(), text("in").list().required()], &[]),
    complex(
        "classGroupConfiguration",
        None,
        &[
            word("additionalAttributes", own!("additionalClassGroupAttributes")).list(),
            part("additionalOptions", own!("additionalClassGroupOptions")).non_null(),
            part("enrollmentMappings", own!("enrollmentMappings")).non_null(),
        ],
        &[],
    ),
    abstract_complex(
        "credential",
        None,
        &[text("displayName").required(), flag("isValid").non_null().computed(), time("lastValidDateTime").computed()],
        &[],
    ),
    complex(
        "enrollmentMappings",
        None,
        &[
            part("memberEnrollmentMappings", own!("sectionRoleReferenceValue")).list(),
            part("ownerEnrollmentMappings", own!("sectionRoleReferenceValue")).list(),
        ],
        &[],
    ),
    complex("fileFormatReferenceValue", Some(own!("referenceValue")), &[], &[]),
    complex(
        "fileUploadSession",
        None,
        &[
            time("containerExpirationDateTime").non_null(),
            text("containerId").non_null(),
            time("sessionExpirationDateTime").non_null(),
            text("sessionUrl").non_null(),
        ],
        &[],
    ),
    abstract_complex("filter", None, &[], &[]),
    complex("identifierTypeReferenceValue", Some(own!("referenceValue")), &[], &[]),
    complex(
        "inboundActivityResults",
        Some(own!("industryDataActivityStatistics")),
        &[
            int("errors"),
            part("groups", own!("industryDataRunEntityCountMetric")),
            part("matchedPeopleByRole", own!("industryDataRunRoleCountMetric")).list(),
            part("memberships", own!("industryDataRunEntityCountMetric")),
            part("organizations", own!("industryDataRunEntityCountMetric")),
            part("people", own!("industryDataRunEntityCountMetric")),
            part("unmatchedPeopleByRole", own!("industryDataRunRoleCountMetric")).list(),
            int("warnings"),
        ],
        &[],
    ),
    abstract_complex(
        "industryDataActivityStatistics",
        None,
        &[text("activityId").non_null(), text("displayName").non_null(), word("status", own!("industryDataActivityStatus")).non_null()],
        &[],
    ),
    complex("industryDataRunEntityCountMetric", None, &[int("active"), int("inactive"), int("total")], &[]),
    complex("industryDataRunRoleCountMetric", None, &[int("count"), text("role").non_null()], &[]),
    complex(
        "industryDataRunStatistics",
        None,
        &[
            part("activityStatistics", own!("industryDataActivityStatistics")).list(),
            part("inboundTotals", own!("aggregatedInboundStatistics")),
            text("runId").non_null(),
            word("status", own!("industryDataRunStatus")).non_null(),
        ],
        &[],
    ),
    complex("oAuth1ClientCredential", Some(own!("oAuthClientCredential")), &[], &[]),
    complex("oAuth2ClientCredential", Some(own!("oAuthClientCredential")), &[text("scope"), text("tokenUrl").required()], &[]),
    abstract_complex("oAuthClientCredential", Some(own!("credential")), &[text("clientId").required(), text("clientSecret").secret()], &[]),
    abstract_complex("passwordSettings", None, &[], &[]),
    abstract_complex("referenceValue", None, &[text("code")], &[one("value", own!("referenceDefinition")).non_null()]),
    complex("roleReferenceValue", Some(own!("referenceValue")), &[], &[]),
    complex("sectionRoleReferenceValue", Some(own!("referenceValue")), &[], &[]),
    complex(
        "securityGroupCreationOptions",
        None,
        &[flag("createBasedOnOrgPlusRoleGroup").non_null(), flag("createBasedOnRoleGroup").non_null()],
        &[],
    ),
    complex("simplePasswordSettings", Some(own!("passwordSettings")), &[text("password").required()], &[]),
    complex(
        "userConfiguration",
        None,
        &[part("defaultPasswordSettings", own!("passwordSettings")), text("licenseSkus").list()],
        &[one("roleGroup", own!("roleGroup")).contained().required()],
    ),
    complex("userCreationOptions", None, &[part("configurations", own!("userConfiguration")).list()], &[]),
    complex(
        "userManagementOptions",
        None,
        &[
            word("additionalAttributes", own!("additionalUserAttributes")).list(),
            part("additionalOptions", own!("additionalUserOptions")).non_null(),
        ],
        &[],
    ),
    complex(
        "userMatchingSetting",
        None,
        &[
            part("matchTarget", own!("userMatchTargetReferenceValue")),
            int("priorityOrder").required(),
            part("sourceIdentifier", own!("identifierTypeReferenceValue")).required(),
            text("domainName").hidden(),
        ],
        &[one("roleGroup", own!("roleGroup")).required()],
    ),
    complex("userMatchTargetReferenceValue", Some(own!("referenceValue")), &[], &[]),
    complex("yearReferenceValue", Some(own!("referenceValue")), &[], &[]),
];
