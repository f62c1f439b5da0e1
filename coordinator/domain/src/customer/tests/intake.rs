//! What an event is given when it is taken in: its key, and what is known of it later.

use super::*;
use crate::limits::CLOCKS_APART_MS_MAX;
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

#[test]
fn a_run_that_began_with_0_1_0_takes_them_in_order_of_arrival_as_its_history_says() {
    let mut a = Customer { edition: Edition::V0_1, ..customer() };
    admit_event(&mut a, hours_ago("e0", 60), assign(), vec![(number(), granted(1))]);
    a.step(NOW, done("e0", 0));
    admit_event(&mut a, hours_ago("release", 49), release(), Vec::new());
    a.step(NOW, done("release", 0));
    a.step(NOW, Input::Sent);
    admit_event(&mut a, hours_ago("assign", 50), assign(), vec![(number(), granted(2))]);
    assert_ne!(a.state_of(&order_id("assign")), Some(OrderState::Superseded));
}

/// Submits an event that the admission rejects: its order is over at once.
fn submit_and_end(a: &mut Customer, now: Timestamp, id: &str) {
    a.step(now, Input::Submitted(Ok(event(id))));
    let rejection = Rejection::new(ErrorCode::UnknownEventType, "no");
    let (admitted, limits) = (vec![Admitted::Rejected { rejection }], a.limits);
    a.step(now, Input::Admitted(AdmissionAnswer { admitted, limits, attributes_registered: false, home: None }));
}

/// A customer after so many orders, one a millisecond, that shows few of them.
fn after_orders(edition: Edition, count: i64, digests_max: usize) -> Customer {
    let mut a = Customer { edition, ..customer() };
    (a.limits.remembered_orders_max, a.limits.order_digests_max) = (3, digests_max);
    for n in 0..count {
        submit_and_end(&mut a, NOW.plus_ms(n.unsigned_abs()), &format!("e{n}"));
    }
    a
}

/// Whether an event that comes now is recognised as a duplicate.
fn is_duplicate(a: &Customer, event: Event) -> bool {
    let mut a = a.clone();
    let before = a.counts.duplicates;
    a.step(NOW.plus_ms(60_000), Input::Submitted(Ok(event)));
    a.counts.duplicates > before
}

#[test]
fn a_duplicate_is_recognised_however_many_younger_orders_there_are_and_after_the_state_has_travelled() {
    let a = after_orders(Edition::V0_2, 40, 1_000);
    let next: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    assert_eq!((next.remembered.len(), next.digests.count()), (3, 40));
    for n in 0..40 {
        assert!(is_duplicate(&next, event(&format!("e{n}"))), "e{n}");
    }
    assert!(!is_duplicate(&next, event("e40")));
    let early = after_orders(Edition::V0_1, 40, 1_000);
    assert!(!is_duplicate(&early, event("e0")), "as its history may say");
}

#[test]
fn orders_that_a_state_of_0_1_0_remembers_are_recognised_when_they_are_no_longer_shown() {
    let a = after_orders(Edition::V0_1, 3, 1_000);
    let mut state = serde_json::to_value(&a).unwrap();
    state.as_object_mut().unwrap().remove("digests").unwrap();
    let mut next: Customer = serde_json::from_value(state).unwrap();
    for id in ["f0", "f1", "f2", "f3"] {
        submit_and_end(&mut next, NOW, id);
    }
    assert!(next.remembered.iter().all(|over| over.order != order_id("e0")));
    assert!(is_duplicate(&next, event("e0")));
}

#[test]
fn a_customer_with_all_the_digests_it_may_have_forgets_the_oldest_and_takes_nothing_from_before() {
    let full = after_orders(Edition::V0_2, 16, 16);
    assert_eq!((full.digests.count(), full.digests.horizon()), (16, None));
    let a = after_orders(Edition::V0_2, 17, 16);
    assert_eq!((a.digests.count(), a.digests.horizon()), (16, Some(NOW.plus_ms(1))));
    assert!(!is_duplicate(&a, event("e0")) && is_duplicate(&a, event("e1")));
    let at = |id: &str, time| Event { time: Some(time), ..event(id) };
    let after = |event: Event| {
        let mut after = a.clone();
        after.step(NOW.plus_ms(60_000), Input::Submitted(Ok(event)));
        after
    };
    assert_eq!(after(at("e0", NOW)).journal.back().unwrap().code.as_deref(), Some("too_old"));
    let taken = after(at("new", NOW.plus_ms(1)));
    assert_eq!(taken.counts.rejected, a.counts.rejected, "at the horizon it is taken");
}

#[test]
fn what_ended_more_than_30_days_ago_is_forgotten() {
    let mut a = customer();
    a.limits.order_digests_max = 16;
    submit_and_end(&mut a, NOW, "e0");
    submit_and_end(&mut a, NOW.plus_ms(REMEMBERED_MS_MAX.unsigned_abs()), "e1");
    assert_eq!(a.digests.count(), 2);
    submit_and_end(&mut a, NOW.plus_ms(REMEMBERED_MS_MAX.unsigned_abs() + 1), "e2");
    assert_eq!((a.digests.count(), a.digests.horizon()), (2, Some(NOW.plus_ms(1))));
}

#[test]
fn the_key_of_a_stamped_event_is_the_same_in_a_later_attempt_and_that_of_another_rests_on_the_clock() {
    let stamped = |ms: u64| Event { accepted_at: Some(NOW.plus_ms(ms)), ..event("e1") };
    let taken = |now: Timestamp, event: Event, edition: Edition| {
        let mut a = Customer { edition, ..customer() };
        a.step(now, Input::Submitted(Ok(event)));
        (a.inbox[0].key.accepted_at, a.inbox[0].rests_on_clock())
    };
    let (later, edge) = (NOW.plus_ms(9_000), CLOCKS_APART_MS_MAX);
    assert_eq!(taken(NOW, stamped(0), Edition::V0_2), (NOW, false));
    assert_eq!(taken(later, stamped(0), Edition::V0_2), (NOW, false), "in a later attempt");
    assert_eq!(taken(NOW, stamped(edge), Edition::V0_2), (NOW.plus_ms(edge), false));
    assert_eq!(taken(NOW, stamped(edge + 1), Edition::V0_2), (NOW, true), "a clock that is wrong");
    assert_eq!(taken(NOW, event("e1"), Edition::V0_2), (NOW, true));
    assert_eq!(taken(later, stamped(0), Edition::V0_1), (later, false), "as its history says");
}
