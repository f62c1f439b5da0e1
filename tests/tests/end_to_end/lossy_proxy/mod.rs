//! A gRPC proxy between worker processes and the Temporal server. It loses the completion of a chosen workflow task.
//!
//! A local activity runs before its workflow task is recorded. If the completion of the task is lost (the worker dies, or the server's
//! store is unavailable), the messages of the activity have been sent, and the server retries the task: later, and with everything that
//! arrived meanwhile. The proxy causes this at a chosen point, on a real server and with real workers.
//!
//! It forwards all other calls unchanged, and reads the messages to entities that the server accepts.

mod gate;
mod loss;
mod messages;
mod wire;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::waiting::until;
use gate::Gates;
pub use gate::{Gate, Stopped};
pub use loss::{Fate, Loss, Moment, Way};
use loss::{Losses, Sentence};
use wire::{Body, unavailable};

/// The largest frame and window of a connection: histories of several MB pass.
const WINDOW_BYTES: u32 = 8 << 20;

/// The proxy. Dropping it closes every connection through it.
pub struct LossyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

struct Shared {
    upstream: String,
    /// The workflow task time-out of entities that are started through the proxy.
    task_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    losses: Losses,
    gates: Gates,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl LossyProxy {
    /// A proxy on a free port of this machine for the server at `upstream`, `HOST:PORT`. Entities that are started through it get this
    /// workflow task time-out, after which the server retries a lost task.
    pub async fn before(upstream: &str, task_timeout: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { upstream: upstream.to_owned(), task_timeout, state: Mutex::default() });
        let mut connections = JoinSet::new();
        connections.spawn(listen(listener, Arc::clone(&shared)));
        Self { address, shared, _connections: connections }
    }

    /// The address of the proxy for workers, `HOST:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Requests the loss of a completion. Returns its number, for [`LossyProxy::until_lost`].
    pub fn lose(&self, loss: Loss) -> usize {
        self.shared.state().losses.add(loss)
    }

    /// Waits until the completion was lost for the first time. From here on, the server does not know what the worker did. Returns how
    /// the awaited effect left.
    ///
    /// # Panics
    /// If the worker did not complete such a task in time.
    pub async fn until_lost(&self, loss: usize) -> Way {
        let what = format!("the lost completion: {}", self.shared.state().losses.described(loss));
        until(what, || std::future::ready(self.shared.state().losses.lost(loss))).await
    }

    /// Makes such messages wait at a gate, which is closed.
    pub fn stop(&self, which: Stopped) -> Gate {
        self.shared.state().gates.add(which)
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection of a worker by one connection to the server.
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

/// Forwards one call, unless it must be lost.
async fn forward(request: Request<Incoming>, sender: SendRequest<Body>, shared: &Shared) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return unavailable("the call broke off") };
    let call = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let body = messages::with_task_timeout(&call, body.to_bytes(), shared.task_timeout);
    let sent = messages::read(&call, &body);
    let sentence = match wire::completion(&call, &body) {
        Some(completion) => shared.state().losses.judge(&completion.token, &completion.said),
        None => Sentence::Pass,
    };
    for message in &sent {
        let gate = shared.state().gates.before(message);
        if let Some(gate) = gate
            && !gate.passed().await
        {
            return unavailable("the message does not get through");
        }
    }
    if sentence == Sentence::Refuse {
        return unavailable("the completion is lost");
    }
    if let Sentence::Hold(pause) = sentence {
        tokio::time::sleep(pause).await;
    }
    let answer = send(Request::from_parts(parts, wire::body(body)), sender).await;
    let Some((answer, bytes)) = answer else { return unavailable("the server is away") };
    let is_accepted = wire::is_ok(&answer);
    let mut state = shared.state();
    if let Some((token, workflow_id)) = wire::tasks(&call, &bytes) {
        state.losses.learn(token, workflow_id);
    }
    if is_accepted {
        for message in sent {
            state.losses.heard(&message);
        }
    }
    if sentence == Sentence::LoseTheAnswer {
        return unavailable("the answer is lost");
    }
    answer
}

/// Sends a request to the server. Returns the whole answer, and its bytes separately.
async fn send(request: Request<Body>, mut sender: SendRequest<Body>) -> Option<(Response<Body>, Bytes)> {
    sender.ready().await.ok()?;
    let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
    let collected = body.collect().await.ok()?;
    let trailers = collected.trailers().cloned();
    let bytes = collected.to_bytes();
    Some((Response::from_parts(parts, wire::body_with_trailers(bytes.clone(), trailers)), bytes))
}
