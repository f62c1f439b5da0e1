//! The meaning of a gRPC status of the server for a call to an entity.

use std::error::Error as _;

use tonic::{Code, Status};

/// The meaning of a server status for a caller that waits for an entity's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMeaning {
    /// The entity does not exist, or its history was deleted.
    NeverSeen,
    /// No worker answered.
    NoWorker,
    /// Temporal is unavailable.
    Away,
    /// Temporal or the entity rejected the call.
    Refused,
}

impl StatusMeaning {
    /// The meaning of this status.
    pub fn of(status: &Status) -> Self {
        let message = status.message();
        // The server's answers if no worker answers, if no worker has polled the queue for a while, and if more callers wait than the
        // server allows.
        let is_unanswered = match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => true,
            Code::FailedPrecondition => message.contains("no poller"),
            Code::ResourceExhausted => message.contains("query buffer"),
            _ => false,
        };
        match status.code() {
            _ if is_unanswered => Self::NoWorker,
            Code::NotFound if !message.contains("amespace") => Self::NeverSeen,
            Code::Unavailable => Self::Away,
            _ => Self::Refused,
        }
    }
}

/// Whether the entity may accept an update in a moment: its run is about to end, or it has its maximum of updates in flight.
pub(crate) fn takes_updates_soon(status: &Status) -> bool {
    matches!(status.code(), Code::Aborted | Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

/// Whether the entity cannot accept a call now, but soon can.
pub(crate) fn is_busy(status: &Status) -> bool {
    match status.code() {
        // BUSY_WORKFLOW among others. All of them are temporary.
        Code::ResourceExhausted => true,
        // The limit of signals in one run. The entity is about to start a new run.
        Code::InvalidArgument => status.message().contains("limit") && status.message().contains("signal"),
        _ => false,
    }
}

/// Whether the call was certainly not sent: there was no connection to the server.
pub(crate) fn was_never_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(cause) = source {
        if cause.is::<tonic::ConnectError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// Whether a call that must know if it was sent cannot be repeated by the SDK, which would forget it.
pub(crate) fn is_busy_or_maybe_sent(status: &Status) -> bool {
    is_busy(status) || !was_never_sent(status)
}

/// Whether the entity does not run. A missing namespace is a different error.
pub(crate) fn is_gone(status: &Status) -> bool {
    status.code() == Code::NotFound && !status.message().to_ascii_lowercase().contains("namespace")
}

/// Whether the visibility store rejects a query since one of Interlock's search attributes is not registered.
pub(crate) fn is_of_unknown_attribute(status: &Status) -> bool {
    status.code() == Code::InvalidArgument && status.message().contains("Interlock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_failures_are_retried() {
        assert!(is_busy(&Status::resource_exhausted("Workflow is busy.")));
        assert!(is_busy(&Status::invalid_argument("exceeded workflow execution limit for signal events")));
        assert!(!is_busy(&Status::invalid_argument("SignalName is too long")));
        assert!(!is_busy(&Status::permission_denied("no")));
    }

    #[test]
    fn only_temporary_failures_of_queries_are_retried() {
        assert!(takes_updates_soon(&Status::aborted("the update was aborted by closing workflow")));
        assert!(takes_updates_soon(&Status::resource_exhausted("limit on number of concurrent in-flight updates")));
        assert!(!takes_updates_soon(&Status::not_found("workflow execution already completed")));
        assert!(!takes_updates_soon(&Status::invalid_argument("the update id is too long")));
    }

    #[test]
    fn a_missing_entity_is_distinguished_from_a_missing_namespace() {
        assert!(is_gone(&Status::not_found("workflow not found for ID: t/customer/c")));
        assert!(is_gone(&Status::not_found("workflow execution already completed")));
        assert!(!is_gone(&Status::not_found("Namespace nowhere is not found.")));
        assert!(!is_gone(&Status::unavailable("away")));
    }
}
