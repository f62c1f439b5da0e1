//! The views of a customer: what queries return.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::JournalEntry;
use super::turns::Turns;
use super::wait_view::WaitView;
use super::{ClaimState, Counts, Customer, EventToAdmit, Order, StepState};
use crate::entity_end::EntityEnd;
use crate::ids::{CustomerId, Epoch, OrderId, ResourceId, SubscriptionId, TargetId, Timestamp};
use crate::order::OrderState;
use crate::order_parts::{ClaimStateName, ClaimView, StepStateName, StepView};
use crate::wire::WireName;

/// Why an order that ended is shown without its parts.
const JOURNAL_IS_NEWER: &str = "the journal of its customer has only newer ones";

/// The body of `GET …/customers/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CustomerView {
    /// The customer.
    pub customer_id: CustomerId,
    /// Its open orders, those that wait for admission first.
    #[serde(default)]
    pub orders: Vec<OrderView>,
    /// Per target, the open orders in the order of their turns.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Vec<LaneEntry>>))]
    pub lanes: BTreeMap<TargetId, Vec<LaneEntry>>,
    /// The leases it holds.
    #[serde(default)]
    pub leases: Vec<LeaseView>,
    /// What happened, oldest first, bounded.
    #[serde(default)]
    pub journal: Vec<JournalView>,
    /// The events for subscribers that wait, by subscription.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, OutgoingView>))]
    pub outgoing: BTreeMap<SubscriptionId, OutgoingView>,
    /// Counts since the entity began.
    #[serde(default)]
    pub counts: Counts,
    /// How its entity ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<EntityEnd>))]
    pub entity_ended: Option<WireName<EntityEnd>>,
}

/// The events that wait for a subscription's receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutgoingView {
    /// How many.
    pub waiting: usize,
    /// When the oldest of them happened, RFC 3339.
    pub since: String,
    /// How many were dropped because too many waited, and the receiver does not know it yet.
    #[serde(default)]
    pub dropped: u64,
}

/// One place in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaneEntry {
    /// The order.
    pub order_id: OrderId,
    /// Its first step there that has not ended.
    pub step: String,
    /// The state of that step.
    #[cfg_attr(feature = "openapi", schema(value_type = StepStateName))]
    pub state: WireName<StepStateName>,
}

/// A lease held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaseView {
    /// The resource.
    pub resource: ResourceId,
    /// Its fencing token.
    pub epoch: Epoch,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The body of `GET …/orders/{order_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderView {
    /// The order.
    pub order_id: OrderId,
    /// The event's id; empty if the journal has forgotten it.
    pub event_id: String,
    /// The customer.
    pub customer_id: CustomerId,
    /// The event's type; empty if the journal has forgotten it.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its state.
    #[cfg_attr(feature = "openapi", schema(value_type = OrderState))]
    pub state: WireName<OrderState>,
    /// What it waits for; none if it has ended.
    #[serde(default)]
    pub waiting_for: Option<WaitView>,
    /// When it should be done, RFC 3339; absent if it has ended, or the catalog does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// When its customer's workflow was reset while it was open, RFC 3339: what it did after the point of the reset is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<String>,
    /// Its steps.
    #[serde(default)]
    pub steps: Vec<StepView>,
    /// Its claims.
    #[serde(default)]
    pub claims: Vec<ClaimView>,
    /// The marks of the last actions that persons took on it, oldest first ([`crate::action_mark::ActionMark`]). The actions themselves,
    /// with actor and reason, are in the customer's journal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// The stable code of how it ended, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence of how it ended, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether it has ended and what is missing here is no longer kept: its event, steps and claims, or only steps and claims.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_longer_kept: bool,
    /// How the entity of its customer ended; absent while it runs, and for a standalone order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<EntityEnd>))]
    pub entity_ended: Option<WireName<EntityEnd>>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalView {
    /// When, RFC 3339.
    pub at: String,
    /// The rest, as the entity keeps it.
    #[serde(flatten)]
    pub entry: JournalEntryView,
}

/// A journal line without its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalEntryView {
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The event's type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// What happened: a terminal state, or `action ID`.
    pub what: String,
    /// A stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl StepState {
    /// The name on the wire.
    pub fn name(&self) -> StepStateName {
        match self {
            Self::Open { .. } => StepStateName::Open,
            Self::Running { .. } => StepStateName::Running,
            Self::Held { .. } => StepStateName::Held,
            Self::Done => StepStateName::Done,
            Self::Skipped { .. } => StepStateName::Skipped,
            Self::Cancelled { .. } => StepStateName::Cancelled,
        }
    }
}

impl Customer {
    /// The state of this customer, as queries return it.
    pub fn view(&self) -> CustomerView {
        let turns = Turns::of(self);
        let mut open: Vec<&Order> = self.orders.values().collect();
        open.sort_by(|a, b| a.key.cmp(&b.key));
        let waiting = self.inbox.iter().map(|waiting| self.waiting_view(waiting));
        let open = open.into_iter().map(|order| self.open_view(order, &turns));
        CustomerView {
            customer_id: self.me.customer.clone(),
            orders: waiting.chain(open).collect(),
            lanes: self.lane_views(),
            leases: self
                .leases
                .iter()
                .map(|(resource, lease)| LeaseView {
                    resource: resource.clone(),
                    epoch: lease.epoch,
                    since: lease.since.to_rfc3339(),
                })
                .collect(),
            journal: self.journal.iter().map(journal_view).collect(),
            outgoing: self.outgoing_view(),
            counts: self.counts,
            entity_ended: None,
        }
    }

    fn outgoing_view(&self) -> BTreeMap<SubscriptionId, OutgoingView> {
        let waiting = self.subscribers.waiting().map(|of| {
            let view = OutgoingView { waiting: of.events, since: of.since.to_rfc3339(), dropped: of.lost };
            (of.subscription.clone(), view)
        });
        waiting.collect()
    }

    fn lane_views(&self) -> BTreeMap<TargetId, Vec<LaneEntry>> {
        let mut lanes: BTreeMap<TargetId, Vec<LaneEntry>> = BTreeMap::new();
        for order in self.in_turn() {
            let mut seen = Vec::new();
            for step in order.steps.iter().filter(|step| !step.state.is_over()) {
                if !seen.contains(&&step.planned.target) {
                    seen.push(&step.planned.target);
                    let (order_id, state) = (order.key.order.clone(), step.state.name().into());
                    let entry = LaneEntry { order_id, step: step.planned.name.clone(), state };
                    lanes.entry(step.planned.target.clone()).or_default().push(entry);
                }
            }
        }
        lanes
    }

    /// One order, open or remembered; none if it was never seen, or is forgotten.
    pub fn order_view(&self, id: &OrderId) -> Option<OrderView> {
        if let Some(order) = self.orders.get(id) {
            return Some(self.open_view(order, &Turns::of(self)));
        }
        if let Some(waiting) = self.inbox.iter().find(|waiting| waiting.key.order == *id) {
            return Some(self.waiting_view(waiting));
        }
        let mut view = self.empty_view(id, self.state_of(id)?);
        let over = self.remembered.iter().rev().find(|remembered| remembered.order == *id);
        view.actions.extend(over.and_then(|over| over.action.clone()));
        let ended = |entry: &&JournalEntry| entry.order.as_ref() == Some(id) && entry.event.is_some();
        if let Some(entry) = self.journal.iter().rev().find(ended) {
            fill_from_journal(&mut view, entry);
        } else {
            view.no_longer_kept = true;
            view.detail = Some(format!("Its event, steps and claims are no longer kept: {JOURNAL_IS_NEWER}."));
        }
        Some(view)
    }

    fn open_view(&self, order: &Order, turns: &Turns<'_>) -> OrderView {
        OrderView {
            event_id: order.event_id.clone(),
            event_type: order.event_type.clone(),
            waiting_for: turns.wait_of(order).map(WaitView::from),
            due_at: order.due_at.map(Timestamp::to_rfc3339),
            reset_at: order.reset_at.map(Timestamp::to_rfc3339),
            steps: order.steps.iter().map(step_view).collect(),
            claims: order.claims.iter().map(|claim| self.claim_view(claim)).collect(),
            actions: order.actions.clone(),
            ..self.empty_view(&order.key.order, order.state())
        }
    }

    fn waiting_view(&self, waiting: &EventToAdmit) -> OrderView {
        OrderView {
            event_id: waiting.event.id.clone(),
            event_type: waiting.event.event_type.clone(),
            waiting_for: Some(waiting.waits().into()),
            ..self.empty_view(&waiting.key.order, OrderState::Acknowledged)
        }
    }

    fn empty_view(&self, id: &OrderId, state: OrderState) -> OrderView {
        OrderView {
            order_id: id.clone(),
            event_id: String::new(),
            customer_id: self.me.customer.clone(),
            event_type: String::new(),
            state: state.into(),
            waiting_for: None,
            due_at: None,
            reset_at: None,
            steps: Vec::new(),
            claims: Vec::new(),
            actions: Vec::new(),
            code: None,
            detail: None,
            no_longer_kept: false,
            entity_ended: None,
        }
    }

    /// A claim as it stands.
    pub(super) fn claim_view(&self, claim: &super::OrderClaim) -> ClaimView {
        let lease = self.leases.get(&claim.claim.resource);
        let state = match claim.state {
            ClaimState::Open if lease.is_some() => ClaimStateName::Held,
            ClaimState::Open => ClaimStateName::Waiting,
            ClaimState::Settled => ClaimStateName::Settled,
            ClaimState::NotHolder => ClaimStateName::NotHolder,
            ClaimState::Superseded => ClaimStateName::Superseded,
        };
        ClaimView {
            resource: claim.claim.resource.clone(),
            mode: claim.claim.mode.into(),
            state: state.into(),
            epoch: lease.map(|lease| lease.epoch),
        }
    }
}

/// A step as it stands.
pub(super) fn step_view(step: &super::OrderStep) -> StepView {
    let reason = match &step.state {
        StepState::Skipped { code } | StepState::Held { code, .. } => Some(code.to_string()),
        _ => step.outcome.as_ref().map(|outcome| outcome.class().to_owned()),
    };
    StepView {
        name: step.planned.name.clone(),
        target: step.planned.target.clone(),
        operation: step.planned.operation.clone(),
        state: step.state.name().into(),
        // A step of an earlier build has no count.
        attempts: step.calls.max(u32::from(step.outcome.is_some())),
        outcome: reason,
        identity: step.identity.clone(),
    }
}

fn fill_from_journal(view: &mut OrderView, entry: &JournalEntry) {
    if let Some((id, event_type)) = &entry.event {
        view.event_id.clone_from(id);
        view.event_type.clone_from(event_type);
    }
    view.code.clone_from(&entry.code);
    view.detail.clone_from(&entry.detail);
    view.steps.clone_from(&entry.steps);
    view.claims.clone_from(&entry.claims);
    if entry.parts_dropped {
        view.no_longer_kept = true;
        view.detail.get_or_insert_with(|| format!("Its steps and claims are no longer kept: {JOURNAL_IS_NEWER}."));
    }
}

fn journal_view(entry: &JournalEntry) -> JournalView {
    JournalView {
        at: entry.at.to_rfc3339(),
        entry: JournalEntryView {
            order_id: entry.order.clone(),
            event_id: entry.event.as_ref().map(|(id, _)| id.clone()),
            event_type: entry.event.as_ref().map(|(_, event_type)| event_type.clone()).filter(|name| !name.is_empty()),
            what: entry.what.clone(),
            code: entry.code.clone(),
            detail: entry.detail.clone(),
            actor: entry.by.as_ref().map(|(actor, _)| actor.clone()),
            reason: entry.by.as_ref().map(|(_, reason)| reason.clone()),
        },
    }
}
