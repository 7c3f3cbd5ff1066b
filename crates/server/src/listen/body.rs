//! The bodies of requests: they come at a pace, and what is left of one that was refused is read away.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

/// Slowest body that is worth waiting for, bytes per second, once the time of `body_seconds` is over.
const BODY_PACE_MIN: u64 = 1024;

/// The request with a body that has to come at a pace: each piece within `patience`, and the whole not
/// slower than [`BODY_PACE_MIN`], or a client could hold a connection by a byte now and then.
pub(super) fn paced(request: Request<Incoming>, patience: Duration) -> Request<Body> {
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(Paced::new(body, waits, patience)) })
}

struct Paced {
    /// Until its end has come.
    body: Option<Incoming>,
    /// The client sends nothing before it is told to go on, which asking for the body does.
    waits: bool,
    patience: Duration,
    began: Instant,
    received: u64,
    until: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: Incoming, waits: bool, patience: Duration) -> Self {
        let began = Instant::now();
        Self { body: Some(body), waits, patience, began, received: 0, until: Box::pin(tokio::time::sleep_until(began + patience)) }
    }

    /// A piece has come; the time for the next begins.
    fn take(&mut self, frame: &Frame<Bytes>) {
        self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
        let pace = self.began + self.patience + Duration::from_secs(self.received / BODY_PACE_MIN);
        self.until.as_mut().reset(pace.min(Instant::now() + self.patience));
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        // What has come is taken first: a handler that was slow to ask is not the client's fault.
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.take(&frame);
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(end) => {
                self.body = None;
                return Poll::Ready(end.map(|failed| failed.map_err(Into::into)));
            }
            Poll::Pending => {}
        }
        if self.until.as_mut().poll(cx).is_ready() {
            // Nothing more is read from whoever is this slow.
            self.body = None;
            let slow = std::io::Error::new(std::io::ErrorKind::TimedOut, "it came too slowly");
            return Poll::Ready(Some(Err(slow.into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

/// A request that was answered before its body had come, because it was refused, is read on for a
/// while, as nginx does (`lingering_time`). Else the connection breaks under a client that is still
/// sending: it never gets to see the answer, takes the refusal for a fault of the network and sends
/// everything again.
impl Drop for Paced {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !self.waits && !body.is_end_stream()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(tokio::time::timeout(self.patience, read_away(body)));
        }
    }
}

async fn read_away(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}
