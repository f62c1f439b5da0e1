//! The previous build can read what this build writes, and the reverse: states that pass through continue-as-new, messages, plans, and
//! the inputs and outputs of activities. During a deployment both builds run, and it may be rolled back.
#![allow(clippy::unwrap_used)]

mod machines;
mod reading;
mod told;

use interlock_domain as this;
use interlock_previous as previous;

use crate::reading::Reading;

#[test]
fn states_and_messages_of_this_build_are_read_by_the_previous_one_and_back() {
    let mut reading = Reading::default();
    machines::in_the_simulator(&mut reading);
    machines::of_a_target(&mut reading);
    machines::of_a_customer_with_a_backlog(&mut reading);
    told::by_hand(&mut reading);
    println!("{reading}");
    assert!(reading.faults().is_empty(), "{}", reading.faults().join("\n"));
    // A smaller number would prove little.
    assert!(reading.samples() > 120, "{} samples", reading.samples());
}

#[test]
fn a_field_that_was_renamed_is_noticed() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Before {
        #[serde(default)]
        waits_for: u32,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct After {
        #[serde(default)]
        awaits: u32,
    }
    let mut reading = Reading::default();
    reading.both_ways::<After, Before>("renamed", &After { awaits: 1 });
    assert!(reading.faults().iter().any(|fault| fault.contains("waits_for")), "{:?}", reading.faults());
}

#[test]
fn a_field_without_a_default_is_noticed() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Before {}
    #[derive(serde::Serialize, serde::Deserialize)]
    struct After {
        since: u32,
    }
    let mut reading = Reading::default();
    reading.both_ways::<After, Before>("added", &After { since: 1 });
    assert!(reading.faults().iter().any(|fault| fault.contains("since")), "{:?}", reading.faults());
}

#[test]
fn a_type_that_refuses_what_it_does_not_know_is_noticed() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Inner<T> {
        value: T,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        one: u32,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Lenient {
        one: u32,
    }
    let mut reading = Reading::default();
    reading.both_ways::<Inner<Lenient>, Inner<Lenient>>("lenient", &Inner { value: Lenient { one: 1 } });
    assert_eq!(reading.faults(), Vec::<String>::new());
    reading.both_ways::<Inner<Strict>, Inner<Lenient>>("strict", &Inner { value: Strict { one: 1 } });
    assert!(reading.faults().iter().any(|fault| fault.contains("/value")), "{:?}", reading.faults());
}
