//! How a customer's handlers read the bytes of the signals that they receive. No bytes cause a panic, and none vanish: a message that
//! cannot be read ends as one rejected event.

use interlock_domain::customer::Input;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event::Event;
use interlock_domain::ids::{Epoch, ResourceId};
use interlock_domain::message::{Envelope, ToCustomer};
use interlock_domain::order::Rejection;
use interlock_domain::routing::QueueAssignment;
use serde::Deserialize;

use crate::names;

/// The argument of the signal that makes a customer repeat what it has and wants.
#[derive(Deserialize)]
struct AskedToReassert {
    /// The resource. All resources if it is missing.
    #[serde(default)]
    resource: Option<ResourceId>,
    /// Whether the two have disagreed for longer than messages take.
    #[serde(default)]
    lasting: bool,
    /// If so: the epoch by which the resource says that it is held.
    #[serde(default)]
    above: Epoch,
}

/// The signal `submit`: one CloudEvent in structured JSON, of at most `bytes_max` bytes.
pub fn submit(event: &[u8], bytes_max: usize) -> Input {
    Input::Submitted(Event::from_slice(event, bytes_max))
}

/// The signal `from_resource`: an envelope with a resource's message, and the queue that it says the customer must move to.
pub fn from_resource(envelope: &[u8]) -> (Input, Option<QueueAssignment>) {
    match serde_json::from_slice::<Envelope<ToCustomer>>(envelope) {
        Ok(envelope) => (Input::Told(envelope.message), envelope.queue_assignment),
        Err(fault) => (unreadable(names::FROM_RESOURCE, &fault), None),
    }
}

/// The signal `reassert`: what the customer must repeat, and why.
pub fn reassert(argument: &[u8]) -> Input {
    match serde_json::from_slice(argument) {
        Ok(AskedToReassert { resource: Some(resource), lasting: true, above }) => {
            Input::SettleDifference { resource, above }
        }
        Ok(AskedToReassert { resource, .. }) => Input::Reassert { resource },
        Err(fault) => unreadable(names::REASSERT, &fault),
    }
}

/// The signal `tell_again`: whom to tell again, and from when on.
pub fn tell_again(argument: &[u8]) -> Input {
    serde_json::from_slice(argument).map_or_else(|fault| unreadable(names::TELL_AGAIN, &fault), Input::TellAgain)
}

/// A signal that cannot be read.
pub(crate) fn unreadable(signal: &str, fault: &serde_json::Error) -> Input {
    let detail = format!("Invalid signal '{signal}': {fault}.");
    Input::Submitted(Err(Rejection::new(ErrorCode::UndecodableMessage, detail)))
}

#[cfg(test)]
mod tests {
    use interlock_domain::kept_text::KEPT_TEXT_BYTES_MAX;

    use super::*;

    fn rejection(input: Input) -> Rejection {
        match input {
            Input::Submitted(Err(rejection)) => rejection,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_is_a_rejection_that_can_be_kept_however_long_it_is() {
        let long = "k".repeat(1_000_000);
        let notice =
            format!(r#"{{"v":1,"message":{{"resource":"msisdn/1","incarnation":1,"notice":{{"kind":"{long}"}}}}}}"#);
        let (unknown_kind, queue_assignment) = from_resource(notice.as_bytes());
        assert_eq!(queue_assignment, None);
        let no_resource = reassert(format!(r#"{{"resource":"{long}"}}"#).as_bytes());
        for input in [unknown_kind, no_resource, submit(b"{", 10), submit(long.as_bytes(), 10), reassert(b"\xff")] {
            let rejection = rejection(input);
            assert!(rejection.code.known().is_some());
            assert!((1..=KEPT_TEXT_BYTES_MAX).contains(&rejection.detail.len()), "{} bytes", rejection.detail.len());
        }
    }
}
