//! The customers of the demo, and their events.

use std::time::Duration;

use interlock_adapters::sandbox::Seed;
use serde_json::{Value, json};

/// The number that moves.
pub const NUMBER: &str = "12065551234";
/// How long the HSS takes to answer each request, once the number is to move.
pub const HSS_LATENCY: Duration = Duration::from_millis(350);
/// How long after A2's event A1's is sent.
pub(super) const LATER: Duration = Duration::from_millis(1_500);
/// How long a new resource waits before its first grant in the demo, and in the reference catalog.
pub(super) const FRESH_WAIT: (&str, &str) = ("500ms", "5s");

/// A customer of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) customer: &'static str,
    pub(super) imsi: &'static str,
}

/// Has the number at the start.
pub(super) const A1: Subscriber = Subscriber { customer: "A1", imsi: "001010000000001" };
/// Must have it at the end.
pub(super) const A2: Subscriber = Subscriber { customer: "A2", imsi: "001010000000002" };

impl Subscriber {
    /// The customer with this IMSI or id; for others the text itself.
    pub(super) fn name_of(name: &str) -> String {
        let known = [A1, A2].into_iter().find(|who| who.imsi == name || who.customer == name);
        known.map_or_else(|| name.to_owned(), |who| who.customer.to_owned())
    }

    /// The HSS's data about it before the first event.
    pub(super) fn seed(self) -> Seed {
        Seed { imsi: self.imsi.to_owned(), ..Seed::default() }
    }

    /// An event about the number.
    pub(super) fn event(self, event_type: &str, id: &str) -> Value {
        json!({
            "specversion": "1.0",
            "id": id,
            "source": "interlock-demo",
            "type": event_type,
            "subject": self.customer,
            "data": {"imsi": self.imsi, "msisdn": NUMBER},
        })
    }
}

/// The reference catalog with a shorter wait for new resources.
pub(super) fn catalog(reference: &str) -> String {
    let wait = |wait: &str| format!("fresh_wait = \"{wait}\"");
    reference.replace(&wait(FRESH_WAIT.1), &wait(FRESH_WAIT.0))
}

#[cfg(test)]
mod tests {
    use interlock_domain::catalog::{Catalog, REFERENCE_TEXT};

    use super::*;

    #[test]
    fn the_catalog_of_the_demo_is_the_reference_but_for_one_wait() {
        let text = catalog(REFERENCE_TEXT);
        assert_ne!(text, REFERENCE_TEXT);
        let reference = Catalog::reference();
        let types: Vec<&str> = reference.event_types().collect();
        assert_eq!(Catalog::parse(&text).unwrap().event_types().collect::<Vec<_>>(), types);
    }

    #[test]
    fn a_name_is_a_customers_whatever_it_is_called_by() {
        assert_eq!(Subscriber::name_of(A2.imsi), "A2");
        assert_eq!(Subscriber::name_of("A1"), "A1");
        assert_eq!(Subscriber::name_of("somebody"), "somebody");
    }
}
