//! What subscribers are told.

use super::*;
use crate::ids::SubscriptionId;
use crate::limits::{OUTGOING_BATCH_MAX, OUTGOING_BYTES_MAX, OUTGOING_EVENTS_MAX};
use crate::observation::Observation;
use crate::outgoing::{About, OutgoingBatch, TellAgain};
use crate::subscription::{OutgoingType, Subscription};

fn subscription(more: &Value) -> Subscription {
    let mut all = json!({"id": "crm", "target": "hook"});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn crm() -> SubscriptionId {
    "crm".parse().unwrap()
}

fn answer(admitted: Vec<Admitted>, subscriptions: Vec<Subscription>) -> Input {
    Input::Admitted(AdmissionAnswer {
        admitted,
        limits: EntityLimits::default(),
        attributes_registered: false,
        subscriptions: Some(subscriptions),
        queue_assignment: None,
    })
}

/// Submits an event, and admits it with this plan and these subscriptions.
fn admit_for(
    customer: &mut Customer,
    id: &str,
    plan: Plan,
    answers: Vec<(ResourceId, ClaimAnswer)>,
    subscriptions: Vec<Subscription>,
) -> Vec<Effect> {
    customer.step(NOW, Input::Submitted(Ok(event(id))));
    customer.step(NOW, answer(vec![Admitted::Planned { plan, answers }], subscriptions))
}

fn batches(effects: &[Effect]) -> Vec<&OutgoingBatch> {
    effects.iter().filter_map(|effect| if let Effect::Deliver(batch) = effect { Some(batch) } else { None }).collect()
}

fn types(effects: &[Effect]) -> Vec<&'static str> {
    batches(effects).iter().flat_map(|batch| &batch.events).map(|event| event.event_type.state()).collect()
}

fn delivered() -> Input {
    Input::Delivered { subscription: crm() }
}

#[test]
fn an_order_is_told_when_it_is_planned_and_when_it_ends_in_this_order() {
    let mut a = customer();
    let effects = admit_for(&mut a, "e1", assign(), vec![(number(), granted(7))], vec![subscription(&json!({}))]);
    assert_eq!(types(&effects), ["acknowledged"]);
    assert_eq!(batches(&effects)[0].target.as_str(), "hook");
    let effects = a.step(NOW, done("e1", 0));
    assert_eq!(types(&effects), [""; 0], "one batch at a time");
    assert_eq!(a.view().outgoing[&crm()].waiting, 2);
    let effects = a.step(NOW, delivered());
    assert_eq!(types(&effects), ["completed"]);
    let About::Order(report) = &batches(&effects)[0].events[0].about else { panic!() };
    assert_eq!(report.order_id, Some(order_id("e1")));
    assert_eq!((report.event_id.as_deref(), report.event_type.as_deref()), (Some("e1"), Some("any")));
    assert_eq!(report.steps[0].step.outcome.as_deref(), Some("done"));
    assert_eq!(report.steps[0].idempotency_key, Some(order_id("e1").step_key("hss.assign")));
    assert_eq!(a.step(NOW, delivered()), vec![]);
    assert!(a.view().outgoing.is_empty());
}

#[test]
fn a_tenant_without_subscriptions_pays_nothing() {
    let mut a = customer();
    let effects = admit_for(&mut a, "e1", assign(), vec![(number(), granted(7))], Vec::new());
    assert_eq!(batches(&effects).len(), 0);
    assert_eq!(a.step(NOW, done("e1", 0)), vec![]);
    assert_eq!(a.wake_at(), None);
    assert_eq!(serde_json::to_value(&a).unwrap()["subscribers"], json!({"known": []}));
}

#[test]
fn a_waiting_receiver_delays_no_order() {
    let mut a = customer();
    for number in 0..40 {
        let plan = plan(&[], vec![step("crm.note", &[], &[])]);
        let id = format!("e{number}");
        let effects = admit_for(&mut a, &id, plan, Vec::new(), vec![subscription(&json!({}))]);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Provision { .. })), "{effects:?}");
        a.step(NOW, done(&id, 0));
    }
    assert_eq!((a.orders.len(), a.counts.ended), (0, 40));
    let effects = a.step(NOW, delivered());
    assert_eq!(batches(&effects)[0].events.len(), OUTGOING_BATCH_MAX);
    assert_eq!(types(&effects)[..4], ["completed", "acknowledged", "completed", "acknowledged"]);
}

#[test]
fn each_subscription_gets_what_it_wants_at_its_own_pace() {
    let mut a = customer();
    let failed = json!({"id": "ops", "target": "pager", "types": ["interlock.order.held"]});
    let both = vec![subscription(&json!({})), subscription(&failed)];
    let effects = admit_for(&mut a, "e1", assign(), vec![(number(), granted(7))], both);
    assert_eq!(types(&effects), ["acknowledged"]);
    let refused = Outcome::Permanent { code: ReasonCode::of_target("no_such_sim"), detail: "unknown SIM".to_owned() };
    let effects = a.step(NOW, Input::StepEnded { order: order_id("e1"), step: 0, outcome: refused });
    let batches = batches(&effects);
    assert_eq!((batches.len(), batches[0].subscription.as_str()), (1, "ops"), "the other one is still busy");
    let About::Order(report) = &batches[0].events[0].about else { panic!() };
    assert_eq!(report.code.as_deref(), Some("no_such_sim"));
    assert_eq!(report.detail.as_deref(), Some("unknown SIM"));
}

#[test]
fn an_order_that_is_held_again_is_told_again() {
    let mut a = customer();
    let mut all = vec![];
    let held = subscription(&json!({"types": ["interlock.order.held"]}));
    admit_for(&mut a, "e1", assign(), vec![(number(), granted(7))], vec![held]);
    for second in 0..2 {
        let now = NOW.plus_ms(second * 1_000);
        let refused = Outcome::Permanent { code: ReasonCode::of_target("no"), detail: String::new() };
        let effects = a.step(now, Input::StepEnded { order: order_id("e1"), step: 0, outcome: refused });
        all.extend(batches(&effects).into_iter().flat_map(|batch| batch.events.clone()));
        assert_eq!(a.step(now, delivered()), vec![], "it is told once");
        let retry = actions::action(&format!("retry {second}"), "e1", ActionKind::Retry);
        let (_, effects) = a.act(now, &retry);
        assert!(matches!(effects.as_slice(), [Effect::Provision { .. }]), "{effects:?}");
    }
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].id, all[1].id);
}

#[test]
fn an_overdue_order_is_told_once_and_only_a_subscriber_costs_a_timer() {
    let due = Plan { due_within_ms: Some(60_000), ..assign() };
    let mut a = customer();
    admit_for(&mut a, "e1", due.clone(), vec![(number(), ClaimAnswer::Queued)], Vec::new());
    assert_eq!(a.wake_at(), None);
    let mut b = customer();
    let overdue = subscription(&json!({"types": ["interlock.order.overdue"]}));
    admit_for(&mut b, "e1", due, vec![(number(), ClaimAnswer::Queued)], vec![overdue]);
    assert_eq!(b.wake_at(), Some(NOW.plus_ms(60_000)));
    assert_eq!(types(&b.step(NOW.plus_ms(59_999), Input::Woke)), [""; 0]);
    assert_eq!(types(&b.step(NOW.plus_ms(60_000), Input::Woke)), ["overdue"]);
    assert_eq!(b.wake_at(), None);
    assert_eq!(types(&b.step(NOW.plus_ms(60_001), Input::Woke)), [""; 0]);
}

#[test]
fn leases_are_told_to_those_who_ask_for_them() {
    let leases = json!({"types": ["interlock.lease.granted", "interlock.lease.released"]});
    let mut a = customer();
    let wants = || vec![subscription(&leases)];
    let effects = admit_for(&mut a, "e1", assign(), vec![(number(), granted(7))], wants());
    assert_eq!(types(&effects), ["granted"]);
    a.step(NOW, delivered());
    a.step(NOW, done("e1", 0));
    admit_for(&mut a, "e2", release(), Vec::new(), wants());
    let effects = a.step(NOW, done("e2", 0));
    assert_eq!(types(&effects), ["released"]);
    let About::Lease(change) = &batches(&effects)[0].events[0].about else { panic!() };
    assert_eq!((change.epoch, change.how), (Epoch(7), Some(GiveBack::Released)));
    assert_eq!(change.proof.as_ref().unwrap().order, order_id("e2"));
}

#[test]
fn an_event_that_is_rejected_before_any_admission_makes_the_customer_ask_who_is_subscribed() {
    let mut a = customer();
    let unreadable = Rejection::new(ErrorCode::UnknownEventType, "no JSON");
    let effects = a.step(NOW, Input::Submitted(Err(unreadable)));
    let [Effect::Admit(admission)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(admission.events, vec![]);
    let effects = a.step(NOW, answer(Vec::new(), vec![subscription(&json!({}))]));
    assert_eq!(types(&effects), ["rejected"]);
    let mut nobody = customer();
    nobody.step(NOW, Input::Submitted(Err(Rejection::new(ErrorCode::UnknownEventType, "no JSON"))));
    assert_eq!(nobody.step(NOW, answer(Vec::new(), Vec::new())), vec![]);
    assert_eq!(nobody.local, Local::Idle);
}

#[test]
fn a_worker_of_an_earlier_build_is_not_asked_again_and_again() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Err(Rejection::new(ErrorCode::UnknownEventType, "no JSON"))));
    let old = AdmissionAnswer {
        admitted: Vec::new(),
        limits: EntityLimits::default(),
        attributes_registered: false,
        subscriptions: None,
        queue_assignment: None,
    };
    assert_eq!(a.step(NOW, Input::Admitted(old)), vec![]);
    let mut early = Customer { edition: Edition::V0_2, ..customer() };
    let unreadable = Rejection::new(ErrorCode::UnknownEventType, "no JSON");
    assert_eq!(early.step(NOW, Input::Submitted(Err(unreadable))), vec![], "its history has no such admission");
}

#[test]
fn a_run_that_follows_delivers_again_what_was_under_way_under_the_same_ids() {
    let mut a = customer();
    let effects =
        admit_for(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)], vec![subscription(&json!({}))]);
    let first = batches(&effects)[0].clone();
    let mut next: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    let effects = next.step(NOW, Input::Resumed);
    let again = batches(&effects)[0];
    assert_eq!((again.events.clone(), again.dispatch), (first.events, 1));
    assert_ne!(again.proof, first.proof, "an answer to the first one is not taken for one to this");
}

#[test]
fn a_delivery_that_was_not_confirmed_is_repeated_while_the_subscription_exists() {
    let mut a = customer();
    let wants = || vec![subscription(&json!({}))];
    admit_for(&mut a, "e1", assign(), vec![(number(), granted(7))], wants());
    let not_delivered = || Input::NotDelivered { subscription: crm() };
    assert_eq!(types(&a.step(NOW, not_delivered())), ["acknowledged"]);
    // The subscription is removed: what waits is still sent, until the receiver had its time.
    admit_for(&mut a, "e2", plan(&[], vec![step("crm.note", &[], &[])]), Vec::new(), Vec::new());
    assert_eq!(a.view().outgoing[&crm()].waiting, 1);
    assert_eq!(a.step(NOW, not_delivered()), vec![]);
    assert!(a.view().outgoing.is_empty());
    let journal = a.view().journal;
    assert_eq!(journal.last().unwrap().entry.what, "events_not_delivered");
    assert_eq!(serde_json::to_value(&a).unwrap()["subscribers"], json!({"known": []}));
}

#[test]
fn workers_with_other_settings_lose_nothing() {
    let mut a = customer();
    let wants = || vec![subscription(&json!({}))];
    let note = || plan(&[], vec![step("crm.note", &[], &[])]);
    admit_for(&mut a, "e1", note(), Vec::new(), wants());
    admit_for(&mut a, "e2", note(), Vec::new(), Vec::new());
    admit_for(&mut a, "e3", note(), Vec::new(), wants());
    let effects = a.step(NOW, delivered());
    let told = batches(&effects)[0].events.iter().filter_map(|event| match &event.about {
        About::Order(report) => report.event_id.as_deref(),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["e3"], "what was admitted without the subscription is not told");
}

#[test]
fn what_waits_is_bounded_and_the_receiver_is_told_how_much_is_missing() {
    let mut a = customer();
    let wants = || vec![subscription(&json!({}))];
    let mut told = 1;
    admit_for(&mut a, "first", plan(&[], vec![step("crm.note", &[], &[])]), Vec::new(), wants());
    a.step(NOW, done("first", 0));
    for number in 0..OUTGOING_EVENTS_MAX {
        let id = format!("e{number}");
        admit_for(&mut a, &id, plan(&[], vec![step("crm.note", &[], &[])]), Vec::new(), wants());
        a.step(NOW, done(&id, 0));
        let observed = a.take_observations();
        told += observed.iter().filter(|seen| matches!(seen, Observation::OutgoingEventDropped { .. })).count();
        let state = serde_json::to_value(&a.subscribers).unwrap();
        assert!(state["waiting"].to_string().len() < OUTGOING_BYTES_MAX * 3 / 2);
    }
    let view = a.view().outgoing[&crm()].clone();
    assert!(view.waiting <= OUTGOING_EVENTS_MAX);
    assert_eq!(view.waiting as u64 + view.dropped, 2 * (OUTGOING_EVENTS_MAX as u64 + 1));
    let effects = a.step(NOW, delivered());
    let batch = batches(&effects)[0];
    assert_eq!(batch.events[0].event_type, OutgoingType::EventsLost);
    let About::Lost(lost) = &batch.events[0].about else { panic!() };
    assert_eq!(lost.count, view.dropped);
    let About::Order(oldest) = &batch.events[1].about else { panic!() };
    assert!(oldest.parts_dropped && oldest.steps.is_empty(), "the oldest lose their details first");
    a.step(NOW, delivered());
    assert_eq!(a.view().outgoing[&crm()].dropped, 0);
    assert!(told > 1);
}

#[test]
fn a_person_has_a_receiver_told_again_from_a_time_on_under_the_same_ids() {
    let mut a = customer();
    let wants = || vec![subscription(&json!({"types": ["interlock.order.completed"]}))];
    let mut told = Vec::new();
    for (at, id) in [(0, "e1"), (1_000, "e2"), (2_000, "e3")] {
        admit_for(&mut a, id, plan(&[], vec![step("crm.note", &[], &[])]), Vec::new(), wants());
        let effects = a.step(NOW.plus_ms(at), done(id, 0));
        told.extend(batches(&effects)[0].events.clone());
        a.step(NOW, delivered());
    }
    let again = |since: u64| {
        let since = NOW.plus_ms(since);
        Input::TellAgain(TellAgain { subscription: crm(), since, subscriptions: wants() })
    };
    let effects = a.step(NOW.plus_ms(3_000), again(1_000));
    let ids = |events: &[crate::outgoing::OutgoingEvent]| events.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(&batches(&effects)[0].events), ids(&told[1..]));
    assert_eq!(a.step(NOW.plus_ms(3_000), again(0)), vec![], "one delivery at a time");
    let effects = a.step(NOW, delivered());
    assert_eq!(ids(&batches(&effects)[0].events), ids(&told[..1]), "what was under way is not told twice");
    let other = TellAgain { subscription: "ops".parse().unwrap(), since: NOW, subscriptions: wants() };
    a.step(NOW, delivered());
    assert_eq!(a.step(NOW, Input::TellAgain(other)), vec![]);
}
