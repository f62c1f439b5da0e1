//! Open orders as a list, in pages.

use serde::{Deserialize, Serialize};

use super::turns::Turns;
use super::wait_view::WaitView;
use super::waiting::WaitingFor;
use super::{Customer, EventToAdmit, Order};
use crate::ids::{CustomerId, OrderId, TargetId, Timestamp};
use crate::order::{OrderKey, OrderState};
use crate::wire::WireName;

/// How many orders a page has by default.
pub const PAGE_DEFAULT: usize = 100;
/// The most orders of a page.
pub const PAGE_MAX: usize = 1_000;

/// Which open orders are asked for; an absent field excludes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderFilter {
    /// Those in one of these states; only `acknowledged`, `pending`, `inProgress` and `held` are states of open orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<Vec<OrderState>>,
    /// Those that wait at this target, or are held there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// Those that are held with this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Those after this order: `next` of the previous page. If it has ended and is forgotten by now, the list starts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<OrderId>,
    /// The most orders of a page, from 1 to [`PAGE_MAX`]; [`PAGE_DEFAULT`] if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of open orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPage {
    /// The orders, by order key, including those that wait for admission.
    pub orders: Vec<ListedOrder>,
    /// The last of them, if more follow: `after` of the next page.
    #[serde(default)]
    pub next: Option<OrderId>,
}

/// An open order in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedOrder {
    /// The order.
    pub order_id: OrderId,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The customer.
    pub customer_id: CustomerId,
    /// Its state.
    #[cfg_attr(feature = "openapi", schema(value_type = OrderState))]
    pub state: WireName<OrderState>,
    /// What it waits for.
    #[serde(default)]
    pub waiting_for: Option<WaitView>,
    /// The target at which it waits or is held; absent if it waits for something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The code by which it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When its event was accepted, RFC 3339.
    pub accepted_at: String,
    /// Since when it waits like this, RFC 3339.
    pub since: String,
    /// When it should be done, RFC 3339; absent if the catalog does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Whether it is a standalone order: it belongs to no customer entity, and actions do not apply to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stands_alone: bool,
}

/// An open order, planned or not.
enum Open<'a> {
    Waiting(&'a EventToAdmit),
    Planned(&'a Order),
}

impl Open<'_> {
    fn key(&self) -> &OrderKey {
        match self {
            Self::Waiting(event) => &event.key,
            Self::Planned(order) => &order.key,
        }
    }

    fn accepted_at(&self) -> Timestamp {
        match self {
            Self::Waiting(event) => event.accepted_at(),
            Self::Planned(order) => order.accepted_at(),
        }
    }

    fn state(&self) -> OrderState {
        match self {
            Self::Waiting(_) => OrderState::Acknowledged,
            Self::Planned(order) => order.state(),
        }
    }

    fn listed(&self, turns: &Turns<'_>, customer: &CustomerId) -> ListedOrder {
        let (event_id, event_type, waiting_for, due_at) = match self {
            Self::Waiting(waiting) => (&waiting.event.id, &waiting.event.event_type, Some(waiting.waits()), None),
            Self::Planned(order) => (&order.event_id, &order.event_type, turns.wait_of(order), order.due_at),
        };
        let accepted_at = self.accepted_at().to_rfc3339();
        ListedOrder {
            order_id: self.key().order.clone(),
            event_id: event_id.clone(),
            event_type: event_type.clone(),
            customer_id: customer.clone(),
            state: self.state().into(),
            target: waiting_for.as_ref().and_then(WaitingFor::target).cloned(),
            code: waiting_for.as_ref().and_then(WaitingFor::code).map(str::to_owned),
            since: waiting_for.as_ref().map_or_else(|| accepted_at.clone(), |waiting| waiting.since().to_owned()),
            waiting_for: waiting_for.map(WaitView::from),
            accepted_at,
            due_at: due_at.map(Timestamp::to_rfc3339),
            stands_alone: false,
        }
    }
}

impl Customer {
    /// A page of the open orders that match a filter.
    pub fn open_orders(&self, filter: &OrderFilter) -> OrderPage {
        let mut open: Vec<Open<'_>> = self.orders.values().map(Open::Planned).collect();
        open.extend(self.inbox.iter().map(Open::Waiting));
        open.sort_by(|one, other| one.key().cmp(other.key()));
        let last = filter.after.as_ref().and_then(|after| self.key_of(after));
        let begin = last.map_or(0, |last| open.partition_point(|order| order.key() <= last));
        let turns = Turns::of(self);
        let mut listed = open
            .iter()
            .skip(begin)
            .filter(|order| filter.states.as_ref().is_none_or(|states| states.contains(&order.state())))
            .map(|order| order.listed(&turns, &self.me.customer))
            .filter(|order| filter.target.is_none() || order.target == filter.target)
            .filter(|order| filter.code.is_none() || order.code == filter.code);
        let limit = filter.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        let orders: Vec<ListedOrder> = listed.by_ref().take(limit).collect();
        let next = listed.next().and_then(|_| orders.last()).map(|last| last.order_id.clone());
        OrderPage { orders, next }
    }

    /// The key of an order; of an ended order only as long as the journal has it.
    fn key_of(&self, id: &OrderId) -> Option<&OrderKey> {
        let open = self.orders.get(id).map(|order| &order.key);
        let waiting = || self.inbox.iter().map(|waiting| &waiting.key).find(|key| key.order == *id);
        let over = || self.journal.iter().rev().filter_map(|entry| entry.key.as_ref()).find(|key| key.order == *id);
        open.or_else(waiting).or_else(over)
    }
}
