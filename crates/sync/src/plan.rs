//! The plan: desired state against ledger and directory, as a list of effects.
//!
//! Desired memberships are pairs of numbers into sorted tables (group of a flow, account), eight
//! bytes each, so that ten million of them fit into 80 MB. The ledger streams past them.

use crate::guard::Counts;
use crate::matching::{LINKS, link, person_of};
use crate::spec::{RunSpec, SecurityFlow};
use directory::{Directory, DirectoryError, LedgerGroup, LedgerMember, ObservedGroup, OpRecord, Operation};
use roster::Entity;
use roster::segment::SegmentReader;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Rows asked of the directory at a time; few in tests, so that they turn pages.
const PAGE: usize = if cfg!(test) { 2 } else { 10_000 };
/// Longest `mailNickname` that Microsoft Entra takes.
const MAIL_NICKNAME_MAX: usize = 64;

/// What a plan would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// All effects.
    pub operations: u64,
    /// Groups made or adopted.
    pub create_groups: u64,
    /// Groups renamed.
    pub rename_groups: u64,
    /// Memberships added or taken into account.
    pub add_members: u64,
    /// Memberships let go.
    pub remove_members: u64,
    /// BLAKE3 of the plan file: what was previewed is what is applied.
    pub hash: String,
    /// Held before.
    #[serde(skip)]
    pub(crate) before: Counts,
    /// What is left of it afterwards.
    #[serde(skip)]
    pub(crate) after: Counts,
}

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("cannot read or write the run's files")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// A group that a flow wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Slot {
    flow_id: String,
    anchor: String,
}

struct Desired {
    slots: Vec<Slot>,
    names: BTreeMap<String, String>,
    users: Vec<Box<str>>,
    /// (slot, user), sorted.
    pairs: Vec<(u32, u32)>,
}

/// Anchor of the group of a role group.
fn role_anchor(role_group: &str) -> String {
    format!("SecurityGroup_{role_group}")
}

/// Anchor of the group of a role group in an organization.
fn org_anchor(role_group: &str, org: &str) -> String {
    format!("SecurityGroup_{role_group}_{org}")
}

/// A `mailNickname` from an anchor: legal characters, at most 64, with a hash when anything was lost.
pub fn mail_nickname(anchor: &str) -> String {
    let legal: String = anchor.chars().map(|c| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' }).collect();
    if legal == anchor && legal.len() <= MAIL_NICKNAME_MAX {
        return legal;
    }
    let suffix = &blake3::hash(anchor.as_bytes()).to_hex()[..8];
    let kept: String = legal.chars().take(MAIL_NICKNAME_MAX - suffix.len() - 1).collect();
    format!("{kept}_{suffix}")
}

/// Makes the plan file; gives its summary. `snapshots` are the folders of the sources of this run.
pub(crate) fn make(spec: &RunSpec, snapshots: &[PathBuf], directory: &dyn Directory, path: &Path) -> Result<PlanSummary, PlanError> {
    let desired = desired(spec, snapshots)?;
    let anchors: Vec<String> = desired.slots.iter().map(|s| s.anchor.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let observed: BTreeMap<String, ObservedGroup> =
        directory.groups_by_anchor(&anchors)?.into_iter().map(|g| (g.anchor.clone(), g)).collect();
    let ledger: BTreeMap<Slot, LedgerGroup> =
        directory.ledger_groups()?.into_iter().map(|g| (Slot { flow_id: g.flow_id.clone(), anchor: g.anchor.clone() }, g)).collect();
    let mut out = PlanWriter::create(path)?;
    groups(&desired, &observed, &ledger, &mut out)?;
    members(spec, &desired, &observed, directory, &mut out)?;
    Ok(out.finish()?)
}

/// What every flow wants, from who is where.
fn desired(spec: &RunSpec, snapshots: &[PathBuf]) -> Result<Desired, PlanError> {
    let users = linked_users(snapshots)?;
    let mut slots: HashMap<Slot, u32> = HashMap::new();
    let mut names = BTreeMap::new();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for snapshot in snapshots {
        let orgs = org_names(snapshot)?;
        let mut roles = SegmentReader::open(&snapshot.join(Entity::Role.segment()))?;
        let mut links = Links::open(snapshot)?;
        while roles.advance()? {
            let record = roles.current();
            let Some(user) = links.user_of(person_of(record.key))? else { continue };
            let Ok(user) = users.binary_search_by(|known| known.as_ref().cmp(user)) else { continue };
            let (org, role) = (record.field(1), record.field(2));
            for group in spec.role_groups.iter().filter(|g| g.roles.contains(role)) {
                for flow in spec.flows.iter().filter(|f| f.orgs.as_ref().is_none_or(|orgs| orgs.contains(org))) {
                    let mut want = |anchor: String, name: &dyn Fn() -> String| {
                        let slot = Slot { flow_id: flow.flow_id.clone(), anchor };
                        let next = slots.len() as u32;
                        let index = *slots.entry(slot).or_insert_with_key(|slot| {
                            names.entry(slot.anchor.clone()).or_insert_with(name);
                            next
                        });
                        pairs.push((index, user as u32));
                    };
                    if flow.by_role_group {
                        want(role_anchor(&group.id), &|| spec.naming.role_group.replace("{roleGroup}", &group.display_name));
                    }
                    if flow.by_org_and_role_group {
                        let org_name = orgs.get(org).map_or(org, String::as_str);
                        want(org_anchor(&group.id, org), &|| {
                            spec.naming.org_role_group.replace("{roleGroup}", &group.display_name).replace("{org}", org_name)
                        });
                    }
                }
            }
        }
    }
    Ok(sorted(slots, names, users, pairs))
}

/// Numbers slots in their order, so that pairs sort as the ledger does.
fn sorted(slots: HashMap<Slot, u32>, names: BTreeMap<String, String>, users: Vec<Box<str>>, mut pairs: Vec<(u32, u32)>) -> Desired {
    let mut ordered: Vec<(Slot, u32)> = slots.into_iter().collect();
    ordered.sort();
    let mut position = vec![0_u32; ordered.len()];
    for (new, (_, old)) in ordered.iter().enumerate() {
        position[*old as usize] = new as u32;
    }
    for pair in &mut pairs {
        pair.0 = position[pair.0 as usize];
    }
    pairs.sort_unstable();
    pairs.dedup();
    Desired { slots: ordered.into_iter().map(|(slot, _)| slot).collect(), names, users, pairs }
}

fn linked_users(snapshots: &[PathBuf]) -> io::Result<Vec<Box<str>>> {
    let mut users: Vec<Box<str>> = Vec::new();
    for snapshot in snapshots {
        let mut links = SegmentReader::open(&snapshot.join(LINKS))?;
        while let Some(record) = links.next()? {
            let user = record.field(link::USER_ID);
            if !user.is_empty() {
                users.push(user.into());
            }
        }
    }
    users.sort_unstable();
    users.dedup();
    Ok(users)
}

fn org_names(snapshot: &Path) -> io::Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    let mut orgs = SegmentReader::open(&snapshot.join(Entity::Org.segment()))?;
    while let Some(record) = orgs.next()? {
        names.insert(record.key_text().to_owned(), record.field(1).to_owned());
    }
    Ok(names)
}

/// Links, read along with roles.
struct Links {
    reader: Option<SegmentReader>,
}

impl Links {
    fn open(snapshot: &Path) -> io::Result<Self> {
        let mut reader = SegmentReader::open(&snapshot.join(LINKS))?;
        let reader = if reader.advance()? { Some(reader) } else { None };
        Ok(Self { reader })
    }

    fn user_of(&mut self, person: &[u8]) -> io::Result<Option<&str>> {
        while let Some(reader) = &mut self.reader {
            if reader.current().key >= person {
                break;
            }
            if !reader.advance()? {
                self.reader = None;
            }
        }
        Ok(match &self.reader {
            Some(reader) if reader.current().key == person => Some(reader.current().field(link::USER_ID)).filter(|user| !user.is_empty()),
            _ => None,
        })
    }
}

/// Groups to make, to adopt, to rename.
fn groups(
    desired: &Desired,
    observed: &BTreeMap<String, ObservedGroup>,
    ledger: &BTreeMap<Slot, LedgerGroup>,
    out: &mut PlanWriter,
) -> Result<(), PlanError> {
    // What a group was called by any flow is Homeroom's name for it, also for a flow that joins later.
    let mut given: BTreeSet<(&str, &str)> = BTreeSet::new();
    given.extend(ledger.values().map(|known| (known.anchor.as_str(), known.display_name.as_str())));
    let mut renames: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for slot in &desired.slots {
        let name = &desired.names[&slot.anchor];
        let (found, known) = (observed.get(&slot.anchor), ledger.get(slot));
        if found.is_none() || known.is_none() {
            let why = match (found, known) {
                (Some(_), _) => "the flow takes over the group with this anchor",
                (None, Some(_)) => "the group was deleted in the directory",
                (None, None) => "the group has its first member",
            };
            let operation = Operation::CreateGroup {
                anchor: slot.anchor.clone(),
                display_name: name.clone(),
                mail_nickname: mail_nickname(&slot.anchor),
                description: format!("Kept by Homeroom: {name}"),
            };
            out.summary.create_groups += 1;
            out.push(&slot.flow_id, why, operation)?;
        }
        // A name that somebody else has given stays.
        if let Some(group) = found.filter(|group| group.display_name != *name && given.contains(&(&group.anchor, &group.display_name))) {
            renames.entry(&slot.anchor).or_insert((&slot.flow_id, &group.display_name));
        }
    }
    for (anchor, (flow, from)) in renames {
        let operation = Operation::RenameGroup { anchor: anchor.to_owned(), from: from.to_owned(), to: desired.names[anchor].clone() };
        out.summary.rename_groups += 1;
        out.push(flow, "the name in the source has changed", operation)?;
    }
    Ok(())
}

/// Whether a flow still answers for an anchor: an option that is off leaves its groups alone.
fn governs(spec: &RunSpec, flow: &SecurityFlow, anchor: &str) -> bool {
    if is_by_role_group(spec, anchor) { flow.by_role_group } else { flow.by_org_and_role_group }
}

fn is_by_role_group(spec: &RunSpec, anchor: &str) -> bool {
    spec.role_groups.iter().any(|g| anchor == role_anchor(&g.id))
}

/// Memberships: additions as they are found, removals after all of them.
fn members(
    spec: &RunSpec,
    desired: &Desired,
    observed: &BTreeMap<String, ObservedGroup>,
    directory: &dyn Directory,
    out: &mut PlanWriter,
) -> Result<(), PlanError> {
    let flows: HashMap<&str, &SecurityFlow> = spec.flows.iter().map(|f| (f.flow_id.as_str(), f)).collect();
    let mut ledger = LedgerStream::open(directory)?;
    let mut removals: Vec<LedgerMember> = Vec::new();
    let mut present = Present::default();
    let mut before = Held::default();
    let mut pairs = desired.pairs.iter().peekable();
    loop {
        let want = pairs.peek().map(|(slot, user)| (&desired.slots[*slot as usize], desired.users[*user as usize].as_ref()));
        let have = ledger.peek().cloned();
        let ordering = match (&want, &have) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((slot, user)), Some(held)) => {
                (slot.flow_id.as_str(), slot.anchor.as_str(), *user).cmp(&(&held.flow_id, &held.anchor, &held.user_id))
            }
        };
        if let Some((slot, user)) = want.filter(|_| ordering != std::cmp::Ordering::Greater) {
            // Held by the ledger, but taken out of the group by hand, or the group is gone: add again.
            let missing = ordering == std::cmp::Ordering::Equal && !present.has(observed.get(&slot.anchor), user, directory)?;
            if ordering == std::cmp::Ordering::Less || missing {
                let why = if missing { "the membership was lost in the directory" } else { "the person has the role" };
                out.summary.add_members += 1;
                out.push(&slot.flow_id, why, Operation::AddMember { anchor: slot.anchor.clone(), user_id: user.to_owned() })?;
            }
            pairs.next();
        }
        if let Some(held) = have.filter(|_| ordering != std::cmp::Ordering::Less) {
            let governed = flows.get(held.flow_id.as_str()).is_some_and(|flow| governs(spec, flow, &held.anchor));
            if governed {
                before.count(&held);
                if ordering == std::cmp::Ordering::Greater {
                    removals.push(held);
                }
            }
            ledger.next()?;
        }
    }
    let (held, mut after) = before.against(spec, desired);
    // Who comes in does not make up for who goes: another school's export would have as many people.
    after.memberships = held.memberships - removals.len() as u64;
    (out.summary.before, out.summary.after) = (held, after);
    for held in removals {
        out.summary.remove_members += 1;
        out.push(
            &held.flow_id,
            "the person no longer has the role",
            Operation::RemoveMember { anchor: held.anchor, user_id: held.user_id },
        )?;
    }
    Ok(())
}

/// What flows hold, for the guard: groups with their numbers of memberships, in order.
#[derive(Default)]
struct Held(Vec<(Slot, u64)>);

impl Held {
    fn count(&mut self, held: &LedgerMember) {
        match self.0.last_mut() {
            Some((slot, memberships)) if slot.anchor == held.anchor && slot.flow_id == held.flow_id => *memberships += 1,
            _ => self.0.push((Slot { flow_id: held.flow_id.clone(), anchor: held.anchor.clone() }, 1)),
        }
    }

    /// Counts before and after. A flow or an option that held nothing before does not count: what it
    /// brings must not hide what the others would lose.
    fn against(self, spec: &RunSpec, desired: &Desired) -> (Counts, Counts) {
        let option = |slot: &Slot| (slot.flow_id.clone(), is_by_role_group(spec, &slot.anchor));
        let known: BTreeSet<(String, bool)> = self.0.iter().map(|(slot, _)| option(slot)).collect();
        let mut memberships = vec![0; desired.slots.len()];
        for (slot, _) in &desired.pairs {
            memberships[*slot as usize] += 1;
        }
        let after = desired.slots.iter().zip(memberships).filter(|(slot, _)| known.contains(&option(slot)));
        (total(self.0.iter().map(|(slot, n)| (slot, *n))), total(after))
    }
}

fn total<'s>(groups: impl Iterator<Item = (&'s Slot, u64)>) -> Counts {
    let (mut memberships, mut anchors) = (0, BTreeSet::new());
    for (slot, n) in groups {
        memberships += n;
        anchors.insert(&slot.anchor);
    }
    Counts { people: 0, memberships, groups: anchors.len() as u64 }
}

/// The ledger, page by page.
struct LedgerStream<'d> {
    directory: &'d dyn Directory,
    page: std::vec::IntoIter<LedgerMember>,
    front: Option<LedgerMember>,
    last: Option<LedgerMember>,
    more: bool,
}

impl<'d> LedgerStream<'d> {
    fn open(directory: &'d dyn Directory) -> Result<Self, DirectoryError> {
        let mut stream = Self { directory, page: Vec::new().into_iter(), front: None, last: None, more: true };
        stream.next()?;
        Ok(stream)
    }

    fn peek(&self) -> Option<&LedgerMember> {
        self.front.as_ref()
    }

    fn next(&mut self) -> Result<(), DirectoryError> {
        self.front = self.page.next();
        if self.front.is_none() && self.more {
            let page = self.directory.ledger_members(self.last.as_ref(), PAGE)?;
            self.more = page.len() == PAGE;
            self.last = page.last().cloned();
            self.page = page.into_iter();
            self.front = self.page.next();
        }
        Ok(())
    }
}

/// Members of one group at a time, best asked for in order of user.
#[derive(Default)]
struct Present {
    group: Option<String>,
    /// Asked for last: somebody before may stand on a page that has been passed.
    asked: String,
    page: Vec<String>,
    more: bool,
}

impl Present {
    fn has(&mut self, group: Option<&ObservedGroup>, user: &str, directory: &dyn Directory) -> Result<bool, DirectoryError> {
        let Some(group) = group else { return Ok(false) };
        if self.group.as_ref() != Some(&group.id) || user < self.asked.as_str() {
            self.group = Some(group.id.clone());
            self.read(&group.id, None, directory)?;
        }
        user.clone_into(&mut self.asked);
        while self.more && self.page.last().is_some_and(|last| last.as_str() < user) {
            let last = self.page.last().cloned();
            self.read(&group.id, last.as_deref(), directory)?;
        }
        Ok(self.page.binary_search_by(|known| known.as_str().cmp(user)).is_ok())
    }

    fn read(&mut self, group: &str, after: Option<&str>, directory: &dyn Directory) -> Result<(), DirectoryError> {
        self.page = directory.members(group, after, PAGE)?;
        self.more = self.page.len() == PAGE;
        Ok(())
    }
}

/// Writes the plan file, one effect a line.
struct PlanWriter {
    out: io::BufWriter<std::fs::File>,
    hasher: blake3::Hasher,
    temporary: PathBuf,
    path: PathBuf,
    summary: PlanSummary,
}

impl PlanWriter {
    fn create(path: &Path) -> io::Result<Self> {
        let temporary = path.with_extension("part");
        let out = io::BufWriter::new(std::fs::File::create(&temporary)?);
        Ok(Self { out, hasher: blake3::Hasher::new(), temporary, path: path.to_owned(), summary: PlanSummary::default() })
    }

    fn push(&mut self, flow_id: &str, why: &str, operation: Operation) -> io::Result<()> {
        let record = OpRecord { seq: self.summary.operations, flow_id: flow_id.to_owned(), why: why.to_owned(), operation };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        self.hasher.update(&line);
        self.summary.operations += 1;
        self.out.write_all(&line)
    }

    fn finish(mut self) -> io::Result<PlanSummary> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&self.temporary, &self.path)?;
        self.summary.hash = self.hasher.finalize().to_hex().to_string();
        Ok(self.summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Pages;
    use proptest::prelude::*;

    #[test]
    fn nicknames_are_legal_and_tell_anchors_apart() {
        assert_eq!(mail_nickname("SecurityGroup_staff_110"), "SecurityGroup_staff_110");
        let (a, b) = (mail_nickname("SecurityGroup_staff_a b"), mail_nickname("SecurityGroup_staff_a_b"));
        assert_ne!(a, b);
        assert!(a.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)));
        assert_eq!(mail_nickname(&"x".repeat(200)).len(), MAIL_NICKNAME_MAX);
    }

    proptest! {
        #[test]
        fn nicknames_of_any_anchors_are_legal_short_and_their_own(anchors in proptest::collection::btree_set("\\PC{0,90}", 1..20)) {
            let nicknames: BTreeSet<String> = anchors.iter().map(|anchor| mail_nickname(anchor)).collect();
            prop_assert_eq!(nicknames.len(), anchors.len());
            for nickname in nicknames {
                prop_assert!(nickname.len() <= MAIL_NICKNAME_MAX && nickname.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)));
            }
        }

        #[test]
        fn members_are_found_in_whatever_order_groups_and_users_are_asked_for(
            members in proptest::collection::vec(proptest::collection::btree_set(0..9_u8, 0..8), 1..3),
            asked in proptest::collection::vec((0..3_usize, 0..10_u8), 0..40),
        ) {
            let directory = Pages { members: members.clone(), ..Pages::default() };
            let mut present = Present::default();
            for (group, user) in asked {
                let found = (group < members.len()).then(|| ObservedGroup { id: group.to_string(), anchor: String::new(), display_name: String::new() });
                let expected = members.get(group).is_some_and(|members| members.contains(&user));
                prop_assert_eq!(present.has(found.as_ref(), &user.to_string(), &directory).unwrap(), expected);
            }
        }

        #[test]
        fn the_ledger_is_read_whole_whatever_its_length(length in 0..9_usize) {
            let held = |n: usize| LedgerMember { flow_id: "f".to_owned(), anchor: "a".to_owned(), user_id: n.to_string() };
            let directory = Pages { held: (0..length).map(held).collect(), ..Pages::default() };
            let mut stream = LedgerStream::open(&directory).unwrap();
            let mut read = Vec::new();
            while let Some(member) = stream.peek().cloned() {
                read.push(member);
                stream.next().unwrap();
            }
            prop_assert_eq!(read, directory.held);
        }
    }
}
