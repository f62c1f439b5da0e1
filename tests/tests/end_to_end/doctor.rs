//! `interlock doctor`: it finds nothing wrong where nothing is, and each thing that is broken here.

use std::path::PathBuf;
use std::time::Duration;

use interlock_domain::error_code::ErrorCode;
use interlock_operations::doctor::{Check, Finding, Level, Report};
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::{DeleteScheduleRequest, RegisterNamespaceRequest};
use tonic::IntoRequest;

use crate::command::Said;
use crate::events::assigned;
use crate::scene::{Scene, number};
use crate::temporal_calls::json_payload;
use crate::testbed::{Testbed, Wanted, run, unique};
use crate::waiting::until;

/// What the doctor is told.
struct Told {
    address: String,
    namespace: String,
    catalog: String,
    settings: String,
}

impl Told {
    /// The truth about a testbed.
    fn of(bed: &Testbed) -> Self {
        let targets = [
            ("hss", "pyhss", bed.hss.base_url()),
            ("crm", "json", bed.crm.base_url()),
            ("notify", "json", bed.sms.base_url()),
        ];
        let tables = targets
            .map(|(name, adapter, url)| format!("[targets.{name}]\nadapter = \"{adapter}\"\nbase_url = \"{url}\"\n"));
        Self {
            address: bed.platform.temporal_address(),
            namespace: bed.namespace().to_owned(),
            catalog: bed.catalog.clone(),
            settings: tables.concat(),
        }
    }

    /// Runs the doctor.
    async fn said(&self, output: &str) -> Said {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| -> PathBuf {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_interlock-under-test"));
        command.args(["doctor", "--output", output, "--log-level", "off", "--address", &self.address]);
        command.args(["--namespace", &self.namespace]);
        command.arg("--catalog").arg(file("catalog.toml", &self.catalog));
        command.arg("--config").arg(file("interlock.toml", &self.settings)).kill_on_drop(true);
        let said = Said::from(command.output().await.unwrap());
        eprintln!("{}{}= {}", said.stdout, said.stderr, said.code);
        said
    }

    /// What it found.
    async fn report(&self) -> Report {
        let said = self.said("json").await;
        let report: Report = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(said.code, i32::from(report.errors > 0));
        report
    }
}

/// The errors of a check that name all of this.
fn errors<'a>(report: &'a Report, check: Check, parts: &[&str]) -> Vec<&'a Finding> {
    let is_it = |finding: &&Finding| {
        finding.check == check
            && finding.level == Level::Error
            && parts.iter().all(|part| format!("{} {:?}", finding.detail, finding.next).contains(part))
    };
    report.findings.iter().filter(is_it).collect()
}

/// Waits until the only errors are these, one each.
async fn until_the_errors_are(told: &Told, expected: &[(Check, &[&str])]) -> Report {
    let found = || async {
        let report = told.report().await;
        let all_there = expected.iter().all(|(check, parts)| errors(&report, *check, parts).len() == 1);
        (all_there && report.errors == expected.len()).then_some(report)
    };
    until(format!("{} errors", expected.len()), found).await
}

#[test]
fn an_installation_that_works_has_no_errors_and_each_thing_that_is_broken_is_named() {
    run(async {
        let bed = Testbed::start("doctor", Wanted::default()).await;
        let told = Told::of(&bed);
        let report = until_the_errors_are(&told, &[]).await;
        for check in Check::ALL {
            assert!(report.findings.iter().any(|finding| finding.check == check), "{check:?} is missing: {report:#?}");
        }
        let text = told.said("text").await.stdout;
        assert_eq!(text.lines().count(), report.findings.len() + 2, "one line each: {text}");
        let lines = told.said("jsonl").await.stdout;
        assert!(lines.lines().all(|line| serde_json::from_str::<Finding>(line).is_ok()), "{lines}");

        // A target that is not there, and one whose program is not there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut changed = Told::of(&bed);
        let crm = bed.crm.base_url();
        changed.settings = changed.settings.replace(&crm, &format!("http://127.0.0.1:{port}"));
        changed.settings += "[targets.billing]\nadapter = \"external\"\n";
        until_the_errors_are(
            &changed,
            &[
                (Check::Targets, &["crm does not answer"]),
                (Check::Workers, &["interlock.provisioning-billing", "external program"]),
            ],
        )
        .await;

        let faulty = Told { catalog: "nonsense = 1\n".to_owned(), ..Told::of(&bed) };
        until_the_errors_are(&faulty, &[(Check::Catalog, &["catalog check", ErrorCode::CatalogFaulty.as_str()])]).await;

        let nowhere = Told { address: format!("127.0.0.1:{port}"), ..Told::of(&bed) };
        until_the_errors_are(&nowhere, &[(Check::Connection, &[ErrorCode::TemporalUnreachable.as_str()])]).await;

        // A run where no worker executes it.
        {
            let scene = Scene::on(&bed);
            let customer = scene.customer("A");
            let mut entity = scene.entity(&customer.id.parse().unwrap());
            let queue = std::mem::replace(&mut entity.route.task_queue, "orders".to_owned());
            let event = json_payload(assigned(&customer, &number()).to_string());
            entity.signal_with_start(Vec::new(), "submit", vec![event]).await;
            let remedy = format!("interlock customer recover {} --misplaced", customer.id);
            until_the_errors_are(&told, &[(Check::Runs, &["'orders'", &queue, &remedy])]).await;
            entity.terminate().await;
            until_the_errors_are(&told, &[]).await;
        }

        // The sweeps were switched off.
        let request = DeleteScheduleRequest {
            namespace: bed.namespace().to_owned(),
            schedule_id: "interlock/sweep".to_owned(),
            ..Default::default()
        };
        bed.platform.installation.client.clone().delete_schedule(request.into_request()).await.unwrap();
        until_the_errors_are(&told, &[(Check::Schedules, &["does not exist", "interlock bootstrap"])]).await;
        bed.stop().await;
    });
}

#[test]
fn a_namespace_that_is_missing_or_was_not_prepared_is_named_with_all_that_it_lacks() {
    run(async {
        let bed = Testbed::start("doctor-blank", Wanted::default()).await;
        let (blank, missing) = (unique("blank"), unique("missing"));
        let request = RegisterNamespaceRequest {
            namespace: blank.clone(),
            workflow_execution_retention_period: Duration::from_hours(24).try_into().ok(),
            ..Default::default()
        };
        let mut client = bed.platform.installation.client.clone();
        WorkflowService::register_namespace(&mut client, request.into_request()).await.unwrap();
        let tenants =
            format!("[tenants.blank]\nnamespace = \"{blank}\"\n[tenants.missing]\nnamespace = \"{missing}\"\n");
        let mut told = Told::of(&bed);
        told.settings += &tenants;
        let found = || async {
            let report = told.report().await;
            let is_there = |check, parts: &[&str]| !errors(&report, check, parts).is_empty();
            let all = is_there(Check::Namespaces, &[&missing, "does not exist", "interlock bootstrap"])
                && is_there(Check::SearchAttributes, &[&blank, "interlock bootstrap"])
                && is_there(Check::Schedules, &[&blank, "does not exist"])
                && is_there(
                    Check::Workers,
                    &[&blank, "interlock.entity.00", "no worker polls it", "--workload entity"],
                )
                && is_there(Check::Workers, &[&blank, "interlock.provisioning-hss", "--workload provisioning"]);
            let short = report
                .findings
                .iter()
                .any(|finding| finding.level == Level::Warning && finding.detail.contains("24 hours"));
            (all && short).then_some(())
        };
        until("the doctor to name what is missing", found).await;
        bed.stop().await;
    });
}

#[test]
fn what_an_embedded_server_does_not_allow_and_workers_that_are_missing_are_named() {
    run(async {
        let dynamic_config = vec![("activity.enableStandalone", "false")];
        let bed =
            Testbed::start("doctor-narrow", Wanted { dynamic_config, no_workers: true, ..Wanted::default() }).await;
        let report = Told::of(&bed).report().await;
        for (check, parts) in [
            (Check::DynamicConfiguration, &["activity.enableStandalone"][..]),
            (Check::Workers, &["interlock.entity.00", "--workload entity"]),
            (Check::Workers, &["interlock.jobs.00", "--workload jobs"]),
            (Check::Workers, &["interlock.provisioning-crm"]),
        ] {
            assert_eq!(errors(&report, check, parts).len(), 1, "{check:?} {parts:?}: {report:#?}");
        }
        bed.stop().await;
    });
}
