//! Finding orders and explaining why they wait: through the gateway, and with the command as a person runs it.

use std::process::Output;
use std::time::Instant;

use interlock_adapters::sandbox::{Action, Rule, Seed};
use interlock_domain::ids::{CustomerId, OrderId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::{SearchAttributes, WorkflowType};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use tonic::IntoRequest;

use crate::events::{Customer, assigned, event, quota_exceeded, service_updated, unassigned};
use crate::scene::{Scene, imsi, number, write_that_assigns, write_that_releases};
use crate::temporal_calls::json_payload;
use crate::testbed::{Testbed, Wanted, run, shared};
use crate::waiting::until;

/// Runs the command for a scene's tenant.
async fn interlock(scene: &Scene<'_>, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_interlock-under-test"));
    command.args(arguments).args(["--tenant", scene.tenant.as_str(), "--log-level", "warn"]);
    command.args(scene.bed.connection());
    command.output().await.unwrap()
}

/// Its stdout, if it succeeds.
async fn said(scene: &Scene<'_>, arguments: &[&str]) -> String {
    let output = interlock(scene, arguments).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("$ interlock {}\n{text}{stderr}", arguments.join(" "));
    text
}

/// The gateway's answer.
async fn get(scene: &Scene<'_>, path: &str) -> (StatusCode, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/tenants/{}/{path}", scene.bed.platform.gateway_url(), scene.tenant);
    let answer = http.get(url).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// The chain in short form, as soon as it is as long and ends as expected: each customer and what it waits for.
async fn chain_that_ends(scene: &Scene<'_>, order: &OrderId, length: usize, end: &str) -> Value {
    until(format!("a chain of {length} links from {order} to '{end}'"), || async {
        let (status, why) = get(scene, &format!("orders/{order}/why")).await;
        let chain = why["chain"].as_array().filter(|_| status == StatusCode::OK)?;
        (chain.len() == length && chain.last()?["waits_for"] == end).then(|| why.clone())
    })
    .await
}

/// Starts a waiting customer's entity on a queue that no worker serves.
async fn start_where_nobody_serves(scene: &Scene<'_>, customer: &CustomerId) {
    let installation = &scene.bed.platform.installation;
    let route = installation.routing.customer(&scene.tenant, customer);
    let attributes = [
        ("InterlockTenant", scene.tenant.as_str()),
        ("InterlockEntityKind", "customer"),
        ("InterlockState", "waiting"),
    ];
    let keyword = |text: &str| {
        let mut payload = json_payload(json!(text).to_string());
        payload.metadata.insert("type".to_owned(), b"Keyword".to_vec());
        payload
    };
    let indexed_fields = attributes.map(|(name, text)| (name.to_owned(), keyword(text))).into();
    let request = StartWorkflowExecutionRequest {
        namespace: route.namespace.clone(),
        workflow_id: route.workflow_id,
        workflow_type: Some(WorkflowType { name: route.workflow_type.to_owned() }),
        task_queue: Some(TaskQueue { name: "nobody-serves-this".to_owned(), ..TaskQueue::default() }),
        request_id: uuid::Uuid::new_v4().to_string(),
        search_attributes: Some(SearchAttributes { indexed_fields }),
        ..Default::default()
    };
    let mut client = installation.client_for(&route.namespace).unwrap();
    client.start_workflow_execution(request.into_request()).await.unwrap();
}

fn ids(orders: &Value) -> Vec<&str> {
    orders.as_array().unwrap().iter().map(|order| order["order_id"].as_str().unwrap()).collect()
}

/// Waits until a list has this many orders.
async fn has_as_many(scene: &Scene<'_>, query: &str, count: usize) {
    let (status, page) = get(scene, query).await;
    assert_eq!((status, ids(&page["orders"]).len()), (StatusCode::OK, count), "{query}: {page:#}");
}

/// All orders of a list, sorted, page by page.
async fn walked(scene: &Scene<'_>, query: &str, limit: usize) -> Vec<String> {
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(scene, &format!("{query}{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page:#}");
        assert!(page["orders"].as_array().unwrap().len() <= limit, "{page:#}");
        walked.extend(ids(&page["orders"]).into_iter().map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    walked.sort();
    walked
}

/// Refuses matching requests permanently.
fn refused() -> Action {
    Action::Refuse { status: 400, body: json!({"error": "not like this"}), retry_after_s: None }
}

/// Refuses matching requests temporarily.
fn unavailable() -> Action {
    Action::Refuse { status: 503, body: Value::Null, retry_after_s: None }
}

#[test]
fn a_hand_over_that_waits_is_explained_over_the_lease_and_its_holder_down_to_the_target() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        let waits = scene.submit(&assigned(&a2, &number)).await;
        // A1 has not released it yet.
        let why = chain_that_ends(&scene, &waits, 2, "event").await;
        assert_eq!((&why["chain"][1]["customer_id"], &why["ring"]), (&json!(a1.id), &json!(false)));
        assert!(why["chain"][1]["next"].as_str().unwrap().contains("resource release msisdn/"), "{why:#}");

        let down = Rule::always(write_that_releases(&a1), unavailable());
        scene.bed.hss.add_rule(down.clone());
        let gives_up = scene.submit(&unassigned(&a1, &number)).await;
        let why = chain_that_ends(&scene, &waits, 2, "target").await;
        let (first, last) = (&why["chain"][0], &why["chain"][1]);
        assert_eq!((&first["order_id"], &first["waits_for"]), (&json!(waits), &json!("lease")));
        assert_eq!((&first["resource"], &first["holder"]), (&json!(format!("msisdn/{number}")), &json!(a1.id)));
        assert_eq!((&last["order_id"], &last["target"]), (&json!(gives_up), &json!("hss")));
        assert!(last["since"].is_string() && last["detail"].is_string(), "{why:#}");
        until("the failing call to be told", || async {
            let why = said(&scene, &["order", "why", waits.as_str()]).await;
            let shown = scene.order(&gives_up).await?;
            let waiting_for = &shown["waiting_for"];
            let is_told = why.contains("the last one failed") && why.contains("503");
            (is_told && waiting_for["attempt"].as_u64()? > 1 && waiting_for["last_failure"].is_string()).then_some(())
        })
        .await;

        let told = said(&scene, &["order", "why", waits.as_str()]).await;
        let lines: Vec<&str> = told.lines().collect();
        assert!(
            lines[0]
                .starts_with(&format!("{waits} (pending) waits for the lease of msisdn/{number}, held by {}", a1.id)),
            "{told}"
        );
        let answer = format!("└─ {gives_up} (inProgress) waits for hss to answer");
        assert!(lines.iter().any(|line| line.trim_start().starts_with(&answer)), "{told}");
        assert!(told.contains("next: "), "{told}");

        let mut knobs = scene.bed.hss.knobs();
        knobs.rules.retain(|rule| *rule != down);
        scene.bed.hss.set_knobs(knobs);
        scene.completed(&[gives_up, waits.clone()]).await;
        let told = said(&scene, &["order", "why", waits.as_str()]).await;
        assert!(told.contains("(completed) has ended, "), "{told}");

        let history = said(&scene, &["resource", "history", &format!("msisdn/{number}"), "-o", "jsonl"]).await;
        let history: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let granted: Vec<&Value> = history.iter().filter(|entry| entry["what"] == "granted").collect();
        assert_eq!(granted.len(), 2, "{history:#?}");
        assert_eq!(granted[1]["order_id"], waits.as_str());
        let table = said(&scene, &["resource", "history", &format!("msisdn/{number}"), "--limit", "2"]).await;
        // The proof of a change may take several lines.
        let entries = table.lines().filter(|line| line.trim_start().starts_with("20"));
        assert_eq!(entries.count(), 2, "{table}");
    });
}

#[test]
fn orders_that_wait_for_each_other_are_shown_as_a_ring() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a, b) = (Scene::newcomer("A"), Scene::newcomer("B"));
        let (of_a, of_b) = (number(), number());
        let activated = |customer: &Customer, number: &str| {
            let (imsi, iccid) = (&customer.imsi, format!("8901{}", customer.imsi));
            event(
                "subscriber.activated",
                &customer.id,
                &json!({"imsi": imsi, "iccid": iccid, "msisdn": number, "profile": "default"}),
            )
        };
        let seeds = [&a, &b].map(|customer| Seed {
            imsi: customer.imsi.clone(),
            iccid: Some(format!("8901{}", customer.imsi)),
            sim_only: true,
            msisdn: None,
        });
        scene.bed.hss.seed(&seeds).unwrap();
        scene.done(&activated(&a, &of_a)).await;
        scene.done(&activated(&b, &of_b)).await;
        // A shall get B's SIM and keep its number; B shall get A's number and keep its SIM. Neither releases anything.
        let swap = json!({"old_imsi": a.imsi, "new_imsi": b.imsi, "msisdn": of_a});
        let swaps = scene.submit(&event("sim.swapped", &a.id, &swap)).await;
        let activates = scene.submit(&activated(&b, &of_a)).await;

        let why = until("the ring", || async {
            let (_, why) = get(&scene, &format!("orders/{activates}/why")).await;
            (why["ring"] == true).then_some(why)
        })
        .await;
        let chain = why["chain"].as_array().unwrap();
        assert_eq!(chain.len(), 2, "{why:#}");
        assert!(chain.iter().all(|link| link["in_ring"] == true && link["waits_for"] == "lease"), "{why:#}");
        assert_eq!((&chain[0]["order_id"], &chain[1]["order_id"]), (&json!(activates), &json!(swaps)));
        let told = said(&scene, &["order", "why", swaps.as_str()]).await;
        assert_eq!(
            told.lines().filter(|line| line.contains("↻ ") && line.contains(" waits for ")).count(),
            2,
            "{told}"
        );
        assert!(told.contains("This is a cycle") && told.contains("order cancel"), "{told}");
    });
}

#[test]
fn a_held_order_is_found_by_its_state_and_target_and_says_how_to_fix_it() {
    run(async {
        let scene = Scene::on(shared().await);
        let (held, waiting, number) = (scene.customer("held"), scene.customer("waiting"), number());
        scene.bed.hss.add_rule(Rule::always(write_that_assigns(&number), refused()));
        let order = scene.submit(&assigned(&held, &number)).await;
        let behind = scene.submit(&assigned(&waiting, &number)).await;
        let why = chain_that_ends(&scene, &behind, 2, "person").await;
        assert_eq!(why["chain"][1]["order_id"], order.as_str());
        assert_eq!(why["chain"][1]["target"], "hss");
        let code = why["chain"][1]["code"].as_str().unwrap();

        let held_ones = until("the held order in the list", || async {
            let (status, page) = get(&scene, "orders?state=held&target=hss").await;
            assert_eq!(status, StatusCode::OK, "{page:#}");
            (page["orders"].as_array()?.len() == 1).then_some(page)
        })
        .await;
        assert_eq!(ids(&held_ones["orders"]), [order.as_str()]);
        assert_eq!(held_ones["next_cursor"], Value::Null);
        assert_eq!(held_ones["orders"][0]["code"], code);
        until("both in the list of all", || async {
            let (_, page) = get(&scene, "orders").await;
            (page["orders"].as_array()?.len() == 2).then_some(())
        })
        .await;
        for (query, count) in [
            (format!("orders?code={code}"), 1),
            ("orders?code=other".to_owned(), 0),
            ("orders?target=crm".to_owned(), 0),
            ("orders?state=pending".to_owned(), 1),
            ("orders?overdue=true".to_owned(), 0),
            (format!("orders?customer={}", waiting.id), 1),
        ] {
            has_as_many(&scene, &query, count).await;
        }

        let listed = said(&scene, &["order", "list", "--state", "held", "--target", "hss"]).await;
        assert!(listed.contains(order.as_str()) && !listed.contains(behind.as_str()), "{listed}");
        let line = said(&scene, &["order", "list", "--state", "held", "-o", "jsonl", "--all"]).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["order_id"], order.as_str());
        let told = said(&scene, &["order", "why", behind.as_str()]).await;
        assert!(
            told.contains(&format!(
                "next: fix the cause, then: interlock order retry {order} --tenant {}",
                scene.tenant
            )),
            "{told}"
        );
    });
}

#[test]
fn a_list_is_walked_by_its_cursor_and_has_each_order_once() {
    run(async {
        let scene = Scene::on(shared().await);
        let (holder, number) = (scene.customer("holder"), number());
        scene.done(&assigned(&holder, &number)).await;
        let mut expected = Vec::new();
        for name in ["A", "B", "C"] {
            let customer = scene.customer(name);
            expected.push(scene.submit(&assigned(&customer, &number)).await);
            // Events that one workflow task receives in the same millisecond are ordered by their order ids.
            scene.is_waiting_for(&customer, &number).await;
            for level in 0..3 {
                expected.push(scene.submit(&service_updated(&customer, &json!({"ue_ambr_dl": level}))).await);
            }
        }
        expected.sort();
        let expected: Vec<&str> = expected.iter().map(OrderId::as_str).collect();
        // Everything that needs no turn at the HSS (the CRM's part of the changes) is done before that.
        let found = until("all of them in one page", || async {
            let (_, page) = get(&scene, "orders?limit=1000").await;
            let orders = page["orders"].as_array()?;
            (orders.len() == expected.len()).then(|| page.clone())
        })
        .await;
        let mut found = ids(&found["orders"]);
        found.sort_unstable();
        assert_eq!(found, expected);
        for limit in [1, 5] {
            let walked = walked(&scene, &format!("orders?limit={limit}"), limit).await;
            assert_eq!(walked, expected, "by {limit}");
        }
        let output = interlock(&scene, &["order", "list", "--limit", "5"]).await;
        assert!(String::from_utf8_lossy(&output.stderr).contains("--cursor "), "{output:?}");
    });
}

#[test]
fn an_impossible_list_request_is_refused_with_a_code() {
    run(async {
        let scene = Scene::on(shared().await);
        for (query, code) in [
            ("cursor=nonsense", "bad_cursor"),
            ("state=completed", "state_not_open"),
            ("limit=0", "bad_query"),
            ("customers=A", "bad_query"),
        ] {
            let (status, problem) = get(&scene, &format!("orders?{query}")).await;
            assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{query}: {problem:#}");
        }
        let (status, problem) = get(&scene, "orders?customer=nobody").await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("never_seen")), "{problem:#}");
        let never = format!("orders/nobody~{}/why", uuid::Uuid::new_v4());
        let (status, problem) = get(&scene, &never).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("never_seen")), "{problem:#}");
        let (status, page) = get(&scene, "orders").await;
        assert_eq!((status, page), (StatusCode::OK, json!({"orders": [], "next_cursor": null})));
        let output = interlock(&scene, &["order", "list", "--cursor", "nonsense", "-o", "json"]).await;
        let fault: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!((output.status.code(), &fault["code"]), (Some(2), &json!("bad_cursor")));
    });
}

#[test]
fn a_customer_that_does_not_answer_is_named_and_the_others_are_listed() {
    run(async {
        let scene = Scene::on(shared().await);
        let (holder, customer, number) = (scene.customer("holder"), scene.customer("A"), number());
        scene.done(&assigned(&holder, &number)).await;
        let order = scene.submit(&assigned(&customer, &number)).await;
        let silent: CustomerId = Scene::newcomer("silent").id.parse().unwrap();
        start_where_nobody_serves(&scene, &silent).await;
        let page = until("the page with both", || async {
            let (_, page) = get(&scene, "orders").await;
            let complete = page["orders"].as_array()?.len() == 1 && page["unanswered"].is_array();
            complete.then_some(page)
        })
        .await;
        assert_eq!(ids(&page["orders"]), [order.as_str()]);
        assert_eq!(page["unanswered"][0]["customer_id"], silent.as_str());
        // It was started on a queue that is not its own.
        assert_eq!(page["unanswered"][0]["code"], "run_misplaced");
        let output = interlock(&scene, &["order", "list"]).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stdout).contains(order.as_str()), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(silent.as_str()), "{output:?}");
        let output = interlock(&scene, &["sweep", "--dry-run"]).await;
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("{silent} (tenant {})", scene.tenant)), "{told}");
        scene.entity(&silent).terminate().await;
    });
}

/// Pauses the target of standalone orders.
async fn pause_notify(scene: &Scene<'_>) {
    said(scene, &["target", "pause", "notify", "--reason", "new release"]).await;
    until("the target to be paused", || async {
        said(scene, &["target", "list"]).await.contains("new release").then_some(())
    })
    .await;
}

/// Submits an event with a standalone order. Returns the order.
async fn submit_alone(scene: &Scene<'_>, customer: &Customer) -> OrderId {
    let taken = scene.bed.platform.submit(&scene.tenant, quota_exceeded(customer, &number())).await;
    assert_eq!((taken.status.as_str(), &taken.workflow_id), ("accepted", &None), "{taken:?}");
    taken.order_id.unwrap()
}

/// The orders of a list, sorted, as soon as it has this many.
async fn listed(scene: &Scene<'_>, query: &str, count: usize) -> Vec<String> {
    until(format!("{count} orders in {query}"), || async {
        let (status, page) = get(scene, query).await;
        assert_eq!(status, StatusCode::OK, "{query}: {page:#}");
        let mut found: Vec<String> = ids(&page["orders"]).into_iter().map(str::to_owned).collect();
        found.sort();
        (found.len() == count).then_some(found)
    })
    .await
}

#[test]
fn orders_that_stand_alone_are_listed_with_the_others_until_they_are_done() {
    run(async {
        let bed = Testbed::start("standing-alone", Wanted::default()).await;
        let (scene, other_tenant) = (Scene::on(&bed), Scene::on(&bed));
        let (holder, waiting, number) = (scene.customer("holder"), scene.customer("A"), number());
        let (waits_alone, never_seen) = (scene.customer("B"), scene.customer("C"));
        scene.done(&assigned(&holder, &number)).await;
        let of_entity = scene.submit(&assigned(&waiting, &number)).await;
        pause_notify(&scene).await;
        let one = submit_alone(&scene, &waiting).await;
        let two = submit_alone(&scene, &waits_alone).await;
        let others = submit_alone(&other_tenant, &waits_alone).await;

        let mut alone = [one.to_string(), two.to_string()];
        alone.sort();
        let mut all = vec![of_entity.to_string(), one.to_string(), two.to_string()];
        all.sort();
        assert_eq!(listed(&scene, "orders", 3).await, all);
        assert_eq!(listed(&other_tenant, "orders", 1).await, [others.to_string()]);
        let (_, page) = get(&scene, "orders?target=notify&state=acknowledged").await;
        assert_eq!(page["next_cursor"], Value::Null, "{page:#}");
        // Later orders come first.
        let listed_order = &page["orders"][0];
        assert_eq!((&listed_order["order_id"], &listed_order["stands_alone"]), (&json!(two), &json!(true)), "{page:#}");
        assert_eq!(listed_order["waiting_for"]["waits_for"], "target", "{page:#}");
        let (_, shown) = get(&scene, &format!("orders/{two}")).await;
        assert_eq!(
            (&shown["state"], &shown["waiting_for"]),
            (&listed_order["state"], &listed_order["waiting_for"]),
            "{shown:#}"
        );
        for (query, count) in [
            ("orders?target=notify".to_owned(), 2),
            ("orders?target=hss".to_owned(), 0),
            ("orders?state=acknowledged".to_owned(), 2),
            ("orders?state=pending".to_owned(), 1),
            ("orders?state=held".to_owned(), 0),
            ("orders?overdue=true".to_owned(), 0),
            (format!("orders?customer={}", waiting.id), 2),
            (format!("orders?customer={}", waits_alone.id), 1),
        ] {
            has_as_many(&scene, &query, count).await;
        }
        let (status, _) = get(&scene, &format!("orders?customer={}", never_seen.id)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, _) = get(&other_tenant, &format!("orders/{two}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "it belongs to another tenant");

        let of_waiting: Vec<String> = all.iter().filter(|id| id.starts_with(&waiting.id)).cloned().collect();
        let of_customer = format!("orders?limit=1&customer={}", waiting.id);
        for (query, expected) in [("orders?limit=1", &all), (of_customer.as_str(), &of_waiting)] {
            assert_eq!(&walked(&scene, query, 1).await, expected, "{query}");
        }

        let list = ["order", "list", "--target", "notify"];
        let told = said(&scene, &list).await;
        assert!(alone.iter().all(|order| told.contains(order)) && !told.contains(of_entity.as_str()), "{told}");
        let output = interlock(&scene, &["order", "cancel", "--target", "notify", "--dry-run", "--reason", "r"]).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.contains("2 standalone orders are skipped"), "{stderr}");

        said(&scene, &["target", "resume", "notify", "--reason", "it is there"]).await;
        scene.completed(&[one, two]).await;
        assert_eq!(listed(&scene, "orders", 1).await, [of_entity.to_string()]);
        assert_eq!(said(&scene, &list).await.trim(), "no open orders");
    });
}

#[test]
fn an_embedded_server_without_standalone_activities_lists_the_orders_of_entities() {
    run(async {
        let dynamic_config = vec![("activity.enableStandalone", "false")];
        let bed = Testbed::start("without-standalone", Wanted { dynamic_config, ..Wanted::default() }).await;
        let scene = Scene::on(&bed);
        let (holder, waiting, number) = (scene.customer("holder"), scene.customer("A"), number());
        scene.done(&assigned(&holder, &number)).await;
        let order = scene.submit(&assigned(&waiting, &number)).await;
        assert_eq!(listed(&scene, "orders", 1).await, [order.to_string()]);
        assert_eq!(listed(&scene, &format!("orders?customer={}", waiting.id), 1).await, [order.to_string()]);
    });
}

/// The duration is printed but not judged, since it depends on the machine.
#[test]
fn a_customer_with_a_thousand_open_orders_is_listed_completely_and_each_is_explained() {
    const ORDERS: usize = 1_000;
    run(async {
        let scene = Scene::on(shared().await);
        let (holder, customer, number) = (scene.customer("holder"), scene.customer("many"), number());
        scene.done(&assigned(&holder, &number)).await;
        let first = scene.submit(&assigned(&customer, &number)).await;
        scene.is_waiting_for(&customer, &number).await;
        let touched = |imsi: &str| event("line.touched", &customer.id, &json!({"imsi": imsi}));
        let imsi = imsi();
        let events: Vec<Value> = (1..ORDERS).map(|_| touched(&imsi)).collect();
        let mut expected = scene.submit_all(&events).await;
        let last = expected.last().unwrap().clone();
        expected.push(first.clone());
        expected.sort();

        let path = format!("orders?customer={}&limit=1000&state=pending", customer.id);
        until("all to be planned", || async {
            let (_, page) = get(&scene, &path).await;
            (page["orders"].as_array()?.len() == ORDERS).then_some(())
        })
        .await;
        let began = Instant::now();
        let (_, page) = get(&scene, &path).await;
        let listed_in = began.elapsed();
        let mut listed = ids(&page["orders"]);
        listed.sort_unstable();
        assert_eq!(listed, expected.iter().map(OrderId::as_str).collect::<Vec<_>>());
        assert_eq!(page["next_cursor"], Value::Null);

        let began = Instant::now();
        let (_, page) = get(&scene, "orders?limit=1000").await;
        let found_in = began.elapsed();
        assert_eq!(page["orders"].as_array().unwrap().len(), ORDERS);

        let began = Instant::now();
        let (status, why) = get(&scene, &format!("orders/{last}/why")).await;
        let explained_in = began.elapsed();
        assert_eq!(status, StatusCode::OK, "{why:#}");
        let chain = why["chain"].as_array().unwrap();
        assert_eq!(chain[0]["order_id"], last.as_str());
        assert_eq!(chain.last().unwrap()["waits_for"], "event", "{:#}", chain.last().unwrap());
        assert_eq!(chain.last().unwrap()["customer_id"], holder.id.as_str());
        eprintln!(
            "{ORDERS} open orders: listed in {} ms, found by their tenant in {} ms, the last explained in {} ms ({} links)",
            listed_in.as_millis(),
            found_in.as_millis(),
            explained_in.as_millis(),
            chain.len()
        );
    });
}
