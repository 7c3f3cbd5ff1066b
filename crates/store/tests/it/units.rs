//! Units of work: all or nothing, in turns, whatever the closure does.

use crate::access::tokio;
use crate::bench::{A, B, Bench, THINGS, at, ids, insert, n, read, system, write};
use serde_json::json;
use std::sync::mpsc::channel;
use std::time::Duration;
use store::{NewJob, Store, StoreError, Tx};

on_both_engines!(
    an_error_undoes_everything,
    a_panic_undoes_everything_and_harms_nobody,
    a_unit_sees_its_own_writes,
    a_read_stays_at_its_moment,
    readers_cannot_write,
    a_failed_statement_dooms_its_unit,
    a_refusal_of_the_store_dooms_nothing,
    writers_of_a_tenant_take_turns,
    looking_first_and_writing_then_is_safe,
    a_unit_inside_another_is_refused,
    more_callers_than_the_line_holds_are_all_served,
    a_caller_that_goes_away_leaves_nothing_half_done,
);

fn an_error_undoes_everything(bench: &Bench) {
    let store = bench.open();
    let failed: Result<(), StoreError> = write(&store, &system(A), |tx| {
        tx.docs(&THINGS)?.insert("1", None, &n(0))?;
        tx.enqueue("j", &NewJob { kind: "run", payload: json!({}), run_at: at(0) })?;
        tx.audit("a", None, None, "created", "thing 1", "{}")?;
        tx.window_record("w")?;
        Err(StoreError::StaleLease)
    });
    assert!(matches!(failed, Err(StoreError::StaleLease)), "the closure's own error comes back");
    assert!(ids(&store, &system(A)).is_empty());
    assert!(!read(&store, &system(A), |tx| tx.has_open_job("run")));
    for table in ["job", "audit_log", "event_window"] {
        let row = read(&store, &system(A), move |tx| tx.query_one(&format!("SELECT count(*) FROM {table}"), &[]));
        assert_eq!(row.unwrap().int(0).unwrap(), 0, "{table}");
    }
}

fn a_panic_undoes_everything_and_harms_nobody(bench: &Bench) {
    let store = bench.open();
    // More often than there are threads, so that every one of them has met it.
    for _ in 0..6 {
        let written: Result<(), StoreError> = write(&store, &system(A), |tx| {
            tx.docs(&THINGS)?.insert("1", None, &n(0))?;
            panic!("on purpose")
        });
        assert!(matches!(written, Err(StoreError::Panicked)), "{written:?}");
        let streamed: Result<(), StoreError> = store.read_blocking(&system(A), |tx| {
            tx.query_each("SELECT version FROM schema_migration", &[], |_| panic!("on purpose, in the middle of an answer"))
        });
        assert!(matches!(streamed, Err(StoreError::Panicked)), "{streamed:?}");
    }
    let asynchronous: Result<(), StoreError> = tokio(store.write(&system(A), |_| panic!("on purpose")));
    assert!(matches!(asynchronous, Err(StoreError::Panicked)), "{asynchronous:?}");
    assert!(ids(&store, &system(A)).is_empty());
    for id in 0..6 {
        insert(&store, &system(A), &id.to_string());
    }
    assert_eq!(ids(&store, &system(A)).len(), 6);
}

fn a_unit_sees_its_own_writes(bench: &Bench) {
    let store = bench.open();
    write(&store, &system(A), |tx| {
        tx.docs(&THINGS)?.insert("1", None, &n(1))?;
        assert_eq!(tx.docs(&THINGS)?.get("1")?.unwrap().body, n(1));
        tx.docs(&THINGS)?.update("1", &n(2), Some(1))?;
        assert_eq!(tx.docs(&THINGS)?.list(None, None, 9)?[0].body, n(2));
        assert_eq!(tx.docs(&THINGS)?.count(None)?, 1);
        tx.docs(&THINGS)?.delete("1")?;
        assert!(tx.docs(&THINGS)?.get("1")?.is_none());
        Ok(())
    })
    .unwrap();
}

fn a_read_stays_at_its_moment(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system(A), "1");
    let ((looked, wait), (go_on, resume)) = (channel(), channel());
    let reader = store.clone();
    let reading = std::thread::spawn(move || {
        read(&reader, &system(A), move |tx| {
            let before = tx.docs(&THINGS)?.count(None)?;
            looked.send(()).unwrap();
            resume.recv().unwrap();
            Ok((before, tx.docs(&THINGS)?.count(None)?, tx.docs(&THINGS)?.get("2")?.is_some()))
        })
    });
    wait.recv().unwrap();
    // A reader keeps nobody from writing either.
    insert(&store, &system(A), "2");
    go_on.send(()).unwrap();
    assert_eq!(reading.join().unwrap(), (1, 1, false));
    assert_eq!(ids(&store, &system(A)), ["1", "2"]);
}

fn readers_cannot_write(bench: &Bench) {
    let store = bench.open();
    let refused = store.read_blocking::<_, StoreError>(&system(A), |tx| tx.docs(&THINGS)?.insert("1", None, &n(0)));
    assert!(matches!(refused, Err(StoreError::Sqlite(_) | StoreError::Postgres(_))), "{refused:?}");
    assert!(ids(&store, &system(A)).is_empty());
}

fn a_failed_statement_dooms_its_unit(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system(A), "1");
    // PostgreSQL answers the commit of such a transaction with a silent rollback.
    let swallowed = write(&store, &system(A), |tx| {
        tx.docs(&THINGS)?.insert("2", None, &n(0))?;
        assert!(matches!(tx.docs(&THINGS)?.insert("1", None, &n(0)), Err(StoreError::Duplicate)));
        Ok(())
    });
    assert!(matches!(swallowed, Err(StoreError::Doomed)), "{swallowed:?}");
    let gone_on = write(&store, &system(A), |tx| {
        assert!(matches!(tx.docs(&THINGS)?.insert("1", None, &n(0)), Err(StoreError::Duplicate)));
        assert!(matches!(tx.docs(&THINGS)?.get("1"), Err(StoreError::Doomed)));
        tx.docs(&THINGS)?.insert("3", None, &n(0))
    });
    assert!(matches!(gone_on, Err(StoreError::Doomed)), "{gone_on:?}");
    let nonsense = write(&store, &system(A), |tx| {
        let _ = tx.execute("NO SUCH STATEMENT", &[]);
        tx.docs(&THINGS)?.insert("4", None, &n(0))
    });
    assert!(matches!(nonsense, Err(StoreError::Doomed)), "{nonsense:?}");
    assert_eq!(ids(&store, &system(A)), ["1"]);
}

fn a_refusal_of_the_store_dooms_nothing(bench: &Bench) {
    let store = bench.open();
    write(&store, &system(A), |tx| {
        assert!(matches!(tx.docs(&THINGS)?.update("1", &n(0), None), Err(StoreError::VersionConflict)));
        assert!(matches!(tx.docs(&THINGS)?.insert("\0", None, &n(0)), Err(StoreError::Unstorable(_))));
        let stopped = tx.query_each("SELECT version FROM schema_migration", &[], |_| Err(StoreError::StaleLease));
        assert!(matches!(stopped, Err(StoreError::StaleLease)));
        tx.docs(&THINGS)?.insert("1", None, &n(0))
    })
    .unwrap();
    assert_eq!(ids(&store, &system(A)), ["1"]);
}

/// A unit of work on each of several threads, on two stores as two processes would have them.
fn together(bench: &Bench, threads: usize, work: impl Fn(&mut Tx<'_>) -> Result<(), StoreError> + Copy + Send + Sync + 'static) {
    let stores = [bench.open(), bench.open()];
    std::thread::scope(|scope| {
        for number in 0..threads {
            let store: &Store = &stores[number % 2];
            scope.spawn(move || {
                for _ in 0..10 {
                    write(store, &system(A), work).unwrap();
                }
            });
        }
    });
}

fn writers_of_a_tenant_take_turns(bench: &Bench) {
    insert(&bench.open(), &system(A), "1");
    together(bench, 8, |tx| {
        let now = tx.docs(&THINGS)?.get("1")?.unwrap().body["n"].as_i64().unwrap();
        tx.docs(&THINGS)?.update("1", &n(now + 1), None).map(|_| ())
    });
    let doc = read(&bench.open(), &system(A), |tx| tx.docs(&THINGS)?.get("1")).unwrap();
    assert_eq!(doc.body, n(80), "no change is lost");
}

fn looking_first_and_writing_then_is_safe(bench: &Bench) {
    together(bench, 8, |tx| {
        let count = tx.docs(&THINGS)?.count(None)?;
        if count < 5 {
            let id = uuid::Uuid::new_v4().to_string();
            tx.docs(&THINGS)?.insert(&id, None, &n(0))?;
        }
        Ok(())
    });
    assert_eq!(ids(&bench.open(), &system(A)).len(), 5);
}

fn a_unit_inside_another_is_refused(bench: &Bench) {
    let store = bench.open();
    let inner = store.clone();
    let (read, written) = write(&store, &system(A), move |_| {
        let read = inner.read_blocking::<_, StoreError>(&system(A), |_| Ok(()));
        Ok((read, inner.write_blocking::<_, StoreError>(&system(A), |_| Ok(()))))
    })
    .unwrap();
    assert!(matches!((read, written), (Err(StoreError::Nested), Err(StoreError::Nested))));
}

fn more_callers_than_the_line_holds_are_all_served(bench: &Bench) {
    let store = bench.open();
    insert(&store, &system(A), "1");
    let ctx = system(A);
    tokio(async {
        let callers: Vec<_> = (0..700)
            .map(|_| {
                let (store, ctx) = (store.clone(), ctx.clone());
                ::tokio::spawn(async move { store.read::<_, StoreError>(&ctx, |tx| tx.docs(&THINGS)?.count(None)).await })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap().unwrap(), 1);
        }
    });
}

fn a_caller_that_goes_away_leaves_nothing_half_done(bench: &Bench) {
    let store = bench.open();
    let ((begun, wait), (go_on, resume), (ended, end)) = (channel(), channel(), channel::<()>());
    let (writer, ctx) = (store.clone(), system(A));
    let runtime = ::tokio::runtime::Runtime::new().unwrap();
    let call = runtime.spawn(async move {
        let work = move |tx: &mut Tx<'_>| {
            tx.docs(&THINGS)?.insert("1", None, &n(0))?;
            begun.send(()).unwrap();
            resume.recv().unwrap();
            tx.docs(&THINGS)?.insert("2", None, &n(0))?;
            drop(ended);
            Ok::<_, StoreError>(())
        };
        writer.write(&ctx, work).await
    });
    wait.recv().unwrap();
    call.abort();
    assert!(runtime.block_on(call).is_err());
    go_on.send(()).unwrap();
    assert!(end.recv().is_err(), "the closure has come to its end");
    // The next writer of the tenant waits for its turn, and so for the commit.
    insert(&store, &system(A), "3");
    assert_eq!(ids(&store, &system(A)), ["1", "2", "3"]);
}

/// One tenant's long work does not hold up another one's, where the engine can do both.
#[test]
fn tenants_do_not_wait_for_each_other_on_postgres() {
    let Some(bench) = Bench::postgres() else { return };
    let store = bench.open();
    let ((begun, wait), (go_on, resume)) = (channel(), channel());
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            write(&store, &system(A), move |tx| {
                begun.send(()).unwrap();
                resume.recv().unwrap();
                tx.docs(&THINGS)?.insert("slow", None, &n(0))
            })
        });
        wait.recv().unwrap();
        insert(&store, &system(B), "quick");
        go_on.send(()).unwrap();
        slow.join().unwrap().unwrap();
    });
}

/// The server is restarted, or cuts the connections: units that had not begun notice nothing.
#[test]
fn lost_connections_come_back_on_postgres() {
    let Some(bench) = Bench::postgres() else { return };
    let store = bench.open();
    insert(&store, &system(A), "1");
    let others = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                  WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    let ended = write(&store, &system(A), move |tx| tx.query_one(others, &[])).unwrap().unwrap();
    assert_eq!(ended.int(0).unwrap(), 6, "three readers and four writers, without the one that did it");
    for id in 2..10 {
        insert(&store, &system(A), &id.to_string());
        assert_eq!(ids(&store, &system(A)).len(), id);
    }
    let own: Result<_, StoreError> = write(&store, &system(A), |tx| {
        tx.docs(&THINGS)?.insert("lost", None, &n(0))?;
        tx.query_one("SELECT count(pg_terminate_backend(pg_backend_pid()))", &[])
    });
    assert!(matches!(own, Err(StoreError::Postgres(_))), "{own:?}");
    for _ in 0..8 {
        assert_eq!(write(&store, &system(A), |tx| tx.docs(&THINGS)?.count(None)).unwrap(), 9);
    }
}

/// A store that has nobody any more lets go of its connections.
#[test]
fn a_dropped_store_closes_its_connections_on_postgres() {
    let Some(bench) = Bench::postgres() else { return };
    let watch = bench.open();
    let count = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name')";
        read(&watch, &system(A), move |tx| tx.query_one(sql, &[])).unwrap().int(0).unwrap()
    };
    let before = count();
    tokio(async { drop(bench.open()) });
    let closed = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        count() == before
    });
    assert!(closed, "{} connections in place of {before}", count());
}
