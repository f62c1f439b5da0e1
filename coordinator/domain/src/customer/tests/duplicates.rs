//! A repeated event is recognised, or rejected as `too_old`, and never executed a second time.

use super::*;
use crate::event::Half;
use crate::order::OrderState;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn dated(id: &str, time: Timestamp) -> Event {
    Event { time: Some(time), ..event(id) }
}

fn service() -> Plan {
    plan(&[], vec![step("hss.update", &[], &[])])
}

/// Submits an event and, if it is accepted, completes its order at once. Returns whether it was accepted.
fn is_done(a: &mut Customer, now: Timestamp, event: Event) -> bool {
    let order = event.order_id(&a.me.tenant, event.half);
    let effects = a.step(now, Input::Submitted(Ok(event)));
    if !matches!(effects.as_slice(), [Effect::Admit(_)]) {
        return false;
    }
    let (admitted, limits) = (vec![Admitted::Planned { plan: service(), answers: Vec::new() }], a.limits);
    a.step(
        now,
        Input::Admitted(AdmissionAnswer {
            admitted,
            limits,
            attributes_registered: false,
            subscriptions: None,
            queue_assignment: None,
        }),
    );
    a.step(now, Input::StepEnded { order: order.clone(), step: 0, outcome: Outcome::Done });
    assert_eq!(a.state_of(&order), Some(OrderState::Completed));
    true
}

/// Submits an event that the admission rejects.
fn is_rejected(a: &mut Customer, now: Timestamp, id: &str) {
    a.step(now, Input::Submitted(Ok(event(id))));
    let rejection = Rejection::new(ErrorCode::UnknownEventType, "no");
    let (admitted, limits) = (vec![Admitted::Rejected { rejection }], a.limits);
    a.step(
        now,
        Input::Admitted(AdmissionAnswer {
            admitted,
            limits,
            attributes_registered: false,
            subscriptions: None,
            queue_assignment: None,
        }),
    );
}

/// A customer that shows only a few of its orders and remembers only a few of their ids.
fn forgetful(digests_max: usize) -> Customer {
    let mut a = customer();
    (a.limits.remembered_orders_max, a.limits.order_digests_max) = (3, digests_max);
    a
}

fn last_code(a: &Customer) -> Option<&str> {
    a.journal.back().and_then(|entry| entry.code.as_deref())
}

/// The state as the entity's next run reads it.
fn travelled(a: &Customer) -> Customer {
    serde_json::from_value(serde_json::to_value(a).unwrap()).unwrap()
}

#[test]
fn a_duplicate_is_recognised_however_many_younger_orders_there_are_and_after_the_state_has_travelled() {
    let mut a = forgetful(1_000);
    for n in 0..40 {
        assert!(is_done(&mut a, NOW.plus_ms(n), event(&format!("e{n}"))));
    }
    let mut next = travelled(&a);
    assert_eq!((next.remembered.len(), next.digests.count()), (3, 40));
    for n in 0..40 {
        assert!(!is_done(&mut next, NOW.plus_ms(60_000), event(&format!("e{n}"))), "e{n}");
    }
    assert_eq!(next.counts.duplicates, 40);
    assert!(is_done(&mut next, NOW.plus_ms(60_000), event("e40")));
    let mut early = Customer { edition: Edition::V0_1, ..a };
    assert!(is_done(&mut early, NOW.plus_ms(60_000), event("e0")), "as its history may say");
}

#[test]
fn a_duplicate_that_says_another_time_or_none_is_recognised_as_long_as_the_id_is_remembered() {
    let mut a = forgetful(1_000);
    assert!(is_done(&mut a, NOW, dated("dated", NOW)) && is_done(&mut a, NOW, event("undated")));
    for n in 0..10 {
        assert!(is_done(&mut a, NOW.plus_ms(n), event(&format!("e{n}"))));
    }
    for id in ["dated", "undated"] {
        for again in [event(id), dated(id, NOW.plus_ms(DAY_MS)), dated(id, Timestamp(NOW.0 - 1))] {
            assert!(!is_done(&mut a, NOW.plus_ms(60_000), again));
        }
        assert!(!is_done(&mut a, NOW.plus_ms(60_000), Event { half: Some(Half::From), ..event(id) }));
    }
    assert_eq!(a.counts.duplicates, 8);
}

#[test]
fn the_receiving_half_of_an_event_is_another_order_and_recognised_like_any_other() {
    let mut a = forgetful(1_000);
    let half = || Event { half: Some(Half::To), ..dated("e1", NOW) };
    assert!(is_done(&mut a, NOW, dated("e1", NOW)) && is_done(&mut a, NOW, half()));
    for n in 0..10 {
        assert!(is_done(&mut a, NOW.plus_ms(n), event(&format!("f{n}"))));
    }
    assert!(!is_done(&mut a, NOW.plus_ms(60_000), half()));
}

#[test]
fn a_flood_of_rejected_events_neither_moves_the_horizon_nor_has_ids_forgotten() {
    let mut a = forgetful(16);
    assert!(is_done(&mut a, NOW, dated("dated", NOW)) && is_done(&mut a, NOW, event("undated")));
    for n in 0..1_000 {
        is_rejected(&mut a, NOW.plus_ms(n), &format!("no{n}"));
        a.step(NOW.plus_ms(n), Input::Submitted(Ok(dated(&format!("old{n}"), Timestamp(0)))));
    }
    assert_eq!((a.digests.count(), a.digests.horizon()), (2, None));
    assert!(!is_done(&mut a, NOW.plus_ms(2_000), dated("dated", NOW)));
    assert!(!is_done(&mut a, NOW.plus_ms(2_000), event("undated")));
    assert_eq!(a.counts.duplicates, 2);
}

#[test]
fn a_duplicate_of_a_rejected_event_is_recognised_while_it_is_shown_and_judged_anew_later() {
    let mut a = forgetful(16);
    is_rejected(&mut a, NOW, "no");
    assert!(!is_done(&mut a, NOW, event("no")));
    assert_eq!(a.counts.duplicates, 1);
    for n in 0..3 {
        is_rejected(&mut a, NOW, &format!("no{n}"));
    }
    assert!(is_done(&mut a, NOW, event("no")), "it had no effect yet");
    assert!(!is_done(&mut a, NOW, event("no")));
}

#[test]
fn a_rejected_event_that_is_corrected_and_sent_again_with_its_id_is_taken_and_an_unchanged_one_is_not() {
    let mut a = forgetful(16);
    is_rejected(&mut a, NOW, "no");
    let mut a = travelled(&a);
    let corrected = || {
        let mut corrected = event("no");
        corrected.data.insert("imsi".to_owned(), "001010000000009".into());
        corrected
    };
    let stamped = Event { accepted_at: Some(NOW), bytes: 7, ..event("no") };
    assert!(!is_done(&mut a, NOW, stamped), "it says the same, sent again");
    assert!(is_done(&mut a, NOW, corrected()));
    assert_eq!(a.state_of(&order_id("no")), Some(OrderState::Completed));
    assert!(!is_done(&mut a, NOW, corrected()) && !is_done(&mut a, NOW, event("no")), "it is done");
    assert_eq!(a.counts.duplicates, 3);
    let mut early = forgetful(16);
    early.begin_run(Edition::V0_1);
    is_rejected(&mut early, NOW, "no");
    assert!(!is_done(&mut early, NOW, corrected()), "as its history may say");
}

#[test]
fn a_customer_with_all_the_digests_it_may_have_forgets_the_oldest_and_takes_nothing_from_before() {
    let mut a = forgetful(16);
    let at = |n: u64| NOW.plus_ms(n);
    for n in 0..16 {
        assert!(is_done(&mut a, at(n), dated(&format!("e{n}"), at(n))));
    }
    assert_eq!((a.digests.count(), a.digests.horizon()), (16, None));
    assert!(is_done(&mut a, at(16), dated("e16", at(16))));
    assert_eq!((a.digests.count(), a.digests.horizon()), (16, Some(at(1))));
    assert!(!is_done(&mut a, at(17), dated("e0", at(0))));
    assert_eq!(last_code(&a), Some("too_old"));
    assert!(!is_done(&mut a, at(17), dated("e1", at(1))));
    assert_eq!(a.counts.duplicates, 1);
    assert!(is_done(&mut a, at(17), dated("new", at(1))), "at the horizon it is taken");
}

#[test]
fn an_event_without_a_time_is_never_done_again_within_30_days_and_more_of_them_than_are_remembered_are_refused() {
    let mut a = forgetful(16);
    let taken = (0..40).filter(|n| is_done(&mut a, NOW.plus_ms(*n), event(&format!("e{n}")))).count();
    assert_eq!((taken, last_code(&a)), (12, Some("too_old")));
    // Dated events are always accepted, and a quarter of the memory is reserved for them.
    for n in 0..40 {
        assert!(is_done(&mut a, NOW.plus_ms(100 + n), dated(&format!("d{n}"), NOW.plus_ms(100 + n))), "d{n}");
    }
    assert_eq!((a.digests.count(), a.digests.undated_count()), (16, 12));
    assert_eq!(a.digests.horizon(), Some(NOW.plus_ms(136)));
    let mut a = travelled(&a);
    let almost = NOW.plus_ms(30 * DAY_MS);
    for n in 0..12 {
        assert!(!is_done(&mut a, almost, event(&format!("e{n}"))), "e{n}");
    }
    assert_eq!(a.counts.duplicates, 12);
    let later = NOW.plus_ms(30 * DAY_MS + 1);
    assert!(!is_done(&mut a, almost, event("too many")));
    assert!(is_done(&mut a, later, event("new")), "one is 30 days old");
    assert!(!is_done(&mut a, later, event("newer")));
}

#[test]
fn events_without_a_time_that_are_open_count_as_those_that_are_remembered() {
    let mut a = forgetful(16);
    for n in 0..10 {
        assert!(is_done(&mut a, NOW, event(&format!("e{n}"))));
    }
    admit(&mut a, "open", assign(), vec![(number(), ClaimAnswer::Queued)]);
    a.limits.order_digests_max = 16;
    a.step(NOW, Input::Submitted(Ok(event("waiting"))));
    assert_eq!((a.orders.len(), a.inbox.len()), (1, 1));
    a.step(NOW, Input::Submitted(Ok(event("one more"))));
    assert_eq!((a.inbox.len(), last_code(&a)), (1, Some("too_old")));
}

#[test]
fn an_event_whose_time_lies_in_the_future_is_never_done_again() {
    let mut a = forgetful(16);
    let (soon, far) = (NOW.plus_ms(10 * 60_000), NOW.plus_ms(365 * DAY_MS));
    assert!(is_done(&mut a, NOW, dated("soon", soon)) && is_done(&mut a, NOW, dated("far", far)));
    for n in 0..40 {
        assert!(is_done(&mut a, NOW.plus_ms(n), dated(&format!("e{n}"), NOW.plus_ms(n))));
    }
    for at in [NOW.plus_ms(60_000), NOW.plus_ms(30 * DAY_MS), NOW.plus_ms(30 * DAY_MS + 5 * 60_000)] {
        assert!(!is_done(&mut a, at, dated("soon", soon)) && !is_done(&mut a, at, dated("far", far)));
        assert_eq!(a.digests.horizon(), Some(NOW.plus_ms(26)), "one event does not move it into the future");
    }
    // Its time is more than 30 days ago.
    assert!(!is_done(&mut a, NOW.plus_ms(30 * DAY_MS + 20 * 60_000), dated("soon", soon)));
    assert!(!is_done(&mut a, NOW.plus_ms(60 * DAY_MS), dated("far", far)));
    let later = NOW.plus_ms(60 * DAY_MS + 1);
    assert!(
        is_done(&mut a, later, event("new")) && is_done(&mut a, later, dated("far", far)),
        "as the page on events says"
    );
}

#[test]
fn an_event_that_lay_in_the_future_when_it_came_and_not_when_it_ended_is_dated() {
    let mut a = forgetful(16);
    let soon = NOW.plus_ms(1_000);
    a.step(NOW, Input::Submitted(Ok(dated("soon", soon))));
    a.step(NOW, planned(service(), Vec::new()));
    a.limits.order_digests_max = 16;
    a.step(soon, done("soon", 0));
    assert_eq!((a.digests.count(), a.digests.undated_count()), (1, 0));
}

#[test]
fn what_ended_more_than_30_days_ago_is_forgotten_and_refused() {
    let mut a = customer();
    a.limits.order_digests_max = 16;
    let at = |ms: u64| NOW.plus_ms(ms);
    assert!(is_done(&mut a, NOW, dated("e0", NOW)));
    assert!(is_done(&mut a, at(30 * DAY_MS), dated("e1", at(30 * DAY_MS))));
    assert_eq!((a.digests.count(), a.digests.horizon()), (2, None));
    assert!(is_done(&mut a, at(30 * DAY_MS + 1), dated("e2", at(30 * DAY_MS))));
    assert_eq!((a.digests.count(), a.digests.horizon()), (2, Some(at(1))));
    assert!(!is_done(&mut a, at(30 * DAY_MS + 1), dated("e0", NOW)));
    assert_eq!(last_code(&a), Some("too_old"));
}

/// A state as 0.1.0 wrote it, after this many orders.
fn of_0_1_0(orders: u64) -> Customer {
    let mut a = Customer { edition: Edition::V0_1, ..forgetful(1_000) };
    for n in 0..orders {
        assert!(is_done(&mut a, NOW.plus_ms(n), dated(&format!("e{n}"), NOW)));
    }
    let mut state = serde_json::to_value(&a).unwrap();
    state.as_object_mut().unwrap().remove("digests").unwrap();
    serde_json::from_value(state).unwrap()
}

#[test]
fn orders_that_a_state_of_0_1_0_remembers_are_recognised_when_they_are_no_longer_shown() {
    let mut next = of_0_1_0(2);
    for n in 0..4 {
        assert!(is_done(&mut next, NOW.plus_ms(10), event(&format!("f{n}"))));
    }
    assert!(next.remembered.iter().all(|over| over.order != order_id("e0")));
    assert_eq!(next.digests.horizon(), None);
    assert!(!is_done(&mut next, NOW.plus_ms(10), dated("e0", NOW)));
    assert_eq!(next.counts.duplicates, 1);
}

#[test]
fn of_orders_that_a_state_of_0_1_0_has_forgotten_a_dated_duplicate_is_refused_from_the_first_event_on() {
    let mut next = of_0_1_0(5);
    assert!(!is_done(&mut next, NOW.plus_ms(10), dated("e0", NOW)));
    assert_eq!((last_code(&next), next.digests.horizon()), (Some("too_old"), Some(NOW.plus_ms(3))));
}
