//! What a claim would be answered: the machine takes it on a copy of its state. Nothing is sent, and the state does not change.

use serde::{Deserialize, Serialize};

use super::{Effect, Resource, ResourceView};
use crate::ids::Timestamp;
use crate::message::{ClaimAnswer, Ticket};

/// The argument of the query `foresee_claim`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimToForesee {
    /// The time.
    pub now: Timestamp,
    /// The ticket of the claim.
    pub ticket: Ticket,
}

/// The answer to a claim that is not made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeseenClaim {
    /// The answer.
    pub answer: ClaimAnswer,
    /// Whether a target is first asked who is registered.
    #[serde(default)]
    pub asks_authority: bool,
    /// The resource after it, with the claim in its queue if it waits.
    pub after: ResourceView,
}

impl Resource {
    /// What a claim would be answered if it came now.
    pub fn foresee_claim(&self, now: Timestamp, ticket: Ticket) -> ForeseenClaim {
        let mut copy = self.clone();
        let (answer, effects) = copy.claim(now, Ticket { answer_by: None, ..ticket });
        let asks_authority =
            copy.look_up.is_under_way() || effects.iter().any(|effect| matches!(effect, Effect::LookUp { .. }));
        ForeseenClaim { answer, asks_authority, after: copy.view() }
    }
}
