//! What Temporal says of a call that ended without an outcome, in the words of [`interlock_domain::attempt`].

use interlock_domain::attempt::Unanswered;
use temporalio_common::error::{IncomingError, TimeoutType};
use temporalio_common::protos::temporal::api::enums::v1::RetryState;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_workflow::ActivityExecutionError;

/// How the attempts of a call ended, from the cause of its failure.
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

/// The same for a call of an entity.
pub(crate) fn of_call(failure: &ActivityExecutionError) -> Unanswered<'_> {
    unanswered(failure.cause())
}

/// What a person did who ended a call in Temporal, where somebody did: a worker of Interlock answers an outcome, or fails so
/// that another attempt is made.
pub(crate) fn by_hand(failure: &ActivityExecutionError) -> Option<&'static str> {
    match failure {
        ActivityExecutionError::Serialization(_) => Some("completed with an invalid outcome"),
        ActivityExecutionError::Failed(_) => is_final(failure).then_some("failed"),
        _ => None,
    }
}

/// Whether it was failed so that no other attempt is made, as no worker of Interlock does. Where only the time for another one is
/// over, the last failure is a worker's.
fn is_final(failure: &ActivityExecutionError) -> bool {
    let info = failure.failure().and_then(|failure| failure.failure_info.as_ref());
    let retry_state = match info {
        Some(FailureInfo::ActivityFailureInfo(info)) => info.retry_state(),
        _ => RetryState::Unspecified,
    };
    retry_state == RetryState::NonRetryableFailure && !matches!(failure.cause(), Some(IncomingError::Timeout(_)))
}
