//! What a customer repeats to a resource whose entity may have forgotten it.

use super::*;
use crate::message::HeldLease;

fn reassert(resource: Option<ResourceId>) -> Input {
    Input::Reassert { resource }
}

/// What is repeated: the resource, the lease's epoch, the epoch above which a grant is accepted, and the tickets.
fn said(effects: &[Effect]) -> Vec<(ResourceId, Option<Epoch>, Epoch, Vec<OrderId>)> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send(messages) => Some(messages),
        _ => None,
    });
    let said = sent.flatten().filter_map(|(resource, message)| match message {
        ToResource::Reassert { lease, above, tickets, .. } => {
            let tickets = tickets.iter().map(|ticket| ticket.order.clone()).collect();
            Some((resource.clone(), lease.as_ref().map(|lease: &HeldLease| lease.epoch), *above, tickets))
        }
        _ => None,
    });
    said.collect()
}

fn now_as_epoch() -> Epoch {
    Epoch(u64::try_from(NOW.0).unwrap())
}

#[test]
fn a_customer_says_again_which_lease_it_has_and_by_which_other_tickets_it_wants_the_resource() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let lock = plan(&[(ClaimMode::Lock, number())], vec![step("crm.lock", &[], &[])]);
    admit(&mut a, "e2", lock, vec![(number(), ClaimAnswer::Queued)]);
    let said = said(&a.step(NOW, reassert(Some(number()))));
    assert_eq!(said, [(number(), Some(Epoch(7)), now_as_epoch(), vec![order_id("e2")])]);
    assert!(a.leases.contains_key(&number()));
}

#[test]
fn a_customer_that_only_waits_takes_no_grant_of_the_earlier_life_any_more() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    let effects = a.step(NOW, reassert(None));
    assert_eq!(said(&effects), [(number(), None, now_as_epoch(), vec![order_id("e1")])]);
    a.step(NOW, Input::Sent);
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(1));
    let grant = |epoch| {
        let notice = Notice::LeaseGranted { ticket: ticket.clone(), epoch, registered: false, recall: None };
        Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
    };
    let before = a.step(NOW, grant(now_as_epoch()));
    assert!(a.leases.is_empty(), "{before:?}");
    a.step(NOW, Input::Sent);
    let after = a.step(NOW, grant(Epoch(now_as_epoch().0 + 1)));
    assert!(matches!(after.as_slice(), [Effect::Provision { .. }]), "{after:?}");
}

#[test]
fn nothing_is_said_again_before_all_tickets_are_known() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    assert_eq!(said(&a.step(NOW, reassert(Some(number())))), []);
    let effects = a.step(NOW, planned(assign(), vec![(number(), ClaimAnswer::Queued)]));
    assert_eq!(said(&effects).first().map(|said| said.3.clone()), Some(vec![order_id("e1")]));
}

#[test]
fn a_resource_that_speaks_as_if_it_did_not_know_the_lease_is_told_of_it() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let held = plan(&[(ClaimMode::Release, number())], vec![step("crm.note", &[], &[])]);
    admit(&mut a, "e2", held, vec![(number(), ClaimAnswer::Queued)]);
    let ticket = TicketId::derive(&order_id("e2"), &number(), Incarnation(1));
    let notice = Notice::NotHolder { ticket, target_identity: None };
    let effects = a.step(NOW, Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice }));
    assert_eq!(said(&effects).first().map(|said| said.1), Some(Some(Epoch(7))));
}

#[test]
fn a_resource_that_took_over_an_old_story_is_told_that_the_lease_was_given_back() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let known = |epoch| {
        let notice = Notice::LeaseKnown { epoch };
        Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
    };
    assert_eq!(a.step(NOW, known(Epoch(7))), vec![], "it is so");
    admit(&mut a, "e2", release(), vec![]);
    a.step(NOW, done("e2", 0));
    a.step(NOW, Input::Sent);
    assert_eq!(said(&a.step(NOW, known(Epoch(7)))), [(number(), None, Epoch(7), vec![])]);
}

/// Whether the resource must believe it, for each message in order.
fn is_lasting(effects: &[Effect]) -> Vec<bool> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send(messages) => Some(messages),
        _ => None,
    });
    let said = sent.flatten().filter_map(|(_, message)| match message {
        ToResource::Reassert { lasting, .. } => Some(*lasting),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_customer_that_a_resource_contradicts_for_long_says_that_it_is_to_be_believed_and_only_once() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let effects = a.step(NOW, Input::SettleDifference { resource: number(), above: Epoch(7) });
    assert_eq!(said(&effects), [(number(), Some(Epoch(7)), now_as_epoch(), vec![])]);
    assert_eq!(is_lasting(&effects), [true]);
    a.step(NOW, Input::Sent);
    assert_eq!(is_lasting(&a.step(NOW, reassert(Some(number())))), [false]);
}

#[test]
fn a_customer_that_lost_its_lease_while_a_call_is_under_way_says_so_only_when_the_call_is_over() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    a.leases.clear();
    assert_eq!(
        said(&a.step(NOW, Input::SettleDifference { resource: number(), above: Epoch(7) })),
        [],
        "its request may still land"
    );
    let effects = a.step(NOW, done("e1", 0));
    assert_eq!(said(&effects).first().map(|said| said.1), Some(None));
    assert_eq!(is_lasting(&effects), [true]);
}

#[test]
fn a_customer_that_holds_nothing_does_not_take_what_the_resource_says_that_it_holds_even_where_that_is_ahead_of_the_clock()
 {
    let mut a = customer();
    let ahead = Epoch(now_as_epoch().0 + 1_000);
    let effects = a.step(NOW, Input::SettleDifference { resource: number(), above: ahead });
    assert_eq!(said(&effects), [(number(), None, ahead, vec![])]);
    assert_eq!(a.given_back[&number()], ahead);
}

#[test]
fn a_customer_that_missed_the_later_grant_of_its_lease_holds_it_by_that() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(1));
    let notice = Notice::LeaseGranted { ticket, epoch: Epoch(9), registered: true, recall: None };
    a.step(NOW, Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice }));
    assert_eq!(a.leases[&number()].epoch, Epoch(9));
    assert_eq!(a.leases_held().leases.iter().map(|lease| lease.epoch).collect::<Vec<_>>(), [Epoch(9)]);
}

#[test]
fn what_a_customer_says_while_messages_are_under_way_may_be_about_to_change() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    assert_eq!(a.keeps(&number()).under_way, Some(false));
    a.step(NOW, done("e1", 0));
    a.step(NOW, reassert(Some(number())));
    assert_eq!(a.keeps(&number()).under_way, Some(true), "it says what it has");
    a.step(NOW, Input::Sent);
    assert_eq!(a.keeps(&number()).under_way, Some(false));
    a.step(NOW, Input::Submitted(Ok(event("e2"))));
    assert_eq!(a.keeps(&number()).under_way, Some(true), "an admission may bring a lease");
}
