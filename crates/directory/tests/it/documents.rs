//! Users and groups as the REST layer keeps them.

use super::*;
use graph::{GroupQuery, UserQuery};

fn with_password(upn: &str) -> Map<String, Value> {
    let mut body = user(upn);
    body.insert("passwordProfile".to_owned(), json!({ "password": "Zebra-7-cloud" }));
    body
}

fn create_user(tenant: &Tenant, id: &str, body: Map<String, Value>) -> Result<graph::Document, DirectoryError> {
    let id = id.to_owned();
    tenant.write(move |tx| graph::user_create(tx, &id, body, NOW.parse().unwrap()))
}

fn update_user(tenant: &Tenant, id: &str, patch: Value) -> Result<graph::Document, DirectoryError> {
    let id = id.to_owned();
    tenant.write(move |tx| graph::user_update(tx, &id, &object(patch)))
}

fn get_user(tenant: &Tenant, key: &str) -> Option<graph::Document> {
    let key = key.to_owned();
    tenant.write(move |tx| graph::user_get(tx, &key)).unwrap()
}

fn target(error: DirectoryError) -> Option<String> {
    let DirectoryError::Invalid { target, .. } = error else { panic!("{error}") };
    target
}

#[test]
fn a_new_user_has_id_and_time_and_keeps_no_password() {
    let tenant = Tenant::new();
    let made = create_user(&tenant, "u1", with_password("Ann@School.Example")).unwrap();
    assert_eq!((made.id.as_str(), made.version), ("u1", 1));
    assert_eq!(made.body["createdDateTime"], NOW);
    assert_eq!(made.body["userType"], "Member");
    let kept = get_user(&tenant, "u1").unwrap().body;
    assert_eq!(kept, made.body);
    assert_eq!(kept["userPrincipalName"], "Ann@School.Example", "the spelling is kept");
    assert!(!Value::Object(kept).to_string().contains("Zebra"));
}

#[test]
fn what_a_user_needs_is_named_when_it_is_missing() {
    let tenant = Tenant::new();
    for name in ["displayName", "mailNickname", "userPrincipalName", "accountEnabled", "passwordProfile"] {
        let mut body = with_password("ann@school.example");
        body.remove(name);
        assert_eq!(target(create_user(&tenant, "u1", body).unwrap_err()).as_deref(), Some(name));
    }
    assert_eq!(target(create_user(&tenant, "u1", with_password("ann")).unwrap_err()).as_deref(), Some("userPrincipalName"));
    assert_eq!(get_user(&tenant, "u1").map(|u| u.id), None);
}

#[test]
fn a_user_principal_name_is_used_once_whatever_its_case() {
    let tenant = Tenant::new();
    create_user(&tenant, "u1", with_password("Ann@School.Example")).unwrap();
    create_user(&tenant, "u2", with_password("bob@school.example")).unwrap();
    let error = create_user(&tenant, "u3", with_password("ANN@school.example")).unwrap_err();
    assert!(matches!(&error, DirectoryError::Conflict(message) if message.contains("ANN@school.example")), "{error}");
    let error = update_user(&tenant, "u2", json!({ "userPrincipalName": "aNN@School.Example" })).unwrap_err();
    assert!(matches!(error, DirectoryError::Conflict(_)), "{error}");
    assert_eq!(get_user(&tenant, "u2").unwrap().body["userPrincipalName"], "bob@school.example", "nothing half-done");
    update_user(&tenant, "u1", json!({ "userPrincipalName": "ann@school.example" })).unwrap();
}

#[test]
fn a_user_is_found_by_id_and_by_name_whatever_its_case() {
    let tenant = Tenant::new();
    create_user(&tenant, "u1", with_password("Ann@School.Example")).unwrap();
    assert_eq!(get_user(&tenant, "ANN@SCHOOL.example").unwrap().id, "u1");
    assert!(get_user(&tenant, "U1").is_none() && get_user(&tenant, "ann@other.example").is_none());
}

#[test]
fn a_changed_user_keeps_what_the_change_does_not_name() {
    let tenant = Tenant::new();
    create_user(&tenant, "u1", with_password("ann@school.example")).unwrap();
    let changed =
        update_user(&tenant, "u1", json!({ "mail": "A@School.Example", "accountEnabled": false, "passwordProfile": {} })).unwrap();
    assert_eq!((changed.version, &changed.body["displayName"]), (2, &json!("ann@school.example")));
    assert!(!changed.body.contains_key("passwordProfile"));
    let seen = tenant.directory().users(None, 9).unwrap().pop().unwrap();
    assert_eq!((seen.mail.as_deref(), seen.enabled), (Some("a@school.example"), false), "runs see the change");
    update_user(&tenant, "u1", json!({ "mail": null })).unwrap();
    assert_eq!(tenant.directory().users(None, 9).unwrap().pop().unwrap().mail, None);
    assert!(matches!(update_user(&tenant, "u9", json!({})).unwrap_err(), DirectoryError::NotFound(_)));
}

#[test]
fn a_change_cannot_make_a_user_that_could_not_have_been_created() {
    let tenant = Tenant::new();
    create_user(&tenant, "u1", with_password("ann@school.example")).unwrap();
    for (patch, name) in [
        (json!({ "userPrincipalName": null }), "userPrincipalName"),
        (json!({ "userPrincipalName": "ann" }), "userPrincipalName"),
        (json!({ "displayName": "" }), "displayName"),
        (json!({ "accountEnabled": null }), "accountEnabled"),
    ] {
        assert_eq!(target(update_user(&tenant, "u1", patch).unwrap_err()).as_deref(), Some(name));
    }
    let changed = update_user(&tenant, "u1", json!({ "id": "u7" })).unwrap();
    assert_eq!((changed.id.as_str(), &changed.body["id"]), ("u1", &json!("u1")), "an id never changes");
}

#[test]
fn users_are_listed_in_pages_and_by_key() {
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2", "u3"]);
    update_user(&tenant, "u2", json!({ "mail": "Bob.B@School.Example" })).unwrap();
    let list = |query: UserQuery<'static>| -> Vec<String> {
        tenant.write(move |tx| graph::user_list(tx, &query)).unwrap().into_iter().map(|u| u.id).collect()
    };
    assert_eq!(list(UserQuery { limit: 2, ..UserQuery::default() }), ["u1", "u2"]);
    assert_eq!(list(UserQuery { limit: 2, after: Some("u2"), ..UserQuery::default() }), ["u3"]);
    assert_eq!(list(UserQuery { limit: 9, upn: Some("U3@SCHOOL.example"), ..UserQuery::default() }), ["u3"]);
    assert_eq!(list(UserQuery { limit: 9, mail: Some("bob.b@school.EXAMPLE"), ..UserQuery::default() }), ["u2"]);
    assert_eq!(list(UserQuery { limit: 9, id: Some("u1"), upn: Some("u2@school.example"), ..UserQuery::default() }), Vec::<String>::new());
    assert_eq!(tenant.write(graph::user_count).unwrap(), 3);
}

#[test]
fn deleting_a_user_takes_it_out_of_its_groups() {
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2"]);
    tenant.directory().apply("r1", plan("a", vec![create("A", "A"), add("A", "u1"), add("A", "u2")])).unwrap();
    tenant.write(|tx| graph::user_delete(tx, "U1@school.example")).unwrap();
    assert_eq!(tenant.members("A"), set(&["u2"]));
    assert!(get_user(&tenant, "u1").is_none());
    assert!(matches!(tenant.write(|tx| graph::user_delete(tx, "u1")).unwrap_err(), DirectoryError::NotFound(_)));
    // The ledger still knows of the membership; letting go of it is no write.
    assert_eq!(tenant.directory().apply("r2", plan("a", vec![remove("A", "u1")])).unwrap().written, 0);
    assert_eq!(tenant.held().len(), 1);
}

fn group(name: &str) -> Map<String, Value> {
    object(json!({ "displayName": name, "mailNickname": "g", "mailEnabled": false, "securityEnabled": true }))
}

#[test]
fn groups_are_made_changed_listed_and_deleted() {
    let tenant = Tenant::new();
    for name in ["displayName", "mailNickname", "mailEnabled", "securityEnabled"] {
        let mut body = group("Chess");
        body.remove(name);
        let error = tenant.write(move |tx| graph::group_create(tx, "g1", body, NOW.parse().unwrap())).unwrap_err();
        assert_eq!(target(error).as_deref(), Some(name));
    }
    for id in ["g1", "g2", "g3"] {
        let made = tenant.write(move |tx| graph::group_create(tx, id, group(&format!("Chess {id}")), NOW.parse().unwrap())).unwrap();
        assert_eq!((made.version, &made.body["id"], &made.body["createdDateTime"]), (1, &json!(id), &json!(NOW)));
    }
    let changed = tenant.write(|tx| graph::group_update(tx, "g2", &object(json!({ "displayName": "Go", "id": "x" })))).unwrap();
    assert_eq!((changed.version, &changed.body["displayName"], &changed.body["id"]), (2, &json!("Go"), &json!("g2")));
    let error = tenant.write(|tx| graph::group_update(tx, "g2", &object(json!({ "displayName": null })))).unwrap_err();
    assert_eq!(target(error).as_deref(), Some("displayName"));
    let list = |query: GroupQuery<'static>| -> Vec<String> {
        tenant.write(move |tx| graph::group_list(tx, &query)).unwrap().into_iter().map(|g| g.id).collect()
    };
    assert_eq!(list(GroupQuery { limit: 2, ..GroupQuery::default() }), ["g1", "g2"]);
    assert_eq!(list(GroupQuery { limit: 2, after: Some("g2"), ..GroupQuery::default() }), ["g3"]);
    assert_eq!(list(GroupQuery { limit: 9, display_name: Some("Go"), ..GroupQuery::default() }), ["g2"]);
    assert_eq!(list(GroupQuery { limit: 9, id: Some("g3"), ..GroupQuery::default() }), ["g3"]);
    tenant.write(|tx| graph::group_delete(tx, "g2")).unwrap();
    assert_eq!(tenant.write(graph::group_count).unwrap(), 2);
    assert!(tenant.write(|tx| graph::group_get(tx, "g2")).unwrap().is_none());
    assert!(matches!(tenant.write(|tx| graph::group_delete(tx, "g2")).unwrap_err(), DirectoryError::NotFound(_)));
    assert!(matches!(tenant.write(|tx| graph::group_update(tx, "g2", &Map::new())).unwrap_err(), DirectoryError::NotFound(_)));
}

#[test]
fn members_are_added_and_removed_by_hand() {
    let tenant = Tenant::new();
    tenant.users(&["u1", "u2", "u3"]);
    for id in ["g1", "g2"] {
        tenant.write(move |tx| graph::group_create(tx, id, group(id), NOW.parse().unwrap())).unwrap();
    }
    for user in ["u3", "U1@school.example", "u2"] {
        tenant.put_by_hand("g1", user);
    }
    tenant.put_by_hand("g2", "u1");
    let error = tenant.write(|tx| graph::member_add(tx, "g1", "u1")).unwrap_err();
    assert!(matches!(&error, DirectoryError::Invalid { message, .. } if message.contains("already exist")), "{error}");
    for (group, user) in [("g9", "u1"), ("g1", "u9")] {
        assert!(matches!(tenant.write(move |tx| graph::member_add(tx, group, user)).unwrap_err(), DirectoryError::NotFound(_)));
    }
    let linked = |of_group, id: &'static str, after: Option<&'static str>| -> Vec<String> {
        tenant.write(move |tx| graph::linked(tx, of_group, id, after, 2)).unwrap().into_iter().map(|d| d.id).collect()
    };
    assert_eq!(linked(true, "g1", None), ["u1", "u2"]);
    assert_eq!(linked(true, "g1", Some("u2")), ["u3"]);
    assert_eq!(linked(false, "u1", None), ["g1", "g2"]);
    assert_eq!(tenant.write(|tx| graph::linked_count(tx, true, "g1")).unwrap(), 3);
    assert_eq!(tenant.write(|tx| graph::linked_count(tx, false, "u2")).unwrap(), 1);
    tenant.take_out_by_hand("g1", "u2");
    assert!(matches!(tenant.write(|tx| graph::member_remove(tx, "g1", "u2")).unwrap_err(), DirectoryError::NotFound(_)));
    tenant.write(|tx| graph::group_delete(tx, "g1")).unwrap();
    assert_eq!(linked(false, "u1", None), ["g2"], "memberships go with the group");
}
