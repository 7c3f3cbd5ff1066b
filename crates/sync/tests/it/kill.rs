//! A run that is killed, anywhere, and taken up again ends as if nothing had happened.

use super::*;
use crate::world::{Groups, Ports, SIS};
use serde_json::Value;
use std::collections::BTreeMap;
use sync::{FAILPOINTS, Outcome, RunError, advance};

/// Everything that a run leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    outcome: Outcome,
    groups: Groups,
    ledger: Vec<[String; 4]>,
    effects: Vec<[String; 3]>,
    steps: BTreeMap<String, Value>,
    written: u64,
}

/// Enough people for more than two batches of effects: leavers, joiners, a school that changes its name,
/// somebody who is refused nothing and somebody who was there before.
fn two_days() -> (Roster, Roster) {
    let mut first = Roster::of(&["N", "S"]);
    for n in 0..500 {
        first.has(&format!("p{n:03}"), if n % 10 == 0 { "teacher" } else { "student" }, if n % 2 == 0 { "N" } else { "S" });
    }
    first.enrolled("math", "N", &["p001", "p002", "p003"]);
    let mut second = first.clone();
    second.orgs.insert("S".to_owned(), "New South".to_owned());
    for n in 0..100 {
        second.leaves(&format!("p{n:03}"));
    }
    for n in 500..1_600 {
        second.has(&format!("p{n:03}"), "student", "S");
    }
    second.raw.push(("roles.csv", "nobody,N,teacher,".to_owned()));
    (first, second)
}

/// A world after its first day.
fn after(first: &Roster) -> World {
    let world = World::new();
    // Not everybody has an account.
    world.accounts((0..1_600).filter(|n| n % 50 != 7).map(|n| format!("p{n:03}")));
    world.good(first);
    world.put_by_hand("SecurityGroup_students", "p600");
    world
}

/// The second day, killed at a place as often as is said, and taken up each time by somebody who knows
/// only what is on disk.
fn second_day(first: &Roster, second: &Roster, kills: &[(&str, u32)]) -> Left {
    let world = after(first);
    let spec = world.spec(&[(SIS, Some(second))]);
    let before = world.effects().len();
    let mut written = 0;
    let mut steps = BTreeMap::new();
    for (place, time) in kills {
        let mut ports = Ports::taken_up(&world, steps);
        ports.fail_at = Some(((*place).to_owned(), *time));
        let error = advance(&spec, &ports).expect_err(place);
        assert!(matches!(&error, RunError::Interrupted(at) if at.ends_with(place)), "{place}: {error}");
        written += ports.written();
        steps = ports.steps.take();
        drop(ports);
        world.restart();
    }
    let ports = Ports::taken_up(&world, steps);
    let outcome = advance(&spec, &ports).unwrap();
    written += ports.written();
    let steps = ports.steps.take();
    let left = Left { outcome, groups: world.groups(), ledger: world.ledger(), effects: world.effects(), steps, written };
    assert_eq!(left.effects.len() - before, usize::try_from(written).unwrap(), "each effect stands in the audit log once");
    // Whoever comes next finds nothing to do.
    let ran = world.ended(spec, left.outcome.clone(), &ports);
    let next = world.good(second);
    assert_eq!((ran.plan.is_empty(), next.effects(), next.written), (false, Vec::new(), 0));
    left
}

#[test]
fn every_failpoint_that_is_named_is_met_and_no_other() {
    let (first, second) = two_days();
    let world = after(&first);
    let ports = Ports::new(&world);
    let spec = world.spec(&[(SIS, Some(&second))]);
    world.finish(spec, &ports);
    let mut named = FAILPOINTS.to_vec();
    named.sort_unstable();
    assert_eq!(ports.met.borrow().keys().map(String::as_str).collect::<Vec<_>>(), named);
}

#[test]
fn a_finished_run_that_is_taken_up_once_more_says_the_same_and_does_nothing() {
    let (first, _) = two_days();
    let world = World::new();
    world.accounts_for(&first);
    let ports = Ports::new(&world);
    let spec = world.spec(&[(SIS, Some(&first))]);
    let outcome = advance(&spec, &ports).unwrap();
    let again = Ports::taken_up(&world, ports.steps.take());
    assert_eq!(advance(&spec, &again).unwrap(), outcome);
    assert_eq!(again.written(), 0);
}

#[test]
fn a_plan_file_that_is_not_the_one_that_was_planned_is_not_applied() {
    let (first, _) = two_days();
    let world = World::new();
    world.accounts_for(&first);
    let mut ports = Ports::new(&world);
    ports.fail_at = Some(("after-guard".to_owned(), 1));
    let spec = world.spec(&[(SIS, Some(&first))]);
    advance(&spec, &ports).unwrap_err();
    let plan = spec.work_dir.join("plan.jsonl");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replacen("p001", "p002", 1)).unwrap();
    let ports = Ports::taken_up(&world, ports.steps.take());
    let error = advance(&spec, &ports).unwrap_err();
    assert!(error.to_string().contains("plan.jsonl"), "{error}");
    assert!(world.groups().is_empty());
}

#[test]
fn a_run_whose_directory_has_changed_while_nobody_worked_on_it_changes_nothing() {
    let (first, second) = two_days();
    let world = after(&first);
    let mut ports = Ports::new(&world);
    ports.fail_at = Some(("after-plan".to_owned(), 1));
    let spec = world.spec(&[(SIS, Some(&second))]);
    advance(&spec, &ports).unwrap_err();
    world.take_out_by_hand("SecurityGroup_staff", "p200");
    let before = world.groups();
    let ports = Ports::taken_up(&world, ports.steps.take());
    let ran = world.finish(spec, &ports);
    assert_eq!((ran.blocked(), ran.outcome.approvable, world.groups()), ("DirectoryChanged", false, before));
    // The next run plans for the directory as it is.
    world.good(&second);
    assert!(world.members()["SecurityGroup_staff"].contains("p200"));
}

#[test]
fn a_run_that_was_killed_amid_its_writes_goes_on_whatever_has_changed_meanwhile() {
    let (first, second) = two_days();
    let world = after(&first);
    let mut ports = Ports::new(&world);
    ports.fail_at = Some(("between-batches".to_owned(), 1));
    let spec = world.spec(&[(SIS, Some(&second))]);
    advance(&spec, &ports).unwrap_err();
    world.take_out_by_hand("SecurityGroup_staff", "p200");
    let ports = Ports::taken_up(&world, ports.steps.take());
    assert_eq!(world.finish(spec, &ports).blocked(), "");
}

mod thorough {
    use super::*;

    #[test]
    fn a_run_that_is_killed_anywhere_ends_like_one_that_was_not() {
        let (first, second) = two_days();
        let undisturbed = second_day(&first, &second, &[]);
        let batches = u32::try_from(undisturbed.steps["apply"]["operations"].as_u64().unwrap().div_ceil(1_000)).unwrap();
        assert!(batches >= 3, "there is something between batches: {batches}");
        assert_eq!(undisturbed.outcome.status, "completedWithErrors", "the day has an error to count");
        let places =
            FAILPOINTS.iter().flat_map(|place| (1..=if *place == "between-batches" { batches } else { 1 }).map(|time| (*place, time)));
        for kill in places {
            let disturbed = second_day(&first, &second, &[kill]);
            assert!(disturbed == undisturbed, "killed at {kill:?}: {disturbed:#?}");
        }
    }

    #[test]
    fn a_run_that_is_killed_again_and_again_comes_to_its_end_all_the_same() {
        let (first, second) = two_days();
        let kills = [
            ("before-snapshot", 1),
            ("before-snapshot", 1),
            ("after-match", 1),
            ("before-plan", 1),
            ("between-batches", 1),
            ("between-batches", 1),
            ("before-statistics", 1),
        ];
        assert!(second_day(&first, &second, &kills) == second_day(&first, &second, &[]));
    }
}
