//! The preview of a person's action: what would happen is said, and nothing happens.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use crate::command::{call, done, interlock};
use crate::events::{Customer, assigned};
use crate::forecast::asked;
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

fn action(name: &str) -> Value {
    json!({"action_id": format!("preview-{name}"), "action": name, "reason": "a test"})
}

/// The orders of a forecast, with their states now and then.
fn ends(forecast: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let orders = forecast["orders"].as_array().unwrap().iter();
    orders.map(|order| (text(&order["order_id"]), text(&order["now"]), text(&order["then"]))).collect()
}

/// What would happen, in a few words each.
fn next(forecast: &Value) -> Vec<String> {
    let shown = |event: &Value| {
        let parts = ["what", "customer_id", "resource", "step", "state"].map(|part| event[part].as_str());
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    forecast["next"].as_array().unwrap().iter().map(shown).collect()
}

/// All that could change, once nothing is under way: what entities recorded, and what targets were asked.
async fn all(scene: &Scene<'_>, customers: &[&Customer], number: &str) -> Vec<usize> {
    let mut entities: Vec<_> = customers.iter().map(|customer| scene.entity(&customer.id.parse().unwrap())).collect();
    entities.push(scene.number_entity(number));
    let mut all = vec![asked(&scene.bed.hss).len(), asked(&scene.bed.crm).len()];
    for entity in entities {
        all.push(until("the entity to have nothing to do", || async { at_rest(&entity.history("").await) }).await);
    }
    all
}

/// How many events there are, if no workflow task and no activity is under way.
fn at_rest(history: &[HistoryEvent]) -> Option<usize> {
    let count = |is_it: fn(&Attributes) -> bool| {
        history.iter().filter_map(|event| event.attributes.as_ref()).filter(|attributes| is_it(attributes)).count()
    };
    let tasks = count(|of| matches!(of, Attributes::WorkflowTaskScheduledEventAttributes(_)));
    let done = count(|of| matches!(of, Attributes::WorkflowTaskCompletedEventAttributes(_)));
    let calls = count(|of| matches!(of, Attributes::ActivityTaskScheduledEventAttributes(_)));
    let answered = count(|of| matches!(of, Attributes::ActivityTaskCompletedEventAttributes(_)));
    (tasks == done && calls == answered).then_some(history.len())
}

#[test]
fn the_preview_of_an_action_says_what_it_does_to_all_customers_and_does_nothing() {
    run(async {
        let bed = Testbed::start("previews", Wanted::default()).await;
        let scene = Scene::on(&bed);
        let (stuck, next_one, number) = (Scene::newcomer("stuck"), scene.customer("A2"), number());
        let held = scene.submit(&assigned(&stuck, &number)).await;
        until("the order to be held", || async { (scene.order(&held).await?["state"] == "held").then_some(()) }).await;
        let waiting = scene.submit(&assigned(&next_one, &number)).await;
        scene.is_waiting_for(&next_one, &number).await;
        let before = all(&scene, &[&stuck, &next_one], &number).await;

        let path = format!("orders/{held}/actions?preview=true");
        let (status, forecast) = call(&scene, Method::POST, &path, Some(&action("cancel"))).await;
        assert_eq!((status, &forecast["forecast"]), (StatusCode::OK, &json!(true)), "{forecast:#}");
        let end = |order: &interlock_domain::ids::OrderId, now: &str, then: &str| {
            (order.to_string(), now.to_owned(), then.to_owned())
        };
        assert_eq!(ends(&forecast), [end(&held, "held", "cancelled"), end(&waiting, "pending", "completed")]);
        let resource = format!("msisdn/{number}");
        let expected = [
            format!("ended {} cancelled", stuck.id),
            format!("released {} {resource}", stuck.id),
            format!("granted {} {resource}", next_one.id),
            format!("call {} hss.assign_number", next_one.id),
            format!("call {} crm.add_number", next_one.id),
            format!("ended {} completed", next_one.id),
        ];
        let mut said = next(&forecast);
        let mut wanted = expected.to_vec();
        said.sort();
        wanted.sort();
        assert_eq!(said, wanted, "{forecast:#}");

        // If the target did its part, a retry would end the order, and the next one would wait on.
        let (_, forecast) = call(&scene, Method::POST, &path, Some(&action("retry"))).await;
        assert_eq!(ends(&forecast), [end(&held, "held", "completed")], "{forecast:#}");
        let arguments = ["order", "cancel", held.as_str(), "--reason", "a test", "--preview"];
        let said = done(&scene, &arguments).await;
        for part in ["forecast of cancel: nothing was sent", &format!("granted to {}", next_one.id), "assumed:"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let refused = interlock(&scene, &["order", "release-first", held.as_str(), "--reason", "x", "--preview"]).await;
        assert!(refused.code == 1 && refused.stdout.contains("[no_release_waits]"), "{}", refused.stdout);
        let unclear = format!("orders/{held}/actions?preview=perhaps");
        let (status, answer) = call(&scene, Method::POST, &unclear, Some(&action("cancel"))).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("bad_query")));
        assert_eq!(all(&scene, &[&stuck, &next_one], &number).await, before, "a preview does nothing");
        assert_eq!(scene.order(&held).await.unwrap()["state"], "held");
        is_refused_alike(&scene, &format!("orders/{held}"), &action("release_first"), "no_release_waits").await;
        is_refused_alike(&scene, &format!("orders/{held}"), &json!({"action": "retry"}), "bad_action").await;

        // Now it is done, and goes as it was forecast. The same action again would change nothing.
        let path = format!("orders/{held}/actions");
        let (status, taken) = call(&scene, Method::POST, &path, Some(&action("cancel"))).await;
        assert_eq!((status, &taken["state"]), (StatusCode::OK, &json!("cancelled")), "{taken:#}");
        scene.completed(&[waiting]).await;
        assert_eq!(scene.holder(&number).await.as_deref(), Some(next_one.id.as_str()));
        let again = format!("{path}?preview=true");
        let (_, forecast) = call(&scene, Method::POST, &again, Some(&action("cancel"))).await;
        assert_eq!((&forecast["repeated"], &forecast["next"]), (&json!(true), &json!([])), "{forecast:#}");
        bed.stop().await;
    });
}

/// A preview is refused with the same status and code as the action.
async fn is_refused_alike(scene: &Scene<'_>, of: &str, body: &Value, code: &str) {
    let mut answers = Vec::new();
    for query in ["?preview=true", ""] {
        let (status, answer) = call(scene, Method::POST, &format!("{of}/actions{query}"), Some(body)).await;
        assert_eq!(answer["code"], code, "{of} {query}: {answer:#}");
        answers.push((status, answer["detail"].clone()));
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn the_preview_of_a_forced_release_and_of_actions_on_a_target_changes_nothing() {
    run(async {
        let bed = Testbed::start("previews-force", Wanted::default()).await;
        let scene = Scene::on(&bed);
        let (holder, number) = (scene.customer("A1"), number());
        scene.done(&assigned(&holder, &number)).await;
        let force = |id: &str| json!({"action_id": id, "action": "force_release", "reason": "ported out"});
        let resource = format!("resources/msisdn/{number}");
        let before = all(&scene, &[&holder], &number).await;
        let path = format!("{resource}/actions?preview=true");
        // As long as the holder may have used its lease after the question, the release is refused.
        let forecast = until("the use of the lease to be past", || async {
            let (status, forecast) = call(&scene, Method::POST, &path, Some(&force("f"))).await;
            (status == StatusCode::OK).then_some(forecast)
        })
        .await;
        let [shown] = forecast["resources"].as_array().unwrap().as_slice() else { panic!("{forecast:#}") };
        assert_eq!((&shown["now"]["customer_id"], &shown["then"]["held"]), (&json!(holder.id), &json!(false)));
        assert!(forecast["assumes"].to_string().contains("registered to nobody"), "{forecast:#}");
        assert_eq!(all(&scene, &[&holder], &number).await, before, "a preview asks nobody");
        // In truth the HSS has it registered: the assumption says so.
        let (status, refused) = call(&scene, Method::POST, &format!("{resource}/actions"), Some(&force("f"))).await;
        assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("still_registered")));
        is_refused_alike(&scene, "resources/msisdn/12065559999", &force("g"), "never_seen").await;

        let pause = json!({"action_id": "p", "action": "pause", "reason": "a test"});
        let resume = json!({"action_id": "r", "action": "resume", "reason": "a test"});
        let target = async |query: &str, body: &Value| {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let url = format!("{}/v1/targets/crm/actions{query}", bed.platform.gateway_url());
            let answer = http.post(url).json(body).send().await.unwrap();
            (answer.status(), answer.json::<Value>().await.unwrap())
        };
        let (status, forecast) = target("?preview=true", &pause).await;
        assert_eq!((status, &forecast["target"]["then"]), (StatusCode::OK, &json!("paused")), "{forecast:#}");
        for query in ["?preview=true", ""] {
            let (status, refused) = target(query, &resume).await;
            assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("target_not_stopped")), "{query}");
        }
        let said = done(&scene, &["target", "pause", "crm", "--reason", "x", "--preview"]).await;
        assert!(said.contains("then crm is paused"), "{said}");
        let shown = done(&scene, &["target", "show", "crm", "--output", "json"]).await;
        assert!(shown.contains("\"closed\""), "{shown}");
        bed.stop().await;
    });
}
