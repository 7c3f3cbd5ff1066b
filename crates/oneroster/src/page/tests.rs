use super::*;
use crate::collection::USER_FLAGS;
use proptest::prelude::*;

const READING: Reading = Reading {
    collection: Collection::Users,
    version: Version::V1p1,
    switches: Switches { contacts: true, demographics: true, flags: true },
    delta: false,
};

fn one(json: &str) -> (Record, Vec<String>) {
    let page = read(READING, format!("{{\"users\":[{json}]}}").as_bytes()).unwrap();
    let notes = page.notes.iter().map(|note| format!("{} {}: {}", note.sourced_id, note.member, note.what)).collect();
    (page.records.into_iter().next().unwrap(), notes)
}

fn field(record: &Record, name: &str) -> String {
    let (file, row) = &record.rows[0];
    let at = file.header(Version::V1p1, READING.switches).iter().position(|column| *column == name).unwrap();
    row[at].clone()
}

#[test]
fn values_of_other_types_are_taken_where_they_mean_one_thing() {
    let (record, notes) = one(
        r#"{"sourcedId":7,"enabledUser":0,"username":null,"identifier":4711,"grades":"05","orgs":{"sourcedId":1},"agents":["a",{"sourcedId":"b"}],
            "metadata":{"microsoft":{"userFlags":["504","ELL"]}},"unknown":{"deep":[1,2]}}"#,
    );
    let given = ["sourcedId", "enabledUser", "username", "identifier", "grades", "orgSourcedIds", "agentSourcedIds", USER_FLAGS];
    assert_eq!(given.map(|name| field(&record, name)), ["7", "false", "", "4711", "05", "1", "a,b", "504,ELL"]);
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn a_value_that_means_nothing_is_left_out_and_said() {
    let (record, notes) = one(
        r#"{"sourcedId":"u","username":{"a":1},"email":1.5,"enabledUser":[true],"grades":[["x"],"07"],"orgs":[{"href":"orgs/1"},{"sourcedId":true}],
            "userIds":["x",{"type":"a","identifier":"b"}],"givenName":"A\u0000\r\nB\tC"}"#,
    );
    let given = ["username", "email", "enabledUser", "grades", "orgSourcedIds", "userIds", "givenName"];
    assert_eq!(given.map(|name| field(&record, name)), ["", "", "", "07", "", "{a:b}", "A  B C"]);
    assert_eq!(
        notes,
        [
            "u enabledUser: an array in place of true or false",
            "u orgs: a reference without sourcedId",
            "u orgs.sourcedId: a boolean in place of a text",
            "u username: an object in place of a text",
            "u userIds: a text in place of an object with type and identifier",
            "u givenName: line breaks or other control characters, which became spaces",
            "u email: a number in place of a text",
            "u grades: an array in place of a text",
        ]
    );
}

/// As edfi-oneroster has `academicsessions`.
#[test]
fn the_array_may_be_spelt_in_other_letters() {
    for name in ["users", "Users", "USERS"] {
        assert_eq!(read(READING, format!("{{\"{name}\":[{{\"sourcedId\":\"a\"}}]}}").as_bytes()).unwrap().records.len(), 1, "{name}");
    }
}

#[test]
fn what_is_no_page_is_an_error_with_its_place() {
    for (text, says) in [
        ("", "EOF"),
        ("[]", "an object with the array 'users'"),
        ("{}", "no array 'users'"),
        ("{\"people\":[]}", "no array 'users'"),
        ("{\"users\":null}", "an array of objects"),
        ("{\"users\":[{}", "EOF"),
        ("{\"users\":[{\"sourcedId\":\"a\"},3]}", "line 1 column 29"),
        ("{\"users\":[]}{", "trailing"),
        ("{\"users\":[],\"users\":[]}", "two arrays"),
        ("<html>", "expected value"),
    ] {
        let error = read(READING, text.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
    assert!(
        read(READING, format!("{{\"users\":[{}", "{\"a\":[".repeat(10_000)).as_bytes()).is_err(),
        "deep nesting is an error and no crash"
    );
    assert_eq!(read(READING, b" {\"count\": 0, \"users\" : [ ] } \n").unwrap().records.len(), 0);
}

#[test]
fn whoever_is_a_contact_only_is_left_out_where_those_are_switched_off() {
    let off = Reading { switches: Switches::default(), ..READING };
    let v1p2 = Reading { version: Version::V1p2, ..off };
    for (reading, json, out) in [
        (off, r#"{"sourcedId":"a","role":"Parent"}"#, true),
        (off, r#"{"sourcedId":"a","role":"student"}"#, false),
        (off, r#"{"sourcedId":"a"}"#, false),
        (v1p2, r#"{"sourcedId":"a","roles":[{"role":"guardian"},{"role":"relative"}]}"#, true),
        (v1p2, r#"{"sourcedId":"a","roles":[{"role":"guardian"},{"role":"teacher"}]}"#, false),
        (v1p2, r#"{"sourcedId":"a","roles":[]}"#, false),
    ] {
        let page = read(reading, format!("{{\"users\":[{json}]}}").as_bytes()).unwrap();
        assert_eq!(page.records[0].left_out, out, "{json}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for collection in Collection::ALL {
            let _ = read(Reading { collection, ..READING }, &bytes);
        }
    }

    /// JSON of the right outline and any content: every row has as many fields as its header, and one line each.
    #[test]
    fn rows_fit_their_headers(members in prop::collection::btree_map("roles|userProfiles|orgs|agents|sourcedId|status|grades|metadata|[a-z]{1,3}", json(), 0..8)) {
        for collection in Collection::ALL {
            for version in Version::ALL {
                let reading = Reading { collection, version, ..READING };
                let body = serde_json::json!({ collection.name(): [members] }).to_string();
                prop_assert!(read(reading, body.as_bytes()).unwrap().records.iter().all(|record| record.is_well_formed(reading)));
            }
        }
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("sourcedId|type|identifier|credentials|profileId|role|org|microsoft", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
