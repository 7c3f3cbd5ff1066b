//! Sources that a run asks for their files before it looks at anything.

use super::*;
use crate::world::{Ports, SIS};
use sync::{Blocked, Pull, RunError, RunSpec, advance};

/// A specification whose only source is to be pulled, and ports that bring the files that it would have had.
fn pulled(world: &World, roster: &Roster) -> (RunSpec, Ports) {
    let mut spec = world.spec(&[(SIS, Some(roster))]);
    let mut ports = Ports::new(world);
    let inbound = &mut spec.inbound[0];
    inbound.pull = Some("connector".to_owned());
    let files = std::mem::take(&mut inbound.files);
    ports.brings.insert(SIS.to_owned(), Pull::Files { files, remarks: 2, how: "in full".to_owned() });
    (spec, ports)
}

fn district() -> Roster {
    let mut roster = Roster::of(&["N"]);
    roster.has("ann", "student", "N");
    roster.has("bob", "teacher", "N");
    roster
}

fn world() -> World {
    let world = World::new();
    world.accounts_for(&district());
    world
}

#[test]
fn what_is_pulled_is_what_the_run_works_on() {
    let world = world();
    let (spec, ports) = pulled(&world, &district());
    let ran = world.finish(spec, &ports);
    assert_eq!((ran.outcome.blocked.as_ref(), ran.outcome.status.as_str()), (None, "completedWithWarnings"), "the remarks are warnings");
    assert_eq!(world.groups()["SecurityGroup_students"].1, ["ann".to_owned()].into());
    assert_eq!(ran.outcome.files[SIS], ["orgs.csv", "users.csv", "roles.csv"]);
    // The next pull is held against this one: a collection that is gone stops the run.
    let (spec, mut ports) = pulled(&world, &district());
    if let Some(Pull::Files { files, .. }) = ports.brings.get_mut(SIS) {
        files.retain(|file| file.name != "roles.csv");
    }
    let ran = world.finish(spec, &ports);
    assert_eq!(ran.outcome.blocked.unwrap().code, "FileMissingFromSet");
}

#[test]
fn a_pull_that_fails_changes_nothing_and_says_why() {
    let world = world();
    world.good(&district());
    let before = (world.groups(), world.ledger());
    let (spec, mut ports) = pulled(&world, &district());
    let why = Blocked { code: "ProviderBusy".to_owned(), message: "users: it answers 503.".to_owned() };
    ports.brings.insert(SIS.to_owned(), Pull::Failed(why));
    let ran = world.finish(spec, &ports);
    let blocked = ran.outcome.blocked.unwrap();
    assert_eq!(blocked.code, "ProviderBusy");
    assert_eq!(blocked.message, format!("Nothing was changed: 'Source {SIS}' could not be pulled. users: it answers 503."));
    assert_eq!((ran.outcome.status.as_str(), ran.outcome.approvable, ran.plan.len(), ran.written), ("failed", false, 0, 0));
    assert_eq!((world.groups(), world.ledger()), before);
    // The next one, with files, finds everything as it was.
    let (spec, ports) = pulled(&world, &district());
    assert_eq!(world.finish(spec, &ports).outcome.blocked, None);
}

const OTHER: &str = "other";

/// Two sources that are pulled. The second one brings the files of `other`, or why it cannot.
fn two(world: &World, first: &Roster, other: Result<&Roster, &str>, before: Option<&Roster>) -> (RunSpec, Ports) {
    let mut spec = world.spec(&[(SIS, Some(first)), (OTHER, other.ok().or(before))]);
    let mut ports = Ports::new(world);
    for inbound in &mut spec.inbound {
        inbound.pull = Some(format!("connector of {}", inbound.flow_id));
        let files = inbound.files.clone();
        let brings = match other {
            Err(why) if inbound.flow_id == OTHER => Pull::Failed(Blocked { code: "ProviderBusy".to_owned(), message: why.to_owned() }),
            _ => Pull::Files { files, remarks: 0, how: "in full".to_owned() },
        };
        ports.brings.insert(inbound.flow_id.clone(), brings);
    }
    (spec, ports)
}

#[test]
fn a_source_that_is_down_keeps_its_people_and_holds_no_other_one_back() {
    let world = world();
    world.account("cem");
    let mut annex = Roster::of(&["S"]);
    annex.has("cem", "student", "S");
    let (spec, ports) = two(&world, &district(), Ok(&annex), None);
    assert_eq!(world.finish(spec, &ports).outcome.status, "completed");
    assert_eq!(world.groups()["SecurityGroup_students"].1, ["ann".to_owned(), "cem".to_owned()].into());
    // The day after, one of them is down and the other one has lost a student to its staff.
    let mut moved = Roster::of(&["N"]);
    moved.has("ann", "teacher", "N");
    moved.has("bob", "teacher", "N");
    let (spec, ports) = two(&world, &moved, Err("users: it answers 503."), Some(&annex));
    let ran = world.finish(spec, &ports);
    assert_eq!((ran.outcome.blocked, ran.outcome.status.as_str()), (None, "completedWithWarnings"));
    assert_eq!(world.groups()["SecurityGroup_students"].1, ["cem".to_owned()].into(), "what is down lets nobody go");
    assert_eq!(world.groups()["SecurityGroup_staff"].1, ["ann".to_owned(), "bob".to_owned()].into());
    assert_eq!((ran.outcome.inbound[SIS].as_str(), ran.outcome.inbound[OTHER].as_str()), ("completed", "completedWithWarnings"));
    let log = std::fs::read_to_string(ran.spec.work_dir.join(format!("findings-{OTHER}.jsonl"))).unwrap();
    assert!(log.contains("LastPullFailed") && log.contains("it answers 503") && log.contains("Source other"), "{log}");
}

#[test]
fn a_connector_that_is_down_is_asked_once_whatever_it_feeds() {
    let world = world();
    let (mut spec, mut ports) = two(&world, &district(), Err("no connection"), Some(&district()));
    spec.inbound.iter_mut().for_each(|inbound| inbound.pull = Some("connector".to_owned()));
    let down = Blocked { code: "ConnectionFailed".to_owned(), message: "no connection".to_owned() };
    ports.brings = [SIS, OTHER].map(|flow| (flow.to_owned(), Pull::Failed(down.clone()))).into();
    assert_eq!(world.finish(spec, &ports).outcome.blocked.unwrap().code, "ConnectionFailed");
    assert_eq!(ports.asked.borrow().len(), 1);
}

#[test]
fn a_new_source_that_cannot_be_reached_is_left_out_and_named() {
    let world = world();
    let (spec, ports) = two(&world, &district(), Err("no connection"), None);
    let ran = world.finish(spec, &ports);
    assert_eq!((ran.outcome.blocked, ran.outcome.status.as_str()), (None, "completedWithWarnings"));
    assert_eq!(world.groups()["SecurityGroup_students"].1, ["ann".to_owned()].into());
    let log = std::fs::read_to_string(ran.spec.work_dir.join(format!("findings-{OTHER}.jsonl"))).unwrap();
    assert!(log.contains("has never brought any"), "{log}");
}

#[test]
fn a_run_without_one_source_that_can_be_reached_stops() {
    let world = world();
    let (spec, mut ports) = two(&world, &district(), Err("no connection"), Some(&district()));
    ports.brings.insert(SIS.to_owned(), Pull::Failed(Blocked { code: "TimedOut".to_owned(), message: "time ran out".to_owned() }));
    let blocked = world.finish(spec, &ports).outcome.blocked.unwrap();
    assert_eq!(blocked.code, "TimedOut");
    assert_eq!(blocked.message, format!("Nothing was changed: 'Source {SIS}' could not be pulled. time ran out"));
    assert!(world.groups().is_empty());
}

#[test]
fn a_run_that_is_taken_up_pulls_again_only_when_it_had_not_done() {
    for (place, times) in [("before-pull", 2), ("after-pull", 1), ("before-apply", 1)] {
        let world = world();
        let (spec, mut ports) = pulled(&world, &district());
        ports.fail_at = Some((place.to_owned(), 1));
        assert!(matches!(advance(&spec, &ports), Err(RunError::Interrupted(_))));
        ports.fail_at = None;
        assert_eq!(advance(&spec, &ports).unwrap().blocked, None, "{place}");
        assert_eq!(ports.asked.borrow().len(), times, "{place}");
        assert_eq!(world.groups()["SecurityGroup_students"].1, ["ann".to_owned()].into());
    }
}

#[test]
fn a_source_that_is_not_pulled_is_not_asked() {
    let world = world();
    let ports = Ports::new(&world);
    let spec = world.spec(&[(SIS, Some(&district()))]);
    assert_eq!(world.finish(spec, &ports).outcome.blocked, None);
    assert_eq!(ports.asked.take(), Vec::<String>::new());
}

#[test]
fn a_format_that_is_not_read_stops_the_run() {
    let world = world();
    let (mut spec, ports) = pulled(&world, &district());
    spec.inbound[0].format = Some("clever".to_owned());
    let ran = world.finish(spec, &ports);
    let blocked = ran.outcome.blocked.unwrap();
    assert_eq!(blocked.code, "UnsupportedFormat");
    assert!(blocked.message.contains("clever"), "{}", blocked.message);
    let log = std::fs::read_to_string(ran.spec.work_dir.join(format!("findings-{SIS}.jsonl"))).unwrap();
    assert!(log.contains("UnsupportedFormat"), "{log}");
    assert!(world.groups().is_empty());
}
