//! An HTTP service of this process: it listens, serves, and drains when it is stopped.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use interlock_domain::error_code::ErrorCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;

/// How long open requests may take to end when the service is stopped, where nobody says otherwise.
const DRAIN: Duration = Duration::from_secs(10);

/// A service that runs. Dropping it stops it without waiting.
pub struct HttpService {
    address: SocketAddr,
    stop: CancellationToken,
    drain: Duration,
    serving: JoinHandle<std::io::Result<()>>,
}

impl HttpService {
    /// Listens and serves. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`Fault`] `listen_failed`.
    pub async fn start(listen: SocketAddr, router: Router) -> Result<Self, Fault> {
        Self::start_stoppable(listen, router, CancellationToken::new(), DRAIN).await
    }

    /// The same; `stop` is cancelled when the service is stopped, so that its calls may know, and stops it where others
    /// cancel it. Open requests may then take up to `drain` to end.
    ///
    /// # Errors
    /// [`Fault`] `listen_failed`.
    pub async fn start_stoppable(
        listen: SocketAddr,
        router: Router,
        stop: CancellationToken,
        drain: Duration,
    ) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| {
            Fault::failed(ErrorCode::ListenFailed, format!("The address {listen} cannot be listened on: {error}."))
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stopped = stop.clone().cancelled_owned();
        let served = axum::serve(listener, router).with_graceful_shutdown(stopped);
        Ok(Self { address, stop, drain, serving: tokio::spawn(async move { served.await }) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections, and returns when the open requests have ended, or their time to do so is over.
    pub async fn stop(mut self) {
        self.stop.cancel();
        match tokio::time::timeout(self.drain, &mut self.serving).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "the HTTP service ended badly"),
            Ok(Err(error)) => tracing::error!(%error, "the HTTP service ended badly"),
            Err(_) => tracing::warn!("the HTTP service stopped with requests open"),
        }
    }
}

impl Drop for HttpService {
    fn drop(&mut self) {
        self.stop.cancel();
        self.serving.abort();
    }
}
