//! Two days of a district, person by person, and the day after.

use super::*;
use crate::world::{Ports, SIS};
use serde_json::json;

/// Elm, Oak and Ash with thirty-one people, all but one of whom have accounts.
fn day_1() -> Roster {
    let mut day = Roster::of(&["ELM", "OAK", "ASH"]);
    day.has("pam", "principal", "ELM").has("paul", "principal", "OAK").has("peg", "principal", "ASH");
    day.has("tina", "teacher", "ELM").has("tom", "teacher", "ELM").has("theo", "teacher", "OAK").has("tess", "teacher", "ASH");
    // Teaches at two schools; helps and studies; is somebody's mother.
    day.has("ted", "teacher", "OAK").has("ted", "teacher", "ASH");
    day.has("sid", "student", "OAK").has("sid", "aide", "ELM");
    day.has("mum", "other", "ELM");
    for student in ["e1", "e2", "e3", "e4", "e5"] {
        day.has(student, "student", "ELM");
    }
    for student in ["o1", "o2", "o3", "o4"] {
        day.has(student, "student", "OAK");
    }
    for student in ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12"] {
        day.has(student, "student", "ASH");
    }
    day
}

/// What has happened since: in each line, who.
fn day_2() -> Roster {
    let mut day = day_1();
    // Left: a teacher, a student, one nobody had an account for.
    day.leaves("tom").leaves("e1").leaves("o4");
    // Came: a teacher, two students.
    day.has("tara", "teacher", "OAK").has("e6", "student", "ELM").has("o5", "student", "OAK");
    // Moved from one school to the other.
    day.moves("e2", "ELM", "OAK").moves("theo", "OAK", "ELM");
    // Was a student, is an aide now; was an aide beside, is not any more.
    day.loses("e3", "student", "ELM").has("e3", "aide", "ELM").loses("sid", "aide", "ELM");
    // Another role of the same group.
    day.loses("tina", "teacher", "ELM").has("tina", "coach", "ELM");
    // Oak has a new name.
    day.orgs.insert("OAK".to_owned(), "Royal Oak".to_owned());
    // Ash is closed; one of its teachers stays at Oak, one student goes to Elm.
    day.orgs.remove("ASH");
    day.leaves("peg").leaves("tess").loses("ted", "teacher", "ASH").moves("a1", "ASH", "ELM");
    for student in ["a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12"] {
        day.leaves(student);
    }
    day
}

#[test]
fn the_second_day_asks_because_of_the_closed_school_and_then_does_exactly_what_has_happened() {
    let world = World::new();
    world.guard.set(sync::Guard { max_drop_percent: 20.0, max_drop_count: 10, max_error_percent: 10.0 });
    world.accounts(day_1().people.keys().chain(day_2().people.keys()).filter(|id| *id != "o4").collect::<std::collections::BTreeSet<_>>());
    world.make_by_hand("chess", "Chess");
    world.put_by_hand("chess", "e1");

    let ran = world.good(&day_1());
    let first = sets(&[
        ("SecurityGroup_staff", &["pam", "paul", "peg", "tina", "tom", "theo", "tess", "ted", "sid"]),
        (
            "SecurityGroup_students",
            &[
                "sid", "e1", "e2", "e3", "e4", "e5", "o1", "o2", "o3", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11",
                "a12",
            ],
        ),
        ("SecurityGroup_staff_ELM", &["pam", "tina", "tom", "sid"]),
        ("SecurityGroup_staff_OAK", &["paul", "theo", "ted"]),
        ("SecurityGroup_staff_ASH", &["peg", "tess", "ted"]),
        ("SecurityGroup_students_ELM", &["e1", "e2", "e3", "e4", "e5"]),
        ("SecurityGroup_students_OAK", &["sid", "o1", "o2", "o3"]),
        ("SecurityGroup_students_ASH", &["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12"]),
        ("chess", &["e1"]),
    ]);
    assert_eq!(world.members(), first);
    assert_eq!((ran.written, ran.total("people")), (8 + 9 + 21 + 10 + 21, &json!(31)));
    // Put there by hand on the way: stays, whatever the export says.
    world.put_by_hand("SecurityGroup_staff_ASH", "e5");

    // The closed school is more than a school may lose unasked.
    let spec = world.spec(&[(SIS, Some(&day_2()))]);
    let ports = Ports::new(&world);
    let before = (world.groups(), world.ledger());
    let ran = world.finish(spec.clone(), &ports);
    assert_eq!((ran.blocked(), ran.outcome.approvable, ran.written), ("SafetyThresholdExceeded", true, 0));
    let message = &ran.outcome.blocked.as_ref().unwrap().message;
    assert!(message.contains("of 31 people would go"), "{message}");
    assert_eq!((world.groups(), world.ledger()), before);
    let preview = ran.effects();

    let ports = Ports::taken_up(&world, ports.steps.take());
    ports.approved.set(true);
    let ran = world.finish(spec, &ports);
    let mut expected = vec![
        // Left.
        "- SecurityGroup_staff tom",
        "- SecurityGroup_staff_ELM tom",
        "- SecurityGroup_students e1",
        "- SecurityGroup_students_ELM e1",
        // Came.
        "+ SecurityGroup_staff tara",
        "+ SecurityGroup_staff_OAK tara",
        "+ SecurityGroup_students e6",
        "+ SecurityGroup_students_ELM e6",
        "+ SecurityGroup_students o5",
        "+ SecurityGroup_students_OAK o5",
        // Moved.
        "- SecurityGroup_students_ELM e2",
        "+ SecurityGroup_students_OAK e2",
        "- SecurityGroup_staff_OAK theo",
        "+ SecurityGroup_staff_ELM theo",
        // Other roles.
        "- SecurityGroup_students e3",
        "- SecurityGroup_students_ELM e3",
        "+ SecurityGroup_staff e3",
        "+ SecurityGroup_staff_ELM e3",
        "- SecurityGroup_staff sid",
        "- SecurityGroup_staff_ELM sid",
        // A new name.
        "name SecurityGroup_staff_OAK Staff - Royal Oak",
        "name SecurityGroup_students_OAK Students - Royal Oak",
        // Ash.
        "- SecurityGroup_staff peg",
        "- SecurityGroup_staff tess",
        "- SecurityGroup_staff_ASH peg",
        "- SecurityGroup_staff_ASH ted",
        "- SecurityGroup_staff_ASH tess",
        "- SecurityGroup_students_ASH a1",
        "+ SecurityGroup_students_ELM a1",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain((2..=12).flat_map(|n| [format!("- SecurityGroup_students a{n}"), format!("- SecurityGroup_students_ASH a{n}")]))
    .collect::<Vec<_>>();
    expected.sort();
    assert_eq!(ran.effects(), expected);
    assert_eq!(preview, expected, "what was previewed is what was applied");
    assert_eq!((ran.outcome.status.as_str(), ran.written), ("completed", expected.len() as u64));
    let second = sets(&[
        ("SecurityGroup_staff", &["pam", "paul", "tina", "theo", "ted", "tara", "e3"]),
        ("SecurityGroup_students", &["sid", "e2", "e4", "e5", "e6", "o1", "o2", "o3", "o5", "a1"]),
        ("SecurityGroup_staff_ELM", &["pam", "tina", "theo", "e3"]),
        ("SecurityGroup_staff_OAK", &["paul", "ted", "tara"]),
        ("SecurityGroup_staff_ASH", &["e5"]),
        ("SecurityGroup_students_ELM", &["e4", "e5", "e6", "a1"]),
        ("SecurityGroup_students_OAK", &["sid", "e2", "o1", "o2", "o3", "o5"]),
        ("SecurityGroup_students_ASH", &[]),
        ("chess", &["e1"]),
    ]);
    assert_eq!(world.members(), second);
    let statistics = &ran.outcome.statistics["activityStatistics"][0];
    assert_eq!(statistics["people"], json!({ "active": 18, "inactive": 16, "total": 34 }));
    assert_eq!(statistics["organizations"], json!({ "active": 2, "inactive": 1, "total": 3 }));

    // The same export again.
    let audit = world.effects();
    let ran = world.good(&day_2());
    assert_eq!((ran.effects(), ran.written), (Vec::new(), 0));
    assert_eq!((world.members(), world.effects()), (second, audit));
}
