//! The types of Microsoft Graph that this API stands on: errors, long-running operations, and the
//! part of the directory that Homeroom serves.

use super::{GRAPH, Navigations, Properties, Rows, flag, graph, many, needed, one, own, part, structured, text, time, word};
use odata::edm::{EnumType, StructuredType};

/// Enumerations of `microsoft.graph`.
pub(super) static ENUMS: [EnumType; 1] = [EnumType {
    namespace: GRAPH,
    name: "longRunningOperationStatus",
    members: &[("notStarted", 0), ("running", 1), ("succeeded", 2), ("failed", 3), ("unknownFutureValue", 4)],
}];

const fn complex(name: &'static str, properties: Properties) -> StructuredType {
    structured(GRAPH, name, None, properties, &[])
}

const fn entity(name: &'static str, base: Option<&'static str>, properties: Properties, navigations: Navigations) -> StructuredType {
    StructuredType { entity: true, ..structured(GRAPH, name, base, properties, navigations) }
}

/// Structured types of `microsoft.graph`.
pub(super) static TYPES: &Rows = &[
    StructuredType { abstract_: true, ..entity("entity", None, &[text("id").non_null().computed()], &[]) },
    entity(
        "longRunningOperation",
        Some(graph!("entity")),
        &[
            time("createdDateTime").computed(),
            time("lastActionDateTime").computed(),
            text("resourceLocation").computed(),
            word("status", graph!("longRunningOperationStatus")).computed(),
            text("statusDetail").computed(),
        ],
        &[],
    ),
    complex(
        "publicError",
        &[
            text("code"),
            part("details", graph!("publicErrorDetail")).list(),
            part("innerError", graph!("publicInnerError")),
            text("message"),
            text("target"),
        ],
    ),
    complex("publicErrorDetail", &[text("code"), text("message"), text("target")]),
    StructuredType {
        open: true,
        ..complex("publicInnerError", &[text("code"), part("details", graph!("publicErrorDetail")).list(), text("message"), text("target")])
    },
    complex(
        "passwordProfile",
        &[flag("forceChangePasswordNextSignIn"), flag("forceChangePasswordNextSignInWithMfa"), text("password").secret()],
    ),
    entity("directoryObject", Some(graph!("entity")), &[time("deletedDateTime").computed()], &[]),
    entity("user", Some(graph!("directoryObject")), USER, &[many("memberOf", graph!("directoryObject"))]),
    entity(
        "group",
        Some(graph!("directoryObject")),
        GROUP,
        &[
            many("members", graph!("directoryObject")),
            many("memberOf", graph!("directoryObject")),
            many("owners", graph!("directoryObject")),
        ],
    ),
];

/// A user as school clients read and write it. `$select` of anything else is an error that names it.
const USER: Properties = &[
    needed(flag("accountEnabled")),
    text("ageGroup"),
    text("businessPhones").list().non_null(),
    text("city"),
    text("companyName"),
    text("consentProvidedForMinor"),
    text("country"),
    time("createdDateTime").computed(),
    text("department"),
    needed(text("displayName")).max(crate::limits::DIRECTORY_NAME_CHARACTERS),
    text("employeeId"),
    text("employeeType"),
    text("faxNumber"),
    text("givenName"),
    text("jobTitle"),
    time("lastPasswordChangeDateTime").computed(),
    text("legalAgeGroupClassification").computed(),
    text("mail"),
    needed(text("mailNickname")).max(crate::limits::MAIL_NICKNAME_CHARACTERS),
    text("mobilePhone"),
    text("officeLocation"),
    text("onPremisesImmutableId"),
    text("otherMails").list().non_null(),
    text("passwordPolicies"),
    needed(part("passwordProfile", graph!("passwordProfile"))),
    text("postalCode"),
    text("preferredLanguage"),
    text("proxyAddresses").list().non_null().computed(),
    text("state"),
    text("streetAddress"),
    text("surname"),
    text("usageLocation"),
    needed(text("userPrincipalName")),
    text("userType"),
];

/// A group: security groups and Microsoft 365 groups alike.
const GROUP: Properties = &[
    text("classification"),
    time("createdDateTime").computed(),
    text("description"),
    needed(text("displayName")).max(crate::limits::DIRECTORY_NAME_CHARACTERS),
    time("expirationDateTime").computed(),
    text("groupTypes").list().non_null(),
    text("mail").computed(),
    needed(flag("mailEnabled")),
    needed(text("mailNickname")).max(crate::limits::MAIL_NICKNAME_CHARACTERS),
    text("preferredDataLocation"),
    text("preferredLanguage"),
    text("proxyAddresses").list().non_null().computed(),
    time("renewedDateTime").computed(),
    text("resourceBehaviorOptions").list().non_null(),
    text("resourceProvisioningOptions").list().non_null(),
    needed(flag("securityEnabled")),
    text("theme"),
    text("uniqueName"),
    text("visibility"),
];

/// The one type of `microsoft.graph.externalConnectors` through which everything is reached.
pub(super) static EXTERNAL_CONNECTORS: &Rows = &[StructuredType {
    entity: true,
    ..structured("microsoft.graph.externalConnectors", "external", None, &[], &[one("industryData", own!("industryDataRoot")).contained()])
}];
