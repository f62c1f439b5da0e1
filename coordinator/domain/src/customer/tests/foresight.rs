//! What an event would do: the forecast, and what then happens.

use std::collections::BTreeMap;

use super::*;
use crate::customer::waiting::WaitKind;
use crate::order::OrderState;

fn admission(customer: &Customer, id: &str) -> Admission {
    match customer.foresee_event(NOW, event(id)) {
        Reception::ToAdmit { admission, behind: 0 } => *admission,
        other => panic!("{other:?}"),
    }
}

fn forecast(customer: &Customer, id: &str, plan: Plan, answers: Vec<(ResourceId, ClaimAnswer)>) -> Foresight {
    let before = customer.clone();
    let foresight =
        customer.foresee_order(NOW, admission(customer, id), Admitted::Planned { plan, answers }).expect("an order");
    assert_eq!(*customer, before, "a forecast changes nothing");
    foresight
}

fn kind(view: &OrderView) -> WaitKind {
    match &view.waiting_for.as_ref().unwrap().wait {
        Wait::Known(wait) => wait.kind(),
        Wait::Other(other) => panic!("{other:?}"),
    }
}

fn calls(foresight: &Foresight) -> Vec<(String, bool)> {
    foresight.calls.iter().map(|call| (call.request.step.clone(), call.at_once)).collect()
}

fn hand_over() -> Plan {
    let steps = vec![step("hss.release", &[number()], &[]), step("crm.tell", &[], &[0])];
    plan(&[(ClaimMode::Release, number())], steps)
}

fn assign() -> Plan {
    let steps = vec![step("hss.assign", &[number()], &[]), step("crm.tell", &[], &[0])];
    plan(&[(ClaimMode::Assign, number())], steps)
}

#[test]
fn a_free_lease_lets_the_first_step_start_at_once_and_the_order_completes() {
    let foresight = forecast(&customer(), "1", assign(), vec![(number(), granted(5))]);
    assert_eq!(calls(&foresight), [("hss.assign".to_owned(), true), ("crm.tell".to_owned(), false)]);
    assert_eq!(foresight.calls[0].request.epoch, Some(Epoch(5)));
    assert_eq!(kind(&foresight.admitted), WaitKind::Target);
    assert_eq!(foresight.end.state, OrderState::Completed);
    assert_eq!(foresight.end.claims[0].state, ClaimStateName::Settled);
}

#[test]
fn a_lease_that_is_waited_for_is_run_forward_with_an_epoch_that_is_not_known_yet() {
    let foresight = forecast(&customer(), "1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    assert_eq!(calls(&foresight), [("hss.assign".to_owned(), false), ("crm.tell".to_owned(), false)]);
    assert_eq!(foresight.calls[0].request.epoch, Some(FORESEEN_EPOCH));
    assert_eq!(kind(&foresight.admitted), WaitKind::Lease);
    assert_eq!(foresight.admitted.state, OrderState::Pending);
    assert_eq!(foresight.end.state, OrderState::Completed);
}

#[test]
fn an_order_behind_another_one_of_its_customer_waits_for_its_turn_and_comes_after_it() {
    let mut customer = customer();
    admit(&mut customer, "1", assign(), vec![(number(), granted(5))]);
    let foresight = forecast(&customer, "2", hand_over(), Vec::new());
    assert_eq!(kind(&foresight.admitted), WaitKind::Turn);
    assert_eq!(calls(&foresight), [("hss.release".to_owned(), false), ("crm.tell".to_owned(), false)]);
    assert_eq!(foresight.calls[0].request.epoch, Some(Epoch(5)), "the lease that the customer has");
    assert_eq!(foresight.end.state, OrderState::Completed);
}

#[test]
fn where_only_a_person_can_help_the_forecast_stops_and_says_so() {
    let mut customer = customer();
    admit(&mut customer, "1", assign(), vec![(number(), granted(5))]);
    let outcome = Outcome::Permanent { code: ReasonCode::from(ErrorCode::RowInUse), detail: "no".to_owned() };
    customer.step(NOW, Input::StepEnded { order: order_id("1"), step: 0, outcome });
    let foresight = forecast(&customer, "2", hand_over(), Vec::new());
    assert_eq!(foresight.calls, []);
    assert_eq!(foresight.end.state, OrderState::Pending);
    assert_eq!(kind(&foresight.end), WaitKind::Turn);
}

#[test]
fn a_release_of_what_the_customer_does_not_have_skips_its_steps() {
    let foresight = forecast(&customer(), "1", hand_over(), vec![(number(), ClaimAnswer::NotHolder)]);
    assert_eq!(calls(&foresight), [("crm.tell".to_owned(), true)]);
    assert_eq!(foresight.end.state, OrderState::Partial);
    assert_eq!(foresight.end.claims[0].state, ClaimStateName::NotHolder);
}

#[test]
fn a_known_event_is_a_duplicate_and_an_old_one_is_rejected() {
    let mut customer = customer();
    admit(&mut customer, "1", assign(), vec![(number(), granted(5))]);
    let known = customer.foresee_event(NOW, event("1"));
    assert_eq!(known, Reception::Duplicate { state: Some(OrderState::InProgress) });
    let old = Event { time: Some(Timestamp(NOW.0 - REMEMBERED_MS_MAX - 1)), ..event("2") };
    let Reception::Rejected { rejection } = customer.foresee_event(NOW, old) else { panic!("it is taken") };
    assert_eq!(rejection.code, ErrorCode::TooOld);
    let rejected = Admitted::Rejected { rejection: Rejection::new(ErrorCode::UnknownEventType, "x") };
    let foresight = customer.foresee_order(NOW, admission(&customer, "3"), rejected).unwrap();
    assert_eq!((foresight.end.state.clone(), foresight.calls.len()), (OrderState::Rejected.into(), 0));
}

#[test]
fn what_is_under_way_counts_as_over_and_what_waits_for_its_plan_is_counted() {
    let mut customer = customer();
    customer.step(NOW, Input::Submitted(Ok(event("1"))));
    customer.step(NOW, Input::Submitted(Ok(event("2"))));
    let Reception::ToAdmit { admission, behind } = customer.foresee_event(NOW, event("3")) else { panic!("not taken") };
    assert_eq!(behind, 2);
    let planned = Admitted::Planned { plan: assign(), answers: vec![(number(), granted(9))] };
    let foresight = customer.foresee_order(NOW, *admission, planned).unwrap();
    assert_eq!(foresight.end.state, OrderState::Completed);
}

#[test]
fn the_order_does_what_was_forecast() {
    let steps = vec![
        step("hss.release", &[number()], &[]),
        step("hss.assign", &["msisdn/2".parse().unwrap()], &[0]),
        step("crm.change", &[], &[1]),
        step("notify.send", &[], &[]),
    ];
    let second: ResourceId = "msisdn/2".parse().unwrap();
    let change = plan(&[(ClaimMode::Assign, second.clone()), (ClaimMode::Release, number())], steps);
    let mut customer = customer();
    admit(&mut customer, "1", assign(), vec![(number(), granted(5))]);
    for step in [0, 1] {
        customer.step(NOW, Input::StepEnded { order: order_id("1"), step, outcome: Outcome::Done });
    }
    let answers = vec![(second, granted(7))];
    let foresight = forecast(&customer, "2", change.clone(), answers.clone());
    let mut effects = admit(&mut customer, "2", change, answers);
    let mut made = Vec::new();
    let mut at_once = true;
    while !effects.is_empty() {
        let mut next = Vec::new();
        for effect in effects {
            match effect {
                Effect::Provision { order, step, request } => {
                    made.push(ForeseenCall { at_once, request });
                    let done = Input::StepEnded { order, step, outcome: Outcome::Done };
                    next.extend(customer.step(NOW, done));
                }
                Effect::Send(_) => next.extend(customer.step(NOW, Input::Sent)),
                _ => {}
            }
        }
        at_once = false;
        effects = next;
    }
    assert_eq!(foresight.calls, made);
    let ended = customer.order_view(&order_id("2")).unwrap();
    assert_eq!(foresight.end.state, ended.state);
    let claims = |view: &OrderView| {
        view.claims.iter().map(|claim| (claim.resource.clone(), claim.state.clone())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(claims(&foresight.end), claims(&ended));
}
