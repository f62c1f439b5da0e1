use proptest::prelude::*;
use serde_json::json;

use super::*;

fn event() -> Value {
    json!({
        "specversion": "1.0", "id": "e1", "source": "/crm", "type": "number.assigned", "subject": "A1",
        "data": {"imsi": "001010000000001", "msisdn": "12065551234"},
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut event = event();
    event[name] = value;
    event
}

fn read(value: &Value) -> Result<Event, Rejection> {
    Event::from_value(value, EVENT_BYTES_MAX)
}

fn code(value: &Value) -> String {
    read(value).unwrap_err().code.into()
}

/// An event whose JSON has exactly this many bytes.
fn event_of_bytes(bytes: usize) -> Vec<u8> {
    let missing = bytes - with("data", json!({"filler": ""})).to_string().len();
    with("data", json!({"filler": "x".repeat(missing)})).to_string().into_bytes()
}

/// An event that nests this deep.
fn event_of_depth(depth: usize) -> Value {
    let mut inner = json!(1);
    for _ in 0..depth - 2 {
        inner = json!([inner]);
    }
    with("data", json!({"nested": inner}))
}

#[test]
fn an_event_is_read_with_all_its_attributes() {
    let mut value = event();
    value["time"] = json!("2026-01-31T12:00:00.5+02:00");
    value["sequence"] = json!(7);
    value["priority"] = json!(0);
    let event = read(&value).unwrap();
    assert_eq!((event.id.as_str(), event.source.as_str()), ("e1", "/crm"));
    assert_eq!(event.event_type, "number.assigned");
    assert_eq!(event.subject.as_str(), "A1");
    assert_eq!(event.time.unwrap().to_rfc3339(), "2026-01-31T10:00:00.500Z");
    assert_eq!(event.sequence.as_deref(), Some("7"));
    assert_eq!(event.priority(), Ok(Some(OrderPriority::HIGHEST)));
    assert_eq!(event.half, None);
    assert_eq!(event.data["msisdn"], "12065551234");
    assert_eq!(event.bytes, value.to_string().len());
}

/// Whoever receives an event takes any priority, since entities of older builds did: admission checks it.
#[test]
fn a_priority_is_an_integer_from_0_to_4() {
    let priority = |priority: Value| {
        let read = read(&with("priority", priority)).unwrap().priority();
        read.map(|priority| priority.map(u64::from)).map_err(|rejection| rejection.code.to_string())
    };
    for (value, number) in [(json!(0), 0), (json!(4), 4), (json!("0"), 0), (json!("4"), 4)] {
        assert_eq!(priority(value.clone()), Ok(Some(number)), "{value}");
    }
    assert_eq!(priority(json!(null)), Ok(None));
    for value in [json!(5), json!(-1), json!(1.5), json!("high"), json!("04"), json!(""), json!([1])] {
        assert_eq!(priority(value.clone()), Err("bad_priority".to_owned()), "{value}");
    }
}

/// What older builds kept of an event without a priority is still its content.
#[test]
fn a_priority_is_part_of_what_an_event_says() {
    let content = |priority: Value| read(&with("priority", priority)).unwrap().content();
    assert_eq!(content(json!(null)), "64331036437113db");
    assert_ne!(content(json!(1)), content(json!(null)));
    assert_ne!(content(json!(1)), content(json!(2)));
}

#[test]
fn the_order_of_an_event_can_be_known_beforehand() {
    let tenant = "default".parse().unwrap();
    let event = read(&event()).unwrap();
    assert_eq!(event.order_id(&tenant, None), OrderId::derive(&tenant, &event.subject, "/crm", "e1", None));
    assert_eq!(
        event.order_id(&tenant, Some(Half::To)),
        OrderId::derive(&tenant, &event.subject, "/crm", "e1", Some("to"))
    );
}

#[test]
fn an_event_is_taken_up_to_the_limit_and_not_a_byte_above_it() {
    assert_eq!(Event::from_slice(&event_of_bytes(EVENT_BYTES_MAX), EVENT_BYTES_MAX).unwrap().bytes, EVENT_BYTES_MAX);
    let over = event_of_bytes(EVENT_BYTES_MAX + 1);
    assert_eq!(Event::from_slice(&over, EVENT_BYTES_MAX).unwrap_err().code, "event_too_large");
    let value: Value = serde_json::from_slice(&over).unwrap();
    assert_eq!(Event::from_value(&value, EVENT_BYTES_MAX).unwrap_err().code, "event_too_large");
}

#[test]
fn an_event_is_taken_up_to_its_depth_and_not_a_level_deeper() {
    assert!(read(&event_of_depth(EVENT_DEPTH_MAX)).is_ok());
    assert_eq!(code(&event_of_depth(EVENT_DEPTH_MAX + 1)), "not_an_event");
}

#[test]
fn nesting_without_end_is_rejected() {
    let deep = format!("{}1{}", "[".repeat(8000), "]".repeat(8000));
    assert_eq!(Event::from_slice(deep.as_bytes(), EVENT_BYTES_MAX).unwrap_err().code, "not_json");
}

#[test]
fn what_is_no_json_in_utf8_is_rejected() {
    for bytes in
        [&b""[..], b"\xff\xfe", b"{\"id\":\"\xc3\x28\"}", b"{", b"{} {}", b"[1e999]", b"{\"id\":\"\\ud800\"}", b"NaN"]
    {
        assert_eq!(Event::from_slice(bytes, EVENT_BYTES_MAX).unwrap_err().code, "not_json", "{bytes:?}");
    }
}

#[test]
fn what_is_no_object_is_not_an_event() {
    for value in [json!(null), json!([event()]), json!("event"), json!(1)] {
        assert_eq!(code(&value), "not_an_event");
    }
}

#[test]
fn each_attribute_is_rejected_by_its_own_code() {
    let long = "x".repeat(ATTRIBUTE_BYTES_MAX + 1);
    for (name, value, expected) in [
        ("specversion", json!("0.3"), "unsupported_specversion"),
        ("specversion", json!(1.0), "unsupported_specversion"),
        ("specversion", json!(null), "unsupported_specversion"),
        ("id", json!(""), "bad_id"),
        ("id", json!(5), "bad_id"),
        ("id", json!("a\u{0}"), "bad_id"),
        ("id", json!(long), "bad_id"),
        ("source", json!(null), "bad_source"),
        ("source", json!("a\nb"), "bad_source"),
        ("type", json!({}), "bad_type"),
        ("subject", json!(null), "bad_subject"),
        ("subject", json!(".."), "bad_subject"),
        ("subject", json!("c".repeat(251)), "bad_subject"),
        ("subject", json!("a\u{7f}"), "bad_subject"),
        ("time", json!("yesterday"), "bad_time"),
        ("time", json!(1_700_000_000), "bad_time"),
        ("sequence", json!(""), "bad_sequence"),
        ("sequence", json!(-1), "bad_sequence"),
        ("sequence", json!(1.5), "bad_sequence"),
        ("sequence", json!("a".repeat(SEQUENCE_BYTES_MAX + 1)), "bad_sequence"),
        ("sequence", json!("1".repeat(SEQUENCE_DIGITS_MAX + 1)), "bad_sequence"),
        ("interlockrole", json!("thief"), "bad_role"),
        ("interlockrole", json!(["to"]), "bad_role"),
        ("data_base64", json!("AAAA"), "unsupported_data"),
        ("data", json!([]), "bad_data"),
        ("data", json!(null), "bad_data"),
        ("data", json!({"a": ["b\u{0}"]}), "bad_data"),
        ("data", json!({"a\u{0}": 1}), "bad_data"),
    ] {
        assert_eq!(code(&with(name, value.clone())), expected, "{name} = {value}");
    }
}

#[test]
fn each_attribute_is_taken_at_its_limit() {
    for (name, value) in [
        ("id", json!("x".repeat(ATTRIBUTE_BYTES_MAX))),
        ("subject", json!("c".repeat(250))),
        ("sequence", json!("a".repeat(SEQUENCE_BYTES_MAX))),
        ("sequence", json!(format!("{}{}", "0".repeat(44), "1".repeat(SEQUENCE_DIGITS_MAX)))),
        ("sequence", json!(u64::MAX)),
        ("sequence", json!(null)),
        ("time", json!(null)),
        ("interlockrole", json!("to")),
        ("data", json!({})),
    ] {
        assert!(read(&with(name, value.clone())).is_ok(), "{name} = {value}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_reading_panic(value in any_json()) {
        let _ = read(&value);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Event::from_slice(&bytes, EVENT_BYTES_MAX).is_err());
    }

    #[test]
    fn no_attribute_makes_reading_panic(
        name in prop::sample::select(vec!["id", "source", "type", "subject", "time", "sequence", "interlockrole", "data"]),
        value in any_json(),
    ) {
        let _ = read(&with(name, value));
    }

    #[test]
    fn both_ways_of_reading_agree(value in any_json()) {
        let event = with("data", json!({"value": value}));
        let text = event.to_string();
        prop_assert_eq!(Event::from_slice(text.as_bytes(), EVENT_BYTES_MAX).map(|event| event.id),
            read(&serde_json::from_str::<Value>(&text).unwrap()).map(|event| event.id));
    }
}
