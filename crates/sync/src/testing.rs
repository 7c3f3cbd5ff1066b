//! A directory for tests of single rooms.

use directory::{Applied, Directory, DirectoryError, LedgerGroup, LedgerMember, ObservedGroup, ObservedUser, OpRecord, Refusal};
use std::collections::BTreeSet;

/// A directory that only gives pages.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) users: Vec<ObservedUser>,
    /// By number of the group.
    pub(crate) members: Vec<BTreeSet<u8>>,
    pub(crate) held: Vec<LedgerMember>,
}

impl Directory for Pages {
    fn members(&self, group_id: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, DirectoryError> {
        let all = self.members[group_id.parse::<usize>().unwrap()].iter().map(u8::to_string);
        Ok(all.filter(|id| after.is_none_or(|after| id.as_str() > after)).take(limit).collect())
    }

    fn ledger_members(&self, after: Option<&LedgerMember>, limit: usize) -> Result<Vec<LedgerMember>, DirectoryError> {
        Ok(self.held.iter().filter(|held| after.is_none_or(|after| *held > after)).take(limit).cloned().collect())
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ObservedUser>, DirectoryError> {
        Ok(self.users.iter().filter(|user| after.is_none_or(|after| user.id.as_str() > after)).take(limit).cloned().collect())
    }

    fn groups_by_anchor(&self, _: &[String]) -> Result<Vec<ObservedGroup>, DirectoryError> {
        unreachable!("tests of single rooms ask for pages")
    }

    fn ledger_groups(&self) -> Result<Vec<LedgerGroup>, DirectoryError> {
        unreachable!("tests of single rooms ask for pages")
    }

    fn cursor(&self, _: &str) -> Result<u64, DirectoryError> {
        unreachable!("tests of single rooms ask for pages")
    }

    fn refusals(&self, _: &str) -> Result<Vec<Refusal>, DirectoryError> {
        unreachable!("tests of single rooms ask for pages")
    }

    fn apply(&self, _: &str, _: Vec<OpRecord>) -> Result<Applied, DirectoryError> {
        unreachable!("tests of single rooms ask for pages")
    }
}
