//! Bodies of calls to the gateway.

use http::{HeaderMap, HeaderName, HeaderValue};
use interlock_adapters::mapping::{IntakeEvent, Known, Mapping, Taken, shipped};
use interlock_domain::event::{EVENT_BYTES_MAX, Event};
use interlock_domain::event_result::EventResult;
use interlock_gateway::bodies::{self, Problem};
use interlock_operations::ingest::events_of_json;
use interlock_operations::strict_json::JsonLimits;
use serde_json::Value;

use crate::explained;

thread_local! {
    static MAPPING: Mapping = Mapping::parse(shipped("portaone-espf.toml").unwrap_or_default())
        .unwrap_or_else(|faults| panic!("{faults:?}"));
}

/// The most events of a batch.
const EVENTS_MAX: usize = 50;

/// The call in the first line (`events`, `espf`, `order_action`, `resource_action`, `target_action`, `tenant_action`, `orders_query`, `payloads`),
/// headers, an empty line, and the body.
///
/// # Panics
/// If a problem has no status or code, or if events that are accepted are not accepted again, or differ, after they were written.
pub fn bodies(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (head, _) = text.split_once("\n\n").unwrap_or((&text, ""));
    // The body need not be text.
    let at = input.windows(2).position(|window| window == b"\n\n").map_or(input.len(), |at| at + 2);
    let body = &input[at..];
    let mut lines = head.split('\n');
    let read: Result<(), Problem> = match lines.next() {
        Some("events") => bodies::events(&headers(lines), body, EVENTS_MAX).map(|events| accepted(&events)),
        Some("espf") => {
            MAPPING.with(|mapping| bodies::espf(mapping, &headers(lines), body).map(|taken| translated(mapping, taken)))
        }
        Some("order_action") => bodies::order_action(body).map(drop),
        Some("resource_action") => bodies::resource_action(body),
        Some("target_action") => bodies::target_action(body).map(drop),
        Some("tenant_action") => bodies::tenant_action(body).map(drop),
        Some("orders_query") => bodies::orders_query(&String::from_utf8_lossy(body)),
        Some("payloads") => bodies::payloads(body).map(drop),
        _ => Ok(()),
    };
    if let Err(problem) = read {
        explained::problem(&problem, input);
    }
}

/// What a mapping makes of an event is one that the gateway can submit, or it has a reason; and so is what follows from it.
fn translated(mapping: &Mapping, taken: Taken) {
    let event = match taken {
        Taken::Event(event) => event,
        Taken::Ignored { reason, .. } => return assert!(!reason.is_empty()),
        Taken::Refused { detail, .. } => return assert!(!detail.is_empty()),
    };
    if let Err(rejection) = Event::from_value(&event, EVENT_BYTES_MAX) {
        return explained::rejected(&rejection);
    }
    let inside: IntakeEvent = serde_json::from_value(event["data"]["event"].clone())
        .unwrap_or_else(|fault| panic!("the intake event cannot be read: {fault}"));
    let translation = mapping.translation(&inside.event_type).unwrap_or_else(|| panic!("its rule is lost"));
    let mut known = Known::new("1".to_owned(), inside);
    for look_up in translation.look_ups() {
        match look_up.arguments(&known) {
            Ok(Some(arguments)) => known.add_found(look_up.name(), arguments),
            Ok(None) => {}
            Err(reason) => return assert!(!reason.to_string().is_empty()),
        }
    }
    if let Err(reason) = translation.events(&known) {
        assert!(!reason.to_string().is_empty());
    }
}

/// The headers of a call, with the media type of events unless there is one.
fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let pairs = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?))
    });
    let mut headers: HeaderMap = pairs.collect();
    let usual = || HeaderValue::from_static("application/json");
    headers.entry(http::header::CONTENT_TYPE).or_insert_with(usual);
    headers
}

/// Events are the same after they were sent on.
fn accepted(events: &[Value]) {
    assert!((1..=EVENTS_MAX).contains(&events.len()), "{} events", events.len());
    let sent = serde_json::to_vec(events).unwrap_or_else(|fault| panic!("events cannot be written: {fault}"));
    let again = events_of_json(&sent, JsonLimits::NONE);
    assert_eq!(again.as_deref(), Ok(events), "events read otherwise than they were written");
    for event in events {
        let result = EventResult::of_raw(event);
        assert!(serde_json::to_vec(&result).is_ok());
        match Event::from_value(event, EVENT_BYTES_MAX) {
            Ok(read) => assert_eq!(result.event_id.as_deref(), Some(read.id.as_str())),
            Err(rejection) => explained::rejected(&rejection),
        }
    }
}
