//! Pulls that go well, whatever the provider is like.

use crate::provider::{Auth, Paging, Provider, Setup, school};
use crate::{ALL, connection, instant, pull, surroundings, try_pull};
use oneroster::{Mode, Switches, Version};
use serde_json::json;

const VERSIONS: [(Version, &str); 2] = [(Version::V1p1, "1.1"), (Version::V1p2, "1.2")];

#[tokio::test]
async fn every_way_of_paging_brings_the_whole_roster() {
    for (version, name) in VERSIONS {
        for paging in [Paging::Total, Paging::Link, Paging::Both, Paging::Neither, Paging::Cursor, Paging::EndlessLink] {
            for cap in [3, 1000] {
                let provider = Provider::start(Setup { paging, cap, ..Setup::default() }, school(name, 20)).await;
                let pulled = pull(&provider, Auth::OAuth2Basic, version, ALL).await;
                let counts =
                    ["orgs.csv", "academicSessions.csv", "users.csv", "courses.csv", "classes.csv", "enrollments.csv", "demographics.csv"];
                let counts = counts.map(|file| pulled.rows(file).len());
                assert_eq!(counts, [3, 2, 42, 1, 2, 22, 20], "{name} {paging:?} {cap}");
                assert_eq!(provider.tokens(), 1);
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_credential_is_understood() {
    for auth in [Auth::OAuth2Basic, Auth::OAuth2Form, Auth::OAuth1("HMAC-SHA256"), Auth::OAuth1("HMAC-SHA1")] {
        let provider = Provider::start(Setup { auth, ..Setup::default() }, school("1.1", 10)).await;
        let pulled = pull(&provider, auth, Version::V1p1, Switches::default()).await;
        assert_eq!(pulled.rows("users.csv").len(), 11, "{auth:?}");
    }
}

#[tokio::test]
async fn a_record_of_1_1_becomes_a_row_of_1_1() {
    let provider = Provider::start(Setup { gzip: true, ..Setup::default() }, school("1.1", 10)).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, ALL).await;
    let student = pulled.row("users.csv", "s3");
    for (column, wanted) in [
        ("status", ""),
        ("dateLastModified", ""),
        ("enabledUser", "true"),
        ("orgSourcedIds", "S1"),
        ("role", "student"),
        ("userIds", "{LDAP:s3}"),
        ("givenName", "Ana s3"),
        ("familyName", "O'Neill, Jr."),
        ("agentSourcedIds", "g3"),
        ("grades", "05"),
        ("password", ""),
        ("metadata.microsoft.userFlags", "freeLunch,504"),
    ] {
        assert_eq!(student[column], wanted, "{column}");
    }
    assert_eq!(pulled.row("orgs.csv", "S1")["parentSourcedId"], "D");
    assert_eq!(pulled.row("orgs.csv", "S1")["name"], "school \"S1\"");
    let class = pulled.row("classes.csv", "k0");
    assert_eq!([&class["title"], &class["termSourcedIds"], &class["periods"], &class["courseSourcedId"]], ["Maths k0", "T", "1,2", "C"]);
    let course = pulled.row("courses.csv", "C");
    assert_eq!([&course["subjects"], &course["subjectCodes"], &course["schoolYearSourcedId"]], ["Maths,Art; plain", "02,05", "Y"]);
    let enrollment = pulled.row("enrollments.csv", "e-k0-t0");
    assert_eq!([&enrollment["userSourcedId"], &enrollment["primary"], &enrollment["role"]], ["t0", "true", "teacher"]);
    let demographics = pulled.row("demographics.csv", "s3");
    assert_eq!(
        [&demographics["birthDate"], &demographics["asian"], &demographics["white"], &demographics["sex"]],
        ["2015-04-01", "true", "false", "female"]
    );
    let manifest = |name: &str| pulled.rows("manifest.csv").iter().find(|row| row["propertyName"] == name).unwrap()["value"].clone();
    assert_eq!([manifest("manifest.version"), manifest("oneroster.version"), manifest("file.users")], ["1.0", "1.1", "bulk"]);
    assert_eq!([manifest("file.results"), manifest("source.systemName")], ["absent", "127.0.0.1"]);
    // What could not be taken over as it is was said: the line break and the comma.
    let notes: Vec<String> = pulled.report.notes.iter().map(|n| format!("{} {} {}", n.collection.name(), n.sourced_id, n.member)).collect();
    assert_eq!(notes, ["courses C subjects", "classes k0 title"]);
    assert_eq!(pulled.report.left_out, 0);
    assert!(!pulled.files.values().flatten().flatten().any(|(_, value)| value.contains("never")), "a password was written");
}

#[tokio::test]
async fn a_user_of_1_2_becomes_a_user_with_roles_and_profiles() {
    let mut data = school("1.2", 2);
    data.get_mut("users").unwrap()[1]["userProfiles"] = json!([{ "profileId": "p1", "profileType": "lms", "vendorId": "v", "applicationId": "a",
        "credentials": [{ "type": "sso", "username": "ana", "password": "never" }] }]);
    let provider = Provider::start(Setup::default(), data).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p2, ALL).await;
    assert_eq!(pulled.row("users.csv", "s0")["preferredGivenName"], "Annie");
    assert_eq!(pulled.row("users.csv", "s0")["primaryOrgSourcedId"], "S1");
    assert!(!pulled.row("users.csv", "s0").contains_key("role"));
    let roles = pulled.rows("roles.csv");
    assert_eq!(roles.len(), 5);
    let role = roles.iter().find(|role| role["userSourcedId"] == "s0").unwrap();
    assert_eq!([&role["roleType"], &role["role"], &role["orgSourcedId"], &role["beginDate"]], ["primary", "student", "S1", "2026-08-01"]);
    let mut ids = pulled.column("roles.csv", "sourcedId");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())), "{ids:?}");
    let profile = pulled.row("userProfiles.csv", "p1");
    assert_eq!(
        [&profile["userSourcedId"], &profile["credentialType"], &profile["username"], &profile["password"]],
        ["s0", "sso", "ana", ""]
    );
}

#[tokio::test]
async fn what_is_switched_off_is_not_taken() {
    for (version, name) in VERSIONS {
        let provider = Provider::start(Setup::default(), school(name, 10)).await;
        let pulled = pull(&provider, Auth::OAuth2Basic, version, Switches::default()).await;
        assert_eq!(pulled.rows("users.csv").len(), 11, "without guardians");
        assert_eq!(pulled.report.left_out, 10);
        assert!(pulled.column("users.csv", "agentSourcedIds").iter().all(|agents| agents.is_empty()));
        assert!(!pulled.rows("users.csv")[0].contains_key("metadata.microsoft.userFlags"));
        assert!(!pulled.files.contains_key("demographics.csv"));
        assert!(provider.log().iter().all(|line| !line.contains("demographics") && !line.contains("role")), "{:?}", provider.log());
    }
}

/// Some providers leave contacts out of `/users` unless they are asked for by role.
#[tokio::test]
async fn contacts_are_asked_for_by_role_and_come_once() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, ALL).await;
    let mut ids = pulled.column("users.csv", "sourcedId");
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!((all, ids.len()), (21, 21));
    let log = provider.log().join("\n");
    for filter in ["role%3D%27guardian%27", "role%3D%27parent%27", "role%3D%27relative%27", "filter=status%3D%27active%27"] {
        assert!(log.contains(filter), "{filter}: {log}");
    }
}

/// Whoever is not in `/users` and comes with several roles, because the provider does not look at the
/// filter then, is still written once.
#[tokio::test]
async fn a_contact_that_comes_with_every_role_is_written_once() {
    let mut data = school("1.1", 10);
    let users = data.get_mut("users").unwrap();
    // Not active, so that the first question does not bring him, and not deleted, so that he counts.
    let mut late = users[2].clone();
    (late["sourcedId"], late["status"]) = (json!("late"), json!(""));
    users.push(late);
    let provider = Provider::start(Setup { ignores_roles: true, ..Setup::default() }, data).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, ALL).await;
    assert_eq!(pulled.column("users.csv", "sourcedId").iter().filter(|id| **id == "late").count(), 1);
}

#[tokio::test]
async fn a_delta_says_what_was_changed_and_what_was_deleted() {
    let mut data = school("1.1", 10);
    data.get_mut("classes").unwrap()[0]["dateLastModified"] = json!("2026-10-02T08:00:00.000Z");
    let provider = Provider::start(Setup::default(), data).await;
    let connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    let mode = Mode::Since(instant("2026-09-30T12:00:00Z"));
    let pulled = try_pull(&connection, &surroundings(&[&provider.address]), mode).await.unwrap();
    let names: Vec<&str> = pulled.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["classes.csv", "manifest.csv", "users.csv"], "files without a change are absent");
    let (user, class) = (pulled.row("users.csv", "gone"), pulled.row("classes.csv", "k0"));
    assert_eq!([&user["status"], &user["dateLastModified"]], ["tobedeleted", "2026-10-01T00:00:00.000Z"]);
    assert_eq!([&class["status"], &class["dateLastModified"]], ["active", "2026-10-02T08:00:00.000Z"]);
    let manifest = |name: &str| pulled.rows("manifest.csv").iter().find(|row| row["propertyName"] == name).unwrap()["value"].clone();
    assert_eq!([manifest("file.users"), manifest("file.orgs")], ["delta", "absent"]);
    assert!(provider.log().iter().any(|line| line.contains("filter=dateLastModified%3E%272026-09-30T12%3A00%3A00.000Z%27")));
}

/// The clock of the provider, when it gave its first answer: from there on, the next pull asks for changes.
#[tokio::test]
async fn a_pull_says_what_time_it_was_at_the_provider() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()).await;
    // It runs on the machine's clock; the client's own one stands still in these tests.
    let age = jiff::Timestamp::now().duration_since(pulled.report.provider_time.unwrap());
    assert!(age.as_secs() < 600 && !age.is_negative(), "{age:?}");
}

/// Whoever was a student and is only a guardian now leaves a roster without contacts.
#[tokio::test]
async fn a_contact_among_the_changes_is_to_be_removed_where_contacts_are_off() {
    for (version, name) in VERSIONS {
        let mut data = school(name, 2);
        for user in data.get_mut("users").unwrap().iter_mut().filter(|user| user["sourcedId"] == "g0" || user["sourcedId"] == "g1") {
            user["dateLastModified"] = json!("2026-10-02T08:00:00.000Z");
        }
        let provider = Provider::start(Setup::default(), data).await;
        for (switches, status) in [(Switches::default(), "tobedeleted"), (ALL, "active")] {
            let connection = connection(&provider, Auth::OAuth2Basic, version, switches);
            let mode = Mode::Since(instant("2026-10-01T12:00:00Z"));
            let pulled = try_pull(&connection, &surroundings(&[&provider.address]), mode).await.unwrap();
            for file in ["users.csv", "roles.csv"] {
                let statuses = pulled.column(file, "status");
                assert!(statuses.iter().all(|given| *given == status), "{name} {file} {statuses:?}");
            }
            assert_eq!(pulled.column("users.csv", "sourcedId"), ["g0", "g1"]);
        }
    }
}

/// Whether a user who has changed has roles or none, their file is there to say it.
#[tokio::test]
async fn roles_come_with_the_users_that_have_changed() {
    let mut data = school("1.2", 2);
    let user = &mut data.get_mut("users").unwrap()[1];
    (user["roles"], user["dateLastModified"]) = (json!([]), json!("2026-10-02T08:00:00.000Z"));
    let provider = Provider::start(Setup::default(), data).await;
    let connection = connection(&provider, Auth::OAuth2Basic, Version::V1p2, ALL);
    let mode = Mode::Since(instant("2026-10-01T12:00:00Z"));
    let pulled = try_pull(&connection, &surroundings(&[&provider.address]), mode).await.unwrap();
    let names: Vec<&str> = pulled.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["manifest.csv", "roles.csv", "userProfiles.csv", "users.csv"]);
    assert_eq!((pulled.rows("users.csv").len(), pulled.rows("roles.csv").len()), (1, 0));
}

#[tokio::test]
async fn collections_that_need_not_be_there_may_be_missing() {
    let mut data = school("1.1", 10);
    data.remove("courses");
    data.remove("demographics");
    data.insert("enrollments", Vec::new());
    let provider = Provider::start(Setup { no_content: true, ..Setup::default() }, data).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, ALL).await;
    assert_eq!(pulled.report.missing.iter().map(|c| c.name()).collect::<Vec<_>>(), ["courses", "demographics"]);
    assert!(!pulled.files.contains_key("courses.csv"));
    assert_eq!(pulled.rows("enrollments.csv").len(), 0);
    let manifest = |name: &str| pulled.rows("manifest.csv").iter().find(|row| row["propertyName"] == name).unwrap()["value"].clone();
    assert_eq!([manifest("file.courses"), manifest("file.enrollments")], ["absent", "bulk"]);
}

/// A server that does not know `filter` sends what was deleted, too.
#[tokio::test]
async fn deleted_records_are_left_out_although_the_provider_sends_them() {
    let provider = Provider::start(Setup { ignores_filter: true, ..Setup::default() }, school("1.1", 10)).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()).await;
    assert!(!pulled.column("users.csv", "sourcedId").contains(&"gone"));
    assert_eq!(pulled.report.left_out, 11, "the deleted one and ten guardians");
}

#[tokio::test]
async fn pages_are_asked_for_in_the_documented_form() {
    let provider = Provider::start(Setup::default(), school("1.1", 20)).await;
    pull(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()).await;
    let users: Vec<String> = provider.log().into_iter().filter(|line| line.contains("/users?")).collect();
    assert_eq!(users[0], "/ims/oneroster/v1p1/users?offset=0&limit=7&filter=status%3D%27active%27");
    assert_eq!(users.len(), 6);
    // Those behind the first one run in parallel and may arrive in any order.
    let mut offsets: Vec<&str> = users.iter().map(|line| line.split("offset=").nth(1).unwrap().split('&').next().unwrap()).collect();
    offsets.sort_by_key(|offset| offset.parse::<u32>().unwrap());
    assert_eq!(offsets, ["0", "7", "14", "21", "28", "35"]);
}
