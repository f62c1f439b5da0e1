//! Bodies of requests: they are read only once the caller's access is checked, within limits on time and size and a shared budget.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use interlock_adapters::content::{self, Coding, NotDecoded};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::conversation::Conversation;

/// The bytes that one permit of the budget stands for.
const PERMIT_BYTES: usize = 1024;

/// Why a body was not read.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is longer than the call reads.
    #[error("it exceeds {0} bytes")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("it did not arrive in time")]
    TooSlow,
    /// It does not have the content coding that its header names.
    #[error("{0}")]
    NotDecoded(NotDecoded),
    /// Too many bodies are being read.
    #[error("too many request bodies are in flight")]
    Overloaded,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// It did not arrive in time.
#[derive(Debug, Error)]
#[error("the request body did not arrive in time")]
struct Late;

/// The bytes of bodies that may be in flight at a time, over all connections.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(PERMIT_BYTES).min(Semaphore::MAX_PERMITS))))
    }
}

/// A body with a time limit, which starts when reading starts.
pub(super) struct TimedBody {
    body: Incoming,
    limit: Duration,
    late: Option<Pin<Box<Sleep>>>,
    conversation: Arc<Conversation>,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, limit: Duration, conversation: Arc<Conversation>) -> Self {
        Self { body, limit, late: None, conversation }
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let limit = self.limit;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(limit)));
        // The limit is for the whole body, even if bytes keep arriving.
        if late.as_mut().poll(cx).is_ready() || late.deadline() <= Instant::now() {
            return Poll::Ready(Some(Err(Late.into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.conversation.leaves_unread();
        }
    }
}

/// The body of a request that has not been read yet. A handler takes this type instead of bytes, and reads the body once it knows that
/// the caller has access.
#[derive(Debug)]
pub struct UnreadBody {
    body: Body,
    budget: Option<Budget>,
}

/// A body that was read. Dropping it returns its bytes to the budget.
#[derive(Debug)]
pub struct ReadBody {
    bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

impl std::ops::Deref for ReadBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<S: Send + Sync> FromRequest<S> for UnreadBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(mut request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let budget = request.extensions_mut().remove::<Budget>();
        Ok(Self { body: request.into_body(), budget })
    }
}

impl UnreadBody {
    /// Reads it, if it has at most this many bytes.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn read(self, bytes_max: usize) -> Result<ReadBody, BodyError> {
        self.read_decoded(&[], bytes_max).await
    }

    /// Reads it and undoes these codings, if it has at most this many bytes, before and after that.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn read_decoded(self, codings: &[Coding], bytes_max: usize) -> Result<ReadBody, BodyError> {
        let announced = self.body.size_hint().upper().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > bytes_max) {
            return Err(BodyError::TooLarge(bytes_max));
        }
        // A body without a length, or with a coding, may be as long as the limit.
        let permits = announced.filter(|_| codings.is_empty()).unwrap_or(bytes_max).div_ceil(PERMIT_BYTES);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let held = match self.budget {
            Some(Budget(budget)) => Some(budget.try_acquire_many_owned(permits).map_err(|_| BodyError::Overloaded)?),
            None => None,
        };
        match Limited::new(self.body, bytes_max).collect().await {
            Ok(collected) if codings.is_empty() => Ok(ReadBody { bytes: collected.to_bytes(), _held: held }),
            Ok(collected) => match content::decoded(collected.to_bytes().into(), codings, bytes_max) {
                Ok(decoded) => Ok(ReadBody { bytes: decoded.into(), _held: held }),
                Err(NotDecoded::TooLong { bytes_max }) => Err(BodyError::TooLarge(bytes_max)),
                Err(error) => Err(BodyError::NotDecoded(error)),
            },
            Err(error) => Err(of_error(&*error, bytes_max)),
        }
    }
}

/// What an error means, by its cause.
fn of_error(error: &(dyn std::error::Error + 'static), bytes_max: usize) -> BodyError {
    let mut cause = Some(error);
    while let Some(of) = cause {
        if of.is::<LengthLimitError>() {
            return BodyError::TooLarge(bytes_max);
        }
        if of.is::<Late>() {
            return BodyError::TooSlow;
        }
        cause = of.source();
    }
    BodyError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: usize, budget: &Budget) -> UnreadBody {
        UnreadBody { body: Body::from(vec![b' '; bytes]), budget: Some(budget.clone()) }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let budget = Budget::new(1 << 20);
        assert_eq!(body(100, &budget).read(100).await.unwrap().len(), 100);
        assert!(matches!(body(101, &budget).read(100).await, Err(BodyError::TooLarge(100))));
        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("x".repeat(60)), Ok("x".repeat(60))]);
        let without_length = UnreadBody { body: Body::from_stream(chunks), budget: Some(budget) };
        assert!(matches!(without_length.read(100).await, Err(BodyError::TooLarge(100))));
    }

    #[tokio::test]
    async fn bodies_share_a_budget_and_give_it_back() {
        let budget = Budget::new(4 * PERMIT_BYTES);
        let first = body(3 * PERMIT_BYTES, &budget).read(usize::MAX).await.unwrap();
        assert!(matches!(body(2 * PERMIT_BYTES, &budget).read(usize::MAX).await, Err(BodyError::Overloaded)));
        assert!(body(PERMIT_BYTES, &budget).read(usize::MAX).await.is_ok());
        drop(first);
        assert!(body(4 * PERMIT_BYTES, &budget).read(usize::MAX).await.is_ok());
    }
}
