//! The limits hold: however many events arrive for one customer, and whatever process dies meanwhile, each event ends in exactly one
//! final state, and no entity is stuck.
//!
//! The number of events is the one that the documented limits are about. `INTERLOCK_LIMIT_EVENTS=1200` sends fewer, and scales the
//! limits and the pauses between the deaths accordingly.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use interlock_adapters::sandbox::{Action, Applied, Effect, Knobs, Pattern, Rule, Sandbox};
use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::limits::EntityLimits;
use interlock_operations::ingest::Ingest;
use interlock_worker_pools::Workload;
use interlock_workflows::names;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::{HistoryEvent, history_event::Attributes};

use crate::events::{Customer, event};
use crate::scene::Scene;
use crate::temporal_calls::{RawEntity, event_types, failed_tasks, json_payload};
use crate::testbed::{Testbed, Wanted, run_large};
use crate::waiting::{until, until_within};

/// The number of events that the documented limits are about.
const EVENTS_STATED: usize = 12_000;
/// The most signals that the server accepts for one run.
const SIGNALS_MAX: usize = 10_000;
/// The number of concurrent senders.
const SENT_AT_A_TIME: usize = 16;
/// The pause between the deaths of workers, for [`EVENTS_STATED`] events.
const BETWEEN_DEATHS: Duration = Duration::from_secs(20);
/// The cause if the server itself fails a workflow task, which is then retried: more than 100 signals arrived during it.
const TOO_MUCH_CAME_IN: &str = "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND";
/// The least number of workers to kill.
const DEATHS_MIN: usize = 4;
/// The time limit for all accepted events to end: much longer than needed.
const END_LIMIT: Duration = Duration::from_mins(10);

/// One step, so that the log of applied changes shows which events took effect, and how often.
const ONE_STEP: &str = r#"
[events."account.tuned"]
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", settings = "{settings}" } }]
[events."account.tuned".data]
required = ["settings"]
properties.settings = { type = "object" }
"#;

fn events_wanted() -> usize {
    std::env::var("INTERLOCK_LIMIT_EVENTS").map_or(EVENTS_STATED, |events| events.parse().expect("a number of events"))
}

fn tuned(customer: &Customer, value: usize) -> Value {
    event("account.tuned", &customer.id, &json!({"settings": {"value": value}}))
}

/// The values that an account got at the CRM, in order.
fn values(log: &[Applied], account: &str) -> Vec<usize> {
    let of_account = log.iter().filter_map(|entry| match &entry.effect {
        Effect::ServiceUpdated { of, settings } if of == account => {
            settings.get("value").and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok())
        }
        _ => None,
    });
    of_account.collect()
}

/// Sends this many events, and retries each until it is accepted, whatever dies meanwhile.
async fn send_all(ingest: &Ingest, tenant: &TenantId, customer: &Customer, events: usize, sent: &AtomicUsize) {
    let send = |value| async move {
        let event = tuned(customer, value);
        loop {
            let result = ingest.one(tenant, event.clone()).await;
            let result = serde_json::to_value(&result).unwrap();
            match result["status"].as_str() {
                Some("accepted") => break,
                // As a producer does that is told to send it again.
                Some("unknown") => tokio::time::sleep(Duration::from_millis(200)).await,
                _ => assert_eq!(result["code"], "temporal_unavailable", "{result}"),
            }
        }
        sent.fetch_add(1, Ordering::Relaxed);
    };
    // The first event was sent.
    stream::iter((1..events).map(send)).buffer_unordered(SENT_AT_A_TIME).collect::<Vec<()>>().await;
}

/// The highest attempt of a workflow task in a history.
fn attempt_max(history: &[HistoryEvent]) -> i32 {
    let attempts = history.iter().filter_map(|event| match event.attributes.as_ref()? {
        Attributes::WorkflowTaskScheduledEventAttributes(scheduled) => Some(scheduled.attempt),
        _ => None,
    });
    attempts.max().unwrap_or(0)
}

/// How many signals arrived in one run.
fn signals(history: &[HistoryEvent]) -> usize {
    event_types(history).into_iter().filter(|of| *of == EventType::WorkflowExecutionSignaled).count()
}

/// Kills the workers repeatedly, and restarts the server after a third and after two thirds of the events were sent.
async fn kill_meanwhile(bed: &mut Testbed, events: usize, sent: &AtomicUsize, is_over: &AtomicBool) -> usize {
    let share = u32::try_from(events.min(EVENTS_STATED)).unwrap();
    let pause = (BETWEEN_DEATHS * share / u32::try_from(EVENTS_STATED).unwrap()).max(Duration::from_secs(3));
    let mut deaths = 0;
    let mut restarts = 0;
    while !is_over.load(Ordering::Relaxed) || restarts < 2 || deaths < DEATHS_MIN {
        tokio::time::sleep(pause).await;
        bed.platform.worker_processes.remove(0).kill().await.unwrap();
        deaths += 1;
        if restarts < 2 && sent.load(Ordering::Relaxed) >= events * (restarts + 1) / 3 {
            bed.platform.server.embedded().unwrap().kill().await.unwrap();
            bed.platform.server.embedded().unwrap().restart().await.unwrap();
            restarts += 1;
        }
        bed.platform.start_worker_process(Workload::All).await.unwrap();
    }
    deaths
}

fn goes_down(sandbox: &Sandbox) {
    let refuse = Action::Refuse { status: 503, body: Value::Null, retry_after_s: None };
    sandbox.add_rule(Rule::always(Pattern::default(), refuse));
}

/// The state of a customer. `None` while no worker answers, which takes a while after a death.
async fn state_of(scene: &Scene<'_>, customer: &Customer) -> Option<Value> {
    scene.bed.platform.customer(&scene.tenant, &customer.id.parse().unwrap()).await.ok()
}

/// A customer's counts, as soon as it has received this many events.
async fn counts_after(scene: &Scene<'_>, customer: &Customer, events: usize) -> Value {
    until_within(END_LIMIT, format!("{events} events to be taken in"), || async {
        let counts = state_of(scene, customer).await?["counts"].clone();
        (counts["accepted"].as_u64()? == events as u64).then_some(counts)
    })
    .await
}

/// A customer's counts, as soon as it has no open order.
async fn counts_at_the_end(scene: &Scene<'_>, customer: &Customer) -> Value {
    until_within(END_LIMIT, "all orders to end", || async {
        let state = state_of(scene, customer).await?;
        state["orders"].as_array()?.is_empty().then(|| state["counts"].clone())
    })
    .await
}

fn count(counts: &Value, name: &str) -> usize {
    counts[name].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_else(|| panic!("{counts}: no {name}"))
}

/// Checks that each run ended in time, and that none of its tasks was retried too often.
async fn check_runs(entity: &RawEntity) {
    let runs = entity.runs().await;
    let longest = runs.iter().map(Vec::len).max().unwrap();
    let attempts = runs.iter().map(|run| attempt_max(run)).max().unwrap();
    let signals = runs.iter().map(|run| signals(run)).max().unwrap();
    let again: usize = runs.iter().map(|run| failed_tasks(run).len()).sum();
    println!(
        "{} runs, the longest of {longest} events, the most signals in one {signals}; no task was tried more than {attempts} \
         times, {again} had to be done again",
        runs.len()
    );
    assert!(attempts < 4, "a workflow task was tried {attempts} times");
    for run in &runs {
        let failed: Vec<String> =
            failed_tasks(run).into_iter().filter(|task| !task.starts_with(TOO_MUCH_CAME_IN)).collect();
        assert_eq!(failed, [""; 0]);
    }
}

#[test]
fn every_event_of_a_flood_ends_once_although_the_target_is_down_workers_die_and_the_server_restarts_on_an_embedded_server()
 {
    run_large(async {
        let events = events_wanted();
        let limits = EntityLimits {
            continue_as_new_events: 50,
            continue_as_new_events_forced: 200,
            open_orders_max: events / 12,
            ..EntityLimits::default()
        };
        let directory = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            limits,
            db_file: Some(directory.path().join("temporal.sqlite")),
            worker_processes: Some(vec![Workload::All]),
            more_events: ONE_STEP.to_owned(),
            ..Wanted::default()
        };
        let mut bed = Testbed::start("limits-flood", wanted).await;
        Box::pin(flood(&mut bed, events, limits)).await;
        bed.stop().await;
    });
}

async fn flood(bed: &mut Testbed, events: usize, limits: EntityLimits) {
    let (tenant, customer) = (Scene::on(bed).tenant, Scene::newcomer("flooded"));
    goes_down(&bed.crm);
    {
        // An entity learns its limits with its first admission. Until then it uses the defaults.
        let scene = Scene { bed, tenant: tenant.clone() };
        let first = scene.submit(&tuned(&customer, 0)).await;
        until("the first order to have begun", || async {
            (scene.order(&first).await?["state"] == "inProgress").then_some(())
        })
        .await;
    }
    let ingest = Ingest::new(bed.platform.installation.clone());
    let (sent, is_over) = (AtomicUsize::new(1), AtomicBool::new(false));
    let sending = async {
        send_all(&ingest, &tenant, &customer, events, &sent).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let ((), deaths) = tokio::join!(sending, kill_meanwhile(bed, events, &sent, &is_over));
    let scene = Scene { bed, tenant };
    let counts = counts_after(&scene, &customer, events).await;
    println!("{events} events, {deaths} deaths of workers, 2 of the server: {counts}");
    // Events above the limit ended at once, and have a reason.
    let rejected = count(&counts, "backlog_full");
    assert_eq!((count(&counts, "ended"), count(&counts, "rejected")), (0, rejected));
    assert_eq!(events - rejected, limits.open_orders_max);
    let state = until_within(END_LIMIT, "the customer's state", || state_of(&scene, &customer)).await;
    let last = state["journal"].as_array().and_then(|journal| journal.last()).unwrap();
    assert_eq!((&last["what"], &last["code"]), (&"rejected".into(), &"backlog_full".into()));
    assert_eq!(values(&bed.crm.log(), &customer.id), [0; 0]);

    bed.crm.set_knobs(Knobs::default());
    let counts = counts_at_the_end(&scene, &customer).await;
    println!("in the end: {counts}");
    assert_eq!(count(&counts, "ended") + count(&counts, "rejected"), events);
    assert_eq!(count(&counts, "rejected"), rejected);
    let values = values(&bed.crm.log(), &customer.id);
    let different: BTreeSet<usize> = values.iter().copied().collect();
    assert_eq!((values.len(), different.len()), (limits.open_orders_max, limits.open_orders_max));
    check_runs(&scene.entity(&customer.id.parse().unwrap())).await;
}

#[test]
fn events_that_arrive_while_no_worker_runs_are_kept_and_end_once_workers_run_on_an_embedded_server() {
    run_large(async {
        let events = events_wanted().min(SIGNALS_MAX);
        let directory = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            db_file: Some(directory.path().join("temporal.sqlite")),
            worker_processes: Some(Vec::new()),
            more_events: ONE_STEP.to_owned(),
            ..Wanted::default()
        };
        let mut bed = Testbed::start("limits-nobody", wanted).await;
        Box::pin(nobody_works(&mut bed, events)).await;
        bed.stop().await;
    });
}

async fn nobody_works(bed: &mut Testbed, events: usize) {
    let (tenant, customer) = (Scene::on(bed).tenant, Scene::newcomer("unattended"));
    let id: CustomerId = customer.id.parse().unwrap();
    let entity = Scene { bed, tenant: tenant.clone() }.entity(&id);
    let start = json!({"tenant_id": tenant, "entity_id": customer.id}).to_string();
    let signal = |value| {
        let (entity, start, event) = (&entity, start.clone(), tuned(&customer, value).to_string());
        async move {
            entity.signal_with_start(vec![json_payload(start)], names::SUBMIT, vec![json_payload(event)]).await;
        }
    };
    stream::iter((0..events).map(signal)).buffer_unordered(SENT_AT_A_TIME).collect::<Vec<()>>().await;
    // Above the server's limit, the producer gets an error.
    if events == SIGNALS_MAX {
        let one_more = tuned(&customer, events).to_string();
        let refused = entity.try_to_signal(names::SUBMIT, vec![json_payload(one_more)]).await;
        assert!(refused.is_err(), "the server takes more than {SIGNALS_MAX} signals");
    }
    bed.platform.start_worker_process(Workload::All).await.unwrap();
    let scene = Scene { bed, tenant };
    counts_after(&scene, &customer, events).await;
    let counts = counts_at_the_end(&scene, &customer).await;
    println!("{events} events that came while nobody worked: {counts}");
    let rejected = count(&counts, "backlog_full");
    assert_eq!((count(&counts, "ended"), count(&counts, "rejected")), (events - rejected, rejected));
    assert!(rejected == 0 || events > EntityLimits::default().open_orders_max, "{counts}");
    let values = values(&bed.crm.log(), &customer.id);
    let different: BTreeSet<usize> = values.iter().copied().collect();
    assert_eq!((values.len(), different.len()), (events - rejected, events - rejected));
    check_runs(&entity).await;
}
