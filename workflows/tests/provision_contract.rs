//! `adapters/docs/provision.schema.json`, the contract with adapters in other languages, matches what the code reads and writes.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::attempt::{INTERRUPTED, Left, LeftBy, LeftWithJob, TOO_LATE, is_settled_failure};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{Epoch, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::order::{Authority, OrderPriority};
use interlock_domain::outcome::{HolderAnswer, Outcome, ProvenHolderAnswer};
use interlock_domain::retry::RetryPolicy;
use interlock_workflows::LookUp;
use jsonschema::Validator;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

const SCHEMA: &str = include_str!("../../adapters/docs/provision.schema.json");
const PAGE: &str = include_str!("../../adapters/docs/provision.md");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// The validator of one definition.
fn definition(name: &str) -> Validator {
    let mut schema = schema();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn is_valid(name: &str, value: &Value) -> bool {
    definition(name).is_valid(value)
}

/// Checks that the written value is valid, and can be read back unchanged.
fn agrees<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, sample: &T) -> Value {
    let written = serde_json::to_value(sample).unwrap();
    if let Err(error) = definition(name).validate(&written) {
        panic!("{name} {written}: {error}");
    }
    assert_eq!(serde_json::from_value::<T>(written.clone()).unwrap(), *sample);
    written
}

fn request() -> ProvisionRequest {
    // Each field is named, so that a new field does not compile before it is added here, and then it must be in the schema.
    let epoch = Epoch(1_795_162_181_944);
    ProvisionRequest {
        tenant: "blue".parse().unwrap(),
        customer: "A1".parse().unwrap(),
        order: format!("A1~{}", Uuid::nil()).parse().unwrap(),
        step: "crm.add_number".to_owned(),
        target: "billing".parse().unwrap(),
        operation: "add_number".to_owned(),
        data: Map::from_iter([("msisdn".to_owned(), "12065551234".into())]),
        idempotency_key: Uuid::nil(),
        epoch: Some(epoch),
        epochs: BTreeMap::from([("msisdn/12065551234".parse().unwrap(), epoch)]),
        unproven: vec!["imsi/001010000000001".parse().unwrap()],
        dispatch: 1,
        maybe_sent: true,
        proof: Some(Uuid::nil()),
        attempt_timeout_ms: 30_000,
        retry: RetryPolicy::default(),
        expires_at: Some(Timestamp(1_795_162_181_944)),
        priority: Some(OrderPriority::HIGHEST),
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap()),
    }
}

/// One outcome of each class with all its fields, and those with optional fields also without them.
fn outcomes() -> Vec<Outcome> {
    let detail = || "A sentence.".to_owned();
    let retry_after_ms = Some(7_000);
    let all = vec![
        Outcome::Done,
        Outcome::AlreadyDone,
        Outcome::InUse { holder: Some("001010000000001".to_owned()) },
        Outcome::InUse { holder: None },
        Outcome::Accepted { job: "17".to_owned(), poll_after_ms: retry_after_ms, detail: detail() },
        Outcome::Accepted { job: "17".to_owned(), poll_after_ms: None, detail: detail() },
        Outcome::Transient { detail: detail() },
        Outcome::Throttled { retry_after_ms, detail: detail() },
        Outcome::Throttled { retry_after_ms: None, detail: detail() },
        Outcome::Unavailable { retry_after_ms, cause: Some(ErrorCode::Redirected.into()), detail: detail() },
        Outcome::Unavailable { retry_after_ms: None, cause: None, detail: detail() },
        Outcome::Permanent { code: ErrorCode::UnknownSubscriber.into(), detail: detail() },
        Outcome::Ambiguous { detail: detail() },
    ];
    for outcome in &all {
        // A new class does not compile before it is here.
        match outcome {
            Outcome::Done
            | Outcome::AlreadyDone
            | Outcome::Accepted { .. }
            | Outcome::InUse { .. }
            | Outcome::Transient { .. }
            | Outcome::Throttled { .. }
            | Outcome::Unavailable { .. }
            | Outcome::Permanent { .. }
            | Outcome::Ambiguous { .. } => {}
        }
    }
    all
}

#[test]
fn the_argument_is_as_the_schema_says_with_all_its_fields_and_with_the_required_ones_only() {
    let written = agrees("provision_request", &request());
    let fields: BTreeSet<&String> = written.as_object().unwrap().keys().collect();
    let definition = &schema()["$defs"]["provision_request"];
    assert_eq!(fields, definition["properties"].as_object().unwrap().keys().collect::<BTreeSet<_>>());

    let required: BTreeSet<&str> =
        definition["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut least = written.clone();
    least.as_object_mut().unwrap().retain(|name, _| required.contains(name.as_str()));
    assert!(is_valid("provision_request", &least));
    let read: ProvisionRequest = serde_json::from_value(least.clone()).unwrap();
    assert_eq!((read.epoch, read.dispatch, read.maybe_sent), (None, 0, false));
    for name in required {
        let mut less = least.clone();
        less.as_object_mut().unwrap().remove(name);
        assert!(!is_valid("provision_request", &less), "without {name}");
        assert!(serde_json::from_value::<ProvisionRequest>(less).is_err(), "without {name}");
    }
}

#[test]
fn outcomes_are_as_the_schema_says_class_by_class() {
    let written: BTreeSet<String> =
        outcomes().iter().map(|outcome| agrees("outcome", outcome)["class"].as_str().unwrap().to_owned()).collect();
    let in_schema = schema()["$defs"]["outcome"]["oneOf"].clone();
    let named = in_schema.as_array().unwrap().iter();
    let named: BTreeSet<String> =
        named.map(|class| class["properties"]["class"]["const"].as_str().unwrap().to_owned()).collect();
    assert_eq!(written, named);
}

#[test]
fn an_invalid_outcome_is_rejected_by_the_schema_and_by_the_code() {
    for wrong in [
        json!({"class": "perhaps"}),
        json!({"class": "permanent", "detail": "without a code"}),
        json!({"class": "ambiguous"}),
        json!({"class": "throttled", "retry_after_ms": -1, "detail": ""}),
        json!({"class": "in_use", "holder": 7}),
        json!("done"),
        json!({}),
    ] {
        assert!(!is_valid("outcome", &wrong), "{wrong}");
        assert!(serde_json::from_value::<Outcome>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn fields_of_others_are_ignored() {
    let longer = json!({"class": "in_use", "holder": null, "seen_at": "node-7"});
    assert!(is_valid("outcome", &longer));
    assert_eq!(serde_json::from_value::<Outcome>(longer).unwrap(), Outcome::InUse { holder: None });
}

#[test]
fn heartbeats_are_as_the_schema_says() {
    agrees("heartbeat", &Some(LeftBy { attempt: 3, left: Left::Settled, next_at: None, calls: None }));
    let until = Timestamp(1_795_162_181_944);
    let next_at = Some(Timestamp(1_795_162_183_000));
    let accepted = LeftBy { attempt: 1, left: Left::Accepted { since: until }, next_at, calls: None };
    agrees("heartbeat", &Some(LeftWithJob { left: accepted, job: Some("17".to_owned()) }));
    agrees("heartbeat", &Some(LeftBy { attempt: 1, left: Left::MaybeSent { until }, next_at, calls: Some(2) }));
    agrees("heartbeat", &None::<LeftBy>);
    for wrong in [json!({"attempt": 1}), json!({"attempt": 1, "left": "maybe_sent"}), json!({"left": "settled"})] {
        assert!(!is_valid("heartbeat", &wrong), "{wrong}");
        assert!(serde_json::from_value::<Option<LeftBy>>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn look_ups_are_as_the_schema_says() {
    let authority = Authority { target: "billing".parse().unwrap(), operation: "find_holder".to_owned() };
    let resource = "msisdn/12065551234".parse().unwrap();
    let tenant = "blue".parse().unwrap();
    let of_others = LookUp { tenant, authority, resource, proof: None };
    let unproven = agrees("look_up_request", &of_others);
    assert!(unproven.get("proof").is_none(), "workers of other programs get no proof");
    let asked = agrees("look_up_request", &LookUp { proof: Some(Uuid::nil()), ..of_others });
    let fields: BTreeSet<&String> = asked.as_object().unwrap().keys().collect();
    let definition = &schema()["$defs"]["look_up_request"];
    assert_eq!(fields, definition["properties"].as_object().unwrap().keys().collect::<BTreeSet<_>>());
    for answer in [
        HolderAnswer::TargetIdentity { target_identity: "001010000000001".to_owned() },
        HolderAnswer::Nobody,
        HolderAnswer::Unclear { detail: "A sentence.".to_owned() },
    ] {
        agrees("holder_answer", &answer);
        for proof in [None, Some(Uuid::nil())] {
            agrees("holder_answer", &ProvenHolderAnswer { answer: answer.clone(), proof });
        }
    }
}

#[test]
fn the_pages_examples_are_as_the_schema_says_and_it_names_every_field_and_class() {
    let mut examples = PAGE.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let argument: Value = serde_json::from_str(examples.next().unwrap()).unwrap();
    assert!(is_valid("provision_request", &argument));
    serde_json::from_value::<ProvisionRequest>(argument.clone()).unwrap();
    let in_schema = schema()["$defs"]["provision_request"]["properties"].clone();
    for field in in_schema.as_object().unwrap().keys() {
        assert!(argument.get(field).is_some(), "the page's example has no {field}");
        assert!(PAGE.contains(&format!("`{field}`")), "the page does not explain {field}");
    }
    let look_up: Value = serde_json::from_str(examples.next().unwrap()).unwrap();
    assert!(is_valid("look_up_request", &look_up));
    for outcome in outcomes() {
        assert!(PAGE.contains(&format!("| `{}` | `{{\"class\":\"{0}\"", outcome.class())), "{}", outcome.class());
    }
}

#[test]
fn the_page_names_the_failures_that_leave_no_request_in_flight() {
    let sentence = PAGE.split("\n\n").find(|paragraph| paragraph.contains("count as settled")).unwrap();
    for outcome in outcomes() {
        let is_named = sentence.contains(&format!("`{}`", outcome.class()));
        assert_eq!(is_named, is_settled_failure(outcome.class()), "{}", outcome.class());
    }
    for failure in [INTERRUPTED, TOO_LATE] {
        assert!(is_settled_failure(failure) && sentence.contains(&format!("`{failure}`")), "{failure}");
    }
    for failure in ["settling", "unclear"] {
        assert!(!is_settled_failure(failure) && PAGE.contains(&format!("`{failure}`")), "{failure}");
    }
}
