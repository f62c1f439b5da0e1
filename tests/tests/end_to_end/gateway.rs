//! The HTTP gateway, from the view of a producer and of a person.

use std::io::Write;
use std::time::Duration;

use interlock_domain::ids::OrderId;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::events::{assigned, event, quota_exceeded, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run, shared};
use crate::waiting::until;

/// A producer of one scene's tenant.
struct Producer<'a> {
    scene: Scene<'a>,
    http: Client,
}

impl<'a> Producer<'a> {
    fn on(bed: &'a Testbed) -> Self {
        Self { scene: Scene::on(bed), http: Client::builder().no_proxy().build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/tenants/{}/{path}", self.scene.bed.platform.gateway_url(), self.scene.tenant)
    }

    fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.http.post(self.url("events")).header("content-type", content_type).body(body)
    }

    async fn send(&self, event: &Value) -> Response {
        self.post("application/cloudevents+json", event.to_string()).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    /// The body at this path, as soon as it is available.
    async fn shown(&self, path: &str) -> Value {
        until(format!("an answer to GET {path}"), || async {
            let answer = self.get(path).await;
            if answer.status() != StatusCode::OK {
                return None;
            }
            answer.json().await.ok()
        })
        .await
    }
}

async fn accepted(answer: Response) -> Vec<Value> {
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let body: Value = answer.json().await.unwrap();
    body["results"].as_array().unwrap().clone()
}

/// The code of a problem, after a check of its form.
async fn problem(answer: Response, status: StatusCode) -> String {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status.as_u16());
    for key in ["title", "detail", "next"] {
        assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {body}");
    }
    body["code"].as_str().unwrap().to_owned()
}

fn order_of(result: &Value) -> OrderId {
    result["order_id"].as_str().unwrap().parse().unwrap()
}

#[test]
fn an_event_is_accepted_in_each_of_its_three_forms() {
    run(async {
        let producer = Producer::on(shared().await);
        let scene = &producer.scene;
        let (customer, numbers) = (scene.customer("A"), [number(), number(), number(), number()]);

        let structured = assigned(&customer, &numbers[0]);
        let mut results = accepted(producer.send(&structured).await).await;
        assert_eq!(results[0]["event_id"], structured["id"]);
        assert_eq!(results[0]["customer_id"], *customer.id);
        assert_eq!(results[0]["workflow_id"], format!("{}/customer/{}", scene.tenant, customer.id));

        let data = json!({"imsi": customer.imsi, "msisdn": numbers[1]}).to_string();
        let binary = producer
            .post("application/json", data)
            .header("ce-specversion", "1.0")
            .header("ce-id", "binary-1")
            .header("ce-source", "/tests")
            .header("ce-type", "number.assigned")
            .header("ce-subject", &customer.id);
        results.extend(accepted(binary.send().await.unwrap()).await);

        let batch = json!([assigned(&customer, &numbers[2]), {"id": "none"}, assigned(&customer, &numbers[3])]);
        let batch = producer.post("application/cloudevents-batch+json", batch.to_string()).send().await.unwrap();
        let batch = accepted(batch).await;
        assert_eq!(batch.len(), 3);
        assert_eq!((&batch[1]["status"], &batch[1]["event_id"]), (&json!("rejected"), &json!("none")));
        assert_eq!(batch[1]["code"], "unsupported_specversion");
        results.extend(batch.into_iter().filter(|result| result["status"] == "accepted"));

        let orders: Vec<OrderId> = results.iter().map(order_of).collect();
        assert_eq!(orders.len(), 4);
        scene.completed(&orders).await;
        for number in &numbers {
            assert_eq!(scene.registrations(number), [format!("{}+", customer.imsi)]);
        }
    });
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn producers_are_taken_as_they_are_and_all_ways_make_the_same_order() {
    run(async {
        let producer = Producer::on(shared().await);
        let customer = producer.scene.customer("A");
        let mut event = assigned(&customer, &number());
        event["id"] = json!("Jürgen's 100% \"order\"");
        let text = event.to_string();
        let structured = "application/cloudevents+json";
        let binary = |id: &str| {
            let mut request = producer.post("Application/JSON; charset=utf-8", event["data"].to_string());
            for name in ["specversion", "source", "type", "subject", "time"] {
                if let Some(value) = event[name].as_str() {
                    request = request.header(format!("ce-{name}"), value);
                }
            }
            request.header("ce-id", id.as_bytes())
        };
        let mut orders = Vec::new();
        for request in [
            producer.post(structured, text.clone()),
            producer.post(structured, gzip(&text)).header("content-encoding", "gzip"),
            producer.post(structured, format!("\u{feff}{text}")),
            producer.post("Application/CloudEvents+JSON; Charset=UTF-8", text.clone()),
            producer.post(structured, text.clone()).header("ce-id", "1").header("ce-specversion", "1.0"),
            producer.post("application/json", format!("[{text}]")),
            binary("J%C3%BCrgen's 100%25 %22order%22"),
            binary("\"J%C3%BCrgen's 100%25 \\\"order\\\"\""),
            binary("Jürgen's 100% \"order\""),
        ] {
            let results = accepted(request.send().await.unwrap()).await;
            orders.push(order_of(&results[0]));
        }
        assert!(orders.iter().all(|order| *order == orders[0]), "{orders:?}");

        let minimal = producer.post(structured, text.clone()).header("prefer", "respond-async, return=minimal");
        let answer = minimal.send().await.unwrap();
        assert_eq!(
            (answer.status(), answer.headers()["preference-applied"].as_bytes()),
            (StatusCode::NO_CONTENT, &b"return=minimal"[..])
        );
        assert_eq!(answer.text().await.unwrap(), "");
        let mixed =
            producer.post(structured, json!([event, {"id": "none"}]).to_string()).header("prefer", "return=minimal");
        assert_eq!(accepted(mixed.send().await.unwrap()).await.len(), 2, "one of them was rejected");
        producer.scene.completed(&orders[..1]).await;
    });
}

#[test]
fn a_sender_of_web_hooks_may_send_after_a_handshake_without_a_token() {
    run(async {
        let producer = Producer::on(shared().await);
        let asks = producer.http.request(reqwest::Method::OPTIONS, producer.url("events"));
        let answer = asks.header("webhook-request-origin", "events.example.com").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["webhook-allowed-origin"], "events.example.com");
        let rate: u64 = answer.headers()["webhook-allowed-rate"].to_str().unwrap().parse().unwrap();
        assert_eq!(rate, 5_000 * 60);
        assert!(answer.headers()["allow"].to_str().unwrap().contains("POST"));
    });
}

#[test]
fn what_is_not_a_cloudevent_is_named_for_what_it_is() {
    run(async {
        let producer = Producer::on(shared().await);
        for media_type in [
            "application/xml",
            "application/cloudevents+avro",
            "avro/binary",
            "application/x-www-form-urlencoded",
            "application/cloudevents+xml",
        ] {
            let answer = producer.post(media_type, "x").send().await.unwrap();
            assert_eq!(
                problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE).await,
                "unsupported_content_type",
                "{media_type}"
            );
            let answer = producer.post(media_type, "x").header("ce-id", "1").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type} with attributes in headers");
        }
        let answer = producer.post("application/json", "x").header("content-encoding", "br").send().await.unwrap();
        assert_eq!(problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE).await, "unsupported_content_encoding");
        let answer = producer.post("application/json", "x").header("content-encoding", "gzip").send().await.unwrap();
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "body_not_decoded");
        let grid = json!({"id": "1", "eventType": "a", "subject": "s", "eventTime": "2026-01-01T00:00:00Z", "data": {}, "dataVersion": "1"});
        let answer = producer.post("application/json", json!([grid]).to_string()).send().await.unwrap();
        assert_eq!(problem(answer, StatusCode::BAD_REQUEST).await, "foreign_format");
    });
}

#[test]
fn oversized_events_are_refused_alike_alone_and_in_a_batch_and_limits_apply_after_decoding() {
    run(async {
        let producer = Producer::on(shared().await);
        let customer = producer.scene.customer("A");
        let mut large = assigned(&customer, &number());
        large["data"]["note"] = json!("x".repeat(17 * 1024));
        for body in [large.to_string(), json!([large, large]).to_string()] {
            for request in [
                producer.post("application/json", body.clone()),
                producer.post("application/json", gzip(&body)).header("content-encoding", "gzip"),
            ] {
                let answer = request.send().await.unwrap();
                assert_eq!(problem(answer, StatusCode::PAYLOAD_TOO_LARGE).await, "event_too_large");
            }
        }
        let bomb =
            producer.post("application/json", gzip(&" ".repeat(5 * 1024 * 1024))).header("content-encoding", "gzip");
        assert_eq!(problem(bomb.send().await.unwrap(), StatusCode::PAYLOAD_TOO_LARGE).await, "event_too_large");
    });
}

#[test]
fn a_duplicate_is_accepted_as_the_same_order_and_changes_nothing() {
    run(async {
        let producer = Producer::on(shared().await);
        let scene = &producer.scene;
        let (customer, number) = (scene.customer("A"), number());
        let event = assigned(&customer, &number);
        let first = accepted(producer.send(&event).await).await;
        scene.completed(&[order_of(&first[0])]).await;
        let again = accepted(producer.send(&event).await).await;
        assert_eq!(again, first);
        let gone = accepted(producer.send(&unassigned(&customer, &number)).await).await;
        scene.completed(&[order_of(&gone[0])]).await;
        assert_eq!(scene.registrations(&number).len(), 2);
    });
}

#[test]
fn an_invalid_event_is_refused_with_a_problem() {
    run(async {
        let producer = Producer::on(shared().await);
        let customer = producer.scene.customer("A");
        let json_type = "application/cloudevents+json";
        let send = async |body: &str| producer.post(json_type, body.to_owned()).send().await.unwrap();
        assert_eq!(problem(send("{").await, StatusCode::BAD_REQUEST).await, "not_json");
        assert_eq!(problem(send("[]").await, StatusCode::BAD_REQUEST).await, "not_events");
        assert_eq!(problem(send("7").await, StatusCode::BAD_REQUEST).await, "not_events");
        assert_eq!(problem(send("{}").await, StatusCode::BAD_REQUEST).await, "unsupported_specversion");
        assert_eq!(problem(send("[{}, 1]").await, StatusCode::BAD_REQUEST).await, "no_event_readable");
        let binary = producer.post("text/xml", "<a/>").header("ce-specversion", "1.0").send().await.unwrap();
        assert_eq!(problem(binary, StatusCode::UNSUPPORTED_MEDIA_TYPE).await, "unsupported_content_type");

        let large = event("number.assigned", &customer.id, &json!({"filler": "x".repeat(17 * 1024)}));
        assert_eq!(problem(producer.send(&large).await, StatusCode::PAYLOAD_TOO_LARGE).await, "event_too_large");
        // Only the one byte too many: a client that sends more may be cut off before the answer.
        let endless = send(&" ".repeat(4 * 1024 * 1024 + 1)).await;
        assert_eq!(problem(endless, StatusCode::PAYLOAD_TOO_LARGE).await, "event_too_large");

        // It is a valid event that the catalog rejects, so its own result says so.
        let stolen = event("number.stolen", &customer.id, &json!({}));
        let results = accepted(producer.send(&stolen).await).await;
        assert_eq!((&results[0]["status"], &results[0]["code"]), (&json!("rejected"), &json!("unknown_event_type")));
    });
}

#[test]
fn customers_numbers_and_orders_are_shown() {
    run(async {
        let producer = Producer::on(shared().await);
        let scene = &producer.scene;
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        let first = order_of(&accepted(producer.send(&assigned(&a1, &number)).await).await[0]);
        scene.completed(std::slice::from_ref(&first)).await;
        let second = order_of(&accepted(producer.send(&assigned(&a2, &number)).await).await[0]);
        scene.is_waiting_for(&a2, &number).await;

        let resource = producer.shown(&format!("resources/msisdn/{number}")).await;
        assert_eq!(resource["resource"], format!("msisdn/{number}"));
        assert_eq!(resource["holder"]["customer_id"], *a1.id);
        assert_eq!(resource["holder"]["order_id"], first.as_str());
        assert_eq!(resource["queue"][0]["order_id"], second.as_str());
        assert_eq!(resource["queue"][0]["position"], 1);
        assert_eq!(resource["epoch"], resource["holder"]["epoch"]);

        let customer = producer.shown(&format!("customers/{}", a1.id)).await;
        assert_eq!(customer["leases"][0]["resource"], format!("msisdn/{number}"));
        assert_eq!(customer["orders"], json!([]));
        assert_eq!(customer["journal"][0]["what"], "completed");

        let waiting = producer.shown(&format!("orders/{second}")).await;
        assert_eq!((&waiting["state"], &waiting["type"]), (&json!("pending"), &json!("number.assigned")));
        assert_eq!(waiting["waiting_for"]["waits_for"], "lease");
        assert_eq!(waiting["claims"][0]["state"], "waiting");
        assert_eq!(waiting["steps"][0]["operation"], "assign_number");

        let alone = order_of(&accepted(producer.send(&quota_exceeded(&a1, &number)).await).await[0]);
        assert_eq!(scene.end_of(&alone).await, "completed");
        let alone = producer.shown(&format!("orders/{alone}")).await;
        assert_eq!(alone["steps"][0]["operation"], "send_sms");
    });
}

#[test]
fn an_unknown_id_is_not_found_and_an_invalid_id_is_a_bad_request() {
    run(async {
        let producer = Producer::on(shared().await);
        let customer = producer.scene.customer("A");
        producer.scene.done(&assigned(&customer, &number())).await;
        let never_of_a_known_customer = format!("orders/{}~{}", customer.id, uuid::Uuid::new_v4());
        let never_at_all = format!("orders/nobody~{}", uuid::Uuid::new_v4());
        for path in ["customers/nobody", "resources/msisdn/1999", &never_of_a_known_customer, &never_at_all] {
            assert_eq!(problem(producer.get(path).await, StatusCode::NOT_FOUND).await, "never_seen", "{path}");
        }
        for path in ["orders/no-order", &format!("customers/{}", "x".repeat(300))] {
            assert_eq!(problem(producer.get(path).await, StatusCode::BAD_REQUEST).await, "bad_id", "{path}");
        }
        assert_eq!(problem(producer.get("nothing").await, StatusCode::NOT_FOUND).await, "no_such_call");
    });
}

#[test]
fn without_a_worker_only_events_are_accepted_and_without_temporal_nothing_is_on_an_embedded_server() {
    run(async {
        let mut bed =
            Testbed::start("no-worker", Wanted { no_workers: true, embedded_server: true, ..Wanted::default() }).await;
        {
            let producer = Producer::on(&bed);
            let customer = producer.scene.customer("A");
            let results = accepted(producer.send(&assigned(&customer, &number())).await).await;
            assert_eq!(results[0]["status"], "accepted");
            let answer = producer.get(&format!("customers/{}", customer.id)).await;
            assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "no_worker");
        }
        bed.platform.server.embedded().unwrap().kill().await.unwrap();
        {
            let producer = Producer::on(&bed);
            let customer = producer.scene.customer("A");
            let event = assigned(&customer, &number());
            let answer = tokio::time::timeout(Duration::from_secs(30), producer.send(&event)).await.unwrap();
            assert!(answer.headers().contains_key("retry-after"), "{:?}", answer.headers());
            assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "temporal_unavailable");
            let answer = producer.get(&format!("customers/{}", customer.id)).await;
            assert_eq!(problem(answer, StatusCode::SERVICE_UNAVAILABLE).await, "temporal_unavailable");
        }
        bed.stop().await;
    });
}
