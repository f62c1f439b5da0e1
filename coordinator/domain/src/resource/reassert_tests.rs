//! What a terminated entity learns again.

use super::tests::{NOW, give_back, ticket, who};
use super::*;
use serde_json::json;

use crate::ids::{Epoch, Incarnation};
use crate::message::{GiveBack, HeldLease, Notice};
use crate::order::ClaimMode;

const SETTLE_MS: u64 = 90_000;

fn recreated() -> Resource {
    Resource::recreated("t".parse().unwrap(), "msisdn/1".parse().unwrap())
}

/// A ticket of a kind without a look-up; requests of a dead holder may arrive for this long.
fn settling(ticket: Ticket) -> Ticket {
    Ticket { policy: ResourcePolicy { orphan_settle_ms: SETTLE_MS, ..ResourcePolicy::default() }, ..ticket }
}

fn reassert(customer: &str, lease: Option<Epoch>, tickets: Vec<Ticket>) -> Input {
    let own = ticket(customer, 1, ClaimMode::Assign);
    let lease = lease.map(|epoch| HeldLease {
        epoch,
        ticket: own.id,
        key: own.key,
        since: NOW,
        target_identity: own.target_identity,
        unfinished: false,
    });
    let (incarnation, above) = (Incarnation(1), Epoch(1_000_000));
    Input::Told(ToResource::Reassert {
        from: who(customer),
        incarnation,
        lease,
        above,
        tickets,
        lasting: false,
        after_reset: false,
    })
}

fn granted_to(effects: &[Effect]) -> Vec<(String, Epoch)> {
    let notified = effects.iter().filter_map(|effect| match effect {
        Effect::Notify(messages) => Some(messages),
        Effect::LookUp { .. } => None,
    });
    let granted = notified.flatten().filter_map(|(customer, message)| match message.notice {
        Notice::LeaseGranted { epoch, .. } => Some((customer.customer.to_string(), epoch)),
        _ => None,
    });
    granted.collect()
}

#[test]
fn whoever_waited_waits_again_and_is_served_when_the_holder_that_said_so_gives_back() {
    let mut n = recreated();
    let waits = settling(ticket("B", 2, ClaimMode::Assign));
    assert_eq!(n.step(NOW, reassert("B", None, vec![waits])), vec![]);
    let held = n.step(NOW, reassert("A", Some(Epoch(77)), vec![]));
    let [Effect::Notify(messages)] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!(messages[0].0, who("A"));
    assert_eq!(messages[0].1.notice, Notice::LeaseKnown { epoch: Epoch(77) }, "the lease is what it was");
    n.step(NOW, Input::Notified(vec![crate::message::Delivery::Delivered]));
    let later = NOW.plus_ms(SETTLE_MS);
    assert_eq!(n.step(later, Input::Woke), vec![], "A has it");
    let effects = n.step(later, give_back("A", Epoch(77), GiveBack::Released));
    let granted = granted_to(&effects);
    assert_eq!(granted.len(), 1);
    assert!(granted[0].0 == "B" && granted[0].1 > Epoch(1_000_000), "{granted:?}");
}

#[test]
fn nothing_is_granted_before_a_holder_could_say_so() {
    let mut n = recreated();
    assert_eq!(n.claim(NOW, settling(ticket("B", 2, ClaimMode::Assign))).0, ClaimAnswer::Queued);
    assert_eq!(n.wake_at(NOW), Some(NOW.plus_ms(SETTLE_MS)));
    assert_eq!(n.step(NOW.plus_ms(SETTLE_MS - 1), Input::Woke), vec![]);
    assert_eq!(granted_to(&n.step(NOW.plus_ms(SETTLE_MS), Input::Woke)).len(), 1);
}

#[test]
fn an_entity_that_did_not_know_of_its_earlier_life_waits_as_soon_as_it_hears_of_it() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let waits = settling(ticket("B", 2, ClaimMode::Assign));
    assert_eq!(granted_to(&n.step(NOW, reassert("B", None, vec![waits]))), []);
    assert_eq!(n.wake_at(NOW), Some(NOW.plus_ms(SETTLE_MS)));
}

#[test]
fn the_authority_is_asked_only_when_nothing_of_the_forgotten_holder_can_land_any_more() {
    let mut n = recreated();
    let authority = Authority { target: "hss".parse().unwrap(), operation: "find_holder".to_owned() };
    let policy = ResourcePolicy { authority: Some(authority), orphan_settle_ms: SETTLE_MS, ..Default::default() };
    let (_, effects) = n.claim(NOW, Ticket { policy, ..ticket("B", 2, ClaimMode::Assign) });
    assert_eq!(effects, vec![]);
    let effects = n.step(NOW.plus_ms(SETTLE_MS), Input::Woke);
    assert!(matches!(effects.as_slice(), [Effect::LookUp { .. }]), "{effects:?}");
}

#[test]
fn of_two_leases_said_again_the_one_granted_later_wins_and_an_old_story_changes_nothing() {
    let mut n = recreated();
    n.step(NOW, reassert("A", Some(Epoch(77)), vec![]));
    n.step(NOW, reassert("B", Some(Epoch(78)), vec![]));
    assert!(n.holder.as_ref().unwrap().is(&who("B")));
    n.step(NOW, reassert("A", Some(Epoch(77)), vec![]));
    assert!(n.holder.as_ref().unwrap().is(&who("B")));
    n.step(NOW, give_back("B", Epoch(78), GiveBack::Released));
    n.step(NOW, reassert("B", Some(Epoch(78)), vec![]));
    assert_eq!(n.holder, None, "it came back");
}

#[test]
fn what_is_said_again_to_an_entity_that_knows_it_changes_nothing() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let ClaimAnswer::Granted { epoch, .. } = n.claim(NOW, ticket("A", 1, ClaimMode::Assign)).0 else { panic!() };
    n.claim(NOW, ticket("B", 2, ClaimMode::Assign));
    let before = n.clone();
    n.step(NOW, reassert("A", Some(epoch), vec![]));
    n.step(NOW, reassert("B", None, vec![ticket("B", 2, ClaimMode::Assign)]));
    assert_eq!(n, Resource { floor: n.floor, ..before });
}

#[test]
fn a_holder_that_says_it_has_nothing_is_granted_again_above_what_it_takes() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.claim(NOW, ticket("A", 1, ClaimMode::Assign));
    let effects = n.step(NOW, reassert("A", None, vec![ticket("A", 1, ClaimMode::Assign)]));
    let granted = granted_to(&effects);
    assert!(matches!(granted.as_slice(), [(who, epoch)] if who == "A" && *epoch > Epoch(1_000_000)), "{granted:?}");
}

#[test]
fn an_epoch_that_no_clock_can_have_reached_does_not_end_the_growth_of_epochs() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let told = |lease: serde_json::Value, above: u64| {
        let message = json!({
            "kind": "reassert", "from": who("A"), "incarnation": 1, "lease": lease, "above": above, "tickets": [],
        });
        Input::Told(serde_json::from_value(message).unwrap())
    };
    let own = ticket("A", 1, ClaimMode::Assign);
    n.step(NOW, told(json!(null), u64::MAX));
    n.step(NOW, told(json!({"epoch": u64::MAX, "ticket": own.id, "key": own.key, "since": NOW}), 0));
    let mut last = n.epoch();
    for (key, customer) in [(1, "B"), (2, "C"), (3, "A")] {
        n.claim(NOW, ticket(customer, key, ClaimMode::Assign));
        let epoch = n.epoch();
        assert!(epoch > last, "{epoch} is not above {last}");
        n.step(NOW, give_back(customer, epoch, GiveBack::Released));
        last = epoch;
    }
    let mut highest = Resource { floor: Epoch::BELIEVED_MAX, ..n.clone() };
    highest.claim(NOW, ticket("B", 4, ClaimMode::Assign));
    assert!(highest.epoch() > Epoch::BELIEVED_MAX, "what is believed is exceeded");
    let stored: Resource = serde_json::from_value(serde_json::to_value(&highest).unwrap()).unwrap();
    assert_eq!(stored.epoch(), highest.epoch(), "and the next run knows it");
}
