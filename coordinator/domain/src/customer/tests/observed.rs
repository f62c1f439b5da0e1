//! What a customer exposes for metrics and traces: its observations, and the traces of its calls.

use super::*;
use crate::observation::Observation;
use crate::order::OrderState;

fn ended(state: OrderState, rejected: Option<ErrorCode>) -> Observation {
    Observation::OrderEnded { tenant: "t".parse().unwrap(), state, rejected: rejected.map(ReasonCode::from) }
}

#[test]
fn a_grant_an_end_and_a_rejection_are_told_once() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    assert_eq!(a.take_observations(), []);
    let notice = Notice::LeaseGranted {
        ticket: TicketId::derive(&order_id("e1"), &number(), a.incarnation),
        epoch: Epoch(9),
        registered: false,
        recall: None,
    };
    let told = ToCustomer { resource: number(), incarnation: a.incarnation, notice };
    a.step(NOW.plus_ms(4_000), Input::Told(told.clone()));
    let granted = Observation::LeaseGranted { kind: number().kind().clone(), waited_ms: 4_000 };
    assert_eq!(a.take_observations(), [granted]);
    assert_eq!(a.take_observations(), []);
    a.step(NOW.plus_ms(4_000), Input::Told(told));
    assert_eq!(a.take_observations(), [], "a message that comes again is no second grant");
    a.step(NOW, done("e1", 0));
    assert_eq!(a.take_observations(), [ended(OrderState::Completed, None)]);
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    assert_eq!(a.take_observations(), [], "a duplicate is no order");
    let old = Event { time: Some(Timestamp(NOW.0 - REMEMBERED_MS_MAX - 1)), ..event("old") };
    a.step(NOW, Input::Submitted(Ok(old)));
    assert_eq!(a.take_observations(), [ended(OrderState::Rejected, Some(ErrorCode::TooOld))]);
}

#[test]
fn what_was_seen_is_not_carried_to_the_next_step() {
    let mut a = customer();
    let old = Event { time: Some(Timestamp(NOW.0 - REMEMBERED_MS_MAX - 1)), ..event("old") };
    a.step(NOW, Input::Submitted(Ok(old)));
    a.step(NOW, Input::Sent);
    assert_eq!(a.take_observations(), []);
}

#[test]
fn the_calls_of_an_order_go_on_in_the_trace_of_its_event_however_often_they_are_made() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(Event { trace_parent: Some(parent), ..event("e1") })));
    a.step(NOW, planned(assign(), vec![(number(), granted(7))]));
    // The state travels to the next run, which makes the call again.
    let mut a: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    let effects = a.step(NOW, Input::Resumed);
    let [Effect::Provision { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.trace_parent, Some(parent));
    // A trace that no build of ours wrote is no reason to lose a call.
    let mut odd = serde_json::to_value(request).unwrap();
    odd["traceparent"] = "nonsense".into();
    assert_eq!(serde_json::from_value::<crate::message::ProvisionRequest>(odd).unwrap().trace_parent, None);
}
