//! An adapter in another language: a Temporal worker in Python serves the CRM's queue, and Interlock's own workers serve the others.

use std::path::Path;
use std::process::Stdio;

use interlock_adapters::TargetSettings;
use interlock_adapters::sandbox::{Action, Applied, Pattern, Received, Rule, Sandbox};
use interlock_observability::metrics::Metrics;
use interlock_worker_pools::{WorkerPool, WorkerPoolOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::applied_log::{of_account, registrations};
use crate::events::{Customer, assigned, service_updated, unassigned};
use crate::python_sdk::{program, python, python_sdk};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_true};

/// The latency of the CRM for the call in which the worker is killed.
const IN_THE_MIDDLE: Action = Action::Delay { ms: 1_500 };

/// Starts the worker, and returns when it serves the CRM's queue.
async fn serve_the_crm(bed: &Testbed, sdk: &Path) -> Child {
    let (script, address, crm) = (program("provision_worker.py"), bed.platform.temporal_address(), bed.crm.base_url());
    let arguments = ["--address", &address, "--target", "crm", "--base-url", &crm, "--max-apply-delay-ms", "2000"];
    let arguments = [&arguments[..], &["--namespace", bed.namespace()]].concat();
    let mut command: Command = python(&[&[script.as_str()], &arguments[..]].concat(), Some(sdk));
    let mut worker = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(worker.stdout.take().unwrap()).lines();
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("serving interlock.provisioning-crm"));
    worker
}

/// How often a call came that adds this number to an account.
fn calls(crm: &Sandbox, number: &str) -> usize {
    let is_such = |received: &&Received| received.operation == "add_number" && received.body.contains(number);
    crm.received().iter().filter(is_such).count()
}

/// How often the CRM was asked whether a call took effect.
fn questions(crm: &Sandbox) -> usize {
    crm.received().iter().filter(|received| received.method == "GET" && received.path.contains("operations")).count()
}

/// Calls that add this number to an account.
fn add(number: &str) -> Pattern {
    Pattern { operation: Some("add_number".to_owned()), body_contains: Some(number.to_owned()), ..Pattern::default() }
}

/// The final states of the targets and the orders.
struct Afterwards {
    /// The orders of one customer, and its numbers. The first number was released again.
    in_order: (Customer, [String; 2]),
    /// An order whose call the CRM refuses permanently.
    refused: Value,
    /// The CRM was busy twice: how often it received the call.
    busy: (Customer, String, usize),
    /// The connection was cut after the effect: how often it received the call.
    cut: (Customer, String, usize),
    /// The worker was killed in the middle of the call: how often the CRM received the call, and how often it was asked about it.
    killed: (Customer, String, usize, usize),
    /// The answer of Interlock's own workers to the request to serve this target.
    not_served: String,
    hss: Vec<Applied>,
    crm: Vec<Applied>,
}

/// Everything happens once, for all tests that check the results. `None` if Python is not available here.
async fn afterwards() -> Option<&'static Afterwards> {
    static AFTERWARDS: OnceCell<Option<Afterwards>> = OnceCell::const_new();
    let told = AFTERWARDS.get_or_init(|| async {
        match python_sdk().await {
            Ok(sdk) => Some(Box::pin(happen(&sdk)).await),
            Err(skipped) => {
                skipped.say();
                None
            }
        }
    });
    told.await.as_ref()
}

async fn happen(sdk: &Path) -> Afterwards {
    let wanted = Wanted { targets: vec![("crm", TargetSettings::external())], ..Wanted::default() };
    let bed = Testbed::start("python-adapter", wanted).await;
    let worker = serve_the_crm(&bed, sdk).await;
    let (in_order, refused, busy, cut) = go_through_python(&bed).await;
    let killed = kill_in_the_middle(&bed, worker, sdk).await;
    let not_served = ask_interlock_to_serve_it(&bed).await;
    let (hss, crm) = (bed.hss.log(), bed.crm.log());
    bed.stop().await;
    Afterwards { in_order, refused, busy, cut, killed, not_served, hss, crm }
}

type Counted = (Customer, String, usize);

/// The worker is not disturbed, but the CRM is.
async fn go_through_python(bed: &Testbed) -> ((Customer, [String; 2]), Value, Counted, Counted) {
    let scene = Scene::on(bed);
    let [ordered, refused, busy, cut] = ["ordered", "refused", "busy", "cut"].map(|name| scene.customer(name));
    let (numbers, [of_refused, of_busy, of_cut]) = ([number(), number()], [number(), number(), number()]);
    let answer = |status, body, retry_after_s| Action::Refuse { status, body, retry_after_s };
    let no = json!({"code": "no_contract", "detail": "There is no contract."});
    bed.crm.add_rule(Rule::always(add(&of_refused), answer(403, no, None)));
    bed.crm.add_rule(Rule::once(add(&of_busy), answer(503, Value::Null, None)));
    bed.crm.add_rule(Rule::once(add(&of_busy), answer(429, Value::Null, Some(1))));
    bed.crm.add_rule(Rule::once(add(&of_cut), Action::FailAfter));

    let held = scene.submit(&assigned(&refused, &of_refused)).await;
    let mut ended = scene.submit_all(&[assigned(&busy, &of_busy), assigned(&cut, &of_cut)]).await;
    let [first, second] = &numbers;
    // The assign has begun, so that the release does not simply overtake it.
    scene.done(&assigned(&ordered, first)).await;
    ended.extend(
        scene
            .submit_all(&[
                service_updated(&ordered, &json!({"roaming_enabled": true})),
                unassigned(&ordered, first),
                assigned(&ordered, second),
            ])
            .await,
    );
    scene.completed(&ended).await;
    let refused = until("a held order", || async { scene.order(&held).await.filter(|order| order["state"] == "held") });
    let refused = refused.await;
    let (busy_times, cut_times) = (calls(&bed.crm, &of_busy), calls(&bed.crm, &of_cut));
    ((ordered, numbers), refused, (busy, of_busy, busy_times), (cut, of_cut, cut_times))
}

/// The worker dies when the CRM has its call and has not answered yet. Another worker takes over.
async fn kill_in_the_middle(bed: &Testbed, mut worker: Child, sdk: &Path) -> (Customer, String, usize, usize) {
    let scene = Scene::on(bed);
    let (customer, number) = (scene.customer("killed"), number());
    let asked_before = questions(&bed.crm);
    bed.crm.add_rule(Rule::once(add(&number), IN_THE_MIDDLE));
    let order = scene.submit(&assigned(&customer, &number)).await;
    until_true("the CRM to have the call", || calls(&bed.crm, &number) == 1).await;
    worker.kill().await.unwrap();
    let mut next = serve_the_crm(bed, sdk).await;
    scene.completed(&[order]).await;
    next.kill().await.unwrap();
    let (times, asked) = (calls(&bed.crm, &number), questions(&bed.crm) - asked_before);
    (customer, number, times, asked)
}

/// The answer of Interlock's own workers if they are told to serve the target anyway.
async fn ask_interlock_to_serve_it(bed: &Testbed) -> String {
    let installation = &bed.platform.installation;
    let everything = WorkerPoolOptions::everything(installation.settings.adapters().unwrap());
    let options = WorkerPoolOptions { targets: vec!["crm".parse().unwrap()], ..everything };
    match WorkerPool::start(installation, &Metrics::start().unwrap(), options).await {
        Ok(pool) => format!("serves {:?}", pool.task_queues()),
        Err(fault) => fault.code.to_string(),
    }
}

#[test]
fn steps_at_an_external_target_are_done_in_order_and_once_by_a_worker_in_python() {
    run(async {
        let Some(Afterwards { in_order: (customer, [first, second]), hss, crm, .. }) = afterwards().await else {
            return;
        };
        let at_the_crm = [
            format!("add {first}"),
            r#"service {"roaming_enabled":true}"#.into(),
            format!("remove {first}"),
            format!("add {second}"),
        ];
        assert_eq!(of_account(crm, &customer.id), at_the_crm);
        let imsi = &customer.imsi;
        assert_eq!(registrations(hss, first), [format!("{imsi}+"), format!("{imsi}-")]);
        assert_eq!(registrations(hss, second), [format!("{imsi}+")]);
    });
}

#[test]
fn a_step_that_the_target_refuses_permanently_is_held_with_the_code_from_python() {
    run(async {
        let Some(Afterwards { refused, .. }) = afterwards().await else { return };
        let waiting = &refused["waiting_for"];
        assert_eq!((&waiting["waits_for"], &waiting["code"]), (&"person".into(), &"no_contract".into()), "{refused:#}");
        assert_eq!(waiting["detail"], "There is no contract.");
    });
}

#[test]
fn a_step_that_the_target_refuses_temporarily_is_retried_until_it_succeeds() {
    run(async {
        let Some(Afterwards { busy: (customer, number, times), crm, .. }) = afterwards().await else { return };
        assert_eq!(of_account(crm, &customer.id), [format!("add {number}")]);
        assert_eq!(*times, 3, "out of service, too busy, done");
    });
}

#[test]
fn a_call_that_was_cut_off_after_its_effect_is_read_back_by_python_and_not_sent_again() {
    run(async {
        let Some(Afterwards { cut: (customer, number, times), crm, .. }) = afterwards().await else { return };
        assert_eq!(of_account(crm, &customer.id), [format!("add {number}")]);
        assert_eq!(*times, 1);
    });
}

#[test]
fn a_call_that_a_worker_in_python_died_in_is_read_back_by_the_next_one_and_not_sent_again() {
    run(async {
        let Some(Afterwards { killed: (customer, number, times, asked), crm, .. }) = afterwards().await else { return };
        assert_eq!(of_account(crm, &customer.id), [format!("add {number}")]);
        assert_eq!((*times, *asked), (1, 1));
    });
}

#[test]
fn interlocks_own_workers_do_not_serve_an_external_target_and_say_so_if_it_is_named() {
    run(async {
        let Some(Afterwards { not_served, .. }) = afterwards().await else { return };
        assert_eq!(not_served, "target_external");
    });
}
