//! When a run stops and asks (decisions 22 and 23).

use super::*;
use crate::world::{Ports, Ran, SIS};
use sync::{Guard, advance};

const USUAL: Guard = Guard { max_drop_percent: 20.0, max_drop_count: 10, max_error_percent: 25.0 };

/// So many students at North, by number, and one teacher, all with accounts.
fn students(numbers: std::ops::Range<u32>) -> Roster {
    let mut roster = Roster::of(&["N", "S"]);
    roster.has("tina", "teacher", "N");
    for n in numbers {
        roster.has(&format!("s{n:03}"), "student", "N");
    }
    roster
}

fn world() -> World {
    let world = World::new();
    world.guard.set(USUAL);
    world.accounts((0..200).map(|n| format!("s{n:03}")));
    world.account("tina");
    world
}

/// A run that was stopped: nothing has changed.
fn stopped(world: &World, ran: &Ran, code: &str, before: &world::Groups) {
    assert_eq!(ran.blocked(), code);
    assert_eq!(ran.outcome.status, "failed");
    assert_eq!((ran.written, &world.groups()), (0, before));
    let message = &ran.outcome.blocked.as_ref().unwrap().message;
    assert!(message.contains("Nothing was changed"), "{message}");
}

#[test]
fn a_drop_needs_both_share_and_number_to_stop_a_run() {
    // With the teacher: 100 people to 80 are not above 20 %, 41 to 31 are not above ten.
    for (before, after, stops) in [(99, 80, false), (99, 79, false), (99, 78, true), (29, 19, false), (40, 30, false), (49, 37, true)] {
        let world = world();
        world.flows.borrow_mut()[0].by_org_and_role_group = false;
        world.good(&students(0..before));
        let ran = world.run(&students(0..after));
        assert_eq!(ran.outcome.blocked.is_some(), stops, "from {before} to {after} students: {:?}", ran.outcome.blocked);
    }
}

#[test]
fn the_limits_are_those_of_the_tenant() {
    for (guard, stops) in [
        (Guard { max_drop_percent: 50.0, ..USUAL }, false),
        (Guard { max_drop_count: 100, ..USUAL }, false),
        (Guard { max_drop_percent: 1.0, max_drop_count: 1, ..USUAL }, true),
    ] {
        let world = world();
        world.guard.set(guard);
        world.good(&students(0..100));
        assert_eq!(world.run(&students(0..55)).outcome.blocked.is_some(), stops);
    }
}

#[test]
fn a_stopped_run_says_the_numbers_and_changes_nothing_until_it_is_approved() {
    let world = world();
    world.good(&students(0..99));
    let before = world.groups();
    let spec = world.spec(&[(SIS, Some(&students(0..49)))]);
    let ports = Ports::new(&world);
    let ran = world.finish(spec.clone(), &ports);
    stopped(&world, &ran, "SafetyThresholdExceeded", &before);
    assert!(ran.outcome.approvable);
    let message = ran.outcome.blocked.unwrap().message;
    assert!(message.contains("50 of 100 people would go (50.0 %)"), "{message}");
    assert!(message.contains("100 of 200 memberships would go (50.0 %)"), "{message}");
    assert_eq!(ran.outcome.inbound[SIS], "completed", "reading went well");
    assert_eq!(ran.outcome.statistics["inboundTotals"]["people"], 50, "and what was read is told");
    // Taken up without approval, it is still stopped.
    let ports = Ports::taken_up(&world, ports.steps.take());
    let ran = world.finish(spec.clone(), &ports);
    stopped(&world, &ran, "SafetyThresholdExceeded", &before);
    let ports = Ports::taken_up(&world, ports.steps.take());
    ports.approved.set(true);
    let ran = world.finish(spec, &ports);
    assert_eq!((ran.outcome.status.as_str(), ran.written), ("completed", 100));
    // The approval was for that very run: the same data are now what the next run is compared with.
    assert_eq!(world.good(&students(0..49)).written, 0);
}

#[test]
fn the_next_run_is_compared_with_the_last_good_one_and_not_with_a_stopped_one() {
    let world = world();
    world.good(&students(0..99));
    assert_eq!(world.run(&students(0..49)).blocked(), "SafetyThresholdExceeded");
    assert_eq!(world.run(&students(0..49)).blocked(), "SafetyThresholdExceeded");
    assert_eq!(world.good(&students(0..98)).written, 2);
}

#[test]
fn an_approval_that_comes_after_another_run_does_not_apply_what_was_planned_before_it() {
    let world = world();
    world.good(&students(0..99));
    let bad = world.spec(&[(SIS, Some(&students(0..49)))]);
    let ports = Ports::new(&world);
    advance(&bad, &ports).unwrap();
    // The data are mended, and the run over them is good.
    world.good(&students(0..100));
    let before = world.groups();
    let ports = Ports::taken_up(&world, ports.steps.take());
    ports.approved.set(true);
    let ran = world.finish(bad, &ports);
    stopped(&world, &ran, "DirectoryChanged", &before);
    assert!(!ran.outcome.approvable);
}

#[test]
fn an_approved_run_that_is_killed_goes_on_to_its_end() {
    for place in ["before-guard", "after-guard", "between-batches", "before-statistics"] {
        let world = world();
        world.good(&students(0..99));
        let spec = world.spec(&[(SIS, Some(&students(0..49)))]);
        let ports = Ports::new(&world);
        assert!(advance(&spec, &ports).unwrap().approvable);
        let mut ports = Ports::taken_up(&world, ports.steps.take());
        ports.approved.set(true);
        ports.fail_at = Some((place.to_owned(), 1));
        advance(&spec, &ports).unwrap_err();
        let before = ports.written();
        let ports = Ports::taken_up(&world, ports.steps.take());
        ports.approved.set(true);
        let ran = world.finish(spec, &ports);
        assert_eq!((ran.outcome.status.as_str(), before + ran.written), ("completed", 100), "{place}");
    }
}

#[test]
fn people_who_lose_their_accounts_are_a_drop_of_memberships() {
    let world = world();
    world.good(&students(0..99));
    for n in 0..60 {
        world.write(move |tx| directory::embedded::graph::user_delete(tx, &format!("s{n:03}")));
    }
    let before = world.groups();
    let ran = world.run(&students(0..99));
    stopped(&world, &ran, "SafetyThresholdExceeded", &before);
    assert!(!ran.outcome.blocked.unwrap().message.contains("people"));
}

#[test]
fn an_option_or_a_flow_that_is_new_does_not_hide_a_drop() {
    for flows in [vec![flow("f", true, true)], vec![flow("f", true, false), flow("g", true, true)]] {
        let world = world();
        world.flows.replace(vec![flow("f", true, false)]);
        // The people of the export stay as many: only the matching goes wrong.
        world.good(&students(0..100));
        let mut renamed = students(0..100);
        for n in 0..50 {
            renamed.person(&format!("s{n:03}")).username = format!("x{n:03}@school.example");
        }
        world.flows.replace(flows);
        let ran = world.run(&renamed);
        assert_eq!(ran.blocked(), "SafetyThresholdExceeded");
    }
}

#[test]
fn a_school_that_is_gone_is_a_drop_of_groups_when_there_are_many() {
    let schools: Vec<String> = (10..60).map(|n| format!("O{n}")).collect();
    let mut roster = students(0..1);
    for (n, school) in schools.iter().enumerate() {
        roster.orgs.insert(school.clone(), school.clone());
        roster.has(&format!("s{:03}", n + 1), "student", school);
    }
    let world = world();
    world.flows.replace(vec![flow("f", false, true)]);
    world.good(&roster);
    // All of them change to one school: nobody is lost, but forty groups.
    for role in &mut roster.roles[2..42] {
        "O59".clone_into(&mut role.org);
    }
    let ran = world.run(&roster);
    let message = ran.outcome.blocked.unwrap().message;
    assert!(message.contains("40 of 52 groups in use would go") && !message.contains("people"), "{message}");
}

#[test]
fn a_first_run_has_nothing_to_lose() {
    assert_eq!(world().good(&students(0..1)).outcome.status, "completed");
}

#[test]
fn too_many_rows_in_error_stop_even_a_first_run() {
    let world = world();
    let mut roster = students(0..10);
    // 2 organizations, 11 people, 11 roles; the ninth bad row makes more than a quarter.
    for n in 0..8 {
        roster.raw.push(("roles.csv", format!("nobody{n},N,teacher,")));
    }
    let ran = world.good(&roster);
    assert_eq!((ran.outcome.status.as_str(), ran.total("errors")), ("completedWithErrors", &serde_json::json!(8)));
    roster.raw.push(("roles.csv", "nobody8,N,teacher,".to_owned()));
    let before = world.groups();
    let ran = world.run(&roster);
    stopped(&world, &ran, "SafetyThresholdExceeded", &before);
    assert!(ran.outcome.approvable);
    let message = ran.outcome.blocked.unwrap().message;
    assert!(message.contains("9 of 33 rows are in error (27.3 %)"), "{message}");
}

#[test]
fn an_export_of_other_people_stops_the_run_however_many_they_are() {
    let world = world();
    world.good(&students(0..100));
    let before = world.groups();
    let ran = world.run(&students(100..200));
    stopped(&world, &ran, "SafetyThresholdExceeded", &before);
    let message = ran.outcome.blocked.unwrap().message;
    assert!(message.contains("100 of 101 people would go (99.0 %)"), "{message}");
    assert!(message.contains("memberships would go (99.0 %)"), "{message}");
}

#[test]
fn a_file_of_the_last_accepted_set_that_is_missing_stops_the_run() {
    let world = world();
    let mut roster = students(0..20);
    roster.enrolled("math", "N", &["s001"]);
    world.good(&roster);
    let before = world.groups();
    let ran = world.run(&students(0..20));
    stopped(&world, &ran, "FileMissingFromSet", &before);
    let message = ran.outcome.blocked.unwrap().message;
    assert!(message.contains("classes.csv, enrollments.csv") && message.contains("Source sis"), "{message}");
    // A file that comes for the first time is welcome.
    let world = self::world();
    world.good(&students(0..20));
    world.good(&roster);
}

#[test]
fn a_new_set_of_files_is_approved_by_its_own_code_and_the_guard_asks_again() {
    let world = world();
    let mut roster = students(0..40);
    roster.enrolled("math", "N", &["s001"]);
    world.good(&roster);
    let before = world.groups();
    let spec = world.spec(&[(SIS, Some(&students(0..20)))]);
    let ports = Ports::new(&world);
    let ran = world.finish(spec.clone(), &ports);
    stopped(&world, &ran, "FileMissingFromSet", &before);
    assert!(ran.outcome.approvable);
    ports.approved.set(true);
    ports.approved_code.set(Some("FileMissingFromSet"));
    let ran = world.finish(spec.clone(), &ports);
    stopped(&world, &ran, "SafetyThresholdExceeded", &before);
    ports.approved_code.set(None);
    assert_eq!(world.finish(spec, &ports).blocked(), "");
    assert_ne!(world.groups(), before);
}

#[test]
fn a_source_that_has_lost_all_its_files_stops_the_run_and_nobody_is_let_go() {
    let (north, south) = (students(0..20), students(20..25));
    let world = world();
    let spec = world.spec(&[("n", Some(&north)), ("s", Some(&south))]);
    world.finish(spec, &Ports::new(&world));
    let before = world.groups();
    let spec = world.spec(&[("n", Some(&north)), ("s", None)]);
    let ran = world.finish(spec, &Ports::new(&world));
    stopped(&world, &ran, "FileMissingFromSet", &before);
    // A source that never had any is waited for.
    let spec = world.spec(&[("n", Some(&north)), ("s", Some(&south)), ("new", None)]);
    let ran = world.finish(spec, &Ports::new(&world));
    assert_eq!((ran.blocked(), ran.written), ("", 0));
    assert_eq!(ran.outcome.inbound["new"], "skipped");
}

#[test]
fn without_any_upload_there_is_nothing_to_do_and_nothing_is_done() {
    let world = world();
    let spec = world.spec(&[(SIS, None)]);
    let ran = world.finish(spec, &Ports::new(&world));
    assert_eq!((ran.blocked(), ran.outcome.approvable), ("NoData", false));
}

#[test]
fn a_source_that_is_empty_or_broken_changes_nothing() {
    let world = world();
    world.good(&students(0..20));
    let before = world.groups();
    let good = students(0..20);
    let broken: [(&str, &[u8], &str); 6] = [
        ("users.csv", b"", "EmptyFile"),
        ("users.csv", b"sourcedId,username,givenName,familyName\n", "EmptyFile"),
        ("roles.csv", b"userSourcedId,orgSourcedId,role,isPrimary\nx,y,z,\n", "EmptyFile"),
        ("orgs.csv", b"", "EmptyFile"),
        ("orgs.csv", b"\xff\xfe\xff", "EmptyFile"),
        ("roles.csv", b"userSourcedId,orgSourcedId\ns001,N\n", "HeaderNotFound"),
    ];
    for (name, bytes, code) in broken {
        let spec = world.spec(&[(SIS, Some(&good))]);
        let file = spec.inbound[0].files.iter().find(|file| file.name == name).unwrap();
        std::fs::write(&file.path, bytes).unwrap();
        let ran = world.finish(spec, &Ports::new(&world));
        stopped(&world, &ran, code, &before);
        assert!(!ran.outcome.approvable, "nobody can approve a broken file");
        assert_eq!(ran.outcome.inbound[SIS], "failed");
    }
    let spec = world.spec(&[(SIS, Some(&good))]);
    std::fs::remove_file(&spec.inbound[0].files[1].path).unwrap();
    let ran = world.finish(spec, &Ports::new(&world));
    stopped(&world, &ran, "FileUnreadable", &before);
    assert_eq!(world.good(&good).written, 0);
}

#[test]
fn one_broken_source_stops_the_whole_run() {
    let (north, south) = (students(0..20), students(20..25));
    let world = world();
    let spec = world.spec(&[("n", Some(&north)), ("s", Some(&south))]);
    std::fs::write(&spec.inbound[0].files[0].path, "").unwrap();
    let ran = world.finish(spec, &Ports::new(&world));
    assert!(ran.outcome.blocked.is_some() && world.groups().is_empty());
}
