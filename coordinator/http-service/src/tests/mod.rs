//! The service as clients see it, on 127.0.0.1.

mod drained;
mod overloaded;
mod slow_callers;
mod tls;
mod turned_away;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::routing::{get, post};
use interlock_domain::error_code::ErrorCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;
use crate::Problem;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A service that has a call of each kind.
struct Attacked {
    service: HttpService,
    /// A request for `/slow` has arrived.
    asked: Arc<Notify>,
    /// Lets `/slow` answer, once for each.
    answer: Arc<Notify>,
}

fn few(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn attacked(change: impl FnOnce(&mut HttpSettings)) -> Attacked {
    attacked_with(change, |options| options).await
}

async fn attacked_with(
    change: impl FnOnce(&mut HttpSettings),
    with: impl for<'a> FnOnce(HttpOptions<'a>) -> HttpOptions<'a>,
) -> Attacked {
    interlock_adapters::install_crypto_provider();
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (on_ask, on_answer) = (Arc::clone(&asked), Arc::clone(&answer));
    let slow = move || async move {
        on_ask.notify_one();
        on_answer.notified().await;
        "done"
    };
    let read = |body: UnreadBody| async move {
        let read = body.read(8 * 1024 * 1024).await;
        read.map(|body| body.len().to_string()).map_err(|error| Problem::of_body(&error, ErrorCode::BodyTooLarge))
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "healthy" }))
        .route("/quick", get(|| async { "done" }))
        .route("/slow", get(slow))
        .route("/large", get(|| async { Body::from(vec![b'x'; 64 * 1024 * 1024]) }))
        .route("/refused", post(|| async { StatusCode::UNAUTHORIZED }))
        .route("/read", post(read));
    let mut settings = HttpSettings::default();
    change(&mut settings);
    let options = with(HttpOptions::new(&settings, settings.front_door(loopback())));
    let service = HttpService::start(loopback(), router, options).await.unwrap();
    Attacked { service, asked, answer }
}

impl Attacked {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.service.address()).await.unwrap()
    }

    /// A connection on which this was sent.
    async fn sent(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Status and text of the answer to a GET on a connection of its own.
    async fn get(&self, path: &str) -> (u16, String) {
        self.answered(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    async fn answered(&self, request: &str) -> (u16, String) {
        answer_on(&mut self.sent(request).await).await
    }

    /// A GET of `/slow` that is running.
    async fn held(&self) -> TcpStream {
        let stream = self.sent("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        in_time(self.asked.notified()).await;
        stream
    }

    /// Returns once a GET is answered 200.
    async fn until_served(&self, path: &str) {
        let began = Instant::now();
        while self.get(path).await.0 != 200 {
            assert!(began.elapsed() < LIMIT, "{path} is never served");
            tokio::task::yield_now().await;
        }
    }
}

async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, waiting).await.expect("it happens in time")
}

/// Everything until the other end closes, as status (0 if there is no response) and text.
async fn answer_on(stream: &mut TcpStream) -> (u16, String) {
    let mut read = Vec::new();
    // A reset after the response also counts as the end.
    let _ended = in_time(stream.read_to_end(&mut read)).await;
    let text = String::from_utf8_lossy(&read).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text)
}
