//! Bodies of requests: they are read only once the caller's access is checked, within limits on time and size and a shared budget.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt;
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

/// The part of the budget that a body has. Dropping it gives it back.
#[derive(Debug)]
struct Held {
    budget: Option<Budget>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    fn new(budget: Option<Budget>) -> Self {
        Self { budget, permit: None }
    }

    /// Holds this many bytes.
    fn grow_to(&mut self, bytes: usize) -> Result<(), BodyError> {
        let Some(Budget(budget)) = &self.budget else { return Ok(()) };
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(PERMIT_BYTES).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let more = Arc::clone(budget).try_acquire_many_owned(more).map_err(|_| BodyError::Overloaded)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
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
    _held: Held,
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
        let mut held = Held::new(self.budget);
        let bytes = collected(self.body, bytes_max, &mut held).await?;
        if codings.is_empty() {
            return Ok(ReadBody { bytes, _held: held });
        }
        match content::decoded(bytes.into(), codings, bytes_max) {
            Ok(decoded) => {
                held.grow_to(decoded.len())?;
                Ok(ReadBody { bytes: decoded.into(), _held: held })
            }
            Err(NotDecoded::TooLong { bytes_max }) => Err(BodyError::TooLarge(bytes_max)),
            Err(error) => Err(BodyError::NotDecoded(error)),
        }
    }
}

/// The bytes of a body, at most this many. What has arrived is held, not what was announced: a caller that sends slowly takes no room
/// from others.
async fn collected(mut body: Body, bytes_max: usize, held: &mut Held) -> Result<Bytes, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| of_error(&error))?.into_data() else { continue };
        if data.len() > bytes_max - bytes.len() {
            return Err(BodyError::TooLarge(bytes_max));
        }
        held.grow_to(bytes.len() + data.len())?;
        // Most bodies arrive in one piece.
        if bytes.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        // Copied, since a small piece would keep the whole buffer that it was read into.
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// What an error means, by its cause.
fn of_error(error: &(dyn std::error::Error + 'static)) -> BodyError {
    let mut cause = Some(error);
    while let Some(of) = cause {
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
    async fn a_body_holds_what_has_arrived_and_not_what_was_announced() {
        let budget = Budget::new(4 * PERMIT_BYTES);
        let slow = futures_util::stream::iter([Ok::<_, std::io::Error>("x".repeat(PERMIT_BYTES))]);
        let slow = futures_util::StreamExt::chain(slow, futures_util::stream::pending());
        let slow = UnreadBody { body: Body::from_stream(slow), budget: Some(budget.clone()) };
        let reading = tokio::spawn(slow.read(1 << 20));
        while budget.0.available_permits() == 4 {
            tokio::task::yield_now().await;
        }
        assert!(body(3 * PERMIT_BYTES, &budget).read(usize::MAX).await.is_ok());
        assert!(matches!(body(4 * PERMIT_BYTES, &budget).read(usize::MAX).await, Err(BodyError::Overloaded)));
        reading.abort();
        drop(reading.await);
        assert!(body(4 * PERMIT_BYTES, &budget).read(usize::MAX).await.is_ok());
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
