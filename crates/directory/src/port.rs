//! The port: observed objects in, operations out.
//!
//! A driver must make every operation idempotent: a batch may come again after a crash, and then
//! what is done already has to stay done once.

use crate::DirectoryError;
use serde::{Deserialize, Serialize};

/// An account, as far as matching needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedUser {
    /// Id in the directory.
    pub id: String,
    /// `userPrincipalName` in lower case.
    pub upn: String,
    /// `mail` in lower case.
    pub mail: Option<String>,
    /// Whether the account may sign in.
    pub enabled: bool,
}

/// A group that Homeroom keeps, found by its anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedGroup {
    /// Id in the directory.
    pub id: String,
    /// Anchor.
    pub anchor: String,
    /// Name as it is now.
    pub display_name: String,
}

/// A group that a flow has written before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerGroup {
    /// Flow; empty when the flow that has written it was reset or deleted since.
    pub flow_id: String,
    /// Anchor.
    pub anchor: String,
    /// Id of the group in the directory.
    pub group_id: String,
    /// Name that Homeroom wrote last.
    pub display_name: String,
}

/// A membership that a flow holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerMember {
    /// Flow.
    pub flow_id: String,
    /// Anchor of the group.
    pub anchor: String,
    /// User.
    pub user_id: String,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Operation {
    /// Make a security group, or adopt the one that has the anchor.
    CreateGroup {
        /// Anchor.
        anchor: String,
        /// Name.
        display_name: String,
        /// `mailNickname`.
        mail_nickname: String,
        /// Description.
        description: String,
    },
    /// Give a group a new name, unless somebody else has renamed it meanwhile.
    RenameGroup {
        /// Anchor.
        anchor: String,
        /// Name that Homeroom wrote last.
        from: String,
        /// New name.
        to: String,
    },
    /// Add a user to a group, and hold the membership for the flow.
    AddMember {
        /// Anchor.
        anchor: String,
        /// User.
        user_id: String,
    },
    /// Let go of a membership: it is removed when Homeroom added it and no other flow holds it.
    RemoveMember {
        /// Anchor.
        anchor: String,
        /// User.
        user_id: String,
    },
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpRecord {
    /// Position in the plan, from 0.
    pub seq: u64,
    /// Flow that wants it.
    pub flow_id: String,
    /// Why.
    pub why: String,
    /// What.
    #[serde(flatten)]
    pub operation: Operation,
}

/// An effect that the directory refused; it is tried again on the next run (decision 31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Position in the plan.
    pub seq: u64,
    /// Machine-readable code.
    pub code: String,
    /// In plain words.
    pub message: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Effects that changed the directory.
    pub written: u64,
    /// Effects that were refused.
    pub refused: Vec<Refusal>,
}

/// A directory that groups are kept in. Methods block; they are called from worker threads.
pub trait Directory: Send + Sync {
    /// Up to `limit` users after an id, in order of id.
    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ObservedUser>, DirectoryError>;

    /// The groups that have one of the anchors.
    fn groups_by_anchor(&self, anchors: &[String]) -> Result<Vec<ObservedGroup>, DirectoryError>;

    /// Up to `limit` members of a group after a user id, in order of id.
    fn members(&self, group_id: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, DirectoryError>;

    /// All groups that flows have written.
    fn ledger_groups(&self) -> Result<Vec<LedgerGroup>, DirectoryError>;

    /// Up to `limit` memberships that flows hold, after one, in order.
    fn ledger_members(&self, after: Option<&LedgerMember>, limit: usize) -> Result<Vec<LedgerMember>, DirectoryError>;

    /// Position in a run's plan up to which effects are applied.
    fn cursor(&self, run_id: &str) -> Result<u64, DirectoryError>;

    /// The effects of a run's plan that were refused, in order.
    fn refusals(&self, run_id: &str) -> Result<Vec<Refusal>, DirectoryError>;

    /// Applies effects in order, with the ledger, the audit log and the run's cursor.
    ///
    /// Effects below the cursor have been applied and are left out.
    fn apply(&self, run_id: &str, batch: Vec<OpRecord>) -> Result<Applied, DirectoryError>;
}
