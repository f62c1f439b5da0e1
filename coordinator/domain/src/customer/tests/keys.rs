//! The idempotency keys of steps, including steps that 0.1.0 sent.

use uuid::Uuid;

use super::*;

fn key_of(effects: &[Effect]) -> Uuid {
    let [Effect::Provision { request, .. }] = effects else { panic!("{effects:?}") };
    request.idempotency_key
}

fn key_of_resumed(a: &mut Customer) -> Uuid {
    key_of(&a.step(NOW, Input::Resumed).into_iter().filter(is_call).collect::<Vec<_>>())
}

fn is_call(effect: &Effect) -> bool {
    matches!(effect, Effect::Provision { .. })
}

/// The state as the next run of an entity reads it.
fn carried(a: &Customer) -> Customer {
    serde_json::from_value(serde_json::to_value(a).unwrap()).unwrap()
}

/// A customer whose run started with 0.1.0.
fn early_customer() -> Customer {
    Customer { edition: Edition::V0_1, ..customer() }
}

#[test]
fn the_same_event_of_two_customers_has_two_keys() {
    let mut keys = Vec::new();
    for name in ["A", "B"] {
        let me = CustomerRef { tenant: "t".parse().unwrap(), customer: name.parse().unwrap() };
        let mut one = Customer::new(me, Incarnation(1));
        let event = Event { subject: name.parse().unwrap(), ..event("e1") };
        one.step(NOW, Input::Submitted(Ok(event)));
        let effects = one.step(NOW, planned(plan(&[], vec![step("crm.update", &[], &[])]), Vec::new()));
        keys.push(key_of(&effects));
    }
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_step_that_0_1_0_sent_keeps_its_key_in_later_runs() {
    let mut a = early_customer();
    let old = order_id("e1").step_key_v0_1("hss.assign");
    assert_eq!(key_of(&admit(&mut a, "e1", assign(), vec![(number(), granted(7))])), old, "as 0.1.0 recorded it");
    let mut next = carried(&a);
    assert_eq!(next.edition, Edition::default());
    assert!(next.edition > Edition::V0_1);
    assert_eq!(key_of_resumed(&mut next), old);
    let mut last = carried(&next);
    assert_eq!(key_of_resumed(&mut last), old);
}

#[test]
fn a_step_that_0_1_0_planned_and_never_sent_has_the_key_that_names_the_customer() {
    let mut a = early_customer();
    assert_eq!(admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]), vec![]);
    let mut next = carried(&a);
    let effects = admit(&mut next, "e2", plan(&[], vec![step("crm.update", &[], &[])]), Vec::new());
    assert_eq!(key_of(&effects), order_id("e2").step_key("crm.update"));
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(1));
    let grant = Notice::LeaseGranted { ticket, epoch: Epoch(7), registered: false, recall: None };
    let effects =
        next.step(NOW, Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice: grant }));
    assert_eq!(key_of(&effects), order_id("e1").step_key("hss.assign"));
}
