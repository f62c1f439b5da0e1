//! Workers in separate processes: `interlock worker`, with settings written for them. They can be killed, and cannot
//! outlive this process.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use interlock_adapters::{Authentication, Secret, TargetSettings};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_embedded_server::ServerProcess;
use interlock_fault::Fault;
use interlock_settings::{CallbackSettings, CodecSettings, KeySource, Settings};
use interlock_worker_pools::Workload;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use toml::{Table, Value};

use super::options::LocalOptions;

/// How long a worker process may take to become ready.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How often to check whether it is ready.
const READY_PAUSE: Duration = Duration::from_millis(20);
/// How the line begins that a worker process writes when it is ready.
const READY_LINE: &str = "{\"workload\":";
/// The most of a log's end that is shown, in characters.
const LOG_TAIL_MAX: usize = 2_000;

/// The settings and the logs of worker processes, in a temporary directory.
#[derive(Debug)]
pub(super) struct WorkerFiles {
    directory: TempDir,
    started: usize,
}

impl WorkerFiles {
    /// An empty directory.
    pub(super) fn new() -> Result<Self, Fault> {
        let directory = tempfile::Builder::new().prefix("interlock-workers-").tempdir().map_err(|e| failed(&e, ""))?;
        Ok(Self { directory, started: 0 })
    }

    /// Writes settings and catalog.
    pub(super) fn write(&self, options: &LocalOptions) -> Result<(), Fault> {
        let catalog = self.directory.path().join("catalog.toml");
        std::fs::write(&catalog, &options.catalog).map_err(|error| failed(&error, ""))?;
        let settings = settings_text(&options.settings, &catalog)?;
        std::fs::write(self.settings(), settings).map_err(|error| failed(&error, ""))
    }

    fn settings(&self) -> PathBuf {
        self.directory.path().join("interlock.toml")
    }

    fn next_log(&mut self) -> PathBuf {
        self.started += 1;
        self.directory.path().join(format!("worker-{}.log", self.started))
    }
}

/// Where a worker process finds its tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkerPlace<'a> {
    /// The address of Temporal, `HOST:PORT`.
    pub(super) address: &'a str,
    /// The namespace.
    pub(super) namespace: &'a str,
}

/// A running worker process. Dropping it kills it.
pub struct WorkerProcess {
    workload: Workload,
    process: ServerProcess,
    log: PathBuf,
}

impl WorkerProcess {
    /// Starts `interlock worker`, and returns when it is ready.
    pub(super) async fn start(
        binary: &Path,
        workload: Workload,
        place: WorkerPlace<'_>,
        files: &mut WorkerFiles,
        environment: &[(&str, &str)],
    ) -> Result<Self, Fault> {
        let arguments = ["worker", "--workload", workload.as_str(), "--listen", "127.0.0.1:0"].map(OsString::from);
        let (mut process, log) = spawn(binary, &arguments, place, files, environment)?;
        until_said(&mut process, &log, READY_LINE).await?;
        Ok(Self { workload, process, log })
    }

    /// The address of its `/healthz`, `/readyz` and `/metrics`, `http://HOST:PORT`; none if it did not report it.
    pub fn health_url(&self) -> Option<String> {
        let log = self.log_text();
        let said = log.lines().find(|line| line.starts_with(READY_LINE))?;
        let said: serde_json::Value = serde_json::from_str(said).ok()?;
        said["listen"].as_str().map(str::to_owned)
    }

    /// Its workload.
    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its whole log.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it (SIGKILL), as a crash would, and returns when it has ended.
    ///
    /// # Errors
    /// [`Fault`] if it cannot be killed.
    pub async fn kill(self) -> Result<(), Fault> {
        self.process.kill().await.map_err(|error| not_ended(&error))
    }

    /// Sends SIGTERM so that it drains, and returns at once.
    ///
    /// # Errors
    /// [`Fault`] if the signal cannot be sent.
    pub fn ask_to_drain(&self) -> Result<(), Fault> {
        self.process.ask_to_end().map_err(|error| not_ended(&error))
    }

    /// Waits until it has ended, and returns its exit status.
    ///
    /// # Errors
    /// [`Fault`] if that cannot be found out.
    pub async fn ended(&mut self) -> Result<ExitStatus, Fault> {
        self.process.ended().await.map_err(|error| not_ended(&error))
    }

    /// Sends SIGTERM so that it drains, and returns when it has ended (after 10 s it is killed).
    ///
    /// # Errors
    /// [`Fault`] if it cannot be stopped.
    pub async fn stop(self) -> Result<(), Fault> {
        self.process.stop().await.map_err(|error| not_ended(&error))
    }
}

/// A running gateway process. Dropping it kills it.
pub struct GatewayProcess {
    process: ServerProcess,
    url: String,
}

impl GatewayProcess {
    /// Starts `interlock gateway` on a free port, and returns when it listens.
    pub(super) async fn start(
        binary: &Path,
        place: WorkerPlace<'_>,
        files: &mut WorkerFiles,
        environment: &[(&str, &str)],
    ) -> Result<Self, Fault> {
        let arguments = ["gateway", "--listen", "127.0.0.1:0"].map(OsString::from);
        let (mut process, log) = spawn(binary, &arguments, place, files, environment)?;
        let ready = until_said(&mut process, &log, "{\"gateway\":").await?;
        let ready: serde_json::Value = serde_json::from_str(&ready).map_err(|error| failed(&error, &ready))?;
        let url = ready["gateway"].as_str().unwrap_or_default().to_owned();
        Ok(Self { process, url })
    }

    /// Its address, `http://HOST:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills it (SIGKILL), as a crash would, and returns when it has ended.
    ///
    /// # Errors
    /// [`Fault`] if it cannot be killed.
    pub async fn kill(self) -> Result<(), Fault> {
        self.process.kill().await.map_err(|error| not_ended(&error))
    }

    /// Sends SIGTERM so that it drains, and returns when it has ended (after 10 s it is killed).
    ///
    /// # Errors
    /// [`Fault`] if it cannot be stopped.
    pub async fn stop(self) -> Result<(), Fault> {
        self.process.stop().await.map_err(|error| not_ended(&error))
    }
}

/// Starts the binary with these arguments and the written settings. Profiles and variables of this process's environment are not for it.
fn spawn(
    binary: &Path,
    command: &[OsString],
    place: WorkerPlace<'_>,
    files: &mut WorkerFiles,
    environment: &[(&str, &str)],
) -> Result<(ServerProcess, PathBuf), Fault> {
    let log = files.next_log();
    let log_file = File::create(&log).map_err(|error| failed(&error, ""))?;
    let mut arguments: Vec<OsString> = Vec::new();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("TEMPORAL_") || text.starts_with("INTERLOCK_") {
            arguments.extend(["-u".into(), name]);
        }
    }
    arguments.extend(environment.iter().map(|(name, value)| format!("{name}={value}").into()));
    arguments.push(binary.into());
    arguments.extend_from_slice(command);
    arguments.extend(["--address", place.address, "--namespace", place.namespace].map(OsString::from));
    arguments.extend(["--output", "jsonl", "--config"].map(OsString::from));
    arguments.push(files.settings().into());
    let process = ServerProcess::spawn(Path::new("env"), &arguments, &log_file).map_err(|error| failed(&error, ""))?;
    Ok((process, log))
}

/// Waits until a process writes a line with this beginning to its log, and returns the line. It is its first output when it is ready.
async fn until_said(process: &mut ServerProcess, log: &Path, beginning: &str) -> Result<String, Fault> {
    let limit = Instant::now() + READY_LIMIT;
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.starts_with(beginning)) {
            return Ok(line.to_owned());
        }
        if let Ok(ended) = tokio::time::timeout(READY_PAUSE, process.ended()).await {
            let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            let text = std::fs::read_to_string(log).unwrap_or_default();
            return Err(failed(&format!("it exited too early ({status})"), &text));
        }
        if Instant::now() > limit {
            return Err(failed(&"it was not ready in time", &text));
        }
    }
}

fn failed(reason: &dyn std::fmt::Display, log: &str) -> Fault {
    let tail: String = log.chars().skip(log.chars().count().saturating_sub(LOG_TAIL_MAX)).collect();
    let said = if tail.is_empty() { String::new() } else { format!(" Its output:\n{}", tail.trim_end()) };
    Fault::failed(ErrorCode::WorkerProcessFailed, format!("A worker process could not be started: {reason}.{said}"))
}

fn not_ended(error: &dyn std::fmt::Display) -> Fault {
    Fault::failed(ErrorCode::WorkerProcessNotEnded, format!("A worker process could not be stopped: {error}."))
}

/// The settings as a file. Secrets of targets are not written to disk: a target that needs one is rejected.
fn settings_text(settings: &Settings, catalog: &Path) -> Result<String, Fault> {
    let mut file = Table::new();
    file.insert("prefix".into(), settings.prefix.as_str().into());
    // Without it a process uses the recorded number when it starts.
    if let Some(shards) = settings.queue_shards {
        file.insert("queue_shards".into(), Value::Integer(shards.get().into()));
    }
    file.insert("catalog".into(), catalog.display().to_string().into());
    if let Some(key) = &settings.id_key {
        file.insert("id_key".into(), key.expose_secret().into());
    }
    file.insert("codec".into(), codec_table(&settings.codec)?.into());
    file.insert("log".into(), Table::from_iter([("level".to_owned(), settings.log.level.as_str().into())]).into());
    let unwritten = |error: toml::ser::Error| failed(&error, "");
    file.insert("limits".into(), Value::try_from(settings.limits).map_err(unwritten)?);
    file.insert("workers".into(), Value::try_from(settings.workers).map_err(unwritten)?);
    file.insert("sweep".into(), Value::try_from(settings.sweep).map_err(unwritten)?);
    file.insert("alerts".into(), Value::try_from(&settings.alerts).map_err(unwritten)?);
    file.insert("tenants".into(), Value::try_from(&settings.tenants).map_err(unwritten)?);
    file.insert("realms".into(), Value::try_from(&settings.realms).map_err(unwritten)?);
    if let Some(callbacks) = &settings.callbacks {
        file.insert("callbacks".into(), callbacks_table(callbacks)?.into());
    }
    let targets: Result<Table, Fault> = settings
        .targets
        .iter()
        .map(|(target, of)| Ok((target.to_string(), target_table(target, of)?.into())))
        .collect();
    file.insert("targets".into(), targets?.into());
    toml::to_string(&file).map_err(unwritten)
}

/// The settings for call backs. Keys themselves are not written to disk.
fn callbacks_table(settings: &CallbackSettings) -> Result<Table, Fault> {
    let place = |key: &Secret| match key {
        Secret::Text(_) => Err(Fault::wrong_use(
            ErrorCode::TargetNotForProcesses,
            "A key of [callbacks] is written in the settings, and keys are not written to disk for worker processes.",
        )),
        Secret::Environment(place) => Ok(Table::from_iter([("env".to_owned(), place.env.as_str().into())]).into()),
        Secret::File(place) => {
            Ok(Table::from_iter([("file".to_owned(), place.file.display().to_string().into())]).into())
        }
    };
    let keys: Vec<Value> = settings.keys.iter().map(place).collect::<Result<_, Fault>>()?;
    Ok(Table::from_iter([("url".to_owned(), settings.url.as_str().into()), ("keys".to_owned(), keys.into())]))
}

/// The settings for the codec's keys. Keys themselves are not written to disk.
fn codec_table(settings: &CodecSettings) -> Result<Table, Fault> {
    let mut table = Table::new();
    let mut keys = Table::new();
    for (id, source) in &settings.keys {
        let KeySource::File { file } = source else {
            return Err(Fault::wrong_use(
                ErrorCode::CodecKeyNotForProcesses,
                format!(
                    "The key '{id}' of the codec is written in the settings, and keys are not written to disk for \
                     worker processes."
                ),
            ));
        };
        keys.insert(id.to_string(), Table::from_iter([("file".to_owned(), file.display().to_string().into())]).into());
    }
    table.insert("keys".into(), keys.into());
    if let Some(directory) = &settings.keys_directory {
        table.insert("keys_directory".into(), directory.display().to_string().into());
    }
    if let Some(id) = &settings.current_key {
        table.insert("current_key".into(), id.as_str().into());
    }
    table.insert("encrypt".into(), settings.encrypt.into());
    Ok(table)
}

fn target_table(target: &TargetId, settings: &TargetSettings) -> Result<Table, Fault> {
    if !matches!(settings.auth, Authentication::None) {
        return Err(Fault::wrong_use(
            ErrorCode::TargetNotForProcesses,
            format!("The target '{target}' needs a secret, and secrets are not written to disk for worker processes."),
        ));
    }
    let duration = |duration: Duration| Value::from(format!("{}ms", duration.as_millis()));
    let mut table = Table::new();
    table.insert("adapter".into(), settings.adapter.as_str().into());
    if let Some(base_url) = &settings.base_url {
        table.insert("base_url".into(), base_url.as_str().into());
    }
    table.insert("timeout".into(), duration(settings.timeout));
    table.insert("connect_timeout".into(), duration(settings.connect_timeout));
    if let Some(delay) = settings.max_apply_delay {
        table.insert("max_apply_delay".into(), duration(delay));
    }
    if let Some(file) = &settings.file {
        table.insert("file".into(), Value::from(file.to_string_lossy().into_owned()));
        table.insert("parameters".into(), Value::try_from(&settings.parameters).map_err(|error| failed(&error, ""))?);
    }
    if let Some(producer) = &settings.producer {
        table.insert("producer".into(), producer.as_str().into());
    }
    table.insert("callbacks".into(), settings.callbacks.into());
    table.insert("idempotency_keys".into(), settings.idempotency_keys.into());
    table.insert("verify".into(), settings.verify.into());
    if let Some(on_ambiguous) = settings.on_ambiguous {
        table.insert("on_ambiguous".into(), Value::try_from(on_ambiguous).map_err(|error| failed(&error, ""))?);
    }
    let unwritten = |error: toml::ser::Error| failed(&error, "");
    if let Some(rate) = settings.rate_per_second {
        table.insert("rate_per_second".into(), rate.get().into());
    }
    if let Some(rate) = settings.rate_per_tenant {
        table.insert("rate_per_tenant".into(), rate.get().into());
    }
    if let Some(concurrency) = settings.concurrency {
        table.insert("concurrency".into(), Value::try_from(concurrency).map_err(unwritten)?);
    }
    table.insert("outage".into(), Value::try_from(&settings.outage).map_err(unwritten)?);
    table.insert("maintenance".into(), Value::try_from(&settings.maintenance).map_err(unwritten)?);
    table.insert("ifc_path".into(), settings.ifc_path.as_str().into());
    table.insert("scan_rows_max".into(), Value::Integer(settings.scan_rows_max.into()));
    table.insert("releases".into(), Value::try_from(&settings.releases).map_err(unwritten)?);
    table.insert("fence".into(), Value::try_from(settings.fence).map_err(|error| failed(&error, ""))?);
    table.insert("profiles".into(), Value::try_from(&settings.profiles).map_err(|error| failed(&error, ""))?);
    table.insert("retry_after_max".into(), duration(settings.retry_after_max));
    table.insert("empty_success".into(), settings.empty_success.into());
    if let Some(success) = &settings.success {
        table.insert("success".into(), Value::try_from(success).map_err(unwritten)?);
    }
    // What the kind ignores is refused where it is read.
    table.retain(|key, _| settings.adapter.ignored([key]).is_none());
    Ok(table)
}
