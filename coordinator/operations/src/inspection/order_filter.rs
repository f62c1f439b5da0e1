//! Which open orders a list contains.

use chrono::{DateTime, Utc};
use interlock_domain::customer::{self, ListedOrder};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, OrderId, TargetId};
use interlock_domain::order::OrderState;
use serde_json::json;

use super::InspectionError;
use super::windows::Windows;

/// Which open orders to list; all by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Those in one of these states; in any, if empty.
    pub states: Vec<OrderState>,
    /// Those of this customer.
    pub customer: Option<CustomerId>,
    /// Those that wait at this target, or are held there.
    pub target: Option<TargetId>,
    /// Those that are held with this code.
    pub code: Option<String>,
    /// Only those that are past their `due_at`.
    pub overdue: bool,
    /// Whether an order that waits for the end of a target's maintenance window is not held: for what a person may do with held ones.
    pub for_persons: bool,
}

impl OrderFilter {
    /// A state by its name on the wire.
    ///
    /// # Errors
    /// [`InspectionError::NotOpen`]: it is not a state of an open order, and only open orders are listed.
    pub fn state(name: &str) -> Result<OrderState, InspectionError> {
        let state = serde_json::from_value::<OrderState>(json!(name)).ok();
        state.filter(|state| !state.is_terminal()).ok_or_else(|| InspectionError::NotOpen(name.to_owned()))
    }

    /// Whether only held orders match: only these have a code.
    pub(super) fn held_only(&self) -> bool {
        self.code.is_some() || (!self.states.is_empty() && self.states.iter().all(|s| *s == OrderState::Held))
    }

    /// Whether a standalone order may match: it waits for no turn and no lease, has no due time, and is held
    /// only if its activity is paused.
    pub(super) fn may_stand_alone(&self) -> bool {
        let may_be = |state: &OrderState| *state != OrderState::Pending;
        let has_state = self.states.is_empty() || self.states.iter().any(may_be);
        has_state && !self.overdue && self.code.as_ref().is_none_or(|code| ErrorCode::Paused == code.as_str())
    }

    /// The same with the states in which entities and activities are while targets are in maintenance windows: what waits for the end
    /// of one is held, and does not know it.
    pub(super) fn with_windows(&self, windows: &Windows) -> Self {
        let mut wider = self.clone();
        if !windows.is_empty() && self.states.contains(&OrderState::Held) && self.code.is_none() {
            for state in [OrderState::Pending, OrderState::InProgress] {
                if !wider.states.contains(&state) {
                    wider.states.push(state);
                }
            }
        }
        wider
    }

    /// The argument of the entity's query: after which order to start, and how many to return.
    pub(super) fn argument(&self, after: Option<&OrderId>, limit: usize) -> customer::OrderFilter {
        customer::OrderFilter {
            states: Some(self.states.clone()).filter(|states| !states.is_empty()),
            target: self.target.clone(),
            code: self.code.clone(),
            after: after.cloned(),
            limit: Some(limit),
        }
    }

    /// Whether an order that its entity listed matches, for the conditions that entities do not check, or check without windows.
    pub(super) fn wants(&self, order: &ListedOrder, now: DateTime<Utc>) -> bool {
        let has_state = |state| self.states.is_empty() || self.states.contains(&state);
        if !order.state.known().is_none_or(has_state) {
            return false;
        }
        let due = || order.due_at.as_ref().and_then(|due| DateTime::parse_from_rfc3339(due).ok());
        !self.overdue || due().is_some_and(|due| due < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_a_window_holds_is_not_in_progress() {
        let order = |state: &str| -> ListedOrder {
            let order = OrderId::derive(&"t".parse().unwrap(), &"A".parse().unwrap(), "s", "1", None);
            serde_json::from_value(json!({
                "order_id": order, "event_id": "1", "type": "t", "customer_id": "A", "state": state, "accepted_at": "",
                "since": "",
            }))
            .unwrap()
        };
        let in_progress = OrderFilter { states: vec![OrderState::InProgress], ..OrderFilter::default() };
        assert!(in_progress.wants(&order("inProgress"), Utc::now()));
        assert!(!in_progress.wants(&order("held"), Utc::now()));
    }

    #[test]
    fn an_order_is_overdue_once_its_time_is_past() {
        let now = Utc::now();
        let due = |at: Option<DateTime<Utc>>| -> ListedOrder {
            let order = OrderId::derive(&"t".parse().unwrap(), &"A".parse().unwrap(), "s", "1", None);
            serde_json::from_value(json!({
                "order_id": order, "event_id": "1", "type": "t", "customer_id": "A", "state": "pending",
                "accepted_at": "", "since": "", "due_at": at.map(|at| at.to_rfc3339()),
            }))
            .unwrap()
        };
        let overdue = OrderFilter { overdue: true, ..OrderFilter::default() };
        let second = chrono::TimeDelta::seconds(1);
        assert!(overdue.wants(&due(Some(now - second)), now));
        assert!(!overdue.wants(&due(Some(now + second)), now));
        assert!(!overdue.wants(&due(None), now));
        assert!(OrderFilter::default().wants(&due(None), now));
    }

    #[test]
    fn while_a_target_is_in_a_window_held_orders_are_looked_for_among_all_that_wait() {
        let held = |code: Option<&str>| OrderFilter {
            states: vec![OrderState::Held],
            code: code.map(str::to_owned),
            ..OrderFilter::default()
        };
        assert!(held(None).with_windows(&Windows::default()).held_only());
        let windows = Windows::of(["hss".parse().unwrap()]);
        let wider = held(None).with_windows(&windows);
        assert_eq!(wider.states, [OrderState::Held, OrderState::Pending, OrderState::InProgress]);
        assert!(held(Some("in_use")).with_windows(&windows).held_only(), "a window has no code");
        let pending = OrderFilter { states: vec![OrderState::Pending], ..OrderFilter::default() };
        assert_eq!(pending.with_windows(&windows), pending);
    }

    #[test]
    fn only_entities_with_held_orders_are_asked_where_no_other_can_be_wanted() {
        let held_only = |states: &[OrderState], code: Option<&str>| {
            let code = code.map(str::to_owned);
            OrderFilter { states: states.to_vec(), code, ..OrderFilter::default() }.held_only()
        };
        assert!(held_only(&[OrderState::Held], None));
        assert!(held_only(&[], Some("refused_by_target")));
        assert!(!held_only(&[], None));
        assert!(!held_only(&[OrderState::Held, OrderState::Pending], None));
    }

    #[test]
    fn what_stands_alone_is_looked_for_only_where_it_may_be_wanted() {
        let may = |states: &[OrderState], code: Option<&str>, overdue| {
            let code = code.map(str::to_owned);
            OrderFilter { states: states.to_vec(), code, overdue, ..OrderFilter::default() }.may_stand_alone()
        };
        assert!(may(&[], None, false) && may(&[OrderState::Held], Some("paused"), false));
        assert!(may(&[OrderState::Pending, OrderState::InProgress], None, false));
        assert!(!may(&[OrderState::Pending], None, false));
        assert!(!may(&[], Some("refused_by_target"), false));
        assert!(!may(&[], None, true));
    }
}
