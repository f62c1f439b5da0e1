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
pub const DRAIN: Duration = Duration::from_secs(10);

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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::sync::Notify;

    use super::*;

    /// A service with a call that is answered when it is told so.
    async fn slow_service(drain: Duration) -> (HttpService, Arc<Notify>, Arc<Notify>) {
        interlock_adapters::install_crypto_provider();
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (on_ask, on_answer) = (Arc::clone(&asked), Arc::clone(&answer));
        let slow = move || async move {
            on_ask.notify_one();
            on_answer.notified().await;
            "done"
        };
        let router = Router::new().route("/slow", get(slow));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = HttpService::start_stoppable(listen, router, CancellationToken::new(), drain).await;
        (started.unwrap(), asked, answer)
    }

    #[tokio::test]
    async fn a_service_that_is_stopped_answers_what_it_was_asked_before() {
        let (service, asked, answer) = slow_service(Duration::from_secs(30)).await;
        let call = tokio::spawn(reqwest::get(format!("{}/slow", service.url())));
        asked.notified().await;
        let url = service.url();
        let stopping = tokio::spawn(service.stop());
        let refuses = async { while reqwest::get(format!("{url}/other")).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), refuses).await.expect("it takes no more connections");
        answer.notify_one();
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
        stopping.await.unwrap();
    }

    #[tokio::test]
    async fn a_service_does_not_wait_for_ever() {
        let (service, asked, _answer) = slow_service(Duration::from_millis(50)).await;
        let call = tokio::spawn(reqwest::get(format!("{}/slow", service.url())));
        asked.notified().await;
        service.stop().await;
        assert!(call.await.unwrap().is_err());
    }
}
