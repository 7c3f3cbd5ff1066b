//! Arbitrary schools against a model: what a directory has to be after any days with any flows,
//! whatever others have put there.

use super::*;
use crate::world::{DOMAIN, Groups, STAFF, rule};
use directory::{Directory as _, embedded::graph};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use sync::{MatchTarget, SecurityFlow, SourceIdentifier};

/// In the order of a language they would sort otherwise than by their bytes.
const ORGS: [&str; 3] = ["a_1", "B", "a1"];
const ROLES: [&str; 4] = ["teacher", "coach", "student", "other"];
const PEOPLE: usize = 7;
const MAILS: usize = 4;

/// Organization, role, primary.
type HeldRole = (usize, usize, Option<bool>);

/// A day: who is where, what orgs are called, which flows take part, what people do by hand before it.
#[derive(Debug, Clone)]
struct Day {
    /// Number of a person to mail number and roles.
    people: BTreeMap<usize, (Option<usize>, Vec<HeldRole>)>,
    /// Person n has the username of account n + shift.
    shift: usize,
    names: usize,
    flows: BTreeMap<usize, (bool, bool, Option<BTreeSet<usize>>)>,
    backwards: bool,
    by_hand: Vec<(bool, usize, usize)>,
    deleted: Option<usize>,
    /// A flow that is reset.
    forgotten: Option<usize>,
}

fn day() -> impl Strategy<Value = Day> {
    let roles = vec((0..ORGS.len(), 0..ROLES.len(), any::<Option<bool>>()), 0..4);
    let people = btree_map(0..PEOPLE, (proptest::option::of(0..MAILS), roles), 0..PEOPLE);
    let orgs = proptest::option::weighted(0.3, btree_set(0..ORGS.len(), 0..3));
    let flows = btree_map(0..3_usize, (proptest::bool::weighted(0.8), proptest::bool::weighted(0.8), orgs), 0..3);
    let by_hand = vec((any::<bool>(), 0..9_usize, 0..PEOPLE), 0..5);
    let deleted = proptest::option::weighted(0.3, 0..9_usize);
    let forgotten = proptest::option::weighted(0.3, 0..3_usize);
    (people, 0..3_usize, 0..3_usize, flows, any::<bool>(), by_hand, (deleted, forgotten)).prop_map(
        |(people, shift, names, flows, backwards, by_hand, (deleted, forgotten))| Day {
            people,
            shift,
            names,
            flows,
            backwards,
            by_hand,
            deleted,
            forgotten,
        },
    )
}

impl Day {
    fn roster(&self) -> Roster {
        let mut roster = Roster::of(&[]);
        for org in ORGS {
            roster.orgs.insert(org.to_owned(), format!("{org} {}", self.names));
        }
        // An export without people is broken; this one has no account and no mail.
        roster.has("base", "teacher", "B");
        for (n, (mail, roles)) in &self.people {
            let id = format!("p{n}");
            roster.person(&id).username = format!("u{}@{DOMAIN}", n + self.shift);
            roster.person(&id).email = mail.map(|mail| format!("m{mail}@{DOMAIN}")).unwrap_or_default();
            let mut held = BTreeSet::new();
            for (org, role, primary) in roles {
                // The same role twice with another primary would be an error of the data.
                if held.insert((org, role)) {
                    roster.has_primary(&id, ROLES[*role], ORGS[*org], *primary);
                }
            }
        }
        roster.backwards = self.backwards;
        roster
    }

    fn flows(&self) -> Vec<SecurityFlow> {
        let orgs = |orgs: &BTreeSet<usize>| orgs.iter().map(|org| ORGS[*org].to_owned()).collect();
        let flow = |(n, (by_role_group, by_org, filter)): (&usize, &(bool, bool, Option<BTreeSet<usize>>))| SecurityFlow {
            orgs: filter.as_ref().map(orgs),
            ..flow(&format!("f{n}"), *by_role_group, *by_org)
        };
        self.flows.iter().map(flow).collect()
    }
}

/// Account to its mail. Usernames `u0` … `u5` have one; `u6` and above do not.
type Accounts = BTreeMap<String, Option<usize>>;

/// Who is linked with which account, by the words of the decisions and not by the code.
fn links(roster: &Roster, accounts: &Accounts) -> BTreeMap<String, String> {
    let mut claims: BTreeMap<String, String> = BTreeMap::new();
    for person in roster.people.values() {
        let roles = || roster.roles.iter().filter(|role| role.person == person.id);
        let staff: Vec<_> = roles().filter(|role| STAFF.contains(&role.role.as_str())).collect();
        let students: Vec<_> = roles().filter(|role| role.role == "student").collect();
        let as_student = match (staff.is_empty(), students.is_empty()) {
            (true, true) => continue,
            (true, false) => true,
            (false, true) => false,
            _ => students.iter().all(|r| r.primary == Some(true)) && !staff.iter().any(|r| r.primary == Some(true)),
        };
        // Staff by username and principal name, students by mail.
        let account = if as_student {
            let with_mail = |mail: &Option<usize>| mail.is_some_and(|mail| format!("m{mail}@{DOMAIN}") == person.email);
            let found: Vec<_> = accounts.iter().filter(|(_, mail)| with_mail(mail)).collect();
            if found.len() == 1 { Some(found[0].0.clone()) } else { None }
        } else {
            accounts.keys().find(|id| format!("{id}@{DOMAIN}") == person.username).cloned()
        };
        if let Some(account) = account {
            claims.insert(person.id.clone(), account);
        }
    }
    let alone = |account: &String| claims.values().filter(|other| *other == account).count() == 1;
    claims.iter().filter(|(_, account)| alone(account)).map(|(person, account)| (person.clone(), account.clone())).collect()
}

/// (flow, anchor, account) that flows want, and names by anchor.
fn desired(roster: &Roster, flows: &[SecurityFlow], accounts: &Accounts) -> (BTreeSet<[String; 3]>, BTreeMap<String, String>) {
    let links = links(roster, accounts);
    let (mut wanted, mut names) = (BTreeSet::new(), BTreeMap::new());
    for role in &roster.roles {
        let Some(account) = links.get(&role.person) else { continue };
        let (group, title) = match role.role.as_str() {
            "student" => ("students", "Students"),
            "other" => continue,
            _ => ("staff", "Staff"),
        };
        for flow in flows.iter().filter(|flow| flow.orgs.as_ref().is_none_or(|orgs| orgs.contains(&role.org))) {
            let mut want = |anchor: String, name: String| {
                wanted.insert([flow.flow_id.clone(), anchor.clone(), account.clone()]);
                names.insert(anchor, name);
            };
            if flow.by_role_group {
                want(format!("SecurityGroup_{group}"), format!("All {title}"));
            }
            if flow.by_org_and_role_group {
                want(format!("SecurityGroup_{group}_{}", role.org), format!("{title} - {}", roster.orgs[&role.org]));
            }
        }
    }
    (wanted, names)
}

/// The directory and what Homeroom knows of it, by the book.
#[derive(Default)]
struct Model {
    groups: Groups,
    /// (flow, anchor, account) that flows hold.
    held: BTreeSet<[String; 3]>,
    /// (anchor, account) that Homeroom has added.
    ours: BTreeSet<(String, String)>,
}

impl Model {
    fn run(&mut self, roster: &Roster, flows: &[SecurityFlow], accounts: &Accounts) {
        let (wanted, names) = desired(roster, flows, accounts);
        for (anchor, name) in &names {
            self.groups.entry(anchor.clone()).or_default().0.clone_from(name);
        }
        for [_, anchor, account] in &wanted {
            if self.groups.get_mut(anchor).unwrap().1.insert(account.clone()) {
                self.ours.insert((anchor.clone(), account.clone()));
            }
        }
        self.held.extend(wanted.iter().cloned());
        let governed = |held: &[String; 3]| {
            let by_role_group = ["SecurityGroup_staff", "SecurityGroup_students"].contains(&held[1].as_str());
            let answers = |flow: &SecurityFlow| {
                flow.flow_id == held[0] && if by_role_group { flow.by_role_group } else { flow.by_org_and_role_group }
            };
            flows.iter().any(answers)
        };
        let gone: Vec<[String; 3]> = self.held.iter().filter(|held| governed(held) && !wanted.contains(*held)).cloned().collect();
        for [flow, anchor, account] in gone {
            self.held.remove(&[flow, anchor.clone(), account.clone()]);
            let last = !self.held.iter().any(|[_, a, u]| *a == anchor && *u == account);
            if last
                && self.ours.remove(&(anchor.clone(), account.clone()))
                && let Some((_, members)) = self.groups.get_mut(&anchor)
            {
                members.remove(&account);
            }
        }
    }
}

/// A directory with accounts, of which three share two mail addresses, and a group of somebody else.
fn accounts(world: &World) -> Accounts {
    let mails = [Some(0), Some(1), Some(1), Some(2), None, Some(3)];
    let accounts: Accounts = mails.iter().enumerate().map(|(n, mail)| (format!("u{n}"), *mail)).collect();
    for (id, mail) in &accounts {
        world.account_of(id, &format!("{}@{DOMAIN}", id.to_uppercase()), mail.map(|mail| format!("M{mail}@{DOMAIN}")).as_deref());
    }
    world.make_by_hand("foreign", "All Staff");
    world.put_by_hand("foreign", "u0");
    accounts
}

fn world() -> World {
    let world = World::new();
    world.rules.replace(vec![
        rule("staff", SourceIdentifier::Username, MatchTarget::UserPrincipalName),
        rule("students", SourceIdentifier::Email, MatchTarget::Mail),
    ]);
    world
}

/// Members put in and taken out, a group deleted, a flow reset, by somebody who is not Homeroom.
fn by_hand(world: &World, model: &mut Model, day: &Day) {
    let anchors: Vec<String> = model.groups.keys().cloned().collect();
    for (add, group, account) in &day.by_hand {
        let (anchor, account) = (&anchors[group % anchors.len()], format!("u{}", account % 6));
        let members = &mut model.groups.get_mut(anchor).unwrap().1;
        // What Homeroom has added and others have taken out and put in again looks as before.
        if *add && !members.contains(&account) {
            members.insert(account.clone());
            world.put_by_hand(anchor, &account);
        } else if !*add && members.remove(&account) {
            world.take_out_by_hand(anchor, &account);
        }
    }
    if let Some(anchor) = day.deleted.and_then(|n| anchors.get(n)).filter(|anchor| *anchor != "foreign") {
        model.groups.remove(anchor);
        world.delete_by_hand(anchor);
    }
    if let Some(flow) = day.forgotten.map(|n| format!("f{n}")) {
        // It holds nothing any more; whose a membership is stays known.
        model.held.retain(|[held_by, ..]| *held_by != flow);
        world.forget(&flow);
    }
}

#[test]
fn a_deleted_group_that_nobody_wants_any_more_does_not_come_back() {
    let world = World::new();
    let mut roster = Roster::of(&["A"]);
    roster.has("base", "teacher", "A").has("sue", "student", "A");
    world.accounts_for(&roster);
    world.good(&roster);
    world.delete_by_hand("SecurityGroup_students_A");
    roster.leaves("sue");
    let ran = world.good(&roster);
    assert_eq!((ran.outcome.status.as_str(), ran.written), ("completed", 1));
    assert!(!world.groups().contains_key("SecurityGroup_students_A"));
    assert!(world.directory().users(None, 9).unwrap().len() == 2 && world.write(graph::user_count) == 2);
}

mod thorough {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_days_with_any_flows_lead_to_what_the_model_says_and_a_second_run_does_nothing(days in vec(day(), 1..5)) {
            let world = world();
            let accounts = accounts(&world);
            let mut model = Model::default();
            model.groups.insert("foreign".to_owned(), ("All Staff".to_owned(), BTreeSet::from(["u0".to_owned()])));
            for day in days {
                by_hand(&world, &mut model, &day);
                let (roster, flows) = (day.roster(), day.flows());
                world.flows.replace(flows.clone());
                model.run(&roster, &flows, &accounts);
                let ran = world.good(&roster);
                prop_assert_eq!(&world.groups(), &model.groups);
                let held: BTreeSet<[String; 3]> = world.ledger().into_iter().filter(|row| row[3] != "group" && !row[0].is_empty()).map(|[f, a, u, _]| [f, a, u]).collect();
                prop_assert_eq!(&held, &model.held);
                prop_assert_eq!(ran.outcome.refused.len(), 0);
                let matched: u64 = ran.total("matchedPeopleByRole").as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum();
                prop_assert_eq!(matched as usize, links(&roster, &accounts).len());
                let again = world.good(&Roster { backwards: !roster.backwards, ..roster });
                prop_assert_eq!(again.effects(), Vec::<String>::new());
                prop_assert_eq!(again.written, 0);
            }
        }
    }
}
