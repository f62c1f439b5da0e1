//! An HTTP service of this process: it listens, serves, and drains when it is stopped. The gateway, the workers' health calls and
//! the codec server use it, all with the same limits: on connections, on the time that a caller may take for each part,
//! and on the bytes of bodies. Above a limit it answers 503, except for `/healthz`, `/readyz` and `/metrics`, which are
//! always answered. It takes a router, and knows nothing about the router's calls.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod connection;
mod conversation;
mod descriptors;
mod headers;
mod places;
mod problem;
mod tls;
mod watched_stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use interlock_adapters::front_door::FrontDoor;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_settings::{HttpSettings, TlsSettings};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use body::{BodyError, ReadBody, UnreadBody};
pub use headers::{bearer, check_media_type, check_plain, codings};
pub use problem::Problem;

use self::body::Budget;
use self::connection::Serving;
use self::conversation::Times;
use self::places::{Place, Places};

/// The default time for open requests to end when the service is stopped.
pub const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait after a failed accept: usually the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How many connections are closed when there are no file descriptors left.
const GIVE_WAY: usize = 16;
/// The connections of a service that only has health calls: for probes and Prometheus.
const HEALTH_CONNECTIONS_MAX: usize = 64;

/// How a service is run.
pub struct HttpOptions<'a> {
    settings: &'a HttpSettings,
    door: FrontDoor,
    connections_max: usize,
    tls: Option<&'a TlsSettings>,
    stop: CancellationToken,
    drain: Duration,
}

impl<'a> HttpOptions<'a> {
    /// With these settings, behind this door, over plain HTTP.
    pub fn new(settings: &'a HttpSettings, door: FrontDoor) -> Self {
        let connections_max = settings.connections_max.get();
        Self { settings, door, connections_max, tls: None, stop: CancellationToken::new(), drain: DRAIN }
    }

    /// For a service that only has health calls.
    pub fn of_health(settings: &'a HttpSettings, listen: SocketAddr) -> Self {
        let of_calls = Self::new(settings, settings.front_door(listen));
        Self { connections_max: of_calls.connections_max.min(HEALTH_CONNECTIONS_MAX), ..of_calls }
    }

    /// With TLS, if there are settings for it.
    #[must_use]
    pub fn tls(self, tls: Option<&'a TlsSettings>) -> Self {
        Self { tls, ..self }
    }

    /// `stop` is cancelled when the service is stopped, so that its calls can react; cancelling it elsewhere stops the service. Open
    /// requests may then take up to `drain` to end.
    #[must_use]
    pub fn stoppable(self, stop: CancellationToken, drain: Duration) -> Self {
        Self { stop, drain, ..self }
    }
}

/// A running service. Dropping it stops it without waiting.
pub struct HttpService {
    address: SocketAddr,
    has_tls: bool,
    stop: CancellationToken,
    cut: CancellationToken,
    drain: Duration,
    serving: JoinHandle<()>,
}

impl HttpService {
    /// Listens and serves. Port 0 picks a free one.
    ///
    /// # Errors
    /// [`Fault`] `listen_failed`, or `tls_unusable`.
    pub async fn start(listen: SocketAddr, router: Router, options: HttpOptions<'_>) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| {
            Fault::failed(ErrorCode::ListenFailed, format!("Cannot bind to the listen address {listen}: {error}."))
        };
        let HttpOptions { settings, door, connections_max, tls, stop, drain } = options;
        let tls = tls.map(|settings| tls::acceptor(settings, stop.clone())).transpose()?;
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let times = Times { header: settings.header_timeout, body: settings.body_timeout, idle: settings.idle_timeout };
        let connections_max = descriptors::connections(connections_max);
        let places = Arc::new(Places::new(connections_max, settings.connections_per_peer_max.get(), times));
        let cut = CancellationToken::new();
        let serving = Arc::new(Serving {
            router,
            door,
            body_timeout: settings.body_timeout,
            budget: Budget::new(settings.body_bytes_max.get()),
            stop: stop.clone(),
            cut: cut.clone(),
        });
        let has_tls = tls.is_some();
        let accepting = accept(listener, tls, places, serving);
        Ok(Self { address, has_tls, stop, cut, drain, serving: tokio::spawn(accepting) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, `http://HOST:PORT`; `https` with TLS.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.has_tls { "https" } else { "http" }, self.address)
    }

    /// Accepts no more connections, and returns when the open requests have ended, or their time is over.
    pub async fn stop(mut self) {
        self.stop.cancel();
        match tokio::time::timeout(self.drain, &mut self.serving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the HTTP service ended with an error"),
            Err(_) => tracing::warn!("the HTTP service stopped with open requests"),
        }
    }
}

impl Drop for HttpService {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut.cancel();
        self.serving.abort();
    }
}

/// Accepts connections until the service is stopped, then waits for the open ones.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, places: Arc<Places>, serving: Arc<Serving>) {
    let connections = TaskTracker::new();
    while let Some(accepted) = serving.stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            // Without a place it is closed at once.
            Ok((stream, peer)) => {
                if let Some(place) = places.take(peer.ip()) {
                    connections.spawn(open(stream, tls.clone(), place, Arc::clone(&serving)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                places.make_room(GIVE_WAY);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn open(stream: TcpStream, tls: Option<TlsAcceptor>, place: Place, serving: Arc<Serving>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot disable Nagle's algorithm on a connection");
    }
    let Some(tls) = tls else { return connection::serve(stream, place, serving).await };
    let conversation = Arc::clone(&place.conversation);
    tokio::select! {
        shaken = tls.accept(stream) => match shaken {
            Ok(stream) => connection::serve(stream, place, serving).await,
            Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
        },
        () = tokio::time::sleep_until(conversation.deadline()) => {}
        () = conversation.evicted() => {}
        () = serving.stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests;
