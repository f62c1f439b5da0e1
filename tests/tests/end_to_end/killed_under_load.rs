//! Under load, worker processes are killed, or suspended and resumed, and the server is suspended.
//!
//! A killed process leaves workflow tasks whose local activities ran but which were not recorded. The messages of a suspended process,
//! sent after it is resumed, belong to attempts that were given up. At the end, each order has ended, each number had one customer at a
//! time according to the log of the HSS, and HSS, ledger and customers agree.
//!
//! `INTERLOCK_KILLED_EVENTS=970` uses 20 numbers, and suspends processes for 30 s.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::sandbox::Seed;
use interlock_connection::Installation;
use interlock_coordinator::local::WorkerProcess;
use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use interlock_operations::inspection::Inspection;
use interlock_worker_pools::Workload;
use interlock_workflows::names;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::applied_log::{faults_on, registrations};
use crate::events::{Customer, assigned, unassigned};
use crate::scene::{Scene, imsi, number};
use crate::temporal_calls::{RawEntity, failed_tasks};
use crate::testbed::{Testbed, Wanted, run_large};

/// The default number of events.
const EVENTS_USUAL: usize = 48;
/// How many numbers share their customers.
const CUSTOMERS_OF_PAIR: usize = 4;
/// How many customers wait for a number in addition to the one that has it.
const WAITING: usize = 2;
/// The pause between two disturbances.
const PAUSE: Duration = Duration::from_millis(2_500);
/// The pause between two checks of an order.
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// The time limit of an order after the disturbances have ended. Before that, there is no limit.
const END_LIMIT: Duration = Duration::from_mins(2);
/// How long the server is suspended.
const SERVER_PAUSED_FOR: Duration = Duration::from_secs(8);
/// How long an entity may take to answer when a number is stuck.
const ASK_LIMIT: Duration = Duration::from_secs(20);
/// How many of a run's last events are printed for a stuck number.
const LAST_EVENTS: usize = 40;
/// How many of the last lines of a worker's log are printed then.
const LAST_LOG_LINES: usize = 12;
/// The workloads whose processes are disturbed, in turn. Entities are disturbed most often.
const DISTURBED: [Workload; 6] = [
    Workload::Resource,
    Workload::Entity,
    Workload::Provisioning,
    Workload::Resource,
    Workload::Entity,
    Workload::Jobs,
];

/// In one of this many rounds, a process is suspended instead of killed.
const STOPPED_EVERY: usize = 5;

/// The size of the test.
#[derive(Debug, Clone, Copy)]
struct Size {
    numbers: usize,
    turns: usize,
    /// How long a process is suspended: longer than the workflow task time-out of 10 s.
    stopped_for: Duration,
}

fn size() -> Size {
    let events = std::env::var("INTERLOCK_KILLED_EVENTS").map(|events| events.parse().expect("a number of events"));
    let events: usize = events.unwrap_or(EVENTS_USUAL);
    let numbers = (events / 48).clamp(4, 20);
    let stopped_for = Duration::from_secs(if events > 200 { 30 } else { 12 });
    Size { numbers, turns: events.div_ceil(2 * numbers), stopped_for }
}

/// Sends events and waits for their orders, whatever workers run.
struct Load {
    installation: Installation,
    tenant: TenantId,
    /// Since when there are no disturbances. `None` while there are.
    calm_since: watch::Receiver<Option<Instant>>,
}

/// A number, and the customers that have it in turn, each with a SIM for it.
struct Line {
    number: String,
    customers: Vec<Customer>,
}

impl Load {
    /// Sends an event, and retries until it is accepted, since the server may be suspended.
    async fn submit(&self, event: &Value) -> OrderId {
        let read = Event::from_value(event, usize::MAX).unwrap();
        let entities = &self.installation.entities;
        let entity = entities.customer(&self.tenant, &read.subject);
        let request_id = Uuid::new_v4().to_string();
        while entities.signal_with_start(&entity, names::SUBMIT, event, &request_id).await.is_err() {
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        self.installation.catalog.order_id(&self.tenant, &read)
    }

    /// Whether an order is completed.
    ///
    /// # Errors
    /// The order's view, if it ends differently, or does not end in time since the first check.
    async fn is_completed(&self, order: &OrderId, waits_since: Instant) -> Result<bool, String> {
        let shown = Inspection::new(self.installation.clone()).order(&self.tenant, order).await;
        match shown.as_ref().ok().map(|shown| shown.state.as_str()) {
            Some("completed") => return Ok(true),
            Some("failed" | "cancelled" | "rejected" | "superseded" | "held" | "partial") => {
                return Err(format!("{order}: {shown:?}"));
            }
            _ => {}
        }
        if self.calm_since.borrow().is_some_and(|since| since.max(waits_since).elapsed() > END_LIMIT) {
            return Err(format!("{order} does not end: {shown:?}"));
        }
        Ok(false)
    }

    /// Waits until one of these orders is completed, and returns it.
    async fn first_completed(&self, orders: &[OrderId]) -> Result<usize, String> {
        let waits_since = Instant::now();
        loop {
            for (at, order) in orders.iter().enumerate() {
                if self.is_completed(order, waits_since).await? {
                    return Ok(at);
                }
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// A number is handed on from customer to customer. The last one keeps it and is returned. The test does not prescribe which
    /// waiting customer is next: a customer whose entity was slow claims later.
    async fn pass_around<'a>(&self, line: &'a Line, turns: usize) -> Result<&'a Customer, String> {
        let all: Vec<&Customer> = line.customers.iter().cycle().take(turns).collect();
        let mut next = all.into_iter().peekable();
        let (mut assigns, mut waiting, mut releases) = (Vec::new(), Vec::<&Customer>::new(), Vec::new());
        loop {
            // A customer waits only once at a time, since its release would end its other order.
            while assigns.len() <= WAITING
                && let Some(customer) = next.next_if(|customer| !waiting.contains(customer))
            {
                assigns.push(self.submit(&assigned(customer, &line.number)).await);
                waiting.push(customer);
            }
            let first = self.first_completed(&assigns).await?;
            assigns.remove(first);
            let has_it = waiting.remove(first);
            if assigns.is_empty() && next.len() == 0 {
                for release in releases {
                    self.first_completed(&[release]).await?;
                }
                return Ok(has_it);
            }
            releases.push(self.submit(&unassigned(has_it, &line.number)).await);
        }
    }
}

/// Numbers with four customers for every two: each customer has a SIM for each of the two numbers.
fn lines(scene: &Scene<'_>, numbers: usize) -> Vec<Line> {
    let pairs = numbers.div_ceil(2);
    let customers: Vec<Vec<Customer>> = (0..pairs)
        .map(|pair| (0..CUSTOMERS_OF_PAIR).map(|at| Scene::newcomer(&format!("c{pair}-{at}"))).collect())
        .collect();
    let with_sim = |customer: &Customer| {
        let customer = Customer { imsi: imsi(), ..customer.clone() };
        scene.bed.hss.seed(&[Seed { imsi: customer.imsi.clone(), ..Seed::default() }]).unwrap();
        customer
    };
    let line = |at: usize| Line { number: number(), customers: customers[at / 2].iter().map(with_sim).collect() };
    (0..numbers).map(line).collect()
}

fn send_signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// Kills and suspends workers in turn, and suspends the server from time to time, until the load ends. Returns how often each was done.
async fn disturb(bed: &mut Testbed, size: Size, mut is_over: watch::Receiver<bool>) -> BTreeMap<String, usize> {
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    let mut stopped: Vec<(u32, Instant)> = Vec::new();
    for round in 0.. {
        let over = tokio::time::timeout(PAUSE, is_over.wait_for(|is_over| *is_over)).await.is_ok();
        let now = Instant::now();
        stopped.retain(|(pid, since)| {
            let is_to_stay = !over && now.duration_since(*since) < size.stopped_for;
            if !is_to_stay {
                send_signal(*pid, Signal::SIGCONT);
            }
            is_to_stay
        });
        if over {
            break;
        }
        // Only an embedded server is this process's to suspend.
        if round % 7 == 6
            && let Some(server) = bed.platform.server.embedded()
        {
            let server = server.pid().unwrap();
            send_signal(server, Signal::SIGSTOP);
            tokio::time::sleep(SERVER_PAUSED_FOR).await;
            send_signal(server, Signal::SIGCONT);
            *done.entry("server paused".to_owned()).or_default() += 1;
            continue;
        }
        let workload = DISTURBED[round % DISTURBED.len()];
        let is_stopped = |pid: u32| stopped.iter().any(|(other, _)| *other == pid);
        let mut runs = bed.platform.worker_processes.iter();
        let Some(at) = runs.position(|process| process.workload() == workload && !is_stopped(process.pid())) else {
            continue;
        };
        // At most two are suspended at a time, and others take over. Every workload has its turn, since five and six have no common
        // factor.
        if round % STOPPED_EVERY == 2 && stopped.len() < 2 {
            let pid = bed.platform.worker_processes[at].pid();
            send_signal(pid, Signal::SIGSTOP);
            stopped.push((pid, Instant::now()));
            *done.entry(format!("{} stopped", workload.as_str())).or_default() += 1;
        } else {
            bed.platform.worker_processes.remove(at).kill().await.unwrap();
            *done.entry(format!("{} killed", workload.as_str())).or_default() += 1;
        }
        // A resumed process serves the queue like a new one.
        let runs = |process: &WorkerProcess| {
            process.workload() == workload && !stopped.iter().any(|(pid, _)| *pid == process.pid())
        };
        if !bed.platform.worker_processes.iter().any(runs) {
            bed.platform.start_worker_process(workload).await.unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
    done
}

/// The states of a number's ledger, the HSS and the customers if they do not agree that this customer has it. `None` if they agree.
async fn disagreement(scene: &Scene<'_>, line: &Line, last: &Customer) -> Option<String> {
    let ledger = scene.number_state(&line.number).await?;
    let resource: ResourceId = format!("msisdn/{}", line.number).parse().unwrap();
    let mut leases = Vec::new();
    for customer in &line.customers {
        let state = match state_or_run(scene, customer).await {
            Ok(state) => state,
            Err(fault) => return Some(format!("{} does not say how it is: {fault}", customer.id)),
        };
        let of_number = state["leases"].as_array().into_iter().flatten().cloned();
        let of_number = of_number.filter(|lease| lease["resource"] == resource.to_string());
        leases.extend(of_number.map(|lease| (customer.id.clone(), lease["epoch"].clone())));
        if state["orders"].as_array().is_some_and(|orders| !orders.is_empty()) {
            return Some(format!("{} has open orders: {:#}", customer.id, state["orders"]));
        }
    }
    let at_hss = registrations(&scene.bed.hss.log(), &line.number);
    let (holder, epoch) = (&ledger["holder"]["customer_id"], &ledger["holder"]["epoch"]);
    let agree = *holder == *last.id
        && ledger["queue"] == serde_json::json!([])
        && leases == [(last.id.clone(), epoch.clone())]
        && at_hss.last() == Some(&format!("{}+", last.imsi));
    (!agree).then(|| format!("{}: leases {leases:?}, HSS {at_hss:?}, ledger {ledger:#}", line.number))
}

/// A description of an entity's run for finding out why it is stuck: its workflow task, its activities, why tasks failed, and the
/// last events.
async fn run_of(entity: &RawEntity) -> String {
    let Some(described) = entity.described().await else { return "not described".to_owned() };
    let history = entity.history("").await;
    let last = &history[history.len().saturating_sub(LAST_EVENTS)..];
    let last = last.iter().map(|event| {
        let at = event.event_time.map_or(0, |time| time.seconds);
        format!("{} {at} {:?}", event.event_id, event.attributes)
    });
    let last: Vec<String> = last.collect();
    format!(
        "task {:?}, activities {:?}, failed tasks {:?}, last events\n{}",
        described.pending_workflow_task,
        described.pending_activities,
        failed_tasks(&history),
        last.join("\n")
    )
}

/// The state of a customer. If it does not answer in time, a description of its run.
async fn state_or_run(scene: &Scene<'_>, customer: &Customer) -> Result<Value, String> {
    let id: CustomerId = customer.id.parse().unwrap();
    let asked = scene.bed.platform.customer(&scene.tenant, &id);
    let fault = match tokio::time::timeout(ASK_LIMIT, asked).await {
        Ok(Ok(state)) => return Ok(state),
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => format!("no answer within {} s", ASK_LIMIT.as_secs()),
    };
    Err(format!("{fault}; {}", run_of(&scene.entity(&id)).await))
}

/// The states of a stuck number's ledger, the HSS and the customers.
async fn what_is_stuck(scene: &Scene<'_>, line: &Line) -> String {
    let resource: ResourceId = format!("msisdn/{}", line.number).parse().unwrap();
    let asked = scene.bed.platform.resource(&scene.tenant, &resource);
    let ledger = match tokio::time::timeout(ASK_LIMIT, asked).await {
        Ok(Ok(ledger)) => format!("{ledger:#}"),
        not_said => format!("{not_said:?}"),
    };
    let resource = resource.to_string();
    let mut customers = Vec::new();
    for customer in &line.customers {
        let of_number = |list: &Value, field: &str| -> Vec<Value> {
            let entries = list.as_array().into_iter().flatten();
            entries.filter(|entry| entry[field].to_string().contains(&resource)).cloned().collect()
        };
        let said = match state_or_run(scene, customer).await {
            Err(fault) => fault,
            Ok(state) => {
                let (leases, orders) = (of_number(&state["leases"], "resource"), of_number(&state["orders"], "claims"));
                let journal = of_number(&state["journal"], "claims");
                let run = run_of(&scene.entity(&customer.id.parse().unwrap())).await;
                format!("leases {leases:?}, orders {orders:?}, journal {journal:?}; {run}")
            }
        };
        customers.push(format!("{} ({}): {said}", customer.id, customer.imsi));
    }
    let requests: Vec<String> = scene
        .bed
        .hss
        .log()
        .iter()
        .map(|applied| format!("{applied:?}"))
        .filter(|applied| applied.contains(&line.number))
        .collect();
    let run = run_of(&scene.number_entity(&line.number)).await;
    format!("{resource} is stuck: ledger {ledger}\n{run}\n{}\nHSS\n{}", customers.join("\n"), requests.join("\n"))
}

/// The worker processes, each with its process state and the last lines of its log.
fn workers(bed: &Testbed) -> String {
    let shown = bed.platform.worker_processes.iter().map(|process| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').next()).unwrap_or("gone").to_owned();
        let log = process.log_text();
        let last: Vec<&str> = log.lines().rev().take(LAST_LOG_LINES).collect();
        format!("{} {} {state}\n  {}", process.workload().as_str(), process.pid(), last.join("\n  "))
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// The faults at the end. `last` are the customers that should have kept the numbers, as far as known.
async fn judge(scene: &Scene<'_>, lines: &[Line], last: &[Result<&Customer, String>]) -> Vec<String> {
    let numbers: Vec<&str> = lines.iter().map(|line| line.number.as_str()).collect();
    let mut faults: Vec<String> = faults_on(&scene.bed.hss.log(), &numbers).iter().map(ToString::to_string).collect();
    for (line, last) in lines.iter().zip(last) {
        let Ok(last) = last else {
            faults.push(what_is_stuck(scene, line).await);
            continue;
        };
        let began = Instant::now();
        let mut differs = disagreement(scene, line, last).await;
        while differs.is_some() && began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(LOOK_PAUSE).await;
            differs = disagreement(scene, line, last).await;
        }
        faults.extend(differs);
    }
    faults
}

#[test]
fn every_order_ends_and_one_customer_has_each_number_although_workers_die_and_stop_under_load() {
    run_large(async {
        let workloads = vec![Workload::Entity, Workload::Resource, Workload::Provisioning, Workload::Jobs];
        let wanted = Wanted { worker_processes: Some(workloads), ..Wanted::default() };
        let mut bed = Testbed::start("killed-under-load", wanted).await;
        let size = size();
        let (tenant, lines) = {
            let scene = Scene::on(&bed);
            let lines = lines(&scene, size.numbers);
            (scene.tenant, lines)
        };
        let (calm, calm_since) = watch::channel(None);
        let (over, is_over) = watch::channel(false);
        let load = Load { installation: bed.platform.installation.clone(), tenant: tenant.clone(), calm_since };
        let began = Instant::now();
        let disturbing = async {
            let done = Box::pin(disturb(&mut bed, size, is_over)).await;
            calm.send_replace(Some(Instant::now()));
            done
        };
        let passing = async {
            let all = lines.iter().map(|line| load.pass_around(line, size.turns));
            // The disturbances have ended for this long, so a number that is still stuck would be stuck for ever.
            let limit = Duration::from_secs(60 + 20 * u64::try_from(size.turns).unwrap());
            let stop = async {
                tokio::time::sleep(limit).await;
                over.send_replace(true);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                ended = join_all(all) => ended,
                () = stop => unreachable!("it never ends"),
            }
        };
        let passing = async {
            let ended = passing.await;
            over.send_replace(true);
            ended
        };
        let (done, ended) = tokio::join!(disturbing, passing);
        let scene = Scene { bed: &bed, tenant };
        let mut faults: Vec<String> = ended.iter().filter_map(|ended| ended.clone().err()).collect();
        let stuck = faults.len();
        faults.extend(judge(&scene, &lines, &ended).await);
        if stuck > 0 {
            println!("{}", workers(&bed));
        }
        println!("{size:?}: {done:?} in {} s; {stuck} numbers stuck", began.elapsed().as_secs());
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        bed.stop().await;
    });
}
