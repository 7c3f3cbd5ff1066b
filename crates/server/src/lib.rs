//! The server: HTTP wiring, the Graph layer, and the worker that carries out validations and runs.

mod admin;
mod app;
mod batch;
pub mod config;
pub mod error;
mod exchange;
mod fetch;
pub mod graph;
mod http;
mod jobs;
mod limits;
mod links;
mod preview;
mod runs;
mod shutdown;
mod upload_http;
mod worker;

pub use admin::{Account, AdminError, all_permissions};
pub use app::App;
pub use identity::Tenant;
pub use preview::{GroupChange, Plan};
pub use shutdown::Shutdown;

use std::net::SocketAddr;

/// Serves on a listener, with the worker beside it, until told to stop. Requests under way are finished.
pub async fn serve(app: App, listener: tokio::net::TcpListener, shutdown: Shutdown) -> Result<(), AdminError> {
    let worker = worker::start(app.clone());
    let routes = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, routes).with_graceful_shutdown(shutdown.wait()).await;
    app.stop_worker();
    // A job that is in the middle of a step stops at its next sign of life, and is taken up at the next start.
    if worker.await.is_err() {
        tracing::error!("the worker ended in a panic");
    }
    served.map_err(|error| AdminError::new(format!("the server failed: {error}")))
}
