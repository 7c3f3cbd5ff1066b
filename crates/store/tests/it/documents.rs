//! Documents: in, out, versions, pages.

use crate::bench::{A, Bench, THINGS, at, body, ids, insert, n, read, system, system_at, write};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{Access, Store, StoreError};

on_both_engines!(
    a_document_comes_back_as_it_was,
    an_id_in_use_is_refused,
    a_change_counts_the_version_and_refuses_a_stale_one,
    put_inserts_and_then_replaces,
    delete_says_whether_there_was_one,
    pages_go_by_id_without_gaps_or_repeats,
    a_parent_narrows_lists_and_counts,
    the_last_id_is_the_greatest,
    ids_sort_by_their_bytes,
    every_text_comes_back,
    what_cannot_be_stored_is_refused_and_not_found,
    big_bodies_come_back,
    times_are_kept,
);

fn a_document_comes_back_as_it_was(bench: &Bench) {
    let store = bench.open();
    let content = body(json!({ "z": 1, "a": [null, true, "x", { "b": [] }], "max": u64::MAX, "min": i64::MIN, "half": 0.5, "e": "" }));
    let wanted = content.clone();
    write(&store, &system(A), move |tx| tx.docs(&THINGS)?.insert("1", Some("p"), &content)).unwrap();
    let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
    assert_eq!((doc.id.as_str(), doc.parent.as_deref(), doc.version), ("1", Some("p"), 1));
    assert_eq!(doc.body, wanted);
    let order: Vec<&String> = doc.body.keys().collect();
    assert_eq!(order, ["z", "a", "max", "min", "half", "e"], "properties stay in the order they were given in");
    assert!(read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("2")).is_none());
}

fn an_id_in_use_is_refused(bench: &Bench) {
    const OTHERS: Access = Access::unchecked("others");
    let store = bench.open();
    insert(&store, &system(A), "1");
    let again = write(&store, &system(A), |tx| tx.docs(&THINGS)?.insert("1", Some("p"), &n(7)));
    assert!(matches!(again, Err(StoreError::Duplicate)), "{again:?}");
    let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
    assert_eq!((doc.body, doc.parent, doc.version), (n(0), None, 1));
    write(&store, &system(A), |tx| tx.docs(&OTHERS)?.insert("1", None, &n(1))).unwrap();
}

fn a_change_counts_the_version_and_refuses_a_stale_one(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system(A), "1");
    let change = |expected: Option<i64>, to: i64| write(&store, &system(A), move |tx| tx.docs(&THINGS)?.update("1", &n(to), expected));
    assert_eq!(change(Some(1), 1).unwrap(), 2);
    assert!(matches!(change(Some(1), 2), Err(StoreError::VersionConflict)));
    assert!(matches!(change(Some(3), 2), Err(StoreError::VersionConflict)));
    assert_eq!(change(None, 3).unwrap(), 3);
    let gone = write(&store, &system(A), |tx| tx.docs(&THINGS)?.update("2", &n(0), None));
    assert!(matches!(gone, Err(StoreError::VersionConflict)));
    let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
    assert_eq!((doc.body, doc.version), (n(3), 3));
}

fn put_inserts_and_then_replaces(bench: &Bench) {
    let store = bench.open();
    for (parent, number) in [(None, 1), (Some("p"), 2), (Some("q"), 3)] {
        write(&store, &system(A), move |tx| tx.docs(&THINGS)?.put("1", parent, &n(number))).unwrap();
        let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
        assert_eq!((doc.parent.as_deref(), doc.body, doc.version), (parent, n(number), number));
    }
}

fn delete_says_whether_there_was_one(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system(A), "1");
    let delete = || write(&store, &system(A), |tx| tx.docs(&THINGS)?.delete("1")).unwrap();
    assert!(delete());
    assert!(!delete());
    insert(&store, &system(A), "1");
    let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
    assert_eq!(doc.version, 1, "a new document of the same id starts anew");
}

/// All pages of a collection, one after another.
fn pages(store: &Store, parent: Option<&'static str>, size: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let from = after.clone();
        let page = read(store, &system(A), move |tx| tx.docs(&THINGS)?.list(parent, from.as_deref(), size));
        let page: Vec<String> = page.into_iter().map(|doc| doc.id).collect();
        let Some(last) = page.last() else { return pages };
        after = Some(last.clone());
        pages.push(page);
    }
}

fn pages_go_by_id_without_gaps_or_repeats(bench: &Bench) {
    let store = bench.open();
    let wanted: Vec<String> = (0..251).map(|i| format!("{i:04}")).collect();
    // 7 and 251 have no common factor: every id once, in no order.
    let shuffled: Vec<String> = (0..251).map(|i| wanted[i * 7 % 251].clone()).collect();
    write(&store, &system(A), move |tx| shuffled.iter().try_for_each(|id| tx.docs(&THINGS)?.insert(id, None, &n(0)))).unwrap();
    let pages = pages(&store, None, 100);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 51]);
    assert_eq!(pages.concat(), wanted);
    assert_eq!(ids(&store, &system(A)).len(), 251, "the greatest limit there is");
    assert!(read(&store, &system(A), |tx| tx.docs(&THINGS)?.list(None, None, 0)).is_empty());
    let after_nothing_stored = read(&store, &system(A), |tx| tx.docs(&THINGS)?.list(None, Some("0100x"), 1));
    assert_eq!(after_nothing_stored[0].id, "0101", "the id that a page starts after need not be there any more");
}

fn a_parent_narrows_lists_and_counts(bench: &Bench) {
    let store = bench.open();
    write(&store, &system(A), |tx| {
        for (id, parent) in [("1", None), ("2", Some("p")), ("3", Some("q")), ("4", Some("p")), ("5", Some("p"))] {
            tx.docs(&THINGS)?.insert(id, parent, &n(0))?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(pages(&store, Some("p"), 2), [vec!["2", "4"], vec!["5"]]);
    assert_eq!(pages(&store, Some("nobody"), 2), Vec::<Vec<String>>::new());
    let count = |parent: Option<&'static str>| read(&store, &system(A), move |tx| tx.docs(&THINGS)?.count(parent));
    assert_eq!((count(None), count(Some("p")), count(Some("q")), count(Some("nobody"))), (5, 3, 1, 0));
}

fn the_last_id_is_the_greatest(bench: &Bench) {
    let store = bench.open();
    let last = || read(&store, &system(A), |tx| tx.docs(&THINGS)?.last_id());
    assert_eq!(last(), None);
    for id in ["b", "c", "a"] {
        insert(&store, &system(A), id);
    }
    assert_eq!(last().as_deref(), Some("c"));
}

fn ids_sort_by_their_bytes(bench: &Bench) {
    let store = bench.open();
    let mut wanted = [
        "",
        " ",
        "!",
        "-",
        "--",
        "-a",
        "0",
        "10",
        "9",
        "A",
        "Z",
        "_",
        "a",
        "a b",
        "a-b",
        "a_b",
        "ab",
        "aB",
        "b",
        "e\u{301}",
        "é",
        "ss",
        "ß",
        "z",
        "~",
        "İ",
        "ı",
        "ﬀ",
        "あ",
        "\u{FFFD}",
        "\u{FFFF}",
        "😀",
        "\u{10FFFF}",
    ];
    wanted.reverse();
    write(&store, &system(A), move |tx| wanted.iter().try_for_each(|id| tx.docs(&THINGS)?.insert(id, None, &n(0)))).unwrap();
    wanted.sort_unstable();
    // Pages of one: the comparison with the last id must agree with the order.
    assert_eq!(pages(&store, None, 1).concat(), wanted);
    assert_eq!(ids(&store, &system(A)), wanted);
    assert_eq!(read(&store, &system(A), |tx| tx.docs(&THINGS)?.last_id()).as_deref(), wanted.last().copied());
}

fn every_text_comes_back(bench: &Bench) {
    let store = bench.open();
    let texts = [
        "",
        "it's \"quoted\" \\ and \\u0000",
        "$1 ?1 :a @b %s {}",
        "'; DROP TABLE document; --",
        "\u{1}\t\r\n\u{7f}\u{85}\u{feff}",
        "שלום مرحبا \u{202e}abc",
        "👩‍👩‍👧‍👦 Z̷͉̋a̸l̵g̶o",
        "\u{FFFF}\u{10FFFF}\u{E000}",
    ];
    for (i, text) in texts.into_iter().enumerate() {
        let name = format!("{i}{text}");
        let id = name.clone();
        let content = body(json!({ text: [text, "\0"], "x": text }));
        write(&store, &system(A), move |tx| tx.docs(&THINGS)?.insert(&id, Some(text), &content)).unwrap();
        let doc = read(&store, &system(A), move |tx| tx.docs(&THINGS)?.get(&name)).unwrap();
        assert_eq!((doc.parent.as_deref(), &doc.body["x"], &doc.body[text][1]), (Some(text), &json!(text), &json!("\0")));
        assert_eq!(read(&store, &system(A), move |tx| tx.docs(&THINGS)?.count(Some(text))), 1);
    }
}

fn what_cannot_be_stored_is_refused_and_not_found(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system(A), "a");
    insert(&store, &system(A), "b");
    let long: &'static str = "x".repeat(4_000).leak();
    let mut deep = json!(1);
    for _ in 0..150 {
        deep = json!([deep]);
    }
    for (id, parent, content) in
        [("a\0", None, n(0)), ("c", Some("\0"), n(0)), (long, None, n(0)), ("d", Some(long), n(0)), ("e", None, body(deep))]
    {
        let again = content.clone();
        let inserted = write(&store, &system(A), move |tx| tx.docs(&THINGS)?.insert(id, parent, &content));
        assert!(matches!(inserted, Err(StoreError::Unstorable(_))), "{inserted:?}");
        let put = write(&store, &system(A), move |tx| tx.docs(&THINGS)?.put(id, parent, &again));
        assert!(matches!(put, Err(StoreError::Unstorable(_))), "{put:?}");
    }
    for id in ["a\0", "\0", long] {
        assert!(read(&store, &system(A), move |tx| tx.docs(&THINGS)?.get(id)).is_none());
        assert!(!write(&store, &system(A), move |tx| tx.docs(&THINGS)?.delete(id)).unwrap());
        let changed = write(&store, &system(A), move |tx| tx.docs(&THINGS)?.update(id, &n(1), None));
        assert!(matches!(changed, Err(StoreError::VersionConflict)));
        assert!(read(&store, &system(A), move |tx| tx.docs(&THINGS)?.list(Some(id), None, 9)).is_empty());
        assert_eq!(read(&store, &system(A), move |tx| tx.docs(&THINGS)?.count(Some(id))), 0);
    }
    let after = read(&store, &system(A), |tx| tx.docs(&THINGS)?.list(None, Some("a\0zzz"), 9));
    assert_eq!(after.into_iter().map(|doc| doc.id).collect::<Vec<_>>(), ["b"]);
}

fn big_bodies_come_back(bench: &Bench) {
    let store = bench.open();
    let many: Vec<Value> = (0..20_000).map(|i| json!({ "i": i, "name": format!("Nº {i}") })).collect();
    let content = body(json!({ "long": "ü".repeat(1 << 20), "many": many }));
    let wanted = content.clone();
    write(&store, &system(A), move |tx| tx.docs(&THINGS)?.insert("1", None, &content)).unwrap();
    let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
    assert!(doc.body == wanted);
}

fn times_are_kept(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system_at(A, 1), "1");
    write(&store, &system_at(A, 2), |tx| tx.docs(&THINGS)?.update("1", &n(1), None)).unwrap();
    let row = read(&store, &system(A), |tx| {
        let params = [tx.tenant_value()];
        tx.query_one("SELECT created, modified FROM document WHERE tenant_id = $1", &params)
    });
    let row = row.unwrap();
    assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (at(1).as_microsecond(), at(2).as_microsecond()));
}

/// Any JSON that a client may send.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinities", |f| f.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Values of thousands of random documents survive, to the last bit of a fraction.
#[test]
fn random_bodies_come_back() {
    let bench = Bench::sqlite();
    let store = bench.open();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
    runner
        .run(&prop::collection::vec(any_json(), 64), |values| {
            let content = body(json!({ "values": values }));
            write(&store, &system(A), move |tx| tx.docs(&THINGS)?.put("1", None, &content)).unwrap();
            let doc = read(&store, &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
            let stored = doc.body["values"].as_array().unwrap();
            prop_assert_eq!(stored.len(), values.len());
            for (stored, given) in stored.iter().zip(&values) {
                prop_assert_eq!(stored, given);
            }
            Ok(())
        })
        .unwrap();
}
