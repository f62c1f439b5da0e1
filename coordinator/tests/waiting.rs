//! Services that start before Temporal, as after the first `kubectl apply`: they wait, alive and not ready, and nobody restarts them.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use interlock_coordinator::local::cli_search;
use interlock_embedded_server::{EmbeddedServer, EmbeddedServerOptions, find_or_install};
use interlock_settings::Settings;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// The time limit of each wait.
const LIMIT: Duration = Duration::from_mins(1);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service, and where it answers how it is.
struct Service {
    process: Child,
    port: u16,
}

impl Service {
    /// Starts it with a clean environment.
    fn start(temporal: u16, arguments: &[&str]) -> Self {
        let port = free_port();
        let process = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(arguments)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--address", &format!("127.0.0.1:{temporal}")])
            .args(["--namespace", "fresh"])
            .env_clear()
            .env("INTERLOCK_QUEUE_SHARDS", "1")
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { process, port }
    }

    /// The status and the body of an answer. None if it does not listen.
    async fn answer(&self, path: &str) -> Option<(u16, String)> {
        interlock_adapters::install_crypto_provider();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.get(format!("http://127.0.0.1:{}{path}", self.port)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    async fn until(&mut self, path: &str, is_it: impl Fn(u16, &str) -> bool) {
        let answered = async {
            loop {
                let answer = self.answer(path).await;
                if answer.as_ref().is_some_and(|(status, body)| is_it(*status, body)) {
                    return;
                }
                assert!(self.process.try_wait().unwrap().is_none(), "it ended; at last {path} said {answer:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(LIMIT, answered).await.unwrap_or_else(|_| panic!("{path} never says so"));
    }

    /// Asks it to end, and returns its exit code.
    async fn stop(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.process.id().unwrap().cast_signed()), Signal::SIGTERM).unwrap();
        tokio::time::timeout(LIMIT, self.process.wait()).await.unwrap().unwrap().code()
    }
}

#[tokio::test]
async fn services_that_start_before_temporal_wait_until_it_is_there_and_prepared() {
    let temporal = free_port();
    let start = |arguments: &[&str]| Service::start(temporal, arguments);
    let mut waiting = [start(&["worker", "--workload", "entity"]), start(&["gateway"])];
    for service in &mut waiting {
        service.until("/healthz", |status, body| status == 200 && body.contains("starting")).await;
        service.until("/readyz", |status, body| status == 503 && body.contains("cannot be reached")).await;
    }
    let (status, body) = waiting[1].answer("/v1/targets").await.unwrap();
    assert_eq!((status, body.contains("temporal_unavailable")), (503, true), "{body}");

    let cli = find_or_install(&cli_search(&Settings::from_environment().unwrap()).unwrap(), &|_| {}).await.unwrap();
    let options = EmbeddedServerOptions { frontend_port: Some(temporal), ..EmbeddedServerOptions::default() };
    let server = EmbeddedServer::start(&cli, options).await.unwrap();
    for service in &mut waiting {
        service
            .until("/readyz", |status, body| status == 503 && body.contains("bootstrap") || body.contains("record"))
            .await;
    }
    // Two at a time, as two replicas do.
    let mut preparing = [(); 2].map(|()| start(&["worker", "--workload", "jobs", "--bootstrap"]));
    for service in preparing.iter_mut().chain(&mut waiting) {
        service.until("/readyz", |status, _| status == 200).await;
    }
    for service in preparing.into_iter().chain(waiting) {
        assert_eq!(service.stop().await, Some(0));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_that_waits_ends_when_it_is_asked_to_and_when_its_time_is_over() {
    let nowhere = free_port();
    for arguments in [["worker", "--workload=jobs"].as_slice(), &["gateway"]] {
        let mut service = Service::start(nowhere, arguments);
        service.until("/healthz", |status, _| status == 200).await;
        assert_eq!(service.stop().await, Some(0), "{arguments:?}");
        let limited = [arguments, &["--client-connect-timeout", "300ms"]].concat();
        let mut limited = Service::start(nowhere, &limited);
        let ended = tokio::time::timeout(LIMIT, limited.process.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(1), "{arguments:?}");
    }
}
