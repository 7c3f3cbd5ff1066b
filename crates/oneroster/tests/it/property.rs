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
