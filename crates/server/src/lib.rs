//! The server: HTTP wiring, the Graph layer, and the worker that carries out validations and runs.

mod admin;
mod app;
mod batch;
pub mod config;
mod cors;
pub mod describe;
pub mod error;
mod exchange;
mod fetch;
pub mod graph;
mod http;
mod intake;
mod jobs;
mod limits;
mod links;
mod listen;
mod organizations;
mod preview;
mod providers;
mod reports;
mod runs;
mod shutdown;
mod sources;
mod throttle;
mod tls;
mod upload_http;
mod worker;

pub use crate::intake::{ExportFound, SourceStatus};
pub use admin::{Account, AdminError, all_permissions};
pub use app::App;
pub use identity::{PendingDevice, Tenant};
pub use preview::{GroupChange, Plan, PlanFindings};
pub use runs::{PULL_FAILPOINTS, built_in_codes};
pub use shutdown::Shutdown;
pub use sync::PlanSummary;
pub use tls::Tls;
pub use worker::VALIDATION_FAILPOINTS;

/// Serves HTTP on a listener, with the worker beside it, until told to stop. Requests under way are finished.
pub async fn serve(app: App, listener: tokio::net::TcpListener, shutdown: Shutdown) -> Result<(), AdminError> {
    serve_over(app, listener, None, shutdown).await
}

/// The same over TLS.
pub async fn serve_tls(app: App, listener: tokio::net::TcpListener, tls: Tls, shutdown: Shutdown) -> Result<(), AdminError> {
    serve_over(app, listener, Some(tls), shutdown).await
}

async fn serve_over(app: App, listener: tokio::net::TcpListener, tls: Option<Tls>, shutdown: Shutdown) -> Result<(), AdminError> {
    let worker = worker::start(app.clone());
    let sources = tokio::spawn(intake::watch(app.clone()));
    let routes = http::router(app.clone().over_tls(tls.is_some()));
    let certificate = tls.clone().map(|tls| tokio::spawn(tls.keep_current(app.clone())));
    listen::serve(app.clone(), routes, listener, tls.as_ref(), shutdown).await;
    if let Some(task) = certificate {
        task.abort();
    }
    // Jobs break off after the block or step that they are at, and are taken up at the next start.
    if worker.await.is_err() {
        tracing::error!("the worker ended in a panic");
    }
    // A fetch that is under way is taken up by the next start, from its beginning.
    sources.abort();
    Ok(())
}
