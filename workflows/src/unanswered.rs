//! What Temporal says of a call that ended without an outcome, in the words of [`interlock_domain::attempt`].

use interlock_domain::attempt::Unanswered;
use temporalio_common::error::{IncomingError, TimeoutType};
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
