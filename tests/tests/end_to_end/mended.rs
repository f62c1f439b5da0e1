//! What a person does about an order that cannot continue by itself: each test creates the situation, reads the reason, fixes it with
//! the command, and sees the order end.

use std::time::Duration;

use interlock_adapters::sandbox::{Action, Pattern, Rule, Sandbox};
use interlock_domain::ids::OrderId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::applied_log::of_account;
use crate::command::{call, done, interlock};
use crate::events::{Customer, assigned, changed, service_updated, unassigned};
use crate::scene::{Scene, number, write_that_begins_to_assign};
use crate::testbed::{run, shared};
use crate::waiting::{until, until_true};

/// Permanently refuses requests, until it is fixed.
struct Refusing<'a> {
    sandbox: &'a Sandbox,
    rule: Rule,
}

impl<'a> Refusing<'a> {
    fn at(sandbox: &'a Sandbox, pattern: Pattern) -> Self {
        let body = json!({"code": "not_like_this", "detail": "the target does not take it", "error": "not like this"});
        let rule = Rule::always(pattern, Action::Refuse { status: 400, body, retry_after_s: None });
        sandbox.add_rule(rule.clone());
        Self { sandbox, rule }
    }

    fn mend(self) {
        let mut knobs = self.sandbox.knobs();
        knobs.rules.retain(|rule| *rule != self.rule);
        self.sandbox.set_knobs(knobs);
    }
}

/// Requests of this operation at the CRM for this customer.
fn at_crm(operation: &str, customer: &Customer) -> Pattern {
    let body_contains = Some(format!("\"{}\"", customer.id));
    Pattern { operation: Some(operation.to_owned()), body_contains, ..Pattern::default() }
}

/// Waits until an order waits for a person, reads the reason as a person does, and returns the code with which it is held.
async fn held(scene: &Scene<'_>, order: &OrderId) -> String {
    until(format!("{order} is held"), || async { (scene.order(order).await?["state"] == "held").then_some(()) }).await;
    let (status, why) = call(scene, Method::GET, &format!("orders/{order}/why"), None).await;
    assert_eq!(status, StatusCode::OK, "{why:#}");
    let last = why["chain"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["waits_for"], "person", "{why:#}");
    last["code"].as_str().unwrap().to_owned()
}

async fn waits_for_lease(scene: &Scene<'_>, order: &OrderId) {
    until(format!("{order} waits for a lease"), || async {
        (scene.order(order).await?["waiting_for"]["waits_for"] == "lease").then_some(())
    })
    .await;
}

async fn post(scene: &Scene<'_>, order: &OrderId, body: Value) -> (StatusCode, Value) {
    call(scene, Method::POST, &format!("orders/{order}/actions"), Some(&body)).await
}

#[test]
fn a_step_that_the_hss_refused_is_retried_once_the_hss_is_fixed() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let refusing = Refusing::at(&scene.bed.hss, write_that_begins_to_assign(&number));
        let order = scene.submit(&assigned(&customer, &number)).await;
        held(&scene, &order).await;
        assert_eq!(scene.registrations(&number), Vec::<String>::new());

        refusing.mend();
        let action_id = Uuid::new_v4().to_string();
        let retry = ["order", "retry", order.as_str(), "--reason", "mended", "--action-id", &action_id];
        let said = done(&scene, &retry).await;
        assert_eq!(said.trim(), format!("{order} inProgress"));
        scene.completed(std::slice::from_ref(&order)).await;
        assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi)]);

        let again = done(&scene, &retry).await;
        assert_eq!(again.trim(), format!("{order} completed (already applied)"));
        let journal = scene.customer_state(&customer).await["journal"].clone();
        let taken: Vec<&Value> =
            journal.as_array().unwrap().iter().filter(|line| line["what"] == format!("action {action_id}")).collect();
        assert_eq!(taken.len(), 1, "{journal:#}");
        assert_eq!((&taken[0]["actor"], &taken[0]["reason"]), (&json!("night-shift"), &json!("mended")));
    });
}

#[test]
fn a_step_that_a_person_skips_lets_the_order_end_as_partial() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let refusing = Refusing::at(&scene.bed.crm, at_crm("add_number", &customer));
        let order = scene.submit(&assigned(&customer, &number)).await;
        assert_eq!(held(&scene, &order).await, "not_like_this");
        let said = done(&scene, &["order", "skip", order.as_str(), "--reason", "the CRM is set by hand"]).await;
        assert_eq!(said.trim(), format!("{order} partial"));
        let view = scene.order(&order).await.unwrap();
        assert_eq!((&view["state"], &view["code"]), (&json!("partial"), &json!("person")));
        assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi)]);
        let over = interlock(&scene, &["order", "skip", order.as_str(), "--reason", "again"]).await;
        assert_eq!(over.code, 1);
        assert!(over.stdout.contains("[order_over]"), "{}", over.stdout);
        refusing.mend();
    });
}

#[test]
fn settings_that_the_targets_refuse_are_amended_at_every_target() {
    run(async {
        let scene = Scene::on(shared().await);
        let customer = scene.customer("A");
        let (bad, good) = (json!({"ue_ambr_dl": 666_001}), json!({"ue_ambr_dl": 7_000}));
        let bad_value = || Pattern { body_contains: Some("666001".to_owned()), ..Pattern::default() };
        let refusing = [Refusing::at(&scene.bed.hss, bad_value()), Refusing::at(&scene.bed.crm, bad_value())];
        let order = scene.submit(&service_updated(&customer, &bad)).await;
        held(&scene, &order).await;
        until(format!("both steps of {order} are held"), || async {
            let view = scene.order(&order).await?;
            view["steps"].as_array()?.iter().all(|step| step["state"] == "held").then_some(())
        })
        .await;

        let amend = |data: &Value| {
            let action_id = Uuid::new_v4().to_string();
            json!({"action_id": action_id, "action": "amend", "reason": "typo", "actor": "ann", "data": data})
        };
        for (data, status, code) in [
            (json!({"settings": "none"}), StatusCode::BAD_REQUEST, "invalid_data"),
            (json!({"setings": good}), StatusCode::BAD_REQUEST, "amend_unknown_field"),
            (json!({}), StatusCode::BAD_REQUEST, "amend_nothing"),
        ] {
            let (answered, problem) = post(&scene, &order, amend(&data)).await;
            assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{problem:#}");
        }
        let data = json!({ "settings": good }).to_string();
        let arguments = ["order", "amend", order.as_str(), "--data", &data, "--reason", "typo"];
        let foretold = done(&scene, &[&arguments[..], &["--dry-run"]].concat()).await;
        assert!(foretold.contains("hss.update_service (settings)"), "{foretold}");
        assert!(foretold.contains("crm.update_service (settings)"), "{foretold}");
        assert_eq!(scene.order(&order).await.unwrap()["state"], "held", "a dry run does nothing");

        let said = done(&scene, &arguments).await;
        assert_eq!(said.trim(), format!("{order} inProgress"));
        scene.completed(std::slice::from_ref(&order)).await;
        let crm = of_account(&scene.bed.crm.log(), &customer.id);
        assert_eq!(crm, ["service {\"ue_ambr_dl\":7000}"]);
        let hss = of_account(&scene.bed.hss.log(), &customer.imsi);
        assert_eq!(hss, ["service {\"ue_ambr_dl\":7000}"]);
        refusing.into_iter().for_each(Refusing::mend);
    });
}

#[test]
fn the_data_of_a_claim_cannot_be_amended() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number, other) = (scene.customer("A"), number(), number());
        let refusing = Refusing::at(&scene.bed.hss, write_that_begins_to_assign(&number));
        let order = scene.submit(&assigned(&customer, &number)).await;
        held(&scene, &order).await;
        let data = json!({ "msisdn": other }).to_string();
        let said = interlock(&scene, &["order", "amend", order.as_str(), "--data", &data, "--reason", "typo"]).await;
        assert_eq!(said.code, 1);
        assert!(said.stdout.contains("[amend_changes_claim]"), "{}", said.stdout);
        // The advice is then: cancel it, and send another event.
        done(&scene, &["order", "cancel", order.as_str(), "--reason", "wrong number"]).await;
        assert_eq!(scene.end_of(&order).await, "cancelled");
        scene.done(&assigned(&customer, &other)).await;
        assert_eq!(scene.registrations(&number), Vec::<String>::new());
        refusing.mend();
    });
}

#[test]
fn an_order_that_waits_for_a_lease_is_cancelled_without_a_call() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        let order = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let (_, why) = call(&scene, Method::GET, &format!("orders/{order}/why"), None).await;
        assert_eq!(why["chain"][0]["waits_for"], "lease", "{why:#}");
        let said = done(&scene, &["order", "cancel", order.as_str(), "--reason", "changed my mind"]).await;
        assert_eq!(said.trim(), format!("{order} cancelled"));
        until(format!("nobody waits for {number}"), || async {
            (scene.number_state(&number).await?["queue"] == json!([])).then_some(())
        })
        .await;
        scene.done(&unassigned(&a1, &number)).await;
        assert_eq!(scene.registrations(&number), [format!("{}+", a1.imsi), format!("{}-", a1.imsi)]);
    });
}

#[test]
fn a_cancelled_order_undoes_what_it_did() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, next, number) = (scene.customer("A"), scene.customer("B"), number());
        let refusing = Refusing::at(&scene.bed.crm, at_crm("add_number", &customer));
        let order = scene.submit(&assigned(&customer, &number)).await;
        held(&scene, &order).await;
        done(&scene, &["order", "cancel", order.as_str(), "--reason", "the CRM will never take it"]).await;
        assert_eq!(scene.end_of(&order).await, "failed");
        assert_eq!(scene.registrations(&number), [format!("{}+", customer.imsi), format!("{}-", customer.imsi)]);
        let view = scene.order(&order).await.unwrap();
        let undone = view["steps"].as_array().unwrap().iter().find(|step| step["name"] == "hss.assign_number.undo");
        assert_eq!(undone.unwrap()["state"], "done", "{view:#}");
        scene.done(&assigned(&next, &number)).await;
        scene.judge(&[&number]);
        refusing.mend();
    });
}

#[test]
fn a_cancel_after_a_confirmed_release_is_refused_and_says_why() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        scene.done(&assigned(&customer, &number)).await;
        let refusing = Refusing::at(&scene.bed.crm, at_crm("remove_number", &customer));
        let order = scene.submit(&unassigned(&customer, &number)).await;
        held(&scene, &order).await;
        let said = interlock(&scene, &["order", "cancel", order.as_str(), "--reason", "too late"]).await;
        assert_eq!(said.code, 1);
        assert!(said.stdout.contains("[release_confirmed] hss.release_number"), "{}", said.stdout);
        let body = json!({"action_id": "late", "action": "cancel", "reason": "too late"});
        let (status, problem) = post(&scene, &order, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("release_confirmed")), "{problem:#}");
        refusing.mend();
        done(&scene, &["order", "retry", order.as_str(), "--reason", "mended"]).await;
        scene.completed(&[order]).await;
    });
}

#[test]
fn a_release_that_waits_for_its_assign_goes_first_when_a_person_says_so() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a, b, old, new) = (scene.customer("A"), scene.customer("B"), number(), number());
        scene.done(&assigned(&a, &old)).await;
        scene.done(&assigned(&b, &new)).await;
        let order = scene.submit(&changed(&a, &old, &new)).await;
        waits_for_lease(&scene, &order).await;
        let (_, why) = call(&scene, Method::GET, &format!("orders/{order}/why"), None).await;
        assert_eq!(why["chain"][0]["resource"], format!("msisdn/{new}"), "{why:#}");
        done(&scene, &["order", "release-first", order.as_str(), "--reason", "the old one is wanted"]).await;
        let released = [format!("{}+", a.imsi), format!("{}-", a.imsi)];
        until_true("the old number is released", || scene.registrations(&old) == released).await;
        assert_eq!(scene.registrations(&new), [format!("{}+", b.imsi)]);
        scene.done(&unassigned(&b, &new)).await;
        scene.completed(&[order]).await;
        scene.judge(&[&old, &new]);
    });
}

#[test]
fn a_number_is_taken_from_a_dead_holder_that_the_target_does_not_know() {
    run(async {
        let scene = Scene::on(shared().await);
        let (ghost, next, number) = (scene.customer("A"), scene.customer("B"), number());
        let resource = format!("msisdn/{number}");
        let refusing = Refusing::at(&scene.bed.hss, write_that_begins_to_assign(&number));
        let order = scene.submit(&assigned(&ghost, &number)).await;
        until(format!("{order} is held"), || async { (scene.order(&order).await?["state"] == "held").then_some(()) })
            .await;
        refusing.mend();
        let waiting = scene.submit(&assigned(&next, &number)).await;
        scene.is_waiting_for(&next, &number).await;

        // A living holder with an open order refuses, and the answer names it.
        let release = ["resource", "release", &resource, "--force", "--reason", "ghost"];
        let said = interlock(&scene, &release).await;
        assert_eq!(said.code, 1);
        assert!(
            said.stderr.contains("[holder_has_open_orders]") && said.stderr.contains(order.as_str()),
            "{}",
            said.stderr
        );

        scene.entity(&ghost.id.parse().unwrap()).terminate().await;
        let said = done(&scene, &release).await;
        assert!(said.starts_with(&format!("{resource} is released")), "{said}");
        scene.completed(&[waiting]).await;
        assert_eq!(scene.registrations(&number), [format!("{}+", next.imsi)]);
        let history = scene.number_state(&number).await.unwrap()["history"].clone();
        let forced = history.as_array().unwrap().iter().find(|line| line["what"] == "force_asked").unwrap().clone();
        assert!(forced["detail"].as_str().unwrap().starts_with("night-shift: ghost"), "{history:#}");
    });
}

#[test]
fn a_number_that_the_target_has_registered_to_its_holder_is_taken_only_if_the_operator_insists() {
    run(async {
        let scene = Scene::on(shared().await);
        let (holder, number) = (scene.customer("A"), number());
        scene.done(&assigned(&holder, &number)).await;
        let path = format!("resources/msisdn/{number}/actions");
        let force = |action_id: &str, insists: bool| json!({"action_id": action_id, "action": "force_release", "reason": "test", "even_if_registered": insists});
        for _ in 0..2 {
            let (status, problem) = call(&scene, Method::POST, &path, Some(&force("one", false))).await;
            assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("still_registered")), "{problem:#}");
        }
        assert_eq!(scene.holder(&number).await.as_deref(), Some(holder.id.as_str()));
        let (status, taken) = call(&scene, Method::POST, &path, Some(&force("two", true))).await;
        assert_eq!(
            (status, &taken["repeated"], &taken["state"]["holder"]),
            (StatusCode::OK, &json!(false), &Value::Null)
        );
        let history = taken["state"]["history"].as_array().unwrap().clone();
        let forced = history.iter().find(|line| line["what"] == "forced").unwrap();
        assert!(forced["detail"].as_str().unwrap().contains("registered to"), "{forced:#}");
        let unknown = call(&scene, Method::POST, "resources/msisdn/1999/actions", Some(&force("x", false))).await;
        assert_eq!((unknown.0, &unknown.1["code"]), (StatusCode::NOT_FOUND, &json!("never_seen")));
        let bad = json!({"action_id": "x", "action": "explode", "reason": "test"});
        let (status, problem) = call(&scene, Method::POST, &path, Some(&bad)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("bad_action")));
    });
}

#[test]
fn the_wait_for_an_authority_that_does_not_answer_is_limited() {
    run(async {
        let scene = Scene::on(shared().await);
        let (holder, number) = (scene.customer("A"), number());
        scene.done(&assigned(&holder, &number)).await;
        let asks =
            Pattern { method: Some("GET".to_owned()), path_contains: Some(number.clone()), ..Pattern::default() };
        let away = Rule::always(asks, Action::Refuse { status: 503, body: Value::Null, retry_after_s: None });
        scene.bed.hss.add_rule(away.clone());
        let began = std::time::Instant::now();
        let resource = format!("msisdn/{number}");
        let said = interlock(&scene, &["resource", "release", &resource, "--force", "--reason", "test"]).await;
        assert!(said.stderr.contains("[authority_unanswered]"), "{}", said.stderr);
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
        assert_eq!(scene.holder(&number).await.as_deref(), Some(holder.id.as_str()));
        let mut knobs = scene.bed.hss.knobs();
        knobs.rules.retain(|rule| *rule != away);
        scene.bed.hss.set_knobs(knobs);
        scene.done(&unassigned(&holder, &number)).await;
    });
}

#[test]
fn all_that_a_target_refused_is_retried_by_filter() {
    run(async {
        let scene = Scene::on(shared().await);
        let customers = ["A", "B", "C"].map(|name| scene.customer(name));
        let settings = json!({"ue_ambr_dl": 666_002});
        let refusing =
            Refusing::at(&scene.bed.crm, Pattern { body_contains: Some("666002".to_owned()), ..Pattern::default() });
        let mut orders = Vec::new();
        for customer in &customers {
            orders.push(scene.submit(&service_updated(customer, &settings)).await);
        }
        for order in &orders {
            assert_eq!(held(&scene, order).await, "not_like_this");
        }
        let by_filter =
            ["order", "retry", "--state", "held", "--target", "crm", "--code", "not_like_this", "--reason", "mended"];
        let by = |more: &[&'static str]| [&by_filter[..], more].concat();
        until("all three are listed", || async {
            let said = interlock(&scene, &by(&["--dry-run", "-o", "jsonl"])).await;
            (said.code == 0 && said.stdout.lines().count() == 3).then_some(())
        })
        .await;
        let told = interlock(&scene, &by(&[])).await;
        assert_eq!(told.code, 2, "nobody said yes: {}", told.stderr);
        assert!(told.stderr.contains("[confirmation_needed]"), "{}", told.stderr);
        for order in &orders {
            assert!(told.stdout.contains(&format!("{order} would retry: held")), "{}", told.stdout);
            assert_eq!(scene.order(order).await.unwrap()["state"], "held");
        }
        let none = interlock(&scene, &["order", "retry", "--reason", "mended"]).await;
        assert_eq!(none.code, 2, "neither ids nor a filter: {}", none.stderr);

        refusing.mend();
        let said = interlock(&scene, &by(&["--yes", "--action-id", "sweep-1"])).await;
        assert_eq!((said.code, said.stdout.lines().count()), (0, 3), "{}", said.stderr);
        assert!(said.stderr.contains("3 applied, 0 already applied, 0 rejected"), "{}", said.stderr);
        scene.completed(&orders).await;
        for (customer, order) in customers.iter().zip(&orders) {
            let journal = scene.customer_state(customer).await["journal"].clone();
            let what = format!("action sweep-1/{order}");
            assert!(journal.as_array().unwrap().iter().any(|line| line["what"] == what), "{journal:#}");
        }
        // Again by id. Each of them has the action id that it had by filter.
        let ids: Vec<&str> = orders.iter().map(OrderId::as_str).collect();
        let again = ["order", "retry", "--reason", "mended", "--action-id", "sweep-1"];
        let said = interlock(&scene, &[&again[..], &ids[..]].concat()).await;
        assert_eq!(said.code, 0, "{}", said.stdout);
        assert!(said.stderr.contains("0 applied, 3 already applied, 0 rejected"), "{}", said.stderr);
    });
}

#[test]
fn an_action_on_an_unknown_order_or_resource_says_so() {
    run(async {
        let scene = Scene::on(shared().await);
        let nobody = OrderId::derive(&scene.tenant, &"nobody".parse().unwrap(), "/tests", "none", None);
        let body = json!({"action_id": "x", "action": "retry", "reason": "test"});
        let (status, problem) = post(&scene, &nobody, body.clone()).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("never_seen")), "{problem:#}");
        let said = interlock(&scene, &["order", "retry", nobody.as_str(), "--reason", "test"]).await;
        assert_eq!(said.code, 1);
        assert!(said.stdout.contains("[never_seen]"), "{}", said.stdout);
        let customer = scene.customer("A");
        let order = scene.done(&service_updated(&customer, &json!({"ue_ambr_dl": 1}))).await;
        let (status, problem) = post(&scene, &order, body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("order_over")), "{problem:#}");
        let (status, problem) = post(&scene, &order, json!({"action_id": "x", "action": "retry"})).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("bad_action")), "{problem:#}");
    });
}
