//! The HTTP server of a sandbox target. Unlike usual server frameworks, it can cut a connection without an answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use interlock_domain::error_code::ErrorCode;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::control;
use super::model::{Reply, Request};
use super::target::Target;
use crate::front_door::{FrontDoor, is_json, media_type};

/// The longest request body, in bytes: a seed of 100,000 subscribers.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a connection may be open without the head of a request.
const HEADER_LIMIT: Duration = Duration::from_secs(30);
/// The time limit for the body of a request.
const BODY_LIMIT: Duration = Duration::from_mins(1);
/// The time limit for telling a caller that there are too many connections.
const REFUSAL_LIMIT: Duration = Duration::from_secs(1);
/// The answer to a connection above the limit. Adapters treat it as a target that is temporarily unavailable.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// How long open requests may take to finish when the server shuts down.
const DRAIN: Duration = Duration::from_secs(5);
/// How long to wait after a failed accept: it usually means that the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connection must be cut.
#[derive(Debug, Error)]
#[error("connection closed on purpose")]
struct Cut;

/// A running server.
pub(super) struct Server {
    address: SocketAddr,
    target: Arc<Target>,
    stop: CancellationToken,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(
        listener: TcpListener,
        target: Arc<Target>,
        hosts: &[String],
        connections_max: usize,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let door = Arc::new(FrontDoor::of_listener(address).with_hosts(hosts.iter().map(String::as_str)));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&target), door, stop.clone(), connections_max));
        Ok(Self { address, target, stop, accepting: Some(accepting) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn shutdown(mut self) {
        self.stop.cancel();
        self.target.cancel();
        if let Some(accepting) = self.accepting.take()
            && let Err(error) = accepting.await
        {
            tracing::error!(%error, "the sandbox server ended with an error");
        }
        self.target.stop().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.target.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    target: Arc<Target>,
    door: Arc<FrontDoor>,
    stop: CancellationToken,
    connections_max: usize,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => serve(stream, Arc::clone(&target), Arc::clone(&door), &graceful, place),
                Err(_) => refuse(stream).await,
            },
            Err(error) => {
                tracing::warn!(%error, "the sandbox target could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("the sandbox target stopped with open requests");
    }
}

/// Answers that there are too many connections, and closes this one.
async fn refuse(mut stream: TcpStream) {
    let answered = tokio::time::timeout(REFUSAL_LIMIT, stream.write_all(TOO_MANY)).await;
    if !matches!(answered, Ok(Ok(()))) {
        tracing::debug!("a connection over the limit was closed before it got a response");
    }
}

fn serve(
    stream: TcpStream,
    target: Arc<Target>,
    door: Arc<FrontDoor>,
    graceful: &GracefulShutdown,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot disable Nagle's algorithm on a connection");
    }
    let service = service_fn(move |request| answer(request, Arc::clone(&target), Arc::clone(&door)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_LIMIT);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}

/// An error makes hyper close the connection without an answer.
async fn answer(
    request: http::Request<Incoming>,
    target: Arc<Target>,
    door: Arc<FrontDoor>,
) -> Result<http::Response<Full<Bytes>>, Cut> {
    let admitted = admit(&request, &door);
    let read = match admitted {
        Ok(()) => read(request).await,
        Err(reply) => Err(reply),
    };
    let reply = match read {
        Ok(request) => match control::answer(&request, &target) {
            Some(reply) => reply,
            None => target.handle(request).await.ok_or(Cut)?,
        },
        Err(reply) => reply,
    };
    let mut builder = http::Response::builder().status(reply.status).header(CONTENT_TYPE, "application/json");
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    // With a newline at the end, as PyHSS has it, and for people who read it in a terminal.
    builder.body(Full::from(format!("{}\n", reply.body))).map_err(|_| Cut)
}

/// Rejects requests that a web page could send, before the body is read.
fn admit(request: &http::Request<Incoming>, door: &FrontDoor) -> Result<(), Reply> {
    door.check(request)
        .map_err(|turned| problem(turned.status().as_u16(), turned.code().as_str(), &turned.to_string()))?;
    match media_type(request.headers()) {
        Some(other) if !is_json(&other) => {
            let code = ErrorCode::UnsupportedContentType.as_str();
            Err(problem(415, code, &format!("the media type must be application/json, not '{other}'")))
        }
        _ => Ok(()),
    }
}

fn problem(status: u16, code: &str, detail: &str) -> Reply {
    Reply::new(status, serde_json::json!({"code": code, "detail": detail}))
}

async fn read(request: http::Request<Incoming>) -> Result<Request, Reply> {
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY_LIMIT, Limited::new(body, BODY_BYTES_MAX).collect());
    let bytes = collected
        .await
        .map_err(|_| problem(408, ErrorCode::BodyTooSlow.as_str(), "the body did not arrive in time"))?
        .map_err(|error| problem(413, "body_too_large", &error.to_string()))?
        .to_bytes();
    let text = String::from_utf8(bytes.into()).map_err(|error| problem(400, "not_utf8", &error.to_string()))?;
    let url = Url::parse("http://sandbox")
        .and_then(|base| base.join(parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)))
        .map_err(|error| problem(400, "bad_path", &error.to_string()))?;
    let path = url.path_segments().into_iter().flatten().map(decode).collect();
    let query = url.query_pairs().into_owned().collect();
    Ok(Request { method: parts.method, path, query, headers: parts.headers, text })
}

fn decode(segment: &str) -> String {
    interlock_domain::ids::decode_part(segment).unwrap_or_else(|_| segment.to_owned())
}
