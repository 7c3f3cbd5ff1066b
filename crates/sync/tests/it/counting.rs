//! What a run counts: statistics, history, differences.

use super::*;
use crate::world::{Ports, SIS, file};
use ::roster::segment::SegmentReader;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A school of six with two classes.
fn school() -> Roster {
    let mut roster = Roster::of(&["N", "S", "D"]);
    roster.has("tina", "teacher", "N").has("theo", "teacher", "S").has("pia", "principal", "N").has("pia", "teacher", "N");
    roster.has("sara", "student", "N").has("sam", "student", "N").has("sue", "student", "S").has("carl", "other", "N");
    roster.enrolled("math", "N", &["sara", "sam"]).enrolled("art", "S", &["sue"]);
    roster
}

fn metric(active: u64, inactive: u64) -> Value {
    json!({ "active": active, "inactive": inactive, "total": active + inactive })
}

/// One field of every record of a segment, by key.
fn history(ran: &world::Ran, segment: &str) -> BTreeMap<String, Vec<String>> {
    let mut reader = SegmentReader::open(&file(ran, &format!("history-{SIS}")).join(segment)).unwrap();
    let mut all = BTreeMap::new();
    while let Some(record) = reader.next().unwrap() {
        all.insert(record.key_text().replace('\u{1f}', "/"), record.fields().map(str::to_owned).collect());
    }
    all
}

fn delta(ran: &world::Ran) -> Value {
    serde_json::from_slice(&std::fs::read(file(ran, &format!("delta-{SIS}.json"))).unwrap()).unwrap()
}

#[test]
fn a_first_run_counts_what_the_export_has() {
    let roster = school();
    let world = World::new();
    world.accounts(["tina", "pia", "sara", "sue"]);
    let ran = world.good(&roster);
    let activity = json!({
        "@odata.type": "#microsoft.graph.industryData.inboundActivityResults",
        "activityId": SIS, "displayName": "Source sis", "status": "completed", "errors": 0, "warnings": 0,
        "organizations": metric(3, 0), "people": metric(7, 0), "groups": metric(2, 0), "memberships": metric(3, 0),
        "matchedPeopleByRole": [{ "role": "principal", "count": 1 }, { "role": "student", "count": 2 }, { "role": "teacher", "count": 1 }],
        "unmatchedPeopleByRole": [{ "role": "student", "count": 1 }, { "role": "teacher", "count": 1 }],
    });
    let expected = json!({
        "runId": ran.spec.run_id, "status": "completed",
        "inboundTotals": {
            "errors": 0, "warnings": 0, "organizations": 3, "people": 7, "groups": 2, "memberships": 3,
            "matchedPeopleByRole": activity["matchedPeopleByRole"], "unmatchedPeopleByRole": activity["unmatchedPeopleByRole"],
        },
        "activityStatistics": [activity],
    });
    assert_eq!(Value::Object(ran.outcome.statistics), expected);
}

#[test]
fn who_leaves_becomes_inactive_and_is_not_forgotten() {
    let mut roster = school();
    let world = World::new();
    world.good(&roster);
    roster.leaves("sue").leaves("carl").has("nora", "student", "S");
    roster.classes.remove("art");
    roster.orgs.remove("D");
    let ran = world.good(&roster);
    let activity = &ran.outcome.statistics["activityStatistics"][0];
    assert_eq!(activity["organizations"], metric(2, 1));
    assert_eq!(activity["people"], metric(6, 2));
    assert_eq!(activity["groups"], metric(1, 1));
    assert_eq!(activity["memberships"], metric(2, 1));
    assert_eq!(ran.total("people"), 6, "totals are of what is active");
    // Who comes back is active again, and was first seen when they were.
    roster.has("sue", "student", "N");
    let ran = world.good(&roster);
    assert_eq!(ran.outcome.statistics["activityStatistics"][0]["people"], metric(7, 1));
    let people = history(&ran, "users.seg");
    let (day_1, day_2, day_3) = ("2026-09-01T02:00:00Z", "2026-09-02T02:00:00Z", "2026-09-03T02:00:00Z");
    assert_eq!(people["sue"], [day_1, day_3, "1"]);
    assert_eq!(people["carl"], [day_1, day_1, "0"]);
    assert_eq!(people["nora"], [day_2, day_3, "1"]);
    assert_eq!(people.len(), 8);
    let roles = history(&ran, "roles.seg");
    assert_eq!(roles["sue/S/student/"], [day_1, day_1, "0"]);
    assert_eq!(roles["sue/N/student/"], [day_3, day_3, "1"]);
}

#[test]
fn a_difference_counts_what_was_created_changed_gone_and_left_alone() {
    let mut roster = school();
    let world = World::new();
    let ran = world.good(&roster);
    assert_eq!(delta(&ran)["users.csv"], json!({ "created": 7, "changed": 0, "gone": 0, "unchanged": 0 }));
    roster.leaves("sue").leaves("carl").has("nora", "student", "S").person("tina").email = "tina@school.example".to_owned();
    roster.orgs.insert("S".to_owned(), "South".to_owned());
    // A role is its person, organization, role and session: another school is another role.
    roster.moves("sam", "N", "S");
    let ran = world.good(&roster);
    assert_eq!(
        delta(&ran),
        json!({
            "orgs.csv": { "created": 0, "changed": 1, "gone": 0, "unchanged": 2 },
            "users.csv": { "created": 1, "changed": 1, "gone": 2, "unchanged": 4 },
            "roles.csv": { "created": 2, "changed": 0, "gone": 3, "unchanged": 5 },
            "classes.csv": { "created": 0, "changed": 0, "gone": 0, "unchanged": 2 },
            "enrollments.csv": { "created": 0, "changed": 0, "gone": 1, "unchanged": 2 },
        })
    );
    let ran = world.good(&roster);
    assert_eq!(delta(&ran)["users.csv"], json!({ "created": 0, "changed": 0, "gone": 0, "unchanged": 6 }));
}

#[test]
fn a_run_that_was_stopped_leaves_no_trace_in_the_history() {
    let roster = school();
    let world = World::new();
    world.good(&roster);
    world.guard.set(sync::Guard { max_drop_percent: 1.0, max_drop_count: 0, max_error_percent: 100.0 });
    let mut smaller = roster.clone();
    smaller.leaves("sue");
    assert_eq!(world.run(&smaller).blocked(), "SafetyThresholdExceeded");
    let ran = world.good(&roster);
    assert_eq!(delta(&ran)["users.csv"], json!({ "created": 0, "changed": 0, "gone": 0, "unchanged": 7 }));
    assert_eq!(history(&ran, "users.seg")["sue"], ["2026-09-01T02:00:00Z", "2026-09-03T02:00:00Z", "1"]);
}

#[test]
fn errors_and_warnings_are_counted_as_the_findings_log_has_them() {
    let mut roster = school();
    roster.raw.push(("roles.csv", "nobody,N,teacher,".to_owned()));
    roster.raw.push(("roles.csv", "tina,N,magician,".to_owned()));
    roster.raw.push(("roles.csv", "tina,N,coach,perhaps".to_owned()));
    roster.raw.push(("users.csv", "tina,other@school.example,G,F,,,".to_owned()));
    let world = World::new();
    world.rules.replace(vec![world::rule("students", sync::SourceIdentifier::Email, sync::MatchTarget::Mail)]);
    for person in ["sara", "sam"] {
        roster.person(person).email = "one@school.example".to_owned();
    }
    world.account_of("one", "one@x.example", Some("one@school.example"));
    let ran = world.good(&roster);
    let mut codes: Vec<String> = ran.findings().into_iter().map(|(code, _)| code).collect();
    codes.sort();
    let expected = [
        "ConflictingDuplicate",
        "DuplicateMatch",
        "DuplicateMatch",
        "InvalidOptionalValue",
        "InvalidReferenceCode",
        "PersonNotMatched",
        "PersonNotMatched",
        "PersonNotMatched",
        "PersonNotMatched",
        "ReferenceNotFound",
    ];
    assert_eq!(codes, expected);
    assert_eq!((ran.total("errors"), ran.total("warnings")), (&json!(5), &json!(1)));
    assert_eq!(ran.outcome.status, "completedWithErrors");
}

#[test]
fn a_warning_alone_makes_a_run_complete_with_warnings() {
    let mut roster = school();
    roster.raw.push(("roles.csv", "tina,N,coach,perhaps".to_owned()));
    let ran = World::new().good(&roster);
    assert_eq!(ran.outcome.status, "completedWithWarnings");
    assert_eq!(ran.outcome.inbound[SIS], "completedWithWarnings");
}

#[test]
fn totals_are_sums_over_the_sources_and_a_source_without_files_is_skipped() {
    let (mut north, mut south) = (Roster::of(&["N"]), Roster::of(&["S", "T"]));
    north.has("tina", "teacher", "N").has("sara", "student", "N");
    south.has("theo", "teacher", "S").raw.push(("roles.csv", "nobody,S,teacher,".to_owned()));
    let world = World::new();
    world.accounts(["tina", "theo"]);
    let spec = world.spec(&[("n", Some(&north)), ("s", Some(&south)), ("new", None)]);
    let ran = world.finish(spec, &Ports::new(&world));
    assert_eq!((ran.total("organizations"), ran.total("people"), ran.total("errors")), (&json!(3), &json!(3), &json!(1)));
    assert_eq!(ran.total("matchedPeopleByRole"), &json!([{ "role": "teacher", "count": 2 }]));
    let statuses: Vec<(&str, &str)> = ran.outcome.inbound.iter().map(|(flow, status)| (flow.as_str(), status.as_str())).collect();
    assert_eq!(statuses, [("n", "completed"), ("new", "skipped"), ("s", "completedWithErrors")]);
    assert_eq!(ran.outcome.statistics["activityStatistics"][2]["people"], metric(0, 0));
}
