//! What a person may do and when, and what stays unchanged.

use super::*;
use crate::error_code::{ErrorCode, ReasonCode};
use crate::limits::CLOCKS_APART_MS_MAX;
use crate::order::{OrderPriority, OrderState};

pub(super) fn action(action_id: &str, id: &str, kind: ActionKind) -> Action {
    Action {
        action_id: action_id.to_owned(),
        order_id: order_id(id),
        kind,
        actor: "ann".to_owned(),
        reason: "test".to_owned(),
        paused_call: false,
        content: None,
    }
}

/// Acts; the state after it, or the code of the refusal, and the effects.
fn act(a: &mut Customer, id: &str, kind: ActionKind) -> (Result<OrderState, String>, Vec<Effect>) {
    let (answer, effects) = a.act(NOW, &action(&format!("{} {id}", kind.as_str()), id, kind));
    (answer.map(|done| done.state.known().unwrap()).map_err(|refusal| refusal.code.to_string()), effects)
}

fn failed(id: &str, step: usize) -> Input {
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("unknown_subscriber"), detail: "no".to_owned() };
    Input::StepEnded { order: order_id(id), step, outcome }
}

fn amendment(step: &str, argument: &str, value: &str) -> ActionKind {
    let arguments = Map::from_iter([(argument.to_owned(), Value::from(value))]);
    ActionKind::Amend { steps: [(step.to_owned(), arguments)].into() }
}

fn state(a: &Customer, id: &str) -> OrderState {
    a.state_of(&order_id(id)).unwrap()
}

fn called(effects: &[Effect]) -> &ProvisionRequest {
    match effects {
        [Effect::Provision { request, .. }] => request,
        other => panic!("{other:?}"),
    }
}

/// An order of two steps, one after the other, the first with a compensation, and its number granted.
fn assign_and_add(a: &mut Customer, id: &str, second_fails: OnFailure) {
    let mut steps = vec![step("hss.assign", &[number()], &[]), step("crm.add", &[], &[0])];
    steps[0].compensation = Some("release".to_owned());
    steps[1].compensation = Some("remove".to_owned());
    steps[1].on_failure = second_fails;
    admit(a, id, plan(&[(ClaimMode::Assign, number())], steps), vec![(number(), granted(7))]);
}

/// Its compensations, too, are as urgent as the order.
#[test]
fn the_calls_of_an_order_have_its_priority() {
    let mut a = customer();
    let urgent = Plan { priority: Some(OrderPriority::HIGHEST), ..assign() };
    let effects = admit(&mut a, "e1", urgent, vec![(number(), granted(7))]);
    assert_eq!(called(&effects).priority, Some(OrderPriority::HIGHEST));
    let mut b = customer();
    let effects = admit(&mut b, "e1", assign(), vec![(number(), granted(7))]);
    assert_eq!(called(&effects).priority, None);
}

#[test]
fn a_permanent_failure_holds_the_lane_until_a_person_has_it_done_again() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let key = order_id("e1").step_key("hss.assign");
    a.step(NOW, failed("e1", 0));
    let service = plan(&[], vec![step("hss.update", &[], &[])]);
    assert_eq!(admit(&mut a, "e2", service, vec![]), vec![], "nothing passes an order that waits for a person");
    assert_eq!(state(&a, "e1"), OrderState::Held);
    let (answer, effects) = act(&mut a, "e1", ActionKind::Retry);
    assert_eq!(answer, Ok(OrderState::InProgress), "the state after the action");
    let request = called(&effects);
    assert_eq!((request.dispatch, request.idempotency_key), (1, key), "the same request again");
    assert_eq!(act(&mut a, "e2", ActionKind::Retry).0.unwrap_err(), "nothing_held");
}

#[test]
fn an_amended_step_is_another_request_and_the_journal_names_the_argument_and_not_its_value() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, failed("e1", 0));
    let (answer, effects) = act(&mut a, "e1", amendment("hss.assign", "msisdn", "2"));
    assert_eq!(answer, Ok(OrderState::InProgress));
    let request = called(&effects);
    assert_eq!(request.data["msisdn"], json!("2"));
    assert_ne!(request.idempotency_key, order_id("e1").step_key("hss.assign"), "a target may remember its refusal");
    let entry = a.journal.back().unwrap();
    assert_eq!(entry.detail.as_deref(), Some("amended: hss.assign msisdn"));
    assert_eq!(entry.by, Some(("ann".to_owned(), "test".to_owned())));
}

#[test]
fn an_argument_that_a_claim_says_is_not_amended_whatever_the_edge_thinks() {
    let mut a = customer();
    let mut fixed = assign();
    fixed.steps[0].fixed = vec!["msisdn".to_owned()];
    admit(&mut a, "e1", fixed, vec![(number(), granted(7))]);
    a.step(NOW, failed("e1", 0));
    let before = a.clone();
    for (step, argument, code) in [
        ("hss.assign", "msisdn", "amend_changes_claim"),
        ("hss.assign", "imsi", "nothing_amended"),
        ("hss.other", "msisdn", "nothing_amended"),
    ] {
        assert_eq!(act(&mut a, "e1", amendment(step, argument, "2")).0.unwrap_err(), code);
    }
    assert_eq!(a, Customer { revision: a.revision, ..before }, "a refusal changes nothing");
}

#[test]
fn steps_that_have_not_begun_are_amended_with_the_held_one_and_those_that_have_are_not() {
    let mut a = customer();
    let steps = vec![step("hss.update", &[], &[]), step("crm.update", &[], &[]), step("crm.note", &[], &[0])];
    admit(&mut a, "e1", plan(&[], steps), vec![]);
    a.step(NOW, failed("e1", 0));
    let both = |first: &str, second: &str| {
        let arguments = || Map::from_iter([("msisdn".to_owned(), Value::from("2"))]);
        ActionKind::Amend { steps: [first, second].map(|step| (step.to_owned(), arguments())).into() }
    };
    assert_eq!(act(&mut a, "e1", both("hss.update", "crm.update")).0.unwrap_err(), "step_has_begun");
    assert_eq!(act(&mut a, "e1", amendment("crm.note", "msisdn", "2")).0.unwrap_err(), "nothing_amended");
    assert!(act(&mut a, "e1", both("hss.update", "crm.note")).0.is_ok());
    let steps = &a.orders[&order_id("e1")].steps;
    assert_eq!(steps.iter().map(|step| step.amendments).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn the_same_action_again_changes_nothing_also_when_the_order_is_over() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, failed("e1", 0));
    let retry = action("x", "e1", ActionKind::Retry);
    assert!(!a.act(NOW, &retry).0.unwrap().repeated);
    a.step(NOW, failed("e1", 0));
    let held = a.clone();
    let (answer, effects) = a.act(NOW, &retry);
    assert_eq!(
        answer,
        Ok(ActionDone { state: OrderState::Held.into(), repeated: true }),
        "held again, by another failure"
    );
    assert_eq!((&a, effects), (&Customer { revision: a.revision, ..held }, vec![]));

    let skip = action("y", "e1", ActionKind::Skip);
    assert_eq!(a.act(NOW, &skip).0, Ok(ActionDone { state: OrderState::Partial.into(), repeated: false }));
    assert_eq!(a.act(NOW, &skip).0, Ok(ActionDone { state: OrderState::Partial.into(), repeated: true }));
    assert_eq!(a.act(NOW, &action("z", "e1", ActionKind::Skip)).0.unwrap_err().code, ErrorCode::OrderOver);
    assert_eq!(a.order_view(&order_id("e1")).unwrap().actions, [skip.mark().to_string()]);
}

#[test]
fn the_same_action_id_with_another_content_is_refused_and_of_another_caller_it_is_another_action() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, failed("e1", 0));
    let retry = action("x", "e1", ActionKind::Retry);
    assert!(!a.act(NOW, &retry).0.unwrap().repeated);
    a.step(NOW, failed("e1", 0));
    let held = a.clone();
    let others = [
        action("x", "e1", ActionKind::Skip),
        Action { reason: "another".to_owned(), ..retry.clone() },
        Action { actor: "ann on behalf of bob".to_owned(), ..retry.clone() },
        Action { content: Some("amended".to_owned()), ..retry.clone() },
    ];
    for other in others {
        let (answer, effects) = a.act(NOW, &other);
        assert_eq!(answer.unwrap_err().code, ErrorCode::ActionIdReused, "{other:?}");
        assert_eq!((&a, effects), (&Customer { revision: a.revision, ..held.clone() }, vec![]));
    }
    let of_bob = Action { actor: "bob".to_owned(), ..action("x", "e1", ActionKind::Skip) };
    assert_eq!(a.act(NOW, &of_bob).0, Ok(ActionDone { state: OrderState::Partial.into(), repeated: false }));
}

#[test]
fn an_action_that_0_1_0_took_is_recognised() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, failed("e1", 0));
    a.orders.get_mut(&order_id("e1")).unwrap().actions.push(action_mark_of_0_1("x"));
    assert!(a.act(NOW, &action("x", "e1", ActionKind::Retry)).0.unwrap().repeated);
}

#[test]
fn an_action_id_is_recognised_when_the_journal_has_forgotten_it() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, failed("e1", 0));
    let retry = action("x", "e1", ActionKind::Retry);
    a.act(NOW, &retry).0.unwrap();
    for n in 0..=a.limits.journal_max {
        a.step(NOW, Input::Submitted(Err(Rejection::new(ErrorCode::NotJson, n.to_string()))));
    }
    assert!(a.act(NOW, &retry).0.unwrap().repeated);
}

#[test]
fn so_many_actions_of_an_order_are_remembered() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    for n in 0..=ACTIONS_REMEMBERED_MAX {
        a.step(NOW, failed("e1", 0));
        a.act(NOW, &action(&n.to_string(), "e1", ActionKind::Retry)).0.unwrap();
    }
    a.step(NOW, failed("e1", 0));
    assert!(a.act(NOW, &action("1", "e1", ActionKind::Retry)).0.unwrap().repeated);
    assert!(!a.act(NOW, &action("0", "e1", ActionKind::Retry)).0.unwrap().repeated);
}

#[test]
fn an_action_says_who_and_why_in_words_of_a_certain_length() {
    let mut a = customer();
    let good = || action("x", "e1", ActionKind::Cancel);
    let code = |a: &mut Customer, action: &Action| a.act(NOW, action).0.unwrap_err().code;
    assert_eq!(code(&mut a, &good()), ErrorCode::OrderUnknown);
    for wrong in [
        Action { action_id: String::new(), ..good() },
        Action { action_id: "x".repeat(ACTION_ID_BYTES_MAX + 1), ..good() },
        Action { actor: " ".to_owned(), ..good() },
        Action { reason: String::new(), ..good() },
        Action { reason: "x".repeat(REASON_BYTES_MAX + 1), ..good() },
    ] {
        assert_eq!(code(&mut a, &wrong), ErrorCode::BadAction);
    }
    let longest = Action { reason: "x".repeat(REASON_BYTES_MAX), ..good() };
    assert_eq!(code(&mut a, &longest), ErrorCode::OrderUnknown);
}

#[test]
fn an_order_without_a_plan_cannot_be_acted_on_yet() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    assert_eq!(act(&mut a, "e1", ActionKind::Cancel).0.unwrap_err(), "not_admitted");
    assert_eq!(act(&mut a, "e2", ActionKind::Cancel).0.unwrap_err(), "order_unknown");
}

#[test]
fn a_cancel_before_anything_began_is_clean() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    let (answer, effects) = act(&mut a, "e1", ActionKind::Cancel);
    assert_eq!(answer, Ok(OrderState::Cancelled));
    assert!(matches!(&effects[..], [Effect::Send(m)] if matches!(m[0].1, ToResource::Withdraw { .. })), "no call");
}

#[test]
fn a_cancel_of_an_order_whose_first_step_is_refused_is_clean_too() {
    let mut a = customer();
    assign_and_add(&mut a, "e1", OnFailure::Hold);
    a.step(NOW, failed("e1", 0));
    let (answer, effects) = act(&mut a, "e1", ActionKind::Cancel);
    assert_eq!(answer, Ok(OrderState::Cancelled));
    assert!(matches!(&effects[..], [Effect::Send(m)] if matches!(m[0].1, ToResource::GiveBack { .. })), "{effects:?}");
}

#[test]
fn a_cancel_after_that_undoes_in_reverse_what_was_done() {
    let mut a = customer();
    let mut steps = vec![step("hss.assign", &[number()], &[]), step("crm.add", &[], &[0]), step("crm.last", &[], &[1])];
    steps[0].compensation = Some("release".to_owned());
    steps[1].compensation = Some("remove".to_owned());
    admit(&mut a, "e1", plan(&[(ClaimMode::Assign, number())], steps), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    a.step(NOW, done("e1", 1));
    a.step(NOW, failed("e1", 2));
    let (answer, effects) = act(&mut a, "e1", ActionKind::Cancel);
    assert_eq!(answer, Ok(OrderState::InProgress));
    assert_eq!(called(&effects).operation, "remove", "the last first");
    assert_eq!(act(&mut a, "e1", amendment("crm.last", "msisdn", "2")).0.unwrap_err(), "nothing_held");
    let again = action("another", "e1", ActionKind::Cancel);
    assert_eq!(a.act(NOW, &again).0.unwrap_err().code, ErrorCode::OrderEnding);
    let effects = a.step(NOW, done("e1", 3));
    assert_eq!((called(&effects).operation.as_str(), called(&effects).epoch), ("release", Some(Epoch(7))));
    let effects = a.step(NOW, done("e1", 4));
    assert!(matches!(&effects[..], [Effect::Send(m)] if matches!(m[0].1, ToResource::GiveBack { .. })), "{effects:?}");
    assert_eq!(state(&a, "e1"), OrderState::Failed);
}

#[test]
fn a_step_under_way_when_the_cancel_comes_is_waited_for_and_then_undone() {
    let mut a = customer();
    assign_and_add(&mut a, "e1", OnFailure::Hold);
    let (answer, effects) = act(&mut a, "e1", ActionKind::Cancel);
    assert_eq!((answer, effects), (Ok(OrderState::InProgress), vec![]));
    assert!(a.leases.contains_key(&number()), "what is under way is protected still");
    let effects = a.step(NOW, done("e1", 0));
    assert_eq!(called(&effects).operation, "release");
    a.step(NOW, done("e1", 2));
    assert_eq!(state(&a, "e1"), OrderState::Failed);
    assert!(a.leases.is_empty());
}

#[test]
fn a_step_under_way_that_fails_after_the_cancel_leaves_nothing_to_undo() {
    let mut a = customer();
    assign_and_add(&mut a, "e1", OnFailure::Hold);
    act(&mut a, "e1", ActionKind::Cancel).0.unwrap();
    a.step(NOW, failed("e1", 0));
    assert_eq!(state(&a, "e1"), OrderState::Cancelled);
}

#[test]
fn a_cancel_after_a_release_was_sent_or_confirmed_is_refused_and_says_why() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let steps = vec![step("hss.release", &[number()], &[]), step("crm.remove", &[], &[0])];
    admit(&mut a, "e2", plan(&[(ClaimMode::Release, number())], steps), vec![]);
    let refused = |a: &mut Customer| a.act(NOW, &action("c", "e2", ActionKind::Cancel)).0.unwrap_err();
    assert_eq!(refused(&mut a).code, ErrorCode::ReleaseConfirmed);
    assert!(refused(&mut a).detail.contains("hss.release"), "{}", refused(&mut a).detail);
    a.step(NOW, done("e2", 0));
    assert_eq!(refused(&mut a).code, ErrorCode::ReleaseConfirmed, "confirmed");
}

#[test]
fn a_release_that_the_target_refused_may_be_cancelled_and_one_that_a_person_skipped_may_not() {
    for (skips, expected) in [(false, Ok(OrderState::Cancelled)), (true, Err("release_confirmed".to_owned()))] {
        let mut a = customer();
        admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
        a.step(NOW, done("e1", 0));
        let steps = vec![step("hss.release", &[number()], &[]), step("crm.remove", &[], &[0])];
        admit(&mut a, "e2", plan(&[(ClaimMode::Release, number())], steps), vec![]);
        a.step(NOW, failed("e2", 0));
        if skips {
            act(&mut a, "e2", ActionKind::Skip).0.unwrap();
        }
        assert_eq!(act(&mut a, "e2", ActionKind::Cancel).0, expected);
        assert_eq!(a.leases.contains_key(&number()), !skips, "a cancelled release leaves the lease where it is");
    }
}

#[test]
fn a_release_that_a_person_skips_counts_as_confirmed() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    admit(&mut a, "e2", release(), vec![]);
    a.step(NOW, failed("e2", 0));
    let (answer, effects) = act(&mut a, "e2", ActionKind::Skip);
    assert_eq!(answer, Ok(OrderState::Partial));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(messages[0].1, ToResource::GiveBack { how: GiveBack::Released, .. }), "{messages:?}");
}

#[test]
fn the_catalog_says_whether_a_failure_holds_skips_or_aborts() {
    for (on_failure, after, in_the_end) in [
        (OnFailure::Hold, OrderState::Held, None),
        (OnFailure::Skip, OrderState::Partial, None),
        (OnFailure::Abort, OrderState::InProgress, Some(OrderState::Failed)),
    ] {
        let mut a = customer();
        assign_and_add(&mut a, "e1", on_failure);
        a.step(NOW, done("e1", 0));
        let effects = a.step(NOW, failed("e1", 1));
        assert_eq!(state(&a, "e1"), after);
        if let Some(in_the_end) = in_the_end {
            assert_eq!(called(&effects).operation, "release");
            a.step(NOW, done("e1", 2));
            assert_eq!(state(&a, "e1"), in_the_end);
        }
    }
}

#[test]
fn a_release_is_never_left_out_by_a_rule() {
    let mut a = customer();
    let mut steps = vec![step("hss.release", &[number()], &[])];
    steps[0].on_failure = OnFailure::Skip;
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    admit(&mut a, "e2", plan(&[(ClaimMode::Release, number())], steps), vec![]);
    a.step(NOW, failed("e2", 0));
    assert_eq!(state(&a, "e2"), OrderState::Held);
}

#[test]
fn a_compensation_that_fails_for_good_waits_for_a_person() {
    let mut a = customer();
    assign_and_add(&mut a, "e1", OnFailure::Abort);
    a.step(NOW, done("e1", 0));
    a.step(NOW, failed("e1", 1));
    a.step(NOW, failed("e1", 2));
    assert_eq!(state(&a, "e1"), OrderState::Held);
    assert!(a.leases.contains_key(&number()), "the number is registered still");
    let (answer, effects) = act(&mut a, "e1", ActionKind::Retry);
    assert_eq!((answer, called(&effects).operation.as_str()), (Ok(OrderState::InProgress), "release"));
    a.step(NOW, done("e1", 2));
    assert_eq!(state(&a, "e1"), OrderState::Failed);
}

#[test]
fn release_first_is_for_an_order_whose_release_waits_for_its_assign() {
    let mut a = customer();
    let old: ResourceId = "msisdn/2".parse().unwrap();
    let mut change = plan(
        &[(ClaimMode::Assign, number()), (ClaimMode::Release, old.clone())],
        vec![step("hss.release", std::slice::from_ref(&old), &[]), step("hss.assign", &[number()], &[0])],
    );
    change.claims[1].release_when = ReleaseWhen::Granted;
    let mut had = assign();
    had.claims[0].resource = old.clone();
    had.steps[0].resources = vec![old.clone()];
    admit(&mut a, "e1", had, vec![(old, granted(7))]);
    a.step(NOW, done("e1", 0));
    assert_eq!(admit(&mut a, "e2", change, vec![(number(), ClaimAnswer::Queued)]), vec![]);
    let (answer, effects) = act(&mut a, "e2", ActionKind::ReleaseFirst);
    assert_eq!((answer, called(&effects).operation.as_str()), (Ok(OrderState::InProgress), "release"));
    let again = action("another", "e2", ActionKind::ReleaseFirst);
    assert_eq!(a.act(NOW, &again).0.unwrap_err().code, ErrorCode::NoReleaseWaits);
    admit(&mut a, "e3", release(), vec![(number(), ClaimAnswer::Queued)]);
    assert_eq!(act(&mut a, "e3", ActionKind::ReleaseFirst).0.unwrap_err(), "no_release_waits");
}

#[test]
fn a_forced_release_is_refused_while_open_orders_name_the_resource() {
    let mut a = customer();
    assign_and_add(&mut a, "e1", OnFailure::Hold);
    let forced = |epoch| {
        let notice = Notice::Forced { epoch: Epoch(epoch), unused_since: None, by: None };
        Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
    };
    let effects = a.step(NOW, forced(7));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&messages[0].1, ToResource::ForceRefused { orders, .. } if *orders == [order_id("e1")]));
    a.step(NOW, Input::Sent);
    a.step(NOW, done("e1", 0));
    a.step(NOW, done("e1", 1));
    let effects = a.step(NOW, forced(7));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&messages[0].1, ToResource::GiveBack { how: GiveBack::Forced, .. }));
    a.step(NOW, Input::Sent);
    assert_eq!(a.step(NOW, forced(7)), vec![], "it was given back");
}

#[test]
fn a_forced_release_is_refused_where_the_target_was_asked_before_the_lease_was_used() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let used_at = NOW.plus_ms(60_000);
    a.step(used_at, done("e1", 0));
    a.step(used_at, Input::Sent);
    let forced = |unused_since| {
        let notice = Notice::Forced { epoch: Epoch(7), unused_since: Some(unused_since), by: None };
        Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
    };
    // Clocks differ: what was asked shortly afterwards may have been asked before.
    for asked_at in [NOW, used_at, used_at.plus_ms(CLOCKS_APART_MS_MAX)] {
        let effects = a.step(used_at, forced(asked_at));
        let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
        let refused = |orders: &[OrderId], at: &Option<Timestamp>| orders.is_empty() && *at == Some(used_at);
        assert!(
            matches!(&messages[0].1, ToResource::ForceRefused { orders, used_at, .. } if refused(orders, used_at)),
            "{messages:?}"
        );
        a.step(used_at, Input::Sent);
    }
    let effects = a.step(used_at, forced(used_at.plus_ms(CLOCKS_APART_MS_MAX + 1)));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&messages[0].1, ToResource::GiveBack { how: GiveBack::Forced, .. }));
}

#[test]
fn a_lease_that_the_customer_knows_nothing_of_is_declined_once_nothing_waits_for_admission() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    let notice = Notice::Forced { epoch: Epoch(9), unused_since: None, by: None };
    let forced = Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice });
    assert_eq!(a.step(NOW, forced), vec![], "the admission under way may bring it");
    let service = plan(&[], vec![step("crm.update", &[], &[])]);
    let effects = a.step(NOW, planned(service, vec![]));
    let declined = |effect: &Effect| matches!(effect, Effect::Send(m) if matches!(m[0].1, ToResource::Decline { epoch: Epoch(9), lost: None, .. }));
    assert!(effects.iter().any(declined), "{effects:?}");
}

#[test]
fn a_state_of_an_earlier_build_is_read() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let mut json = serde_json::to_value(&a).unwrap();
    let step = &mut json["orders"][order_id("e1").as_str()]["steps"][0];
    step.as_object_mut().unwrap().remove("amendments");
    let read: Customer = serde_json::from_value(json).unwrap();
    assert_eq!(read.orders, a.orders);
}

#[test]
fn a_retry_of_a_step_whose_call_is_paused_is_recorded_and_says_which_call_goes_on() {
    let mut a = customer();
    let (retried, effects) = act(&mut a, "e0", ActionKind::Retry);
    assert!(retried.is_err() && effects.is_empty(), "there is no such order");
    admit(&mut a, "e1", plan(&[], vec![step("crm.add", &[], &[])]), vec![]);
    let (refused, _) = act(&mut a, "e1", ActionKind::Retry);
    assert_eq!(refused, Err("nothing_held".to_owned()), "its call is under way, and nobody says that it is paused");
    let unpauses = Action { paused_call: true, ..action("unpause", "e1", ActionKind::Retry) };
    let (done, effects) = a.act(NOW, &unpauses);
    assert_eq!(done.unwrap().state, OrderState::InProgress);
    assert!(effects.is_empty(), "the call that is there goes on: {effects:?}");
    let entry = a.journal.back().unwrap();
    assert_eq!(entry.detail.as_deref(), Some("the paused call of crm.add continues"));
    assert_eq!(entry.by.as_ref().unwrap().0, "ann");
}
