//! How a release ends whose own assign was superseded for it.

use super::*;
use crate::order::OrderState;

fn not_holder(of: &str, resource: ResourceId) -> Input {
    let ticket = TicketId::derive(&order_id(of), &resource, Incarnation(1));
    let notice = Notice::NotHolder { ticket, target_identity: None };
    Input::Told(ToCustomer { resource, incarnation: Incarnation(1), notice })
}

fn lease_granted(of: &str) -> Input {
    let ticket = TicketId::derive(&order_id(of), &number(), Incarnation(1));
    let notice = Notice::LeaseGranted { ticket, epoch: Epoch(7), registered: false, recall: None };
    Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
}

fn other_number() -> ResourceId {
    "msisdn/2".parse().unwrap()
}

fn release_and_tell(on_failure: OnFailure) -> Plan {
    let told = PlannedStep { on_failure, ..step("crm.remove_number", &[], &[0]) };
    plan(&[(ClaimMode::Release, number())], vec![step("hss.release", &[number()], &[]), told])
}

fn queued() -> Vec<(ResourceId, ClaimAnswer)> {
    vec![(number(), ClaimAnswer::Queued)]
}

/// An assign that waits for its lease, and the release that ends it.
fn assign_superseded_for(release: Plan, answers: Vec<(ResourceId, ClaimAnswer)>) -> Customer {
    let mut a = customer();
    admit(&mut a, "assign", assign(), queued());
    admit(&mut a, "release", release, answers);
    assert_eq!(a.state_of(&order_id("assign")), Some(OrderState::Superseded));
    if a.local() != Local::Idle {
        a.step(NOW, Input::Sent);
    }
    a
}

fn end_of(a: &Customer, id: &str) -> (Option<OrderState>, Option<String>) {
    let entry = a.journal.iter().rev().find(|entry| entry.order == Some(order_id(id)));
    (a.state_of(&order_id(id)), entry.and_then(|entry| entry.code.clone()))
}

#[test]
fn a_release_whose_own_assign_was_superseded_for_it_is_superseded_too() {
    let mut a = assign_superseded_for(release(), queued());
    a.step(NOW, not_holder("release", number()));
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Superseded), None));
}

#[test]
fn it_is_superseded_also_if_its_step_at_another_target_was_done() {
    let mut a = assign_superseded_for(release_and_tell(OnFailure::Hold), queued());
    let effects = a.step(NOW, not_holder("release", number()));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Provision { step: 1, .. })), "{effects:?}");
    // It travels with the state.
    let mut a: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    a.step(NOW, done("release", 1));
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Superseded), None));
}

#[test]
fn it_is_superseded_also_if_the_assign_comes_after_it() {
    let mut a = customer();
    let hour_ago = |id: &str, hours: i64| Event { time: Some(Timestamp(NOW.0 - hours * 3_600_000)), ..event(id) };
    a.step(NOW, Input::Submitted(Ok(hour_ago("release", 1))));
    let answers = vec![(number(), ClaimAnswer::NotHolder)];
    a.step(NOW, planned(release_and_tell(OnFailure::Hold), answers));
    a.step(NOW, Input::Submitted(Ok(hour_ago("assign", 2))));
    a.step(NOW, planned(assign(), queued()));
    assert_eq!(a.state_of(&order_id("assign")), Some(OrderState::Superseded));
    a.step(NOW, done("release", 1));
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Superseded), None));
}

#[test]
fn it_is_superseded_also_if_the_target_says_that_another_customer_has_it() {
    let mut a = assign_superseded_for(release(), queued());
    a.step(NOW, lease_granted("release"));
    let outcome = Outcome::InUse { holder: Some("somebody".to_owned()) };
    a.step(NOW, Input::StepEnded { order: order_id("release"), step: 0, outcome });
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Superseded), None));
}

#[test]
fn it_is_completed_if_the_target_confirms_it() {
    let mut a = assign_superseded_for(release(), queued());
    a.step(NOW, lease_granted("release"));
    a.step(NOW, done("release", 0));
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Completed), None));
}

#[test]
fn it_is_completed_if_it_also_did_something_else_that_it_claims() {
    let both = plan(
        &[(ClaimMode::Release, number()), (ClaimMode::Assign, other_number())],
        vec![step("hss.release", &[number()], &[]), step("hss.assign", &[other_number()], &[])],
    );
    let mut answers = queued();
    answers.push((other_number(), granted(8)));
    let mut a = assign_superseded_for(both, answers);
    a.step(NOW, not_holder("release", number()));
    a.step(NOW, done("release", 1));
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Completed), None));
}

#[test]
fn it_is_partial_if_a_step_failed_and_a_release_of_what_was_never_wanted_is_partial() {
    let mut a = assign_superseded_for(release_and_tell(OnFailure::Skip), queued());
    a.step(NOW, not_holder("release", number()));
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("no_such_account"), detail: String::new() };
    a.step(NOW, Input::StepEnded { order: order_id("release"), step: 1, outcome });
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Partial), Some("no_such_account".to_owned())));

    let mut a = customer();
    admit(&mut a, "release", release(), vec![(number(), ClaimAnswer::NotHolder)]);
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Partial), Some("not_holder".to_owned())));
}

#[test]
fn a_release_of_what_another_customer_has_is_partial_though_an_older_assign_comes_afterwards() {
    let mut a = customer();
    admit(&mut a, "taken", assign(), vec![(number(), granted(1))]);
    a.step(NOW, done("taken", 0));
    admit(&mut a, "release", release_and_tell(OnFailure::Hold), Vec::new());
    a.step(NOW, Input::StepEnded { order: order_id("release"), step: 0, outcome: Outcome::InUse { holder: None } });
    a.step(NOW, Input::Sent);
    a.step(NOW, Input::Submitted(Ok(Event { time: Some(Timestamp(NOW.0 - 1)), ..event("late") })));
    a.step(NOW, planned(assign(), queued()));
    assert_eq!(a.state_of(&order_id("late")), Some(OrderState::Superseded));
    a.step(NOW, done("release", 1));
    assert_eq!(end_of(&a, "release"), (Some(OrderState::Partial), Some("not_holder".to_owned())));
}
