//! A step that fails permanently does what the catalog says: the order is held, continues without it, or is undone.

use interlock_adapters::sandbox::{Action, Pattern, Rule};
use serde_json::json;

use crate::command::done;
use crate::events::event;
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// An event type for each policy, with no other difference.
pub fn event_types() -> String {
    ["hold", "skip", "abort"].map(event_type).concat()
}

fn event_type(on_failure: &str) -> String {
    format!(
        r#"
[events."line.{on_failure}"]
claims = [{{ mode = "assign", resource = "msisdn/{{msisdn}}", party = "{{imsi}}" }}]
steps = [
  {{ role = "hss", operation = "assign_number", with = {{ imsi = "{{imsi}}", msisdn = "{{msisdn}}" }}, resources = ["msisdn/{{msisdn}}"], compensation = "release_number" }},
  {{ role = "crm", operation = "add_number", with = {{ customer_id = "{{@customer_id}}", imsi = "{{imsi}}", msisdn = "{{msisdn}}" }}, after = ["hss.assign_number"], on_failure = "{on_failure}", compensation = "remove_number" }},
  {{ role = "notify", operation = "send_sms", with = {{ msisdn = "{{msisdn}}", kind = "welcome", limit = "0" }}, after = ["crm.add_number"] }},
]
[events."line.{on_failure}".data]
required = ["imsi", "msisdn"]
properties.imsi = {{ type = "string", format = "imsi" }}
properties.msisdn = {{ type = "string", format = "msisdn" }}
"#
    )
}

/// The states of an order's steps, by name.
async fn steps(scene: &Scene<'_>, order: &interlock_domain::ids::OrderId) -> Vec<String> {
    let view = scene.order(order).await.unwrap();
    let line =
        |step: &serde_json::Value| format!("{} {}", step["name"].as_str().unwrap(), step["state"].as_str().unwrap());
    view["steps"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn a_permanent_failure_holds_skips_or_aborts_as_the_catalog_says() {
    run(async {
        let bed = Testbed::start("permanent", Wanted { more_events: event_types(), ..Wanted::default() }).await;
        {
            let scene = Scene::on(&bed);
            let body = json!({"code": "not_like_this", "detail": "the target does not take it"});
            let refuse = Action::Refuse { status: 400, body, retry_after_s: None };
            let adds = Pattern { operation: Some("add_number".to_owned()), ..Pattern::default() };
            bed.crm.add_rule(Rule::always(adds, refuse));
            let mut submitted = Vec::new();
            for on_failure in ["hold", "skip", "abort"] {
                let (customer, number) = (scene.customer(on_failure), number());
                let data = json!({"imsi": customer.imsi, "msisdn": number});
                let order = scene.submit(&event(&format!("line.{on_failure}"), &customer.id, &data)).await;
                submitted.push((customer, number, order));
            }
            let [(held, its_number, order), (skipped, _, _), (aborted, _, _)] = &submitted[..] else { unreachable!() };
            let got = |imsi: &str| format!("{imsi}+");

            until(format!("{order} is held"), || async {
                (scene.order(order).await?["state"] == "held").then_some(())
            })
            .await;
            let expected = ["hss.assign_number done", "crm.add_number held", "notify.send_sms open"];
            assert_eq!(steps(&scene, order).await, expected);
            assert_eq!(scene.registrations(its_number), [got(&held.imsi)]);

            let (_, its_number, order) = &submitted[1];
            assert_eq!(scene.end_of(order).await, "partial");
            let expected = ["hss.assign_number done", "crm.add_number skipped", "notify.send_sms done"];
            assert_eq!(steps(&scene, order).await, expected);
            assert_eq!(scene.order(order).await.unwrap()["code"], "not_like_this");
            assert_eq!(scene.registrations(its_number), [got(&skipped.imsi)]);

            let (_, its_number, order) = &submitted[2];
            assert_eq!(scene.end_of(order).await, "failed");
            let expected = [
                "hss.assign_number done",
                "crm.add_number skipped",
                "notify.send_sms cancelled",
                "hss.assign_number.undo done",
            ];
            assert_eq!(steps(&scene, order).await, expected);
            assert_eq!(scene.order(order).await.unwrap()["code"], "not_like_this");
            assert_eq!(scene.registrations(its_number), [got(&aborted.imsi), format!("{}-", aborted.imsi)]);
            assert_eq!(bed.sms.log().len(), 1, "only the order that went on without the step told its customer");

            bed.crm.set_knobs(interlock_adapters::sandbox::Knobs::default());
            let (_, _, order) = &submitted[0];
            done(&scene, &["order", "retry", order.as_str(), "--reason", "the CRM takes it now"]).await;
            scene.completed(std::slice::from_ref(order)).await;
            assert_eq!(bed.sms.log().len(), 2);
        }
        bed.stop().await;
    });
}
