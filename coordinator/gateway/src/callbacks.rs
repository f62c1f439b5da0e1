//! The call backs of targets that work on jobs. The token in the URL is all the authentication that they need.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use interlock_domain::callback::CallbackRefused;
use interlock_domain::error_code::ErrorCode;
use interlock_http_service::Problem;
use interlock_observability::metrics::MetricName;
use interlock_operations::callbacks::CallbackError;
use tokio::sync::Semaphore;

use super::Gateway;
use super::problems::{IntoProblem, problem};
use super::request::PathParts;

/// How many call backs wait at a time, each a few seconds at most.
const AT_A_TIME: usize = 200;
/// When to report again.
const RETRY: Duration = Duration::from_secs(5);

/// The places for call backs.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_A_TIME))
}

impl IntoProblem for CallbackError {
    fn into_problem(self) -> Problem {
        let status = match self {
            Self::Refused(CallbackRefused::Unknown) => StatusCode::NOT_FOUND,
            Self::Refused(CallbackRefused::UnderWay) | Self::NotLooked(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        if let Self::NotLooked(error) = &self {
            tracing::warn!(%error, "a report of a target was not taken");
        }
        Problem::new(status, self.code(), format!("The report was not taken: {self}."))
    }
}

/// A target reports that a job that it accepted may be over. The body is not read: the target is asked about the job. Repeating a
/// report changes nothing.
#[utoipa::path(
    post,
    path = "/v1/callbacks/{token}",
    operation_id = "reportJob",
    params(("token" = String, Path, description = "As in the URL that the target got with the call")),
    responses(
        (status = 204, description = "Taken; the target is asked about the job, unless the call is over"),
        (status = 404, description = "callback_unknown: the URL was not issued here", body = Problem),
        (status = 429, description = "Too many reports at a time; see Retry-After", body = Problem),
        (status = 503, description = "call_under_way, or Temporal is unavailable; see Retry-After, the same report again is \
                                      safe", body = Problem)
    )
)]
pub(super) async fn take(State(gateway): State<Gateway>, PathParts(token): PathParts<String>) -> Response {
    let Ok(_place) = gateway.callback_places.try_acquire() else {
        gateway.metrics.count(MetricName::RequestsThrottled, &[]);
        let detail = "Too many reports are waiting.";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyCalls, detail);
        return problem.retry_after(RETRY).into_response();
    };
    match gateway.callbacks.take(&token).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let problem = problem(error);
            let is_passing = problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16();
            if is_passing { problem.retry_after(RETRY) } else { problem }.into_response()
        }
    }
}
