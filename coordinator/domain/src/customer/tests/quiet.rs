//! What a customer accepts without looking at all its orders again.

use super::*;

/// A customer whose order waits for a lease, and expires a second after its event.
fn waiting() -> Customer {
    let mut a = customer();
    let claims = [(ClaimMode::Assign, number())];
    let plan = Plan { expires_after_ms: Some(1_000), ..plan(&claims, vec![step("hss.assign", &[number()], &[])]) };
    admit(&mut a, "e1", plan, vec![(number(), ClaimAnswer::Queued)]);
    assert!(a.is_quiet(NOW));
    a
}

#[test]
fn an_event_that_comes_in_is_admitted_and_changes_no_order() {
    let mut a = waiting();
    let orders = a.orders.clone();
    let effects = a.step(NOW, Input::Submitted(Ok(event("e2"))));
    assert!(matches!(effects.as_slice(), [Effect::Admit(_)]), "{effects:?}");
    assert_eq!(a.orders, orders);
}

#[test]
fn the_orders_are_looked_at_from_the_moment_at_which_one_expires() {
    let expires = NOW.plus_ms(1_000);
    let mut before = waiting();
    before.step(Timestamp(expires.0 - 1), Input::Submitted(Ok(event("e2"))));
    assert_eq!(before.orders.len(), 1);
    let mut at = waiting();
    at.step(expires, Input::Submitted(Ok(event("e2"))));
    assert_eq!(at.orders.len(), 0, "the order has expired");
}

#[test]
fn whoever_has_just_begun_a_call_looks_at_all_its_orders_again() {
    let mut a = customer();
    let effects = admit(&mut a, "e1", plan(&[], vec![step("crm.note", &[], &[])]), Vec::new());
    assert!(matches!(effects.as_slice(), [Effect::Provision { .. }]), "{effects:?}");
    assert!(!a.is_quiet(NOW));
    a.step(NOW, Input::Submitted(Ok(event("e2"))));
    assert!(a.is_quiet(NOW), "it has looked, and nothing more is to be done");
}
