//! Targets that are down: their steps wait on the server, without attempts and without history, and continue in a ramp when the targets
//! are back. Also targets with a rate limit, and paused targets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use interlock_adapters::sandbox::{Applied, Effect};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::command::{done, interlock};
use crate::events::Customer;
use crate::outage::{
    CONCURRENCY, DRAIN_LIMIT, FAILURES, ORDERS, STAGE, all_wait, asked, bed, comes_back, goes_down, standing, times_ms,
    tuned, until_it_is, watched,
};
use crate::scene::Scene;
use crate::testbed::{Testbed, run, run_large};
use crate::waiting::until_within;

/// The number of steps that wait for the target that is down. `INTERLOCK_TEST_WAITING` sets another number.
const WAITING: usize = 2_000;
/// How long the test checks that nothing happens, in seconds. `INTERLOCK_TEST_DOWN_S` sets another time.
const DOWN_S: usize = 60;

/// The number of history events of these customers' entities, if all of them are idle: their steps are scheduled.
async fn events_of(scene: &Scene<'_>, customers: &[Customer]) -> Option<i64> {
    let mut sum = 0;
    for customer in customers {
        let entity = scene.entity(&customer.id.parse().unwrap());
        sum += entity.length_without_task().await?;
    }
    Some(sum)
}

/// The values that each subscription got, in order.
fn values(log: &[Applied]) -> BTreeMap<String, Vec<u64>> {
    let mut values: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in log {
        if let Effect::ServiceUpdated { of, settings } = &entry.effect {
            let value = settings.get("ue_ambr_dl").and_then(Value::as_u64).unwrap();
            values.entry(of.clone()).or_default().push(value);
        }
    }
    values
}

fn from_environment(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap())
}

#[test]
fn steps_that_wait_for_a_down_target_cost_nothing_and_continue_in_order_and_in_a_ramp() {
    run_large(async {
        let bed = bed("target-down", watched).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        goes_down(&bed.hss);
        let (customers, orders) = all_wait(&scene, from_environment("INTERLOCK_TEST_WAITING", WAITING)).await;
        let began = Instant::now();
        let before = nothing_happens_any_more(&scene, &customers).await;
        let breakers_worth = FAILURES as usize + CONCURRENCY;
        eprintln!("{} steps wait after {:?}: {before:?}", orders.len(), began.elapsed());
        assert!(before.steps <= breakers_worth, "{} attempts, more than {breakers_worth}", before.steps);

        // Another target works normally.
        let down = Duration::from_secs(from_environment("INTERLOCK_TEST_DOWN_S", DOWN_S).try_into().unwrap());
        let watched_since = Instant::now();
        let mut others = 0;
        while watched_since.elapsed() < down {
            let asked = Instant::now();
            scene.done(&tuned("account.tuned", &scene.customer("other"), others)).await;
            assert!(asked.elapsed() < Duration::from_secs(5), "the CRM waits for the HSS: {:?}", asked.elapsed());
            others += 1;
        }
        let after = nothing_happens_any_more(&scene, &customers).await;
        eprintln!("after {:?}: {after:?}; {others} orders at the CRM meanwhile", watched_since.elapsed());
        assert_eq!((after.steps, after.events), (before.steps, before.events), "waiting costs nothing");
        let probes = after.probes - before.probes;
        assert!((2..=2 + down.as_secs() as usize).contains(&probes), "{probes} probes");
        assert_eq!(standing(&bed, "hss").await.unwrap()["limit"], 0.0);
        assert!(times_ms(&bed.hss.log()).is_empty());

        comes_back(&bed.hss);
        let closed = until_it_is(&bed, "hss", "closed").await;
        assert_eq!(closed["limit"], Value::Null);
        scene.completed(&orders).await;
        let log = bed.hss.log();
        in_order(&log, customers.len());
        in_a_ramp(&times_ms(&log), &closed);
        bed.stop().await;
    });
}

/// The counts at one moment.
#[derive(Debug)]
struct Happened {
    steps: usize,
    probes: usize,
    events: i64,
}

/// Waits until the target is parked, all entities are idle, and two checks some time apart give the same result.
async fn nothing_happens_any_more(scene: &Scene<'_>, customers: &[Customer]) -> Happened {
    until_within(DRAIN_LIMIT, "nothing happens any more", || async {
        let parked = standing(scene.bed, "hss").await?["limit"] == 0.0;
        let events = events_of(scene, customers).await.filter(|_| parked)?;
        let (steps, _) = asked(&scene.bed.hss);
        // Longer than the wait of a blocked step before it returns to its queue.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (steps_now, probes) = asked(&scene.bed.hss);
        let events_now = events_of(scene, customers).await?;
        (steps == steps_now && events == events_now).then_some(Happened { steps, probes, events })
    })
    .await
}

fn in_order(log: &[Applied], customers: usize) {
    let values = values(log);
    assert_eq!(values.len(), customers);
    for (imsi, values) in values {
        assert_eq!(values, (1..=ORDERS as u64).collect::<Vec<_>>(), "{imsi}");
    }
}

/// By the end of each stage, no more was applied than the rates allow for their time, plus a burst of one second of each rate: that is
/// what the server lets through at once when a rate is set.
fn in_a_ramp(times_ms: &[i64], view: &Value) {
    let ms = |at: &Value| chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap()).unwrap().timestamp_millis();
    let history = view["history"].as_array().unwrap();
    let ends = history.iter().filter(|line| line["what"] == "ramping" || line["what"] == "closed").skip(1);
    let stages: Vec<(&Value, &Value)> = history.iter().filter(|line| line["what"] == "ramping").zip(ends).collect();
    assert_eq!(stages.len(), 7, "{history:#?}");
    let mut allowed = 0.0;
    for (line, end) in stages {
        let rate: f64 = line["detail"].as_str().unwrap().trim_end_matches(" per second").parse().unwrap();
        let (began, ended) = (ms(&line["at"]), ms(&end["at"]));
        let lasted_s = f64::from(i32::try_from(ended - began).unwrap()) / 1_000.0;
        assert!(lasted_s >= STAGE.as_secs_f64(), "{rate} per second for {lasted_s} s only");
        allowed += rate * (lasted_s + 1.0);
        let applied = times_ms.iter().filter(|at| **at < ended).count();
        eprintln!("{rate} per second for {lasted_s:.1} s: {applied} applied in all, {allowed:.0} allowed");
        assert!(f64::from(u32::try_from(applied).unwrap()) <= allowed + 1.0, "{applied}, not {allowed}");
    }
}

#[test]
fn a_person_pauses_limits_and_resumes_a_target() {
    run(async {
        let bed = bed("target-paused", watched).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        let pause = ["target", "pause", "hss", "--reason", "new release", "--actor", "anna", "--action-id", "p1"];
        assert!(done(&scene, &pause).await.contains("hss is paused"));
        let view = until_it_is(&bed, "hss", "paused").await;
        assert_eq!(view["limit"], 0.0);
        let customer = scene.customer("A");
        let order = scene.submit(&tuned("line.tuned", &customer, 1)).await;
        // Meanwhile another target is called, and this one is not.
        for value in 0..3 {
            scene.done(&tuned("account.tuned", &customer, value)).await;
        }
        assert_eq!(asked(&bed.hss).0, 0);
        let why = done(&scene, &["order", "why", order.as_str()]).await;
        assert!(why.contains("hss is paused") && why.contains("by anna: new release"), "{why}");
        assert!(why.contains("next: when it may be called again: interlock target resume hss"), "{why}");
        assert!(done(&scene, &["target", "list"]).await.contains("paused"));
        assert!(done(&scene, &["target", "show", "hss"]).await.contains("new release"));
        let paused_again = interlock(&scene, &["target", "limit", "hss", "0", "--reason", "none"]).await;
        assert_eq!(paused_again.code, 1, "{}", paused_again.stderr);
        assert!(paused_again.stderr.contains("limit_is_zero"), "{}", paused_again.stderr);

        done(&scene, &["target", "limit", "hss", "3", "--reason", "carefully"]).await;
        done(&scene, &["target", "resume", "hss", "--reason", "it is done"]).await;
        let view = until_it_is(&bed, "hss", "closed").await;
        assert_eq!((&view["limit"], &view["limited_to"]), (&json!(3.0), &json!(3.0)));
        scene.completed(&[order]).await;
        done(&scene, &["target", "limit", "hss", "none", "--reason", "no more"]).await;
        assert_eq!(until_it_is(&bed, "hss", "closed").await["limit"], Value::Null);
        by_http(&bed).await;
        bed.stop().await;
    });
}

/// The same over HTTP.
async fn by_http(bed: &Testbed) {
    let act = json!({"action_id": "h1", "action": "pause", "reason": "by HTTP", "until": "2100-01-01T00:00:00Z"});
    for _again in 0..2 {
        let (status, taken) = call(bed, Method::POST, "targets/hss/actions", Some(&act)).await;
        assert_eq!((status, &taken["state"]), (StatusCode::OK, &json!("paused")));
    }
    let (_, view) = call(bed, Method::GET, "targets/hss", None).await;
    assert_eq!((&view["state"], &view["until"]), (&json!("paused"), &json!("2100-01-01T00:00:00.000Z")));
    let by_http = view["history"].as_array().unwrap().iter().filter(|line| line["detail"] == "by HTTP").count();
    assert_eq!(by_http, 1, "the same action again changes nothing: {view:#}");
    let resume = json!({"action_id": "h2", "action": "resume", "reason": "by HTTP", "actor": "anna"});
    assert_eq!(call(bed, Method::POST, "targets/hss/actions", Some(&resume)).await.0, StatusCode::OK);
    until_it_is(bed, "hss", "closed").await;
    let again = json!({"action_id": "h3", "action": "resume", "reason": "by HTTP"});
    let (status, problem) = call(bed, Method::POST, "targets/hss/actions", Some(&again)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("target_not_stopped")));
    let (_, list) = call(bed, Method::GET, "targets", None).await;
    let names: Vec<&str> =
        list["targets"].as_array().unwrap().iter().map(|view| view["target"].as_str().unwrap()).collect();
    assert_eq!(names, ["crm", "hss", "notify"]);
    assert_eq!(call(bed, Method::GET, "targets/hsss", None).await.0, StatusCode::NOT_FOUND);
    let metrics = bed.platform.metrics_text().await.unwrap();
    assert!(metrics.contains("interlock_target_limit{"), "{metrics}");
}

async fn call(bed: &Testbed, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.request(method, format!("{}/v1/{path}", bed.platform.gateway_url()));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}
