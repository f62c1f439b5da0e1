//! What a customer entity knows. All of it travels through continue-as-new.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::journal::JournalEntry;
use super::subscribers::Subscribers;
use super::{EventToAdmit, Lease, Order, OrderDigests, ShownState, UnjudgedGrant};
use crate::error_code::ReasonCode;
use crate::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, Timestamp};
use crate::kept_text::kept;
use crate::limits::{EntityLimits, JOURNAL_PARTS_MAX};
use crate::message::{Asker, Notice, ToResource};
use crate::observation::Observation;
use crate::order::{OrderKey, OrderState};
use crate::recording::Edition;

/// One customer entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// Its tenant and id, by its workflow id.
    pub(super) me: CustomerRef,
    /// Its incarnation: the time of its first run.
    pub(super) incarnation: Incarnation,
    /// The limits in force.
    pub(super) limits: EntityLimits,
    /// The start argument, if it names another entity. Only runs of 0.1.0 then reject every event.
    #[serde(default)]
    pub(super) misidentified: Option<String>,
    /// The workflow id, if it is not that of a customer: every event is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) foreign_id: Option<String>,
    /// Accepted events that are not planned yet; those that are not being admitted are sorted by key.
    pub(super) inbox: VecDeque<EventToAdmit>,
    /// The running local activity.
    pub(super) local: Local,
    /// What the running admission is based on. It stays the same if a new run starts the admission again, so that the
    /// same events have the same plans and the same tickets.
    #[serde(default)]
    pub(super) basis: Option<AdmissionBasis>,
    /// Open orders.
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// Leases held.
    pub(super) leases: BTreeMap<ResourceId, Lease>,
    /// Grants for tickets not known yet: judged when no admission is running or waiting.
    pub(super) unjudged: Vec<UnjudgedGrant>,
    /// Recalls of epochs not seen yet.
    pub(super) early_recalls: BTreeMap<ResourceId, (Epoch, Asker)>,
    /// Notices about orders that are not known yet: handled again when the running admission is recorded.
    #[serde(default)]
    pub(super) early_notices: Vec<(ResourceId, Notice)>,
    /// The resources to which this customer must repeat what it has and wants, each with the epoch above which it accepts
    /// a grant: sent when nothing waits for admission.
    #[serde(default)]
    pub(super) to_reassert: BTreeMap<ResourceId, Epoch>,
    /// Those of them that contradicted this customer for longer than messages take.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) contradicting: BTreeSet<ResourceId>,
    /// Those of them whose leases are in doubt because the workflow was reset.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) to_reassert_as_reset: BTreeSet<ResourceId>,
    /// When the workflow was reset last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reset_at: Option<Timestamp>,
    /// Per resource, the highest epoch given back or declined.
    pub(super) given_back: BTreeMap<ResourceId, Epoch>,
    /// Per resource, the key of the last settled assign or release.
    pub(super) settled: BTreeMap<ResourceId, OrderKey>,
    /// Per event type without claims, the youngest key of an order that had an effect.
    pub(super) applied: BTreeMap<String, OrderKey>,
    /// Messages to send, oldest first.
    pub(super) outbox: VecDeque<(ResourceId, ToResource)>,
    /// Orders that have ended, oldest first, for later queries.
    pub(super) remembered: VecDeque<Remembered>,
    /// The ids of all orders that ended within 30 days, for de-duplication.
    #[serde(default, skip_serializing_if = "OrderDigests::is_new")]
    pub(super) digests: OrderDigests,
    /// What happened, oldest first, bounded.
    pub(super) journal: VecDeque<JournalEntry>,
    /// Counts since the entity began.
    pub(super) counts: Counts,
    /// Whether the server knows the search attributes, as the last admission reported.
    #[serde(default)]
    pub(super) attributes_registered: bool,
    /// What lists of entities were last told to show.
    #[serde(default)]
    pub(super) shown: Option<ShownState>,
    /// Who is told of what happens, and what they are still to be told.
    #[serde(default, skip_serializing_if = "Subscribers::is_blank")]
    pub(super) subscribers: Subscribers,
    /// Bytes of inbox and open orders as JSON, for the limit on state.
    pub(super) weight_bytes: usize,
    /// Which behaviour the present run started with.
    #[serde(skip)]
    pub(super) edition: Edition,
    /// What happened in the last step that is worth counting.
    #[serde(skip)]
    pub(super) observed: Vec<Observation>,
    /// Grows with every change that `advance` makes, so that its loop knows when it is done.
    #[serde(skip)]
    pub(super) revision: u64,
    /// Before this time a further event needs no look at the open orders: it only has to be admitted. `None` if they must be
    /// looked at.
    #[serde(skip)]
    pub(super) quiet_until: Option<Timestamp>,
}

/// The running local activity: at most one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Local {
    /// None.
    #[default]
    Idle,
    /// The first N events of the inbox are being admitted.
    Admitting(usize),
    /// The first N messages of the outbox are being sent.
    Sending(usize),
}

/// What a customer has when an admission starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionBasis {
    /// The life of the customer in which it started; none for the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// The resources that it holds or has an open assign of, each with the name under which targets know it there.
    pub holdings: BTreeMap<ResourceId, Option<String>>,
    /// The resources whose lease it holds.
    pub held: BTreeSet<ResourceId>,
}

/// An order that has ended, remembered for later queries.
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
    /// The digest of what the event said, if it was rejected before it claimed anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// Counts since the entity began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Events accepted.
    pub accepted: u64,
    /// Duplicates recognised.
    pub duplicates: u64,
    /// Events rejected, for whatever reason.
    pub rejected: u64,
    /// Those of them that were rejected because the customer had as many open orders, or as much state, as it may have.
    #[serde(default)]
    pub backlog_full: u64,
    /// Orders that ended, except rejected ones.
    pub ended: u64,
}

impl Counts {
    /// One more was rejected.
    pub(super) fn count_rejected(&mut self, is_backlog_full: bool) {
        self.rejected = self.rejected.saturating_add(1);
        self.backlog_full = self.backlog_full.saturating_add(u64::from(is_backlog_full));
    }
}

/// What is remembered per resource or type is bounded: the smallest value, which is the oldest, is dropped first.
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
            foreign_id: None,
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
            subscribers: Subscribers::default(),
            weight_bytes: 0,
            edition: Edition::default(),
            observed: Vec::new(),
            revision: 0,
            quiet_until: None,
        }
    }

    /// Whether nothing is running: the time to continue as new.
    pub fn is_idle(&self) -> bool {
        self.local == Local::Idle && self.orders.values().all(|order| order.running().next().is_none())
    }

    /// What happened in the last step or action that is worth counting; a second call returns nothing.
    pub fn take_observations(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.observed)
    }

    /// Records that an order ended, or that an event was rejected.
    pub(super) fn observe_end(&mut self, state: OrderState, rejected: Option<ReasonCode>) {
        self.observed.push(Observation::OrderEnded { tenant: self.me.tenant.clone(), state, rejected });
    }

    /// Records that something changed.
    pub(super) fn changed(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// Adds a line to the journal.
    pub(super) fn note(&mut self, mut entry: JournalEntry) {
        entry.detail = entry.detail.map(kept);
        self.journal.push_back(entry);
        while self.journal.len() > self.limits.journal_max {
            self.journal.pop_front();
        }
        let mut room = JOURNAL_PARTS_MAX;
        for entry in self.journal.iter_mut().rev() {
            let parts = entry.steps.len() + entry.claims.len();
            if parts > room {
                (entry.steps, entry.claims) = (Vec::new(), Vec::new());
                entry.parts_dropped = true;
            }
            room = room.saturating_sub(parts);
        }
    }
}
