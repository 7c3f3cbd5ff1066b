//! A dry run: the plan and nothing else (decision 32).

use super::*;
use crate::world::{Ports, SIS};
use directory::OpRecord;
use sync::{Step, advance, preview};

fn roster() -> Roster {
    let mut roster = Roster::of(&["N"]);
    roster.has("tina", "teacher", "N");
    for n in 0..40 {
        roster.has(&format!("s{n}"), "student", "N");
    }
    roster
}

fn operations(path: &std::path::Path) -> Vec<OpRecord> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_preview_says_what_a_run_would_do_and_touches_nothing() {
    let (roster, world) = (roster(), World::new());
    world.accounts_for(&roster);
    let spec = world.spec(&[(SIS, Some(&roster))]);
    let ports = Ports::new(&world);
    let seen = preview(&spec, &ports).unwrap().unwrap();
    assert_eq!((seen.summary.create_groups, seen.summary.add_members, seen.summary.remove_members), (4, 82, 0));
    assert_eq!((seen.summary.operations, seen.blocked), (86, None));
    assert_eq!(seen.statistics["inboundTotals"]["people"], 41);
    let planned = operations(&seen.plan);
    assert_eq!(planned.len(), 86);
    assert_eq!((world.groups().len(), world.ledger().len(), world.effects().len(), ports.written()), (0, 0, 0, 0));
    assert!(!ports.steps.borrow().contains_key(Step::Apply.name()));
    // Asked again, it says the same; gone on with, it does just that.
    let again = preview(&spec, &ports).unwrap().unwrap();
    assert_eq!(again.summary.hash, seen.summary.hash);
    let ran = world.finish(spec, &ports);
    assert_eq!((ran.plan, ran.written), (planned, 86));
}

#[test]
fn a_preview_says_what_would_stop_the_run() {
    let (mut roster, world) = (roster(), World::new());
    world.accounts_for(&roster);
    world.guard.set(sync::Guard { max_drop_percent: 20.0, max_drop_count: 10, max_error_percent: 10.0 });
    world.good(&roster);
    for n in 0..20 {
        roster.leaves(&format!("s{n}"));
    }
    let spec = world.spec(&[(SIS, Some(&roster))]);
    let seen = preview(&spec, &Ports::new(&world)).unwrap().unwrap();
    assert_eq!(seen.blocked.unwrap().code, "SafetyThresholdExceeded");
    assert_eq!(seen.summary.remove_members, 40);
    std::fs::write(&spec.inbound[0].files[0].path, "").unwrap();
    let outcome = preview(&spec, &Ports::new(&world)).unwrap().unwrap_err();
    assert_eq!(outcome.blocked.unwrap().code, "EmptyFile");
}

#[test]
fn what_was_previewed_is_not_applied_to_a_directory_that_has_changed_since() {
    let (roster, world) = (roster(), World::new());
    world.accounts_for(&roster);
    let spec = world.spec(&[(SIS, Some(&roster))]);
    let ports = Ports::new(&world);
    preview(&spec, &ports).unwrap().unwrap();
    // Another run comes first.
    world.good(&roster);
    let outcome = advance(&spec, &ports).unwrap();
    assert_eq!((outcome.blocked.unwrap().code.as_str(), ports.written()), ("DirectoryChanged", 0));
}
