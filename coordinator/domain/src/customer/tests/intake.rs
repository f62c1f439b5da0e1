//! What an event gets when it is accepted: its key, and what is known of it later.

use super::*;
use crate::limits::CLOCKS_APART_MS_MAX;
use crate::order::OrderState;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// An event that happened this many hours ago.
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

/// Submits an event at a time; its entry in the inbox.
fn taken(now: Timestamp, event: Event, edition: Edition) -> EventToAdmit {
    let mut a = Customer { edition, ..customer() };
    a.step(now, Input::Submitted(Ok(event)));
    a.inbox[0].clone()
}

#[test]
fn the_key_of_a_stamped_event_is_the_same_in_a_later_attempt_and_that_of_another_rests_on_the_clock() {
    let stamped = |ms: u64| Event { accepted_at: Some(NOW.plus_ms(ms)), ..event("e1") };
    let key = |now: Timestamp, event: Event, edition: Edition| {
        let taken = taken(now, event, edition);
        (taken.key.accepted_at, taken.clock_bound)
    };
    let (later, edge) = (NOW.plus_ms(9_000), CLOCKS_APART_MS_MAX);
    assert_eq!(key(NOW, stamped(0), Edition::V0_2), (NOW, false));
    assert_eq!(key(later, stamped(0), Edition::V0_2), (NOW, false), "in a later attempt");
    assert_eq!(key(NOW, stamped(edge), Edition::V0_2), (NOW.plus_ms(edge), false));
    assert_eq!(key(NOW, stamped(edge + 1), Edition::V0_2), (NOW, true), "a clock that is wrong");
    assert_eq!(key(NOW, event("e1"), Edition::V0_2), (NOW, true));
    assert_eq!(key(later, stamped(0), Edition::V0_1), (later, false), "as its history says");
}

#[test]
fn the_key_of_an_event_with_a_time_and_without_a_stamp_is_the_same_in_a_later_attempt() {
    let (early, later) = (hours_ago("e1", 1), NOW.plus_ms(9_000));
    let (first, second) = (taken(NOW, early.clone(), Edition::V0_2), taken(later, early.clone(), Edition::V0_2));
    assert_eq!(first.key, second.key);
    assert_eq!(Some(first.key.accepted_at), early.time);
    assert!(!first.clock_bound);
    assert_eq!((first.accepted_at(), second.accepted_at()), (NOW, later), "what is shown is its acceptance");
    assert_eq!(taken(NOW, hours_ago("e1", 0), Edition::V0_2).key, taken(later, hours_ago("e1", 0), Edition::V0_2).key);
    let ahead = Event { time: Some(NOW.plus_ms(1)), ..event("e1") };
    assert!(taken(NOW, ahead, Edition::V0_2).clock_bound, "a time in the future does not count");
    let old = taken(NOW, early, Edition::V0_1);
    assert_eq!((old.key.accepted_at, old.taken_at, old.clock_bound), (NOW, None, false), "as its history says");
}

#[test]
fn whether_an_event_is_too_old_is_decided_within_an_hour_of_the_limit_by_a_clock_that_is_recorded() {
    let oldest = NOW.0 - REMEMBERED_MS_MAX;
    for accepted_at in [None, Some(NOW)] {
        let at = |time| taken(NOW, Event { time: Some(Timestamp(time)), accepted_at, ..event("e1") }, Edition::V0_2);
        assert!(at(oldest).clock_bound && at(oldest + HOUR_MS - 1).clock_bound);
        assert!(!at(oldest + HOUR_MS).clock_bound);
    }
}

#[test]
fn of_events_without_a_stamp_that_say_the_same_time_the_first_to_arrive_goes_first() {
    let mut a = customer();
    let ids: Vec<String> = (0..9).map(|n| format!("e{n}")).collect();
    for (ms, id) in ids.iter().enumerate() {
        a.step(NOW.plus_ms(ms as u64), Input::Submitted(Ok(hours_ago(id, 1))));
    }
    assert!(a.inbox.iter().map(|waiting| &waiting.event.id).eq(&ids));
}

#[test]
fn what_is_due_within_a_time_is_due_from_its_acceptance_whatever_stands_in_its_key() {
    let mut a = customer();
    let plan = Plan { due_within_ms: Some(1_000), ..assign() };
    admit_event(&mut a, hours_ago("e1", 1), plan, vec![(number(), ClaimAnswer::Queued)]);
    assert_eq!(a.orders[&order_id("e1")].due_at, Some(NOW.plus_ms(1_000)));
    let listed = a.open_orders(&OrderFilter::default());
    assert_eq!(listed.orders[0].accepted_at, NOW.to_rfc3339());
}
