//! A gRPC proxy between Interlock's processes and the Temporal server. [`Interceptor`]s see every call: they can change it, hold it,
//! refuse it, and lose or change its answer.
//!
//! Whatever loses messages between a worker and the server is caused here, at a chosen point, on a real server and with real workers.
//! Calls that no interceptor changes are forwarded as they are.

pub mod losses;
pub mod messages;
pub mod under_way;
pub mod wire;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use self::wire::{Body, unavailable};

/// The largest frame and window of a connection: histories of several MB pass.
const WINDOW_BYTES: u32 = 8 << 20;

/// What happens to a call.
#[derive(Debug)]
pub enum Verdict {
    /// It is forwarded with this body.
    Forward(Bytes),
    /// It does not reach the server: the caller gets UNAVAILABLE with this text, after which clients retry.
    Refuse(&'static str),
    /// It is forwarded with this body, and the caller gets UNAVAILABLE with this text instead of the answer.
    LoseTheAnswer(Bytes, &'static str),
}

/// A call that reached the server.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The name of the call, without its service: `PollWorkflowTaskQueue`.
    pub call: &'a str,
    /// The body that was sent, with the prefix of gRPC.
    pub request: &'a Bytes,
    /// The body of the answer, with the prefix of gRPC.
    pub answer: &'a Bytes,
    /// Whether the server accepted the call.
    pub is_ok: bool,
}

/// Sees the calls that pass through a proxy.
#[async_trait]
pub trait Interceptor: Send + Sync + 'static {
    /// Decides about a call before it is forwarded. `body` has the prefix of gRPC. The call waits meanwhile.
    async fn before(&self, call: &str, body: Bytes) -> Verdict {
        let _ = call;
        Verdict::Forward(body)
    }

    /// Sees the answer to a call, and returns another body for it, or `None` to leave it.
    async fn after(&self, answered: &Answered<'_>) -> Option<Bytes> {
        let _ = answered;
        None
    }
}

/// The proxy. Dropping it closes every connection through it.
pub struct Proxy {
    address: SocketAddr,
    _connections: JoinSet<()>,
}

struct Shared {
    upstream: String,
    interceptors: Vec<Arc<dyn Interceptor>>,
}

impl Proxy {
    /// A proxy on a free port of this machine for the server at `upstream`, `HOST:PORT`. Each call passes the interceptors in their order,
    /// its answer in the same order.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn before(upstream: &str, interceptors: Vec<Arc<dyn Interceptor>>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { upstream: upstream.to_owned(), interceptors });
        let mut connections = JoinSet::new();
        connections.spawn(listen(listener, shared));
        Ok(Self { address, _connections: connections })
    }

    /// The address of the proxy, `HOST:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection by one connection to the server.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let Ok(upstream) = TcpStream::connect(&shared.upstream).await else { return };
    drop(upstream.set_nodelay(true));
    drop(stream.set_nodelay(true));
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .handshake::<_, Body>(TokioIo::new(upstream))
        .await;
    let Ok((sender, connection)) = client else { return };
    let service = service_fn(move |request| {
        let (sender, shared) = (sender.clone(), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(forward(request, sender, &shared).await) }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // If either side closes, the other one is closed, too.
    tokio::select! {
        _ = connection => {}
        _ = server => {}
    }
}

/// Forwards one call, as the interceptors decide.
async fn forward(request: Request<Incoming>, sender: SendRequest<Body>, shared: &Shared) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return unavailable("the call broke off") };
    let call = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut body = body.to_bytes();
    let mut lost = None;
    for interceptor in &shared.interceptors {
        body = match interceptor.before(&call, body).await {
            Verdict::Forward(body) => body,
            Verdict::Refuse(why) => return unavailable(why),
            Verdict::LoseTheAnswer(body, why) => {
                lost = Some(why);
                body
            }
        };
    }
    // The body may have another length than the caller's.
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let sent = Request::from_parts(parts, wire::body(body.clone()));
    let Some(mut answer) = send(sent, sender).await else { return unavailable("the server is away") };
    for interceptor in &shared.interceptors {
        let is_ok = answer.is_ok();
        let answered = Answered { call: &call, request: &body, answer: &answer.body, is_ok };
        if let Some(changed) = interceptor.after(&answered).await {
            answer.body = changed;
        }
    }
    match lost {
        Some(why) => unavailable(why),
        None => answer.into_response(),
    }
}

/// A whole answer of the server.
struct Answer {
    parts: http::response::Parts,
    body: Bytes,
    trailers: Option<http::HeaderMap>,
}

impl Answer {
    /// Whether it reports success. A failure without a message is in the headers, else in the trailers.
    fn is_ok(&self) -> bool {
        let status = |headers: &http::HeaderMap| headers.get("grpc-status").is_none_or(|status| status == "0");
        status(&self.parts.headers) && self.trailers.as_ref().is_none_or(status)
    }

    fn into_response(mut self) -> Response<Body> {
        self.parts.headers.remove(http::header::CONTENT_LENGTH);
        Response::from_parts(self.parts, wire::body_with_trailers(self.body, self.trailers))
    }
}

/// Sends a request to the server, and collects its answer.
async fn send(request: Request<Body>, mut sender: SendRequest<Body>) -> Option<Answer> {
    sender.ready().await.ok()?;
    let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
    let collected = body.collect().await.ok()?;
    let trailers = collected.trailers().cloned();
    Some(Answer { parts, body: collected.to_bytes(), trailers })
}
