//! Temporal's report about a call that ended without an outcome, in the terms of [`interlock_domain::attempt`].

use interlock_domain::attempt::Unanswered;
use temporalio_common::error::{IncomingError, TimeoutType};
use temporalio_common::protos::temporal::api::enums::v1::RetryState;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_workflow::ActivityExecutionError;

/// How the attempts of a call ended, derived from the cause of its failure.
pub fn unanswered(cause: Option<&IncomingError>) -> Unanswered<'_> {
    match cause {
        Some(IncomingError::Application(failure)) => Unanswered::Failed(failure.type_name().unwrap_or_default()),
        Some(IncomingError::Timeout(timeout)) if timeout.timeout_type() == TimeoutType::ScheduleToClose => {
            match timeout.cause() {
                None => Unanswered::NeverAttempted,
                cause => unanswered(cause),
            }
        }
        _ => Unanswered::Vanished,
    }
}

/// The same for a call by an entity.
pub(crate) fn of_call(failure: &ActivityExecutionError) -> Unanswered<'_> {
    unanswered(failure.cause())
}

/// What an operator did to end a call in Temporal, if that is what happened: Interlock's workers always return an outcome, or fail in
/// such a way that another attempt is made.
pub(crate) fn by_hand(failure: &ActivityExecutionError) -> Option<&'static str> {
    match failure {
        ActivityExecutionError::Serialization(_) => Some("completed with an invalid outcome"),
        ActivityExecutionError::Failed(_) => is_final(failure).then_some("failed"),
        _ => None,
    }
}

/// Whether it failed in such a way that no other attempt is made, which Interlock's workers never do. If only the time for another
/// attempt is over, the last failure is a worker's.
fn is_final(failure: &ActivityExecutionError) -> bool {
    let info = failure.failure().and_then(|failure| failure.failure_info.as_ref());
    let retry_state = match info {
        Some(FailureInfo::ActivityFailureInfo(info)) => info.retry_state(),
        _ => RetryState::Unspecified,
    };
    retry_state == RetryState::NonRetryableFailure && !matches!(failure.cause(), Some(IncomingError::Timeout(_)))
}
