//! What a customer entity knows. All of it travels through continue-as-new.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::journal::{JournalEntry, StepIdentity};
use super::{Dating, EventToAdmit, KeyRule, OrderDigests, ShownState};
use crate::error_code::ReasonCode;
use crate::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TicketId, Timestamp};
use crate::limits::EntityLimits;
use crate::message::{Asker, GiveBack, LeaseProof, Notice, ToResource};
use crate::observation::Observation;
use crate::order::{Claim, Late, OrderKey, OrderState, PlannedStep};
use crate::outcome::Outcome;
use crate::recording::Edition;
use crate::trace_parent::{self, TraceParent};

/// One customer entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// Who it is, by its workflow id.
    pub me: CustomerRef,
    /// Which life of it: the time of its first run.
    pub incarnation: Incarnation,
    /// The limits in force.
    pub limits: EntityLimits,
    /// Set where the start argument names somebody else.
    #[serde(default)]
    pub misidentified: Option<String>,
    /// Accepted events that are not planned yet, sorted by key within what is not being admitted.
    pub inbox: VecDeque<EventToAdmit>,
    /// The local activity under way.
    pub local: Local,
    /// What the admission under way goes by. It stays the same where a new run starts the admission again, so that the
    /// same events have the same plans and the same tickets.
    #[serde(default)]
    pub basis: Option<AdmissionBasis>,
    /// Open orders.
    pub orders: BTreeMap<OrderId, Order>,
    /// Leases held.
    pub leases: BTreeMap<ResourceId, Lease>,
    /// Grants for tickets not known yet: judged when no admission is under way or waiting.
    pub unjudged: Vec<UnjudgedGrant>,
    /// Recalls of epochs not seen yet.
    pub early_recalls: BTreeMap<ResourceId, (Epoch, Asker)>,
    /// What resources said of orders that are not known yet: heard again when the admission under way is recorded.
    #[serde(default)]
    pub early_notices: Vec<(ResourceId, Notice)>,
    /// The resources of which this customer is to say again what it has and wants, each with the epoch above which it takes
    /// a grant: said when nothing waits for admission.
    #[serde(default)]
    pub to_reassert: BTreeMap<ResourceId, Epoch>,
    /// Those of them that were seen to contradict this customer for longer than messages take.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contradicting: BTreeSet<ResourceId>,
    /// Those of them whose leases are in doubt, since the workflow was reset.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub to_reassert_as_reset: BTreeSet<ResourceId>,
    /// When the workflow was reset last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<Timestamp>,
    /// Per resource, the highest epoch given back or declined.
    pub given_back: BTreeMap<ResourceId, Epoch>,
    /// Per resource, the key of the last settled assign or release.
    pub settled: BTreeMap<ResourceId, OrderKey>,
    /// Per event type without claims, the youngest key that ended with an effect.
    pub applied: BTreeMap<String, OrderKey>,
    /// Messages to send, oldest first.
    pub outbox: VecDeque<(ResourceId, ToResource)>,
    /// Orders that are over, oldest first, for those who ask.
    pub remembered: VecDeque<Remembered>,
    /// The ids of all orders that ended within 30 days, for de-duplication.
    #[serde(default, skip_serializing_if = "OrderDigests::is_new")]
    pub digests: OrderDigests,
    /// What happened, oldest first, bounded.
    pub journal: VecDeque<JournalEntry>,
    /// Counts since the entity began.
    pub counts: Counts,
    /// Whether the server knows the search attributes, as the last admission said.
    #[serde(default)]
    pub attributes_registered: bool,
    /// What lists of entities were made to show last.
    #[serde(default)]
    pub shown: Option<ShownState>,
    /// Bytes of inbox and open orders as JSON, for the limit on state.
    pub weight_bytes: usize,
    /// Which behaviour the present run began with.
    #[serde(skip)]
    pub edition: Edition,
    /// What the last step saw that is worth counting.
    #[serde(skip)]
    pub(super) observed: Vec<Observation>,
    /// Grows with every change that `advance` makes: how its loop knows that it is done.
    #[serde(skip)]
    pub(super) revision: u64,
    /// Before this time a further event needs no look at the open orders: it only has to be admitted. `None` if they have to be
    /// looked at.
    #[serde(skip)]
    pub(super) quiet_until: Option<Timestamp>,
}

/// The local activity under way: at most one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Local {
    /// None.
    #[default]
    Idle,
    /// The first so many events of the inbox are being admitted.
    Admitting(usize),
    /// The first so many messages of the outbox are being sent.
    Sending(usize),
}

/// What a customer has when an admission begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionBasis {
    /// The life of the customer that it was begun in; none for the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// The resources that it holds or has an open assign of, each with the name under which targets know it there.
    pub holdings: BTreeMap<ResourceId, Option<String>>,
    /// The resources whose lease it holds.
    pub held: BTreeSet<ResourceId>,
}

/// An open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// Its key.
    pub key: OrderKey,
    /// The digest of the catalog that planned it.
    pub catalog_digest: String,
    /// Whether it passes orders that only wait.
    pub urgent: bool,
    /// Whether it needs no turn.
    pub unordered: bool,
    /// When it is no longer worth doing.
    pub expires_at: Option<Timestamp>,
    /// When it should be done. Nothing is dropped after it: whoever is in charge is told.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// What it wants of which resource.
    pub claims: Vec<OrderClaim>,
    /// The resources that its customer must be known to have before it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ResourceId>,
    /// The resources that nobody else may have where a step names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_use: Vec<ResourceId>,
    /// What it does: the plan's steps, then compensations.
    pub steps: Vec<OrderStep>,
    /// Whether a step that needs all its leases has begun.
    pub started: bool,
    /// Whether a person, or a ring, let its release go before its assign is granted.
    pub release_first: bool,
    /// Whether it waits for a person before it begins: it came late.
    pub late_hold: bool,
    /// Set once it is to end without doing the rest.
    pub ending: Option<Ending>,
    /// The marks of the last actions that persons took on it, oldest first ([`crate::action_mark::ActionMark`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// The trace that its event belongs to: its calls go on in it, however much later.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::read_leniently")]
    pub trace_parent: Option<TraceParent>,
    /// When the workflow was reset, if it was since the order came in, or to a moment before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<Timestamp>,
    /// When its event was taken in, where its key does not say so: nobody had stamped it, and its own time stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// What its event said of its time, where that does not follow from its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dating: Option<Dating>,
    /// Its size as JSON, in bytes.
    pub weight_bytes: usize,
}

/// Why an order ends before its steps are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Ending {
    /// A younger order settled the matter.
    Superseded,
    /// A person cancelled it.
    Cancelled,
    /// A step failed and the catalog says abort.
    Aborted {
        /// The step's code.
        code: ReasonCode,
    },
    /// A resource's queue was full.
    QueueFull {
        /// The resource.
        resource: ResourceId,
    },
    /// It was not done in time.
    Expired,
    /// With its plan the customer's state would be over its limit.
    BacklogFull,
}

/// A claim of an open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderClaim {
    /// What is wanted.
    pub claim: Claim,
    /// Its ticket at the resource.
    pub ticket: TicketState,
    /// Where the claim stands.
    pub state: ClaimState,
}

/// The ticket of a claim, as far as the customer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// The resource has none.
    None,
    /// It stands in the resource's queue, or a lease was granted for it.
    Out,
    /// The resource refused it, but a late copy of its claim may still get there: it is withdrawn in the end.
    Refused,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// Not settled.
    Open,
    /// All steps that name its resource are over.
    Settled,
    /// A release of something that somebody else holds.
    NotHolder,
    /// A younger order of this customer settled the matter.
    Superseded,
}

/// A step of an open order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderStep {
    /// What is to be done.
    pub planned: PlannedStep,
    /// Where it stands.
    pub state: StepState,
    /// How often its call was scheduled.
    pub dispatches: u32,
    /// Whether a call of it was cancelled that may have been sent.
    pub maybe_sent: bool,
    /// Whether the workflow was reset to a moment before its end, and no outcome came since: it may have been sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_reset: bool,
    /// How many results in a row came for it that no worker gave: by a person in Temporal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub by_hand: u32,
    /// How often a person amended its arguments: each time it becomes another request, with a key of its own.
    #[serde(default)]
    pub amendments: u32,
    /// What its idempotency key is made of. A step that was sent by 0.1.0 keeps the rule of 0.1.0.
    #[serde(default, skip_serializing_if = "KeyRule::is_v0_1")]
    pub key_rule: KeyRule,
    /// The identity that a release goes by, where it was not always the one that its event named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<StepIdentity>,
    /// Who left it out and why, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_by: Option<(String, String)>,
    /// The class of its last outcome.
    pub outcome: Option<Outcome>,
    /// For a compensation: the index of the step that it undoes.
    pub compensates: Option<usize>,
    /// Since when it stands so.
    pub since: Timestamp,
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum StepState {
    /// Not begun, or to be done again.
    Open,
    /// Its call is under way.
    Running,
    /// It waits for a person.
    Held {
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
    /// Its effect is confirmed.
    Done,
    /// It is left out.
    Skipped {
        /// Why: `not_holder`, `superseded`, `person`, or the code of the failure.
        code: ReasonCode,
    },
    /// Its order ended before it began.
    Cancelled,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl StepState {
    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped { .. } | Self::Cancelled)
    }
}

/// A lease held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Its fencing token.
    pub epoch: Epoch,
    /// The ticket it was granted for.
    pub ticket: TicketId,
    /// The key of that ticket's order.
    pub key: OrderKey,
    /// Since when.
    pub since: Timestamp,
    /// Whether the target accepted an assign under it: it outlives its order.
    pub kept: bool,
    /// When a step that assigns was last recorded as done under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Set once it is to be given back, as soon as no started order needs it.
    pub due: Option<GiveBack>,
    /// Set once it is being given back, as soon as no call that it protects is under way: no step starts under it.
    pub leaving: Option<GiveBack>,
    /// Who asks for it back.
    pub recall: Option<Asker>,
    /// The name under which the targets know this customer there.
    pub party: Option<String>,
    /// Names under which they knew it there before, under this lease, oldest first; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties_before: Vec<String>,
    /// What its being given back rests on, once it is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<LeaseProof>,
    /// To whom a release found the resource registered, where that was somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_to: Option<String>,
    /// Whether the workflow was reset since it was granted, and its resource did not confirm it yet: no call starts under it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
    /// Whether an order that takes or gives up the resource was ended while the lease was in doubt, and its calls were not read back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
}

/// A grant whose ticket is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnjudgedGrant {
    /// The resource.
    pub resource: ResourceId,
    /// The ticket.
    pub ticket: TicketId,
    /// The epoch.
    pub epoch: Epoch,
    /// Whether the target is known to have it registered to this customer already.
    pub registered: bool,
    /// Who asks for it back already.
    pub recall: Option<Asker>,
}

/// An order that is over, remembered for those who ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The order.
    pub order: OrderId,
    /// How it ended.
    pub state: OrderState,
    /// When.
    pub at: Timestamp,
    /// The mark of the last action that a person took on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// Counts since the entity began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events taken in.
    pub accepted: u64,
    /// Events that came again.
    pub duplicates: u64,
    /// Events rejected, for whatever reason.
    pub rejected: u64,
    /// Those of them that were rejected since the customer had all the open orders, or all the state, that it may have.
    #[serde(default)]
    pub backlog_full: u64,
    /// Orders that ended, rejected ones aside.
    pub ended: u64,
}

/// Something remembered per resource or type is bounded: the smallest value goes first, which is the oldest.
pub(super) fn remember_bounded<K: Ord + Clone, V: Ord + Clone>(map: &mut BTreeMap<K, V>, key: K, value: V, max: usize) {
    let newer = map.get(&key).is_none_or(|known| *known < value);
    if newer {
        map.insert(key, value);
    }
    if map.len() > max {
        let oldest = map.iter().min_by(|a, b| a.1.cmp(b.1)).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            map.remove(&oldest);
        }
    }
}

impl Customer {
    /// A customer entity that knows nothing yet.
    pub fn new(me: CustomerRef, incarnation: Incarnation) -> Self {
        Self {
            me,
            incarnation,
            limits: EntityLimits::default(),
            misidentified: None,
            inbox: VecDeque::new(),
            local: Local::Idle,
            basis: None,
            orders: BTreeMap::new(),
            leases: BTreeMap::new(),
            unjudged: Vec::new(),
            early_recalls: BTreeMap::new(),
            early_notices: Vec::new(),
            to_reassert: BTreeMap::new(),
            contradicting: BTreeSet::new(),
            to_reassert_as_reset: BTreeSet::new(),
            reset_at: None,
            given_back: BTreeMap::new(),
            settled: BTreeMap::new(),
            applied: BTreeMap::new(),
            outbox: VecDeque::new(),
            remembered: VecDeque::new(),
            digests: OrderDigests::default(),
            journal: VecDeque::new(),
            counts: Counts::default(),
            attributes_registered: false,
            shown: None,
            weight_bytes: 0,
            edition: Edition::default(),
            observed: Vec::new(),
            revision: 0,
            quiet_until: None,
        }
    }

    /// Whether nothing is under way: the moment to continue as new.
    pub fn is_idle(&self) -> bool {
        self.local == Local::Idle && self.orders.values().all(|order| order.running().next().is_none())
    }

    /// What the last step, or action, saw that is worth counting; none the second time.
    pub fn take_observations(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.observed)
    }

    /// Notes that an order ended, or an event was rejected.
    pub(super) fn observe_end(&mut self, state: OrderState, rejected: Option<ReasonCode>) {
        self.observed.push(Observation::OrderEnded { tenant: self.me.tenant.clone(), state, rejected });
    }

    /// Notes that something changed.
    pub(super) fn changed(&mut self) {
        self.revision += 1;
    }

    /// Adds a line to the journal.
    pub(super) fn note(&mut self, entry: JournalEntry) {
        self.journal.push_back(entry);
        while self.journal.len() > self.limits.journal_max {
            self.journal.pop_front();
        }
    }
}

impl Order {
    /// The indexes of the steps whose call is under way.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().enumerate().filter(|(_, step)| step.state == StepState::Running).map(|(index, _)| index)
    }

    /// The steps that name a resource.
    pub fn steps_naming<'a>(&'a self, resource: &'a ResourceId) -> impl Iterator<Item = &'a OrderStep> + 'a {
        self.steps.iter().filter(move |step| step.planned.resources.contains(resource))
    }

    /// Whether any step had its effect, or may have had one.
    pub fn had_effect(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.state, StepState::Done | StepState::Running) || step.maybe_sent)
    }

    /// When its event was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        self.taken_at.unwrap_or(self.key.accepted_at)
    }

    /// What its event said of its time.
    pub fn dating(&self) -> Dating {
        self.dating.unwrap_or_else(|| Dating::of_key(&self.key))
    }

    /// Its claim on a resource.
    pub fn claim_on(&self, resource: &ResourceId) -> Option<&OrderClaim> {
        self.claims.iter().find(|claim| claim.claim.resource == *resource)
    }
}

/// What a new order begins as, where it comes late.
pub(super) fn late_hold(late: Late, is_late: bool) -> bool {
    is_late && late == Late::Hold
}
