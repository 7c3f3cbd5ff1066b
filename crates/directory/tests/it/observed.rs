//! What a run sees of the directory: pages in order, groups by anchor.

use super::*;

#[test]
fn users_come_in_pages_in_order_of_id_with_keys_in_lower_case() {
    let tenant = Tenant::new();
    let mut users = vec![("u3".to_owned(), user("C@School.Example")), ("u1".to_owned(), user("a@school.example"))];
    users.push(("u2".to_owned(), user("É.Ünal@School.Example")));
    users[1].1.extend(object(json!({ "mail": "First.Last@School.Example", "accountEnabled": false })));
    tenant.write(move |tx| graph::user_import(tx, users)).unwrap();
    let directory = tenant.directory();
    let first = directory.users(None, 2).unwrap();
    assert_eq!(first.iter().map(|u| u.id.as_str()).collect::<Vec<_>>(), ["u1", "u2"]);
    assert_eq!((first[0].mail.as_deref(), first[0].enabled), (Some("first.last@school.example"), false));
    assert_eq!((first[1].upn.as_str(), first[1].mail.as_deref(), first[1].enabled), ("é.ünal@school.example", None, true));
    let rest = directory.users(Some("u2"), 2).unwrap();
    assert_eq!(rest.iter().map(|u| u.upn.as_str()).collect::<Vec<_>>(), ["c@school.example"]);
    assert_eq!(directory.users(Some("u3"), 2).unwrap(), Vec::new());
}

#[test]
fn members_come_in_pages_in_order_of_id() {
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2", "u3", "u4", "u5"]);
    let operations = ["u5", "u2", "u4", "u1", "u3"].map(|id| add("A", id));
    tenant.directory().apply("r1", plan("a", [create("A", "A")].into_iter().chain(operations).collect())).unwrap();
    let group = tenant.group("A").unwrap();
    let page = |after| tenant.directory().members(&group, after, 2).unwrap();
    assert_eq!(page(None), ["u1", "u2"]);
    assert_eq!(page(Some("u2")), ["u3", "u4"]);
    assert_eq!(page(Some("u4")), ["u5"]);
    assert_eq!(page(Some("u5")), Vec::<String>::new());
}

#[test]
fn held_memberships_come_in_pages_in_order_of_bytes() {
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2"]);
    // In an order by language, underscores and cases would sort otherwise; the planner counts on bytes.
    let anchors = ["S_b", "S_B", "S", "S_a_1", "S_a1", "Sa"];
    let mut operations = Vec::new();
    for anchor in anchors {
        for flow in ["f2", "F1"] {
            operations.push((flow, create(anchor, anchor)));
            operations.push((flow, add(anchor, "u2")));
            operations.push((flow, add(anchor, "u1")));
        }
    }
    tenant.directory().apply("r1", plan_of(operations)).unwrap();
    let mut all: Vec<LedgerMember> = Vec::new();
    loop {
        let page = tenant.directory().ledger_members(all.last(), 5).unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    assert_eq!(all.len(), anchors.len() * 4);
    assert!(all.is_sorted());
    assert!(tenant.directory().ledger_groups().unwrap().is_sorted_by_key(|g| (g.flow_id.clone(), g.anchor.clone())));
}

#[test]
fn groups_are_found_by_many_anchors_at_once_and_never_by_name() {
    let tenant = Tenant::new();
    let hand_made = object(json!({ "displayName": "A7", "mailNickname": "A7", "mailEnabled": false, "securityEnabled": true }));
    tenant.write(move |tx| graph::group_create(tx, "g-hand", hand_made, NOW.parse().unwrap())).unwrap();
    let anchors: Vec<String> = (0..450).map(|n| format!("A{n}")).collect();
    let operations = anchors.iter().step_by(2).map(|anchor| create(anchor, "Same name")).collect();
    tenant.directory().apply("r1", plan("a", operations)).unwrap();
    let found = tenant.directory().groups_by_anchor(&anchors).unwrap();
    assert_eq!(found.len(), 225);
    assert!(found.iter().all(|group| group.id != "g-hand" && group.display_name == "Same name"));
    assert_eq!(tenant.directory().groups_by_anchor(&[]).unwrap(), Vec::new());
}
