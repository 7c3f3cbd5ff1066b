//! Tenants and permissions.

use crate::bench::{A, B, Bench, THINGS, at, client, ids, insert, n, read, system, system_at, write};
use serde_json::json;
use std::time::Duration;
use store::{Access, NewJob, StoreError};

on_both_engines!(
    documents_of_another_tenant_are_out_of_reach,
    jobs_of_another_tenant_are_out_of_reach,
    audit_and_windows_are_a_tenants_own,
    a_permission_opens_a_collection,
);

fn documents_of_another_tenant_are_out_of_reach(bench: &Bench) {
    let store = bench.open();
    write(&store, &system(B), |tx| tx.docs(&THINGS)?.insert("1", Some("p"), &n(1))).unwrap();
    assert!(ids(&store, &system(A)).is_empty());
    read(&store, &system(A), |tx| {
        assert!(tx.docs(&THINGS)?.get("1")?.is_none());
        assert!(tx.docs(&THINGS)?.list(Some("p"), Some("0"), 9)?.is_empty());
        assert_eq!((tx.docs(&THINGS)?.count(None)?, tx.docs(&THINGS)?.count(Some("p"))?), (0, 0));
        assert_eq!(tx.docs(&THINGS)?.last_id()?, None);
        Ok(())
    });
    write(&store, &system(A), |tx| {
        assert!(matches!(tx.docs(&THINGS)?.update("1", &n(2), None), Err(StoreError::VersionConflict)));
        assert!(!tx.docs(&THINGS)?.delete("1")?);
        tx.docs(&THINGS)?.put("1", None, &n(3))?;
        tx.docs(&THINGS)?.insert("2", None, &n(3))
    })
    .unwrap();
    let docs = read(&store, &system(B), |tx| tx.docs(&THINGS)?.list(None, None, 9));
    assert_eq!(docs.len(), 1);
    assert_eq!((&docs[0].body, docs[0].parent.as_deref(), docs[0].version), (&n(1), Some("p"), 1));
}

fn jobs_of_another_tenant_are_out_of_reach(bench: &Bench) {
    let store = bench.open();
    write(&store, &system(B), |tx| tx.enqueue("j", &NewJob { kind: "run", payload: json!({}), run_at: at(0) })).unwrap();
    assert!(!read(&store, &system(A), |tx| tx.has_open_job("run")));
    let job = tokio(store.claim_job(&system(A), &["run"], Duration::from_secs(10))).unwrap().expect("claims look across tenants");
    assert_eq!(job.tenant, B);
    let stolen = job.clone();
    let refused = write(&store, &system(A), move |tx| tx.check_lease(&stolen));
    assert!(matches!(refused, Err(StoreError::StaleLease)));
    let stolen = job.clone();
    let refused = write(&store, &system(A), move |tx| tx.finish_job(&stolen));
    assert!(matches!(refused, Err(StoreError::StaleLease)));
    assert!(matches!(store.heartbeat_blocking(&system(A), &job, Duration::from_secs(10)), Err(StoreError::StaleLease)));
    let refused = tokio(store.retry_job(&system(A), job.clone(), at(1), "no".to_owned()));
    assert!(matches!(refused, Err(StoreError::StaleLease)));
    write(&store, &system(B), move |tx| tx.finish_job(&job)).unwrap();
    let by_client = tokio(store.claim_job(&client(B, &["Everything"]), &["run"], Duration::from_secs(10)));
    assert!(matches!(by_client, Err(StoreError::Forbidden { .. })), "{by_client:?}");
}

fn audit_and_windows_are_a_tenants_own(bench: &Bench) {
    let store = bench.open();
    write(&store, &system_at(B, 5), |tx| {
        tx.window_record("runs")?;
        tx.audit("1", None, None, "created", "user u", "{}")
    })
    .unwrap();
    assert_eq!(read(&store, &system(A), |tx| tx.window("runs", at(0))), (0, None));
    write(&store, &system(A), |tx| tx.audit("1", None, None, "created", "user u", "{}")).unwrap();
    let count = |ctx| {
        let row = read(&store, ctx, |tx| {
            let params = [tx.tenant_value()];
            tx.query_one("SELECT count(*) FROM audit_log WHERE tenant_id = $1", &params)
        });
        row.unwrap().int(0).unwrap()
    };
    assert_eq!((count(&system(A)), count(&system(B))), (1, 1));
}

fn a_permission_opens_a_collection(bench: &Bench) {
    const GUARDED: Access = Access::new("things", &["Things.Read", "Things.ReadWrite"]);
    let store = bench.open();
    insert(&store, &system(A), "1");
    let look = |permissions: &[&str]| {
        store.read_blocking::<_, StoreError>(&client(A, permissions), |tx| Ok(tx.docs(&GUARDED)?.get("1")?.is_some()))
    };
    assert!(look(&["Things.Read"]).unwrap());
    assert!(look(&["Other", "Things.ReadWrite"]).unwrap());
    for held in [&[][..], &["Other"], &["things.read"], &["Things.Read.All"]] {
        match look(held) {
            Err(StoreError::Forbidden { needed }) => assert_eq!(needed, ["Things.Read", "Things.ReadWrite"]),
            other => panic!("{held:?}: {other:?}"),
        }
    }
    assert!(read(&store, &system(A), |tx| tx.docs(&GUARDED)?.get("1")).is_some(), "Homeroom itself may do everything");
    assert!(read(&store, &client(A, &[]), |tx| tx.docs(&THINGS)?.get("1")).is_some(), "unchecked asks nobody");
}

/// Runs a future to its end.
pub(crate) fn tokio<F: Future>(future: F) -> F::Output {
    ::tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
