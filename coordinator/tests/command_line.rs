//! The command line from the view of scripts: which output goes where, and with which exit code.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use interlock_domain::catalog::REFERENCE_TEXT;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Runs `interlock` with a clean environment, in an empty directory.
fn interlock(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory.path())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file with this catalog.
fn catalog(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_valid_catalog_exits_with_0_and_prints_data_on_stdout() {
    let file = catalog(REFERENCE_TEXT);
    let output = interlock(&["catalog", "check", file.path().to_str().unwrap(), "--output", "json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["valid"], true);
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_invalid_catalog_exits_with_1_and_prints_its_faults_as_data() {
    let file = catalog("nonsense = 1\n");
    let output = interlock(&["catalog", "check", file.path().to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains(":1:1: nonsense"), "{}", stdout(&output));
}

#[test]
fn wrong_usage_exits_with_2_and_prints_one_json_object_on_stderr() {
    let output = interlock(&["catalog", "chekc", "-o", "json"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let fault: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(fault["code"], "wrong_use");
    assert!(fault["message"].as_str().unwrap().contains("chekc"), "{fault}");
}

#[test]
fn a_wrong_setting_is_reported_with_its_name_and_what_to_do() {
    let file = catalog(REFERENCE_TEXT);
    let arguments = ["--output", "json", "catalog", "check", file.path().to_str().unwrap()];
    let output = interlock(&arguments, &[("INTERLOCK_QUEUE_SHARDS", "0")]);
    assert_eq!(output.status.code(), Some(2));
    let fault: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(fault["code"], "setting_invalid");
    assert!(fault["message"].as_str().unwrap().contains("queue_shards"), "{fault}");
    assert!(fault["next"].is_string());
}

#[test]
fn completions_work_whatever_the_settings_are() {
    let output = interlock(&["completions", "bash"], &[("INTERLOCK_QUEUE_SHARDS", "nonsense")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("complete"));
}

#[test]
fn help_goes_to_stdout_and_is_not_an_error() {
    let output = interlock(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("catalog"));
}

#[test]
fn a_command_reports_soon_that_temporal_cannot_be_reached() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    for (more, most_s) in [(["--client-connect-timeout", "300ms"].as_slice(), 5), ([].as_slice(), 20)] {
        let arguments = ["order", "list", "-o", "json", "--log-level", "off", "--address", &address];
        let began = Instant::now();
        let output = interlock(&[arguments.as_slice(), more].concat(), &[]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let fault: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(fault["code"], "temporal_unreachable");
        assert!(began.elapsed().as_secs() < most_s, "{more:?}: {:?}", began.elapsed());
    }
}

#[test]
fn flags_of_a_command_are_listed_apart_from_those_of_the_connection() {
    let output = interlock(&["target", "pause", "--help"], &[]);
    let help = stdout(&output);
    let (own, connection) = help.split_once("Connection to Temporal").unwrap();
    assert!(own.contains("--reason") && own.contains("--for"), "{help}");
    assert!(connection.contains("--address") && !connection.contains("--reason"), "{help}");
}

#[test]
fn a_route_says_where_a_tenant_and_its_entity_live() {
    let output = interlock(&["route", "blue", "A1", "-o", "json"], &[("INTERLOCK_QUEUE_SHARDS", "1")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let route: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(route["namespace"], "default");
    assert_eq!(route["task_queues"]["entity"], "interlock.entity.00");
    assert_eq!(route["priority"]["fairness_key"], "blue");
    assert_eq!(route["entity"]["workflow_id"], "blue/customer/A1");
}

#[test]
fn a_sandbox_prints_its_address_in_one_line_and_stops_gracefully() {
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["sandbox", "crm", "-o", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(sandbox.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(listening["target"], "crm");
    let address = listening["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    std::net::TcpStream::connect(address).unwrap();
    kill(Pid::from_raw(sandbox.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(sandbox.wait().unwrap().code(), Some(0));
}
