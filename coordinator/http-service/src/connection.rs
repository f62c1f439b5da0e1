//! Serves one connection: HTTP/1.1, within the times of its [`Conversation`].

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use interlock_adapters::front_door::FrontDoor;
use interlock_domain::error_code::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::body::{Budget, TimedBody};
use super::conversation::Conversation;
use super::places::{Place, Use};
use super::problem::Problem;
use super::watched_stream::WatchedStream;

/// The longest head of a request, and the size of the read buffer, in bytes.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a caller may take the answer to a request whose head did not arrive.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// When to retry if there are too many connections.
const RETRY: Duration = Duration::from_secs(1);
/// The calls that are answered even if there are too many other connections.
const HEALTH: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The state that all connections of a service share.
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) door: FrontDoor,
    pub(super) body_timeout: Duration,
    pub(super) budget: Budget,
    /// Cancelled when the service stops: open requests may still end.
    pub(super) stop: CancellationToken,
    /// Cancelled when open requests must end too.
    pub(super) cut: CancellationToken,
}

/// Serves a connection until it ends, or its time is over.
pub(super) async fn serve<S>(stream: S, place: Place, serving: Arc<Serving>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let conversation = Arc::clone(&place.conversation);
    conversation.opened();
    let stream = TokioIo::new(WatchedStream::new(stream, Arc::clone(&conversation)));
    let service = {
        let (serving, conversation, of) = (Arc::clone(&serving), Arc::clone(&conversation), place.of);
        service_fn(move |request| answer(request, Arc::clone(&serving), Arc::clone(&conversation), of))
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER_BYTES_MAX);
    http.keep_alive(place.of == Use::Every);
    let mut connection = http.serve_connection(stream, service);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = conversation.evicted() => return,
            () = serving.cut.cancelled() => return,
            () = conversation.sooner() => {}
            () = sleep_until(conversation.deadline()) => {
                if conversation.deadline() <= Instant::now() {
                    if conversation.has_begun_a_head() {
                        conversation.leaves_unread();
                        say_too_slow(connection.into_parts().io).await;
                    }
                    return;
                }
            }
            () = serving.stop.cancelled(), if !stopping => {
                stopping = true;
                if !conversation.is_busy() {
                    return;
                }
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

/// Answers a request whose head does not arrive, as far as the caller takes it.
async fn say_too_slow<S: AsyncRead + AsyncWrite + Unpin>(stream: TokioIo<WatchedStream<S>>) {
    let detail = "The head of the request did not arrive in time.";
    let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::HeadTooSlow, detail);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len(),
    );
    let mut stream = stream.into_inner();
    let sending = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // Nobody learns of a failure: the caller is gone.
    let _sent = tokio::time::timeout(ANSWER_LIMIT, sending).await;
}

async fn answer(
    request: hyper::Request<Incoming>,
    serving: Arc<Serving>,
    conversation: Arc<Conversation>,
    of: Use,
) -> Result<Response<AnswerBody>, Infallible> {
    conversation.asked();
    let response = if let Err(turned) = serving.door.check(&request) {
        tracing::debug!(reason = %turned, "a request was rejected");
        close(Problem::new(turned.status(), turned.code(), sentence(&turned.to_string())))
    } else if of == Use::Health && !HEALTH.contains(&request.uri().path()) {
        let detail = "The limit of connections is reached, in total or for this address.";
        close(Problem::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::ServiceOverloaded, detail).retry_after(RETRY))
    } else {
        let timed = |body| Body::new(TimedBody::new(body, serving.body_timeout, Arc::clone(&conversation)));
        let mut request = request.map(timed);
        request.extensions_mut().insert(serving.budget.clone());
        // A router cannot fail.
        serving.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    };
    Ok(response.map(|body| AnswerBody { body, conversation }))
}

/// The response to a request that is not read any further.
fn close(problem: Problem) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}

/// The body of a response, which records when it was sent.
struct AnswerBody {
    body: Body,
    conversation: Arc<Conversation>,
}

impl HttpBody for AnswerBody {
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

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.conversation.answered();
    }
}
