//! Connections: accepted up to a limit, over TLS or not, and ended when they are idle, too slow, or
//! when the server stops.
//!
//! HTTP/1.1 on plain connections; over TLS also HTTP/2, as ALPN decides. What a client can hold
//! without doing its part is bounded: the handshake and the head of a request in time, the body in
//! pace, headers in size and number, streams of a connection and connections in number.

mod body;

use crate::app::App;
use crate::config::Limits;
use crate::tls::Tls;
use crate::{Shutdown, http as routes};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt as _;

/// Names and values of all headers of a request together.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request; the SDKs send some fifteen.
const HEADERS_MAX: usize = 100;
/// Requests at the same time on one HTTP/2 connection (RFC 9113 §6.5.2 recommends no fewer).
const STREAMS_MAX: u32 = 100;
/// A peer that has vanished without a word is found out by a ping that is not answered.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a connection that has been told to end may go on sending the rest of an answer. One that
/// was never asked anything has nothing to send.
const LAST_WORDS: Duration = Duration::from_secs(600);
/// The same when the server stops, for a connection on which nothing is being worked on.
const LAST_WORDS_AT_STOP: Duration = Duration::from_secs(2);
/// Pause after an error of `accept`, such as too many open files: it will not be gone at once.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// What every connection shares.
struct Shared {
    app: App,
    router: Router,
    tls: Option<tokio_rustls::TlsAcceptor>,
    header: Duration,
    body: Duration,
    idle: Duration,
}

/// Serves until told to stop, then lets requests that are under way finish, up to the deadline of
/// `[server] shutdown_seconds`.
pub(crate) async fn serve(app: App, router: Router, listener: TcpListener, tls: Option<&Tls>, shutdown: Shutdown) {
    let Limits { connections, header_seconds, body_seconds, idle_seconds, .. } = app.config().limits;
    let deadline = Duration::from_secs(app.config().server.shutdown_seconds.into());
    let shared = Arc::new(Shared {
        app,
        router,
        tls: tls.map(Tls::acceptor),
        header: Duration::from_secs(header_seconds.into()),
        body: Duration::from_secs(body_seconds.into()),
        idle: Duration::from_secs(idle_seconds.into()),
    });
    let places = Arc::new(Semaphore::new(connections as usize));
    let (stop, stopping) = watch::channel(false);
    let mut open = JoinSet::new();
    let mut told = pin!(shutdown.wait());
    loop {
        let next = async {
            let place = free_place(&places).await;
            (accept(&listener).await, place)
        };
        tokio::select! {
            () = &mut told => break,
            // Only to forget those that have ended.
            Some(_) = open.join_next() => {}
            ((stream, peer), place) = next => {
                open.spawn(connection(Arc::clone(&shared), stream, peer, place, stopping.clone()));
            }
        }
    }
    // No request waits for a job: what is under way breaks off while requests are finished.
    shared.app.stop_worker();
    drop(listener);
    // Fails when nobody is connected: fine.
    let _ = stop.send(true);
    tracing::info!(connections = open.len(), "stopping");
    let all_ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(deadline, all_ended).await.is_err() {
        tracing::warn!(connections = open.len(), "the deadline is over; connections with unfinished requests are cut");
        open.shutdown().await;
    }
}

/// Waits until there are fewer connections than the limit.
async fn free_place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    tracing::warn!("there are as many connections as [limits] connections allows; new ones wait");
    // The semaphore is never closed.
    Arc::clone(places).acquire_owned().await.ok()
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written whole; waiting for more to send would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                return (stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
            }
        }
    }
}

/// The client was gone before it was served.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, from its first byte to its last.
async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    _place: Option<OwnedSemaphorePermit>,
    stopping: watch::Receiver<bool>,
) {
    let Some(acceptor) = shared.tls.clone() else {
        return speak_http1(shared, stream, peer, stopping).await;
    };
    let handshake = tokio::time::timeout(shared.header, handshake(acceptor, stream));
    let stream = tokio::select! {
        outcome = handshake => match outcome {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        },
        () = is_true(stopping.clone()) => return,
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        speak_http2(shared, stream, peer, stopping).await;
    } else {
        speak_http1(shared, stream, peer, stopping).await;
    }
}

async fn handshake(
    acceptor: tokio_rustls::TlsAcceptor,
    mut stream: TcpStream,
) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    // A handshake begins with the byte 22, a request of plain HTTP with a letter. Whoever wrote http://
    // where https:// is spoken is told so, in place of a connection that breaks off.
    let mut first = [0_u8];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        let text = "This server speaks HTTPS: write https:// in place of http://.\n";
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        return Err(std::io::Error::other("plain HTTP on a TLS port"));
    }
    acceptor.accept(stream).await
}

async fn is_true(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the server.
    let _ = flag.wait_for(|flag| *flag).await;
}

async fn speak_http1<S>(shared: Arc<Shared>, stream: S, peer: SocketAddr, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.header)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service_fn(|request| answer(&shared, peer, &activity, request)));
    watch_over(connection, &activity, shared.idle, stopping).await;
}

async fn speak_http2<S>(shared: Arc<Shared>, stream: S, peer: SocketAddr, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .serve_connection(TokioIo::new(stream), service_fn(|request| answer(&shared, peer, &activity, request)));
    watch_over(connection, &activity, shared.idle, stopping).await;
}

/// Drives a connection to its end; asks it to end when the server stops or when nothing has been
/// asked for a while, and drops it when it does not.
async fn watch_over<C>(connection: C, activity: &Activity, idle: Duration, stopping: watch::Receiver<bool>)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let mut connection = pin!(connection);
    let mut stop = pin!(is_true(stopping));
    let mut stopped = false;
    let mut asked: Option<Instant> = None;
    loop {
        // Nothing in work since then; a request that is being worked on is not hurried.
        let quiet = activity.quiet_since();
        let patience = match asked {
            None => idle,
            Some(_) if !activity.ever() => Duration::ZERO,
            Some(_) if stopped => LAST_WORDS_AT_STOP,
            Some(_) => LAST_WORDS,
        };
        let until = quiet.max(asked).map_or_else(|| Instant::now() + patience, |since| since + patience);
        tokio::select! {
            outcome = &mut connection => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            () = &mut stop, if !stopped => {
                stopped = true;
                connection.as_mut().graceful_shutdown();
                asked = Some(Instant::now());
            }
            () = tokio::time::sleep_until(until) => {
                // Things may have happened meanwhile.
                if activity.quiet_since().is_none_or(|since| since.max(asked.unwrap_or(since)) + patience > Instant::now()) {
                    continue;
                }
                if asked.is_some() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                asked = Some(Instant::now());
            }
        }
    }
}

/// What goes on on a connection.
#[derive(Debug, Clone)]
struct Activity(Arc<Mutex<Work>>);

#[derive(Debug)]
struct Work {
    /// Has there been a request?
    ever: bool,
    /// Requests whose answer is not complete.
    count: usize,
    /// When that number last changed.
    since: Instant,
}

/// A request in work, until it is dropped.
struct InWork(Activity);

impl Activity {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Work { ever: false, count: 0, since: Instant::now() })))
    }

    fn begin(&self) -> InWork {
        self.change(|count| count + 1);
        InWork(self.clone())
    }

    fn change(&self, change: impl Fn(usize) -> usize) {
        let mut work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *work = Work { ever: true, count: change(work.count), since: Instant::now() };
    }

    /// Has there been a request?
    fn ever(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ever
    }

    /// Since when nothing is in work; `None` while something is.
    fn quiet_since(&self) -> Option<Instant> {
        let work = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (work.count == 0).then_some(work.since)
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.change(|count| count.saturating_sub(1));
    }
}

/// One request of a connection.
fn answer(
    shared: &Arc<Shared>,
    peer: SocketAddr,
    activity: &Activity,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<> {
    let in_work = activity.begin();
    let shared = Arc::clone(shared);
    async move {
        let mut request = body::paced(request, shared.body);
        request.extensions_mut().insert(ConnectInfo(peer));
        name_the_host(&mut request);
        let handled = AssertUnwindSafe(shared.router.clone().oneshot(request)).catch_unwind().await;
        let response = match handled {
            Ok(Ok(response)) => response,
            // The panic's own message went to the log by the panic hook.
            Err(_) => routes::panicked(&shared.app),
        };
        Ok(response.map(|body| Answer { body, _in_work: in_work }))
    }
}

/// HTTP/2 names the host in `:authority` (RFC 9113 §8.3.1), and so does HTTP/1.1 in a request target in
/// absolute form, where it wins over `Host` (RFC 9112 §3.2.2). Handlers look at one place, `Host`.
fn name_the_host(request: &mut Request<Body>) {
    let authority = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = authority {
        request.headers_mut().insert(http::header::HOST, host);
    }
}

/// The body of an answer; the request counts as worked on until it has been handed over.
struct Answer {
    body: Body,
    _in_work: InWork,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
