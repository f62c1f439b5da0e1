//! Whether Interlock's search attributes can be used in a namespace. The server rejects a start that sets unknown ones, and an entity
//! that sets them is stuck. Without them, waiting orders cannot be found.
//!
//! The check is a query to the visibility store, which every starter of workflows may send (the operator service, which lists
//! attributes, is not available on Temporal Cloud). Once registered, attributes stay registered. If they are not, the check is repeated
//! when they are next needed, at most every 15 s.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use temporalio_client::Client;

use crate::call_status::is_of_unknown_attribute;
use crate::server_error::{ServerError, within};
use crate::visibility::count_runs;

/// The pause before the check is repeated if attributes were not registered.
const MISSING_FOR: Duration = Duration::from_secs(15);
/// The pause before the check is repeated if there was no answer.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// The time limit of an answer, since events wait for it.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// A query that names all three attributes and matches nothing.
const QUESTION: &str = "InterlockTenant = 'nobody' AND InterlockEntityKind = 'nobody' AND InterlockState = 'nobody'";

/// What is known about the search attributes of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// They can be used.
    Registered,
    /// The server does not know them.
    Missing,
    /// The server did not answer.
    #[default]
    Unknown,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    registration: Registration,
    /// The time of the last check.
    at: Option<Instant>,
}

impl Seen {
    fn is_to_be_asked(self, now: Instant) -> bool {
        let holds = match self.registration {
            Registration::Registered => return false,
            Registration::Missing => MISSING_FOR,
            Registration::Unknown => UNKNOWN_FOR,
        };
        self.at.is_none_or(|at| now.saturating_duration_since(at) >= holds)
    }

    /// The knowledge after this answer. If there was none, the earlier knowledge.
    fn after(self, answer: Registration, now: Instant) -> Self {
        let registration = if answer == Registration::Unknown { self.registration } else { answer };
        Self { registration, at: Some(now) }
    }
}

/// Knows in which namespaces the search attributes are registered.
#[derive(Clone)]
pub struct SearchAttributeGate {
    client: Client,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
}

impl SearchAttributeGate {
    /// Checks through this connection.
    pub fn new(client: Client) -> Self {
        Self { client, seen: Arc::default() }
    }

    /// The knowledge about a namespace. It checks if the attributes are not known to be registered and the last check is old enough.
    pub async fn of(&self, namespace: &str) -> Registration {
        {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = all.entry(namespace.to_owned()).or_default();
            let now = Instant::now();
            if !seen.is_to_be_asked(now) {
                return seen.registration;
            }
            // Concurrent callers use the present knowledge and do not wait.
            seen.at = Some(now);
        }
        let answer = self.ask(namespace).await;
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(namespace.to_owned()).or_default();
        *seen = seen.after(answer, Instant::now());
        seen.registration
    }

    async fn ask(&self, namespace: &str) -> Registration {
        let answer = within(ANSWER_LIMIT, count_runs(&self.client, namespace, QUESTION)).await.map(|_| ());
        let registration = judged(&answer);
        match (registration, answer) {
            (Registration::Missing, _) => {
                tracing::warn!(namespace, "Interlock's search attributes are not registered; entities do not set them");
            }
            (Registration::Unknown, Err(error)) => {
                tracing::warn!(namespace, status = %error, "cannot tell whether the search attributes are registered");
            }
            _ => {}
        }
        registration
    }
}

/// The server rejects a query with unregistered names as such. All other failures give no information.
fn judged(answer: &Result<(), ServerError>) -> Registration {
    match answer {
        Ok(()) => Registration::Registered,
        Err(error) if error.status().is_some_and(is_of_unknown_attribute) => Registration::Missing,
        Err(_) => Registration::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn only_a_rejected_name_means_that_attributes_are_missing() {
        let refused = Status::invalid_argument("invalid query: invalid search attribute: InterlockTenant");
        assert_eq!(judged(&Err(refused.into())), Registration::Missing);
        assert_eq!(judged(&Ok(())), Registration::Registered);
        assert_eq!(judged(&Err(ServerError::NoAnswer)), Registration::Unknown);
        for status in [
            Status::resource_exhausted("namespace rate limit exceeded"),
            Status::unavailable("away"),
            Status::invalid_argument("namespace is not set"),
            Status::unimplemented("no"),
        ] {
            assert_eq!(judged(&Err(status.into())), Registration::Unknown);
        }
    }

    #[test]
    fn unregistered_attributes_are_checked_again_but_not_more_often_than_the_limit() {
        let now = Instant::now();
        let seen = Seen::default();
        assert!(seen.is_to_be_asked(now));
        for (answer, holds) in [(Registration::Missing, MISSING_FOR), (Registration::Unknown, UNKNOWN_FOR)] {
            let seen = seen.after(answer, now);
            assert!(!seen.is_to_be_asked(now + holds.saturating_sub(Duration::from_millis(1))), "{answer:?}");
            assert!(seen.is_to_be_asked(now + holds), "{answer:?}");
        }
        let registered = seen.after(Registration::Registered, now);
        assert!(!registered.is_to_be_asked(now + MISSING_FOR * 1_000));
        let missing = seen.after(Registration::Missing, now).after(Registration::Unknown, now + MISSING_FOR);
        assert_eq!(missing.registration, Registration::Missing, "a missing answer must not count as an answer");
    }
}
