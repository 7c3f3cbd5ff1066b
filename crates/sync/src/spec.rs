//! What a run works on. The specification is frozen when the run starts, so that a run that is
//! taken up again after a crash sees the same configuration.

use crate::guard::Guard;
use roster::FileReport;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSpec {
    /// Id of the run.
    pub run_id: String,
    /// When it started, canonical UTC.
    pub now: String,
    /// This run's folder.
    pub work_dir: PathBuf,
    /// Sources.
    pub inbound: Vec<InboundSpec>,
    /// Snapshots of sources that take no part, because their flow has expired or waits: what they
    /// brought stays as it is.
    #[serde(default)]
    pub resting: Vec<PathBuf>,
    /// Role groups of the tenant.
    pub role_groups: Vec<RoleGroup>,
    /// Sort order of each role.
    pub role_order: BTreeMap<String, i32>,
    /// Security group flows.
    pub flows: Vec<SecurityFlow>,
    /// Names of groups.
    pub naming: Naming,
    /// When to stop and ask.
    pub guard: Guard,
}

/// One inbound flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InboundSpec {
    /// Flow.
    pub flow_id: String,
    /// Its name.
    pub display_name: String,
    /// Files of the last accepted upload or pull; none means that there was none yet.
    pub files: Vec<SourceFile>,
    /// The connector from which the run brings new files first.
    #[serde(default)]
    pub pull: Option<String>,
    /// Name of the format that the files are in, such as `oneroster-1.1`; without it they tell.
    #[serde(default)]
    pub format: Option<String>,
    /// What there was to remark about the files before they were read; it counts with the warnings.
    #[serde(default)]
    pub remarks: u64,
    /// What was found in the package of changes that the set was put together with; none for a set that was sent whole.
    #[serde(default)]
    pub changes: Option<ChangesReport>,
    /// Where the files came from, for people; older specifications do not say.
    #[serde(default)]
    pub origin: Option<String>,
    /// Why a newer upload than these files was refused.
    #[serde(default)]
    pub refused: Option<String>,
    /// Why the run could not bring newer files than these.
    #[serde(default)]
    pub not_pulled: Option<String>,
    /// Rules by role group.
    pub rules: Vec<MatchRule>,
    /// The last good run of the same flow, source and year.
    pub previous: Option<PreviousRun>,
}

/// What was found in a package of changes, of which the whole set shows nothing any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangesReport {
    /// Its findings log, one JSON object a line.
    pub log: PathBuf,
    /// What was counted.
    pub counts: ChangesCounts,
}

/// What was counted in a package of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesCounts {
    /// What became of each file of changes; those that the package has whole are files of the set.
    pub files: Vec<FileReport>,
    /// Findings that are errors; a row in error may have several.
    pub errors: u64,
    /// Findings that are warnings.
    pub warnings: u64,
}

/// A file of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceFile {
    /// Name.
    pub name: String,
    /// Place.
    pub path: PathBuf,
}

/// What the last good run left for a flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PreviousRun {
    /// Its folder.
    pub work_dir: PathBuf,
    /// Files that it had; one that is missing now stops the run (decision 22).
    pub files: Vec<String>,
    /// People that it had.
    pub people: u64,
}

/// A value of a person that identifies an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceIdentifier {
    /// `username`
    Username,
    /// `email`
    Email,
    /// `activeDirectoryMatchId`
    ActiveDirectoryMatchId,
    /// `sourcedId`
    SourcedId,
    /// `userNumber`
    UserNumber,
}

/// A value of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchTarget {
    /// `userPrincipalName`
    UserPrincipalName,
    /// `mail`
    Mail,
}

/// How people of a role group find their accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MatchRule {
    /// Role group.
    pub role_group: String,
    /// What of the person.
    pub source: SourceIdentifier,
    /// Equals what of the account.
    pub target: MatchTarget,
    /// Lowest first.
    pub priority: i32,
    /// Appended to a value without `@`.
    pub domain: Option<String>,
}

/// A role group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleGroup {
    /// Id, part of anchors.
    pub id: String,
    /// Name, part of group names.
    pub display_name: String,
    /// Roles.
    pub roles: BTreeSet<String>,
}

/// A securityGroupProvisioningFlow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecurityFlow {
    /// Flow.
    pub flow_id: String,
    /// `createBasedOnRoleGroup`
    pub by_role_group: bool,
    /// `createBasedOnOrgPlusRoleGroup`
    pub by_org_and_role_group: bool,
    /// Organizations of the set's filter; none means all.
    pub orgs: Option<BTreeSet<String>>,
}

/// Templates with `{roleGroup}` and `{org}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Naming {
    /// Group of a role group.
    pub role_group: String,
    /// Group of a role group in an organization.
    pub org_role_group: String,
}
