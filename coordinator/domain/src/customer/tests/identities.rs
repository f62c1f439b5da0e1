//! What confirms a release: the identity that it uses, and what happens if the target has the resource under another one.

use super::*;
use crate::message::ToCustomer;
use crate::order::OrderState;

fn sim(identity: &str) -> ResourceId {
    format!("imsi/{identity}").parse().unwrap()
}

/// A plan whose only step names this identity.
fn naming(mut plan: Plan, identity: &str) -> Plan {
    plan.claims.iter_mut().for_each(|claim| claim.target_identity = Some(identity.to_owned()));
    for step in &mut plan.steps {
        step.data.insert("imsi".to_owned(), Value::from(identity));
        step.fixed = vec!["imsi".to_owned(), "msisdn".to_owned()];
        step.target_identity_arguments = Some(vec!["imsi".to_owned()]);
    }
    plan
}

/// A customer that has the number under this identity.
fn has_under(identity: &str) -> Customer {
    let mut a = customer();
    admit(&mut a, "has", naming(assign(), identity), vec![(number(), granted(7))]);
    a.step(NOW, done("has", 0));
    assert!(a.leases[&number()].kept);
    a
}

fn in_use(id: &str, holder: Option<&str>) -> Input {
    let outcome = Outcome::InUse { holder: holder.map(str::to_owned) };
    Input::StepEnded { order: order_id(id), step: 0, outcome }
}

/// The identity and the key of the one call.
fn sent(effects: &[Effect]) -> (String, uuid::Uuid) {
    match effects {
        [Effect::Provision { request, .. }] => {
            (request.data["imsi"].as_str().unwrap().to_owned(), request.idempotency_key)
        }
        other => panic!("{other:?}"),
    }
}

fn given_back(effects: &[Effect]) -> &ToResource {
    match effects {
        [Effect::Send(messages)] => &messages[0].1,
        other => panic!("{other:?}"),
    }
}

fn held_detail(a: &Customer, id: &str) -> String {
    match &a.orders[&order_id(id)].steps[0].state {
        StepState::Held { code, detail, .. } => {
            assert_eq!(*code, ErrorCode::ReleaseUnconfirmed);
            detail.clone()
        }
        other => panic!("{other:?}"),
    }
}

fn act(a: &mut Customer, id: &str, kind: ActionKind) -> (Result<OrderState, String>, Vec<Effect>) {
    let action = Action {
        action_id: kind.as_str().to_owned(),
        order_id: order_id(id),
        kind,
        actor: "ann".to_owned(),
        reason: "looked it up".to_owned(),
        paused_call: false,
        content: None,
    };
    let (answer, effects) = a.act(NOW, &action);
    (answer.map(|done| done.state.known().unwrap()).map_err(|refusal| refusal.code.to_string()), effects)
}

fn amended(imsi: &str) -> ActionKind {
    let arguments = Map::from_iter([("imsi".to_owned(), Value::from(imsi))]);
    ActionKind::Amend { steps: [("hss.release".to_owned(), arguments)].into() }
}

#[test]
fn a_release_goes_by_the_identity_of_the_lease_not_by_a_mistyped_one() {
    let mut a = has_under("I1");
    let effects = admit(&mut a, "e", naming(release(), "I9"), vec![]);
    let (identity, key) = sent(&effects);
    assert_eq!(identity, "I1");
    assert_ne!(key, order_id("e").step_key("hss.release"), "it is another request than the event's");
    let view = a.order_view(&order_id("e")).unwrap();
    let identity = view.steps[0].identity.clone().unwrap();
    assert_eq!((identity.named.as_str(), identity.sent.as_str()), ("I9", "I1"));
    let line = a.journal.back().unwrap();
    assert_eq!(line.what, "identity");
    assert!(line.detail.as_ref().is_some_and(|detail| detail.contains("I1") && detail.contains("I9")), "{line:?}");
    let effects = a.step(NOW, done("e", 0));
    let ToResource::GiveBack { how: GiveBack::Released, proof: Some(proof), .. } = given_back(&effects) else {
        panic!("{effects:?}")
    };
    let step = proof.step.as_ref().unwrap();
    assert_eq!(
        (proof.order.clone(), step.operation.as_str(), step.outcome.as_str()),
        (order_id("e"), "release", "done")
    );
    assert_eq!((step.idempotency_key, proof.at, proof.actor.clone()), (key, NOW, None));
}

#[test]
fn after_a_sim_swap_a_release_that_names_the_old_sim_goes_by_the_new_one() {
    let mut a = has_under("I1");
    let mut swap = naming(plan(&[(ClaimMode::Lock, number())], vec![step("hss.swap", &[number()], &[])]), "I1");
    swap.claims[0].target_identity_after = Some("I2".to_owned());
    admit(&mut a, "swap", swap, vec![(number(), ClaimAnswer::Queued)]);
    let effects = a.step(NOW, done("swap", 0));
    let told = |message: &ToResource| matches!(message, ToResource::Used { target_identity: Some(target_identity), .. } if target_identity == "I2");
    assert!(matches!(&effects[..], [Effect::Send(messages)] if messages.iter().any(|m| told(&m.1))), "{effects:?}");
    a.step(NOW, Input::Sent);
    let effects = admit(&mut a, "e", naming(release(), "I1"), vec![]);
    assert_eq!(sent(&effects).0, "I2");
    assert_eq!(sent(&a.step(NOW, in_use("e", Some("I1")))).0, "I1", "the target has not swapped: I1 is released");
}

#[test]
fn what_the_target_has_under_another_sim_of_the_customer_is_released_there_under_a_new_key() {
    let mut a = has_under("I1");
    admit(
        &mut a,
        "sim",
        plan(&[(ClaimMode::Assign, sim("I2"))], vec![step("hss.create", &[sim("I2")], &[])]),
        vec![(sim("I2"), granted(3))],
    );
    a.step(NOW, done("sim", 0));
    let (identity, first) = sent(&admit(&mut a, "e", naming(release(), "I1"), vec![]));
    assert_eq!(identity, "I1");
    let (identity, second) = sent(&a.step(NOW, in_use("e", Some("I2"))));
    assert_eq!(identity, "I2");
    assert_ne!(first, second);
    assert!(a.leases.contains_key(&number()), "nothing is confirmed yet");
    // A target that contradicts itself is not asked forever.
    a.step(NOW, in_use("e", Some("I1")));
    assert!(held_detail(&a, "e").contains("I1"));
    assert!(a.leases.contains_key(&number()));
}

#[test]
fn what_somebody_else_has_is_left_there_and_the_resource_is_told_who() {
    let mut a = has_under("I1");
    admit(&mut a, "e", naming(release(), "I1"), vec![]);
    let effects = a.step(NOW, in_use("e", Some("I7")));
    let ToResource::GiveBack { how, registered_to, proof: Some(proof), .. } = given_back(&effects) else {
        panic!("{effects:?}")
    };
    assert_eq!((*how, registered_to.as_deref()), (GiveBack::Contested, Some("I7")));
    let step = proof.step.as_ref().unwrap();
    assert_eq!((step.outcome.as_str(), step.holder.as_deref()), ("in_use", Some("I7")));
    assert_eq!(a.state_of(&order_id("e")), Some(OrderState::Partial));
    let names = |entry: &&super::JournalEntry| entry.what == "identity";
    let detail = a.journal.iter().find(names).and_then(|entry| entry.detail.clone()).unwrap();
    assert!(detail.contains("I1") && detail.contains("I7"), "{detail}");
}

#[test]
fn where_the_target_does_not_say_who_a_person_decides() {
    let unclear = || {
        let mut a = has_under("I1");
        admit(&mut a, "e", naming(release(), "I9"), vec![]);
        assert_eq!(a.step(NOW, in_use("e", None)), vec![]);
        assert!(a.leases.contains_key(&number()), "the next one does not get it");
        let detail = held_detail(&a, "e");
        assert!(detail.contains("I1") && detail.contains("I9"), "{detail}");
        a
    };
    let mut a = unclear();
    let (answer, effects) = act(&mut a, "e", amended("I4"));
    answer.unwrap();
    assert_eq!(sent(&effects).0, "I4", "a person knows better than the ledger");
    assert_eq!(a.orders[&order_id("e")].claims[0].claim.target_identity.as_deref(), Some("I4"));

    let mut a = unclear();
    let number_is_fixed = Map::from_iter([("msisdn".to_owned(), Value::from("2"))]);
    let amend = ActionKind::Amend { steps: [("hss.release".to_owned(), number_is_fixed)].into() };
    assert_eq!(act(&mut a, "e", amend).0.unwrap_err(), "amend_changes_claim");
    let (answer, effects) = act(&mut a, "e", ActionKind::Skip);
    answer.unwrap();
    let ToResource::GiveBack { how: GiveBack::Released, proof: Some(proof), .. } = given_back(&effects) else {
        panic!("{effects:?}")
    };
    assert_eq!((proof.actor.as_deref(), proof.reason.as_deref()), (Some("ann"), Some("looked it up")));
    assert_eq!(proof.step.as_ref().map(|step| step.outcome.as_str()), Some("person"));

    let mut a = unclear();
    assert_eq!(sent(&act(&mut a, "e", ActionKind::Retry).1).0, "I1");
}

#[test]
fn a_lease_that_came_by_a_list_without_a_name_is_not_given_away_for_a_name_that_nobody_knows() {
    let mut a = has_under("I1");
    a.leases.get_mut(&number()).unwrap().target_identity = None;
    admit(&mut a, "e", naming(release(), "I9"), vec![]);
    a.step(NOW, in_use("e", Some("I1")));
    let detail = held_detail(&a, "e");
    assert!(detail.contains("I1") && detail.contains("I9"), "{detail}");
}

#[test]
fn the_undoing_of_an_assign_waits_for_a_person_where_another_identity_has_the_number() {
    let mut a = customer();
    let mut steps = vec![step("hss.assign", &[number()], &[]), step("crm.add", &[], &[0])];
    steps[0].compensation = Some("release".to_owned());
    steps[1].on_failure = OnFailure::Abort;
    admit(&mut a, "e", naming(plan(&[(ClaimMode::Assign, number())], steps), "I1"), vec![(number(), granted(7))]);
    a.step(NOW, done("e", 0));
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("no"), detail: "no".to_owned() };
    a.step(NOW, Input::StepEnded { order: order_id("e"), step: 1, outcome });
    let outcome = Outcome::InUse { holder: Some("I7".to_owned()) };
    assert_eq!(a.step(NOW, Input::StepEnded { order: order_id("e"), step: 2, outcome }), vec![]);
    let StepState::Held { code, detail, .. } = &a.orders[&order_id("e")].steps[2].state else { panic!() };
    assert_eq!(*code, ErrorCode::ReleaseUnconfirmed);
    assert!(detail.contains("I1") && detail.contains("I7"), "{detail}");
    assert!(a.leases.contains_key(&number()));
}

#[test]
fn an_assign_of_what_the_customer_has_under_another_sim_does_not_give_its_lease_away() {
    let mut a = has_under("I1");
    admit(&mut a, "e", naming(assign(), "I2"), vec![(number(), ClaimAnswer::Queued)]);
    assert_eq!(a.step(NOW, in_use("e", Some("I1"))), vec![]);
    assert!(a.leases.contains_key(&number()));
    assert!(matches!(a.orders[&order_id("e")].steps[0].state, StepState::Held { .. }));
}

#[test]
fn a_release_that_the_resource_refuses_is_claimed_again_by_the_name_that_the_target_has() {
    let mut a = customer();
    admit(
        &mut a,
        "sim",
        plan(&[(ClaimMode::Assign, sim("I2"))], vec![step("hss.create", &[sim("I2")], &[])]),
        vec![(sim("I2"), granted(3))],
    );
    a.step(NOW, done("sim", 0));
    admit(&mut a, "e", naming(release(), "I1"), vec![(number(), ClaimAnswer::Queued)]);
    let ticket = TicketId::derive(&order_id("e"), &number(), Incarnation(1));
    let told = |target_identity: &str| {
        let notice = Notice::NotHolder { ticket: ticket.clone(), target_identity: Some(target_identity.to_owned()) };
        Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
    };
    let mut other = a.clone();
    other.step(NOW, told("I7"));
    assert_eq!(other.state_of(&order_id("e")), Some(OrderState::Partial), "somebody else has it");
    let effects = a.step(NOW, told("I2"));
    let ToResource::Claim { ticket } = given_back(&effects) else { panic!("{effects:?}") };
    assert_eq!(ticket.target_identity.as_deref(), Some("I2"));
    a.step(NOW, Input::Sent);
    let granted = Notice::LeaseGranted { ticket: ticket.id.clone(), epoch: Epoch(9), registered: true, recall: None };
    let effects =
        a.step(NOW, Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice: granted }));
    assert_eq!(sent(&effects).0, "I2");
}

#[test]
fn an_order_that_an_earlier_build_planned_goes_on_as_that_build_did() {
    let mut a = has_under("I1");
    let mut earlier = naming(release(), "I9");
    earlier.steps[0].target_identity_arguments = None;
    assert_eq!(sent(&admit(&mut a, "e", earlier, vec![])).0, "I9");
    let effects = a.step(NOW, in_use("e", Some("I1")));
    assert!(
        matches!(given_back(&effects), ToResource::GiveBack { how: GiveBack::Contested, registered_to: None, .. }),
        "{effects:?}"
    );
}

#[test]
fn a_sim_swap_of_what_the_target_has_under_another_identity_waits_for_a_person() {
    let mut a = has_under("I1");
    let claims = [(ClaimMode::Lock, number()), (ClaimMode::Assign, sim("I2")), (ClaimMode::Release, sim("I9"))];
    let named: Vec<ResourceId> = claims.iter().map(|(_, resource)| resource.clone()).collect();
    let mut swap = naming(plan(&claims, vec![step("hss.swap", &named, &[])]), "I9");
    swap.steps[0].target_identity_arguments = Some(Vec::new());
    let answers = vec![(sim("I2"), granted(3)), (sim("I9"), granted(4))];
    admit(&mut a, "e", swap, answers);
    assert_eq!(a.step(NOW, in_use("e", Some("I7"))), vec![]);
    let StepState::Held { code, detail, .. } = &a.orders[&order_id("e")].steps[0].state else { panic!() };
    assert_eq!(*code, ErrorCode::InUse);
    assert!(detail.contains("I7"), "{detail}");
    assert!(a.leases.contains_key(&sim("I2")), "the new SIM is not what is contested");
}
