//! A target accepts a call as a job and ends it later (202). Nothing is sent again meanwhile, whoever asks about the job.

use interlock_adapters::sandbox::{Action, Pattern, Received, Rule, Sandbox};
use interlock_domain::callback::{CallPlace, CallbackKeys, CallbackUrls, WorkflowRun};
use interlock_domain::ids::OrderId;
use interlock_worker_pools::Workload;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::applied_log::of_account;
use crate::events::{assigned, quota_exceeded};
use crate::scene::{Scene, number};
use crate::testbed::{CALLBACK_KEY, Testbed, Wanted, run};
use crate::waiting::until;

/// How long the target works on the job: longer than the test needs to kill a worker that knows of it.
const WORKS_MS: u64 = 8_000;

/// A pause between two questions that is longer than any test: only a report ends it.
const SELDOM_S: u64 = 300;

fn adds() -> Pattern {
    Pattern { operation: Some("add_number".to_owned()), ..Pattern::default() }
}

/// A job of this length. With a pause between two questions its end is reported, if the target is told where.
fn as_job(ms: u64, ask_after_s: Option<u64>) -> Action {
    Action::AsJob { ms, fails: false, calls_back: ask_after_s.is_some(), ask_after_s }
}

fn received(target: &Sandbox, part_of_path: &str) -> Vec<Received> {
    target.received().into_iter().filter(|request| request.path.contains(part_of_path)).collect()
}

/// What the order shows of its call, as soon as it waits for the job.
async fn waits_for_its_job(scene: &Scene<'_>, order: &OrderId) -> Value {
    until("the order to wait for the job", || async {
        let call = scene.order(order).await?["waiting_for"].take();
        (call["last_outcome"]["class"] == "accepted" && call["attempt"].as_u64()? > 1).then_some(call)
    })
    .await
}

/// Reports that a job may be over.
async fn report(url: &str) -> Response {
    reqwest::Client::builder().no_proxy().build().unwrap().post(url).body("{}").send().await.unwrap()
}

async fn code(answer: Response) -> (StatusCode, String) {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_reported_end_is_asked_about_at_once_and_forged_and_repeated_reports_change_nothing() {
    run(async {
        let bed = Testbed::start("reported-jobs", Wanted { callbacks: true, ..Wanted::default() }).await;
        let scene = Scene::on(&bed);
        let (customer, number) = (scene.customer("A"), number());
        bed.crm.add_rule(Rule::once(adds(), as_job(WORKS_MS / 2, Some(SELDOM_S))));
        let order = scene.submit(&assigned(&customer, &number)).await;
        let call = waits_for_its_job(&scene, &order).await;
        assert_eq!(received(&bed.crm, "/jobs/").len(), 0, "{call}");
        let url = received(&bed.crm, "add_number").remove(0).callback_url.expect("the target is told where to report");

        // The first character of the signature is another one.
        let at = url.rfind('.').unwrap() + 1;
        let forged = format!("{}{}{}", &url[..at], if &url[at..=at] == "A" { "B" } else { "A" }, &url[at + 1..]);
        assert_eq!(code(report(&forged).await).await, (StatusCode::NOT_FOUND, "callback_unknown".to_owned()));
        assert_eq!(received(&bed.crm, "/jobs/").len(), 0);

        // By somebody who knows the URL, before the job is over: the target is asked, and says so.
        assert_eq!(report(&url).await.status(), StatusCode::NO_CONTENT);
        until("the question", || async { (!received(&bed.crm, "/jobs/").is_empty()).then_some(()) }).await;
        assert!(of_account(&bed.crm.log(), &customer.id).is_empty());

        // The target's own report ends it.
        scene.completed(&[order]).await;
        let asked = received(&bed.crm, "/jobs/").len();
        assert!((2..=4).contains(&asked), "asked {asked} times");
        for _ in 0..2 {
            assert_eq!(report(&url).await.status(), StatusCode::NO_CONTENT);
        }
        assert_eq!(received(&bed.crm, "/jobs/").len(), asked);
        assert_eq!(received(&bed.crm, "add_number").len(), 1, "it was sent once");
        assert_eq!(of_account(&bed.crm.log(), &customer.id), [format!("add {number}")]);
        bed.stop().await;
    });
}

#[test]
fn a_report_that_overtakes_the_answer_waits_for_it_and_an_order_that_stands_alone_is_reported_too() {
    run(async {
        let bed = Testbed::start("overtaking-reports", Wanted { callbacks: true, ..Wanted::default() }).await;
        let scene = Scene::on(&bed);
        let (customer, number) = (scene.customer("A"), number());
        bed.crm.add_rule(Rule::once(adds(), Action::Delay { ms: 1_500 }));
        bed.crm.add_rule(Rule::once(
            adds(),
            Action::AsJob { ms: 0, fails: false, calls_back: false, ask_after_s: Some(SELDOM_S) },
        ));
        let order = scene.submit(&assigned(&customer, &number)).await;
        let add = until("the call", || async { received(&bed.crm, "add_number").pop() }).await;
        let url = add.callback_url.unwrap();
        until("the report to be taken", || async {
            match report(&url).await {
                taken if taken.status() == StatusCode::NO_CONTENT => Some(()),
                refused => {
                    assert_eq!(code(refused).await, (StatusCode::SERVICE_UNAVAILABLE, "call_under_way".to_owned()));
                    None
                }
            }
        })
        .await;
        assert_eq!(received(&bed.crm, "add_number").len(), 1, "it did not disturb the call");
        scene.completed(&[order]).await;
        assert_eq!(received(&bed.crm, "add_number").len(), 1);

        bed.sms.add_rule(Rule::always(
            Pattern { method: Some("POST".to_owned()), ..Pattern::default() },
            as_job(2_000, Some(SELDOM_S)),
        ));
        let taken = bed.platform.submit(&scene.tenant, quota_exceeded(&customer, &number)).await;
        assert_eq!(taken.status.as_str(), "accepted", "{taken:?}");
        assert_eq!(scene.end_of(&taken.order_id.unwrap()).await, "completed");
        bed.stop().await;
    });
}

#[test]
fn a_report_that_comes_while_no_worker_runs_has_the_next_worker_ask_at_once() {
    run(async {
        let wanted = Wanted { callbacks: true, worker_processes: Some(vec![Workload::All]), ..Wanted::default() };
        let mut bed = Testbed::start("reports-without-workers", wanted).await;
        let (tenant, order, url) = {
            let scene = Scene::on(&bed);
            let (customer, number) = (scene.customer("A"), number());
            // The target reports nothing by itself.
            let job = Action::AsJob { ms: 0, fails: false, calls_back: false, ask_after_s: Some(SELDOM_S) };
            bed.crm.add_rule(Rule::once(adds(), job));
            let order = scene.submit(&assigned(&customer, &number)).await;
            let call = waits_for_its_job(&scene, &order).await;
            let place = place_of(&scene, &order, call["activity_id"].as_str().unwrap()).await;
            let keys = CallbackKeys::new(vec![CALLBACK_KEY.to_owned()]).unwrap();
            let url = CallbackUrls::new(&bed.platform.gateway_url(), keys).of(&place).unwrap();
            (scene.tenant.clone(), order, url)
        };
        bed.platform.worker_processes.remove(0).kill().await.unwrap();
        assert_eq!(report(&url).await.status(), StatusCode::NO_CONTENT);
        bed.platform.start_worker_process(Workload::All).await.unwrap();
        Scene { bed: &bed, tenant }.completed(&[order]).await;
        assert_eq!(received(&bed.crm, "add_number").len(), 1, "it was sent once");
        bed.stop().await;
    });
}

/// The place in Temporal of an order's call.
async fn place_of(scene: &Scene<'_>, order: &OrderId, activity_id: &str) -> CallPlace {
    let entity = scene.entity(&order.customer());
    let info = entity.described().await.unwrap().workflow_execution_info.unwrap();
    let run_id = info.execution.unwrap().run_id;
    let workflow = WorkflowRun { workflow_id: entity.workflow_id().to_owned(), run_id };
    let namespace = scene.bed.namespace();
    CallPlace { namespace: namespace.to_owned(), workflow: Some(workflow), activity_id: activity_id.to_owned() }
}

#[test]
fn a_job_is_asked_about_until_it_ends_also_by_another_worker_and_its_call_is_sent_once() {
    run(async {
        let wanted = Wanted { worker_processes: Some(vec![Workload::All]), ..Wanted::default() };
        let mut bed = Testbed::start("jobs", wanted).await;
        let (tenant, customer, number, order) = {
            let scene = Scene::on(&bed);
            let (customer, number) = (scene.customer("A"), number());
            bed.crm.add_rule(Rule::once(adds(), as_job(WORKS_MS, None)));
            let order = scene.submit(&assigned(&customer, &number)).await;
            waits_for_its_job(&scene, &order).await;
            (scene.tenant.clone(), customer, number, order)
        };
        bed.platform.worker_processes.remove(0).kill().await.unwrap();
        bed.platform.start_worker_process(Workload::All).await.unwrap();
        {
            let scene = Scene { bed: &bed, tenant };
            scene.completed(&[order]).await;
        }
        assert_eq!(of_account(&bed.crm.log(), &customer.id), [format!("add {number}")]);
        assert_eq!(received(&bed.crm, "add_number").len(), 1, "it was sent once");
        bed.stop().await;
    });
}
