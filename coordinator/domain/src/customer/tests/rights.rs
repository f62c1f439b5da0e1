//! An order that acts without a claim: its customer must be known to have the resource.

use super::*;

/// An urgent order that disables the SIM, which its customer must have.
fn suspension() -> Plan {
    Plan { urgent: true, requires: vec![sim()], ..plan(&[], vec![step("hss.disable", &[], &[])]) }
}

fn sim() -> ResourceId {
    "imsi/00101".parse().unwrap()
}

fn calls(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Provision { .. })).count()
}

fn held_by(a: &Customer, id: &str) -> Option<String> {
    a.orders[&order_id(id)].steps.iter().find_map(|step| match &step.state {
        StepState::Held { code, .. } => Some(code.to_string()),
        _ => None,
    })
}

fn imported(resource: ResourceId, target_identity: Option<&str>) -> Input {
    let notice =
        Notice::LeaseImported { epoch: Epoch(7), target_identity: target_identity.map(str::to_owned), unused: false };
    Input::Told(ToCustomer { resource, incarnation: Incarnation(1), notice })
}

#[test]
fn who_is_not_known_to_have_the_sim_waits_for_a_person_and_calls_nothing() {
    let mut a = customer();
    assert_eq!(calls(&admit(&mut a, "e1", suspension(), vec![])), 0);
    assert_eq!(held_by(&a, "e1").as_deref(), Some("right_unproven"));
    let action = Action {
        action_id: "x".to_owned(),
        order_id: order_id("e1"),
        kind: ActionKind::Retry,
        paused_call: false,
        content: None,
        actor: "p".to_owned(),
        reason: "r".to_owned(),
    };
    let (_, effects) = a.act(NOW, &action);
    assert_eq!((calls(&effects), held_by(&a, "e1").as_deref()), (0, Some("right_unproven")), "nor by trying again");
}

#[test]
fn a_list_proves_it_and_the_order_goes_on_by_itself() {
    for (resource, target_identity) in [(sim(), None), (number(), Some("00101"))] {
        let mut a = customer();
        admit(&mut a, "e1", suspension(), vec![]);
        assert_eq!(calls(&a.step(NOW, imported(resource, target_identity))), 1, "{target_identity:?}");
        assert_eq!(held_by(&a, "e1"), None);
    }
}

#[test]
fn a_number_under_another_sim_proves_nothing() {
    let mut a = customer();
    a.step(NOW, imported(number(), Some("00102")));
    assert_eq!(calls(&admit(&mut a, "e1", suspension(), vec![])), 0);
    assert!(held_by(&a, "e1").is_some());
}

#[test]
fn a_lease_that_was_only_granted_proves_nothing_and_an_older_order_that_is_to_use_it_is_waited_for() {
    let mut a = customer();
    let activation = plan(&[(ClaimMode::Assign, sim())], vec![step("hss.create", &[sim()], &[])]);
    let effects = admit(&mut a, "e1", activation, vec![(sim(), granted(7))]);
    assert_eq!(calls(&effects), 1);
    assert_eq!(calls(&admit(&mut a, "e2", suspension(), vec![])), 0, "the SIM is not there yet");
    assert_eq!(held_by(&a, "e2"), None, "it is to come");
    assert_eq!(calls(&a.step(NOW, done("e1", 0))), 1);
}

#[test]
fn an_order_that_waits_for_its_right_does_not_hold_up_the_one_that_brings_it() {
    let mut a = customer();
    let activation = plan(&[(ClaimMode::Assign, sim())], vec![step("hss.create", &[sim()], &[])]);
    admit(&mut a, "e1", activation, vec![(sim(), ClaimAnswer::Queued)]);
    admit(&mut a, "e2", suspension(), vec![]);
    assert_eq!(held_by(&a, "e2"), None);
    let ticket = TicketId::derive(&order_id("e1"), &sim(), Incarnation(1));
    let notice = Notice::LeaseGranted { ticket, epoch: Epoch(7), registered: false, recall: None };
    let effects = a.step(NOW, Input::Told(ToCustomer { resource: sim(), incarnation: Incarnation(1), notice }));
    assert_eq!(calls(&effects), 1, "although the suspension is urgent: {effects:?}");
    assert!(a.orders[&order_id("e1")].steps[0].state.is_running());
}

#[test]
fn what_was_given_up_proves_nothing_any_more() {
    let mut a = customer();
    a.step(NOW, imported(number(), Some("00101")));
    admit(&mut a, "e1", release(), vec![]);
    a.step(NOW, done("e1", 0));
    a.step(NOW, Input::Sent);
    assert_eq!(calls(&admit(&mut a, "e2", suspension(), vec![])), 0);
    assert!(held_by(&a, "e2").is_some());
}

/// An assign of the number to the SIM, which no other customer may have.
fn first_use() -> Plan {
    let assigns = step("hss.assign", &[number()], &[]);
    let tells = step("crm.add", &[], &[0]);
    Plan { first_use: vec![sim()], ..plan(&[(ClaimMode::Assign, number())], vec![assigns, tells]) }
}

fn unproven(effects: &[Effect]) -> Vec<Vec<ResourceId>> {
    let of_call = |effect: &Effect| match effect {
        Effect::Provision { request, .. } => Some(request.unproven.clone()),
        _ => None,
    };
    effects.iter().filter_map(of_call).collect()
}

fn refused() -> Input {
    let outcome = Outcome::Permanent { code: ErrorCode::RightUnproven.into(), detail: "another's".to_owned() };
    Input::StepEnded { order: order_id("e1"), step: 0, outcome }
}

#[test]
fn a_sim_that_is_not_known_to_be_ones_own_is_looked_at_before_it_is_used() {
    let mut a = customer();
    let effects = admit(&mut a, "e1", first_use(), vec![(number(), granted(7))]);
    assert_eq!(unproven(&effects), [vec![sim()]]);
    let mut b = customer();
    b.step(NOW, imported(sim(), None));
    assert_eq!(unproven(&admit(&mut b, "e1", first_use(), vec![(number(), granted(7))])), [vec![]], "it is known");
}

#[test]
fn what_follows_the_use_of_a_sim_is_not_looked_at_again() {
    let swap = Plan {
        first_use: vec![sim()],
        ..plan(&[(ClaimMode::Assign, number())], vec![step("hss.swap", &[number()], &[]), step("crm.swap", &[], &[0])])
    };
    let mut a = customer();
    assert_eq!(unproven(&admit(&mut a, "e1", swap, vec![(number(), granted(7))])), [vec![sim()]]);
    assert_eq!(unproven(&a.step(NOW, done("e1", 0))), [vec![]], "the SIM may be somebody else's by now");
}

#[test]
fn what_was_refused_as_anothers_is_sent_again_once_it_is_known_to_be_ones_own_and_not_before() {
    let mut a = customer();
    admit(&mut a, "e1", first_use(), vec![(number(), granted(7))]);
    assert_eq!(calls(&a.step(NOW, refused())), 0);
    assert_eq!(held_by(&a, "e1").as_deref(), Some("right_unproven"));
    assert_eq!(calls(&a.step(NOW, imported("msisdn/2".parse().unwrap(), Some("00102")))), 0, "another SIM");
    let effects = a.step(NOW, imported(sim(), None));
    assert_eq!((unproven(&effects), held_by(&a, "e1")), (vec![vec![]], None));
}

#[test]
fn a_person_who_cancels_what_is_not_proven_lets_go_on_what_waits_behind_it() {
    let mut a = customer();
    admit(&mut a, "e1", first_use(), vec![(number(), granted(7))]);
    a.step(NOW, refused());
    let next = plan(&[], vec![step("hss.touch", &[], &[])]);
    assert_eq!(calls(&admit(&mut a, "e2", next, vec![])), 0, "it waits for its turn");
    let action = Action {
        action_id: "x".to_owned(),
        order_id: order_id("e1"),
        kind: ActionKind::Cancel,
        paused_call: false,
        content: None,
        actor: "p".to_owned(),
        reason: "another's SIM".to_owned(),
    };
    let (done, effects) = a.act(NOW, &action);
    assert_eq!((done.is_ok(), calls(&effects)), (true, 1));
    assert!(!a.leases.contains_key(&number()), "the number is free for others");
}

#[test]
fn what_must_be_had_and_what_may_be_used_first_are_told_apart() {
    let other: ResourceId = "imsi/00109".parse().unwrap();
    let both =
        Plan { first_use: vec![sim()], requires: vec![other.clone()], ..plan(&[], vec![step("hss.touch", &[], &[])]) };
    let mut a = customer();
    admit(&mut a, "e1", both, vec![]);
    assert_eq!(held_by(&a, "e1").as_deref(), Some("right_unproven"));
    assert_eq!(unproven(&a.step(NOW, imported(other, None))), [vec![sim()]], "it goes on, and the SIM is looked at");
}
