//! Statements and values: the same in and out on both engines.

use crate::bench::{A, Bench, THINGS, n, read, system, write};
use store::{Store, StoreError, Value, params};

on_both_engines!(
    values_come_back,
    null_and_types_are_checked,
    a_text_with_nul_is_refused,
    placeholders_may_repeat_and_pass_ten,
    only_a_key_in_use_is_a_duplicate,
    many_rows_by_one_statement,
    a_bad_row_among_many_undoes_all,
    rows_are_streamed_and_can_be_stopped,
);

fn put_bytes(store: &Store, kid: &'static str, bytes: Vec<u8>) {
    let sql = "INSERT INTO signing_key (kid, private_pkcs8, created) VALUES ($1, $2, $3)";
    assert_eq!(write(store, &system(A), move |tx| tx.execute(sql, params![kid, bytes, 0])).unwrap(), 1);
}

fn values_come_back(bench: &Bench) {
    let store = bench.open();
    let all: Vec<u8> = (0..=255).collect();
    for (kid, bytes) in [("none", vec![]), ("all", all.clone()), ("big", all.repeat(4096))] {
        put_bytes(&store, kid, bytes.clone());
        let row = read(&store, &system(A), move |tx| tx.query_one("SELECT private_pkcs8 FROM signing_key WHERE kid = $1", params![kid]));
        assert!(row.unwrap().blob(0).unwrap() == bytes, "{kid}");
    }
    for number in [0, 1, -1, i64::MIN, i64::MAX, i64::from(i32::MAX) + 1] {
        let sql = "INSERT INTO run_cursor (tenant_id, run_id, next_seq) VALUES ($1, $2, $3) RETURNING next_seq";
        let row = write(&store, &system(A), move |tx| tx.query_one(sql, params!["t", number.to_string(), number])).unwrap();
        assert_eq!(row.unwrap().int(0).unwrap(), number);
    }
    let row = read(&store, &system(A), |tx| tx.query_one("SELECT 1, 1 = 1, 1 = 2, CAST('5' AS BIGINT), 'x'", &[])).unwrap();
    let numbers: Vec<i64> = (0..4).map(|i| row.int(i).unwrap()).collect();
    assert_eq!((numbers, row.text(4).unwrap()), (vec![1, 1, 0, 5], "x"));
    let fraction = store.read_blocking::<_, StoreError>(&system(A), |tx| tx.query_one("SELECT CAST(0.5 AS REAL)", &[]));
    assert!(matches!(fraction, Err(StoreError::Corrupt(_))), "{fraction:?}");
}

fn null_and_types_are_checked(bench: &Bench) {
    let store = bench.open();
    let none: Option<&str> = None;
    write(&store, &system(A), move |tx| tx.audit("1", none, Some("f"), "a", "o", "d")).unwrap();
    let row = read(&store, &system(A), |tx| tx.query_one("SELECT run_id, flow_id, at, NULL FROM audit_log", &[])).unwrap();
    assert_eq!((row.opt_text(0).unwrap(), row.opt_text(1).unwrap(), row.opt_int(3).unwrap()), (None, Some("f"), None));
    assert!(row.opt_int(2).unwrap().is_some());
    for wrong in [row.text(0).map(str::len), row.int(1).map(|_| 0), row.text(2).map(str::len), row.blob(1).map(<[u8]>::len)] {
        assert!(matches!(wrong, Err(StoreError::Corrupt(_))));
    }
    assert!(matches!(row.int(99), Err(StoreError::Corrupt(_))), "a column too far");
    let sql = "INSERT INTO run_cursor (tenant_id, run_id, next_seq) VALUES ($1, $2, $3)";
    for (id, seq) in [(Value::from("r"), Value::from("not a number")), ("r".into(), Value::Blob(vec![0; 8])), (Value::Null, 1.into())] {
        let refused = write(&store, &system(A), move |tx| tx.execute(sql, &["t".into(), id, seq]));
        assert!(matches!(refused, Err(StoreError::Sqlite(_) | StoreError::Postgres(_))), "{refused:?}");
    }
}

fn a_text_with_nul_is_refused(bench: &Bench) {
    let store = bench.open();
    let refused = store.read_blocking::<_, StoreError>(&system(A), |tx| tx.query("SELECT id FROM tenant WHERE id = $1", params!["a\0"]));
    assert!(matches!(refused, Err(StoreError::Unstorable(_))), "{refused:?}");
    let refused = write(&store, &system(A), |tx| tx.audit("1", None, None, "a", "o\0", "d"));
    assert!(matches!(refused, Err(StoreError::Unstorable(_))), "{refused:?}");
    put_bytes(&store, "bytes may have it", vec![0]);
}

fn placeholders_may_repeat_and_pass_ten(bench: &Bench) {
    let store = bench.open();
    let row = read(&store, &system(A), |tx| {
        let columns: Vec<String> = (1..=12).map(|i| format!("CAST(${i} AS BIGINT)")).collect();
        let values: Vec<Value> = (1..=12).map(Value::Int).collect();
        tx.query_one(&format!("SELECT {}, CAST($1 AS BIGINT) + CAST($12 AS BIGINT), '$1'", columns.join(", ")), &values)
    });
    let row = row.unwrap();
    assert_eq!((0..13).map(|i| row.int(i).unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    assert_eq!(row.text(13).unwrap(), "$1", "in quotes it is no placeholder");
}

fn only_a_key_in_use_is_a_duplicate(bench: &Bench) {
    let store = bench.open();
    let tenant = "INSERT INTO tenant (id, name, domain, created) VALUES ($1, 'n', $2, 0)";
    write(&store, &system(A), move |tx| tx.execute(tenant, params!["1", "a.example"])).unwrap();
    for (id, domain) in [("1", "b.example"), ("2", "a.example")] {
        let refused = write(&store, &system(A), move |tx| tx.execute(tenant, params![id, domain]));
        assert!(matches!(refused, Err(StoreError::Duplicate)), "{refused:?}");
    }
    let client = "INSERT INTO client (tenant_id, client_id, name, secret_hash, permissions, created) VALUES ($1, '1', $2, $3, '', 0)";
    for (tenant, name) in [("nobody", Some("n")), ("1", None)] {
        let refused = write(&store, &system(A), move |tx| tx.execute(client, params![tenant, name, vec![1]]));
        assert!(matches!(refused, Err(StoreError::Sqlite(_) | StoreError::Postgres(_))), "{refused:?}");
    }
}

const CURSOR: &str = "INSERT INTO run_cursor (tenant_id, run_id, next_seq) VALUES ($1, $2, $3)";

fn many_rows_by_one_statement(bench: &Bench) {
    let store = bench.open();
    let rows: Vec<Vec<Value>> = (0..3_000).map(|i| vec!["t".into(), format!("{i:05}").into(), i.into()]).collect();
    assert_eq!(write(&store, &system(A), move |tx| tx.execute_many(CURSOR, rows.iter().map(Vec::as_slice))).unwrap(), 3_000);
    let row = read(&store, &system(A), |tx| tx.query_one("SELECT count(*), max(next_seq) FROM run_cursor", &[])).unwrap();
    assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (3_000, 2_999));
    assert_eq!(write(&store, &system(A), |tx| tx.execute_many(CURSOR, [])).unwrap(), 0);
    let raise = "UPDATE run_cursor SET next_seq = 1 WHERE next_seq > $1";
    let some = write(&store, &system(A), move |tx| tx.execute_many(raise, [params![2_989], params![2_979]]));
    assert_eq!(some.unwrap(), 20, "rows changed, of all together");
}

fn a_bad_row_among_many_undoes_all(bench: &Bench) {
    let store = bench.open();
    for bad in ["1", "\0"] {
        let outcome = write(&store, &system(A), move |tx| {
            let rows: [&[Value]; 3] = [params!["t", "1", 1], params!["t", bad, 2], params!["t", "3", 3]];
            assert!(tx.execute_many(CURSOR, rows).is_err());
            Ok(())
        });
        assert!(matches!(outcome, Err(StoreError::Doomed)), "{outcome:?}");
    }
    let row = read(&store, &system(A), |tx| tx.query_one("SELECT count(*) FROM run_cursor", &[])).unwrap();
    assert_eq!(row.int(0).unwrap(), 0);
}

fn rows_are_streamed_and_can_be_stopped(bench: &Bench) {
    const NUMBERS: &str = "WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < $1) SELECT i FROM number";
    let store = bench.open();
    write(&store, &system(A), |tx| {
        let (mut count, mut sum) = (0, 0);
        tx.query_each::<StoreError>(NUMBERS, params![50_000], |row| {
            count += 1;
            sum += row.int(0)?;
            Ok(())
        })?;
        assert_eq!((count, sum), (50_000, 1_250_025_000));
        let mut seen = Vec::new();
        let stopped = tx.query_each(NUMBERS, params![50_000], |row| {
            seen.push(row.int(0)?);
            if seen.len() == 3 { Err(StoreError::StaleLease) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(StoreError::StaleLease)));
        assert_eq!(seen, [1, 2, 3]);
        // The rest of the answer is in nobody's way.
        tx.docs(&THINGS)?.insert("1", None, &n(0))?;
        assert_eq!(tx.docs(&THINGS)?.count(None)?, 1);
        Ok(())
    })
    .unwrap();
}
