//! pull(serve(x)) = x: whatever is in a roster, its files hold it, all of it and nothing else.

use crate::provider::{Auth, Data, Paging, Provider, Setup};
use crate::{ALL, connection, surroundings, try_pull};
use oneroster::{Mode, Version};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Row = BTreeMap<String, String>;

/// A person, apart from how any version writes it.
#[derive(Debug, Clone)]
struct Person {
    username: String,
    given: Option<String>,
    email: Option<String>,
    enabled: bool,
    roles: BTreeMap<String, &'static str>,
    agents: BTreeSet<String>,
    grades: Vec<String>,
    flags: Vec<&'static str>,
}

/// Text as people write it, with what CSV and JSON quote; no line breaks, which cannot stay.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 ,;\"'\\\\{}=+@-]{1,12}", "[ -~\u{a0}-\u{2fff}\u{1f600}-\u{1f640}]{1,8}"]
        .prop_filter("one line", |text| !text.contains(char::is_control))
}

fn id() -> impl Strategy<Value = String> {
    "[0-9A-Za-z./@_-]{1,12}"
}

fn person() -> impl Strategy<Value = Person> {
    let role = prop::sample::select(vec!["student", "teacher", "administrator", "guardian", "ext:tutor"]);
    let flag = prop::sample::select(vec!["freeLunch", "504", "ELL"]);
    (
        text(),
        prop::option::of(text()),
        prop::option::of(text()),
        any::<bool>(),
        prop::collection::btree_map(id(), role, 1..3),
        prop::collection::btree_set(id(), 0..3),
        prop::collection::vec("[0-9]{2}", 0..3),
        prop::collection::vec(flag, 0..3),
    )
        .prop_map(|(username, given, email, enabled, roles, agents, grades, flags)| Person {
            username,
            given,
            email,
            enabled,
            roles,
            agents,
            grades,
            flags,
        })
}

#[derive(Debug, Clone)]
struct Roster {
    people: BTreeMap<String, Person>,
    orgs: BTreeMap<String, (String, Option<String>)>,
    enrollments: BTreeMap<String, (String, String, bool)>,
}

fn roster() -> impl Strategy<Value = Roster> {
    (
        prop::collection::btree_map(id(), person(), 1..30),
        prop::collection::btree_map(id(), (text(), prop::option::of(id())), 1..10),
        prop::collection::btree_map(id(), (id(), id(), any::<bool>()), 0..40),
    )
        .prop_map(|(people, orgs, enrollments)| Roster { people, orgs, enrollments })
}

fn reference(id: &str) -> Value {
    json!({ "href": format!("x/{id}"), "sourcedId": id, "type": "whatever" })
}

fn served(roster: &Roster, version: Version) -> Data {
    let record = |id: &String, mut rest: Value| {
        (rest["sourcedId"], rest["status"], rest["dateLastModified"]) = (json!(id), json!("active"), json!("2026-09-01T00:00:00.000Z"));
        rest
    };
    let users = roster.people.iter().map(|(id, person)| {
        let mut user = json!({
            "enabledUser": person.enabled.to_string(), "username": person.username, "givenName": person.given, "email": person.email,
            "grades": person.grades, "metadata": { "microsoft": { "userFlags": person.flags.join(",") } },
            "agents": person.agents.iter().map(|id| reference(id)).collect::<Vec<_>>(),
        });
        if version == Version::V1p1 {
            user["role"] = json!(person.roles.values().next());
            user["orgs"] = person.roles.keys().map(|org| reference(org)).collect();
        } else {
            let roles = person.roles.iter().map(|(org, role)| json!({ "roleType": "primary", "role": role, "org": reference(org) }));
            user["roles"] = roles.collect();
        }
        record(id, user)
    });
    let orgs = roster.orgs.iter().map(|(id, (name, parent))| {
        record(id, json!({ "name": name, "type": "school", "parent": parent.as_deref().map(reference), "children": [reference("x")] }))
    });
    let enrollments = roster.enrollments.iter().map(|(id, (class, user, primary))| {
        record(
            id,
            json!({ "class": reference(class), "user": reference(user), "school": reference("s"), "role": "student", "primary": primary }),
        )
    });
    let mut data = Data::new();
    data.insert("users", users.collect());
    data.insert("orgs", orgs.collect());
    data.insert("enrollments", enrollments.collect());
    data.extend([("academicSessions", Vec::new()), ("classes", Vec::new()), ("courses", Vec::new())]);
    data
}

/// What the files have to hold, by name and key, of the columns that are not empty.
fn wanted(roster: &Roster, version: Version) -> BTreeMap<&'static str, BTreeSet<Row>> {
    let row = |fields: &[(&str, &str)]| -> Row {
        fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let list = |items: &mut dyn Iterator<Item = &String>| items.cloned().collect::<Vec<_>>().join(",");
    let mut files: BTreeMap<&'static str, BTreeSet<Row>> = BTreeMap::new();
    for (id, person) in &roster.people {
        let (agents, grades, flags) = (list(&mut person.agents.iter()), person.grades.join(","), person.flags.join(","));
        let (given, email) = (person.given.as_deref().unwrap_or_default(), person.email.as_deref().unwrap_or_default());
        let mut fields = vec![
            ("sourcedId", id.as_str()),
            ("enabledUser", if person.enabled { "true" } else { "false" }),
            ("username", &person.username),
        ];
        fields.extend([
            ("givenName", given),
            ("email", email),
            ("agentSourcedIds", &agents),
            ("grades", &grades),
            ("metadata.microsoft.userFlags", &flags),
        ]);
        let orgs = list(&mut person.roles.keys());
        if version == Version::V1p1 {
            fields.extend([("role", *person.roles.values().next().unwrap()), ("orgSourcedIds", &orgs)]);
        }
        files.entry("users.csv").or_default().insert(row(&fields));
        if version == Version::V1p2 {
            let roles = person
                .roles
                .iter()
                .map(|(org, role)| row(&[("userSourcedId", id), ("roleType", "primary"), ("role", role), ("orgSourcedId", org)]));
            files.entry("roles.csv").or_default().extend(roles);
        }
    }
    for (id, (name, parent)) in &roster.orgs {
        let fields =
            [("sourcedId", id.as_str()), ("name", name), ("type", "school"), ("parentSourcedId", parent.as_deref().unwrap_or_default())];
        files.entry("orgs.csv").or_default().insert(row(&fields));
    }
    for (id, (class, user, primary)) in &roster.enrollments {
        let primary = if *primary { "true" } else { "false" };
        let fields = [
            ("sourcedId", id.as_str()),
            ("classSourcedId", class),
            ("userSourcedId", user),
            ("schoolSourcedId", "s"),
            ("role", "student"),
            ("primary", primary),
        ];
        files.entry("enrollments.csv").or_default().insert(row(&fields));
    }
    files
}

/// The rows of a file, of the columns that are not empty; ids that the client has made are left out.
fn pulled_rows(name: &str, rows: &[Row]) -> BTreeSet<Row> {
    let keep = |column: &str, value: &str| !(value.is_empty() || name == "roles.csv" && column == "sourcedId");
    rows.iter().map(|row| row.iter().filter(|(column, value)| keep(column, value)).map(|(c, v)| (c.clone(), v.clone())).collect()).collect()
}

/// An entity, by where it is among the others, and what it is from now on, if anything.
type Edits<T> = Vec<(prop::sample::Index, Option<T>)>;

/// What becomes of a roster in a day.
#[derive(Debug, Clone)]
struct Day {
    people: Edits<Person>,
    orgs: Edits<(String, Option<String>)>,
    enrollments: Edits<(String, String, bool)>,
    new: Roster,
}

fn day() -> impl Strategy<Value = Day> {
    let at = any::<prop::sample::Index>;
    (
        prop::collection::vec((at(), prop::option::weighted(0.7, person())), 0..8),
        prop::collection::vec((at(), prop::option::weighted(0.7, (text(), prop::option::of(id())))), 0..3),
        prop::collection::vec((at(), prop::option::weighted(0.7, (id(), id(), any::<bool>()))), 0..8),
        roster(),
    )
        .prop_map(|(people, orgs, enrollments, new)| Day { people, orgs, enrollments, new })
}

fn edit<T: Clone>(all: &mut BTreeMap<String, T>, edits: &Edits<T>, new: &BTreeMap<String, T>) {
    for (at, to) in edits {
        let Some(id) = all.keys().nth(at.index(all.len().max(1))).cloned() else { continue };
        match to {
            Some(entity) => drop(all.insert(id, entity.clone())),
            None => drop(all.remove(&id)),
        }
    }
    all.extend(new.iter().take(3).map(|(id, entity)| (id.clone(), entity.clone())));
}

impl Day {
    fn after(&self, before: &Roster) -> Roster {
        let mut roster = before.clone();
        edit(&mut roster.people, &self.people, &self.new.people);
        edit(&mut roster.orgs, &self.orgs, &self.new.orgs);
        edit(&mut roster.enrollments, &self.enrollments, &self.new.enrollments);
        roster
    }
}

/// Some people who stay, so that there always is a roster.
fn inhabited(mut roster: Roster) -> Roster {
    let student = Person {
        username: "stays".to_owned(),
        given: None,
        email: None,
        enabled: true,
        roles: BTreeMap::from([("org".to_owned(), "student")]),
        agents: BTreeSet::new(),
        grades: Vec::new(),
        flags: Vec::new(),
    };
    roster.people.insert("stays".to_owned(), student);
    roster.orgs.insert("stays".to_owned(), ("stays".to_owned(), None));
    roster
}

/// What a provider has who keeps what was deleted, with the time of each change.
fn remember(data: &mut Data, now: Data, date: &str) {
    for (name, records) in now {
        let known = data.entry(name).or_default();
        for old in known.iter_mut().filter(|old| !records.iter().any(|new| new["sourcedId"] == old["sourcedId"])) {
            if old["status"] == "active" {
                (old["status"], old["dateLastModified"]) = (json!("tobedeleted"), json!(date));
            }
        }
        for mut new in records {
            if let Some(old) = known.iter_mut().find(|old| old["sourcedId"] == new["sourcedId"]) {
                new["dateLastModified"] = old["dateLastModified"].clone();
                if *old != new {
                    new["dateLastModified"] = json!(date);
                    *old = new;
                }
            } else {
                new["dateLastModified"] = json!(date);
                known.push(new);
            }
        }
    }
}

/// The files of a set that hold something, row by row, whatever their order.
fn content(folder: &std::path::Path) -> BTreeMap<String, BTreeSet<Row>> {
    let files = crate::read_package(folder).into_iter().filter(|(name, _)| name != "manifest.csv");
    files.map(|(name, rows)| (name, rows.into_iter().collect())).collect()
}

fn sources(folder: &std::path::Path) -> Vec<roster::Source> {
    roster::Source::list(folder).unwrap()
}

mod thorough {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn a_full_pull_with_the_changes_of_each_day_is_the_full_pull_of_the_last_day(
            first in roster(),
            days in prop::collection::vec(day(), 1..4),
            version in prop::sample::select(vec![Version::V1p1, Version::V1p2]),
            paging in prop::sample::select(vec![Paging::Total, Paging::Link, Paging::Both, Paging::Neither, Paging::Cursor, Paging::EndlessLink]),
            switches in prop::sample::select(vec![ALL, oneroster::Switches { demographics: false, ..Default::default() }]),
            cap in 1..12_usize,
            no_content: bool,
            ignores_filter: bool,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let dir = tempfile::tempdir().unwrap();
                let mut today = inhabited(first);
                let mut data = Data::new();
                remember(&mut data, served(&today, version), "2026-11-01T08:00:00.000Z");
                let provider = Provider::start(Setup { paging, cap, no_content, ignores_filter, ..Setup::default() }, data.clone()).await;
                let connection = connection(&provider, Auth::OAuth2Basic, version, switches);
                let around = surroundings(&[&provider.address]);
                let mut set = dir.path().join("day-0");
                oneroster::pull(&connection, &around, Mode::Full, &set, &mut |_| {}).await.unwrap();
                for (number, day) in days.iter().enumerate() {
                    today = inhabited(day.after(&today));
                    let date = format!("2026-11-{:02}", number + 2);
                    remember(&mut data, served(&today, version), &format!("{date}T08:00:00.000Z"));
                    provider.change(|served| served.clone_from(&data));
                    let changes = dir.path().join(format!("changes-{number}"));
                    let since = Mode::Since(format!("{date}T00:00:00Z").parse().unwrap());
                    oneroster::pull(&connection, &around, since, &changes, &mut |_| {}).await.unwrap();
                    let whole = dir.path().join(format!("day-{}", number + 1));
                    std::fs::create_dir(&whole).unwrap();
                    let mut found = Vec::new();
                    let applied = roster::delta::apply(
                        &sources(&set), &sources(&changes), jiff::Timestamp::now(), roster::delta::Parts::OfUsers, None, &whole,
                        &mut |finding| { found.push(finding.to_json()); Ok(()) },
                    ).unwrap();
                    // A package without one change is nothing to apply.
                    if sources(&changes).len() > 1 {
                        prop_assert!(found.is_empty() && applied.catastrophic.is_none(), "{:?}", found);
                        set = whole;
                    }
                }
                let full = dir.path().join("full");
                oneroster::pull(&connection, &around, Mode::Full, &full, &mut |_| {}).await.unwrap();
                let (made, wanted) = (content(&set), content(&full));
                prop_assert_eq!(made.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
                for (name, rows) in wanted {
                    prop_assert_eq!(&made[&name], &rows, "{}", name);
                }
                Ok(())
            })?;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn what_is_served_is_pulled(
            roster in roster(),
            version in prop::sample::select(vec![Version::V1p1, Version::V1p2]),
            paging in prop::sample::select(vec![Paging::Total, Paging::Link, Paging::Both, Paging::Neither, Paging::Cursor, Paging::EndlessLink]),
            auth in prop::sample::select(vec![Auth::OAuth2Basic, Auth::OAuth2Form, Auth::OAuth1("HMAC-SHA256"), Auth::OAuth1("HMAC-SHA1")]),
            cap in 1..12_usize,
            gzip: bool,
            no_content: bool,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let pulled = runtime.block_on(async {
                let setup = Setup { auth, paging, cap, gzip, no_content, ..Setup::default() };
                let provider = Provider::start(setup, served(&roster, version)).await;
                try_pull(&connection(&provider, auth, version, ALL), &surroundings(&[&provider.address]), Mode::Full).await.unwrap()
            });
            for (name, rows) in wanted(&roster, version) {
                prop_assert_eq!(pulled_rows(name, pulled.rows(name)), rows, "{}", name);
                prop_assert_eq!(pulled.rows(name).len(), pulled_rows(name, pulled.rows(name)).len());
            }
        }
    }
}
