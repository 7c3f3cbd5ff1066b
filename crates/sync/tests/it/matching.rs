//! Which account somebody is linked with (decision 24).

use super::*;
use crate::world::{DOMAIN, Ran, rule};
use std::collections::BTreeSet;
use sync::{MatchRule, MatchTarget, SourceIdentifier};

const STAFF: &str = "SecurityGroup_staff";
const STUDENTS: &str = "SecurityGroup_students";

/// A world without rules and with groups of role groups only.
fn world() -> World {
    let world = World::new();
    world.flows.replace(vec![flow("f", true, false)]);
    world.rules.replace(Vec::new());
    world
}

fn linked(world: &World, group: &str) -> Vec<String> {
    world.members().remove(group).unwrap_or_default().into_iter().collect()
}

/// Codes and keys of what matching has found.
fn found(ran: &Ran) -> Vec<(String, String)> {
    ran.findings().into_iter().filter(|(code, _)| code.ends_with("Match")).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn every_value_of_a_person_can_find_every_name_of_an_account() {
    use SourceIdentifier::{ActiveDirectoryMatchId, Email, SourcedId, UserNumber, Username};
    for source in [Username, Email, ActiveDirectoryMatchId, SourcedId, UserNumber] {
        for target in [MatchTarget::UserPrincipalName, MatchTarget::Mail] {
            let world = world();
            world.rules.replace(vec![rule("students", source, target)]);
            let mut roster = Roster::of(&["N"]);
            roster.has("id@x.example", "student", "N");
            let sara = roster.person("id@x.example");
            for (value, field) in
                [("user", &mut sara.username), ("email", &mut sara.email), ("match", &mut sara.match_id), ("number", &mut sara.number)]
            {
                *field = format!("{value}@x.example");
            }
            let value = match source {
                Username => "user",
                Email => "email",
                ActiveDirectoryMatchId => "match",
                SourcedId => "id",
                UserNumber => "number",
            };
            // Everybody has one value of hers, in one of the two places.
            for name in ["user", "email", "match", "number", "id"] {
                world.account_of(&format!("upn-{name}"), &format!("{name}@x.example"), None);
                world.account_of(&format!("mail-{name}"), &format!("other-{name}@x.example"), Some(&format!("{name}@x.example")));
            }
            world.good(&roster);
            let place = if target == MatchTarget::Mail { "mail" } else { "upn" };
            assert_eq!(linked(&world, STUDENTS), [format!("{place}-{value}")], "{source:?} {target:?}");
        }
    }
}

#[test]
fn names_are_compared_without_case_in_every_script() {
    let world = world();
    world.rules.replace(vec![
        rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName),
        rule("staff", SourceIdentifier::Username, MatchTarget::Mail),
    ]);
    let mut roster = Roster::of(&["N"]);
    for (n, (username, role)) in
        [("ANN@School.Example", "student"), ("éLODIE@school.example", "student"), ("ЮЛИЯ@school.example", "teacher")].iter().enumerate()
    {
        roster.has(&format!("p{n}"), role, "N").person(&format!("p{n}")).username = (*username).to_owned();
    }
    world.account_of("ann", "Ann@school.EXAMPLE", None);
    world.account_of("elodie", "Élodie@School.example", None);
    world.account_of("yulia", "y@school.example", Some("Юлия@School.Example"));
    world.good(&roster);
    assert_eq!((linked(&world, STUDENTS), linked(&world, STAFF)), (vec!["ann".to_owned(), "elodie".to_owned()], vec!["yulia".to_owned()]));
}

#[test]
fn apart_from_case_a_value_has_to_be_exactly_the_same() {
    let world = world();
    world.rules.replace(vec![rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName)]);
    let mut roster = Roster::of(&["N"]);
    // Part of it, a blank behind it, and an e with its accent as a character of its own.
    for (n, username) in ["ann@school.exampl", "ann@school.example ", "e\u{301}va@school.example"].iter().enumerate() {
        roster.has(&format!("p{n}"), "student", "N").person(&format!("p{n}")).username = (*username).to_owned();
    }
    world.account("ann");
    world.account("éva");
    world.good(&roster);
    assert_eq!(linked(&world, STUDENTS), Vec::<String>::new());
}

#[test]
fn a_domain_is_appended_to_values_that_have_none() {
    for domain in ["school.example", "@school.example", "SCHOOL.example"] {
        let world = world();
        let with_domain =
            MatchRule { domain: Some(domain.to_owned()), ..rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName) };
        world.rules.replace(vec![with_domain]);
        let mut roster = Roster::of(&["N"]);
        for (person, username) in [("a", "Ann"), ("b", "bob@other.example"), ("c", "cyn@school.example"), ("d", "dan")] {
            roster.has(person, "student", "N").person(person).username = username.to_owned();
        }
        world.accounts(["ann", "bob", "cyn"]);
        world.account_of("bob-2", "bob@other.example", None);
        // The domain belongs to the rule: somebody of the same name elsewhere is somebody else.
        world.account_of("dan-2", "dan@other.example", None);
        world.good(&roster);
        assert_eq!(linked(&world, STUDENTS), ["ann", "bob-2", "cyn"]);
    }
}

#[test]
fn without_a_domain_a_bare_name_matches_no_principal_name() {
    let world = world();
    world.rules.replace(vec![rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName)]);
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "student", "N").person("ann").username = "ann".to_owned();
    world.account("ann");
    world.good(&roster);
    assert_eq!(linked(&world, STUDENTS), Vec::<String>::new());
}

#[test]
fn a_value_that_is_empty_matches_nobody() {
    let world = world();
    world.rules.replace(vec![
        rule("students", SourceIdentifier::Email, MatchTarget::Mail),
        rule("staff", SourceIdentifier::UserNumber, MatchTarget::Mail),
    ]);
    let mut roster = Roster::of(&["N"]);
    roster.has("sara", "student", "N").has("sam", "student", "N").has("tina", "teacher", "N");
    world.account("sara");
    world.account_of("odd", "odd@school.example", Some(""));
    let ran = world.good(&roster);
    assert_eq!((world.members().len(), found(&ran)), (0, Vec::new()));
    assert_eq!(
        ran.total("unmatchedPeopleByRole"),
        &serde_json::json!([{ "role": "student", "count": 2 }, { "role": "teacher", "count": 1 }])
    );
}

#[test]
fn two_people_who_match_one_account_are_findings_and_neither_is_linked() {
    let world = world();
    world.rules.replace(["staff", "students"].map(|g| rule(g, SourceIdentifier::Email, MatchTarget::Mail)).to_vec());
    let mut roster = Roster::of(&["N"]);
    for (person, role, email) in
        [("ann", "student", "family@x.example"), ("ben", "student", "Family@x.example"), ("cyn", "teacher", "cyn@x.example")]
    {
        roster.has(person, role, "N").person(person).email = email.to_owned();
    }
    world.account_of("f", "f@x.example", Some("FAMILY@x.example"));
    world.account_of("c", "c@x.example", Some("cyn@x.example"));
    let ran = world.good(&roster);
    assert_eq!(world.members(), sets(&[(STAFF, &["c"])]));
    assert_eq!(found(&ran), pairs(&[("DuplicateMatch", "ann"), ("DuplicateMatch", "ben")]));
    assert_eq!((ran.outcome.status.as_str(), ran.total("errors")), ("completedWithErrors", &serde_json::json!(2)));
    assert_eq!(ran.outcome.inbound[world::SIS], "completedWithErrors");
    assert_eq!(ran.total("unmatchedPeopleByRole"), &serde_json::json!([{ "role": "student", "count": 2 }]));
    // One of them gets another address: both find their way.
    roster.person("ben").email = "ben@x.example".to_owned();
    let ran = world.good(&roster);
    assert_eq!((linked(&world, STUDENTS), found(&ran)), (vec!["f".to_owned()], Vec::new()));
}

#[test]
fn somebody_who_starts_to_share_an_account_takes_the_first_one_out_of_the_groups() {
    let world = world();
    world.rules.replace(vec![rule("students", SourceIdentifier::Email, MatchTarget::Mail)]);
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "student", "N").person("ann").email = "a@x.example".to_owned();
    world.account_of("a", "a@x.example", Some("a@x.example"));
    world.good(&roster);
    roster.has("ben", "student", "N").person("ben").email = "a@x.example".to_owned();
    assert_eq!(world.good(&roster).effects(), ["- SecurityGroup_students a"]);
}

#[test]
fn people_of_different_rules_can_share_an_account_too() {
    let world = world();
    world.rules.replace(vec![
        rule("staff", SourceIdentifier::Username, MatchTarget::UserPrincipalName),
        rule("students", SourceIdentifier::Email, MatchTarget::Mail),
    ]);
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "teacher", "N").has("ben", "student", "N").person("ben").email = "shared@x.example".to_owned();
    world.account_of("a", "ann@school.example", Some("shared@x.example"));
    assert_eq!(found(&world.good(&roster)), pairs(&[("DuplicateMatch", "ann"), ("DuplicateMatch", "ben")]));
}

#[test]
fn one_person_in_two_sources_is_no_duplicate() {
    let world = world();
    world.rules.replace(vec![rule("staff", SourceIdentifier::Username, MatchTarget::UserPrincipalName)]);
    let mut roster = Roster::of(&["N"]);
    roster.has("tina", "teacher", "N");
    world.account("tina");
    let spec = world.spec(&[("one", Some(&roster)), ("two", Some(&roster))]);
    let ran = world.finish(spec, &world::Ports::new(&world));
    assert_eq!((found(&ran), linked(&world, STAFF)), (Vec::new(), vec!["tina".to_owned()]));
}

#[test]
fn somebody_whose_address_several_accounts_have_is_a_finding_and_not_linked_with_any() {
    let world = world();
    world.rules.replace(vec![rule("students", SourceIdentifier::Email, MatchTarget::Mail)]);
    let mut roster = Roster::of(&["N"]);
    for person in ["ann", "ben"] {
        roster.has(person, "student", "N").person(person).email = format!("{person}@x.example");
    }
    for (id, mail) in [("1", "ann@x.example"), ("2", "Ann@X.example"), ("3", "ann@x.example"), ("4", "ben@x.example")] {
        world.account_of(id, &format!("{id}@x.example"), Some(mail));
    }
    let ran = world.good(&roster);
    assert_eq!((linked(&world, STUDENTS), found(&ran)), (vec!["4".to_owned()], pairs(&[("AmbiguousMatch", "ann")])));
    assert_eq!((ran.outcome.status.as_str(), ran.total("errors")), ("completedWithErrors", &serde_json::json!(1)));
    assert_eq!(ran.total("matchedPeopleByRole"), &serde_json::json!([{ "role": "student", "count": 1 }]));
}

#[test]
fn of_several_rules_of_a_role_group_the_one_of_lowest_priority_applies_wherever_it_stands() {
    for first in [0, 1] {
        let world = world();
        let by_name = rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName);
        let by_mail = rule("students", SourceIdentifier::Email, MatchTarget::Mail);
        world.rules.replace(vec![MatchRule { priority: 5 + first, ..by_mail }, MatchRule { priority: 6 - first, ..by_name }]);
        let mut roster = Roster::of(&["N"]);
        roster.has("ann", "student", "N").person("ann").email = "ann@x.example".to_owned();
        world.account_of("by-name", &format!("ann@{DOMAIN}"), None);
        world.account_of("by-mail", "a@x.example", Some("ann@x.example"));
        world.good(&roster);
        assert_eq!(linked(&world, STUDENTS), [["by-mail", "by-name"][first as usize]]);
    }
}

#[test]
fn staff_and_students_have_rules_of_their_own_and_primary_roles_decide_for_who_is_both() {
    let (yes, no) = (Some(true), Some(false));
    // Primary of the student role and of the staff role; whose rule applies.
    for (student, teacher, expected) in [
        (yes, no, "as-student"),
        (yes, None, "as-student"),
        (yes, yes, "as-staff"),
        (no, yes, "as-staff"),
        (None, None, "as-staff"),
        (no, no, "as-staff"),
        (None, yes, "as-staff"),
    ] {
        let world = world();
        world.rules.replace(vec![
            rule("staff", SourceIdentifier::Username, MatchTarget::UserPrincipalName),
            rule("students", SourceIdentifier::Email, MatchTarget::Mail),
        ]);
        let mut roster = Roster::of(&["N"]);
        roster.has_primary("ann", "student", "N", student).has_primary("ann", "teacher", "N", teacher);
        roster.person("ann").email = "ann@x.example".to_owned();
        world.account_of("as-staff", &format!("ann@{DOMAIN}"), None);
        world.account_of("as-student", "a@x.example", Some("ann@x.example"));
        world.good(&roster);
        assert_eq!(linked(&world, STAFF), [expected], "{student:?} {teacher:?}");
        assert_eq!(linked(&world, STUDENTS), [expected], "the link is one, the groups are those of both");
    }
}

#[test]
fn people_of_a_role_group_without_a_rule_are_unmatched() {
    let world = world();
    world.rules.replace(vec![rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName)]);
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "student", "N").has("tina", "teacher", "N");
    world.accounts_for(&roster);
    let ran = world.good(&roster);
    assert_eq!(world.members().into_keys().collect::<Vec<_>>(), [STUDENTS]);
    assert_eq!(ran.total("unmatchedPeopleByRole"), &serde_json::json!([{ "role": "teacher", "count": 1 }]));
}

#[test]
fn people_are_counted_once_under_the_first_of_their_roles_in_order() {
    let world = World::new();
    let mut roster = Roster::of(&["N", "S"]);
    roster.has("ann", "aide", "N").has("ann", "principal", "S").has("ann", "student", "N");
    roster.has("ben", "coach", "N").has("ben", "teacher", "N");
    roster.has("cyn", "other", "N").has("cyn", "aide", "N").has("dan", "other", "N");
    world.accounts(["ann", "cyn"]);
    let ran = world.good(&roster);
    assert_eq!(ran.total("matchedPeopleByRole"), &serde_json::json!([{ "role": "aide", "count": 1 }, { "role": "principal", "count": 1 }]));
    assert_eq!(ran.total("unmatchedPeopleByRole"), &serde_json::json!([{ "role": "teacher", "count": 1 }]));
}

#[test]
fn a_username_of_two_people_is_the_first_ones() {
    let world = World::new();
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "student", "N").has("ben", "student", "N").person("ben").username = "ANN@school.example".to_owned();
    world.accounts(["ann"]);
    let ran = world.good(&roster);
    assert_eq!(linked(&world, STUDENTS), ["ann"]);
    assert!(ran.findings().contains(&("DuplicateUsername".to_owned(), "ben".to_owned())));
    assert!(found(&ran).is_empty());
}

#[test]
fn accounts_that_nobody_matches_are_left_as_they_are() {
    let world = World::new();
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "student", "N");
    world.accounts(["ann", "admin"]);
    let before = directory::Directory::users(&world.directory(), None, 9).unwrap();
    world.good(&roster);
    assert_eq!(directory::Directory::users(&world.directory(), None, 9).unwrap(), before);
    assert!(world.members().values().all(|members| *members == BTreeSet::from(["ann".to_owned()])));
}

/// What is remarked about rules: code, key of an example, message.
fn remarks(ran: &Ran) -> Vec<(String, String, String)> {
    let of = |line: &serde_json::Value| ["code", "key", "message"].map(|name| line[name].as_str().unwrap_or_default().to_owned());
    let lines = ran.finding_lines().into_iter().filter(|line| line["code"].as_str().unwrap().starts_with("MatchingRule"));
    lines
        .map(|line| {
            assert_eq!(line["severity"], "warning");
            of(&line).into()
        })
        .collect()
}

#[test]
fn a_rule_that_finds_hardly_anybody_is_told() {
    let world = world();
    let of_students = MatchRule {
        domain: Some("shcool.example".to_owned()),
        ..rule("students", SourceIdentifier::Username, MatchTarget::UserPrincipalName)
    };
    world.rules.replace(vec![of_students, rule("staff", SourceIdentifier::Username, MatchTarget::UserPrincipalName)]);
    let mut roster = Roster::of(&["N"]);
    roster.has("tina", "teacher", "N");
    world.account("tina");
    for n in 0..11 {
        let id = format!("s{n:02}");
        roster.has(&id, "student", "N").person(&id).username = id.clone();
        world.account(&id);
    }
    // The staff are found, the students are not: there is a letter too many to be chance.
    let ran = world.good(&roster);
    let message = "The rule for 'students' (username@shcool.example = userPrincipalName) found none of 11 people.";
    assert_eq!(remarks(&ran), [("MatchingRuleFindsNobody".to_owned(), "s00".to_owned(), message.to_owned())]);
    assert_eq!((ran.outcome.status.as_str(), ran.total("warnings")), ("completedWithWarnings", &serde_json::json!(1)));
    // One of eleven is still next to nobody; two are some.
    world.account_of("first", "s01@shcool.example", None);
    assert!(remarks(&world.good(&roster))[0].2.ends_with("found only 1 of 11 people."));
    world.account_of("second", "s02@shcool.example", None);
    let ran = world.good(&roster);
    assert_eq!((remarks(&ran), ran.outcome.status.as_str()), (Vec::new(), "completed"));
}

#[test]
fn where_nobody_is_found_at_all_every_rule_is_told() {
    let world = world();
    world.rules.replace(vec![rule("students", SourceIdentifier::Email, MatchTarget::Mail)]);
    let mut roster = Roster::of(&["N"]);
    roster.has("sara", "student", "N").has("tina", "teacher", "N");
    // A few without an account are nothing by themselves.
    roster.person("sara").email = "sara@school.example".to_owned();
    let ran = world.good(&roster);
    let codes: Vec<(String, String)> = remarks(&ran).into_iter().map(|(code, key, _)| (code, key)).collect();
    assert_eq!(codes, pairs(&[("MatchingRuleFindsNobody", "sara"), ("MatchingRuleMissing", "tina")]));
    let hint = ran.finding_lines().into_iter().find(|line| line["key"] == "sara" && line["severity"] == "warning").unwrap()["hint"].clone();
    assert_eq!(hint, "The directory has no accounts yet: make them first.");
    // To leave the staff out is a decision, once the students are found.
    world.account_of("sara", "s@x.example", Some("sara@school.example"));
    assert_eq!(remarks(&world.good(&roster)), Vec::new());
}
