//! The parts of an order as they are shown, kept in the journal, and told to subscribers: its steps and claims.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, ResourceId, TargetId};
use crate::order::ClaimMode;
use crate::wire::{WireName, wire_words};

wire_words! {
    /// How a step stands.
    StepStateName {
        /// It has not started.
        Open = "open",
        /// Its call is running.
        Running = "running",
        /// It waits for a person.
        Held = "held",
        /// It had its effect.
        Done = "done",
        /// It was skipped.
        Skipped = "skipped",
        /// It was cancelled with its order.
        Cancelled = "cancelled",
    }
}

wire_words! {
    /// How a claim stands.
    ClaimStateName {
        /// It waits for the lease.
        Waiting = "waiting",
        /// The customer holds the lease.
        Held = "held",
        /// The order is done with it.
        Settled = "settled",
        /// A release of what the customer did not hold.
        NotHolder = "not_holder",
        /// A younger order of the customer had settled the claim.
        Superseded = "superseded",
    }
}

/// A step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepView {
    /// The step's name within the order.
    pub name: String,
    /// The target.
    pub target: TargetId,
    /// The adapter operation.
    pub operation: String,
    /// How it stands.
    #[cfg_attr(feature = "openapi", schema(value_type = StepStateName))]
    pub state: WireName<StepStateName>,
    /// How often its request was sent to the target, as far as is known.
    pub attempts: u32,
    /// The class of its last outcome, or the code with which it was skipped.
    pub outcome: Option<String>,
    /// The identity that a release uses, if it was not always the one in its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<StepIdentity>,
}

/// A claim of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimView {
    /// The resource.
    pub resource: ResourceId,
    /// What is wanted of it.
    #[cfg_attr(feature = "openapi", schema(value_type = ClaimMode))]
    pub mode: WireName<ClaimMode>,
    /// How it stands.
    #[cfg_attr(feature = "openapi", schema(value_type = ClaimStateName))]
    pub state: WireName<ClaimStateName>,
    /// The epoch of the lease, while it is held.
    pub epoch: Option<Epoch>,
}

/// The identity that a release uses: the name under which the target is asked to remove the resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepIdentity {
    /// The identity that the event named.
    pub named: String,
    /// The identity under which it is sent, or was sent last.
    pub sent: String,
    /// The earlier identities under which the target did not have the resource, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}
