//! The resource machine: who has a contested thing, who waits for it, and in which order, as a pure function
//! `step(now, input) -> effects`.

#[cfg(test)]
mod contradiction_tests;
#[cfg(test)]
mod force_tests;
#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod look_up_tests;
#[cfg(test)]
mod reassert_tests;
#[cfg(test)]
mod reset_tests;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;

mod asking;
mod force;
mod foresight;
mod granting;
mod holder;
mod import;
mod known;
mod life;
mod look_up;
mod messages;
mod orphan;
mod reset;
mod state;
mod view;

pub use asking::*;
pub use force::*;
pub use foresight::{ClaimToForesee, ForeseenClaim};
pub use holder::*;
pub use import::{Import, ImportAnswer};
pub use life::Life;
pub use state::*;
pub use view::*;

use uuid::Uuid;

use crate::ids::{CustomerRef, ResourceId, Timestamp};
use crate::message::{ClaimAnswer, Delivery, Ticket, ToCustomer, ToResource};
use crate::order::{Authority, ResourcePolicy};
use crate::outcome::HolderAnswer;
use crate::recording::Cause;

/// The inputs of a resource, except claims by update: those are answered by [`Resource::claim`].
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A message from a customer whose effects may depend on workflow time.
    Told(ToResource),
    /// A message from a customer. Its effects depend on the message alone, not on workflow time, so every attempt
    /// of a workflow task comes to the same result.
    Heard {
        /// When it was sent, by the sender's clock: the epoch of a grant that follows is made from it.
        said_at: Timestamp,
        /// The message.
        message: ToResource,
    },
    /// The messages under way ended: one answer each, in order.
    Notified(Vec<Delivery>),
    /// The running look-up ended.
    LookedUp(HolderAnswer),
    /// The running look-up ended without an answer that is known to come from a worker: a person completed or failed it in
    /// Temporal.
    LookUpEndedByHand {
        /// What the person did.
        said: String,
    },
    /// The time asked for by [`Resource::wake_at`] has come.
    Woke,
    /// A lease is seeded, as an earlier build did it; now [`Resource::import`] does it.
    Seeded {
        /// The customer that has the resource.
        holder: CustomerRef,
        /// The name under which the targets know it.
        target_identity: Option<String>,
        /// The policy of its kind.
        policy: ResourcePolicy,
    },
    /// A person forces the release; answered by [`Resource::force_answer`] once it is settled.
    Forced(ForceRelease),
    /// An operator reset the workflow: the state lacks what this entity granted after the point of the reset.
    WasReset,
    /// A new run starts: everything that was running must be started again.
    Resumed,
}

/// What a resource wants the shell to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell these customers, in order: one local activity. Answered by [`Input::Notified`].
    Notify(Vec<(CustomerRef, ToCustomer)>),
    /// Ask the authority who is registered: one normal activity on the target's queue. Answered by
    /// [`Input::LookedUp`] or [`Input::LookUpEndedByHand`].
    LookUp {
        /// The authority to ask.
        authority: Authority,
        /// The resource to ask about.
        resource: ResourceId,
        /// The tenant that asks.
        tenant: crate::ids::TenantId,
        /// What the answer must repeat; none if the authority's workers are not known to repeat it.
        proof: Option<Uuid>,
    },
}

impl Input {
    /// What the input depends on: it decides whether its effects may leave before its workflow task is recorded.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Heard { .. } => Cause::Message,
            Self::Told(_)
            | Self::Notified(_)
            | Self::LookedUp(_)
            | Self::LookUpEndedByHand { .. }
            | Self::Woke
            | Self::Seeded { .. }
            | Self::Forced(_)
            | Self::WasReset
            | Self::Resumed => Cause::Other,
        }
    }
}

impl Resource {
    /// Takes one input and returns what to do. Total: no input panics.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Told(message) => self.told(now, message),
            Input::Heard { said_at, message } => {
                self.said_at = Some(said_at);
                self.told(now, message);
            }
            Input::Notified(deliveries) => self.notified(now, &deliveries),
            Input::LookedUp(answer) => self.looked_up(now, answer.kept()),
            Input::LookUpEndedByHand { said } => self.look_up_ended_by_hand(now, &said),
            Input::Seeded { holder, target_identity, policy } => self.seeded(now, &holder, target_identity, &policy),
            Input::Forced(release) => self.forced(now, release),
            Input::Woke => {}
            Input::WasReset => self.was_reset(now),
            Input::Resumed => {
                self.hears_again = false;
                self.under_way_again(&mut effects);
            }
        }
        self.advance(now, &mut effects);
        self.said_at = None;
        effects
    }

    /// Answers a claim at once. A grant that is answered here is not also sent as a message, unless the answer may be lost: the
    /// claim is a duplicate, or comes too late.
    pub fn claim(&mut self, now: Timestamp, ticket: Ticket) -> (ClaimAnswer, Vec<Effect>) {
        let id = ticket.id.clone();
        let is_heard = !self.knows(&id) && ticket.answer_by.is_none_or(|at| now <= at);
        let waiting = self.take_claim(now, ticket);
        let mut effects = Vec::new();
        self.grant_next(now);
        let answer = waiting.unwrap_or_else(|| self.answer_for(&id));
        if is_heard && matches!(answer, ClaimAnswer::Granted { .. }) {
            self.outbox_forget_grant(&id);
        }
        self.advance(now, &mut effects);
        (answer, effects)
    }

    /// Takes the holder from an import, for the day on which Interlock goes live, and answers at once.
    pub fn import(&mut self, now: Timestamp, import: &Import) -> (ImportAnswer, Vec<Effect>) {
        let answer = self.imported(now, import);
        let mut effects = Vec::new();
        self.advance(now, &mut effects);
        (answer, effects)
    }
}
