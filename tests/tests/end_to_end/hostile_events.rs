//! Invalid input from producers ends as one rejected event with a reason, and the entity continues.

use interlock_domain::routing::{QueueAssignment, QueueMove};
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

/// Start arguments that are not the one of the contract. The last of each is what the entity notes of it, if anything.
fn wrong_start_arguments(scene: &Scene<'_>, customer: &str) -> Vec<(&'static str, Vec<Payload>, Option<&'static str>)> {
    let json = |value: Value| json_payload(value.to_string());
    let right = || json(json!({"tenant_id": scene.tenant, "entity_id": customer}));
    let told = QueueAssignment { generation: 9, task_queue: "nobody.entity.00".to_owned() };
    let mut queue_move = QueueMove::default();
    queue_move.ask_to_move(told);
    let moving = json!({"tenant_id": scene.tenant, "entity_id": customer, "residence": queue_move,
        "carried": {"orders": 7}, "earlier_life": true});
    vec![
        (
            "customer",
            vec![json(json!({"tenant_id": scene.tenant, "entity_id": "somebody-else"}))],
            Some("somebody-else"),
        ),
        ("tenant", vec![json(json!({"tenant_id": "another", "entity_id": customer}))], Some("another/")),
        ("field", vec![json(json!({"tenant": scene.tenant, "customer": customer}))], Some("tenant")),
        ("array", vec![json(json!(["A"]))], Some("[\"A\"]")),
        ("text", vec![json(json!(customer))], Some("\"")),
        ("number", vec![json(json!({"tenant_id": 7, "entity_id": 8}))], Some("7")),
        ("null", vec![json(Value::Null)], Some("null")),
        ("absent", vec![payload("binary/null", Vec::new())], Some("")),
        ("nothing", vec![], Some("")),
        ("bytes", vec![payload("binary/plain", vec![1, 2, 3])], Some("")),
        ("cut", vec![json_payload("{\"tenant_id\": ")], Some("{")),
        ("nested", vec![json_payload("[".repeat(100_000))], Some("[[")),
        ("many", vec![right(), json(json!({"more": true})), payload("binary/plain", vec![9])], None),
        ("of a later run", vec![json(moving)], None),
    ]
}

#[test]
fn a_customer_is_who_its_workflow_id_says_whatever_the_start_argument() {
    run(async {
        let scene = Scene::on(shared().await);
        for name in 0..wrong_start_arguments(&scene, "").len() {
            let customer = scene.customer("A");
            let (name, argument, noted) = wrong_start_arguments(&scene, &customer.id).swap_remove(name);
            let entity = scene.entity(&customer.id.parse().unwrap());
            let number = number();
            let first = assigned(&customer, &number);
            entity.signal_with_start(argument, "submit", vec![json_payload(first.to_string())]).await;
            let has_number = || async { (!scene.registrations(&number).is_empty()).then_some(()) };
            until(format!("{name}: the number to be assigned"), has_number).await;
            // The next producer does it right.
            let order = scene.submit(&unassigned(&customer, &number)).await;
            assert_eq!(scene.end_of(&order).await, "completed", "{name}");
            let state = scene.customer_state(&customer).await;
            let journal = state["journal"].as_array().unwrap();
            let note = journal.iter().find(|entry| entry["what"] == "start_argument");
            match (note, noted) {
                (Some(note), Some(noted)) => {
                    assert_eq!(note["code"], "identity_mismatch", "{name}");
                    assert!(note["detail"].as_str().unwrap().contains(noted), "{name}: {note}");
                }
                (None, None) => {}
                _ => panic!("{name}: {state:#}"),
            }
            assert_eq!(state["counts"]["rejected"], 0, "{name}: {state:#}");
            let at_the_hss = [format!("{}+", customer.imsi), format!("{}-", customer.imsi)];
            assert_eq!(scene.registrations(&number), at_the_hss, "{name}");
            assert_eq!(failed_tasks(&entity.history("").await), [""; 0], "{name}");
            scene.done(&assigned(&customer, &number)).await;
        }
    });
}

#[test]
fn a_number_is_the_one_that_its_workflow_id_names_whatever_the_start_argument() {
    run(async {
        let scene = Scene::on(shared().await);
        for name in 0..wrong_start_arguments(&scene, "").len() {
            let (customer, number) = (scene.customer("A"), number());
            let (name, argument, _) = wrong_start_arguments(&scene, &format!("msisdn/{number}")).swap_remove(name);
            let entity = scene.number_entity(&number);
            entity.signal_with_start(argument, "no_such_signal", vec![json_payload("{}")]).await;
            scene.done(&assigned(&customer, &number)).await;
            assert_eq!(scene.holder(&number).await.as_deref(), Some(customer.id.as_str()), "{name}");
            assert_eq!(failed_tasks(&entity.history("").await), [""; 0], "{name}");
        }
    });
}

#[test]
fn a_rejected_event_that_is_corrected_and_sent_again_with_its_id_is_carried_out() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let entity = scene.entity(&customer.id.parse().unwrap());
        let corrected = assigned(&customer, &number);
        let submit = async |event: &Value| {
            let start = json_payload(json!({"tenant_id": scene.tenant, "entity_id": customer.id}).to_string());
            entity.signal_with_start(vec![start], "submit", vec![json_payload(event.to_string())]).await;
        };
        submit(&with(corrected.clone(), "data", json!({"imsi": 7}))).await;
        until_rejected(&scene, &customer, &["invalid_data"]).await;
        submit(&with(corrected.clone(), "subject", json!(7))).await;
        until_rejected(&scene, &customer, &["invalid_data", "bad_subject"]).await;
        let journal = scene.customer_state(&customer).await["journal"].clone();
        for entry in journal.as_array().unwrap() {
            assert_eq!(entry["event_id"], corrected["id"], "{entry}");
        }
        let order = scene.submit(&corrected).await;
        assert_eq!(scene.end_of(&order).await, "completed");
        assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi)]);
    });
}
