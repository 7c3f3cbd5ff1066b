//! Effects of runs: once each, remembered, and never on what others have put there.

use super::*;
use directory::Applied;
use store::{Job, NewJob, StoreError};

const STAFF: &str = "SecurityGroup_staff";

/// `u1` and `u2` in the staff group, put there by flow `a` in run `r1`.
fn with_staff() -> Tenant {
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2", "u3"]);
    let applied = tenant.directory().apply("r1", plan("a", vec![create(STAFF, "All Staff"), add(STAFF, "u1"), add(STAFF, "u2")])).unwrap();
    assert_eq!(applied, Applied { written: 3, refused: Vec::new() });
    tenant
}

#[test]
fn a_group_is_made_as_a_security_group_with_its_anchor_and_members() {
    let tenant = with_staff();
    let id = tenant.group(STAFF).unwrap();
    let found = tenant.write(move |tx| graph::group_get(tx, &id)).unwrap().unwrap();
    assert_eq!(found.body["displayName"], "All Staff");
    assert_eq!(found.body["mailNickname"], STAFF);
    assert_eq!(found.body["securityEnabled"], true);
    assert_eq!(found.body["mailEnabled"], false);
    assert_eq!(found.body["createdDateTime"], NOW);
    assert_eq!(found.body["id"], json!(found.id));
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2"]));
}

#[test]
fn the_same_batch_again_has_no_second_effect() {
    let tenant = with_staff();
    let again = tenant.directory().apply("r1", plan("a", vec![create(STAFF, "Other"), add(STAFF, "u1"), add(STAFF, "u3")])).unwrap();
    assert_eq!(again, Applied::default(), "all of it is below the cursor");
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2"]));
    assert_eq!(tenant.audit("r1").len(), 3);
    assert_eq!(tenant.directory().cursor("r1").unwrap(), 3);
}

#[test]
fn a_batch_that_overlaps_the_one_before_goes_on_behind_it() {
    let tenant = with_staff();
    let longer = plan("a", vec![create(STAFF, "All Staff"), add(STAFF, "u1"), add(STAFF, "u2"), add(STAFF, "u3")]);
    assert_eq!(tenant.directory().apply("r1", longer).unwrap().written, 1);
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2", "u3"]));
    assert_eq!(tenant.directory().cursor("r1").unwrap(), 4);
}

#[test]
fn what_a_killed_process_has_applied_is_found_by_the_next_one() {
    let operations =
        || plan("a", vec![create(STAFF, "All Staff"), add(STAFF, "u1"), add(STAFF, "u2"), add(STAFF, "u3"), remove(STAFF, "u1")]);
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2", "u3"]);
    tenant.directory().apply("r1", operations()[..2].to_vec()).unwrap();
    let tenant = tenant.restarted();
    assert_eq!(tenant.directory().cursor("r1").unwrap(), 2);
    // The worker that takes over may not know how far the first one came, and start from the beginning.
    assert_eq!(tenant.directory().apply("r1", operations()).unwrap().written, 3);
    assert_eq!(tenant.members(STAFF), set(&["u2", "u3"]));
    assert_eq!(tenant.actions("r1"), ["createGroup", "addMember", "addMember", "addMember", "removeMember"]);
}

#[test]
fn a_batch_that_fails_leaves_nothing_of_itself() {
    let tenant = with_staff();
    // What the second effect will write to the audit log is there already: the store refuses it.
    tenant.write(|tx| Ok(tx.audit("r2/0000000001", None, None, "x", "x", "x")?)).unwrap();
    let error = tenant.directory().apply("r2", plan("a", vec![add(STAFF, "u3"), remove(STAFF, "u1")])).unwrap_err();
    assert!(matches!(error, DirectoryError::Store(StoreError::Duplicate)), "{error}");
    assert_eq!((tenant.members(STAFF), tenant.held().len()), (set(&["u1", "u2"]), 2));
    assert_eq!((tenant.directory().cursor("r2").unwrap(), tenant.audit("r2").len()), (0, 0));
}

#[test]
fn every_run_has_a_cursor_of_its_own() {
    let tenant = with_staff();
    assert_eq!(tenant.directory().cursor("r2").unwrap(), 0);
    assert_eq!(tenant.directory().apply("r2", plan("a", vec![add(STAFF, "u3")])).unwrap().written, 1);
    assert_eq!((tenant.directory().cursor("r1").unwrap(), tenant.directory().cursor("r2").unwrap()), (3, 1));
}

#[test]
fn another_run_that_wants_what_is_there_already_writes_nothing() {
    let tenant = with_staff();
    let applied = tenant.directory().apply("r2", plan("a", vec![create(STAFF, "All Staff"), add(STAFF, "u1"), add(STAFF, "u2")])).unwrap();
    assert_eq!(applied, Applied::default());
    assert_eq!(tenant.audit("r2"), Vec::new());
    assert_eq!(tenant.held().len(), 2, "held once each");
    // And the first run's work is still Homeroom's to undo.
    assert_eq!(tenant.directory().apply("r3", plan("a", vec![remove(STAFF, "u1")])).unwrap().written, 1);
    assert_eq!(tenant.members(STAFF), set(&["u2"]));
}

#[test]
fn a_member_whom_somebody_else_has_put_there_is_never_removed() {
    let tenant = with_staff();
    tenant.put_by_hand(&tenant.group(STAFF).unwrap(), "u3");
    let applied = tenant.directory().apply("r2", plan("a", vec![add(STAFF, "u3")])).unwrap();
    assert_eq!(applied, Applied::default(), "there already");
    let applied = tenant.directory().apply("r3", plan("a", vec![remove(STAFF, "u3"), remove(STAFF, "u1")])).unwrap();
    assert_eq!(applied.written, 1);
    assert_eq!(tenant.members(STAFF), set(&["u2", "u3"]));
    assert_eq!(tenant.held().iter().map(|m| m.user_id.as_str()).collect::<Vec<_>>(), ["u2"], "but it is let go of");
}

#[test]
fn a_member_that_homeroom_never_held_is_not_removed_even_when_a_plan_says_so() {
    let tenant = with_staff();
    tenant.put_by_hand(&tenant.group(STAFF).unwrap(), "u3");
    assert_eq!(
        tenant.directory().apply("r2", plan("a", vec![remove(STAFF, "u3"), remove("SecurityGroup_none", "u1")])).unwrap(),
        Applied::default()
    );
    assert_eq!(tenant.directory().apply("r3", plan("b", vec![remove(STAFF, "u1")])).unwrap(), Applied::default(), "another flow's");
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2", "u3"]));
}

#[test]
fn a_membership_that_was_taken_out_by_hand_and_added_again_is_homerooms() {
    let tenant = with_staff();
    let id = tenant.group(STAFF).unwrap();
    tenant.put_by_hand(&id, "u3");
    tenant.directory().apply("r2", plan("a", vec![add(STAFF, "u3")])).unwrap();
    tenant.take_out_by_hand(&id, "u3");
    assert_eq!(tenant.directory().apply("r3", plan("a", vec![add(STAFF, "u3")])).unwrap().written, 1);
    assert_eq!(tenant.directory().apply("r4", plan("a", vec![remove(STAFF, "u3")])).unwrap().written, 1);
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2"]));
}

#[test]
fn removing_what_is_gone_already_lets_go_of_it_without_a_write() {
    let tenant = with_staff();
    tenant.take_out_by_hand(&tenant.group(STAFF).unwrap(), "u1");
    assert_eq!(tenant.directory().apply("r2", plan("a", vec![remove(STAFF, "u1")])).unwrap(), Applied::default());
    assert_eq!(tenant.held().len(), 1);
}

#[test]
fn a_membership_of_two_flows_goes_with_the_last_of_them_whoever_was_first() {
    for (first, last) in [("a", "b"), ("b", "a")] {
        let tenant = Tenant::new();
        tenant.users(&["u1"]);
        let operations =
            vec![("a", create(STAFF, "All Staff")), ("b", create(STAFF, "All Staff")), ("a", add(STAFF, "u1")), ("b", add(STAFF, "u1"))];
        assert_eq!(tenant.directory().apply("r1", plan_of(operations)).unwrap().written, 2, "one group, one membership");
        assert_eq!(tenant.directory().apply("r2", plan(first, vec![remove(STAFF, "u1")])).unwrap(), Applied::default());
        assert_eq!(tenant.members(STAFF), set(&["u1"]), "the other flow still holds it");
        assert_eq!(tenant.directory().apply("r3", plan(last, vec![remove(STAFF, "u1")])).unwrap().written, 1);
        assert_eq!(tenant.members(STAFF), set(&[]));
    }
}

#[test]
fn a_foreign_member_stays_when_two_flows_have_held_it() {
    let tenant = with_staff();
    tenant.put_by_hand(&tenant.group(STAFF).unwrap(), "u3");
    tenant.directory().apply("r2", plan_of(vec![("a", add(STAFF, "u3")), ("b", add(STAFF, "u3"))])).unwrap();
    tenant.directory().apply("r3", plan_of(vec![("a", remove(STAFF, "u3")), ("b", remove(STAFF, "u3"))])).unwrap();
    assert!(tenant.members(STAFF).contains("u3"));
}

fn forget(tenant: &Tenant, flow: &'static str) {
    tenant.write(move |tx| Ok(directory::embedded::forget_flow(tx, flow)?)).unwrap();
}

#[test]
fn what_a_forgotten_flow_has_added_stays_and_is_homerooms_again_when_a_flow_wants_it() {
    let tenant = with_staff();
    tenant.put_by_hand(&tenant.group(STAFF).unwrap(), "u3");
    tenant.directory().apply("r2", plan("a", vec![add(STAFF, "u3")])).unwrap();
    forget(&tenant, "a");
    forget(&tenant, "a");
    assert_eq!((tenant.held(), tenant.members(STAFF)), (Vec::new(), set(&["u1", "u2", "u3"])));
    assert_eq!(tenant.directory().apply("r3", plan("a", vec![remove(STAFF, "u1")])).unwrap(), Applied::default(), "it holds nothing");
    // The same flow after a reset, or another one.
    let again = vec![("a", create(STAFF, "All Staff")), ("a", add(STAFF, "u1")), ("b", add(STAFF, "u1")), ("a", add(STAFF, "u3"))];
    assert_eq!(tenant.directory().apply("r4", plan_of(again)).unwrap(), Applied::default());
    let gone = vec![("a", remove(STAFF, "u1")), ("a", remove(STAFF, "u3")), ("b", remove(STAFF, "u1"))];
    assert_eq!(tenant.directory().apply("r5", plan_of(gone)).unwrap().written, 1);
    assert_eq!(tenant.members(STAFF), set(&["u2", "u3"]), "whom nobody wants again stays, and so does the foreign member");
}

#[test]
fn a_flow_that_holds_a_membership_with_a_forgotten_one_answers_for_it_alone() {
    let tenant = with_staff();
    tenant.directory().apply("r2", plan_of(vec![("b", create(STAFF, "All Staff")), ("b", add(STAFF, "u1"))])).unwrap();
    forget(&tenant, "a");
    assert_eq!(tenant.held().iter().map(|m| (m.flow_id.as_str(), m.user_id.as_str())).collect::<Vec<_>>(), [("b", "u1")]);
    assert_eq!(tenant.directory().apply("r3", plan("b", vec![remove(STAFF, "u1")])).unwrap().written, 1);
    assert_eq!(tenant.members(STAFF), set(&["u2"]));
}

#[test]
fn the_ledger_covers_what_flows_hold_and_nothing_else() {
    let tenant = with_staff();
    let hand_made = object(json!({ "displayName": "Chess", "mailNickname": "chess", "mailEnabled": false, "securityEnabled": true }));
    tenant.write(move |tx| graph::group_create(tx, "g-hand", hand_made, NOW.parse().unwrap())).unwrap();
    tenant.put_by_hand("g-hand", "u1");
    tenant.put_by_hand(&tenant.group(STAFF).unwrap(), "u3");
    let groups = tenant.directory().ledger_groups().unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].flow_id.as_str(), groups[0].anchor.as_str(), groups[0].display_name.as_str()), ("a", STAFF, "All Staff"));
    assert_eq!(Some(&groups[0].group_id), tenant.group(STAFF).as_ref());
    assert_eq!(tenant.held().iter().map(|m| m.user_id.as_str()).collect::<Vec<_>>(), ["u1", "u2"]);
}

#[test]
fn an_unknown_user_is_refused_and_the_rest_of_the_batch_goes_on() {
    let tenant = with_staff();
    let applied = tenant.directory().apply("r2", plan("a", vec![add(STAFF, "nobody"), add(STAFF, "u3")])).unwrap();
    assert_eq!(applied.written, 1);
    assert_eq!(applied.refused.len(), 1);
    assert_eq!((applied.refused[0].seq, applied.refused[0].code.as_str()), (0, "ObjectNotFound"));
    assert!(applied.refused[0].message.contains("nobody"), "{}", applied.refused[0].message);
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2", "u3"]));
    assert!(tenant.held().iter().all(|m| m.user_id != "nobody"), "what was refused is not held");
    assert_eq!(tenant.directory().refusals("r2").unwrap(), applied.refused, "and can be read afterwards");
    assert_eq!(tenant.directory().refusals("r1").unwrap(), Vec::new());
    assert_eq!(tenant.directory().refusals("r").unwrap(), Vec::new(), "a run whose id begins another's");
}

#[test]
fn a_member_of_a_group_that_is_gone_is_refused_and_the_group_comes_back_with_the_next_creation() {
    let tenant = with_staff();
    let old = tenant.group(STAFF).unwrap();
    let gone = old.clone();
    tenant.write(move |tx| graph::group_delete(tx, &gone)).unwrap();
    let refused = tenant.directory().apply("r2", plan("a", vec![add(STAFF, "u3")])).unwrap().refused;
    assert_eq!(refused[0].code, "ObjectNotFound");
    // What the next run does: make it anew and put in again whom it holds.
    let applied =
        tenant.directory().apply("r3", plan("a", vec![create(STAFF, "All Staff"), add(STAFF, "u1"), remove(STAFF, "u2")])).unwrap();
    assert_eq!(applied.written, 2);
    assert_eq!(tenant.members(STAFF), set(&["u1"]));
    let ledger = tenant.directory().ledger_groups().unwrap();
    assert_eq!(Some(&ledger[0].group_id), tenant.group(STAFF).as_ref(), "the ledger names the new group");
    assert_ne!(ledger[0].group_id, old);
}

#[test]
fn refusals_survive_a_crash_and_count_once() {
    let tenant = with_staff();
    let operations = plan("a", vec![add(STAFF, "nobody"), add(STAFF, "u3"), rename(STAFF, "Not its name", "X")]);
    tenant.directory().apply("r2", operations.clone()).unwrap();
    let tenant = tenant.restarted();
    assert_eq!(tenant.directory().apply("r2", operations).unwrap(), Applied::default());
    let codes: Vec<(u64, String)> = tenant.directory().refusals("r2").unwrap().into_iter().map(|r| (r.seq, r.code)).collect();
    assert_eq!(codes, [(0, "ObjectNotFound".to_owned()), (2, "NameChanged".to_owned())]);
}

#[test]
fn a_rename_changes_the_name_and_what_is_remembered_of_it() {
    let tenant = with_staff();
    let applied = tenant.directory().apply("r2", plan("a", vec![rename(STAFF, "All Staff", "Everybody")])).unwrap();
    assert_eq!(applied.written, 1);
    assert_eq!(tenant.name(STAFF).as_deref(), Some("Everybody"));
    let id = tenant.group(STAFF).unwrap();
    let body = tenant.write(move |tx| graph::group_get(tx, &id)).unwrap().unwrap().body;
    assert_eq!(body["displayName"], "Everybody");
    assert_eq!(tenant.directory().ledger_groups().unwrap()[0].display_name, "Everybody");
}

#[test]
fn a_rename_is_remembered_for_every_flow_that_keeps_the_group() {
    let tenant = with_staff();
    tenant.directory().apply("r2", plan("b", vec![create(STAFF, "All Staff")])).unwrap();
    tenant.directory().apply("r3", plan("a", vec![rename(STAFF, "All Staff", "Everybody")])).unwrap();
    // Else flow b would take the new name for one that an administrator has given.
    let names: Vec<String> = tenant.directory().ledger_groups().unwrap().into_iter().map(|g| g.display_name).collect();
    assert_eq!(names, ["Everybody", "Everybody"]);
}

#[test]
fn a_name_that_somebody_else_has_given_is_left_alone() {
    let tenant = with_staff();
    let id = tenant.group(STAFF).unwrap();
    tenant.write(move |tx| graph::group_update(tx, &id, &object(json!({ "displayName": "Our staff" })))).unwrap();
    let applied = tenant.directory().apply("r2", plan("a", vec![rename(STAFF, "All Staff", "Everybody")])).unwrap();
    assert_eq!(applied.written, 0);
    assert_eq!(applied.refused[0].code, "NameChanged");
    assert_eq!(tenant.name(STAFF).as_deref(), Some("Our staff"));
}

#[test]
fn the_audit_log_says_what_was_before_and_after() {
    let tenant = with_staff();
    tenant
        .directory()
        .apply("r2", plan("a", vec![rename(STAFF, "All Staff", "Everybody"), remove(STAFF, "u2"), add(STAFF, "nobody")]))
        .unwrap();
    let id = tenant.group(STAFF).unwrap();
    let rows = tenant.audit("r1").into_iter().chain(tenant.audit("r2"));
    let rows: Vec<(String, String, Value)> =
        rows.map(|(action, object, detail)| (action, object, serde_json::from_str(&detail).unwrap_or_default())).collect();
    let row = |action: &str, before: Value, after: Value| (action.to_owned(), id.clone(), json!({ "before": before, "after": after }));
    assert_eq!(
        rows,
        [
            row("createGroup", Value::Null, json!({ "anchor": STAFF, "displayName": "All Staff" })),
            row("addMember", Value::Null, json!("u1")),
            row("addMember", Value::Null, json!("u2")),
            row("renameGroup", json!("All Staff"), json!("Everybody")),
            row("removeMember", json!("u2"), Value::Null),
            ("refused".to_owned(), "ObjectNotFound".to_owned(), Value::Null),
        ]
    );
}

#[test]
fn a_worker_that_has_lost_its_job_writes_nothing() {
    let tenant = Tenant::new();
    tenant.users(&["u1"]);
    let run_at = tenant.ctx.now;
    tenant.write(move |tx| Ok(tx.enqueue("job", &NewJob { kind: "run", payload: json!({}), run_at })?)).unwrap();
    let held = Job { id: "job".to_owned(), tenant: tenant.ctx.tenant, kind: "run".to_owned(), payload: json!({}), attempt: 1, fence: 7 };
    let directory = EmbeddedDirectory::new(tenant.store.clone(), tenant.ctx.clone(), Some(held));
    let error = directory.apply("r1", plan("a", vec![create(STAFF, "All Staff")])).unwrap_err();
    assert!(matches!(error, DirectoryError::Store(StoreError::StaleLease)), "{error}");
    assert_eq!(tenant.group(STAFF), None);
    assert_eq!(tenant.directory().cursor("r1").unwrap(), 0);
}

#[test]
fn two_tenants_of_one_store_do_not_see_each_other() {
    let tenant = with_staff();
    let (store, ctx) = tenant.neighbour();
    let other = EmbeddedDirectory::new(store, ctx, None);
    assert_eq!(other.users(None, 10).unwrap(), Vec::new());
    assert_eq!(other.groups_by_anchor(&[STAFF.to_owned()]).unwrap(), Vec::new());
    assert_eq!(other.members(&tenant.group(STAFF).unwrap(), None, 10).unwrap(), Vec::<String>::new());
    assert_eq!(other.cursor("r1").unwrap(), 0);
    // The same anchor, the same run id: another group, and a foreign user is no user.
    let applied = other.apply("r1", plan("a", vec![create(STAFF, "All Staff"), add(STAFF, "u1")])).unwrap();
    assert_eq!((applied.written, applied.refused.len()), (1, 1));
    assert_eq!(tenant.members(STAFF), set(&["u1", "u2"]));
}
