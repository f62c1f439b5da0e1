//! The real embedded Temporal server: found or installed, started, killed, restarted, stopped.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use interlock_client::{Registration, SearchAttributeGate};
use interlock_connection::{ConnectionFlags, connect};
use interlock_coordinator::local::cli_search;
use interlock_embedded_server::{
    CliOrigin, CliSearch, EmbeddedServer, EmbeddedServerOptions, TemporalCli, TemporalServerError, find_or_install,
};
use interlock_fault::Fault;
use interlock_settings::Settings;
use interlock_workflows::names::SEARCH_ATTRIBUTES;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use temporalio_client::{Client, ClientOptions, Connection};
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, RegisterNamespaceRequest,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tonic::IntoRequest;

const LIMIT: Duration = Duration::from_secs(30);

async fn cli() -> TemporalCli {
    let search = cli_search(&Settings::from_environment().unwrap()).unwrap();
    find_or_install(&search, &|sentence| eprintln!("{sentence}")).await.unwrap()
}

/// A connection like that of every command.
async fn connection(server: &EmbeddedServer) -> Connection {
    let client = connect(&ConnectionFlags::to_server(server.address()), LIMIT).await.unwrap();
    client.connection().clone()
}

async fn has_namespace(server: &EmbeddedServer, namespace: &str) -> bool {
    let request = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    connection(server).await.workflow_service().describe_namespace(request.into_request()).await.is_ok()
}

/// Whether the process runs, and does not only wait to be reaped.
fn is_alive(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => kill(Pid::from_raw(pid.cast_signed()), None).is_ok(),
    }
}

async fn until_gone(pid: u32) {
    let gone = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("the server is still there");
}

#[tokio::test]
async fn a_server_that_is_killed_and_restarted_on_its_file_keeps_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let options = EmbeddedServerOptions {
        db_file: Some(directory.path().join("temporal.sqlite")),
        namespaces: vec!["blue".to_owned()],
        ..EmbeddedServerOptions::default()
    };
    let mut server = EmbeddedServer::start(&cli().await, options).await.unwrap();
    let (address, first_pid) = (server.address(), server.pid().unwrap());
    let register = RegisterNamespaceRequest {
        namespace: "made-later".to_owned(),
        workflow_execution_retention_period: Some(prost_wkt_types::Duration { seconds: 86_400, nanos: 0 }),
        ..Default::default()
    };
    connection(&server).await.workflow_service().register_namespace(register.into_request()).await.unwrap();

    server.kill().await.unwrap();
    assert!(!is_alive(first_pid));
    assert_eq!(server.pid(), None);

    server.restart().await.unwrap();
    assert_eq!(server.address(), address);
    assert_ne!(server.pid(), Some(first_pid));
    for namespace in ["default", "blue", "made-later"] {
        assert!(has_namespace(&server, namespace).await, "{namespace}");
    }

    let second_pid = server.pid().unwrap();
    server.stop().await.unwrap();
    assert!(!is_alive(second_pid));
}

#[tokio::test]
async fn the_search_attributes_exist_when_the_server_is_ready() {
    let options = EmbeddedServerOptions { namespaces: vec!["blue".to_owned()], ..EmbeddedServerOptions::default() };
    let server = EmbeddedServer::start(&cli().await, options).await.unwrap();
    for namespace in ["default", "blue"] {
        let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
        let answer = connection(&server).await.operator_service().list_search_attributes(request.into_request()).await;
        let attributes = answer.unwrap().into_inner().custom_attributes;
        for attribute in SEARCH_ATTRIBUTES {
            assert!(attributes.contains_key(attribute), "{attribute} in {namespace}: {attributes:?}");
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn unregistered_search_attributes_are_distinguished_from_a_missing_answer() {
    let mut server = EmbeddedServer::start(&cli().await, EmbeddedServerOptions::default()).await.unwrap();
    let client = Client::new(connection(&server).await, ClientOptions::new("default").build()).unwrap();
    let register = RegisterNamespaceRequest {
        namespace: "bare".to_owned(),
        workflow_execution_retention_period: Some(prost_wkt_types::Duration { seconds: 86_400, nanos: 0 }),
        ..Default::default()
    };
    connection(&server).await.workflow_service().register_namespace(register.into_request()).await.unwrap();
    let gate = SearchAttributeGate::new(client.clone());
    assert_eq!(gate.of("default").await, Registration::Registered);
    assert_eq!(gate.of("nowhere").await, Registration::Unknown);
    let bare = async {
        // The server needs a moment until it knows the namespace.
        loop {
            let asked = SearchAttributeGate::new(client.clone()).of("bare").await;
            if asked != Registration::Unknown {
                return asked;
            }
        }
    };
    assert_eq!(tokio::time::timeout(LIMIT, bare).await.unwrap(), Registration::Missing);
    server.kill().await.unwrap();
    let unanswered = SearchAttributeGate::new(client).of("default").await;
    assert_eq!((unanswered, gate.of("default").await), (Registration::Unknown, Registration::Registered));
}

#[tokio::test]
async fn a_dropped_server_stops() {
    let server = EmbeddedServer::start(&cli().await, EmbeddedServerOptions::default()).await.unwrap();
    let pid = server.pid().unwrap();
    assert!(is_alive(pid));
    drop(server);
    until_gone(pid).await;
}

#[tokio::test]
async fn a_server_that_ends_early_shows_the_end_of_its_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = EmbeddedServerOptions {
        frontend_port: Some(taken.local_addr().unwrap().port()),
        ..EmbeddedServerOptions::default()
    };
    match EmbeddedServer::start(&cli().await, options).await.unwrap_err() {
        TemporalServerError::EndedEarly { log_tail, .. } => {
            assert!(log_tail.contains("address already in use"), "{log_tail}");
        }
        other => panic!("{other}"),
    }
}

/// Not a test of its own: it runs in the process that the next test kills.
#[tokio::test]
#[ignore = "started by a_server_does_not_outlive_a_parent_that_is_killed"]
async fn a_parent_that_waits_to_be_killed() {
    let server = EmbeddedServer::start(&cli().await, EmbeddedServerOptions::default()).await.unwrap();
    println!("server pid: {}", server.pid().unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_server_does_not_outlive_a_parent_that_is_killed() {
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "a_parent_that_waits_to_be_killed"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid = loop {
        let line = tokio::time::timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().expect("it ended early");
        if let Some((_, pid)) = line.split_once("server pid: ") {
            break pid.trim().parse::<u32>().unwrap();
        }
    };
    assert!(is_alive(pid));
    parent.start_kill().unwrap();
    parent.wait().await.unwrap();
    until_gone(pid).await;
}

#[tokio::test]
async fn concurrent_installs_download_it_only_once() {
    let cache = tempfile::tempdir().unwrap();
    let search = CliSearch {
        explicit: None,
        path_directories: Vec::new(),
        cache_dir: cache.path().join("not/there/yet"),
        offline: false,
    };
    if Settings::from_environment().unwrap().offline {
        eprintln!("skipped: INTERLOCK_OFFLINE forbids the install that this test is about");
        return;
    }
    let said = std::sync::Mutex::new(Vec::new());
    let say = |sentence: &str| said.lock().unwrap().push(sentence.to_owned());
    let (first, second, third) =
        tokio::join!(find_or_install(&search, &say), find_or_install(&search, &say), find_or_install(&search, &say));
    let origins = [first.unwrap().origin, second.unwrap().origin, third.unwrap().origin];
    let installs = origins.iter().filter(|origin| **origin != CliOrigin::Cache).count();
    assert_eq!(installs, 1, "{origins:?}: {said:?}");
    let left: Vec<PathBuf> =
        std::fs::read_dir(search.cache_dir.join("temporal-cli")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains(".installing-")), "{left:?}");
}

#[tokio::test]
async fn offline_nothing_is_installed_and_the_error_says_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let search = CliSearch {
        explicit: None,
        path_directories: vec![cache.path().to_owned()],
        cache_dir: cache.path().to_owned(),
        offline: true,
    };
    let error = find_or_install(&search, &|_| ()).await.unwrap_err();
    assert!(matches!(error, TemporalServerError::CliNotFound { offline: true, .. }), "{error}");
    let fault = Fault::from(error);
    assert_eq!(fault.code, "temporal_cli_not_found");
    assert!(fault.next.contains("INTERLOCK_OFFLINE"), "{}", fault.next);
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_configured_file_that_is_not_a_temporal_cli_is_refused_and_not_replaced() {
    let cache = tempfile::tempdir().unwrap();
    let search = CliSearch {
        explicit: Some(PathBuf::from("/bin/sh")),
        path_directories: Vec::new(),
        cache_dir: cache.path().to_owned(),
        offline: false,
    };
    let error = find_or_install(&search, &|_| ()).await.unwrap_err();
    assert!(matches!(error, TemporalServerError::ExplicitCliUnusable { .. }), "{error}");
}

/// Not a test of its own: another test runs it in an environment without working downloads.
#[tokio::test]
#[ignore = "started by where_no_install_works_the_person_is_told_what_was_tried_and_what_to_do"]
async fn an_install_that_cannot_work() {
    let error = find_or_install(&cli_search(&Settings::from_environment().unwrap()).unwrap(), &|sentence| {
        println!("said: {sentence}");
    })
    .await
    .unwrap_err();
    println!("fault: {}", serde_json::to_string(&Fault::from(error)).unwrap());
}

#[tokio::test]
async fn where_no_install_works_the_person_is_told_what_was_tried_and_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "an_install_that_cannot_work"])
        .env_clear()
        .env("PATH", empty.path())
        .env("INTERLOCK_CACHE_DIR", empty.path().join("cache"))
        // A proxy that does not exist, so that nothing can be downloaded on any machine.
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("said: Downloading the Temporal CLI"), "{stdout}");
    let fault = stdout.lines().find_map(|line| line.strip_prefix("fault: ")).unwrap_or_else(|| panic!("{stdout}"));
    let fault: serde_json::Value = serde_json::from_str(fault).unwrap();
    assert_eq!(fault["code"], "temporal_cli_not_found");
    let message = fault["message"].as_str().unwrap();
    assert!(
        message.contains("no Python 3 with pip") && message.contains("download by Temporal's SDK failed"),
        "{message}"
    );
    assert!(fault["next"].as_str().unwrap().contains("INTERLOCK_TEMPORAL_CLI"), "{fault}");
}
