//! What a gRPC status of the server means for whoever called an entity.

use tonic::{Code, Status};

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
    fn an_entity_that_is_not_there_is_told_from_a_namespace_that_is_not() {
        assert!(is_gone(&Status::not_found("workflow not found for ID: t/customer/c")));
        assert!(is_gone(&Status::not_found("workflow execution already completed")));
        assert!(!is_gone(&Status::not_found("Namespace nowhere is not found.")));
        assert!(!is_gone(&Status::unavailable("away")));
    }
}
