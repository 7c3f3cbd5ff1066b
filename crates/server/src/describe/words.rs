//! What the reference and the OpenAPI document say in words: collections with their rules, types,
//! properties. The facts (types, nullability, who may write) come from the tables, never from here.

/// A collection in words.
#[derive(Debug)]
pub struct About {
    /// What it holds.
    pub text: &'static str,
    /// Rules that no column of a table can say.
    pub rules: &'static [&'static str],
}

const fn about(text: &'static str, rules: &'static [&'static str]) -> About {
    About { text, rules }
}

/// A collection by name; empty for one that has no words yet.
pub fn collection(name: &str) -> About {
    match name {
        "industryData" => about("The root of the API: school data in, directory out.", &[]),
        "sourceSystems" => about(
            "Systems that own the records taken in, for example a student information system, each with the rules that match its people with accounts of the directory.",
            &[
                "One matching setting for each role group; `priorityOrder` says which comes first when a person belongs to several.",
                "`sourceIdentifier` and `matchTarget` are codes of `RefIdentifierType` and `RefUserMatchTarget`.",
                "`domainName` in a setting is a domain appended to source values that have none. It is not in the metadata; Microsoft's own clients send it.",
                "Settings that come back without `roleGroup@odata.bind` keep the stored role groups, by position.",
                "A source system with connectors cannot be deleted: 409 lists them.",
            ],
        ),
        "dataConnectors" => about(
            "How records come in: by uploaded CSV files (azureDataLakeConnector) or from a OneRoster API (oneRosterApiDataConnector).",
            &[
                "`sourceSystem@odata.bind` is needed on create and stays.",
                "`clientSecret` never comes back; a PATCH whose `credential` has none keeps the stored one.",
                "`baseUrl` and `tokenUrl` are URLs with scheme and host.",
                "`getUploadSession` gives the open session, or a new one; `resetSession=true` gives a new, empty one. Files are uploaded to `sessionUrl` by the Azure Blob or Data Lake protocol.",
                "`validate` closes the session and checks its files, or tests the connection of an API connector; follow the operation that `Location` names, at least five seconds apart.",
                "A connector with flows cannot be deleted: 409 lists them.",
            ],
        ),
        "years" => about(
            "Academic years under which incoming data is filed.",
            &[
                "`endDate` is not before `startDate`.",
                "`year` is a code of `RefAcademicYear` and stays.",
                "A year with flows cannot be deleted: 409 lists them.",
            ],
        ),
        "inboundFlows" => about(
            "Inbound flows tie a connector to an academic year and say in which period its data is taken in.",
            &[
                "A file connector feeds an inboundFileFlow, an API connector an inboundApiFlow, which is ready when the connector has passed its test.",
                "`dataConnector@odata.bind` and `year@odata.bind` are needed on create and stay.",
                "`expirationDateTime` is not before `effectiveDateTime`.",
                "`readinessStatus` is set by the server: `notReady` until connector and year have been checked, then `ready`; `expired` after `expirationDateTime`; `failed` when the last run failed on it.",
            ],
        ),
        "outboundProvisioningFlowSets" => about(
            "Sets of provisioning flows with one filter of organizations.",
            &["Without a filter all organizations count.", "Deleting a set deletes its flows; what they made in the directory stays."],
        ),
        "provisioningFlows" => about(
            "What is provisioned in the directory: administrative units, class groups, security groups, users.",
            &[
                "A set has at most one flow of each kind; a second one is 409.",
                "`readinessStatus` starts as `notReady` and becomes `ready` in the background. A client may set `disabled` (skipped from the next run on; nothing is removed) and `ready`.",
                "`reset` forgets what the flow has applied, so that the next run compares with the directory from scratch. It never deletes.",
                "PATCH of a securityGroupProvisioningFlow answers 200 with the object, other PATCHes 204; `Prefer: return=representation` or `return=minimal` overrides.",
                "The short URL `/beta/securityGroupProvisioningFlow` names the only flow of its kind, the one whose `id` is in the body, or the one whose key follows. With several flows and no id it answers 409 with the candidates in `details`. There, `creationOptions` is required.",
                "Passwords come back as asterisks; sending the asterisks keeps the stored one.",
            ],
        ),
        "referenceDefinitions" => about(
            "Rows of the code lists: roles, grade levels, kinds of organizations, identifiers and so on. Most come with the service.",
            &[
                "The id is `{referenceType}-{code}`.",
                "A tenant may add rows to RefAcademicSubject, RefRace, RefEthnicity, RefGradeLevel, RefOrgType and RefPersonFlagType.",
                "`code` and `sortIndex` of a tenant's rows are unique within their type.",
                "DELETE disables a row: earlier runs may refer to it.",
                "Rows that come with the service cannot be changed.",
            ],
        ),
        "roleGroups" => about(
            "Groups of roles that people are matched and provisioned by. `staff` and `students` come with the service.",
            &["The two that come with the service cannot be changed or deleted."],
        ),
        "runs" => about(
            "Runs take in what is there, match it with the directory and provision the outcome.",
            &[
                "`start` answers 202 with the operation to follow; while a run is going, that of this run.",
                "Five runs can be started on demand in twelve hours; the next one is 429 with `Retry-After`. The number can be configured.",
                "`getStatistics` on the collection is about the newest run.",
            ],
        ),
        "activities" => about("The part that each flow took in a run.", &[]),
        "operations" => about(
            "Long-running operations: validations and runs that were started.",
            &["`status` is that of the operation. A validation that `succeeded` has still to be asked for its `errors`."],
        ),
        "users" => about(
            "Accounts of the embedded directory, in the shape of Microsoft Graph.",
            &["A user is found by id or by userPrincipalName.", "`userPrincipalName` is unique."],
        ),
        "groups" => about(
            "Groups of the embedded directory, in the shape of Microsoft Graph.",
            &["Members are added and removed by `members/$ref`."],
        ),
        _ => about("", &[]),
    }
}

/// A type by its name without namespace.
pub fn ty(name: &str) -> &'static str {
    find(TYPES, name)
}

/// A property by its declaring type and name; some mean the same in every type.
pub fn property(ty: &str, name: &str) -> &'static str {
    let own = PROPERTIES.iter().find(|(of, property, _)| *of == ty && *property == name);
    own.map_or_else(|| find(EVERYWHERE, name), |(_, _, text)| text)
}

fn find(list: &'static [(&'static str, &'static str)], name: &str) -> &'static str {
    list.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

const TYPES: &[(&str, &str)] = &[
    ("additionalClassGroupAttributes", "Optional attributes written to each class group."),
    ("additionalClassGroupOptions", "How class groups are made."),
    ("additionalUserAttributes", "Optional attributes written to each user."),
    ("additionalUserOptions", "How users are managed beyond their attributes."),
    ("adminUnitCreationOptions", "Which administrative units are made."),
    ("administrativeUnitProvisioningFlow", "Makes administrative units and their members."),
    ("aggregatedInboundStatistics", "Active records of a run over all its inbound flows."),
    ("apiDataConnector", "A connector that asks an API."),
    ("apiFormat", "The kind of API."),
    ("azureDataLakeConnector", "A connector that takes uploaded CSV files."),
    ("basicFilter", "Keeps the organizations that are named."),
    ("classGroupConfiguration", "Which class groups are made, and who is member and owner."),
    ("classGroupProvisioningFlow", "Makes a group for each class, with members and owners."),
    ("credential", "What a connector signs in with."),
    ("directoryObject", "Anything in the directory."),
    ("enrollmentMappings", "Which roles in a class become members and owners of its group."),
    ("entity", "Anything with an id."),
    ("external", "Where data of other systems begins in Microsoft Graph."),
    ("fileDataConnector", "A connector that takes files."),
    ("fileFormatReferenceValue", "A code of RefFileFormat."),
    ("fileUploadSession", "Where to upload the files of a connector, and until when."),
    ("fileValidateOperation", "The validation of uploaded files, or the test of a connection."),
    ("filter", "Which organizations count."),
    ("filterOptions", "What a filter looks at."),
    ("group", "A group of the directory: security group or Microsoft 365 group."),
    ("identifierTypeReferenceValue", "A code of RefIdentifierType."),
    ("inboundActivityResults", "What an inbound flow counted in a run."),
    ("inboundApiFlow", "Takes in data of an API connector."),
    ("inboundDomain", "The kind of data."),
    ("inboundFileFlow", "Takes in data of a file connector."),
    ("inboundFlow", "Takes in data of a connector for an academic year."),
    ("inboundFlowActivity", "The part of an inbound flow in a run."),
    ("industryDataActivity", "Something that runs carry out."),
    ("industryDataActivityStatistics", "What an activity counted."),
    ("industryDataActivityStatus", "How far an activity is, or how it ended."),
    ("industryDataConnector", "How records come in."),
    ("industryDataRoot", "The root of industryData."),
    ("industryDataRun", "One run."),
    ("industryDataRunActivity", "The part of a flow in a run."),
    ("industryDataRunEntityCountMetric", "Records that are active, that are not, and both."),
    ("industryDataRunRoleCountMetric", "People of a role."),
    ("industryDataRunStatistics", "What a run counted."),
    ("industryDataRunStatus", "How far a run is, or how it ended."),
    ("longRunningOperation", "Something that takes longer than a request."),
    ("longRunningOperationStatus", "How far an operation is."),
    ("oAuth1ClientCredential", "Signs requests by OAuth 1.0a."),
    ("oAuth2ClientCredential", "Asks for a token by OAuth 2.0."),
    ("oAuthClientCredential", "A client id with a secret."),
    ("oneRosterApiDataConnector", "A connector that asks a OneRoster API."),
    ("outboundFlowActivity", "The part of a provisioning flow in a run."),
    ("outboundProvisioningFlowSet", "Provisioning flows with one filter of organizations."),
    ("passwordProfile", "The password of a new user."),
    ("passwordSettings", "How passwords of new users are made."),
    ("provisioningFlow", "What is provisioned in the directory."),
    ("publicError", "What went wrong."),
    ("publicErrorDetail", "One part of what went wrong."),
    ("publicInnerError", "What went wrong, more exactly."),
    ("readinessStatus", "Whether a flow takes part in runs."),
    ("referenceDefinition", "A row of a code list."),
    ("referenceValue", "A code of a code list."),
    ("roleGroup", "Roles that are treated alike."),
    ("roleReferenceValue", "A code of RefRole."),
    ("sectionRoleReferenceValue", "A code of RefSectionRole: the role of a person in a class."),
    ("securityGroupCreationOptions", "Which security groups are made."),
    ("securityGroupProvisioningFlow", "Makes security groups and their members."),
    ("simplePasswordSettings", "One first password for all."),
    ("sourceSystemDefinition", "A system that owns records."),
    ("studentAgeGroup", "The age group that students are put in."),
    ("user", "An account of the directory."),
    ("userConfiguration", "How new users of a role group are made."),
    ("userCreationOptions", "How users without an account are made."),
    ("userManagementOptions", "What is written to all matched users."),
    ("userMatchTargetReferenceValue", "A code of RefUserMatchTarget."),
    ("userMatchingSetting", "How people of a role group are matched with accounts."),
    ("userProvisioningFlow", "Makes accounts for people without one, and keeps the attributes of all."),
    ("validateOperation", "A validation."),
    ("yearReferenceValue", "A code of RefAcademicYear."),
    ("yearTimePeriodDefinition", "An academic year."),
];

const EVERYWHERE: &[(&str, &str)] = &[
    ("id", "Key. Set by the server."),
    ("displayName", "Name for people."),
    ("createdDateTime", "When it was made."),
    ("lastModifiedDateTime", "When it was last changed."),
    ("deletedDateTime", "When it was deleted."),
    ("blockingError", "What stopped it, when something did."),
    ("code", "The code."),
    ("message", "In plain words."),
    ("target", "What it is about."),
    ("details", "The parts of it."),
    ("status", "How far it is, or how it ended."),
    ("errors", "Number of errors."),
    ("warnings", "Number of warnings."),
    ("organizations", "Organizations."),
    ("people", "People."),
    ("groups", "Groups of people, such as classes."),
    ("memberships", "Memberships of people in groups."),
    ("matchedPeopleByRole", "People with an account, by role."),
    ("unmatchedPeopleByRole", "People without an account, by role."),
    ("additionalAttributes", "Optional attributes to write."),
    ("additionalOptions", "Further options."),
    ("mailNickname", "Mail alias, unique in the directory."),
    ("memberOf", "The groups that it is a member of."),
];

const PROPERTIES: &[(&str, &str, &str)] = &[
    ("additionalClassGroupOptions", "createTeam", "Whether to make a team for each class group."),
    ("additionalClassGroupOptions", "writeDisplayNameOnCreateOnly", "Whether the name is written once and then left alone."),
    ("additionalUserOptions", "allowStudentContactAssociation", "Whether students may be linked with their contacts."),
    ("additionalUserOptions", "markAllStudentsAsMinors", "Whether all students are minors. Deprecated in favour of studentAgeGroup."),
    ("additionalUserOptions", "studentAgeGroup", "Age group written to students; null leaves it alone."),
    ("adminUnitCreationOptions", "createBasedOnOrg", "One administrative unit for each organization."),
    ("adminUnitCreationOptions", "createBasedOnOrgPlusRoleGroup", "One for each organization and role group."),
    ("administrativeUnitProvisioningFlow", "creationOptions", "Which administrative units are made."),
    ("apiDataConnector", "apiFormat", "The kind of API."),
    ("apiDataConnector", "baseUrl", "Scheme, host and path of the API, for example `https://sis.example/ims/oneroster/v1p1`."),
    ("apiDataConnector", "credential", "What the connector signs in with."),
    ("azureDataLakeConnector", "fileFormat", "Format of the files: `schoolDataSyncV2Rev1` when left out."),
    ("basicFilter", "attribute", "What is compared."),
    ("basicFilter", "in", "The values to keep: external ids of organizations."),
    ("classGroupConfiguration", "enrollmentMappings", "Which roles become members and owners."),
    ("classGroupProvisioningFlow", "configuration", "Which class groups are made, and how."),
    ("credential", "isValid", "Whether the last test of the connection went well."),
    ("credential", "lastValidDateTime", "When it last went well."),
    ("enrollmentMappings", "memberEnrollmentMappings", "Roles that become members."),
    ("enrollmentMappings", "ownerEnrollmentMappings", "Roles that become owners."),
    ("external", "industryData", "The root of industryData."),
    ("fileUploadSession", "containerExpirationDateTime", "When the uploaded files are removed."),
    ("fileUploadSession", "containerId", "Id of the container of this session."),
    ("fileUploadSession", "sessionExpirationDateTime", "Until when can be uploaded."),
    (
        "fileUploadSession",
        "sessionUrl",
        "Where to upload, with a signature as an Azure Storage SAS has it. A file's name goes in front of the `?`.",
    ),
    (
        "fileValidateOperation",
        "validatedFiles",
        "Names of the files that were looked at; of an API connector, the collections that could be read.",
    ),
    ("group", "groupTypes", "`Unified` for a Microsoft 365 group, empty for a security group."),
    ("group", "mailEnabled", "Whether it has mail."),
    ("group", "securityEnabled", "Whether it can be used for access."),
    ("group", "members", "Its members."),
    ("group", "owners", "Its owners."),
    ("inboundFlow", "dataDomain", "The kind of data."),
    ("inboundFlow", "effectiveDateTime", "From when on the flow takes part in runs."),
    ("inboundFlow", "expirationDateTime", "Until when; null is without end."),
    ("inboundFlow", "dataConnector", "Where the data comes from."),
    ("inboundFlow", "year", "The academic year of the data."),
    ("industryDataActivity", "readinessStatus", "Whether it takes part in runs."),
    ("industryDataActivityStatistics", "activityId", "Id of the activity."),
    ("industryDataConnector", "sourceSystem", "The system whose records these are."),
    ("industryDataRoot", "dataConnectors", "How records come in."),
    ("industryDataRoot", "inboundFlows", "What is taken in, and when."),
    ("industryDataRoot", "operations", "What takes longer than a request."),
    ("industryDataRoot", "outboundProvisioningFlowSets", "What is provisioned."),
    ("industryDataRoot", "referenceDefinitions", "Code lists."),
    ("industryDataRoot", "roleGroups", "Roles that are treated alike."),
    ("industryDataRoot", "runs", "The runs."),
    ("industryDataRoot", "sourceSystems", "Systems that own records."),
    ("industryDataRoot", "years", "Academic years."),
    ("industryDataRun", "startDateTime", "When it began."),
    ("industryDataRun", "endDateTime", "When it ended; null while it is going."),
    ("industryDataRun", "activities", "The part of each flow."),
    ("industryDataRunActivity", "activity", "The flow."),
    ("industryDataRunEntityCountMetric", "active", "Active records."),
    ("industryDataRunEntityCountMetric", "inactive", "Records that are not active."),
    ("industryDataRunEntityCountMetric", "total", "Both together."),
    ("industryDataRunRoleCountMetric", "count", "How many."),
    ("industryDataRunRoleCountMetric", "role", "Of which role."),
    ("industryDataRunStatistics", "activityStatistics", "By activity."),
    ("industryDataRunStatistics", "inboundTotals", "Over all inbound flows."),
    ("industryDataRunStatistics", "runId", "Id of the run."),
    ("longRunningOperation", "lastActionDateTime", "When something last happened to it."),
    ("longRunningOperation", "resourceLocation", "URL of what it works on."),
    ("longRunningOperation", "statusDetail", "More about the status."),
    ("oAuth2ClientCredential", "scope", "Scope to ask for."),
    ("oAuth2ClientCredential", "tokenUrl", "Where tokens are issued."),
    ("oAuthClientCredential", "clientId", "Client id, or consumer key."),
    ("oAuthClientCredential", "clientSecret", "Secret. Never answered."),
    ("oneRosterApiDataConnector", "apiVersion", "Version of OneRoster, for example `1.1`."),
    ("oneRosterApiDataConnector", "isContactsEnabled", "Whether to ask for contacts."),
    ("oneRosterApiDataConnector", "isDemographicsEnabled", "Whether to ask for demographics."),
    ("oneRosterApiDataConnector", "isFlagsEnabled", "Whether to ask for flags."),
    ("outboundProvisioningFlowSet", "filter", "Which organizations count; null is all."),
    ("outboundProvisioningFlowSet", "provisioningFlows", "The flows of the set."),
    ("passwordProfile", "forceChangePasswordNextSignIn", "Whether the password must be changed at first sign-in."),
    ("passwordProfile", "forceChangePasswordNextSignInWithMfa", "The same, after multi-factor authentication."),
    ("passwordProfile", "password", "The password. Never answered."),
    ("provisioningFlow", "readinessStatus", "Whether it takes part in runs; a client may set `disabled` and `ready`."),
    ("publicError", "innerError", "The error behind it."),
    ("referenceDefinition", "code", "The code, unique within its type."),
    ("referenceDefinition", "isDisabled", "Whether the code stopped matching incoming data."),
    ("referenceDefinition", "referenceType", "The code list, for example `RefGradeLevel`."),
    ("referenceDefinition", "sortIndex", "Place in the list."),
    ("referenceDefinition", "source", "Who defined the code; `Tenant Defined` for a tenant's own."),
    ("referenceValue", "value", "The row of the code: bind it instead of sending the code."),
    ("roleGroup", "roles", "The roles."),
    ("securityGroupCreationOptions", "createBasedOnOrgPlusRoleGroup", "One security group for each organization and role group."),
    ("securityGroupCreationOptions", "createBasedOnRoleGroup", "One for each role group."),
    ("securityGroupProvisioningFlow", "creationOptions", "Which security groups are made."),
    ("simplePasswordSettings", "password", "The first password. Answered as asterisks."),
    ("sourceSystemDefinition", "userMatchingSettings", "How people are matched with accounts."),
    ("sourceSystemDefinition", "vendor", "Who makes the system."),
    ("user", "accountEnabled", "Whether the account can sign in."),
    ("user", "passwordProfile", "The first password."),
    ("user", "userPrincipalName", "Sign-in name, unique in the directory."),
    ("userConfiguration", "defaultPasswordSettings", "How first passwords are made."),
    ("userConfiguration", "licenseSkus", "Licenses to assign."),
    ("userConfiguration", "roleGroup", "Of which role group."),
    ("userCreationOptions", "configurations", "One for each role group."),
    ("userMatchingSetting", "domainName", "Domain appended to source values that have none. Not in the metadata."),
    ("userMatchingSetting", "matchTarget", "The property of the account."),
    ("userMatchingSetting", "priorityOrder", "Which setting comes first for a person of several role groups; 0 is first."),
    ("userMatchingSetting", "roleGroup", "Whose people."),
    ("userMatchingSetting", "sourceIdentifier", "The identifier in the source."),
    ("userProvisioningFlow", "createUnmatchedUsers", "Whether people without an account get one."),
    ("userProvisioningFlow", "creationOptions", "How those are made."),
    ("userProvisioningFlow", "managementOptions", "What is written to all."),
    ("validateOperation", "errors", "What is wrong."),
    ("validateOperation", "warnings", "What is worth a look."),
    ("yearTimePeriodDefinition", "endDate", "Last day."),
    ("yearTimePeriodDefinition", "startDate", "First day."),
    ("yearTimePeriodDefinition", "year", "The year's code, for example `2027`."),
];

#[cfg(test)]
mod tests {
    use industry_data::MODEL;

    #[test]
    fn every_type_has_words_and_no_words_are_left_over() {
        let names: Vec<&str> =
            MODEL.all_types().map(|ty| ty.name).chain(MODEL.enums.iter().flat_map(|list| list.iter()).map(|ty| ty.name)).collect();
        for name in &names {
            assert!(!super::ty(name).is_empty(), "{name}");
        }
        for (name, _) in super::TYPES {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn every_property_of_this_api_has_words() {
        for ty in MODEL.all_types().filter(|ty| !matches!(ty.name, "user" | "group")) {
            for name in ty.properties.iter().map(|p| p.name).chain(ty.navigations.iter().map(|n| n.name)) {
                assert!(!super::property(ty.name, name).is_empty(), "{}.{name}", ty.name);
            }
        }
        for (ty, name, _) in super::PROPERTIES {
            let found = MODEL.all_types().find(|found| found.name == *ty).unwrap_or_else(|| panic!("{ty}"));
            let known = found.properties.iter().map(|p| p.name).chain(found.navigations.iter().map(|n| n.name));
            assert!(known.into_iter().any(|known| known == *name), "{ty}.{name}");
        }
    }

    #[test]
    fn every_collection_has_words() {
        for collection in &crate::graph::collections::COLLECTIONS {
            assert!(!super::collection(collection.name).text.is_empty(), "{}", collection.name);
        }
    }
}
