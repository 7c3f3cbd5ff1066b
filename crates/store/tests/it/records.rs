//! Windows of events and the audit log.

use crate::bench::{A, Bench, at, read, system, system_at, write};
use store::{OpContext, Store, StoreError};

on_both_engines!(a_window_counts_what_is_in_it, a_quota_holds_under_pressure, the_audit_log_only_grows);

fn record(store: &Store, ctx: &OpContext, name: &'static str) {
    write(store, ctx, move |tx| tx.window_record(name)).unwrap();
}

fn a_window_counts_what_is_in_it(bench: &Bench) {
    let store = bench.open();
    let window = |name: &'static str, since: i64| read(&store, &system(A), move |tx| tx.window(name, at(since)));
    assert_eq!(window("runs", 0), (0, None));
    for seconds in [30, 10, 20] {
        record(&store, &system_at(A, seconds), "runs");
    }
    record(&store, &system_at(A, 5), "other");
    assert_eq!(window("runs", 0), (3, Some(at(10))));
    assert_eq!(window("runs", 10), (2, Some(at(20))), "what is exactly as old as the window has left it");
    assert_eq!(window("runs", 29), (1, Some(at(30))));
    assert_eq!(window("runs", 30), (0, None));
    let undone: Result<(), _> = write(&store, &system_at(A, 40), |tx| {
        tx.window_record("runs")?;
        assert_eq!(tx.window("runs", at(30))?.0, 1);
        Err(StoreError::VersionConflict)
    });
    assert!(undone.is_err());
    assert_eq!(window("runs", 0).0, 3, "what was undone has not happened");
    let one_request = system_at(A, 50);
    record(&store, &one_request, "runs");
    record(&store, &one_request, "runs");
    write(&store, &one_request, |tx| (0..2).try_for_each(|_| tx.window_record("runs"))).unwrap();
    assert_eq!(window("runs", 40), (4, Some(at(50))), "a batch may do it more than once");
}

fn a_quota_holds_under_pressure(bench: &Bench) {
    let stores = [bench.open(), bench.open()];
    let started: u64 = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..10)
            .map(|number| {
                let store = &stores[number % 2];
                scope.spawn(move || {
                    write(store, &system_at(A, 1), |tx| {
                        let free = tx.window("runs", at(0))?.0 < 5;
                        if free {
                            tx.window_record("runs")?;
                        }
                        Ok(u64::from(free))
                    })
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap().unwrap()).sum()
    });
    assert_eq!(started, 5);
    assert_eq!(read(&stores[0], &system(A), |tx| tx.window("runs", at(0))).0, 5);
}

fn the_audit_log_only_grows(bench: &Bench) {
    let store = bench.open();
    write(&store, &system_at(A, 1), |tx| {
        tx.audit("1", Some("run"), Some("flow"), "added", "user 1 to group 2", "{\"after\":\"ü\"}")?;
        tx.audit("2", None, None, "removed", "user 1", "")
    })
    .unwrap();
    let again = write(&store, &system_at(A, 2), |tx| tx.audit("1", None, None, "forged", "", ""));
    assert!(matches!(again, Err(StoreError::Duplicate)), "{again:?}");
    let rows =
        read(&store, &system(A), |tx| tx.query("SELECT id, at, run_id, flow_id, action, object, detail FROM audit_log ORDER BY id", &[]));
    assert_eq!(rows.len(), 2);
    let texts: Vec<_> = [0, 2, 3, 4, 5, 6].map(|i| rows[0].opt_text(i).unwrap().unwrap()).into();
    assert_eq!(texts, ["1", "run", "flow", "added", "user 1 to group 2", "{\"after\":\"ü\"}"]);
    assert_eq!(rows[0].int(1).unwrap(), at(1).as_microsecond());
    assert_eq!((rows[1].opt_text(2).unwrap(), rows[1].opt_text(3).unwrap()), (None, None));
}
