//! The worker: claims jobs and carries them out on threads of their own.

mod changes;
mod cleanup;
mod connection;
mod readiness;
mod run;
mod validation;

pub(crate) use changes::apply as apply_changes;
pub(crate) use readiness::update as update_readiness;

use crate::app::App;
use crate::error::chain;
use crate::jobs::{READINESS, RUN, TEST, VALIDATE};
use jiff::SignedDuration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use store::{Job, StoreError, TenantId};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use uuid::Uuid;
pub use validation::VALIDATION_FAILPOINTS;

/// Signs of life in the length of a lease: one may get lost.
pub(crate) const HEARTBEATS: u32 = 3;
/// How often the worker looks without being woken: for jobs that other processes enqueue.
const POLL: Duration = Duration::from_secs(1);
/// Pauses before a failed job is tried again, doubled each time up to the second.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MOST: Duration = Duration::from_secs(300);
/// A job that was tried so often, over more than an hour, fails for good.
const ATTEMPTS_MAX: i64 = 20;
/// What is short, what may take its time, and what waits for others: a flow becomes ready also while a run
/// is going, and a provider that does not answer holds up nobody.
pub(crate) const LANES: [&[&str]; 3] = [&[READINESS], &[VALIDATE, RUN], &[TEST]];

/// Why a job is not done.
#[derive(Debug)]
enum JobError {
    /// It may go better the next time.
    Again(String),
    /// It will not.
    Never(String),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Again(chain(&error))
    }
}

/// Set when the job has gone to another worker: whoever sees it stops at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lost(Arc<AtomicBool>);

impl Lost {
    /// Whether it has.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How long a job stays claimed without a sign of life: after a crash the next worker waits that long.
pub(crate) fn lease(app: &App) -> Duration {
    Duration::from_secs(app.config().worker.lease_seconds.max(1).into())
}

/// Starts the worker; it ends when the app is stopping.
pub(crate) fn start(app: App) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(lane(&app, 0), lane(&app, 1), lane(&app, 2), cleanup::now_and_then(&app));
    })
}

/// Carries out jobs of some kinds, several at a time, each of another tenant. What is under way when the server stops is
/// waited for: it breaks off soon.
async fn lane(app: &App, lane: usize) {
    let most = app.config().worker.jobs_at_once();
    let mut going = JoinSet::new();
    while !app.is_stopping() {
        let ctx = app.system(TenantId(Uuid::nil()));
        let claimed = if going.len() < most { app.store().claim_job(&ctx, LANES[lane], lease(app)).await } else { Ok(None) };
        match claimed {
            Ok(Some(job)) => drop(going.spawn(carry_out(app.clone(), job))),
            // Something wakes the worker, a place or the next job of a tenant becomes free, or it is time to look again.
            Ok(None) => tokio::select! {
                () = app.work(lane) => {}
                Some(ended) = going.join_next() => note_panic(ended),
                () = tokio::time::sleep(POLL) => {}
            },
            Err(error) => {
                tracing::error!(error = chain(&error), "jobs cannot be claimed");
                tokio::time::sleep(POLL).await;
            }
        }
    }
    while let Some(ended) = going.join_next().await {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a job ended in a panic; it is taken up again when its lease has run out");
    }
}

async fn carry_out(app: App, mut job: Job) {
    let (worker_app, worker_job) = (app.clone(), job.clone());
    let done = tokio::task::spawn_blocking(move || with_heartbeat(&worker_app, &worker_job)).await;
    let error = match done {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => JobError::Again(format!("panic: {panic}")),
    };
    let ctx = app.system(job.tenant);
    let (pause, error) = match error {
        // Nothing is wrong with it: the next start takes it up at once, and this was no try.
        JobError::Again(error) if app.is_stopping() => {
            job.attempt -= 1;
            (Duration::ZERO, error)
        }
        JobError::Again(error) if job.attempt < ATTEMPTS_MAX => {
            tracing::warn!(job.kind = %job.kind, job.id = %job.id, attempt = job.attempt, ?error, "a job failed and is tried again");
            (RETRY_FIRST.saturating_mul(1 << job.attempt.clamp(1, 16).unsigned_abs().saturating_sub(1)).min(RETRY_MOST), error)
        }
        JobError::Again(error) | JobError::Never(error) => {
            tracing::error!(job.kind = %job.kind, job.id = %job.id, attempt = job.attempt, ?error, "a job failed for good");
            match give_up(&app, &job, &error).await {
                Ok(()) => return,
                Err(failed) => (RETRY_MOST, chain(&failed)),
            }
        }
    };
    let run_at = SignedDuration::try_from(pause).ok().and_then(|pause| ctx.now.checked_add(pause).ok()).unwrap_or(ctx.now);
    if let Err(error) = app.store().retry_job(&ctx, job, run_at, error).await {
        tracing::warn!(error = chain(&error), "a job was taken over by another worker");
    }
}

/// Whoever waits for the job learns that it has failed.
async fn give_up(app: &App, job: &Job, error: &str) -> Result<(), StoreError> {
    let ctx = app.system(job.tenant);
    let (job, error) = (job.clone(), error.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        match job.kind.as_str() {
            RUN => run::abandon(tx, &job, &error)?,
            VALIDATE => validation::abandon(tx, &job, &error)?,
            TEST => connection::abandon(tx, &job, &error)?,
            _ => {}
        }
        tx.finish_job(&job)
    };
    app.store().write(&ctx, write).await
}

/// Prolongs the lease from a second thread while the job runs, and has it break off when the server stops or the lease is lost.
fn with_heartbeat(app: &App, job: &Job) -> Result<(), JobError> {
    let (stop, stopped) = channel::<()>();
    let lost = Lost::default();
    std::thread::scope(|scope| {
        let seen = lost.clone();
        scope.spawn(move || {
            while stopped.recv_timeout(lease(app) / HEARTBEATS) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = app.store().heartbeat_blocking(&app.system(job.tenant), job, lease(app)) {
                    tracing::warn!(error = chain(&error), "a lease could not be prolonged");
                    if matches!(error, StoreError::StaleLease) {
                        seen.0.store(true, Ordering::SeqCst);
                    }
                }
            }
        });
        let ctx = app.system(job.tenant);
        let (stopping, gone) = (app.clone(), lost.clone());
        let outcome = roster::stoppable(
            move || stopping.is_stopping() || gone.is_set(),
            || match job.kind.as_str() {
                READINESS => readiness::carry_out(app, &ctx, job),
                VALIDATE => validation::carry_out(app, &ctx, job),
                TEST => connection::carry_out(app, &ctx, job),
                RUN => run::carry_out(app, &ctx, job, &lost),
                other => Err(JobError::Never(format!("unknown kind of job {other}"))),
            },
        );
        drop(stop);
        outcome
    })
}
