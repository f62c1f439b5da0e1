//! Orders that wait for the end of a target's maintenance window. Their customers do not know of windows, so it is added to what they
//! show: such an order is held, as one that waits for a person is.

use std::collections::BTreeSet;

use chrono::Utc;
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::customer::{ListedOrder, OrderView, OtherWait, Wait, WaitView};
use interlock_domain::ids::{TargetId, Timestamp};
use interlock_domain::order::OrderState;
use interlock_domain::target_entity::TargetStateName;
use interlock_domain::wire::WireName;

use super::Inspection;

/// The targets that are in a maintenance window now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Windows(BTreeSet<TargetId>);

impl Inspection {
    /// The targets that are in a maintenance window, of those that `may_be`. Only targets are asked whose settings here have a window
    /// now; a person may have ended it. One that does not answer counts as called.
    pub(super) async fn windows(&self, may_be: impl Fn(&TargetId) -> bool) -> Windows {
        let now = Timestamp(Utc::now().timestamp_millis());
        let mut have_window = Vec::new();
        for (target, of) in &self.installation.settings.targets {
            let has_window = of.maintenance.iter().any(|window| window.window().ends_after(now).is_some());
            if has_window && may_be(target) {
                have_window.push(target);
            }
        }
        let asked = have_window.into_iter().map(|target| async move {
            let view = self.target(target).await.ok()?;
            (view.state == TargetStateName::Maintenance).then(|| target.clone())
        });
        Windows(futures_util::future::join_all(asked).await.into_iter().flatten().collect())
    }

    /// The windows that may hold this order.
    pub(super) async fn windows_for(&self, order: &OrderView) -> Windows {
        let waits_at = order.waiting_for.as_ref().filter(|waiting| waiting.is_for_call()).and_then(WaitView::target);
        match waits_at {
            Some(waits_at) => self.windows(|target| target == waits_at).await,
            None => Windows::default(),
        }
    }
}

impl Windows {
    /// These targets are in one.
    #[cfg(test)]
    pub(super) fn of(targets: impl IntoIterator<Item = TargetId>) -> Self {
        Self(targets.into_iter().collect())
    }

    /// Whether no target is in one.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows a listed order as held if it waits for the end of a window.
    pub(super) fn show_in_list(&self, order: &mut ListedOrder) {
        self.show(&mut order.state, order.waiting_for.as_mut());
    }

    /// The same for an order.
    pub(super) fn show_in_view(&self, order: &mut OrderView) {
        self.show(&mut order.state, order.waiting_for.as_mut());
    }

    fn show(&self, state: &mut WireName<OrderState>, waiting: Option<&mut WaitView>) {
        let Some(waiting) = waiting.filter(|waiting| waiting.is_for_call()) else { return };
        let Some(target) = waiting.target().filter(|target| self.0.contains(target)).cloned() else { return };
        *state = OrderState::Held.into();
        waiting.wait = Wait::Other(OtherWait {
            waits_for: WaitKind::Window.into(),
            step: waiting.step().map(str::to_owned),
            resource: None,
            resources: Vec::new(),
            target: Some(target),
            behind: None,
            code: None,
            detail: None,
            since: Some(waiting.since().to_owned()),
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn listed(waiting: &Value) -> ListedOrder {
        serde_json::from_value(json!({
            "order_id": "A~00000000-0000-0000-0000-000000000001", "event_id": "e", "type": "t", "customer_id": "A",
            "state": "inProgress", "accepted_at": "", "since": "", "waiting_for": waiting, "target": waiting["target"],
        }))
        .unwrap()
    }

    #[test]
    fn an_order_that_waits_at_a_target_in_a_window_is_held_by_the_window() {
        let windows = Windows::of(["hss".parse().unwrap()]);
        let shown = |waiting: Value| {
            let mut order = listed(&waiting);
            windows.show_in_list(&mut order);
            (order.state.known().unwrap(), json!(order.waiting_for))
        };
        let at_hss = json!({"waits_for": "target", "target": "hss", "step": "hss.assign", "since": "now"});
        let held = json!({"waits_for": "window", "target": "hss", "step": "hss.assign", "since": "now"});
        assert_eq!(shown(at_hss), (OrderState::Held, held));
        for other in [
            json!({"waits_for": "target", "target": "crm", "step": "crm.add", "since": "now"}),
            json!({"waits_for": "turn", "target": "hss", "behind": null, "ahead": 1, "step": "hss.assign", "since": "now"}),
        ] {
            assert_eq!(shown(other.clone()), (OrderState::InProgress, other));
        }
    }
}
