//! What a gRPC status of the server means for the caller of an entity.

use tonic::{Code, Status};

/// What a status of the server means for a caller that waits for an entity's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMeaning {
    /// The entity does not exist, or its history was deleted.
    NeverSeen,
    /// No worker answered.
    NoWorker,
    /// Temporal is away.
    Away,
    /// Temporal, or the entity, refused.
    Refused,
}

impl StatusMeaning {
    /// What this one means.
    pub fn of(status: &Status) -> Self {
        let message = status.message();
        // What the server says where nobody answers, where nobody has polled the queue for a while, and where more have asked
        // than it keeps waiting for an answer.
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

/// Whether the entity may take an update in a moment: its run is just ending, or it has as many updates under way as it may.
pub(crate) fn takes_updates_soon(status: &Status) -> bool {
    matches!(status.code(), Code::Aborted | Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

/// Whether the entity cannot take a call just now, and can soon.
pub(crate) fn is_busy(status: &Status) -> bool {
    match status.code() {
        // BUSY_WORKFLOW among others; all of them pass.
        Code::ResourceExhausted => true,
        // The limit of signals in one run: the entity is about to begin a new one.
        Code::InvalidArgument => status.message().contains("limit") && status.message().contains("signal"),
        _ => false,
    }
}

/// Whether there is no such entity that runs; a namespace that is not there is another matter.
pub(crate) fn is_gone(status: &Status) -> bool {
    status.code() == Code::NotFound && !status.message().to_ascii_lowercase().contains("namespace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_tried_again() {
        assert!(is_busy(&Status::resource_exhausted("Workflow is busy.")));
        assert!(is_busy(&Status::invalid_argument("exceeded workflow execution limit for signal events")));
        assert!(!is_busy(&Status::invalid_argument("SignalName is too long")));
        assert!(!is_busy(&Status::permission_denied("no")));
    }

    #[test]
    fn only_what_passes_is_asked_again() {
        assert!(takes_updates_soon(&Status::aborted("the update was aborted by closing workflow")));
        assert!(takes_updates_soon(&Status::resource_exhausted("limit on number of concurrent in-flight updates")));
        assert!(!takes_updates_soon(&Status::not_found("workflow execution already completed")));
        assert!(!takes_updates_soon(&Status::invalid_argument("the update id is too long")));
    }

    #[test]
    fn an_entity_that_is_not_there_is_told_from_a_namespace_that_is_not() {
        assert!(is_gone(&Status::not_found("workflow not found for ID: t/customer/c")));
        assert!(is_gone(&Status::not_found("workflow execution already completed")));
        assert!(!is_gone(&Status::not_found("Namespace nowhere is not found.")));
        assert!(!is_gone(&Status::unavailable("away")));
    }
}
