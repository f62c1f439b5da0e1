//! Worker pools are restarted one after the other, as in a deployment, while orders arrive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::sandbox::Knobs;
use interlock_connection::Installation;
use interlock_coordinator::local::{LocalPlatform, WorkerProcess};
use interlock_domain::event::Event;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_operations::inspection::Inspection;
use interlock_settings::{SlotSupply, WorkloadSettings};
use interlock_worker_pools::Workload;
use interlock_workflows::names;
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::applied_log::{of_account, registrations};
use crate::events::{Customer, assigned, unassigned};
use crate::scene::{Scene, number};
use crate::scraped::metrics_at;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_true};

/// The latency of each target: so long that several requests are in flight at any time, and that a pool is seen to wait for its own.
const LATENCY_MS: u64 = 150;
/// Pairs of customers that hand numbers to and fro, all at the same time.
const PAIRS: usize = 4;
/// The time limit of a draining worker.
const GONE_LIMIT: Duration = Duration::from_secs(30);

/// A number that was handed over, from one customer to another.
struct HandedOver {
    number: String,
    from: Customer,
    to: Customer,
}

/// Sends events and waits for their orders, whatever workers run.
struct Load {
    installation: Installation,
    tenant: TenantId,
    enough: AtomicBool,
}

impl Load {
    async fn submit(&self, event: &Value) -> OrderId {
        let read = Event::from_value(event, usize::MAX).unwrap();
        let entities = &self.installation.entities;
        let entity = entities.customer(&self.tenant, &read.subject);
        entities.signal_with_start(&entity, names::SUBMIT, event, &Uuid::new_v4().to_string()).await.unwrap();
        self.installation.catalog.order_id(&self.tenant, &read)
    }

    async fn completed(&self, order: &OrderId) {
        let inspection = Inspection::new(self.installation.clone());
        // While a pool stops, there may be no answer for a moment. If it takes long, the test prints the last answer.
        let completed = || async {
            let state = inspection.order(&self.tenant, order).await.ok()?.state.to_string();
            assert!(
                !["failed", "cancelled", "rejected", "superseded", "held"].contains(&state.as_str()),
                "{order}: {state}"
            );
            (state == "completed").then_some(())
        };
        until(format!("{order} to be completed"), completed).await;
    }

    /// Hands numbers from one customer to the other until the test ends.
    async fn hand_over_numbers(&self, (from, to): &(Customer, Customer)) -> Vec<HandedOver> {
        let mut all = Vec::new();
        while !self.enough.load(Ordering::Relaxed) {
            let number = number();
            self.completed(&self.submit(&assigned(from, &number)).await).await;
            let gets = self.submit(&assigned(to, &number)).await;
            let loses = self.submit(&unassigned(from, &number)).await;
            self.completed(&loses).await;
            self.completed(&gets).await;
            self.completed(&self.submit(&unassigned(to, &number)).await).await;
            all.push(HandedOver { number, from: from.clone(), to: to.clone() });
        }
        all
    }
}

/// The answer of a worker's probe. `None` if it no longer listens.
async fn probe(url: &str, call: &str) -> Option<(StatusCode, String)> {
    let answer =
        reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{url}{call}")).send().await.ok()?;
    Some((answer.status(), answer.text().await.ok()?))
}

async fn until_ready(worker: &WorkerProcess) {
    let url = worker.health_url().unwrap();
    let ready = || async { probe(&url, "/readyz").await.filter(|(status, _)| *status == StatusCode::OK) };
    until("the worker to be ready", ready).await;
}

/// Whether a worker runs an activity: of these tests' workloads, a call to a target takes the longest by far.
async fn calls_in_flight(url: &str) -> bool {
    let text = metrics_at(&format!("{url}/metrics")).await.unwrap_or_default();
    let used = text.lines().filter(|line| {
        line.starts_with("temporal_worker_task_slots_used{") && line.contains("worker_type=\"ActivityWorker\"")
    });
    used.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() > 0.0
}

/// Starts a new pool. When it is ready, drains the oldest one, as in a deployment, while that one calls a target. Returns whether it was
/// seen to report the drain: the call may have ended first.
async fn replace_the_oldest(platform: &mut LocalPlatform) -> bool {
    platform.start_worker_process(Workload::All).await.unwrap();
    until_ready(platform.worker_processes.last().unwrap()).await;
    let mut oldest = platform.worker_processes.remove(0);
    let url = oldest.health_url().unwrap();
    until("a call of the oldest pool", || async { calls_in_flight(&url).await.then_some(()) }).await;
    oldest.ask_to_drain().unwrap();
    let drains = || async {
        let Some((status, said)) = probe(&url, "/readyz").await else { return Some(false) };
        (status == StatusCode::SERVICE_UNAVAILABLE && said.contains("drain")).then_some(true)
    };
    let said_so = until("the worker to drain", drains).await;
    if let Some((_, about)) = probe(&url, "/healthz").await {
        assert_eq!(serde_json::from_str::<Value>(&about).unwrap()["state"], "draining");
    }
    let status = tokio::time::timeout(GONE_LIMIT, oldest.ended()).await.expect("the worker ends in time").unwrap();
    assert!(status.success(), "{status}");
    said_so
}

#[test]
fn a_rolling_restart_of_two_pools_under_load_loses_nothing_doubles_nothing_and_cuts_no_call() {
    run(async {
        let pools = vec![Workload::All, Workload::All];
        let mut bed = Testbed::start("rolling", Wanted { worker_processes: Some(pools), ..Wanted::default() }).await;
        for sandbox in [&bed.hss, &bed.crm] {
            sandbox.set_knobs(Knobs { latency_ms: LATENCY_MS, rules: Vec::new() });
        }
        let handed_over = Box::pin(restart_under_load(&mut bed)).await;
        println!("{} numbers were handed over", handed_over.len());
        assert!(handed_over.len() >= PAIRS);
        judge(&bed, &handed_over);
        bed.stop().await;
    });
}

async fn restart_under_load(bed: &mut Testbed) -> Vec<HandedOver> {
    let scene = Scene::on(bed);
    let pairs: Vec<_> =
        (0..PAIRS).map(|pair| (scene.customer(&format!("from{pair}")), scene.customer(&format!("to{pair}")))).collect();
    let (installation, tenant) = (bed.platform.installation.clone(), scene.tenant.clone());
    let load = Load { installation, tenant, enough: AtomicBool::new(false) };
    drop(scene);
    let (hss, platform) = (&bed.hss, &mut bed.platform);
    let restarts = async {
        for worker in &platform.worker_processes {
            until_ready(worker).await;
        }
        let mut said_so = false;
        for _ in 0..2 {
            let seen = hss.received().len();
            until_true("calls at the HSS", || hss.received().len() > seen + 20).await;
            said_so |= replace_the_oldest(platform).await;
        }
        assert!(said_so, "no worker was seen to drain");
        let seen = hss.received().len();
        until_true("calls at the HSS by the new pools", || hss.received().len() > seen + 20).await;
        load.enough.store(true, Ordering::Relaxed);
    };
    let lines = join_all(pairs.iter().map(|pair| load.hand_over_numbers(pair)));
    let ((), handed_over) = tokio::join!(restarts, lines);
    handed_over.into_iter().flatten().collect()
}

/// Each number had its four owners once each, at both targets, and no connection to a target was cut.
fn judge(bed: &Testbed, handed_over: &[HandedOver]) {
    let (hss, crm) = (bed.hss.log(), bed.crm.log());
    for HandedOver { number, from, to } in handed_over {
        let expected =
            [(from, '+'), (from, '-'), (to, '+'), (to, '-')].map(|(who, what)| format!("{}{what}", who.imsi));
        assert_eq!(registrations(&hss, number), expected);
        for customer in [from, to] {
            let of_number = of_account(&crm, &customer.id).into_iter().filter(|what| what.ends_with(number.as_str()));
            assert_eq!(of_number.collect::<Vec<_>>(), [format!("add {number}"), format!("remove {number}")]);
        }
    }
    for sandbox in [&bed.hss, &bed.crm] {
        let (cut, all) = (sandbox.abandoned(), sandbox.received().len());
        assert_eq!(cut, [""; 0], "of {all} calls to {} these were cut", sandbox.name());
    }
}

#[test]
fn several_workers_of_one_process_serve_one_queue() {
    run(async {
        let wanted = Wanted { workers_per_queue: Some(2), ..Wanted::default() };
        let bed = Testbed::start("two-workers", wanted).await;
        let status = bed.platform.status().unwrap();
        until("both workers' polls", || std::future::ready(status.ready().ok())).await;
        let about = status.about();
        let of = |kind: &str| {
            let queues = about["task_queues"].as_array().unwrap();
            queues.iter().find(|queue| queue["task_queue"].as_str().unwrap().contains(kind)).unwrap()["workers"].clone()
        };
        assert_eq!([of("entity"), of("resource"), of("jobs")], [2, 2, 1]);
        let scene = Scene::on(&bed);
        let customers: Vec<Customer> = (0..8).map(|place| scene.customer(&format!("C{place}"))).collect();
        let mut orders = Vec::new();
        for customer in &customers {
            orders.push(scene.submit(&assigned(customer, &number())).await);
        }
        scene.completed(&orders).await;
        bed.stop().await;
    });
}

#[test]
fn workers_with_slots_by_memory_and_cpu_do_the_same_work() {
    run(async {
        // The machine of a test is busy with other tests. Slots must be available anyway.
        let by_resources = WorkloadSettings {
            slots: Some(SlotSupply::ResourceBased),
            target_memory: Some(1.0),
            target_cpu: Some(1.0),
            ..WorkloadSettings::default()
        };
        let wanted = Wanted {
            settings: Some(Box::new(move |settings| {
                let workers = &mut settings.workers;
                for of in [&mut workers.entity, &mut workers.resource, &mut workers.provisioning, &mut workers.jobs] {
                    *of = by_resources;
                }
            })),
            ..Wanted::default()
        };
        let bed = Testbed::start("slots-by-resources", wanted).await;
        let about = bed.platform.status().unwrap().about();
        let queues = about["task_queues"].as_array().unwrap();
        assert!(queues.iter().all(|queue| queue["slots"].to_string().contains("resource_based")), "{about:#}");
        let scene = Scene::on(&bed);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.done(&unassigned(&a1, &number)).await;
        scene.completed(&[second]).await;
        scene.judge(&[&number]);
        bed.stop().await;
    });
}
