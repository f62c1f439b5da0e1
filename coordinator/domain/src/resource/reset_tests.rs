//! Workflow resets: of a customer that has the resource, and of the resource's own entity.

use super::tests::{NOW, give_back, ticket, who};
use super::*;
use crate::ids::{Epoch, Incarnation};
use crate::message::{Delivery, GiveBack, HeldLease, Notice};
use crate::order::ClaimMode;

const SETTLE_MS: u64 = 90_000;
const LATER: Timestamp = Timestamp(NOW.0 + 1_000_000);
const LIFE_2: Incarnation = Incarnation(LATER.0);

fn settling(ticket: Ticket) -> Ticket {
    Ticket { policy: ResourcePolicy { orphan_settle_ms: SETTLE_MS, ..ResourcePolicy::default() }, ..ticket }
}

fn notices(effects: &[Effect]) -> Vec<(String, &Notice)> {
    let notified = effects.iter().filter_map(|effect| match effect {
        Effect::Notify(messages) => Some(messages),
        Effect::LookUp { .. } => None,
    });
    notified.flatten().map(|(customer, message)| (customer.customer.to_string(), &message.notice)).collect()
}

/// A has had the lease for a long time; its epoch.
fn held_by_a() -> (Resource, Epoch) {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.claim(NOW, settling(ticket("A", 1, ClaimMode::Assign)));
    n.step(NOW.plus_ms(5_000), Input::Woke);
    n.step(NOW.plus_ms(5_000), Input::Notified(vec![Delivery::Delivered]));
    let epoch = n.holder.as_ref().unwrap().epoch;
    (n, epoch)
}

/// A reports that it was reset to a point at which it had this lease.
fn a_was_reset(lease: Option<Epoch>, tickets: Vec<Ticket>) -> Input {
    let own = ticket("A", 1, ClaimMode::Assign);
    let lease = lease.map(|epoch| HeldLease {
        epoch,
        ticket: own.id,
        key: own.key,
        since: NOW,
        target_identity: own.target_identity,
        unfinished: false,
    });
    Input::Told(ToResource::Reassert {
        from: who("A"),
        incarnation: LIFE_2,
        lease,
        above: Epoch(u64::try_from(LATER.0).unwrap()),
        tickets,
        lasting: false,
        after_reset: true,
    })
}

#[test]
fn a_holder_that_was_reset_has_its_lease_again_when_nothing_of_its_life_before_can_land() {
    let (mut n, epoch) = held_by_a();
    n.claim(LATER, settling(ticket("B", 2, ClaimMode::Assign)));
    n.step(LATER, Input::Notified(vec![Delivery::Delivered]));
    let effects = n.step(LATER, a_was_reset(Some(epoch), vec![]));
    assert_eq!(notices(&effects), [], "calls of its life before may still land");
    let quiet = LATER.plus_ms(SETTLE_MS);
    assert_eq!(n.wake_at(LATER), Some(quiet));
    let effects = n.step(quiet, Input::Woke);
    let confirmed = n.holder.as_ref().unwrap();
    assert!(confirmed.is(&who("A")) && confirmed.incarnation == Some(LIFE_2) && confirmed.epoch > epoch, "{n:?}");
    let told =
        Notice::LeaseImported { epoch: confirmed.epoch, target_identity: Some("imsi-A".to_owned()), unused: false };
    assert_eq!(notices(&effects), [("A".to_owned(), &told)], "and B waits on");
}

#[test]
fn nobody_need_wait_for_a_holder_to_have_its_lease_again() {
    let (mut n, epoch) = held_by_a();
    n.step(LATER, a_was_reset(Some(epoch), vec![]));
    assert_eq!(n.wake_at(LATER), Some(LATER.plus_ms(SETTLE_MS)));
}

#[test]
fn a_holder_that_was_reset_to_before_its_grant_is_known_as_holder_all_the_same() {
    let (mut n, _) = held_by_a();
    let own = settling(ticket("A", 1, ClaimMode::Assign));
    let id = crate::ids::TicketId::derive(&own.order, &n.id, LIFE_2);
    let again = Ticket { incarnation: LIFE_2, id, ..own };
    n.step(LATER, a_was_reset(None, vec![again.clone()]));
    let effects = n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    let [(customer, Notice::LeaseGranted { ticket, registered, .. })] = &notices(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((customer.as_str(), ticket, *registered), ("A", &again.id, true), "it may have it registered");
}

#[test]
fn a_lease_that_went_on_is_gone_for_a_holder_that_was_reset_to_before_it_gave_it_back() {
    let (mut n, epoch) = held_by_a();
    n.step(LATER, give_back("A", epoch, GiveBack::Released));
    n.claim(LATER, settling(ticket("B", 2, ClaimMode::Assign)));
    let given = n.holder.as_ref().unwrap().epoch;
    n.step(LATER, Input::Notified(vec![Delivery::Delivered]));
    let effects = n.step(LATER, a_was_reset(Some(epoch), vec![]));
    assert_eq!(notices(&effects), [("A".to_owned(), &Notice::LeaseGone { epoch: given })]);
    assert!(n.holder.as_ref().unwrap().is(&who("B")));
}

#[test]
fn a_lease_that_comes_back_after_a_reset_goes_on_when_nothing_of_the_life_before_can_land() {
    let (mut n, epoch) = held_by_a();
    n.step(LATER, a_was_reset(Some(epoch), vec![]));
    n.claim(LATER, settling(ticket("B", 2, ClaimMode::Assign)));
    n.step(LATER, give_back("A", epoch, GiveBack::Released));
    assert!(n.holder.is_none(), "its release is confirmed");
    n.step(LATER.plus_ms(SETTLE_MS - 1), Input::Woke);
    assert!(n.holder.is_none(), "a call of its life before may still land");
    n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    assert!(n.holder.as_ref().unwrap().is(&who("B")));
}

#[test]
fn a_resource_that_was_reset_grants_nothing_before_whoever_it_granted_since_could_say_so() {
    let (mut n, epoch) = held_by_a();
    n.claim(LATER, settling(ticket("B", 3, ClaimMode::Assign)));
    let before = n.clone();
    n.step(LATER, give_back("A", epoch, GiveBack::Released));
    let granted = n.holder.as_ref().unwrap().epoch;
    // The operator resets it to a point before A gave the lease back, without applying the signals again.
    let mut n = before;
    let reset_at = LATER.plus_ms(10_000);
    let effects = n.step(reset_at, Input::WasReset);
    let above = Epoch(u64::try_from(reset_at.0).unwrap());
    let asked = [
        ("A".to_owned(), &Notice::Reassert { above, epoch: Some(epoch) }),
        ("B".to_owned(), &Notice::Reassert { above, epoch: None }),
    ];
    assert_eq!(notices(&effects), asked);
    n.claim(reset_at, settling(ticket("C", 2, ClaimMode::Assign)));
    n.step(reset_at, Input::Told(ToResource::Decline { from: who("A"), ticket: None, epoch, lost: None }));
    assert!(n.holder.is_none(), "A has it no more, and who has it is not known: {n:?}");
    let own = ticket("B", 3, ClaimMode::Assign);
    let lease = Some(HeldLease {
        epoch: granted,
        ticket: own.id,
        key: own.key,
        since: LATER,
        target_identity: None,
        unfinished: false,
    });
    let said = ToResource::Reassert {
        from: who("B"),
        incarnation: Incarnation(1),
        lease,
        above,
        tickets: vec![],
        lasting: false,
        after_reset: false,
    };
    n.step(reset_at, Input::Told(said));
    n.step(reset_at.plus_ms(SETTLE_MS), Input::Woke);
    assert!(n.holder.as_ref().unwrap().is(&who("B")), "{n:?}");
}

#[test]
fn where_nobody_says_so_and_nobody_can_be_asked_a_person_decides() {
    let (mut n, epoch) = held_by_a();
    n.step(LATER, Input::WasReset);
    n.claim(LATER, settling(ticket("C", 2, ClaimMode::Assign)));
    n.step(LATER, Input::Told(ToResource::Decline { from: who("A"), ticket: None, epoch, lost: None }));
    n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    assert_eq!((n.holder.as_ref(), n.vacancy), (None, Vacancy::Unclear));
}

#[test]
fn an_authority_is_asked_before_the_first_grant_after_a_reset() {
    let authority = Authority { target: "hss".parse().unwrap(), operation: "get_holder".to_owned() };
    let policy =
        ResourcePolicy { authority: Some(authority), orphan_settle_ms: SETTLE_MS, ..ResourcePolicy::default() };
    let (mut n, epoch) = held_by_a();
    n.policy = policy.clone();
    n.step(LATER, Input::WasReset);
    n.claim(LATER, Ticket { policy, ..ticket("B", 2, ClaimMode::Assign) });
    n.step(LATER, give_back("A", epoch, GiveBack::Released));
    let quiet = LATER.plus_ms(SETTLE_MS);
    let effects = n.step(quiet, Input::Woke);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::LookUp { .. })), "{effects:?}");
    n.step(quiet, Input::LookedUp(HolderAnswer::Nobody));
    assert!(n.holder.as_ref().unwrap().is(&who("B")), "{n:?}");
}

#[test]
fn a_claim_of_an_earlier_life_that_comes_late_does_not_take_the_place_of_the_later_one() {
    let (mut n, _) = held_by_a();
    let early = settling(ticket("B", 2, ClaimMode::Assign));
    let id = crate::ids::TicketId::derive(&early.order, &n.id, LIFE_2);
    let later = Ticket { incarnation: LIFE_2, id: id.clone(), ..early.clone() };
    n.claim(LATER, later);
    let (answer, _) = n.claim(LATER, early);
    assert_eq!(answer, ClaimAnswer::Finished);
    let queued: Vec<_> = n.queue.values().map(|queued| queued.ticket.id.clone()).collect();
    assert_eq!(queued, [id], "both have the same key");
}

#[test]
fn a_customer_whose_claim_is_applied_again_after_a_reset_is_asked_what_it_has() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.step(LATER, Input::WasReset);
    n.claim(LATER, settling(ticket("B", 2, ClaimMode::Assign)));
    n.claim(LATER, settling(ticket("B", 3, ClaimMode::Assign)));
    let asked =
        |n: &Resource| n.outbox.iter().filter(|(_, message)| matches!(message.notice, Notice::Reassert { .. })).count();
    assert_eq!(asked(&n), 1, "{:?}", n.outbox);
    n.step(LATER, Input::Resumed);
    n.claim(LATER, settling(ticket("C", 1, ClaimMode::Assign)));
    assert_eq!(asked(&n), 1, "what comes from now on is new");
}

#[test]
fn a_holder_who_was_only_named_before_a_reset_may_have_given_it_back_since() {
    let policy = ResourcePolicy { orphan_settle_ms: SETTLE_MS, ..ResourcePolicy::default() };
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.import(NOW, &Import { holder: who("A"), policy });
    n.step(LATER, Input::WasReset);
    let (answer, _) = n.claim(LATER, settling(ticket("A", 1, ClaimMode::Release)));
    assert_eq!(answer, ClaimAnswer::Queued, "somebody else may have it by now");
    n.claim(LATER, settling(ticket("B", 0, ClaimMode::Assign)));
    n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    assert!(n.holder.as_ref().unwrap().is(&who("A")), "only releases go ahead where nobody can be asked: {n:?}");
}

#[test]
fn a_lease_that_comes_back_late_from_the_life_before_does_not_take_the_place_of_the_present_ones_ticket() {
    let (mut n, _) = held_by_a();
    let old = settling(ticket("B", 2, ClaimMode::Assign));
    let id = crate::ids::TicketId::derive(&old.order, &n.id, LIFE_2);
    n.claim(LATER, Ticket { incarnation: LIFE_2, id: id.clone(), ..old.clone() });
    let late = ToResource::GiveBack {
        from: who("B"),
        epoch: Epoch(1),
        how: GiveBack::Yielded,
        tickets: vec![old],
        finished: vec![],
        proof: None,
        registered_to: None,
    };
    n.step(LATER, Input::Told(late));
    assert_eq!(n.queue.values().map(|queued| &queued.ticket.id).collect::<Vec<_>>(), [&id]);
}

/// A has had the lease for a long time, of a number whose authority can be asked. It was reset to a point at which it had an order for it that
/// is `unfinished`; no request of its previous life can still arrive, and the authority is asked.
fn asked_after_reset(unfinished: bool) -> Resource {
    let authority = Authority { target: "hss".parse().unwrap(), operation: "find_holder".to_owned() };
    let asked = |ticket: Ticket| Ticket {
        policy: ResourcePolicy { authority: Some(authority.clone()), ..settling(ticket.clone()).policy },
        ..ticket
    };
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.claim(NOW, asked(ticket("A", 1, ClaimMode::Assign)));
    n.step(NOW, Input::LookedUp(HolderAnswer::Nobody));
    n.step(NOW.plus_ms(5_000), Input::Woke);
    n.step(NOW.plus_ms(5_000), Input::Notified(vec![Delivery::Delivered]));
    let epoch = n.holder.as_ref().unwrap().epoch;
    let Input::Told(ToResource::Reassert { from, incarnation, mut lease, above, tickets, lasting, after_reset }) =
        a_was_reset(Some(epoch), vec![])
    else {
        unreachable!()
    };
    if let Some(lease) = &mut lease {
        lease.unfinished = unfinished;
    }
    n.step(LATER, Input::Told(ToResource::Reassert { from, incarnation, lease, above, tickets, lasting, after_reset }));
    n.claim(LATER, asked(ticket("B", 2, ClaimMode::Assign)));
    let effects = n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    assert!(matches!(effects[..], [Effect::LookUp { .. }]), "{effects:?}");
    n
}

#[test]
fn a_holder_that_was_reset_in_the_middle_of_an_order_keeps_its_lease_though_one_target_has_nobody() {
    let mut n = asked_after_reset(true);
    let effects = n.step(LATER.plus_ms(SETTLE_MS), Input::LookedUp(HolderAnswer::Nobody));
    let holder = n.holder.as_ref().unwrap();
    assert!(holder.is(&who("A")) && holder.incarnation == Some(LIFE_2) && !holder.used, "{holder:?}");
    let told = Notice::LeaseImported { epoch: holder.epoch, target_identity: Some("imsi-A".to_owned()), unused: false };
    assert_eq!(notices(&effects), [("A".to_owned(), &told)], "other targets may have it, and A's order will see");
}

#[test]
fn a_holder_that_was_reset_with_nothing_to_do_loses_a_lease_that_the_authority_knows_nothing_of() {
    let mut n = asked_after_reset(false);
    n.step(LATER.plus_ms(SETTLE_MS), Input::LookedUp(HolderAnswer::Nobody));
    assert!(n.holder.as_ref().unwrap().is(&who("B")), "{n:?}");
}

/// A has the lease for a lock.
fn locked_by_a() -> (Resource, Epoch) {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.claim(NOW, settling(ticket("A", 1, ClaimMode::Lock)));
    n.step(NOW.plus_ms(5_000), Input::Woke);
    n.step(NOW.plus_ms(5_000), Input::Notified(vec![Delivery::Delivered]));
    let epoch = n.holder.as_ref().unwrap().epoch;
    (n, epoch)
}

#[test]
fn a_holder_that_was_reset_hears_that_it_only_locked() {
    let (mut n, epoch) = locked_by_a();
    n.step(LATER, a_was_reset(Some(epoch), vec![]));
    let effects = n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    let [(_, Notice::LeaseImported { unused, .. })] = notices(&effects)[..] else { panic!("{effects:?}") };
    assert!(unused, "no target has it registered by a lock");
}

#[test]
fn a_lock_of_a_dead_holder_goes_to_the_next_though_nobody_can_be_asked() {
    let (mut n, epoch) = locked_by_a();
    n.claim(LATER, settling(ticket("B", 2, ClaimMode::Assign)));
    n.step(LATER, Input::Notified(vec![Delivery::Delivered]));
    let lost = Some(Incarnation::default());
    n.step(LATER, Input::Told(ToResource::Decline { from: who("A"), ticket: None, epoch, lost }));
    n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    assert!(n.holder.as_ref().unwrap().is(&who("B")), "{n:?}");
}

#[test]
fn a_dead_holder_that_wanted_more_than_a_lock_may_be_registered() {
    let (mut n, epoch) = locked_by_a();
    n.claim(LATER, settling(ticket("A", 3, ClaimMode::Assign)));
    n.claim(LATER, settling(ticket("B", 2, ClaimMode::Assign)));
    n.step(LATER, Input::Notified(vec![Delivery::Delivered]));
    let lost = Some(Incarnation::default());
    n.step(LATER, Input::Told(ToResource::Decline { from: who("A"), ticket: None, epoch, lost }));
    n.step(LATER.plus_ms(SETTLE_MS), Input::Woke);
    assert!(n.holder.as_ref().unwrap().is(&who("A")), "a person decides: {n:?}");
}
