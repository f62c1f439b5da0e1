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

#[test]
fn what_an_admission_leaves_out_is_admitted_next_in_the_order_of_the_keys() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(hours_ago("e0", 60))));
    for (id, hours) in [("e1", 50), ("e2", 40), ("e3", 30), ("e4", 20)] {
        a.step(NOW, Input::Submitted(Ok(hours_ago(id, hours))));
    }
    let ids = |effects: &[Effect]| match effects {
        [Effect::Admit(admission)] => admission.events.iter().map(|waiting| waiting.event.id.clone()).collect(),
        other => panic!("{other:?}"),
    };
    let mut admission: Vec<String> = ids(&a.step(NOW, rejected(&["e0"])));
    assert_eq!(admission, ["e1", "e2", "e3", "e4"]);
    a.step(NOW, Input::Submitted(Ok(hours_ago("e2.5", 35))));
    admission = ids(&a.step(NOW, rejected(&["e1"])));
    assert_eq!(admission, ["e2", "e2.5", "e3", "e4"]);
}

/// The answer to an admission, for as many events as these.
fn rejected(ids: &[&str]) -> Input {
    let rejection = Rejection::new(ErrorCode::InvalidData, "x");
    Input::Admitted(AdmissionAnswer {
        admitted: ids.iter().map(|_| Admitted::Rejected { rejection: rejection.clone() }).collect(),
        limits: EntityLimits::default(),
        attributes_registered: false,
        subscriptions: None,
        queue_assignment: None,
    })
}

#[test]
fn what_a_worker_or_a_sender_says_is_kept_only_in_part() {
    let long = "x".repeat(1_000_000);
    let mut a = customer();
    admit_event(&mut a, hours_ago("e0", 60), assign(), vec![(number(), granted(1))]);
    let outcome = Outcome::Permanent { code: ReasonCode::of_target(long.clone()), detail: long.clone() };
    a.step(NOW, Input::StepEnded { order: order_id("e0"), step: 0, outcome });
    a.step(
        NOW,
        Input::Submitted(Err(Rejection { code: ErrorCode::NotJson.into(), detail: long.clone(), event: None })),
    );
    a.step(NOW, Input::Misidentified { claimed: long });
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    let bytes = serde_json::to_vec(&a).unwrap().len();
    assert!(bytes < 50_000, "{bytes} bytes");
}

#[test]
fn orders_of_hundreds_of_steps_that_are_over_leave_a_journal_of_limited_size() {
    let number = |n| format!("msisdn/1206{n:07}").parse::<ResourceId>().unwrap();
    let claims: Vec<(ClaimMode, ResourceId)> = (0..490).map(|n| (ClaimMode::Release, number(n))).collect();
    let steps = claims
        .iter()
        .enumerate()
        .map(|(n, (_, number))| step(&format!("hss.release_number#{n}"), std::slice::from_ref(number), &[]));
    let large = plan(&claims, steps.collect());
    let mut a = customer();
    for order in 0..100 {
        a.step(NOW, Input::Submitted(Ok(event(&order.to_string()))));
        a.step(NOW, planned(large.clone(), Vec::new()));
        while let Local::Sending(_) = a.local {
            a.step(NOW, Input::Sent);
        }
    }
    assert!(a.journal.len() > 90, "most are too large");
    assert!(a.journal.back().is_some_and(|newest| newest.steps.len() == 490), "the newest is shown with all its steps");
    let bytes = serde_json::to_vec(&a.journal).unwrap().len();
    assert!(bytes < 1024 * 1024, "{bytes} bytes");
}

#[test]
fn a_rejected_event_is_named_in_the_journal_if_its_id_can_be_read() {
    let named = |event: &[u8]| {
        let mut a = customer();
        a.step(NOW, Input::Submitted(Event::from_slice(event, 500)));
        assert_eq!(a.counts.rejected, 1);
        a.journal.back().unwrap().event.clone()
    };
    let with = |field: &str, value: serde_json::Value| {
        let mut event = serde_json::json!({"specversion": "1.0", "id": "e1", "source": "/crm", "type": "number.assigned",
            "subject": "A", "data": {}});
        event[field] = value;
        event.to_string().into_bytes()
    };
    let whole = Some(("e1".to_owned(), "number.assigned".to_owned()));
    for event in [
        with("specversion", "0.3".into()),
        with("source", "".into()),
        with("subject", 7.into()),
        with("time", "yesterday".into()),
        with("data", "text".into()),
        with("data", "x".repeat(1_000).into()),
        with("datacontenttype", vec![0; 600].into()),
    ] {
        assert_eq!(named(&event), whole, "{}", String::from_utf8_lossy(&event));
    }
    assert_eq!(named(&with("type", 7.into())), Some(("e1".to_owned(), String::new())));
    for event in
        [with("id", 7.into()), with("id", "a\u{0}b".into()), with("id", "x".repeat(2_000).into()), b"{".to_vec()]
    {
        assert_eq!(named(&event), None, "{}", String::from_utf8_lossy(&event));
    }
}
