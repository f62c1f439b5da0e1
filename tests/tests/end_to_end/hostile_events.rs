//! Invalid input from producers ends as one rejected event with a reason, and the entity continues.

use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use crate::events::{Customer, assigned, event, quota_exceeded, unassigned};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, failed_tasks, json_payload, payload};
use crate::testbed::{run, shared};
use crate::waiting::until;

/// The codes of the rejected events, in order.
async fn rejections(scene: &Scene<'_>, customer: &Customer) -> Vec<String> {
    let state = scene.customer_state(customer).await;
    let journal = state["journal"].as_array().unwrap().iter();
    let rejected = journal.filter(|entry| entry["what"] == "rejected");
    rejected.map(|entry| entry["code"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn until_rejected(scene: &Scene<'_>, customer: &Customer, expected: &[&str]) {
    until(format!("{} rejections", expected.len()), || async {
        (rejections(scene, customer).await.len() >= expected.len()).then_some(())
    })
    .await;
    assert_eq!(rejections(scene, customer).await, expected);
}

/// Checks that the entity does its work, and that no workflow task ever failed.
async fn goes_on(scene: &Scene<'_>, customer: &Customer, entities: &[&RawEntity]) {
    let number = number();
    scene.done(&assigned(customer, &number)).await;
    scene.done(&unassigned(customer, &number)).await;
    assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi), format!("{}-", customer.imsi)]);
    for entity in entities {
        assert_eq!(failed_tasks(&entity.history("").await), [""; 0]);
    }
}

fn with(mut event: Value, key: &str, value: Value) -> Value {
    event[key] = value;
    event
}

#[test]
fn an_invalid_event_is_rejected_and_the_entity_continues() {
    run(async {
        let scene = Scene::on(shared().await);
        let customer = scene.customer("A");
        let entity = scene.entity(&customer.id.parse().unwrap());
        scene.done(&assigned(&customer, &number())).await;
        let good = assigned(&customer, &number());
        let text = |value: &Value| json_payload(value.to_string());
        let nested = "[".repeat(100_000) + &"]".repeat(100_000);
        let cases: Vec<(Vec<Payload>, &str)> = vec![
            (vec![json_payload("{\"specversion\": \"1.0\",")], "not_json"),
            (vec![json_payload(vec![0xff, 0xfe, 0x00])], "not_json"),
            (vec![payload("binary/plain", vec![0, 1, 2, 3])], "not_json"),
            (vec![payload("binary/protobuf", vec![10, 3, 65, 66, 67])], "not_json"),
            (vec![payload("binary/null", Vec::new())], "not_json"),
            (vec![], "not_json"),
            (vec![json_payload("{\"id\": 1e400}")], "not_json"),
            (vec![json_payload(nested)], "event_too_large"),
            (vec![json_payload("[".repeat(100) + &"]".repeat(100))], "not_an_event"),
            (vec![json_payload("7")], "not_an_event"),
            (vec![json_payload("null")], "not_an_event"),
            (vec![text(&json!([good.clone(), good.clone()]))], "not_an_event"),
            (vec![text(&with(good.clone(), "specversion", json!("0.3")))], "unsupported_specversion"),
            (vec![text(&with(good.clone(), "id", json!(7)))], "bad_id"),
            (vec![text(&with(good.clone(), "id", json!("x".repeat(2_000))))], "bad_id"),
            (vec![text(&with(good.clone(), "source", json!("a\u{0}b")))], "bad_source"),
            (vec![text(&with(good.clone(), "type", json!("")))], "bad_type"),
            (vec![text(&with(good.clone(), "subject", json!({"$ne": 1})))], "bad_subject"),
            (vec![text(&with(good.clone(), "time", json!("yesterday")))], "bad_time"),
            (vec![text(&with(good.clone(), "sequence", json!(["1"])))], "bad_sequence"),
            (vec![text(&with(good.clone(), "data", json!("text")))], "bad_data"),
            (vec![text(&with(good.clone(), "data", json!({"imsi": "00101\u{0}"})))], "bad_data"),
            (vec![text(&with(good.clone(), "data_base64", json!("AAAA")))], "unsupported_data"),
        ];
        let mut expected = Vec::new();
        for (payloads, code) in cases {
            entity.signal("submit", payloads).await;
            expected.push(code);
            until_rejected(&scene, &customer, &expected).await;
        }
        goes_on(&scene, &customer, &[&entity]).await;
    });
}

#[test]
fn an_event_that_the_catalog_rejects_is_rejected_and_the_entity_continues() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, other) = (scene.customer("A"), scene.customer("B"));
        let entity = scene.entity(&customer.id.parse().unwrap());
        let too_large = json!({"imsi": customer.imsi, "msisdn": number(), "filler": "x".repeat(17 * 1024)});
        let cases = [
            (event("number.stolen", &customer.id, &json!({"imsi": customer.imsi})), "unknown_event_type"),
            (event("number.assigned", &customer.id, &json!({"imsi": customer.imsi})), "invalid_data"),
            (event("number.assigned", &customer.id, &json!({"imsi": 7, "msisdn": [true]})), "invalid_data"),
            (
                event("number.assigned", &customer.id, &json!({"imsi": "DROP TABLE", "msisdn": "1206'--"})),
                "invalid_data",
            ),
            (event("number.assigned", &customer.id, &too_large), "event_too_large"),
            (with(event("quota.exceeded", &customer.id, &json!({})), "time", json!("1970-01-01T00:00:00Z")), "too_old"),
        ];
        let mut expected = Vec::new();
        for (event, code) in cases {
            entity
                .signal_with_start(
                    vec![json_payload(json!({"tenant_id": scene.tenant, "entity_id": customer.id}).to_string())],
                    "submit",
                    vec![json_payload(event.to_string())],
                )
                .await;
            expected.push(code);
            until_rejected(&scene, &customer, &expected).await;
        }
        // An event of another customer at this entity.
        entity.signal("submit", vec![json_payload(quota_exceeded(&other, &number()).to_string())]).await;
        expected.push("wrong_subject");
        until_rejected(&scene, &customer, &expected).await;
        goes_on(&scene, &customer, &[&entity]).await;
    });
}

#[test]
fn unknown_signals_and_unreadable_messages_block_neither_customer_nor_number() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        scene.done(&assigned(&customer, &number)).await;
        let entity = scene.entity(&customer.id.parse().unwrap());
        let resource = scene.number_entity(&number);
        for entity in [&entity, &resource] {
            entity.signal("no_such_signal", vec![json_payload("{}")]).await;
            // The server may reject these itself, which is also fine.
            for signal in ["", "__temporal_nonsense"] {
                drop(entity.try_to_signal(signal, vec![json_payload("{}")]).await);
            }
        }
        for poison in [json_payload("{"), payload("binary/plain", vec![9]), json_payload("{\"v\": 1, \"message\": {}}")]
        {
            entity.signal("from_resource", vec![poison.clone()]).await;
            resource.signal("claim", vec![poison.clone()]).await;
            resource.signal("from_customer", vec![poison]).await;
        }
        // A grant that the customer did not request, from a sender that is not a resource.
        let forged = json!({"v": 1, "message": {
            "resource": format!("msisdn/{}", self::number()), "incarnation": 1,
            "notice": {"kind": "lease_granted", "ticket": "00000000-0000-0000-0000-000000000000", "epoch": 1}}});
        entity.signal("from_resource", vec![json_payload(forged.to_string())]).await;
        scene.done(&unassigned(&customer, &number)).await;
        goes_on(&scene, &customer, &[&entity, &resource]).await;
    });
}

#[test]
fn an_entity_started_as_somebody_else_rejects_every_event() {
    run(async {
        let scene = Scene::on(shared().await);
        for (name, argument) in [
            ("other", json!({"tenant_id": scene.tenant, "entity_id": "somebody-else"})),
            ("tenant", json!({"tenant_id": "another", "entity_id": "A"})),
            ("shape", json!(["A"])),
        ] {
            let customer = scene.customer(name);
            let entity = scene.entity(&customer.id.parse().unwrap());
            let event = assigned(&customer, &number());
            entity
                .signal_with_start(
                    vec![json_payload(argument.to_string())],
                    "submit",
                    vec![json_payload(event.to_string())],
                )
                .await;
            let order = scene.submit(&assigned(&customer, &number())).await;
            assert_eq!(scene.end_of(&order).await, "rejected");
            until_rejected(&scene, &customer, &["identity_mismatch", "identity_mismatch"]).await;
            assert_eq!(failed_tasks(&entity.history("").await), [""; 0]);
        }
        // No argument at all, and one that is not JSON.
        for (name, arguments) in [("nothing", vec![]), ("bytes", vec![payload("binary/plain", vec![1, 2, 3])])] {
            let customer = scene.customer(name);
            let entity = scene.entity(&customer.id.parse().unwrap());
            let event = assigned(&customer, &number());
            entity.signal_with_start(arguments, "submit", vec![json_payload(event.to_string())]).await;
            until_rejected(&scene, &customer, &["identity_mismatch"]).await;
            assert_eq!(failed_tasks(&entity.history("").await), [""; 0]);
        }
    });
}
