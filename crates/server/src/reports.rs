//! Reports on the findings of a run, for the command line and over HTTP.

use crate::app::App;
use crate::error::AppError;
use crate::limits::{REPORT_STALL_SECONDS, REPORTS_MAX};
use crate::runs;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::HeaderValue;
use industry_data::permissions::{Action, Resource, allowed};
use roster::report::{Findings, Form};
use std::io::{self, Write};
use std::time::Duration;
use store::{OpContext, StoreError};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

/// A piece of a report on its way.
const CHUNK_BYTES: usize = 64 * 1024;
/// Pieces that wait for the client.
const CHUNKS: usize = 4;

static MAKING: Semaphore = Semaphore::const_new(REPORTS_MAX);

/// What a report on a run is made from; `None` when there is no such run.
pub(crate) async fn of_run(app: &App, ctx: &OpContext, run: &str) -> Result<Option<Findings>, StoreError> {
    // The id becomes the name of a folder: it has to be an id.
    if Uuid::try_parse(run).is_err() {
        return Ok(None);
    }
    let folder = app.store().blobs().path(ctx.tenant, &format!("runs/{run}"))?;
    let run = run.to_owned();
    app.store().read(ctx, move |tx| runs::findings(tx, &run, &folder)).await
}

/// Answers a request for `findings.csv`, `findings.json` or `findings.html` of a run.
pub(crate) async fn answer(app: &App, bearer: Option<&str>, request_id: Uuid, run: &str, report: &str) -> Result<Response, AppError> {
    let ctx = app.authenticate(bearer, request_id).await?;
    app.throttle(&ctx)?;
    ctx.grants.require(allowed(Resource::Runs, Action::Read))?;
    let form = report.strip_prefix("findings.").and_then(Form::of_extension);
    let form = form.ok_or_else(|| AppError::NotFound("A report is findings.csv, findings.json or findings.html.".to_owned()))?;
    let findings = of_run(app, &ctx, run).await?.ok_or_else(|| AppError::no_such("runs", run))?;
    let permit = MAKING.acquire().await.map_err(|error| AppError::Internal(error.to_string()))?;
    let (sender, receiver) = channel(CHUNKS);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, runtime, buffer: Vec::with_capacity(CHUNK_BYTES) };
        let written = findings.write(form, &mut pieces).and_then(|()| pieces.flush()).and_then(|()| pieces.send(None));
        if let Err(error) = written {
            tracing::info!(error = %error, "a report was not sent to its end");
        }
        drop(permit);
    });
    let mut response = Response::new(Body::from_stream(whole_or_broken(receiver)));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(form.media_type()));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // The page's own script may run, and has nothing that it could reach.
    let policy = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    headers.insert("content-security-policy", HeaderValue::from_static(policy));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{run}-{report}\"")) {
        headers.insert("content-disposition", name);
    }
    Ok(response)
}

/// The pieces as a body. `None` ends it well; a sender that goes without a word breaks it, so that no client takes a
/// part for the whole.
fn whole_or_broken(receiver: Receiver<Option<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = futures_util::stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(receiver))),
            Some(None) => None,
            None => Some((Err(io::Error::other("the report broke off")), None)),
        }
    });
    // Compression asks once more after the end.
    pieces.fuse()
}

/// Writes into a response body, no faster than the client reads.
struct Pieces {
    sender: Sender<Option<Bytes>>,
    runtime: tokio::runtime::Handle,
    buffer: Vec<u8>,
}

impl Pieces {
    fn send(&self, piece: Option<Bytes>) -> io::Result<()> {
        let sent = tokio::time::timeout(Duration::from_secs(REPORT_STALL_SECONDS), self.sender.send(piece));
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")),
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        self.send(Some(piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_report_that_breaks_off_is_no_whole_report() {
        for (last, whole) in [(Some(None), true), (None, false)] {
            let (sender, receiver) = channel(CHUNKS);
            sender.send(Some(Bytes::from_static(b"a"))).await.unwrap();
            if let Some(last) = last {
                sender.send(last).await.unwrap();
            }
            drop(sender);
            let pieces: Vec<_> = whole_or_broken(receiver).collect().await;
            assert_eq!(pieces.iter().all(Result::is_ok), whole);
            assert_eq!(pieces[0].as_ref().unwrap(), "a");
        }
    }
}
