//! The checks of every call before its body is read: whether its token is known, and whether the token has too many
//! concurrent calls; and the rate limits.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TenantId;
use interlock_http_service::Problem;
use interlock_observability::metrics::MetricName;

use super::Gateway;
use super::access::TokenDigest;
use super::throttle::Counted;

/// When to retry if there are too many calls with a token.
const RETRY: Duration = Duration::from_secs(1);

/// The running calls, by token.
pub(super) struct CallsUnderWay {
    per_token_max: NonZeroU32,
    of: Mutex<HashMap<TokenDigest, u32>>,
}

/// A running call; dropping it ends it.
pub(super) struct CallUnderWay {
    token: TokenDigest,
    all: Arc<CallsUnderWay>,
}

impl CallsUnderWay {
    pub(super) fn new(per_token_max: NonZeroU32) -> Self {
        Self { per_token_max, of: Mutex::default() }
    }

    /// Starts a call, unless there are too many. Only known tokens come here, so that there are few to remember.
    pub(super) fn begin(self: &Arc<Self>, token: TokenDigest) -> Option<CallUnderWay> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = of.entry(token).or_default();
        if *calls >= self.per_token_max.get() {
            return None;
        }
        *calls += 1;
        Some(CallUnderWay { token, all: Arc::clone(self) })
    }
}

impl Drop for CallUnderWay {
    fn drop(&mut self) {
        let mut of = self.all.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = of.get_mut(&self.token) {
            *calls = calls.saturating_sub(1);
        }
    }
}

/// Passes a call on to its handler, if it is admitted.
pub(super) async fn admitted(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let token = match gateway.access.token(request.headers()) {
        Ok(token) => token,
        Err(problem) => return problem.into_response(),
    };
    let Some(_under_way) = gateway.calls.begin(token) else {
        gateway.metrics.count(MetricName::RequestsThrottled, &[]);
        let detail = "The limit of concurrent calls with this token is reached.";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyCalls, detail);
        return problem.retry_after(RETRY).into_response();
    };
    next.run(request).await
}

impl Gateway {
    /// Counts a call for a tenant.
    ///
    /// # Errors
    /// 429 `too_many_events` or `too_many_calls`, if the limit is exceeded now.
    pub(super) fn counted(&self, tenant: &TenantId, counted: Counted, number: usize) -> Result<(), Problem> {
        self.throttle.pass(tenant, counted, number).map_err(|wait| self.throttled(counted, wait))
    }

    /// Whether an event of a tenant could be accepted now.
    ///
    /// # Errors
    /// 429 `too_many_events`.
    pub(super) fn has_room(&self, tenant: &TenantId) -> Result<(), Problem> {
        self.throttle.has_room(tenant).map_err(|wait| self.throttled(Counted::Events, wait))
    }

    fn throttled(&self, counted: Counted, wait: Duration) -> Problem {
        self.metrics.count(MetricName::RequestsThrottled, &[]);
        let (code, detail) = match counted {
            Counted::Events => (ErrorCode::TooManyEvents, "The tenant exceeds its event rate limit."),
            Counted::Reads => (ErrorCode::TooManyCalls, "The tenant exceeds its query rate limit."),
            Counted::Lists => (ErrorCode::TooManyCalls, "The rate limit for lists of orders is exceeded."),
            Counted::Actions => (ErrorCode::TooManyCalls, "The tenant exceeds its action rate limit."),
        };
        Problem::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_after(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_so_many_calls_under_way_and_no_more() {
        let calls = Arc::new(CallsUnderWay::new(NonZeroU32::new(2).unwrap()));
        let (one, other) = ([1; 32], [2; 32]);
        let first = calls.begin(one).unwrap();
        let _second = calls.begin(one).unwrap();
        assert!(calls.begin(one).is_none());
        assert!(calls.begin(other).is_some());
        drop(first);
        assert!(calls.begin(one).is_some());
    }
}
