//! Which groups there are, who is in them, what they are called (decisions 25 to 29).

use super::*;
use directory::Directory as _;
use std::collections::BTreeSet;

/// Two teachers and two students at North, one of each at South, a coach who is at both.
fn two_schools() -> Roster {
    let mut roster = Roster::of(&["N", "S"]);
    roster.has("tina", "teacher", "N").has("tom", "teacher", "N").has("theo", "teacher", "S");
    roster.has("sara", "student", "N").has("sam", "student", "N").has("sue", "student", "S");
    roster.has("cora", "coach", "N").has("cora", "coach", "S");
    roster
}

fn world(roster: &Roster) -> World {
    let world = World::new();
    world.accounts_for(roster);
    world
}

const STAFF: &str = "SecurityGroup_staff";
const STUDENTS: &str = "SecurityGroup_students";

#[test]
fn both_options_make_a_group_a_role_group_and_one_a_school_and_role_group() {
    let roster = two_schools();
    let world = world(&roster);
    let ran = world.good(&roster);
    assert_eq!(
        world.members(),
        sets(&[
            (STAFF, &["tina", "tom", "theo", "cora"]),
            (STUDENTS, &["sara", "sam", "sue"]),
            ("SecurityGroup_staff_N", &["tina", "tom", "cora"]),
            ("SecurityGroup_staff_S", &["theo", "cora"]),
            ("SecurityGroup_students_N", &["sara", "sam"]),
            ("SecurityGroup_students_S", &["sue"]),
        ])
    );
    let names: Vec<(String, String)> = world.groups().into_iter().map(|(anchor, (name, _))| (anchor, name)).collect();
    let expected = [
        (STAFF, "All Staff"),
        ("SecurityGroup_staff_N", "Staff - N School"),
        ("SecurityGroup_staff_S", "Staff - S School"),
        (STUDENTS, "All Students"),
        ("SecurityGroup_students_N", "Students - N School"),
        ("SecurityGroup_students_S", "Students - S School"),
    ];
    assert_eq!(names, expected.map(|(anchor, name)| (anchor.to_owned(), name.to_owned())));
    assert_eq!(ran.outcome.status, "completed");
    assert_eq!(ran.written, 6 + 15);
    let again = world.good(&roster);
    assert_eq!((again.effects(), again.written), (Vec::new(), 0));
}

#[test]
fn each_option_makes_only_its_own_groups() {
    let roster = two_schools();
    for (by_role_group, by_org, expected) in [(true, false, 2), (false, true, 4), (false, false, 0)] {
        let world = world(&roster);
        world.flows.replace(vec![flow("f", by_role_group, by_org)]);
        world.good(&roster);
        assert_eq!(world.groups().len(), expected);
        assert!(world.groups().keys().all(|anchor| by_org == (anchor.matches('_').count() == 2)));
    }
}

#[test]
fn a_plan_creates_then_adds_and_removes_at_last() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.account("ned");
    world.good(&roster);
    roster.leaves("tom").has("ned", "teacher", "E").has("sara", "student", "S");
    roster.orgs.insert("E".to_owned(), "E School".to_owned());
    let ran = world.good(&roster);
    let kinds: Vec<char> =
        ran.plan.iter().map(|r| serde_json::to_value(&r.operation).unwrap()["op"].as_str().unwrap().chars().next().unwrap()).collect();
    assert_eq!(kinds.iter().collect::<String>(), "caaarr", "create, add, remove");
    assert!(ran.plan.iter().zip(0..).all(|(record, at)| record.seq == at));
    assert!(ran.plan.iter().all(|record| !record.why.is_empty()));
}

#[test]
fn an_organization_filter_keeps_exactly_the_organizations_it_names() {
    let roster = two_schools();
    let world = world(&roster);
    world.flows.borrow_mut()[0].orgs = Some(BTreeSet::from(["S".to_owned(), "unknown".to_owned()]));
    world.good(&roster);
    let south = sets(&[
        (STAFF, &["theo", "cora"]),
        (STUDENTS, &["sue"]),
        ("SecurityGroup_staff_S", &["theo", "cora"]),
        ("SecurityGroup_students_S", &["sue"]),
    ]);
    assert_eq!(world.members(), south);
    world.flows.borrow_mut()[0].orgs = Some(BTreeSet::new());
    world.good(&roster);
    assert!(world.members().values().all(BTreeSet::is_empty), "a filter without organizations keeps none");
}

#[test]
fn people_without_account_and_contacts_are_in_no_group_and_no_group_is_made_for_them_alone() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.account("carl");
    roster.has("nobody", "teacher", "N").has("carl", "other", "N");
    roster.orgs.insert("E".to_owned(), "E School".to_owned());
    roster.has("lone", "student", "E");
    let ran = world.good(&roster);
    assert!(!world.groups().contains_key("SecurityGroup_students_E"), "empty groups wait for their first member");
    assert!(world.members().values().all(|members| !members.contains("carl")));
    assert_eq!(
        ran.total("unmatchedPeopleByRole"),
        &serde_json::json!([{ "role": "student", "count": 1 }, { "role": "teacher", "count": 1 }])
    );
    world.account("lone");
    assert_eq!(
        world.good(&roster).effects(),
        ["+ SecurityGroup_students lone", "+ SecurityGroup_students_E lone", "new SecurityGroup_students_E"]
    );
}

#[test]
fn somebody_who_is_staff_and_student_is_in_the_groups_of_both() {
    let mut roster = two_schools();
    let world = world(&roster);
    roster.has("sara", "aide", "S");
    world.good(&roster);
    let of_sara: Vec<String> =
        world.members().into_iter().filter(|(_, members)| members.contains("sara")).map(|(anchor, _)| anchor).collect();
    assert_eq!(of_sara, [STAFF, "SecurityGroup_staff_S", STUDENTS, "SecurityGroup_students_N"]);
}

#[test]
fn two_roles_of_a_group_at_one_school_are_one_membership_that_ends_with_the_last() {
    let mut roster = two_schools();
    let world = world(&roster);
    roster.has("tina", "coach", "N");
    world.good(&roster);
    roster.loses("tina", "teacher", "N");
    assert_eq!(world.good(&roster).effects(), Vec::<String>::new());
    roster.loses("tina", "coach", "N");
    assert_eq!(world.good(&roster).effects(), ["- SecurityGroup_staff tina", "- SecurityGroup_staff_N tina"]);
}

#[test]
fn who_left_is_removed_and_the_empty_group_and_the_account_stay() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    roster.leaves("sue");
    world.good(&roster);
    assert_eq!(world.members()["SecurityGroup_students_S"], BTreeSet::new());
    assert!(world.directory().users(None, 99).unwrap().iter().any(|user| user.id == "sue"));
    roster.has("sue", "student", "S");
    assert_eq!(world.good(&roster).effects(), ["+ SecurityGroup_students sue", "+ SecurityGroup_students_S sue"]);
}

#[test]
fn an_option_that_is_switched_off_leaves_its_groups_as_they_are() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    let before = world.groups();
    world.flows.replace(vec![flow("f", false, false)]);
    roster.leaves("sue").moves("sam", "N", "S");
    roster.orgs.insert("N".to_owned(), "New North".to_owned());
    let ran = world.good(&roster);
    assert_eq!((ran.effects(), world.groups()), (Vec::new(), before));
    // One of the two options is on again: its groups are picked up, the others still rest.
    world.flows.replace(vec![flow("f", false, true)]);
    let expected = [
        "+ SecurityGroup_students_S sam",
        "- SecurityGroup_students_N sam",
        "- SecurityGroup_students_S sue",
        "name SecurityGroup_staff_N Staff - New North",
        "name SecurityGroup_students_N Students - New North",
    ];
    assert_eq!(world.good(&roster).effects(), expected);
    world.flows.replace(vec![flow("f", true, true)]);
    assert_eq!(world.good(&roster).effects(), ["- SecurityGroup_students sue"], "no group is made twice");
    assert_eq!(world.groups().len(), 6);
}

#[test]
fn a_flow_that_does_not_take_part_keeps_what_it_made_and_picks_it_up_again() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    let before = world.groups();
    let flows = world.flows.replace(Vec::new());
    roster.leaves("sue");
    assert_eq!((world.good(&roster).written, world.groups()), (0, before));
    world.flows.replace(flows);
    assert_eq!(world.good(&roster).effects(), ["- SecurityGroup_students sue", "- SecurityGroup_students_S sue"]);
}

#[test]
fn a_group_that_two_flows_want_is_made_once_and_has_the_members_of_both() {
    let roster = two_schools();
    let world = world(&roster);
    let only = |id: &str, org: &str| sync::SecurityFlow { orgs: Some(BTreeSet::from([org.to_owned()])), ..flow(id, true, false) };
    world.flows.replace(vec![only("north", "N"), only("south", "S")]);
    let ran = world.good(&roster);
    let union = sets(&[(STAFF, &["tina", "tom", "theo", "cora"]), (STUDENTS, &["sara", "sam", "sue"])]);
    assert_eq!(world.members(), union);
    assert_eq!(ran.written, 2 + 7, "cora is wanted twice and added once");
    assert_eq!(world.good(&roster).effects(), Vec::<String>::new());
    // One flow off: what it made stays, also whom the other holds too.
    world.flows.replace(vec![only("south", "S")]);
    world.good(&roster);
    assert_eq!(world.members(), union);
    // Its people have left meanwhile: the flow that rests holds on to them, the other lets its own go.
    let mut smaller = roster.clone();
    smaller.leaves("tom").leaves("theo").leaves("cora");
    world.good(&smaller);
    assert_eq!(world.members()[STAFF], BTreeSet::from(["tina", "tom", "cora"].map(str::to_owned)));
    // On again, it catches up.
    world.flows.replace(vec![only("north", "N"), only("south", "S")]);
    world.good(&smaller);
    assert_eq!(world.members()[STAFF], BTreeSet::from(["tina".to_owned()]));
}

#[test]
fn a_second_flow_that_joins_later_takes_over_without_a_write() {
    let roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    world.flows.borrow_mut().push(flow("g", true, true));
    let ran = world.good(&roster);
    assert_eq!((ran.plan.len(), ran.written), (6 + 15, 0));
    assert_eq!(world.good(&roster).effects(), Vec::<String>::new());
    // The first one leaves the school to the second, which removes what both have held.
    world.flows.replace(vec![flow("f", true, true), flow("g", true, true)]);
    let mut smaller = roster.clone();
    smaller.leaves("sue");
    assert_eq!(world.good(&smaller).written, 2);
    assert_eq!(world.members()["SecurityGroup_students_S"], BTreeSet::new());
}

#[test]
fn foreign_groups_and_foreign_members_are_never_touched() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.accounts(["guest"]);
    // A group that is called as ours, and one that has our members.
    world.make_by_hand("g-1", "All Staff");
    world.put_by_hand("g-1", "tina");
    world.put_by_hand("g-1", "guest");
    world.good(&roster);
    world.put_by_hand(STAFF, "guest");
    // Somebody puts a student among the staff who then gets a role there: she was there before.
    world.put_by_hand(STAFF, "sara");
    roster.has("sara", "aide", "N");
    world.good(&roster);
    roster.leaves("tina").loses("sara", "aide", "N");
    world.good(&roster);
    assert_eq!(world.members()["g-1"], BTreeSet::from(["tina", "guest"].map(str::to_owned)));
    assert_eq!(world.members()[STAFF], BTreeSet::from(["tom", "theo", "cora", "guest", "sara"].map(str::to_owned)));
    assert_eq!(world.members()["SecurityGroup_staff_N"], BTreeSet::from(["tom", "cora"].map(str::to_owned)), "where Homeroom added her");
    assert_eq!(world.name("g-1"), "All Staff");
}

#[test]
fn a_school_with_a_new_name_has_its_groups_renamed_and_not_made_again() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    roster.orgs.insert("N".to_owned(), "New North".to_owned());
    assert_eq!(
        world.good(&roster).effects(),
        ["name SecurityGroup_staff_N Staff - New North", "name SecurityGroup_students_N Students - New North"]
    );
    assert_eq!(world.name("SecurityGroup_staff_N"), "Staff - New North");
    assert_eq!(world.groups().len(), 6);
    assert_eq!(world.good(&roster).effects(), Vec::<String>::new());
}

#[test]
fn a_name_that_an_administrator_has_given_stays_whatever_the_school_is_called() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    world.rename_by_hand("SecurityGroup_staff_N", "Our team");
    roster.orgs.insert("N".to_owned(), "New North".to_owned());
    assert_eq!(world.good(&roster).effects(), ["name SecurityGroup_students_N Students - New North"]);
    assert_eq!(world.name("SecurityGroup_staff_N"), "Our team");
    // Found by its anchor all the same.
    roster.leaves("tom");
    assert_eq!(world.good(&roster).effects(), ["- SecurityGroup_staff tom", "- SecurityGroup_staff_N tom"]);
}

#[test]
fn a_new_template_renames_all_groups() {
    let roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    world
        .naming
        .replace(sync::Naming { role_group: "Everybody: {roleGroup}".to_owned(), org_role_group: "{org} ({roleGroup})".to_owned() });
    assert_eq!(world.good(&roster).written, 6);
    assert_eq!(world.name(STAFF), "Everybody: Staff");
    assert_eq!(world.name("SecurityGroup_students_S"), "S School (Students)");
    assert_eq!(world.good(&roster).effects(), Vec::<String>::new());
}

#[test]
fn a_group_of_two_flows_is_renamed_once_and_either_of_them_can_do_it_again() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.flows.replace(vec![flow("a", false, true), flow("b", false, true)]);
    world.good(&roster);
    for (name, flows) in [
        ("One", vec![flow("a", false, true), flow("b", false, true)]),
        ("Two", vec![flow("b", false, true)]),
        ("Three", vec![flow("a", false, true)]),
    ] {
        roster.orgs.insert("S".to_owned(), name.to_owned());
        world.flows.replace(flows);
        assert_eq!(world.good(&roster).written, 2, "staff and students of S are renamed to {name}");
        assert_eq!(world.name("SecurityGroup_staff_S"), format!("Staff - {name}"));
    }
}

#[test]
fn a_provisioned_group_that_is_deleted_comes_back_with_its_members() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.flows.borrow_mut().push(flow("g", true, false));
    world.good(&roster);
    let before = world.groups();
    world.delete_by_hand(STAFF);
    let ran = world.good(&roster);
    assert_eq!(world.groups(), before);
    assert_eq!(ran.written, 1 + 4);
    assert!(ran.plan.iter().any(|record| record.why.contains("deleted")), "the plan says why");
    assert_eq!(world.good(&roster).effects(), Vec::<String>::new());
    // What was put back is still Homeroom's to remove.
    roster.leaves("tom");
    world.good(&roster);
    assert_eq!(world.members()[STAFF], BTreeSet::from(["tina", "theo", "cora"].map(str::to_owned)));
}

#[test]
fn a_membership_that_was_taken_out_by_hand_comes_back() {
    let roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    world.take_out_by_hand(STAFF, "tom");
    assert_eq!(world.good(&roster).effects(), ["+ SecurityGroup_staff tom"]);
}

#[test]
fn an_account_that_is_deleted_and_made_again_is_put_in_under_its_new_id() {
    let roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    world.write(|tx| directory::embedded::graph::user_delete(tx, "sue"));
    let ran = world.good(&roster);
    assert_eq!(
        (ran.effects(), ran.written),
        (vec!["- SecurityGroup_students sue".to_owned(), "- SecurityGroup_students_S sue".to_owned()], 0)
    );
    world.account_of("sue-2", "sue@school.example", None);
    assert_eq!(world.good(&roster).effects(), ["+ SecurityGroup_students sue-2", "+ SecurityGroup_students_S sue-2"]);
}

#[test]
fn after_a_reset_a_run_takes_everything_over_without_a_write_and_keeps_on_keeping_it() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    let before = world.groups();
    world.forget("f");
    // Sue leaves before the flow has come to know her again: nobody removes her.
    roster.leaves("sue").orgs.insert("N".to_owned(), "New North".to_owned());
    let ran = world.good(&roster);
    assert_eq!(ran.written, 2, "only the new name: {:?}", ran.effects());
    assert_eq!(world.members(), before.into_iter().map(|(anchor, (_, members))| (anchor, members)).collect());
    roster.leaves("tom");
    assert_eq!(world.good(&roster).effects(), ["- SecurityGroup_staff tom", "- SecurityGroup_staff_N tom"]);
    assert!(!world.members()[STAFF].contains("tom"));
}

#[test]
fn a_flow_that_follows_a_deleted_one_keeps_its_groups() {
    let mut roster = two_schools();
    let world = world(&roster);
    world.good(&roster);
    world.forget("f");
    world.flows.replace(vec![flow("new", true, true)]);
    assert_eq!(world.good(&roster).written, 0);
    roster.leaves("sue");
    assert_eq!(world.good(&roster).written, 2);
    assert_eq!(world.members()["SecurityGroup_students_S"], BTreeSet::new());
}

#[test]
fn two_sources_give_one_union() {
    let (mut north, mut south) = (Roster::of(&["N"]), Roster::of(&["S"]));
    north.has("tina", "teacher", "N").has("both", "teacher", "N");
    south.has("theo", "teacher", "S").has("both", "teacher", "S");
    let world = world(&north);
    world.account("theo");
    let run = |south: &Roster| {
        let spec = world.spec(&[("sis-n", Some(&north)), ("sis-s", Some(south))]);
        world.finish(spec, &world::Ports::new(&world))
    };
    assert_eq!(run(&south).blocked(), "");
    assert_eq!(world.members()[STAFF], BTreeSet::from(["tina", "theo", "both"].map(str::to_owned)));
    south.leaves("both");
    assert_eq!(run(&south).effects(), ["- SecurityGroup_staff_S both"], "in one source she is still there");
}

#[test]
fn the_order_of_rows_makes_no_difference() {
    let roster = two_schools();
    let mut backwards = roster.clone();
    backwards.backwards = true;
    let (one, other) = (world(&roster), world(&roster));
    let (first, second) = (one.good(&roster), other.good(&backwards));
    assert_eq!(first.plan, second.plan);
    assert_eq!(one.groups(), other.groups());
    assert_eq!(first.outcome.statistics, second.outcome.statistics);
    assert_eq!(one.good(&backwards).effects(), Vec::<String>::new());
}

#[test]
fn an_effect_that_the_directory_refuses_is_tried_again_on_the_next_run() {
    let roster = two_schools();
    let world = std::rc::Rc::new(world(&roster));
    world.good(&Roster { roles: roster.roles.iter().filter(|r| r.person != "sue").cloned().collect(), ..roster.clone() });
    let mut ports = world::Ports::new(&world);
    let meanwhile = world.clone();
    // Between plan and writing somebody deletes the group.
    ports.meanwhile = Some((sync::Step::Guard, Box::new(move || meanwhile.delete_by_hand(STUDENTS))));
    let spec = world.spec(&[(world::SIS, Some(&roster))]);
    let ran = world.finish(spec, &ports);
    assert_eq!(ran.outcome.status, "completedWithErrors");
    assert_eq!(ran.outcome.refused.iter().collect::<Vec<_>>(), [(&"f".to_owned(), &1)]);
    assert_eq!(world.members()["SecurityGroup_students_S"].len(), 1, "the rest is done");
    let ran = world.good(&roster);
    assert_eq!(ran.outcome.status, "completed");
    assert_eq!(world.members()[STUDENTS].len(), 3);
}
