//! The resource machine alone: queue, limits, epochs, orphans, the authority.

use super::*;
use crate::ids::{Epoch, Incarnation, OrderId, TicketId};
use crate::limits::EntityLimits;
use crate::message::{GiveBack, LeaseProof, Notice};
use crate::order::{ClaimMode, OrderKey};
use crate::wire::Hideable;

pub(super) const NOW: Timestamp = Timestamp(1_000_000);

fn resource() -> Resource {
    Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap())
}

pub(super) fn who(customer: &str) -> CustomerRef {
    CustomerRef { tenant: "t".parse().unwrap(), customer: customer.parse().unwrap() }
}

pub(super) fn ticket(customer: &str, key: i64, mode: ClaimMode) -> Ticket {
    let order = OrderId::derive(&"t".parse().unwrap(), &customer.parse().unwrap(), "s", &key.to_string(), None);
    Ticket {
        id: TicketId::derive(&order, &"msisdn/1".parse().unwrap(), Incarnation(1)),
        key: OrderKey::new(Some(Timestamp(key)), None, NOW, order.clone()),
        order,
        mode,
        claimant: who(customer),
        incarnation: Incarnation(1),
        target_identity: Some(format!("imsi-{customer}")),
        swap: false,
        answer_by: None,
        policy: ResourcePolicy::default(),
    }
}

pub(super) fn give_back(customer: &str, epoch: Epoch, how: GiveBack) -> Input {
    Input::Told(ToResource::GiveBack {
        from: who(customer),
        epoch,
        how,
        tickets: vec![],
        finished: vec![],
        proof: None,
        registered_to: None,
    })
}

fn epoch_of(answer: &ClaimAnswer) -> Epoch {
    match answer {
        ClaimAnswer::Granted { epoch, .. } => *epoch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_oldest_ticket_is_granted_when_the_lease_comes_back_and_the_epoch_grows() {
    let mut n = resource();
    let first = epoch_of(&n.claim(NOW, ticket("A", 1, ClaimMode::Assign)).0);
    assert_eq!(first, Epoch(1_000_000), "not below the clock");
    n.step(NOW, Input::Told(ToResource::Used { from: who("A"), epoch: first, target_identity: None }));
    assert_eq!(n.claim(NOW, ticket("C", 3, ClaimMode::Assign)).0, ClaimAnswer::Queued);
    assert_eq!(n.claim(NOW, ticket("B", 2, ClaimMode::Assign)).0, ClaimAnswer::Queued);
    let effects = n.step(NOW, give_back("A", first, GiveBack::Released));
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(messages[0].0, who("B"));
    assert!(matches!(messages[0].1.notice, Notice::LeaseGranted { epoch: Epoch(1_000_001), .. }));
    let again = n.clone();
    n.step(NOW, give_back("A", first, GiveBack::Released));
    assert_eq!(n, again, "the same message again changes nothing");
}

#[test]
fn the_same_claim_again_is_answered_the_same() {
    let mut n = resource();
    let first = n.claim(NOW, ticket("A", 1, ClaimMode::Assign)).0;
    assert_eq!(n.claim(NOW, ticket("A", 1, ClaimMode::Assign)).0, first);
    assert_eq!(n.claim(NOW, ticket("B", 2, ClaimMode::Assign)).0, ClaimAnswer::Queued);
    assert_eq!(n.claim(NOW, ticket("B", 2, ClaimMode::Assign)).0, ClaimAnswer::Queued);
    assert_eq!(n.queue.len(), 1);
}

#[test]
fn an_older_ticket_and_a_release_of_another_make_it_ask_the_holder() {
    let mut n = resource();
    n.claim(NOW, ticket("B", 5, ClaimMode::Assign));
    let (_, effects) = n.claim(NOW, ticket("C", 7, ClaimMode::Assign));
    assert_eq!(effects, vec![], "a younger assign waits without a word");
    let (_, effects) = n.claim(NOW, ticket("A", 2, ClaimMode::Release));
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(messages[0].1.notice, Notice::LeaseRecalled { .. }));
    let epoch = n.epoch;
    n.step(NOW, Input::Notified(vec![crate::message::Delivery::Delivered]));
    let effects = n.step(NOW, Input::Told(ToResource::Used { from: who("B"), epoch, target_identity: None }));
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(messages[0].0, who("A"));
    assert!(matches!(messages[0].1.notice, Notice::NotHolder { .. }));
}

#[test]
fn the_queue_takes_its_limit_of_tickets_and_not_one_more() {
    let mut n = resource();
    let limits = EntityLimits { tickets_max: 3, ..EntityLimits::default() };
    let limited =
        |key| Ticket { policy: ResourcePolicy { limits, ..Default::default() }, ..ticket("A", key, ClaimMode::Assign) };
    for key in 1..=4 {
        assert!(!matches!(n.claim(NOW, limited(key)).0, ClaimAnswer::QueueFull { .. }), "one holds, three wait");
    }
    assert_eq!(n.claim(NOW, limited(5)).0, ClaimAnswer::QueueFull { tickets_max: 3 });
}

#[test]
fn of_a_realm_that_tenants_share_each_has_its_share_of_the_queue_and_not_one_ticket_more() {
    let mut n = Resource::new("numbers".parse().unwrap(), "msisdn/1".parse().unwrap());
    let limits = EntityLimits { tickets_max: 8, ..EntityLimits::default() };
    let of = |tenant: &str, key| {
        let own = ticket("A", key, ClaimMode::Assign);
        let claimant =
            CustomerRef { tenant: tenant.parse().unwrap(), customer: format!("{tenant}-{key}").parse().unwrap() };
        let order = OrderId::derive(&claimant.tenant, &claimant.customer, "s", "1", None);
        let id = TicketId::derive(&order, &"msisdn/1".parse().unwrap(), Incarnation(1));
        let key = OrderKey { order: order.clone(), ..own.key };
        Ticket { id, order, key, claimant, policy: ResourcePolicy { limits, ..Default::default() }, ..own }
    };
    n.claim(NOW, of("holder", 0));
    for key in 1..=2 {
        assert_eq!(n.claim(NOW, of("noisy", key)).0, ClaimAnswer::Queued, "a quarter of eight");
    }
    assert_eq!(n.claim(NOW, of("noisy", 3)).0, ClaimAnswer::QueueFull { tickets_max: 2 });
    assert_eq!(n.claim(NOW, of("other", 4)).0, ClaimAnswer::Queued, "there is room for the others");
}

#[test]
fn finished_tickets_are_remembered_up_to_the_limit() {
    let mut n = resource();
    n.claim(NOW, ticket("Z", 0, ClaimMode::Assign));
    let max = i64::try_from(n.policy.limits.finished_tickets_max).unwrap();
    for key in 1..=max + 1 {
        let tickets = vec![ticket("A", key, ClaimMode::Assign).id];
        n.step(NOW, Input::Told(ToResource::Withdraw { from: who("A"), tickets }));
    }
    assert_eq!(n.claim(NOW, ticket("A", 2, ClaimMode::Assign)).0, ClaimAnswer::Finished);
    assert_eq!(n.claim(NOW, ticket("A", 1, ClaimMode::Assign)).0, ClaimAnswer::Queued, "the oldest is forgotten");
}

#[test]
fn an_entity_without_history_waits_for_clocks_and_looks_before_its_first_grant() {
    let mut n = resource();
    let authority = Authority { target: "hss".parse().unwrap(), operation: "find_holder".to_owned() };
    let policy = ResourcePolicy { authority: Some(authority), fresh_wait_ms: 5_000, ..Default::default() };
    let (answer, effects) = n.claim(NOW, Ticket { policy, ..ticket("B", 5, ClaimMode::Assign) });
    assert_eq!(answer, ClaimAnswer::Queued);
    assert!(matches!(effects.as_slice(), [Effect::LookUp { .. }]));
    let target_identity = "imsi-A".to_owned();
    n.step(NOW, Input::LookedUp(HolderAnswer::TargetIdentity { target_identity }));
    let (answer, _) = n.claim(NOW, ticket("A", 9, ClaimMode::Release));
    epoch_of(&answer);
    let effects = n.step(NOW, give_back("A", n.epoch, GiveBack::Released));
    assert_eq!(effects, vec![]);
    assert_eq!(n.wake_at(NOW), Some(Timestamp(NOW.0 + 5_000)));
    let effects = n.step(Timestamp(NOW.0 + 5_000), Input::Woke);
    assert!(matches!(effects.as_slice(), [Effect::Notify(_)]));
}

#[test]
fn an_orphan_is_settled_only_after_its_requests_can_no_longer_land_and_by_the_newer_life() {
    let mut n = resource();
    let policy = ResourcePolicy { orphan_settle_ms: 90_000, ..Default::default() };
    let of = |ticket: Ticket| Ticket { policy: policy.clone(), ..ticket };
    n.claim(NOW, of(ticket("A", 1, ClaimMode::Assign)));
    n.claim(NOW, of(ticket("B", 2, ClaimMode::Assign)));
    let newer = ticket("A", 3, ClaimMode::Release);
    let newer = of(Ticket { incarnation: Incarnation(2), ..newer });
    assert_eq!(n.claim(NOW, newer).0, ClaimAnswer::Queued);
    assert_eq!(n.wake_at(NOW), Some(NOW.plus_ms(90_000)));
    assert_eq!(n.step(NOW.plus_ms(89_999), Input::Woke), vec![]);
    let effects = n.step(NOW.plus_ms(90_000), Input::Woke);
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(messages[0].0, who("A"), "whatever its key, the newer life goes before B");
}

#[test]
fn a_seeded_lease_is_the_holders_by_its_first_claim() {
    let mut n = resource();
    n.step(NOW, Input::Seeded { holder: who("A"), target_identity: None, policy: ResourcePolicy::default() });
    assert_eq!(n.claim(NOW, ticket("B", 1, ClaimMode::Assign)).0, ClaimAnswer::Queued);
    epoch_of(&n.claim(NOW, ticket("A", 5, ClaimMode::Release)).0);
}

fn found_with(target_identity: &str, epoch: Epoch, order: &OrderId) -> Input {
    let proof = LeaseProof { order: order.clone(), step: None, at: NOW, actor: None, reason: None };
    Input::Told(ToResource::GiveBack {
        from: who("A"),
        epoch,
        how: GiveBack::Contested,
        tickets: vec![],
        finished: vec![],
        proof: Some(proof),
        registered_to: Some(target_identity.to_owned()),
    })
}

#[test]
fn what_a_release_found_with_somebody_else_is_theirs_and_the_queue_waits_behind_them() {
    let mut n = resource();
    let own = ticket("A", 1, ClaimMode::Assign);
    let order = own.order.clone();
    let epoch = epoch_of(&n.claim(NOW, own).0);
    n.step(NOW, Input::Told(ToResource::Used { from: who("A"), epoch, target_identity: None }));
    n.claim(NOW, ticket("B", 2, ClaimMode::Assign));
    assert_eq!(n.step(NOW, found_with("imsi-C", epoch, &order)), vec![], "B is not granted it");
    assert_eq!(n.holder.as_ref().map(|holder| &holder.who), Some(&HolderName::TargetIdentity("imsi-C".to_owned())));
    let view = n.view();
    let came_back = view.history.iter().find(|entry| entry.what == LeaseEvent::Contested).unwrap();
    assert_eq!(came_back.proof.as_ref().map(|proof| proof.order_id.as_str()), Some(order.as_str()));
    assert!(
        view.history.iter().any(|entry| entry.what == LeaseEvent::Registered && entry.who.as_deref() == Some("imsi-C"))
    );
    // C gives it up: the queue continues.
    let answer = n.claim(NOW, ticket("C", 3, ClaimMode::Release)).0;
    n.step(NOW, give_back("C", epoch_of(&answer), GiveBack::Released));
    assert!(n.holder.as_ref().is_some_and(|holder| holder.is(&who("B"))));
}

#[test]
fn what_a_release_found_with_one_who_waits_is_theirs_at_once() {
    let mut n = resource();
    let own = ticket("A", 1, ClaimMode::Assign);
    let order = own.order.clone();
    let epoch = epoch_of(&n.claim(NOW, own).0);
    n.claim(NOW, ticket("B", 2, ClaimMode::Assign));
    let effects = n.step(NOW, found_with("imsi-B", epoch, &order));
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(messages[0].1.notice, Notice::LeaseGranted { registered: true, .. }), "{messages:?}");
}

#[test]
fn a_holder_whose_sim_was_swapped_is_known_by_its_new_name() {
    let mut n = resource();
    let epoch = epoch_of(&n.claim(NOW, ticket("A", 1, ClaimMode::Assign)).0);
    n.step(NOW, Input::Told(ToResource::Used { from: who("A"), epoch, target_identity: Some("imsi-A2".to_owned()) }));
    assert_eq!(n.view().holder.unwrap().target_identity, Some(Hideable::Shown("imsi-A2".to_owned())));
    assert_eq!(n.history.back().and_then(|entry| entry.what.known()), Some(LeaseEvent::Renamed));
}
