//! The entity of a target on a real server: when maintenance stops calls, which reports it believes, and what happens if somebody
//! terminates it, or if its run becomes long.

use std::time::Duration;

use interlock_adapters::{MaintenanceSettings, TargetSettings};
use interlock_domain::limits::EntityLimits;
use interlock_domain::target_entity::Rate;
use interlock_worker_pools::Workload;
use interlock_workflows::{Sweep, TargetEntity, names};
use serde_json::{Value, json};

use crate::command::{done, interlock};
use crate::outage::{
    all_wait, asked, bed, comes_back, goes_down, standing, times_ms, tuned, until_it_is, wanted, watched,
};
use crate::replayed::replays;
use crate::scene::Scene;
use crate::temporal_calls::{RawEntity, completed_histories, failed_tasks};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// How long each maintenance window of the test lasts.
const WINDOW: Duration = Duration::from_secs(5);
/// The time from the start of one window to the start of the next.
const EVERY: Duration = Duration::from_secs(14);

fn entity_of(bed: &Testbed, target: &str) -> RawEntity {
    RawEntity::new(&bed.platform, bed.platform.installation.routing.target(&target.parse().unwrap()))
}

/// How often an entry is in a target's history.
fn times(view: &Value, what: &str) -> usize {
    view["history"].as_array().unwrap().iter().filter(|line| line["what"] == what).count()
}

fn ms(at: &Value) -> i64 {
    chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap()).unwrap().timestamp_millis()
}

fn often_in_maintenance(target: &str, settings: &mut TargetSettings) {
    watched(target, settings);
    if target == "hss" {
        settings.outage.ramp_stage = Duration::from_millis(200);
        settings.outage.ramp_top = Rate::per_second(1);
        settings.maintenance = vec![MaintenanceSettings {
            begins: chrono::Utc::now() + Duration::from_secs(3),
            lasts: WINDOW,
            every: Some(EVERY),
            reason: "backup".to_owned(),
        }];
    }
}

#[test]
fn a_target_is_not_called_during_a_maintenance_window_and_is_called_after_it() {
    run(async {
        let bed = bed("target-maintenance", often_in_maintenance).await;
        let scene = Scene::on(&bed);
        let customer = scene.customer("A");
        // An order that arrived while a window had some time left.
        let (order, end_ms, asked_before) = until("an order in a window", || async {
            let left_ms = |view: &Value| ms(&view["until"]) - chrono::Utc::now().timestamp_millis();
            let is_in = |view: &Value| view["state"] == "maintenance" && view["limit"] == 0.0;
            standing(&bed, "hss").await.filter(|view| is_in(view) && left_ms(view) > 3_000)?;
            let asked_before = asked(&bed.hss).0;
            let order = scene.submit(&tuned("line.tuned", &customer, 1)).await;
            let view = standing(&bed, "hss").await.filter(|view| is_in(view) && left_ms(view) > 500)?;
            Some((order, ms(&view["until"]), asked_before))
        })
        .await;
        scene.completed(&[order]).await;
        let applied = times_ms(&bed.hss.log());
        assert_eq!((asked_before, applied.len()), (0, 1));
        assert!(applied[0] >= end_ms, "it was called {} ms before the window was over", end_ms - applied[0]);
        let view = until_it_is(&bed, "hss", "closed").await;
        assert_eq!(view["limit"], Value::Null);
        assert!(view["next_maintenance_at"].is_string(), "{view:#}");
        assert!(times(&view, "maintenance") >= 1 && times(&view, "maintenance_over") >= 1, "{view:#}");
        let backup = view["history"].as_array().unwrap().iter().find(|line| line["what"] == "maintenance").unwrap();
        assert_eq!(backup["detail"], "backup");
        // No process found it down: this is not an outage.
        assert_eq!(times(&view, "opened"), 0, "{view:#}");
        bed.stop().await;
    });
}

fn found_down_by_two(target: &str, settings: &mut TargetSettings) {
    watched(target, settings);
    settings.outage.processes = 2;
}

#[test]
fn a_target_counts_as_down_once_the_configured_number_of_worker_processes_report_it() {
    run(async {
        let worker_processes = Some(vec![Workload::All]);
        let mut bed = Testbed::start("target-agreed", Wanted { worker_processes, ..wanted(found_down_by_two) }).await;
        until_it_is(&bed, "hss", "closed").await;
        goes_down(&bed.hss);
        let orders = {
            let scene = Scene::on(&bed);
            let tenant = scene.tenant.clone();
            (all_wait(&scene, 100).await.1, tenant)
        };
        let breakers = |view: &Value| view["breakers"].as_array().map_or(0, Vec::len);
        until("the one process to find it down", || async {
            standing(&bed, "hss").await.filter(|view| breakers(view) == 1)
        })
        .await;
        // It keeps trying, and no other process has to believe it.
        let tried = asked(&bed.hss).0;
        until("another try", || async { (asked(&bed.hss).0 > tried + 1).then_some(()) }).await;
        let view = standing(&bed, "hss").await.unwrap();
        assert_eq!((&view["state"], breakers(&view)), (&json!("closed"), 1), "{view:#}");

        bed.platform.start_worker_process(Workload::Provisioning).await.unwrap();
        let view = until_it_is(&bed, "hss", "open").await;
        assert_eq!((breakers(&view), times(&view, "opened")), (2, 1), "one decision of two processes: {view:#}");
        let processes: Vec<&Value> = view["breakers"].as_array().unwrap().iter().map(|one| &one["process"]).collect();
        assert_ne!(processes[0], processes[1]);
        assert_eq!(view["limit"], 0.0);

        comes_back(&bed.hss);
        let view = until_it_is(&bed, "hss", "closed").await;
        assert_eq!((breakers(&view), times(&view, "opened")), (0, 1), "{view:#}");
        Scene { bed: &bed, tenant: orders.1 }.completed(&orders.0).await;
        bed.stop().await;
    });
}

#[test]
fn a_target_entity_that_was_terminated_while_its_queue_was_stopped_is_restarted_by_the_sweep() {
    run(async {
        let bed = bed("target-terminated", watched).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        goes_down(&bed.hss);
        let (_, orders) = all_wait(&scene, 10).await;
        until_it_is(&bed, "hss", "open").await;
        entity_of(&bed, "hss").terminate().await;
        comes_back(&bed.hss);
        let view = until_it_is(&bed, "hss", "closed").await;
        assert_eq!((&view["limit"], times(&view, "began")), (&Value::Null, 1), "{view:#}");
        scene.completed(&orders).await;
        bed.stop().await;
    });
}

#[test]
fn a_target_entity_that_was_terminated_is_restarted_although_waiting_orders_cannot_be_listed_on_an_embedded_server() {
    run(async {
        // The server answers no query to its visibility store.
        let away = vec![("frontend.namespaceRPS.visibility", "0")];
        let bed = Testbed::start("target-unseen", Wanted { dynamic_config: away, ..wanted(watched) }).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        goes_down(&bed.hss);
        let (customers, orders) = all_wait(&scene, 10).await;
        until_it_is(&bed, "hss", "open").await;
        // Lists will find them, although it was not possible to check whether search attributes are registered.
        let waits = scene.entity(&customers[0].id.parse().unwrap());
        until("it to be shown that it waits", || async { (waits.shown_state().await? == "waiting").then_some(()) })
            .await;
        let swept = interlock(&scene, &["sweep", "--dry-run"]).await;
        assert!(swept.code == 1 && swept.stderr.contains("rate limit"), "{}", swept.stderr);
        entity_of(&bed, "hss").terminate().await;
        comes_back(&bed.hss);
        let view = until_it_is(&bed, "hss", "closed").await;
        assert_eq!((&view["limit"], times(&view, "began")), (&Value::Null, 1), "{view:#}");
        scene.completed(&orders).await;
        let text = bed.platform.metrics_text().await.unwrap();
        let counts = |line: &&str| {
            let is_it = line.starts_with("interlock_sweeps_run_total{") && line.contains("\"failed\"");
            is_it && !line.ends_with("} 0")
        };
        assert!(text.lines().any(|line| counts(&line)), "{text}");
        assert!(!text.contains("interlock_sweep_time_seconds{"), "such a sweep must not count as a sweep: {text}");
        bed.stop().await;
    });
}

#[test]
fn a_target_that_a_person_paused_stays_paused_although_its_entity_is_terminated() {
    run(async {
        let bed = bed("target-paused-terminated", watched).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        done(&scene, &["target", "pause", "hss", "--reason", "new release", "--actor", "anna"]).await;
        let paused = until_it_is(&bed, "hss", "paused").await;
        let order = scene.submit(&tuned("line.tuned", &scene.customer("A"), 1)).await;
        entity_of(&bed, "hss").terminate().await;
        // The terminated entity still answers queries. The next one has begun since.
        let view = until("another life of the entity", || async {
            let view = standing(&bed, "hss").await?;
            let is_told = view["state"] == "paused" && view["limit_pending"] == false;
            (is_told && ms(&view["since"]) > ms(&paused["since"])).then_some(view)
        })
        .await;
        let history = (times(&view, "paused"), times(&view, "still_paused"));
        assert_eq!((history, &view["limit"]), ((0, 1), &json!(0.0)), "{view:#}");
        assert!(done(&scene, &["target", "show", "hss"]).await.contains("new release"));
        assert_eq!(asked(&bed.hss).0, 0, "a paused target was called");
        done(&scene, &["target", "resume", "hss", "--reason", "it is done"]).await;
        until_it_is(&bed, "hss", "closed").await;
        scene.completed(&[order]).await;
        bed.stop().await;
    });
}

/// The number of outages until the entity has continued as new several times.
const OUTAGES: usize = 3;

#[test]
fn target_entities_and_sweeps_replay_and_a_target_entity_continues_as_new_through_its_outages() {
    run(async {
        let limits =
            EntityLimits { continue_as_new_events: 60, continue_as_new_events_forced: 90, ..EntityLimits::default() };
        let bed = Testbed::start("target-replayed", Wanted { limits, ..wanted(soon_again) }).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        for _outage in 0..OUTAGES {
            goes_down(&bed.hss);
            let (_, orders) = all_wait(&scene, 10).await;
            until_it_is(&bed, "hss", "open").await;
            comes_back(&bed.hss);
            until_it_is(&bed, "hss", "closed").await;
            scene.completed(&orders).await;
        }
        let view = standing(&bed, "hss").await.unwrap();
        assert_eq!(
            (times(&view, "opened"), times(&view, "began")),
            (OUTAGES, 1),
            "it knows all that happened: {view:#}"
        );
        let runs = entity_of(&bed, "hss").runs().await;
        println!("the target's runs: {:?} events", runs.iter().map(Vec::len).collect::<Vec<_>>());
        assert!(runs.len() > 2, "{} runs", runs.len());
        for run in &runs {
            assert_eq!(failed_tasks(run), [""; 0]);
        }
        replays::<TargetEntity>(runs).await;

        // A sweep that restarts a target's entity, and others.
        entity_of(&bed, "crm").terminate().await;
        until_it_is(&bed, "crm", "closed").await;
        let sweeps = until("sweeps", || async {
            let sweeps = completed_histories(&bed.platform, names::SWEEP).await;
            (sweeps.len() > 1).then_some(sweeps)
        })
        .await;
        println!("{} sweeps", sweeps.len());
        replays::<Sweep>(sweeps).await;
        bed.stop().await;
    });
}

fn soon_again(target: &str, settings: &mut TargetSettings) {
    watched(target, settings);
    settings.outage.ramp_stage = Duration::from_millis(300);
    settings.outage.probe_cap = Duration::from_secs(1);
}
