//! The fault battery in short: a run that must be clean, and one that breaks a rule on purpose and must be found.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::testbed::run_large;

/// How long a run may take.
const LIMIT: Duration = Duration::from_mins(6);

/// Runs the battery, and returns its report and how it ended.
async fn battery(arguments: &[&str]) -> (String, ExitStatus) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_battery"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.output()).await.expect("a run ends in time").unwrap();
    let report = String::from_utf8_lossy(&ended.stdout).into_owned();
    let said = String::from_utf8_lossy(&ended.stderr);
    println!("{report}\n{said}");
    (report, ended.status)
}

#[test]
fn a_short_run_of_the_battery_keeps_every_promise() {
    run_large(async {
        let options = ["--seed", "1", "--minutes", "0.3", "--rate", "4", "--customers", "40", "--numbers", "6"];
        let (report, status) = battery(&options).await;
        assert!(status.success(), "{report}");
        for promise in ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "ledger equals network", "replays"] {
            assert!(report.contains(promise), "{promise} is missing in\n{report}");
        }
    });
}

#[test]
fn the_battery_finds_leases_that_expire_while_their_holders_may_still_write() {
    run_large(async {
        let options = ["--seed", "3", "--minutes", "0.5", "--rate", "6", "--customers", "40", "--numbers", "4"];
        let control = ["--faults", "target-slow,target-late", "--control", "expiry", "--drain-minutes", "0.3"];
        let (report, status) = battery(&[&options[..], &control[..]].concat()).await;
        assert_eq!(status.code(), Some(1), "{report}");
        let found = "each lease has one holder at a time";
        let is_found = report.lines().any(|line| line.starts_with(found) && line.contains("VIOLATED"));
        assert!(is_found, "the violation is missing in\n{report}");
    });
}
