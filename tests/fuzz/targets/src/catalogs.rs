//! Catalogs: whatever text is a valid catalog makes sound plans.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::catalog::Catalog;
use interlock_domain::customer::{Admission, EventToAdmit};
use interlock_domain::event::{EVENT_BYTES_MAX, Event};
use interlock_domain::ids::{CustomerRef, Incarnation, ResourceId, TenantId};
use interlock_domain::limits::EntityLimits;
use interlock_domain::order::OrderKey;
use serde_json::json;

use crate::customer_life::NOW;
use crate::{explained, plans};

/// The line between a catalog and an event. In TOML it is a comment.
const EVENT_FOLLOWS: &str = "\n#---\n";
/// How many resources of a kind the customer holds.
const HELD: usize = 40;

/// A catalog, and an event after a line `#---`. Without one, each of its event types is tried with a usual event.
///
/// # Panics
/// If a fault has no place or code, if a plan is unsound, or if what the catalog says of itself cannot be had.
pub fn catalogs(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (text, event) = match text.split_once(EVENT_FOLLOWS) {
        Some((catalog, event)) => (catalog, Some(event)),
        None => (&*text, None),
    };
    let catalog = match Catalog::parse(text) {
        Ok(catalog) => catalog,
        Err(faults) => return explained::toml_faults(text, &faults),
    };
    assert_eq!(catalog.digest(), Catalog::parse(text).unwrap_or_else(|faults| panic!("{faults:?}")).digest());
    says_of_itself(&catalog);
    let event = event.map(|event| Event::from_slice(event.as_bytes(), EVENT_BYTES_MAX));
    match event {
        Some(Ok(event)) => plan(&catalog, event),
        Some(Err(rejection)) => explained::rejected(&rejection),
        None => catalog.event_types().take(8).for_each(|event_type| plan(&catalog, usual_event(event_type))),
    }
}

fn says_of_itself(catalog: &Catalog) {
    let roles = catalog.roles();
    assert!(catalog.realms().len() <= catalog.kinds().count());
    for kind in catalog.kinds() {
        let policy = catalog.policy(kind, &BTreeMap::new(), &EntityLimits::default());
        assert!(
            policy
                .authority
                .is_none_or(|authority| roles.iter().any(|role| role.as_str() == authority.target.as_str()))
        );
        // A resource is the same after it was in a message.
        if let Ok(resource) = ResourceId::new(kind.clone(), "1") {
            assert_eq!(resource.to_string().parse::<ResourceId>(), Ok(resource));
        }
        if let Err(rejection) = catalog.listed(kind.as_str(), "+1 206-555-0100") {
            explained::rejected(&rejection);
        }
    }
    for event_type in catalog.event_types() {
        assert!(catalog.ordering(event_type).is_some());
        let _due = catalog.due_within_ms(event_type);
        let _field = catalog.unproven_field(event_type);
    }
    assert!(catalog.unprotected().all(|event_type| catalog.ordering(event_type).is_some()));
}

/// Plans an event for a customer that holds some resources of each kind.
fn plan(catalog: &Catalog, event: Event) {
    let customer = CustomerRef { tenant: TenantId::default(), customer: event.subject.clone() };
    let order = catalog.order_id(&customer.tenant, &event);
    let key = OrderKey::new(event.time, event.sequence.as_deref(), NOW, order);
    let of_kind = |kind: &interlock_domain::ids::ResourceKind| {
        let kind = kind.clone();
        (0..HELD).filter_map(move |number| ResourceId::new(kind.clone(), &format!("{number:05}")).ok())
    };
    let holdings = catalog.kinds().take(4).flat_map(of_kind).map(|resource| (resource, Some("00101".to_owned())));
    let again = Event { id: format!("{}2", &event.id), ..event.clone() };
    let waiting =
        |event| EventToAdmit { event, key: key.clone(), taken_at: None, clock_bound: false, after_reset: false };
    let admission = Admission {
        customer,
        incarnation: Incarnation(NOW.0),
        events: vec![waiting(event), waiting(again)],
        holdings: holdings.collect(),
        held: BTreeSet::new(),
    };
    let planned = plans::plan_batch(catalog, &admission);
    assert_eq!(planned, plans::plan_batch(catalog, &admission), "the same event has another plan");
}

fn usual_event(event_type: &str) -> Event {
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/fuzz", "type": "x", "subject": "A1",
        "data": {
            "imsi": "001010000000001", "iccid": "8901000000000000001", "msisdn": "12065550100", "profile": "gold",
            "id": "1", "a": "1", "b": "2", "n": 7, "list": [1, "x"], "settings": {"speed": 7, "deep": {"list": [{}]}},
            "from": {"customer_id": "A1", "imsi": "001010000000001"}, "to": {"customer_id": "A2", "imsi": "001010000000002"},
        },
    });
    let event = Event::from_value(&event, EVENT_BYTES_MAX).unwrap_or_else(|rejection| unreachable!("{rejection}"));
    Event { event_type: event_type.to_owned(), ..event }
}
