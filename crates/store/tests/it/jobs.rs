//! Jobs: leases, fences, turns.

use crate::access::tokio;
use crate::bench::{A, B, Bench, THINGS, at, ids, n, read, system_at, write};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;
use store::{Job, NewJob, Store, StoreError, TenantId};
use uuid::Uuid;

on_both_engines!(
    a_job_is_there_when_its_transaction_commits,
    a_job_waits_for_its_time_and_its_turn,
    a_job_is_claimed_by_one_worker_only,
    jobs_of_a_tenant_never_overlap,
    tenants_take_turns,
    jobs_of_other_kinds_run_beside,
    a_heartbeat_prolongs_the_lease,
    a_lost_lease_is_refused_everywhere,
    a_slow_worker_keeps_its_tenants_other_jobs_waiting,
    nobody_claims_a_job_while_its_worker_writes,
    a_failed_job_is_tried_again_later,
    a_job_ends_with_its_last_write_or_not_at_all,
);

const LEASE: Duration = Duration::from_secs(10);

fn enqueue(store: &Store, tenant: TenantId, id: &'static str, run_at: i64) {
    let job = NewJob { kind: "run", payload: json!({ "for": id, "text": "ü \u{0}" }), run_at: at(run_at) };
    write(store, &system_at(tenant, 0), move |tx| tx.enqueue(id, &job)).unwrap();
}

fn claim(store: &Store, seconds: i64) -> Option<Job> {
    tokio(store.claim_job(&system_at(TenantId(Uuid::new_v4()), seconds), &["run"], LEASE)).unwrap()
}

fn finish(store: &Store, job: &Job) -> Result<(), StoreError> {
    let job = job.clone();
    write(store, &system_at(job.tenant, 0), move |tx| tx.finish_job(&job))
}

fn check(store: &Store, job: &Job) -> Result<(), StoreError> {
    let job = job.clone();
    write(store, &system_at(job.tenant, 0), move |tx| tx.check_lease(&job))
}

fn is_open(store: &Store) -> bool {
    read(store, &system_at(A, 0), |tx| tx.has_open_job("run"))
}

fn jobs_of_other_kinds_run_beside(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "long", 0);
    let job = NewJob { kind: "short", payload: json!({}), run_at: at(0) };
    write(&store, &system_at(A, 0), move |tx| tx.enqueue("short", &job)).unwrap();
    assert_eq!(claim(&store, 1).unwrap().id, "long");
    assert!(claim(&store, 1).is_none(), "a lane takes its own kinds only");
    let nobody = system_at(TenantId(Uuid::nil()), 1);
    let short = tokio(store.claim_job(&nobody, &["short", "other"], LEASE)).unwrap();
    assert_eq!(short.unwrap().id, "short");
}

fn a_job_is_there_when_its_transaction_commits(bench: &Bench) {
    let store = bench.open();
    let undone: Result<(), _> = write(&store, &system_at(A, 0), |tx| {
        tx.enqueue("1", &NewJob { kind: "run", payload: json!({}), run_at: at(0) })?;
        assert!(tx.has_open_job("run")?);
        Err(StoreError::StaleLease)
    });
    assert!(undone.is_err());
    assert!(!is_open(&store));
    assert!(claim(&store, 1).is_none());
    enqueue(&store, A, "1", 0);
    assert!(is_open(&store));
    assert!(!read(&store, &system_at(A, 0), |tx| tx.has_open_job("another kind")));
    let job = claim(&store, 1).unwrap();
    assert_eq!((job.id.as_str(), job.tenant, job.kind.as_str(), job.attempt), ("1", A, "run", 1));
    assert_eq!(job.payload, json!({ "for": "1", "text": "ü \u{0}" }));
    assert!(is_open(&store), "one that runs is open too");
    finish(&store, &job).unwrap();
    assert!(!is_open(&store));
    assert!(claim(&store, 1_000).is_none());
}

fn a_job_waits_for_its_time_and_its_turn(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "later", 30);
    enqueue(&store, A, "b", 10);
    enqueue(&store, A, "a", 10);
    enqueue(&store, B, "soon", 20);
    assert!(claim(&store, 9).is_none());
    let first = claim(&store, 10).unwrap();
    assert_eq!(first.id, "a", "of two with the same time, the one with the lesser id");
    assert!(claim(&store, 10).is_none(), "the tenant has a running one");
    finish(&store, &first).unwrap();
    let second = claim(&store, 19).unwrap();
    assert_eq!(second.id, "b");
    assert_eq!(claim(&store, 20).unwrap().id, "soon", "another tenant does not wait for it");
    finish(&store, &second).unwrap();
    assert!(claim(&store, 29).is_none());
    assert_eq!(claim(&store, 30).unwrap().id, "later");
}

fn tenants_take_turns(bench: &Bench) {
    let store = bench.open();
    for id in ["a1", "a2", "a3"] {
        enqueue(&store, A, id, 0);
    }
    enqueue(&store, A, "later", 9);
    for id in ["b1", "b2"] {
        enqueue(&store, B, id, 1);
    }
    let turns: Vec<String> = (2..7)
        .map(|second| {
            let job = claim(&store, second).unwrap();
            finish(&store, &job).unwrap();
            job.id
        })
        .collect();
    assert_eq!(turns, ["a1", "b1", "a2", "b2", "a3"]);
    assert!(claim(&store, 8).is_none(), "what is not due yet is not moved");
    assert_eq!(claim(&store, 9).unwrap().id, "later");
}

/// Workers on several threads and on two stores, as two processes would have them, until there is nothing to claim.
fn claim_together(bench: &Bench, each: impl Fn(&Store, Job) + Sync) {
    let stores = [bench.open(), bench.open()];
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (store, each) = (&stores[number % 2], &each);
            scope.spawn(move || {
                while let Some(job) = claim(store, 1) {
                    each(store, job);
                }
            });
        }
    });
}

fn a_job_is_claimed_by_one_worker_only(bench: &Bench) {
    let store = bench.open();
    for number in 1..=40 {
        enqueue(&store, TenantId(Uuid::from_u128(number)), "job", 0);
    }
    let claimed = Mutex::new(Vec::new());
    claim_together(bench, |_, job| claimed.lock().unwrap().push(job.tenant));
    let claimed = claimed.into_inner().unwrap();
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 40);
}

fn jobs_of_a_tenant_never_overlap(bench: &Bench) {
    let store = bench.open();
    let names: Vec<&'static str> = (0..20).map(|i| &*format!("{i:02}").leak()).collect();
    for name in &names {
        enqueue(&store, A, name, 0);
    }
    let (running, done) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    // A worker that finds nothing to claim goes home; the one that holds a job goes on.
    claim_together(bench, |store, job| {
        assert!(!running.swap(true, Ordering::SeqCst), "two at once");
        done.lock().unwrap().push(job.id.clone());
        running.store(false, Ordering::SeqCst);
        finish(store, &job).unwrap();
    });
    assert_eq!(done.into_inner().unwrap(), names, "in order");
}

fn a_heartbeat_prolongs_the_lease(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "1", 0);
    let job = claim(&store, 0).unwrap();
    assert!(claim(&store, 10).is_none());
    store.heartbeat_blocking(&system_at(A, 8), &job, LEASE).unwrap();
    assert!(claim(&store, 18).is_none());
    check(&store, &job).unwrap();
    let again = claim(&store, 19).expect("the lease is over");
    assert_eq!((again.attempt, again.fence), (job.attempt + 1, job.fence + 1));
}

fn a_lost_lease_is_refused_everywhere(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "1", 0);
    let lost = claim(&store, 0).unwrap();
    let held = claim(&store, 11).unwrap();
    assert!(matches!(check(&store, &lost), Err(StoreError::StaleLease)));
    assert!(matches!(finish(&store, &lost), Err(StoreError::StaleLease)));
    assert!(matches!(store.heartbeat_blocking(&system_at(A, 12), &lost, LEASE), Err(StoreError::StaleLease)));
    let retried = tokio(store.retry_job(&system_at(A, 12), lost.clone(), at(12), "error".to_owned()));
    assert!(matches!(retried, Err(StoreError::StaleLease)));
    let late = write(&store, &system_at(A, 12), move |tx| {
        tx.docs(&THINGS)?.insert("written by the dead", None, &n(0))?;
        tx.finish_job(&lost)
    });
    assert!(matches!(late, Err(StoreError::StaleLease)));
    assert!(ids(&store, &system_at(A, 0)).is_empty());
    check(&store, &held).unwrap();
    finish(&store, &held).unwrap();
    assert!(matches!(finish(&store, &held), Err(StoreError::StaleLease)), "twice");
}

fn a_slow_worker_keeps_its_tenants_other_jobs_waiting(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "slow", 5);
    let slow = claim(&store, 5).unwrap();
    // Due earlier than the slow one was: it would be the next to be claimed.
    enqueue(&store, A, "other", 0);
    let taken_over = claim(&store, 20).unwrap();
    assert_eq!(taken_over.id, "slow", "what has run out comes first: its worker may still be at it");
    assert!(matches!(check(&store, &slow), Err(StoreError::StaleLease)));
    assert!(claim(&store, 20).is_none());
    finish(&store, &taken_over).unwrap();
    assert_eq!(claim(&store, 20).unwrap().id, "other");
}

fn nobody_claims_a_job_while_its_worker_writes(bench: &Bench) {
    let (store, beside) = (bench.open(), bench.open());
    enqueue(&store, A, "1", 0);
    let job = claim(&store, 0).unwrap();
    let ((begun, wait), (go_on, resume)) = (channel(), channel());
    std::thread::scope(|scope| {
        let slow = job.clone();
        let writing = scope.spawn(|| {
            write(&store, &system_at(A, 0), move |tx| {
                tx.check_lease(&slow)?;
                begun.send(()).unwrap();
                resume.recv().unwrap();
                tx.docs(&THINGS)?.insert("1", None, &n(0))
            })
        });
        wait.recv().unwrap();
        // The lease is over by now, but the worker is in the middle of its write.
        let claimed = if bench.is_postgres() {
            // PostgreSQL passes the job by.
            assert!(claim(&beside, 60).is_none());
            go_on.send(()).unwrap();
            writing.join().unwrap().unwrap();
            claim(&beside, 60)
        } else {
            // SQLite makes the claim wait for the write.
            let claiming = scope.spawn(|| claim(&beside, 60));
            std::thread::sleep(Duration::from_millis(50));
            assert!(!claiming.is_finished());
            go_on.send(()).unwrap();
            claiming.join().unwrap()
        };
        assert_eq!(claimed.unwrap().fence, job.fence + 1);
        assert_eq!(ids(&beside, &system_at(A, 0)), ["1"], "whoever claims the job sees what was written");
    });
    assert!(matches!(check(&store, &job), Err(StoreError::StaleLease)));
}

/// All workers wait for a claim, and so it waits for nobody: not for jobs either that another transaction is about to remove.
#[test]
fn a_claim_waits_for_nobody_on_postgres() {
    let Some(bench) = Bench::postgres() else { return };
    let (store, beside) = (bench.open(), bench.open());
    enqueue(&store, A, "removed", 0);
    enqueue(&store, A, "other", 2);
    let ((begun, wait), (claimed, resume)) = (channel(), channel());
    std::thread::scope(|scope| {
        let removing = scope.spawn(|| {
            write(&store, &system_at(A, 1), move |tx| {
                tx.forget_due("run")?;
                begun.send(()).unwrap();
                // Long enough for any claim that does not wait for this.
                Ok(resume.recv_timeout(Duration::from_secs(30)))
            })
        });
        wait.recv().unwrap();
        let job = claim(&beside, 2).unwrap();
        // Nobody is there any more when it was waited for.
        let _ = claimed.send(job.id);
        assert_eq!(removing.join().unwrap().unwrap().as_deref(), Ok("other"), "claimed meanwhile");
    });
}

fn a_failed_job_is_tried_again_later(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "1", 0);
    enqueue(&store, A, "2", 1);
    let job = claim(&store, 1).unwrap();
    tokio(store.retry_job(&system_at(A, 2), job.clone(), at(60), "the disk is full".to_owned())).unwrap();
    assert!(matches!(check(&store, &job), Err(StoreError::StaleLease)), "given back is given back");
    assert!(is_open(&store));
    let row = read(&store, &system_at(A, 0), |tx| tx.query_one("SELECT last_error FROM job WHERE id = '1'", &[])).unwrap();
    assert_eq!(row.text(0).unwrap(), "the disk is full");
    let other = claim(&store, 59).unwrap();
    assert_eq!(other.id, "2", "others go on meanwhile");
    finish(&store, &other).unwrap();
    assert!(claim(&store, 59).is_none());
    let again = claim(&store, 60).unwrap();
    assert_eq!((again.id.as_str(), again.attempt, again.payload.clone()), ("1", 2, job.payload));
    // A try that was broken off for no fault of its own does not count.
    let broken_off = Job { attempt: again.attempt - 1, ..again };
    tokio(store.retry_job(&system_at(A, 60), broken_off, at(60), "stopped".to_owned())).unwrap();
    let again = claim(&store, 60).unwrap();
    assert_eq!(again.attempt, 2);
    finish(&store, &again).unwrap();
}

fn a_job_ends_with_its_last_write_or_not_at_all(bench: &Bench) {
    let store = bench.open();
    enqueue(&store, A, "1", 0);
    let job = claim(&store, 0).unwrap();
    let last = job.clone();
    let failed: Result<(), _> = write(&store, &system_at(A, 1), move |tx| {
        tx.docs(&THINGS)?.insert("1", None, &n(0))?;
        tx.finish_job(&last)?;
        Err(StoreError::VersionConflict)
    });
    assert!(matches!(failed, Err(StoreError::VersionConflict)));
    check(&store, &job).unwrap();
    write(&store, &system_at(A, 1), move |tx| {
        tx.docs(&THINGS)?.insert("1", None, &n(0))?;
        tx.finish_job(&job)
    })
    .unwrap();
    assert!(!is_open(&store));
    assert_eq!(ids(&store, &system_at(A, 0)), ["1"]);
}
