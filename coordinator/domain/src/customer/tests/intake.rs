//! What an event is given when it is taken in: its key, and what is known of it later.

use super::*;
use crate::order::OrderState;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// An event that happened so many hours ago.
fn hours_ago(id: &str, hours: i64) -> Event {
    Event { time: Some(Timestamp(NOW.0 - hours * HOUR_MS)), ..event(id) }
}

/// Submits an event and admits it with this plan; the effects of the admission.
fn admit_event(a: &mut Customer, event: Event, plan: Plan, answers: Vec<(ResourceId, ClaimAnswer)>) -> Vec<Effect> {
    a.step(NOW, Input::Submitted(Ok(event)));
    a.step(NOW, planned(plan, answers))
}

#[test]
fn an_assign_of_50_hours_ago_that_arrives_after_a_release_of_49_hours_ago_is_superseded() {
    let mut a = customer();
    admit_event(&mut a, hours_ago("e0", 60), assign(), vec![(number(), granted(1))]);
    a.step(NOW, done("e0", 0));
    admit_event(&mut a, hours_ago("release", 49), release(), Vec::new());
    a.step(NOW, done("release", 0));
    a.step(NOW, Input::Sent);
    let effects = admit_event(&mut a, hours_ago("assign", 50), assign(), vec![(number(), granted(2))]);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Provision { .. })), "{effects:?}");
    assert_eq!(a.state_of(&order_id("assign")), Some(OrderState::Superseded));
}
