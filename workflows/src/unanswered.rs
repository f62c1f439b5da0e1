//! Temporal's report about a call that ended without an outcome, in the terms of [`interlock_domain::attempt`].

use interlock_domain::attempt::{Unanswered, of_unanswered};
use interlock_domain::outcome::Outcome;
use temporalio_common::data_converters::PayloadConversionError;
use temporalio_common::error::{IncomingError, TimeoutType};
use temporalio_common::protos::temporal::api::enums::v1::RetryState;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_workflow::ActivityExecutionError;

/// What an operator did who completed a call in Temporal with something that is not an outcome.
pub const COMPLETED_BY_HAND: &str = "completed with an invalid outcome";
/// What an operator did who failed a call in Temporal.
pub const FAILED_BY_HAND: &str = "failed";

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

/// The outcome of a call by an entity that ended without one.
pub(crate) fn of_call(failure: &ActivityExecutionError, expires: bool) -> Outcome {
    match failure {
        ActivityExecutionError::Serialization(fault) => of_unanswered(Unanswered::Unreadable(&why(fault)), expires),
        ActivityExecutionError::Cancelled(_) if failure.cause().is_none() => {
            of_unanswered(Unanswered::Cancelled, expires)
        }
        _ => of_unanswered(unanswered(failure.cause()), expires),
    }
}

/// Why the result of a call is not an outcome.
fn why(fault: &PayloadConversionError) -> String {
    match fault {
        PayloadConversionError::WrongEncoding => "it is not JSON in the encoding 'json/plain'".to_owned(),
        PayloadConversionError::EncodingError(fault) => fault.to_string(),
        other => other.to_string(),
    }
}

/// What an operator did to end a call in Temporal, if that is what happened: Interlock's workers always return an outcome, or fail in
/// such a way that another attempt is made.
pub(crate) fn by_hand(failure: &ActivityExecutionError) -> Option<&'static str> {
    match failure {
        ActivityExecutionError::Serialization(_) => Some(COMPLETED_BY_HAND),
        ActivityExecutionError::Failed(_) => is_final(failure).then_some(FAILED_BY_HAND),
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

#[cfg(test)]
mod tests {
    use interlock_domain::outcome::ProvenOutcome;

    use super::*;

    #[test]
    fn a_result_that_is_not_an_outcome_is_told_with_what_is_wrong_with_it() {
        let said = |fault| {
            let outcome = of_call(&ActivityExecutionError::Serialization(fault), false);
            assert_eq!(outcome.class(), "ambiguous", "its request may have had its effect");
            outcome.detail().unwrap().to_owned()
        };
        assert!(said(PayloadConversionError::WrongEncoding).contains("'json/plain'"));
        for (result, part) in [
            ("{}", "missing field `class`"),
            ("{\"class\":\"doen\"}", "unknown variant `doen`"),
            ("{\"class\":\"permanent\"}", "missing field `code`"),
            ("null", "null"),
            ("7", "7"),
        ] {
            let fault = serde_json::from_str::<ProvenOutcome>(result).unwrap_err();
            let sentence = said(PayloadConversionError::EncodingError(Box::new(fault)));
            assert!(sentence.contains(part), "{result}: {sentence}");
        }
    }
}
