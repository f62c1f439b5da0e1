use serde_json::{Map, Value, json};

use super::*;

fn shipped_mapping() -> Mapping {
    Mapping::parse(shipped("portaone-espf.toml").unwrap()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn event(mapping: &Mapping, body: &Value) -> Value {
    match mapping.take(body).unwrap() {
        Taken::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ids_are_the_same_as_texts_and_as_numbers_and_however_the_event_came() {
    let mapping = shipped_mapping();
    let of = |id: Value, env: Value, number: &str| json!({"event_type": "DID/Updated", "variables": {"i_event": id, "i_env": env, "number": number}});
    let first = event(&mapping, &of(json!("4711"), json!(3), "12065550100"));
    assert_eq!(first, event(&mapping, &of(json!(4711), json!("3"), "+12065550100")));
    assert_eq!(first, event(&mapping, &of(json!(4711.0), json!(3.0), "12065550100")));
    let raw = of(json!(4711), json!(3), "12065550100");
    let enriched = json!({"event_id": "0b8a6a5c", "data": raw, "pb_data": {"account_info": {}}, "status": "queued"});
    assert_eq!(first, event(&mapping, &enriched));
    assert_eq!(
        first,
        json!({
            "specversion": "1.0",
            "id": "4711",
            "source": "espf/3",
            "type": "portaone.did",
            "subject": "did.12065550100",
            "datacontenttype": "application/json",
            "data": {"event": {"event_type": "DID/Updated", "source": "espf/3", "kept": {"number": "12065550100"}}},
        })
    );
    let beside =
        json!({"event_type": "DID/Updated", "i_event": 4711, "variables": {"i_env": 3, "number": "12065550100"}});
    assert_eq!(first, event(&mapping, &beside), "some releases write i_event beside the variables");
    let thin = json!({"event_id": "0b8a6a5c", "data": {"event_type": "DID/Updated", "variables": {"number": "1"}}});
    assert_eq!(
        (&event(&mapping, &thin)["id"], &event(&mapping, &thin)["source"]),
        (&json!("0b8a6a5c"), &json!("espf"))
    );
}

#[test]
fn both_spellings_of_a_state_are_one_type() {
    let mapping = shipped_mapping();
    let of = |event_type: &str| {
        event(&mapping, &json!({"event_type": event_type, "variables": {"i_event": 1, "i_account": 7}}))
    };
    assert_eq!(of("Account/Status/Suspend"), of("Account/Status/Suspended"));
    assert_eq!(of("Account/Status/Unsuspend"), of("Account/Status/SuspensionRemoved"));
    assert_ne!(of("Account/Status/Unsuspend"), of("Account/Status/Suspend"));
}

#[test]
fn a_time_of_the_producer_is_the_time_of_the_event() {
    let mapping = shipped_mapping();
    let of = |time: &str| {
        let variables = json!({"i_event": 1, "i_account": 7, "event_time": time, "curr_status": "used"});
        event(&mapping, &json!({"event_type": "SIM/Updated", "variables": variables}))
    };
    assert_eq!(of("2026-03-01 12:00:07")["time"], "2026-03-01T12:00:07Z");
    assert_eq!(of("2026-03-01 12:00:07")["data"]["event"]["time"], "2026-03-01T12:00:07Z");
    assert_eq!(of("0000-00-00 00:00:00")["time"], Value::Null);
    let enriched = json!({
        "event_id": "x",
        "created_at": "2026-03-01T12:00:07.250+01:00",
        "data": {"event_type": "DID/Updated", "variables": {"number": "1"}},
    });
    assert_eq!(event(&mapping, &enriched)["time"], "2026-03-01T11:00:07.250Z");
}

#[test]
fn what_is_no_event_is_refused_and_what_has_no_rule_is_named() {
    let mapping = shipped_mapping();
    let fault = |body: Value| mapping.take(&body).unwrap_err();
    assert_eq!(fault(json!([])), BodyFault::NotAnObject);
    assert_eq!(fault(json!({})), BodyFault::Missing("event_type"));
    assert_eq!(fault(json!({"event_type": 7})), BodyFault::WrongType("event_type", "a text"));
    assert_eq!(fault(json!({"event_type": "x", "variables": []})), BodyFault::WrongType("variables", "an object"));
    assert_eq!(fault(json!({"event_type": "x", "variables": {"i_event": ""}})), BodyFault::Missing("i_event"));
    let no_id = BodyFault::WrongType("i_env", "a text or a whole number");
    assert_eq!(fault(json!({"event_type": "x", "variables": {"i_event": 1, "i_env": true}})), no_id);
    assert_eq!(fault(json!({"event_id": "1", "data": "x"})), BodyFault::WrongType("data", "an object"));
    let taken = |event_type: &str, variables: Value| {
        mapping.take(&json!({"event_type": event_type, "variables": variables})).unwrap()
    };
    let Taken::Refused { event_id, code, detail } = taken("DID/Lost", json!({"i_event": 5})) else { panic!() };
    assert_eq!((event_id.as_str(), code), ("5", ErrorCode::EventTypeNotMapped));
    assert!(detail.contains("DID/Lost"));
    let Taken::Refused { code, detail, .. } = taken("DID/Updated", json!({"i_event": 5})) else { panic!() };
    assert_eq!(code, ErrorCode::EventNotMapped);
    assert!(detail.contains("rules[0].subject"), "{detail}");
    let Taken::Ignored { reason, .. } = taken("Invoice/Created", json!({"i_event": 5})) else { panic!() };
    assert!(reason.contains("invoices"));
}

/// Every type of the table of PortaOne's documentation.
const TABLE: [&str; 41] = [
    "Subscriber/Created",
    "Subscriber/Updated",
    "Subscriber/Deleted",
    "Customer/Created",
    "Customer/Updated",
    "Customer/Deleted",
    "DID/Created",
    "DID/Updated",
    "DID/Deleted",
    "Invoice/Created",
    "Invoice/Updated",
    "SIM/Created",
    "SIM/Updated",
    "SIM/Deleted",
    "SIM/Replaced",
    "Account/New",
    "Account/Blocked",
    "Account/Unblocked",
    "Account/SIMCardAssignment",
    "Account/ID/Changed",
    "Account/Product/Changed",
    "Account/Password/Changed",
    "Account/Discount/Changed",
    "Account/CustomField/Changed",
    "Account/ServiceAttribute/Changed",
    "Account/ProductAddon/Inserted",
    "Account/ProductAddon/Changed",
    "Account/ProductAddon/Deleted",
    "Account/Status/Suspend",
    "Account/Status/Unsuspend",
    "Account/Status/Suspended",
    "Account/Status/SuspensionRemoved",
    "Account/Service/QuotaExceeded",
    "Account/Service/Msg/QuotaExceeded",
    "Account/Service/Netaccess/QuotaExceeded",
    "Account/Service/QuotaExpired",
    "Account/Service/Msg/QuotaExpired",
    "Account/Service/Netaccess/QuotaExpired",
    "Customer/Status/Limited",
    "Customer/Status/Suspend",
    "Customer/Status/Suspended",
];

#[test]
fn every_type_of_the_table_has_a_rule() {
    let mapping = shipped_mapping();
    for event_type in TABLE {
        let variables = json!({"i_event": 1, "i_account": 7, "i_customer": 8, "i_invoice": 9, "number": "12065550100"});
        let taken = mapping.take(&json!({"event_type": event_type, "variables": variables})).unwrap();
        assert!(!matches!(taken, Taken::Refused { .. }), "{event_type}: {taken:?}");
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("{value}") };
    object
}

fn known(event: &Value) -> Known {
    Known::new(
        event["id"].as_str().unwrap().to_owned(),
        serde_json::from_value(event["data"]["event"].clone()).unwrap(),
    )
}

fn did(
    mapping: &Mapping,
    did: &Value,
    account: Option<Value>,
    ledger: LedgerHolder,
) -> Result<Vec<Value>, NotTranslated> {
    let body = json!({"event_type": "DID/Updated", "variables": {"i_event": 9, "number": "12065550100"}});
    let mut known = known(&event(mapping, &body));
    let translation = mapping.translation("DID/Updated").unwrap();
    let [of_did, of_account] = translation.look_ups() else { panic!() };
    assert_eq!((of_did.query(), of_did.arguments(&known)?), ("did", Some(object(json!({"number": "12065550100"})))));
    known.add_found("did", object(json!({"i_account": did, "number": null})));
    let expected = account.as_ref().map(|_| object(json!({"i_account": did.to_string()})));
    assert_eq!(of_account.arguments(&known)?, expected);
    if let Some(account) = account {
        known.add_found("account", object(account));
    }
    assert_eq!(translation.resource(&known)?, Some(("msisdn".to_owned(), "12065550100".to_owned())));
    assert!(translation.waits());
    known.add_ledger(ledger);
    translation.events(&known)
}

#[test]
fn a_number_becomes_the_hand_over_that_the_ledger_calls_for() {
    let mapping = shipped_mapping();
    let held =
        |holder: &str| LedgerHolder { holder: Some(holder.to_owned()), party: Some("001010000000001".to_owned()) };
    let two = || Some(json!({"imsi": "001010000000002"}));
    let nobody = LedgerHolder::default;
    let types = |events: Result<Vec<Value>, NotTranslated>| {
        events.unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let assigned = did(&mapping, &json!(2), two(), nobody()).unwrap();
    assert_eq!(
        assigned,
        [json!({
            "specversion": "1.0",
            "id": "9/1",
            "source": "espf",
            "type": "number.assigned",
            "subject": "2",
            "datacontenttype": "application/json",
            "data": {"imsi": "001010000000002", "msisdn": "12065550100"},
        })]
    );
    let moved = did(&mapping, &json!(2), two(), held("1")).unwrap();
    assert_eq!(
        (&moved[0]["type"], &moved[0]["subject"], &moved[0]["id"]),
        (&json!("number.moved"), &json!("1"), &json!("9/2"))
    );
    let parties = json!({
        "msisdn": "12065550100",
        "from": {"customer_id": "1", "imsi": "001010000000001"},
        "to": {"customer_id": "2", "imsi": "001010000000002"},
    });
    assert_eq!((moved.len(), &moved[0]["data"]), (1, &parties));
    assert!(types(did(&mapping, &json!(2), two(), held("2"))).is_empty(), "it has it already");
    assert!(types(did(&mapping, &Value::Null, None, nobody())).is_empty(), "nobody has it, and nobody shall");
    assert_eq!(types(did(&mapping, &Value::Null, None, held("1"))), ["number.unassigned"]);
    let without_sim = || Some(json!({"imsi": null}));
    assert_eq!(types(did(&mapping, &json!(2), without_sim(), held("1"))), ["number.unassigned"]);
    assert!(types(did(&mapping, &json!(2), without_sim(), nobody())).is_empty(), "there is nothing to register it for");
    let unclear = LedgerHolder { holder: Some("1".to_owned()), party: None };
    let reason = did(&mapping, &json!(2), two(), unclear).unwrap_err().to_string();
    assert!(reason.contains("does not say under which IMSI 1 has 12065550100"), "{reason}");
}

#[test]
fn what_nsps_says_is_not_asked_again() {
    let mapping = shipped_mapping();
    let raw = json!({"event_type": "Account/Blocked", "variables": {"i_event": 9, "i_account": 7}});
    let enriched = json!({
        "event_id": "x",
        "data": raw,
        "pb_data": {"account_info": {"blocked": true, "bill_status": "open"}, "sim_info": {"imsi": "001010000000001", "status": "used"}},
    });
    let translation = mapping.translation("Account/Blocked").unwrap();
    let [account] = translation.look_ups() else { panic!() };
    let thin = known(&event(&mapping, &raw));
    assert_eq!(account.arguments(&thin).unwrap(), Some(object(json!({"i_account": "7"}))));
    let known = known(&event(&mapping, &enriched));
    assert_eq!(account.arguments(&known).unwrap(), None);
    assert_eq!(translation.resource(&known).unwrap(), None);
    let events = translation.events(&known).unwrap();
    assert_eq!((events.len(), &events[0]["type"]), (1, &json!("customer.suspended")));
    assert_eq!(events[0]["data"], json!({"imsi": "001010000000001", "reason": "Account/Blocked"}));
}

#[test]
fn every_fault_of_a_mapping_is_found_with_its_line() {
    let faults = |text: &str| {
        let of = |fault: &TomlFault| (fault.line, fault.code.as_str().to_owned());
        check(text).iter().map(of).collect::<Vec<_>>()
    };
    let found = faults(
        r#"describes = "x"
[spellings]
B = "A"
[[rules]]
events = ["A", "A", "B"]
type = "t"
subject = "{{ variabels.x }}"
keep = { a = "{{ variables.x | no_such }}" }
colour = 1
[[rules.look_up]]
name = "1st"
query = "q"
[[rules.emits]]
when = "found.unknown"
type = "t"
subject = "{{ ledger.holder }}"
data = {}
[[rules]]
events = ["C"]
ignore = "x"
type = "t"
[[rules]]
type = "t"
"#,
    );
    let expected = [
        (5, "event_type_twice"),
        (5, "not_together"),
        (7, "unknown_variable"),
        (8, "unknown_filter"),
        (9, "unknown_key"),
        (10, "bad_name"),
        (14, "unknown_variable"),
        (16, "unknown_variable"),
        (18, "not_together"),
    ];
    for (line, code) in expected {
        assert!(found.contains(&(line, code.to_owned())), "{line} {code}: {found:?}");
    }
    assert!(found.iter().filter(|(_, code)| code == "missing_key").count() >= 3, "{found:?}");
    assert_eq!(faults("describes = \"x\""), [(1, "no_rules".to_owned())]);
}

#[test]
fn an_event_is_made_only_if_all_that_it_needs_is_there() {
    let text = r#"describes = "x"
[[rules]]
events = ["A"]
type = "t"
subject = "s"
keep = { x = "{{ variables.x | optional }}" }
[[rules.emits]]
type = "made"
subject = "c"
data = { x = "{{ kept.x }}" }
[[rules.emits]]
when = "kept.x is defined and kept.x == 'stop'"
hold = "it says {{ kept.x }}."
"#;
    let mapping = Mapping::parse(text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let translated = |variables: Value| {
        let event = event(&mapping, &json!({"event_type": "A", "variables": variables}));
        mapping.translation("A").unwrap().events(&known(&event))
    };
    assert_eq!(translated(json!({"i_event": 1, "x": 5})).unwrap()[0]["data"], json!({"x": "5"}));
    let missing = translated(json!({"i_event": 1})).unwrap_err().to_string();
    assert!(missing.contains("rules[0].emits[0].data.x"), "{missing}");
    assert_eq!(translated(json!({"i_event": 1, "x": "stop"})).unwrap_err().to_string(), "it says stop");
    assert_eq!(mapping.catalog_types().into_iter().collect::<Vec<_>>(), ["made", "t"]);
}
