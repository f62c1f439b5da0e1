//! Events: from the bytes that anybody sends to the end of the order.

use std::sync::LazyLock;

use interlock_domain::catalog::Catalog;
use interlock_domain::event::{self, EVENT_BYTES_MAX, Event};
use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::order::OrderState;
use serde_json::{Value, json};

use crate::customer_life::{CustomerLife, NOW};
use crate::explained;

/// The catalog that comes with Interlock, and one that uses everything else that a catalog can say.
static CATALOGS: LazyLock<[Catalog; 2]> = LazyLock::new(|| {
    let everything = Catalog::parse(include_str!("everything.toml"));
    [Catalog::reference(), everything.unwrap_or_else(|faults| panic!("everything.toml: {faults:?}"))]
});

/// One event, as a producer sends it.
///
/// # Panics
/// If the event reads otherwise after it was written or stamped, if it does not end, if a repeated or rejected event changes anything, or
/// if a rejection has no code.
pub fn events(input: &[u8]) {
    let read = Event::from_slice(input, EVENT_BYTES_MAX);
    match &read {
        Ok(event) => reads_the_same(input, event),
        Err(rejection) => explained::rejected(rejection),
    }
    for catalog in CATALOGS.iter() {
        let tenant = TenantId::default();
        let subject = read.as_ref().map_or_else(|_| subject(), |event| event.subject.clone());
        let mut life = CustomerLife::new(tenant.clone(), subject.clone(), catalog);
        life.submit(Ok(first_event(&subject)));
        let before = life.customer.clone();
        life.submit(read.clone());
        let Ok(event) = &read else {
            assert_eq!(life.customer.orders(), before.orders());
            assert_eq!(life.customer.leases(), before.leases());
            assert_eq!(life.customer.counts().rejected, before.counts().rejected + 1);
            continue;
        };
        let order = event.order_id(&tenant, event.half);
        let state = life.customer.state_of(&order);
        assert!(
            state.is_some_and(|state| state.is_terminal() || state == OrderState::Held),
            "{order} is {state:?} after everything was done"
        );
        if state == Some(OrderState::Rejected) {
            assert_eq!(life.customer.orders(), before.orders());
            assert_eq!(life.customer.leases(), before.leases());
        }
        let before = life.customer.view();
        // A rejected event had no effect, and may be tried again.
        if state != Some(OrderState::Rejected) {
            life.submit(read.clone());
            let after = life.customer.view();
            assert_eq!(
                (&after.orders, &after.leases, &after.journal),
                (&before.orders, &before.leases, &before.journal)
            );
        }
    }
}

/// An event is the same after it was stored, read as JSON by somebody else, or stamped.
fn reads_the_same(input: &[u8], event: &Event) {
    let stored = serde_json::to_vec(event).unwrap_or_else(|fault| panic!("an event cannot be written: {fault}"));
    let restored: Event = serde_json::from_slice(&stored).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(restored, *event, "an event reads otherwise than it was stored");
    let mut value: Value = serde_json::from_slice(input).unwrap_or_else(|fault| panic!("{fault}"));
    let of_value = Event::from_value(&value, usize::MAX).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(Event { bytes: event.bytes, ..of_value }, *event);
    // Written compactly, a number may be longer than its producer wrote it.
    if value.to_string().len() <= EVENT_BYTES_MAX {
        event::stamp(&mut value, NOW, EVENT_BYTES_MAX);
        let sent = value.to_string();
        let stamped = Event::from_slice(sent.as_bytes(), EVENT_BYTES_MAX)
            .unwrap_or_else(|rejection| panic!("a stamped event is rejected: {rejection}"));
        assert!(stamped.accepted_at == Some(NOW) || stamped.accepted_at.is_none());
        assert_eq!(Event { bytes: event.bytes, accepted_at: event.accepted_at, ..stamped }, *event);
    }
}

fn subject() -> CustomerId {
    "A1".parse().unwrap_or_else(|fault| unreachable!("a constant that is an id: {fault}"))
}

/// What the customer has before: a SIM with a number.
fn first_event(subject: &CustomerId) -> Event {
    let event = json!({
        "specversion": "1.0", "id": "first", "source": "/fuzz", "type": "subscriber.activated", "subject": subject,
        "time": "2026-11-20T14:15:00Z",
        "data": {"imsi": "001010000000001", "iccid": "8901000000000000001", "msisdn": "12065550100", "profile": "gold"},
    });
    Event::from_value(&event, EVENT_BYTES_MAX).unwrap_or_else(|rejection| unreachable!("{rejection}"))
}
