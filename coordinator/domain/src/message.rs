//! What customer and resource entities tell each other, and what the customer asks its activities to do.
//!
//! All of it is idempotent: tickets have ids, leases have epochs, and a message that comes twice, late or out of order
//! is recognised by them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::ids::{
    CustomerId, CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TargetId, TenantId, TicketId, Timestamp,
};
use crate::order::{ClaimMode, OrderKey, ResourcePolicy};
use crate::retry::RetryPolicy;
use crate::routing::QueueAssignment;
use crate::trace_parent::{self, TraceParent};

/// The version of the envelope that entity messages travel in.
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
    /// Where the receiver is to live; only said while the count of queue shards changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "home")]
    pub queue_assignment: Option<QueueAssignment>,
}

impl<M> Envelope<M> {
    /// Puts a message into an envelope of this version.
    pub fn new(message: M) -> Self {
        Self { v: ENVELOPE_VERSION, sent_at: None, message, queue_assignment: None }
    }

    /// The same, with what the receiver is told of its home.
    #[must_use]
    pub fn with_queue_assignment(self, queue_assignment: Option<QueueAssignment>) -> Self {
        Self { queue_assignment, ..self }
    }

    /// The same, saying when it is sent.
    #[must_use]
    pub fn sent_at(self, now: Timestamp) -> Self {
        Self { sent_at: Some(now), ..self }
    }
}

/// A claim as it stands in a resource's queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Derived from order and resource.
    pub id: TicketId,
    /// The order whose claim it is.
    pub order: OrderId,
    /// Its place in the queue.
    pub key: OrderKey,
    /// What is wanted.
    pub mode: ClaimMode,
    /// Who wants it.
    pub claimant: CustomerRef,
    /// Which life of the claimant.
    pub incarnation: Incarnation,
    /// The name under which the targets know the claimant, compared with what a look-up says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// Whether its order gives something up only once this is granted: such waits can form a ring.
    #[serde(default)]
    pub swap: bool,
    /// Until when somebody waits for the answer to a claim by update; none for as long as it takes. A grant that is
    /// answered later than that is told by message, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<Timestamp>,
    /// What the resource entity needs to know of its kind.
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
        /// Somebody who asks for it back already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recall: Option<Asker>,
    },
    /// The ticket waits; a grant will come as a message.
    Queued,
    /// To a release: somebody else is proven to hold the resource.
    NotHolder,
    /// The ticket was finished before: a duplicate.
    Finished,
    /// The queue is at its limit.
    QueueFull {
        /// So many wait, and no more may.
        tickets_max: usize,
    },
    /// No answer came in time; the claim was sent as a message too, and a grant will come as one.
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

/// How a lease comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GiveBack {
    /// The release was confirmed by the target (or a person said so).
    Released,
    /// Nothing had begun; an older ticket goes first.
    Yielded,
    /// The order that wanted it ended, or had it for its own time only.
    Unused,
    /// The target has somebody else registered.
    Contested,
    /// A person forced it.
    Forced,
}

/// What a change of a lease rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseProof {
    /// The order that caused it.
    pub order: OrderId,
    /// The step on which it rests; none where no call was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepProof>,
    /// When that was recorded.
    pub at: Timestamp,
    /// The person who decided it instead of the target, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// That person's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The call on which a change of a lease rests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepProof {
    /// The target.
    pub target: TargetId,
    /// Its operation.
    pub operation: String,
    /// The class of its outcome, or the code by which the step was left out.
    pub outcome: String,
    /// Who has the resource as the target said, where the outcome is `in_use`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The key under which it was sent.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub idempotency_key: Uuid,
}

/// One hop of a probe for rings of orders that give up only what others wait for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// The waiting order's key.
    pub key: OrderKey,
}

/// A probe: it travels along waits of the kind "I release when mine is granted", and finds a ring where it comes back.
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

/// A lease as its holder says it again.
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
    /// Said after a reset of the holder's workflow only: whether an order of it is open that names the resource, or was given up since.
    /// Its calls may be done on one target and not on another, so that no single target can tell whether it still has the resource
    /// somewhere.
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
        /// How it comes back.
        how: GiveBack,
        /// The tickets by which this customer still wants the resource: they (still) queue.
        tickets: Vec<Ticket>,
        /// Tickets that are finished by this.
        finished: Vec<TicketId>,
        /// What it rests on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<LeaseProof>,
        /// Where a release found the resource registered to somebody else: to whom, as the target names them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        registered_to: Option<String>,
    },
    /// Takes tickets out of the queue for good.
    Withdraw {
        /// Whose they are.
        from: CustomerRef,
        /// The tickets.
        tickets: Vec<TicketId>,
    },
    /// Answers a grant or recall that is not for this customer (any more).
    Decline {
        /// Who answers.
        from: CustomerRef,
        /// The ticket that was granted, where there is one.
        ticket: Option<TicketId>,
        /// The epoch that was granted.
        epoch: Epoch,
        /// Set where the message was for an earlier life of this customer: the lease is an orphan.
        lost: Option<Incarnation>,
    },
    /// Answers a recall: the target accepted this holder's assign.
    Used {
        /// The holder.
        from: CustomerRef,
        /// The epoch of the lease.
        epoch: Epoch,
        /// The name under which the targets know the holder from now on, where it changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "party")]
        target_identity: Option<String>,
    },
    /// Passes a probe on to whoever holds what this ticket waits for.
    Probe {
        /// The waiting ticket.
        ticket: TicketId,
        /// Whose it is.
        from: CustomerRef,
        /// The probe.
        probe: Probe,
    },
    /// Says again what this customer has and wants of the resource, whose entity may have forgotten it.
    Reassert {
        /// Who says so.
        from: CustomerRef,
        /// Which life of it.
        incarnation: Incarnation,
        /// The lease that it holds; none where it holds none.
        lease: Option<HeldLease>,
        /// Where it holds none: it takes no grant that is not above this epoch.
        above: Epoch,
        /// The tickets by which it wants the resource.
        tickets: Vec<Ticket>,
        /// Whether the two were seen to contradict each other for longer than messages take. Only then does the resource
        /// believe a customer that contradicts it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lasting: bool,
        /// Whether the customer's workflow was reset to an earlier state: what its lives before were granted it may have used,
        /// and `lease` is what it had at that moment.
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
        /// When it used the lease, where that was not before the target was asked who is registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used_at: Option<Timestamp>,
    },
}

/// A message from a resource entity to a customer entity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ToCustomer {
    /// The resource that speaks.
    pub resource: ResourceId,
    /// Which life of the customer it speaks to.
    pub incarnation: Incarnation,
    /// What it says.
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
        /// Somebody who asks for it back already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recall: Option<Asker>,
    },
    /// The lease that you said again to have is yours, as far as the resource knows. Whoever gave it back since says so.
    LeaseKnown {
        /// Its fencing token.
        epoch: Epoch,
    },
    /// The lease that you said again to have is not yours any more.
    LeaseGone {
        /// Its fencing token, or a higher one.
        epoch: Epoch,
    },
    /// The resource's workflow was reset: say again what you have and want of it.
    #[serde(rename = "say_again")]
    Reassert {
        /// The highest epoch that it may have granted: where you have no lease, take no grant that is not above it.
        above: Epoch,
        /// The epoch of the lease by which it takes you for the holder, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// The lease is yours by a list of who has what, for the day on which Interlock is switched on: the target has it
    /// registered to this customer already.
    LeaseImported {
        /// Its fencing token.
        epoch: Epoch,
        /// The name under which the targets know this customer there, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "party")]
        target_identity: Option<String>,
        /// Said to a customer whose workflow was reset: the lease was granted for locks only, so no target has anything
        /// registered by it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unused: bool,
    },
    /// Somebody asks for the lease back.
    LeaseRecalled {
        /// The epoch of the lease.
        epoch: Epoch,
        /// Who asks.
        asker: Asker,
    },
    /// To a release ticket: somebody else is proven to hold the resource.
    NotHolder {
        /// The ticket.
        ticket: TicketId,
        /// Who has it, as a target names them, where only the target knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "party")]
        target_identity: Option<String>,
    },
    /// The claim was not taken: the queue is at its limit.
    QueueFull {
        /// The ticket.
        ticket: TicketId,
        /// So many wait, and no more may.
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
        /// Since when what the target said of who is registered may be out of date: when it was asked. None where it was not
        /// asked, or a person goes on whatever it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unused_since: Option<Timestamp>,
        /// Who does it; none where the resource's worker is of 0.1.0.
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

/// What became of a message to a customer.
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
    /// The epoch of the lease of the first resource that the step names; none where it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The epochs of all leases that protect the step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<ResourceId, Epoch>,
    /// The resources that the step acts on though its customer is not known to have them: whoever sends it sees first that
    /// nobody else has them, by the ledger or at the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<ResourceId>,
    /// How often this step was scheduled before (not counting the attempts of the retry policy).
    #[serde(default)]
    pub dispatch: u32,
    /// Whether an earlier schedule of this step may have sent its request: settle that before sending again.
    #[serde(default)]
    pub maybe_sent: bool,
    /// What the answer is to repeat, so that it can be told from a result that a person gave in Temporal; none where the
    /// target's workers are not known to repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uuid>,
    /// How long one attempt may take, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// The pauses between its attempts.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// From when on it is no longer worth sending; only for orders that need no turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The trace that the order's event belongs to, as W3C Trace Context writes it: the call goes on in it.
    #[serde(
        default,
        rename = "traceparent",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "trace_parent::read_leniently"
    )]
    pub trace_parent: Option<TraceParent>,
}
