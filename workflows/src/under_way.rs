//! The calls under way in one run: any number, polled in the order in which they began.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Futures of one run, side by side. No waker but the workflow's own is involved, so that replay sees what the first
/// run saw (the usual collections of futures bring wakers of their own, which the SDK takes for nondeterminism).
pub(crate) struct UnderWay<T> {
    calls: Vec<Pin<Box<dyn Future<Output = T>>>>,
}

impl<T> UnderWay<T> {
    pub(crate) fn new() -> Self {
        Self { calls: Vec::new() }
    }

    /// Adds a call. It begins when this set is polled next.
    pub(crate) fn begin(&mut self, call: impl Future<Output = T> + 'static) {
        self.calls.push(Box::pin(call));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The first call, in the order in which they began, that ended.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<T> {
        for index in 0..self.calls.len() {
            if let Poll::Ready(ended) = self.calls[index].as_mut().poll(context) {
                drop(self.calls.remove(index));
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    }

    /// Waits for the next call to end; none where no call is under way.
    pub(crate) async fn next(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        Some(std::future::poll_fn(|context| self.poll_next(context)).await)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn calls_end_in_the_order_in_which_they_began() {
        let mut under_way = UnderWay::new();
        under_way.begin(std::future::pending());
        under_way.begin(std::future::ready(1));
        under_way.begin(std::future::ready(2));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(under_way.poll_next(&mut context), Poll::Ready(1));
        assert_eq!(under_way.poll_next(&mut context), Poll::Ready(2));
        assert_eq!(under_way.poll_next(&mut context), Poll::Pending);
        assert!(!under_way.is_empty());
    }
}
