//! The introduction of Interlock: a list of the present holders is imported.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use interlock_adapters::sandbox::Seed;
use interlock_worker_pools::Workload;
use interlock_workflows::{ResourceImport, names};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::command::{Said, interlock};
use crate::events::{assigned, unassigned};
use crate::replayed::replays;
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, event_types};
use crate::testbed::{SettingsChange, Testbed, Wanted, run, shared};
use crate::waiting::{until, until_within};

/// The time limit until an import has reached some point, on a busy machine.
const LIMIT: Duration = Duration::from_mins(10);

/// The number of lines of the large list. `INTERLOCK_IMPORT_LINES=25000` makes it longer.
fn lines() -> usize {
    std::env::var("INTERLOCK_IMPORT_LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(600)
}

fn list(lines: impl IntoIterator<Item = String>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "kind,id,customer").unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file
}

async fn import(scene: &Scene<'_>, list: &Path, more: &[&str]) -> Said {
    let mut arguments = vec!["resource", "import", list.to_str().unwrap(), "--output", "jsonl"];
    arguments.extend(more);
    interlock(scene, &arguments).await
}

/// The reports about single lines, and the total.
fn told(said: &Said) -> (Vec<(u64, String)>, Value) {
    let mut lines: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    let problem = |line: &Value| (line["line"].as_u64().unwrap(), line["code"].as_str().unwrap().to_owned());
    (lines.iter().map(problem).collect(), summary)
}

fn counts(summary: &Value) -> [u64; 4] {
    ["seeded", "unchanged", "conflicts", "bad"].map(|name| summary[name].as_u64().unwrap())
}

/// The large list has ten numbers for each customer.
fn line_of(index: usize) -> String {
    format!("msisdn,4477{index:08},bulk-{}", index / 10)
}

#[test]
fn an_import_continues_where_it_was_after_worker_and_command_are_killed() {
    run(async {
        let wanted = Wanted { worker_processes: Some(vec![Workload::All]), ..Wanted::default() };
        let mut bed = Testbed::start("import-killed", wanted).await;
        let total = lines();
        let per_part = (total / 3).clamp(1, 10_000).to_string();
        let list = list((0..total).map(line_of));
        let tenant;
        {
            let scene = Scene::on(&bed);
            tenant = scene.tenant.clone();
            let in_parts = ["--lines-per-part", &per_part];
            let importing = import(&scene, list.path(), &in_parts);
            let resource = scene.number_entity(&format!("4477{:08}", total / 2));
            // In the middle of the second part: the future is dropped there, and with it the command.
            let halfway =
                until_within(LIMIT, "the middle of the import", || async { resource.exists().await.then_some(()) });
            tokio::select! {
                said = importing => panic!("it was too fast: {}", said.stdout),
                () = halfway => {}
            }
        }
        bed.platform.worker_processes.remove(0).kill().await.unwrap();
        bed.platform.start_worker_process(Workload::All).await.unwrap();
        {
            let scene = Scene { bed: &bed, tenant };
            let said = import(&scene, list.path(), &["--lines-per-part", &per_part]).await;
            assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
            let (problems, summary) = told(&said);
            assert_eq!(problems, []);
            assert_eq!(
                counts(&summary),
                [total as u64, 0, 0, 0],
                "each line was told once, and counted once: {summary}"
            );
            for index in [0, total / 2, total - 1] {
                let holder = scene.holder(&format!("4477{index:08}")).await;
                assert_eq!(holder, Some(format!("bulk-{}", index / 10)));
            }
            let again = import(&scene, list.path(), &["--lines-per-part", &per_part]).await;
            assert_eq!(counts(&told(&again).1), [0, total as u64, 0, 0], "the same holder again must change nothing");
        }
        bed.stop().await;
    });
}

/// The time limit of a draining worker, which waits for lines in flight.
const GONE_LIMIT: Duration = Duration::from_secs(30);
/// The number of lines of the single part in whose middle a worker is stopped.
const LONG_PART: usize = 3_000;

#[test]
fn a_worker_that_is_stopped_leaves_the_rest_of_a_part_to_another_one() {
    run(async {
        let drain_soon: SettingsChange = Box::new(|settings| settings.workers.drain = Duration::from_secs(1));
        // The workers that answer the lines continue.
        let processes = Some(vec![Workload::Jobs, Workload::Entity, Workload::Resource]);
        let wanted = Wanted { worker_processes: processes, settings: Some(drain_soon), ..Wanted::default() };
        let mut bed = Testbed::start("import-drained", wanted).await;
        let list = list((0..LONG_PART).map(line_of));
        let mut first = bed.platform.worker_processes.remove(0);
        let tenant;
        {
            let scene = Scene::on(&bed);
            tenant = scene.tenant.clone();
            let importing = import(&scene, list.path(), &[]);
            let resource = scene.number_entity(&format!("4477{:08}", 100));
            let begun =
                until_within(LIMIT, "the import to have begun", || async { resource.exists().await.then_some(()) });
            tokio::select! {
                said = importing => panic!("it was too fast: {}", said.stdout),
                () = begun => {}
            }
            // It drains for a second and then ends, without sending the rest.
            first.ask_to_drain().unwrap();
            let ended = tokio::time::timeout(GONE_LIMIT, first.ended()).await.expect("it ends within its grace period");
            assert!(ended.unwrap().success());
            let last = scene.number_entity(&format!("4477{:08}", LONG_PART - 1));
            assert!(!last.exists().await, "it continued to the end of the part");
        }
        bed.platform.start_worker_process(Workload::Jobs).await.unwrap();
        {
            let scene = Scene { bed: &bed, tenant };
            let said = import(&scene, list.path(), &[]).await;
            let (problems, summary) = told(&said);
            assert_eq!((said.code, problems), (0, vec![]), "{}", said.stderr);
            assert_eq!(counts(&summary), [LONG_PART as u64, 0, 0, 0], "each line must be sent once: {summary}");
        }
        bed.stop().await;
    });
}

#[test]
fn an_import_whose_command_does_not_return_ends_and_the_same_list_can_start_again() {
    run(async {
        let scene = Scene::on(shared().await);
        let installation = &scene.bed.platform.installation;
        let mut import = installation.entities.tenant(&scene.tenant);
        import.route = installation.routing.import(&scene.tenant, "abandoned");
        import.start.entity_id = "import/abandoned".to_owned();
        // In the same way as the command starts it, which waits for a week.
        let begins = json!({ "gives_up_after_ms": 1_000 });
        for round in ["first", "second"] {
            let standing: Value =
                installation.entities.update_with_start(&import, names::BEGIN, &begins, round).await.unwrap();
            assert_eq!((&standing["received"], &standing["abandoned"]), (&json!(0), &json!(false)), "{standing}");
            let workflow = RawEntity::new(&scene.bed.platform, import.route.clone());
            let runs = until("the import to end", || async {
                let runs = workflow.runs().await;
                let last = event_types(runs.first()?).pop();
                (last == Some(EventType::WorkflowExecutionCompleted)).then_some(runs)
            })
            .await;
            replays::<ResourceImport>(runs).await;
        }
    });
}

#[test]
fn another_holder_is_a_conflict_and_bad_lines_do_not_stop_the_others() {
    run(async {
        let scene = Scene::on(shared().await);
        let (one, two) = (number(), number());
        let first = import(&scene, list([format!("msisdn,{one},A")]).path(), &[]).await;
        assert_eq!((first.code, counts(&told(&first).1)), (0, [1, 0, 0, 0]));
        let second = list([
            format!("msisdn,{one},B"),
            "vehicle,1,B".to_owned(),
            "msisdn,0".to_owned(),
            format!("msisdn,+{two},B"),
        ]);
        let said = import(&scene, second.path(), &[]).await;
        let (mut problems, summary) = told(&said);
        problems.sort();
        let codes: Vec<_> = problems.iter().map(|(line, code)| (*line, code.as_str())).collect();
        assert_eq!(codes, [(2, "lease_held"), (3, "kind_not_in_catalog"), (4, "line_malformed")]);
        assert_eq!((said.code, counts(&summary)), (1, [1, 0, 1, 2]));
        assert_eq!(scene.holder(&one).await.as_deref(), Some("A"));
        assert_eq!(scene.holder(&two).await.as_deref(), Some("B"), "in the one spelling");
    });
}

#[test]
fn a_dry_run_changes_nothing_and_reports_what_each_line_would_do() {
    run(async {
        let scene = Scene::on(shared().await);
        let (held, free) = (number(), number());
        import(&scene, list([format!("msisdn,{held},A")]).path(), &[]).await;
        let dry = list([format!("msisdn,{held},A"), format!("msisdn,{free},A"), format!("msisdn,{held},B")]);
        let said = import(&scene, dry.path(), &["--dry-run"]).await;
        let (problems, summary) = told(&said);
        assert_eq!(problems, [(4, "lease_held".to_owned())]);
        assert_eq!((said.code, counts(&summary)), (1, [1, 1, 1, 0]));
        assert!(!scene.number_entity(&free).exists().await, "nothing was started");
        assert_eq!(scene.holder(&held).await.as_deref(), Some("A"));
    });
}

#[test]
fn an_imported_number_is_released_at_the_hss_and_goes_to_the_waiting_customer() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a, b, number) = (Scene::newcomer("A"), scene.customer("B"), number());
        let has = Seed { imsi: a.imsi.clone(), msisdn: Some(number.clone()), ..Seed::default() };
        scene.bed.hss.seed(&[has]).unwrap();
        let said = import(&scene, list([format!("msisdn,{number},{}", a.id)]).path(), &[]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        until("A to know of its lease", || async {
            let state = scene.customer_state(&a).await;
            let leases = state["leases"].as_array()?;
            leases.iter().any(|lease| lease["resource"] == format!("msisdn/{number}")).then_some(())
        })
        .await;
        let waits = scene.submit(&assigned(&b, &number)).await;
        scene.is_waiting_for(&b, &number).await;
        let released = scene.submit(&unassigned(&a, &number)).await;
        scene.completed(&[released, waits]).await;
        // The first event is from the day before.
        let expected = [format!("{}+", a.imsi), format!("{}-", a.imsi), format!("{}+", b.imsi)];
        assert_eq!(scene.registrations(&number), expected);
        assert_eq!(scene.holder(&number).await, Some(b.id.clone()));

        // The list is outdated by now.
        let old = import(&scene, list([format!("msisdn,{number},{}", a.id), String::new()]).path(), &[]).await;
        assert_eq!(told(&old).0, [(2, "lease_held".to_owned())]);
    });
}
