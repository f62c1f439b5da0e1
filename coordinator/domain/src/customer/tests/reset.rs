//! A workflow reset: the customer does not know what it did since, and asks its resources before it continues.

use super::*;
use crate::message::HeldLease;

const LATER: Timestamp = Timestamp(NOW.0 + 60_000);

/// The messages to resources, once those under way were sent.
fn said(effects: &[Effect]) -> Vec<&ToResource> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send(messages) => Some(messages),
        _ => None,
    });
    sent.flatten().map(|(_, message)| message).collect()
}

fn calls(effects: &[Effect]) -> Vec<&ProvisionRequest> {
    let called = effects.iter().filter_map(|effect| match effect {
        Effect::Provision { request, .. } => Some(request),
        _ => None,
    });
    called.collect()
}

fn notice(incarnation: Incarnation, notice: Notice) -> Input {
    Input::Told(ToCustomer { resource: number(), incarnation, notice })
}

/// A customer with a lease that a release must give up.
fn holder() -> Customer {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    a
}

#[test]
fn it_begins_another_life_and_asks_for_its_leases() {
    let mut a = holder();
    let effects = a.step(LATER, Input::WasReset);
    assert_eq!(a.incarnation, Incarnation(LATER.0));
    let [ToResource::Reassert { incarnation, lease: Some(HeldLease { epoch, .. }), above, after_reset, lasting, .. }] =
        said(&effects)[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*incarnation, *epoch, *after_reset, *lasting), (Incarnation(LATER.0), Epoch(7), true, false));
    assert_eq!(above.0, u64::try_from(LATER.0).unwrap());
    assert_eq!(a.journal.back().unwrap().what, "reset");
}

#[test]
fn no_call_starts_under_a_lease_in_doubt_and_the_next_one_reads_back() {
    let mut a = holder();
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    let effects = admit(&mut a, "e2", release(), vec![]);
    assert!(calls(&effects).is_empty(), "its lease may be somebody else's by now: {effects:?}");
    let confirmed = Notice::LeaseImported { epoch: Epoch(2_000_000_000_000), target_identity: None, unused: false };
    let effects = a.step(LATER, notice(a.incarnation, confirmed));
    let calls = calls(&effects);
    assert_eq!(calls.len(), 1, "{effects:?}");
    assert_eq!(calls[0].epoch, Some(Epoch(2_000_000_000_000)));
}

#[test]
fn what_was_open_reads_back_and_what_comes_in_later_does_not() {
    let mut a = customer();
    admit(&mut a, "e1", plan(&[], vec![step("crm.one", &[], &[]), step("crm.two", &[], &[0])]), vec![]);
    a.step(LATER, Input::WasReset);
    let effects = a.step(LATER, done("e1", 0));
    assert!(calls(&effects)[0].maybe_sent, "it may have been called before the reset: {effects:?}");
    a.step(LATER, done("e1", 1));
    let later = Timestamp(LATER.0 + 1);
    a.step(later, Input::Submitted(Ok(event("e2"))));
    let effects = a.step(later, planned(plan(&[], vec![step("crm.one", &[], &[])]), vec![]));
    assert!(!calls(&effects)[0].maybe_sent, "nobody can have called it before: {effects:?}");
}

#[test]
fn a_signal_that_the_server_applies_again_is_one_that_may_have_been_done_before() {
    let mut a = customer();
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Submitted(Ok(event("e1"))));
    let effects = a.step(LATER, planned(plan(&[], vec![step("crm.one", &[], &[])]), vec![]));
    assert!(calls(&effects)[0].maybe_sent, "{effects:?}");
}

#[test]
fn the_answers_to_an_admission_of_the_life_before_count_for_nothing() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    a.step(LATER, Input::WasReset);
    let effects = a.step(LATER, planned(assign(), vec![(number(), granted(7))]));
    assert!(calls(&effects).is_empty(), "the grant was for a ticket of the life before: {effects:?}");
    let [ToResource::Reassert { lease: None, after_reset: true, tickets, .. }] = said(&effects)[..] else {
        panic!("{effects:?}")
    };
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(LATER.0));
    assert_eq!(tickets.iter().map(|ticket| &ticket.id).collect::<Vec<_>>(), [&ticket]);
}

#[test]
fn a_lease_that_went_on_to_somebody_else_is_gone_and_its_order_waits_in_the_queue() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    a.step(LATER, Input::StepInterrupted { order: order_id("e1"), step: 0 });
    let effects = a.step(LATER, Input::Resumed);
    assert!(calls(&effects).is_empty(), "{effects:?}");
    a.step(LATER, notice(a.incarnation, Notice::LeaseGone { epoch: Epoch(9) }));
    assert!(a.leases.is_empty());
    let ticket = TicketId::derive(&order_id("e1"), &number(), a.incarnation);
    let (epoch, registered, recall) = (Epoch(2_000_000_000_000), false, None);
    let effects = a.step(LATER, notice(a.incarnation, Notice::LeaseGranted { ticket, epoch, registered, recall }));
    assert!(calls(&effects).first().is_some_and(|call| call.maybe_sent), "{effects:?} {a:#?}");
}

#[test]
fn a_release_in_doubt_that_a_person_has_is_claimed_for_again_once_its_lease_is_gone() {
    let mut a = customer();
    admit(&mut a, "e1", release(), vec![(number(), granted(7))]);
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    let outcome = Outcome::Ambiguous { detail: "sent, and not answered".to_owned() };
    a.step(LATER, Input::StepEnded { order: order_id("e1"), step: 0, outcome });
    a.step(LATER, Input::Resumed);
    assert!(a.orders[&order_id("e1")].steps[0].state.maybe_sent());
    let effects = a.step(LATER, notice(a.incarnation, Notice::LeaseGone { epoch: Epoch(9) }));
    let order = &a.orders[&order_id("e1")];
    let earlier = order.steps[0].state.earlier();
    assert_eq!((earlier.maybe_sent, earlier.after_reset), (false, true), "it reads back");
    assert_eq!(order.claims[0].ticket, TicketState::Out, "it asks who has the number: {effects:?}");
}

#[test]
fn what_resources_say_to_the_life_before_is_answered_lost() {
    let mut a = holder();
    let asker = crate::message::Asker {
        key: OrderKey::new(None, None, Timestamp(1), order_id("older")),
        mode: ClaimMode::Assign,
    };
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    let effects = a.step(LATER, notice(Incarnation(1), Notice::LeaseRecalled { epoch: Epoch(7), asker }));
    let lost = |message: &&ToResource| matches!(message, ToResource::Decline { lost: Some(Incarnation(1)), .. });
    assert_eq!(said(&effects).iter().filter(|message| lost(message)).count(), 1, "{effects:?}");
}

#[test]
fn a_release_that_ends_while_its_lease_is_in_doubt_gives_it_back() {
    let mut a = holder();
    admit(&mut a, "e2", release(), vec![]);
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    let effects = a.step(LATER, done("e2", 0));
    let [ToResource::GiveBack { epoch, how, .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((*epoch, *how), (Epoch(7), GiveBack::Released));
}

#[test]
fn an_order_that_is_cancelled_after_a_reset_does_not_say_that_nothing_took_effect() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    let action = Action {
        action_id: "x".to_owned(),
        order_id: order_id("e1"),
        kind: ActionKind::Cancel,
        actor: "p".to_owned(),
        reason: "r".to_owned(),
        paused_call: false,
        content: None,
    };
    let (answer, _) = a.act(LATER, &action);
    assert_eq!(answer.unwrap().state, crate::order::OrderState::Failed);
}

#[test]
fn it_tells_resources_whose_leases_it_gave_back_that_its_life_before_is_over() {
    let mut a = holder();
    let effects = admit(&mut a, "e2", release(), vec![]);
    assert_eq!(calls(&effects).len(), 1);
    a.step(NOW, done("e2", 0));
    a.step(NOW, Input::Sent);
    a.step(NOW, Input::Sent);
    assert!(a.leases.is_empty() && a.outbox.is_empty(), "{a:?}");
    let effects = a.step(LATER, Input::WasReset);
    let told = said(&effects);
    assert!(matches!(told[..], [ToResource::Reassert { lease: None, after_reset: true, .. }]), "{told:?}");
}

#[test]
fn an_order_says_that_its_lease_is_in_doubt_since_the_reset() {
    let mut a = holder();
    admit(&mut a, "e2", release(), vec![]);
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    a.step(LATER, Input::Resumed);
    let at = LATER.to_rfc3339();
    let view = a.order_view(&order_id("e2")).unwrap();
    assert_eq!(view.reset_at.as_ref(), Some(&at));
    let doubted = |a: &Customer| a.why(&order_id("e2")).unwrap().links[0].reset_at.clone();
    assert_eq!(doubted(&a).as_ref(), Some(&at), "{:?}", view.waiting_for);
    assert!(a.why(&order_id("e2")).unwrap().links[0].detail.contains(&format!("workflow was reset at {at}")));
    assert!(a.keeps(&number()).detail.contains(&at), "{:?}", a.keeps(&number()));
    let confirmed = Notice::LeaseImported { epoch: Epoch(2_000_000_000_000), target_identity: None, unused: false };
    a.step(LATER, notice(a.incarnation, confirmed));
    assert_eq!(doubted(&a), None, "its resource confirmed it");
    assert!(!a.keeps(&number()).detail.contains(&at));
}

#[test]
fn a_lease_that_was_only_for_locks_goes_back_with_its_order() {
    let mut a = customer();
    admit(
        &mut a,
        "e1",
        plan(&[(ClaimMode::Lock, number())], vec![step("crm.one", &[number()], &[])]),
        vec![(number(), granted(7))],
    );
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    assert!(a.leases[&number()].kept, "nobody knows what the life before did");
    let confirmed = Notice::LeaseImported { epoch: Epoch(2_000_000_000_000), target_identity: None, unused: true };
    a.step(LATER, notice(a.incarnation, confirmed));
    assert!(!a.leases[&number()].kept);
}

#[test]
fn a_lease_that_was_only_for_locks_and_is_not_known_any_more_is_declined() {
    let mut a = customer();
    let confirmed = Notice::LeaseImported { epoch: Epoch(7), target_identity: None, unused: true };
    let effects = a.step(LATER, notice(a.incarnation, confirmed));
    assert!(a.leases.is_empty());
    assert!(matches!(said(&effects)[..], [ToResource::Decline { epoch: Epoch(7), lost: None, .. }]), "{effects:?}");
}

#[test]
fn a_release_that_was_half_done_before_a_reset_asks_again_for_a_lease_that_is_gone() {
    let mut a = holder();
    let two = plan(
        &[(ClaimMode::Release, number())],
        vec![step("hss.off", &[number()], &[]), step("voice.off", &[number()], &[0])],
    );
    admit(&mut a, "e2", two, vec![]);
    a.step(NOW, done("e2", 0));
    a.step(LATER, Input::WasReset);
    let effects = a.step(LATER, Input::StepInterrupted { order: order_id("e2"), step: 1 });
    assert!(calls(&effects).is_empty(), "{effects:?}");
    a.step(LATER, notice(a.incarnation, Notice::LeaseGone { epoch: Epoch(2_000_000_000_000) }));
    let effects = a.step(LATER, Input::Sent);
    assert!(
        said(&effects).iter().any(|message| matches!(message, ToResource::Claim { .. })),
        "its second target may still have it registered: {effects:?}"
    );
}

#[test]
fn an_order_that_is_cancelled_after_a_reset_leaves_its_lease_unfinished() {
    let mut a = holder();
    admit(&mut a, "e2", release(), vec![]);
    a.step(LATER, Input::WasReset);
    a.step(LATER, Input::Sent);
    a.step(LATER, Input::StepInterrupted { order: order_id("e2"), step: 0 });
    a.step(LATER, Input::Resumed);
    let _state = a.act(LATER, &super::actions::action("cancel-1", "e2", ActionKind::Cancel));
    assert!(a.orders.is_empty());
    assert!(a.leases[&number()].abandoned, "one target may have it done, and another not");
}
