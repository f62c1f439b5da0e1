//! Leases that come from an import.

use super::tests::{NOW, give_back, ticket, who};
use super::*;
use crate::ids::{Epoch, Incarnation};
use crate::message::{Delivery, GiveBack, Notice};
use crate::order::ClaimMode;

fn resource() -> Resource {
    Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap())
}

fn import(n: &mut Resource, customer: &str) -> ImportAnswer {
    n.import(NOW, &Import { holder: who(customer), policy: ResourcePolicy::default() }).0
}

/// A customer is asked what it has of the resource, and has nothing.
fn asked(customer: &str, incarnation: i64) -> Input {
    let (from, incarnation) = (who(customer), Incarnation(incarnation));
    Input::Told(ToResource::Reassert {
        from,
        incarnation,
        lease: None,
        above: Epoch(1_000_000),
        tickets: vec![],
        lasting: false,
        after_reset: false,
    })
}

#[test]
fn the_first_line_has_it_the_same_again_is_no_change_and_another_customer_is_a_conflict() {
    let mut n = resource();
    assert_eq!(import(&mut n, "A"), ImportAnswer::Seeded { epoch: Epoch(1_000_000) });
    let before = n.clone();
    assert_eq!(import(&mut n, "A"), ImportAnswer::Unchanged { epoch: Epoch(1_000_000), untold: true });
    assert_eq!(import(&mut n, "B"), ImportAnswer::Held { by: who("A") });
    assert_eq!(n, before, "neither changed anything");
}

#[test]
fn a_list_is_an_old_story_where_the_lease_was_given_back_or_forced_since() {
    let mut n = resource();
    import(&mut n, "A");
    let ClaimAnswer::Granted { epoch, .. } = n.claim(NOW, ticket("A", 5, ClaimMode::Release)).0 else { panic!() };
    n.step(NOW, give_back("A", epoch, GiveBack::Released));
    let before = n.clone();
    assert_eq!(import(&mut n, "A"), ImportAnswer::MovedOn);
    assert_eq!(n, before);

    let mut forced = resource();
    import(&mut forced, "A");
    let release = force();
    forced.step(NOW, Input::Forced(release));
    assert_eq!(forced.holder, None);
    assert_eq!(import(&mut forced, "A"), ImportAnswer::MovedOn);
    let mut recreated = Resource::recreated("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    assert_eq!(import(&mut recreated, "A"), ImportAnswer::MovedOn, "its holder is to say what it has");
}

fn force() -> ForceRelease {
    serde_json::from_value(serde_json::json!({"action_id": "1", "actor": "x", "reason": "r", "tenant": "t"})).unwrap()
}

#[test]
fn an_imported_lease_is_the_holders_by_its_first_claim_and_others_wait() {
    let mut n = resource();
    import(&mut n, "A");
    assert_eq!(n.claim(NOW, ticket("B", 1, ClaimMode::Assign)).0, ClaimAnswer::Queued);
    let (answer, _) = n.claim(NOW, ticket("A", 5, ClaimMode::Release));
    assert!(matches!(answer, ClaimAnswer::Granted { registered: true, .. }), "{answer:?}");
    assert_eq!(n.step(NOW, asked("A", 1)), vec![], "it knows already");
}

#[test]
fn a_holder_that_is_asked_and_does_not_know_is_told_once_and_is_known_to_live() {
    let mut n = resource();
    import(&mut n, "A");
    assert_eq!(n.step(NOW, asked("B", 1)), vec![], "B is not the holder");
    let effects = n.step(NOW, asked("A", 1));
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    let epoch = n.holder.as_ref().unwrap().epoch;
    assert_eq!(messages[0].0, who("A"));
    assert_eq!(messages[0].1.notice, Notice::LeaseImported { epoch, target_identity: None, unused: false });
    assert!(epoch > Epoch(1_000_000), "above what the customer takes");
    assert_eq!(n.holder.as_ref().unwrap().incarnation, Some(Incarnation(1)));
    n.step(NOW, Input::Notified(vec![Delivery::Delivered]));
    assert_eq!(n.step(NOW, asked("A", 1)), vec![]);
    assert_eq!(import(&mut n, "A"), ImportAnswer::Unchanged { epoch, untold: false });
}

#[test]
fn an_imported_lease_whose_told_holder_is_dead_is_an_orphan() {
    let mut n = resource();
    import(&mut n, "A");
    n.step(NOW, asked("A", 1));
    n.step(NOW, Input::Notified(vec![Delivery::Lost]));
    assert_eq!(n.holder.as_ref().unwrap().orphaned_at, Some(NOW));
}

#[test]
fn what_a_previous_build_wrote_is_read() {
    let mut written = serde_json::to_value(resource()).unwrap();
    written.as_object_mut().unwrap().remove("untold");
    assert_eq!(serde_json::from_value::<Resource>(written).unwrap(), resource());
}
