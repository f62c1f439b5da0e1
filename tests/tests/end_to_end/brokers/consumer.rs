//! `interlock ingest` as a process.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::wire::Wire;
use crate::scene::Scene;
use crate::waiting::{looked_for, until};

/// How long the process may take to end in good order.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The process.
pub struct Consumer {
    process: Child,
    listen: String,
    log: PathBuf,
    /// It is read while the process starts.
    _catalog: NamedTempFile,
}

impl Consumer {
    /// Starts one for the tenant of a scene, and waits until it consumes.
    pub async fn start(scene: &Scene<'_>, wire: &dyn Wire, more: &[&str]) -> Self {
        Self::start_at(scene, wire, &scene.bed.platform.temporal_address(), more).await
    }

    /// The same, with another address of Temporal.
    pub async fn start_at(scene: &Scene<'_>, wire: &dyn Wire, temporal: &str, more: &[&str]) -> Self {
        let catalog = NamedTempFile::new().unwrap();
        std::fs::write(catalog.path(), &scene.bed.catalog).unwrap();
        let name = format!("ingest-{}-{:08x}.log", scene.tenant, fastrand::u32(..));
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock-under-test"));
        command.arg("ingest").args(wire.arguments()).args(more);
        command.args(["--tenant", scene.tenant.as_str(), "--listen", "127.0.0.1:0", "--output", "json"]);
        command.args(["--address", temporal, "--namespace", scene.bed.namespace()]);
        command.arg("--catalog").arg(catalog.path()).envs(scene.bed.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(&log).unwrap()));
        let said: Value = serde_json::from_str(&line).unwrap();
        let listen = said["listen"].as_str().unwrap().to_owned();
        Self { process, listen, log, _catalog: catalog }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().expect("it runs").cast_signed())
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.get(format!("{}{path}", self.listen)).send().await;
        answer.unwrap_or_else(|error| panic!("{error}\n{}", std::fs::read_to_string(&self.log).unwrap()))
    }

    /// Whether it is ready; otherwise why not.
    pub async fn ready(&self) -> Result<(), String> {
        let answer = self.get("/readyz").await;
        if answer.status().is_success() { Ok(()) } else { Err(answer.text().await.unwrap()) }
    }

    /// Waits until it is ready.
    pub async fn until_ready(&self) {
        until("the consumer to be ready", || async { self.ready().await.ok() }).await;
    }

    /// Waits until it has messages that are not acknowledged, for this time at most.
    pub async fn has_messages_within(&self, limit: Duration) {
        let has_some = || async { (self.about().await["messages_in_flight"].as_u64()? > 0).then_some(()) };
        // Whoever calls it goes on in any case.
        let _found = looked_for(limit, Duration::from_millis(5), has_some).await;
    }

    /// Its metrics.
    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.text().await.unwrap()
    }

    /// What it says of itself.
    pub async fn about(&self) -> Value {
        self.get("/healthz").await.json().await.unwrap()
    }

    /// Kills it.
    pub async fn kill(mut self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        self.process.wait().await.unwrap();
    }

    /// Tells it to stop, and waits until it has ended in good order.
    pub async fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(END_LIMIT, self.process.wait()).await;
        let log = || std::fs::read_to_string(&self.log).unwrap();
        let status = ended.unwrap_or_else(|_| panic!("it does not end\n{}", log())).unwrap();
        assert!(status.success(), "{status}\n{}", log());
    }
}
