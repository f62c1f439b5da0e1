//! What customer and resource entities tell each other, and what the customer asks its activities to do.
//!
//! All of it is idempotent: tickets have ids, leases have epochs, and by these a message that comes twice, late or out of order
//! is recognised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::ids::{
    CustomerId, CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TargetId, TenantId, TicketId, Timestamp,
};
use crate::order::{ClaimMode, OrderKey, OrderPriority, ResourcePolicy};
use crate::retry::RetryPolicy;
use crate::routing::QueueAssignment;
use crate::trace_parent::{self, TraceParent};

/// The version of the envelope around messages between entities.
pub const ENVELOPE_VERSION: u32 = 1;

/// The versioned envelope of a message between entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// [`ENVELOPE_VERSION`] of the sender.
    pub v: u32,
    /// When it was sent, by the sender's clock: for metrics only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// The message.
    pub message: M,
    /// The queue that the receiver must move to; only set while the count of queue shards changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "home")]
    pub queue_assignment: Option<QueueAssignment>,
}

impl<M> Envelope<M> {
    /// Puts a message into an envelope of this version.
    pub fn new(message: M) -> Self {
        Self { v: ENVELOPE_VERSION, sent_at: None, message, queue_assignment: None }
    }

    /// The same, with the queue that the receiver must move to.
    #[must_use]
    pub fn with_queue_assignment(self, queue_assignment: Option<QueueAssignment>) -> Self {
        Self { queue_assignment, ..self }
    }

    /// The same, with the time of sending.
    #[must_use]
    pub fn sent_at(self, now: Timestamp) -> Self {
        Self { sent_at: Some(now), ..self }
    }
}

/// A claim as it is in a resource's queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Derived from order and resource.
    pub id: TicketId,
    /// The order whose claim it is.
    pub order: OrderId,
    /// Its position in the queue.
    pub key: OrderKey,
    /// What is wanted.
    pub mode: ClaimMode,
    /// Who wants it.
    pub claimant: CustomerRef,
    /// The claimant's incarnation.
    pub incarnation: Incarnation,
    /// The name under which the targets know the claimant; a look-up's answer is compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// Whether its order releases something only once this is granted: such waits can form a ring.
    #[serde(default)]
    pub swap: bool,
    /// Until when the sender of a claim by update waits for the answer; none if it waits without limit. A grant that is
    /// answered later is also sent as a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<Timestamp>,
    /// What the resource entity must know of its kind.
    #[serde(default)]
    pub policy: ResourcePolicy,
}

/// What a resource answers to a claim at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// The lease is the claimant's.
    Granted {
        /// Its fencing token.
        epoch: Epoch,
        /// Whether the target is known to have it registered to the claimant already.
        #[serde(default)]
        registered: bool,
        /// Who already asks for it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recall: Option<Asker>,
    },
    /// The ticket waits; a grant will be sent as a message.
    Queued,
    /// To a release: another customer is proven to hold the resource.
    NotHolder,
    /// The ticket has ended before: the claim is a duplicate.
    Finished,
    /// The queue is at its limit.
    QueueFull {
        /// The limit that is reached.
        tickets_max: usize,
    },
    /// No answer came in time; the claim was also sent as a message, and a grant will come as one.
    NotAnswered,
}

/// Who asks for a lease back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asker {
    /// The key of the asking ticket.
    pub key: OrderKey,
    /// What the asker wants.
    pub mode: ClaimMode,
}

/// Why a lease is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveBack {
    /// The release was confirmed by the target (or by a person).
    Released,
    /// Nothing had started; an older ticket goes first.
    Yielded,
    /// The order that wanted it ended, or had it only as a lock.
    Unused,
    /// The target has another customer registered.
    Contested,
    /// A person forced it.
    Forced,
}

/// The evidence for a change of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseProof {
    /// The order that caused it.
    pub order: OrderId,
    /// The step that proves it; none if no call was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepProof>,
    /// When that was recorded.
    pub at: Timestamp,
    /// The person who decided it instead of the target, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// That person's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The call that proves a change of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepProof {
    /// The target.
    pub target: TargetId,
    /// Its operation.
    pub operation: String,
    /// The class of its outcome, or the code with which the step was skipped.
    pub outcome: String,
    /// Who has the resource according to the target, if the outcome is `in_use`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The key under which it was sent.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub idempotency_key: Uuid,
}

/// One hop of a probe for rings of orders that wait for each other's releases.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// The waiting order's key.
    pub key: OrderKey,
}

/// A probe: it travels along waits of the kind "I release when mine is granted", and has found a ring if it comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probe {
    /// The orders passed, in order.
    pub path: Vec<Hop>,
    /// Once a ring is complete: the key of its oldest order, whose release goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<OrderKey>,
}

/// The longest probe path, in hops; a longer ring is left to the sweep and to a person.
pub const PROBE_HOPS_MAX: usize = 16;

/// A lease as its holder reports it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldLease {
    /// Its fencing token.
    pub epoch: Epoch,
    /// The ticket it was granted for.
    pub ticket: TicketId,
    /// The key of that ticket's order.
    pub key: OrderKey,
    /// Since when.
    pub since: Timestamp,
    /// The name under which the targets know the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// Only set after a reset of the holder's workflow: whether an order that names the resource is open, or was given up since.
    /// Its calls may have taken effect on one target and not on another, so that no single target can tell whether the customer still has
    /// the resource somewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
}

/// A message from a customer entity to a resource entity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToResource {
    /// Puts a ticket into the queue.
    Claim {
        /// The ticket.
        ticket: Ticket,
    },
    /// Gives the lease back.
    GiveBack {
        /// The holder.
        from: CustomerRef,
        /// The epoch of the lease.
        epoch: Epoch,
        /// Why it comes back.
        how: GiveBack,
        /// The tickets by which this customer still wants the resource: they stay in the queue, or join it.
        tickets: Vec<Ticket>,
        /// Tickets that end with this.
        finished: Vec<TicketId>,
        /// The evidence for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<LeaseProof>,
        /// The name under which the target has the resource, if a release found it registered to another customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        registered_to: Option<String>,
    },
    /// Removes tickets from the queue for good.
    Withdraw {
        /// Whose they are.
        from: CustomerRef,
        /// The tickets.
        tickets: Vec<TicketId>,
    },
    /// Answers a grant or recall that is not (or no longer) for this customer.
    Decline {
        /// Who answers.
        from: CustomerRef,
        /// The ticket that was granted, if there is one.
        ticket: Option<TicketId>,
        /// The epoch that was granted.
        epoch: Epoch,
        /// Set if the message was for an earlier life of this customer: the lease is an orphan.
        lost: Option<Incarnation>,
    },
    /// Answers a recall: the target accepted this holder's assign.
    Used {
        /// The holder.
        from: CustomerRef,
        /// The epoch of the lease.
        epoch: Epoch,
        /// The name under which the targets know the holder from now on, if it changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "party")]
        target_identity: Option<String>,
    },
    /// Passes a probe on to the holder of what this ticket waits for.
    Probe {
        /// The waiting ticket.
        ticket: TicketId,
        /// Whose it is.
        from: CustomerRef,
        /// The probe.
        probe: Probe,
    },
    /// Repeats what this customer has and wants of the resource, whose entity may have forgotten it.
    Reassert {
        /// The customer.
        from: CustomerRef,
        /// Its incarnation.
        incarnation: Incarnation,
        /// The lease that it holds, if it holds one.
        lease: Option<HeldLease>,
        /// If it holds none: it accepts only grants above this epoch.
        above: Epoch,
        /// The tickets by which it wants the resource.
        tickets: Vec<Ticket>,
        /// Whether the two contradicted each other for longer than messages take. Only then does the resource
        /// believe a customer that contradicts it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lasting: bool,
        /// Whether the customer's workflow was reset to an earlier state: its earlier lives may have used what they were granted,
        /// and `lease` is what it had at the point of the reset.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        after_reset: bool,
    },
    /// Refuses a forced release.
    ForceRefused {
        /// The holder.
        from: CustomerRef,
        /// The epoch of the lease.
        epoch: Epoch,
        /// The open orders that name the resource.
        orders: Vec<OrderId>,
        /// When it used the lease, if that was after the target was asked who is registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used_at: Option<Timestamp>,
    },
}

impl ToResource {
    /// Whether its epochs can be true. A higher one would end the growth of the resource's own.
    pub fn is_believable(&self) -> bool {
        match self {
            Self::GiveBack { epoch, .. }
            | Self::Decline { epoch, .. }
            | Self::Used { epoch, .. }
            | Self::ForceRefused { epoch, .. } => epoch.is_believable(),
            Self::Reassert { lease, above, .. } => {
                above.is_believable() && lease.as_ref().is_none_or(|lease| lease.epoch.is_believable())
            }
            Self::Claim { .. } | Self::Withdraw { .. } | Self::Probe { .. } => true,
        }
    }
}

/// A message from a resource entity to a customer entity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ToCustomer {
    /// The resource that sends it.
    pub resource: ResourceId,
    /// The incarnation of the customer that it is for.
    pub incarnation: Incarnation,
    /// The content.
    pub notice: Notice,
}

/// What a resource entity tells a customer entity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// The lease is yours.
    LeaseGranted {
        /// The ticket it is for.
        ticket: TicketId,
        /// Its fencing token.
        epoch: Epoch,
        /// Whether the target is known to have it registered to this customer already.
        #[serde(default)]
        registered: bool,
        /// Who already asks for it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recall: Option<Asker>,
    },
    /// The lease that you reported is yours, as far as the resource knows. If you have given it back since, say so.
    LeaseKnown {
        /// Its fencing token.
        epoch: Epoch,
    },
    /// The lease that you reported is no longer yours.
    LeaseGone {
        /// Its fencing token, or a higher one.
        epoch: Epoch,
    },
    /// The resource's workflow was reset: repeat what you have and want of it.
    #[serde(rename = "say_again")]
    Reassert {
        /// The highest epoch that it may have granted: if you have no lease, accept only grants above it.
        above: Epoch,
        /// The epoch of the lease by which it considers you the holder, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// The lease is yours by an import, for the day on which Interlock goes live: the target has it
    /// registered to this customer already.
    LeaseImported {
        /// Its fencing token.
        epoch: Epoch,
        /// The name under which the targets know this customer there, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "party")]
        target_identity: Option<String>,
        /// Only set for a customer whose workflow was reset: the lease was granted for locks only, so no target has anything
        /// registered by it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unused: bool,
    },
    /// Another ticket asks for the lease back.
    LeaseRecalled {
        /// The epoch of the lease.
        epoch: Epoch,
        /// Who asks.
        asker: Asker,
    },
    /// To a release ticket: another customer is proven to hold the resource.
    NotHolder {
        /// The ticket.
        ticket: TicketId,
        /// Who has it, under the target's name, if only the target knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "party")]
        target_identity: Option<String>,
    },
    /// The claim was not accepted: the queue is at its limit.
    QueueFull {
        /// The ticket.
        ticket: TicketId,
        /// The limit that is reached.
        tickets_max: usize,
    },
    /// A probe reaches the holder.
    Probe {
        /// The probe.
        probe: Probe,
    },
    /// A person forces the release of the lease.
    Forced {
        /// The epoch of the lease.
        epoch: Epoch,
        /// Since when the target's answer about who is registered may be out of date: the time of asking. None if it was not
        /// asked, or the person insists whatever it answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unused_since: Option<Timestamp>,
        /// Who forces it; none if the resource's worker is of 0.1.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<ForcedBy>,
    },
}

/// A person who takes a resource from its holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ForcedBy {
    /// For which tenant.
    pub tenant: TenantId,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Notice {
    /// Whether its epochs can be true. A customer that took a higher one would take no other lease of the resource any more.
    pub fn is_believable(&self) -> bool {
        match self {
            Self::LeaseGranted { epoch, .. }
            | Self::LeaseKnown { epoch }
            | Self::LeaseGone { epoch }
            | Self::LeaseImported { epoch, .. }
            | Self::LeaseRecalled { epoch, .. }
            | Self::Forced { epoch, .. } => epoch.is_believable(),
            Self::Reassert { above, epoch } => above.is_believable() && epoch.is_none_or(Epoch::is_believable),
            Self::NotHolder { .. } | Self::QueueFull { .. } | Self::Probe { .. } => true,
        }
    }
}

/// What happened to a message to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The customer's entity took it.
    Delivered,
    /// There is no such entity.
    Lost,
}

/// The input of the activity `provision`: the contract with adapters in any language.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProvisionRequest {
    /// The tenant.
    pub tenant: TenantId,
    /// The customer.
    pub customer: CustomerId,
    /// The order.
    pub order: OrderId,
    /// The step's name within the order.
    pub step: String,
    /// The target instance.
    pub target: TargetId,
    /// The adapter operation.
    pub operation: String,
    /// The operation's arguments.
    pub data: Map<String, Value>,
    /// The same for every attempt of this step: UUIDv5 of order and step.
    pub idempotency_key: Uuid,
    /// The epoch of the lease of the first resource that the step names, if it names any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The epochs of all leases that protect the step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<ResourceId, Epoch>,
    /// The resources that the step acts on although its customer is not known to have them: the sender first checks that
    /// no other customer has them, by the ledger or at the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<ResourceId>,
    /// How often this step was scheduled before (not counting the retry policy's attempts).
    #[serde(default)]
    pub dispatch: u32,
    /// Whether an earlier schedule of this step may have sent its request: settle that before sending again.
    #[serde(default)]
    pub maybe_sent: bool,
    /// What the answer must repeat, so that it can be distinguished from a result that a person entered in Temporal; none if the
    /// target's workers are not known to repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uuid>,
    /// How long one attempt may take, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// The pauses between its attempts.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// After this time it is no longer worth sending; only for orders that need no turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The priority of the order. Its call is scheduled with the priority key that is one more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<OrderPriority>,
    /// The trace of the order's event, as W3C Trace Context writes it: the call continues in it.
    #[serde(
        default,
        rename = "traceparent",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "trace_parent::read_leniently"
    )]
    pub trace_parent: Option<TraceParent>,
}
