//! Matching people to accounts.
//!
//! People and their roles are both sorted by person, so one merge join sees each person with all
//! roles. Which rule applies to somebody who is staff and student follows the product page:
//! primary roles decide, else staff.

use crate::spec::{InboundSpec, MatchRule, MatchTarget, RoleGroup, SourceIdentifier};
use crate::success::Success;
use directory::{Directory, DirectoryError};
use roster::segment::{KEY_SEPARATOR, Record, SegmentReader, SegmentWriter, push_field};
use roster::{Entity, Finding};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// Users asked for at a time; few in tests, so that they turn pages.
const USERS_PER_PAGE: usize = if cfg!(test) { 2 } else { 10_000 };

/// The accounts of a directory, by what they can be matched with.
pub(crate) struct Accounts {
    ids: Vec<Box<str>>,
    by_upn: HashMap<u128, Claim>,
    by_mail: HashMap<u128, Claim>,
}

/// What a value leads to. A directory keeps names unique, but not mail addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// No account has it.
    Nobody,
    /// By its number.
    Account(u32),
    /// Taking any one of them would give somebody's groups to somebody else.
    Several,
}

impl Accounts {
    /// Reads all accounts.
    pub(crate) fn read(directory: &dyn Directory) -> Result<Self, DirectoryError> {
        let mut accounts = Self { ids: Vec::new(), by_upn: HashMap::new(), by_mail: HashMap::new() };
        let mut after: Option<String> = None;
        loop {
            let page = directory.users(after.as_deref(), USERS_PER_PAGE)?;
            let full = page.len() == USERS_PER_PAGE;
            after = page.last().map(|user| user.id.clone());
            for user in page {
                let index = accounts.ids.len() as u32;
                accounts.by_upn.insert(xxh3_128(user.upn.as_bytes()), Claim::Account(index));
                if let Some(mail) = user.mail {
                    let several = |claim: &mut Claim| *claim = Claim::Several;
                    accounts.by_mail.entry(xxh3_128(mail.as_bytes())).and_modify(several).or_insert(Claim::Account(index));
                }
                accounts.ids.push(user.id.into_boxed_str());
            }
            if !full {
                return Ok(accounts);
            }
        }
    }

    fn find(&self, target: MatchTarget, value: &str) -> Claim {
        let hash = xxh3_128(value.to_lowercase().as_bytes());
        let found = match target {
            MatchTarget::UserPrincipalName => self.by_upn.get(&hash),
            MatchTarget::Mail => self.by_mail.get(&hash),
        };
        found.copied().unwrap_or(Claim::Nobody)
    }
}

/// A role of a person.
struct RoleOf {
    role: String,
    primary: Option<bool>,
}

/// What a person's roles say.
struct Standing<'s> {
    /// The role that counts: the lowest in sort order.
    role: String,
    rule: Option<&'s MatchRule>,
}

/// Counts by role.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct MatchCounts {
    pub(crate) matched: BTreeMap<String, u64>,
    pub(crate) unmatched: BTreeMap<String, u64>,
    /// People who share an account with somebody, or find several: each has a finding.
    pub(crate) contested: u64,
    /// Findings that are about a rule, and not about one person; runs that an older version began do not say.
    #[serde(default)]
    pub(crate) about_rules: u64,
}

/// Configuration that matching needs.
pub(crate) struct Context<'c> {
    pub(crate) role_groups: &'c [RoleGroup],
    pub(crate) role_order: &'c BTreeMap<String, i32>,
}

/// Fields of a link record.
pub(crate) mod link {
    /// Id of the account; empty when the person is not linked.
    pub(crate) const USER_ID: usize = 0;
}

/// Name of the links segment.
pub(crate) const LINKS: &str = "links.seg";

/// Matches the people of one source; writes the links segment and the findings, those about whole rules last.
pub(crate) fn run(
    inbound: &InboundSpec,
    context: &Context<'_>,
    accounts: &Accounts,
    snapshot: &Path,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> io::Result<MatchCounts> {
    // First pass: who claims which account. Second pass: links, without contested accounts.
    let mut claims: HashMap<u32, u32> = HashMap::new();
    people(inbound, context, snapshot, |person, standing| {
        if let Claim::Account(index) = claim(person, standing, accounts) {
            *claims.entry(index).or_default() += 1;
        }
        Ok(())
    })?;
    let mut out = MatchCounts::default();
    let mut writer = SegmentWriter::create(&snapshot.join(LINKS))?;
    let mut success = Success::of(&inbound.rules);
    people(inbound, context, snapshot, |person, standing| {
        let Some(standing) = standing else { return Ok(()) };
        let claimed = claim(person, Some(standing), accounts);
        success.count(person, standing.rule, claimed);
        let user = match claimed {
            Claim::Account(index) if claims.get(&index).copied() > Some(1) => {
                out.contested += 1;
                findings(&duplicate(person))?;
                ""
            }
            Claim::Account(index) => &accounts.ids[index as usize],
            Claim::Several => {
                out.contested += 1;
                findings(&ambiguous(person))?;
                ""
            }
            Claim::Nobody => {
                findings(&not_matched(person))?;
                ""
            }
        };
        let counts = if user.is_empty() { &mut out.unmatched } else { &mut out.matched };
        *counts.entry(standing.role.clone()).or_default() += 1;
        let mut payload = Vec::new();
        push_field(&mut payload, user.as_bytes());
        writer.push(person.key, &payload)
    })?;
    writer.finish()?;
    let about_rules = success.findings(accounts.ids.is_empty());
    out.about_rules = about_rules.len() as u64;
    about_rules.iter().try_for_each(findings)?;
    Ok(out)
}

fn duplicate(person: Record<'_>) -> Finding {
    about(person, "DuplicateMatch", "Another person of this source matches the same account, so neither is linked.")
        .hint("Give each of them their own username or e-mail in the student information system.")
}

fn not_matched(person: Record<'_>) -> Finding {
    about(person, "PersonNotMatched", "No account of the directory matches this person.")
        .hint("Make an account, or see whether the matching rule takes the right column and domain.")
}

fn ambiguous(person: Record<'_>) -> Finding {
    about(person, "AmbiguousMatch", "Several accounts of the directory have this person's mail address, so none is linked.")
        .hint("Leave the address to one of the accounts, or match by userPrincipalName.")
}

fn about(person: Record<'_>, code: &'static str, message: &str) -> Finding {
    Finding { key: Some(person.key_text().to_owned()), ..Finding::of_file(code, Entity::User.file(), message) }
}

/// The account that a person's rule leads to.
fn claim(person: Record<'_>, standing: Option<&Standing<'_>>, accounts: &Accounts) -> Claim {
    let Some(rule) = standing.and_then(|standing| standing.rule) else { return Claim::Nobody };
    let value = match rule.source {
        SourceIdentifier::SourcedId => person.key_text(),
        SourceIdentifier::Username => person.field(1),
        SourceIdentifier::ActiveDirectoryMatchId => person.field(5),
        SourceIdentifier::Email => person.field(6),
        SourceIdentifier::UserNumber => person.field(9),
    };
    if value.is_empty() {
        return Claim::Nobody;
    }
    match rule.domain.as_deref().filter(|_| !value.contains('@')) {
        Some(domain) => accounts.find(rule.target, &format!("{value}@{}", domain.trim_start_matches('@'))),
        None => accounts.find(rule.target, value),
    }
}

/// Walks people and their roles side by side. People without any role of a role group (contacts)
/// have no standing.
fn people<'s>(
    inbound: &'s InboundSpec,
    context: &Context<'_>,
    snapshot: &Path,
    mut give: impl FnMut(Record<'_>, Option<&Standing<'s>>) -> io::Result<()>,
) -> io::Result<()> {
    let mut users = SegmentReader::open(&snapshot.join(Entity::User.segment()))?;
    let mut roles = RolesByPerson::open(snapshot)?;
    let mut held = Vec::new();
    while users.advance()? {
        roles.of(users.current().key, &mut held)?;
        let standing = standing(&held, inbound, context);
        give(users.current(), standing.as_ref())?;
    }
    Ok(())
}

fn standing<'s>(held: &[RoleOf], inbound: &'s InboundSpec, context: &Context<'_>) -> Option<Standing<'s>> {
    let order = |role: &str| context.role_order.get(role).copied().unwrap_or(i32::MAX);
    let in_groups: Vec<&RoleOf> = held.iter().filter(|h| context.role_groups.iter().any(|g| g.roles.contains(&h.role))).collect();
    let first = in_groups.iter().min_by_key(|h| (order(&h.role), &h.role))?;
    let rule = rule(&in_groups, inbound, context);
    Some(Standing { role: first.role.clone(), rule })
}

/// The rule for a person: of the groups that the roles are in, the one that the table of primary
/// roles picks; among a tenant's own groups the rule of the lowest priority.
fn rule<'s>(held: &[&RoleOf], inbound: &'s InboundSpec, context: &Context<'_>) -> Option<&'s MatchRule> {
    let group = |id: &str| context.role_groups.iter().find(|g| g.id == id);
    let of = |id: &str| held.iter().filter(|h| group(id).is_some_and(|g| g.roles.contains(&h.role))).copied().collect::<Vec<_>>();
    let (staff, students) = (of("staff"), of("students"));
    let lowest = |ids: &dyn Fn(&str) -> bool| inbound.rules.iter().filter(|r| ids(&r.role_group)).min_by_key(|r| r.priority);
    if !staff.is_empty() && !students.is_empty() {
        let all_students_primary = students.iter().all(|h| h.primary == Some(true));
        let any_staff_primary = staff.iter().any(|h| h.primary == Some(true));
        let chosen = if all_students_primary && !any_staff_primary { "students" } else { "staff" };
        return lowest(&|id| id == chosen);
    }
    lowest(&|id| group(id).is_some_and(|g| held.iter().any(|h| g.roles.contains(&h.role))))
}

/// Roles, read along with the people they belong to.
pub(crate) struct RolesByPerson {
    reader: Option<SegmentReader>,
}

impl RolesByPerson {
    fn open(snapshot: &Path) -> io::Result<Self> {
        let mut reader = SegmentReader::open(&snapshot.join(Entity::Role.segment()))?;
        let reader = if reader.advance()? { Some(reader) } else { None };
        Ok(Self { reader })
    }

    fn of(&mut self, person: &[u8], held: &mut Vec<RoleOf>) -> io::Result<()> {
        held.clear();
        while let Some(reader) = &mut self.reader {
            let record = reader.current();
            let whose = person_of(record.key);
            match whose.cmp(person) {
                std::cmp::Ordering::Greater => return Ok(()),
                std::cmp::Ordering::Equal => {
                    let primary = match record.field(5) {
                        "true" => Some(true),
                        "false" => Some(false),
                        _ => None,
                    };
                    held.push(RoleOf { role: record.field(2).to_owned(), primary });
                }
                std::cmp::Ordering::Less => {}
            }
            if !reader.advance()? {
                self.reader = None;
            }
        }
        Ok(())
    }
}

/// The person part of a role's key.
pub(crate) fn person_of(key: &[u8]) -> &[u8] {
    key.split(|b| *b == KEY_SEPARATOR).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Pages;
    use directory::ObservedUser;
    use std::collections::BTreeSet;

    fn inbound() -> InboundSpec {
        let rule = |group: &str, priority| MatchRule {
            role_group: group.to_owned(),
            source: SourceIdentifier::Username,
            target: MatchTarget::UserPrincipalName,
            priority,
            domain: None,
        };
        InboundSpec {
            origin: None,
            refused: None,
            not_pulled: None,
            pull: None,
            format: None,
            remarks: 0,
            changes: None,
            flow_id: "f".to_owned(),
            display_name: "F".to_owned(),
            files: Vec::new(),
            rules: vec![rule("students", 0), rule("staff", 1)],
            previous: None,
        }
    }

    fn chosen(held: &[(&str, Option<bool>)]) -> Option<String> {
        let group = |id: &str, roles: &[&str]| RoleGroup {
            id: id.to_owned(),
            display_name: id.to_owned(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect::<BTreeSet<_>>(),
        };
        let groups = [group("staff", &["teacher", "coach"]), group("students", &["student"])];
        let context = Context { role_groups: &groups, role_order: &BTreeMap::new() };
        let held: Vec<RoleOf> = held.iter().map(|(role, primary)| RoleOf { role: (*role).to_owned(), primary: *primary }).collect();
        standing(&held, &inbound(), &context).and_then(|s| s.rule.map(|r| r.role_group.clone()))
    }

    #[test]
    fn all_accounts_are_read_page_by_page_and_an_address_of_two_pages_is_still_one_address() {
        for length in 0..6_usize {
            let mail = |n: usize| if n == 0 || n == 3 { "shared@x".to_owned() } else { format!("m{n}@x") };
            let user = |n: usize| ObservedUser { id: n.to_string(), upn: format!("u{n}@x"), mail: Some(mail(n)), enabled: true };
            let accounts = Accounts::read(&Pages { users: (0..length).map(user).collect(), ..Pages::default() }).unwrap();
            for n in 0..length {
                assert_eq!(accounts.find(MatchTarget::UserPrincipalName, &format!("U{n}@X")), Claim::Account(n as u32));
            }
            let shared = [Claim::Nobody, Claim::Account(0), Claim::Several][usize::from(length > 0) + usize::from(length > 3)];
            assert_eq!(accounts.find(MatchTarget::Mail, "Shared@x"), shared);
        }
    }

    #[test]
    fn primary_roles_decide_between_staff_and_student() {
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(chosen(&[("student", yes), ("teacher", no)]).as_deref(), Some("students"));
        assert_eq!(chosen(&[("student", yes), ("student", no), ("teacher", no)]).as_deref(), Some("staff"));
        assert_eq!(chosen(&[("student", no), ("teacher", yes)]).as_deref(), Some("staff"));
        assert_eq!(chosen(&[("student", yes), ("teacher", yes)]).as_deref(), Some("staff"));
        assert_eq!(chosen(&[("student", None), ("teacher", None)]).as_deref(), Some("staff"));
        assert_eq!(chosen(&[("student", None)]).as_deref(), Some("students"));
        assert_eq!(chosen(&[("parent", None)]), None);
    }
}
