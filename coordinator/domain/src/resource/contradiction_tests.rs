//! How a resource handles a customer that contradicts it for longer than messages take.

use super::tests::{NOW, give_back, ticket, who};
use super::*;
use crate::ids::{Epoch, Incarnation};
use crate::message::{Delivery, GiveBack, HeldLease, Notice};
use crate::order::{Authority, ClaimMode};

const SETTLE_MS: u64 = 90_000;
const ABOVE: Epoch = Epoch(9_000_000_000_000);

fn lasting(customer: &str, epoch: Option<Epoch>, tickets: Vec<Ticket>) -> Input {
    let own = ticket(customer, 1, ClaimMode::Assign);
    let lease = epoch.map(|epoch| HeldLease {
        epoch,
        ticket: own.id,
        key: own.key,
        since: NOW,
        target_identity: own.target_identity,
        unfinished: false,
    });
    let incarnation = Incarnation(1);
    let from = who(customer);
    Input::Told(ToResource::Reassert {
        from,
        incarnation,
        lease,
        above: ABOVE,
        tickets,
        lasting: true,
        after_reset: false,
    })
}

/// A resource of a kind without authority that A holds, and its epoch.
fn held_by_a(authority: Option<Authority>) -> (Resource, Epoch) {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let policy = ResourcePolicy { orphan_settle_ms: SETTLE_MS, ..ResourcePolicy::default() };
    let ClaimAnswer::Granted { epoch, .. } =
        n.claim(NOW, Ticket { policy: policy.clone(), ..ticket("A", 1, ClaimMode::Assign) }).0
    else {
        panic!("nobody has it")
    };
    n.policy = ResourcePolicy { authority, ..policy };
    (n, epoch)
}

fn hss() -> Authority {
    Authority { target: "hss".parse().unwrap(), operation: "find_holder".to_owned() }
}

fn waits(n: &mut Resource, customer: &str) {
    let policy = n.policy.clone();
    assert_eq!(n.claim(NOW, Ticket { policy, ..ticket(customer, 5, ClaimMode::Assign) }).0, ClaimAnswer::Queued);
    n.step(NOW, Input::Notified(vec![Delivery::Delivered; n.sending]));
}

fn holder(n: &Resource) -> Option<(String, Epoch)> {
    let holder = n.holder.as_ref()?;
    Some((holder.customer()?.customer.to_string(), holder.epoch))
}

fn told(effects: &[Effect]) -> Vec<(String, Notice)> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Notify(messages) => Some(messages),
        Effect::LookUp { .. } => None,
    });
    told.flatten().map(|(customer, message)| (customer.customer.to_string(), message.notice.clone())).collect()
}

#[test]
fn a_holder_that_does_not_have_it_is_followed_by_the_next_when_nothing_of_it_can_land_any_more() {
    let (mut n, epoch) = held_by_a(None);
    waits(&mut n, "B");
    assert_eq!(told(&n.step(NOW, lasting("A", None, vec![]))), []);
    assert_eq!(n.step(NOW.plus_ms(SETTLE_MS - 1), Input::Woke), vec![], "what it sent may still land");
    assert_eq!(n.wake_at(NOW), Some(NOW.plus_ms(SETTLE_MS)));
    n.step(NOW.plus_ms(SETTLE_MS), Input::Woke);
    let (next, later) = holder(&n).unwrap();
    assert!(next == "B" && later > ABOVE && later > epoch, "{next} by {later}");
}

#[test]
fn the_authority_is_asked_before_the_next_one_is_granted_what_its_holder_does_not_have() {
    let (mut n, _) = held_by_a(Some(hss()));
    waits(&mut n, "B");
    n.step(NOW, lasting("A", None, vec![]));
    let effects = n.step(NOW.plus_ms(SETTLE_MS), Input::Woke);
    assert!(matches!(effects.as_slice(), [Effect::LookUp { .. }]), "{effects:?}");
    let mut registered = n.clone();
    n.step(NOW.plus_ms(SETTLE_MS), Input::LookedUp(HolderAnswer::Nobody));
    assert_eq!(holder(&n).unwrap().0, "B");
    // The target has it registered to A, which forgot it: A is told, and no other customer gets it before A releases it.
    let answer = HolderAnswer::TargetIdentity { target_identity: "imsi-A".to_owned() };
    let effects = registered.step(NOW.plus_ms(SETTLE_MS), Input::LookedUp(answer));
    let (who, later) = holder(&registered).unwrap();
    assert!(who == "A" && later > ABOVE, "{who} by {later}");
    let notices = told(&effects);
    assert!(matches!(&notices[..], [(to, Notice::LeaseImported { epoch, .. })] if to == "A" && *epoch == later));
    assert!(registered.holder.as_ref().unwrap().orphaned_at.is_none());
}

#[test]
fn a_holder_that_lost_its_lease_and_wants_it_is_granted_it_again_by_a_later_epoch() {
    let (mut n, epoch) = held_by_a(None);
    let again = Ticket { policy: n.policy.clone(), ..ticket("A", 1, ClaimMode::Assign) };
    assert_eq!(told(&n.step(NOW, lasting("A", None, vec![again]))), [], "it is not told of what it takes no more");
    n.step(NOW.plus_ms(SETTLE_MS), Input::Woke);
    let (next, later) = holder(&n).unwrap();
    assert!(next == "A" && later > ABOVE && later > epoch, "{next} by {later}");
}

#[test]
fn what_a_holder_that_lost_its_lease_claimed_meanwhile_waits_on() {
    let (mut n, _) = held_by_a(Some(hss()));
    let policy = n.policy.clone();
    let release = Ticket { policy, ..ticket("A", 9, ClaimMode::Release) };
    assert_eq!(n.claim(NOW, release).0, ClaimAnswer::Queued);
    n.step(NOW, lasting("A", None, vec![]));
    assert_eq!(n.queue.len(), 1);
}

#[test]
fn what_the_target_has_registered_stays_its_holders_where_nobody_can_be_asked() {
    let (mut n, epoch) = held_by_a(None);
    n.step(NOW, Input::Told(ToResource::Used { from: who("A"), epoch, target_identity: None }));
    waits(&mut n, "B");
    n.step(NOW, lasting("A", None, vec![]));
    n.step(NOW.plus_ms(SETTLE_MS), Input::Woke);
    assert_eq!(holder(&n).unwrap().0, "A");
    // Its next claim gets the lease.
    let policy = n.policy.clone();
    let answer = n.claim(NOW.plus_ms(SETTLE_MS), Ticket { policy, ..ticket("A", 9, ClaimMode::Release) }).0;
    assert!(matches!(answer, ClaimAnswer::Granted { epoch, .. } if epoch > ABOVE), "{answer:?}");
}

#[test]
fn a_holder_that_missed_its_later_grant_is_told_of_it_and_one_that_has_a_later_lease_is_believed() {
    let (mut n, epoch) = held_by_a(None);
    let before = n.clone();
    let effects = n.step(NOW, lasting("A", Some(Epoch(epoch.0 - 1)), vec![]));
    let notices = told(&effects);
    assert!(matches!(&notices[..], [(to, Notice::LeaseGranted { epoch: again, .. })] if to == "A" && *again == epoch));
    assert_eq!(holder(&n), holder(&before));
    n.step(NOW, Input::Notified(vec![Delivery::Delivered]));
    n.step(NOW, lasting("A", Some(Epoch(epoch.0 + 5)), vec![]));
    assert_eq!(holder(&n), Some(("A".to_owned(), Epoch(epoch.0 + 5))));
    assert_eq!(told(&n.step(NOW, lasting("A", Some(Epoch(epoch.0 + 5)), vec![]))), [], "it is so");
}

#[test]
fn a_customer_whose_lease_came_back_only_here_is_the_holder_again_before_all_who_wait() {
    let (mut n, epoch) = held_by_a(None);
    n.step(NOW, give_back("A", epoch, GiveBack::Released));
    assert_eq!(holder(&n), None);
    let effects = n.step(NOW, lasting("A", Some(epoch), vec![]));
    let (who, later) = holder(&n).unwrap();
    assert!(who == "A" && later > ABOVE, "{who} by {later}");
    assert!(matches!(&told(&effects)[..], [(to, Notice::LeaseGranted { epoch, .. })] if to == "A" && *epoch == later));
    // The epoch comes from the message and not from a clock: another attempt of the same task grants the same one.
    let (mut again, _) = held_by_a(None);
    again.step(NOW, give_back("A", epoch, GiveBack::Released));
    again.step(NOW.plus_ms(5_000), lasting("A", Some(epoch), vec![]));
    assert_eq!(holder(&again).unwrap().1, later);
}

#[test]
fn a_second_customer_that_holds_it_takes_it_from_nobody_and_is_next() {
    for of_b in [|epoch: Epoch| Epoch(epoch.0 - 1), |epoch: Epoch| Epoch(epoch.0 + 1)] {
        let (mut n, epoch) = held_by_a(None);
        waits(&mut n, "C");
        assert_eq!(told(&n.step(NOW, lasting("B", Some(of_b(epoch)), vec![]))), []);
        assert_eq!(holder(&n), Some(("A".to_owned(), epoch)));
        assert_eq!(n.view().also_held_by.map(|rival| rival.customer_id.to_string()).as_deref(), Some("B"));
        let contradicted =
            |n: &Resource| n.history.iter().filter(|entry| entry.what == LeaseEvent::Contradicted).count();
        assert_eq!(contradicted(&n), 1);
        n.step(NOW, lasting("B", Some(of_b(epoch)), vec![]));
        assert_eq!(contradicted(&n), 1, "it is said once");
        // It travels from run to run.
        let mut n: Resource = serde_json::from_str(&serde_json::to_string(&n).unwrap()).unwrap();
        let mut b_gives_back_first = n.clone();
        n.step(NOW, give_back("A", epoch, GiveBack::Released));
        assert_eq!(holder(&n).unwrap().0, "B", "C would be a third");
        b_gives_back_first.step(NOW, give_back("B", of_b(epoch), GiveBack::Released));
        assert_eq!(b_gives_back_first.rival, None);
        b_gives_back_first.step(NOW, give_back("A", epoch, GiveBack::Released));
        assert_eq!(holder(&b_gives_back_first).unwrap().0, "C");
    }
}

#[test]
fn a_customer_that_holds_what_the_holder_does_not_have_is_the_holder_whoever_says_so_first() {
    for a_first in [true, false] {
        let (mut n, epoch) = held_by_a(Some(hss()));
        waits(&mut n, "C");
        let mut said = [lasting("A", None, vec![]), lasting("B", Some(Epoch(epoch.0 - 1)), vec![])];
        if !a_first {
            said.reverse();
        }
        for said in said {
            n.step(NOW, said);
            n.step(NOW, Input::Notified(vec![Delivery::Delivered; n.sending]));
        }
        let (who, later) = holder(&n).unwrap();
        assert!(who == "B" && later > ABOVE, "{who} by {later}");
        assert!(n.holder.as_ref().unwrap().orphaned_at.is_none());
    }
}

#[test]
fn a_holder_that_was_taken_for_dead_and_holds_its_lease_is_the_holder() {
    let (mut n, epoch) = held_by_a(Some(hss()));
    let dead = Some(Incarnation(1));
    n.step(NOW, Input::Told(ToResource::Decline { from: who("A"), ticket: None, epoch, lost: dead }));
    assert!(n.holder.as_ref().unwrap().orphaned_at.is_some());
    n.step(NOW, lasting("A", Some(epoch), vec![]));
    assert!(n.holder.as_ref().unwrap().orphaned_at.is_none());
    assert_eq!(holder(&n).unwrap().0, "A");
}
