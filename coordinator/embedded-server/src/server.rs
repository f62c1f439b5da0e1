//! An embedded Temporal server: started, killed, restarted on its file and its ports, stopped.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use url::Url;

use super::cli::TemporalCli;
use super::error::TemporalServerError;
use super::process::ServerProcess;
use super::readiness::{log_tail, wait_until_ready};
use super::start_arguments::{BIND_ADDRESS, StartArguments};

/// How often a start is retried with other ports, if another process took a free one in between.
const PORT_ATTEMPTS_MAX: usize = 3;

/// How to run a server. The default: in memory, a free port, no UI, only the namespace `default`.
#[derive(Debug, Clone)]
pub struct EmbeddedServerOptions {
    /// The SQLite file for all data. Without one, data are kept in memory, and a restart loses them.
    pub db_file: Option<PathBuf>,
    /// The port of the gRPC front end; a free one if none is named.
    pub frontend_port: Option<u16>,
    /// Whether the web UI runs, on a free port unless `ui_port` names one.
    pub ui: bool,
    /// The port of the web UI; a free one if none is named.
    pub ui_port: Option<u16>,
    /// The codec server that the web UI uses, if there is one.
    pub ui_codec_endpoint: Option<String>,
    /// Namespaces to create in addition to `default`.
    pub namespaces: Vec<String>,
    /// The server's log file, which is appended to. Without one, a file that is removed with the server.
    pub log_file: Option<PathBuf>,
    /// Additional settings of the server as key and JSON value; they override Interlock's own.
    pub dynamic_config: Vec<(String, String)>,
    /// How long the server may take until it answers.
    pub startup_limit: Duration,
}

impl Default for EmbeddedServerOptions {
    fn default() -> Self {
        Self {
            db_file: None,
            frontend_port: None,
            ui: false,
            ui_port: None,
            ui_codec_endpoint: None,
            namespaces: Vec::new(),
            log_file: None,
            dynamic_config: Vec::new(),
            startup_limit: Duration::from_mins(1),
        }
    }
}

/// The ports of a server; they stay the same over restarts.
#[derive(Debug, Clone, Copy)]
struct Ports {
    frontend: u16,
    ui: Option<u16>,
}

/// A running Temporal server. It ends when this is dropped, and when this process ends in any way.
#[derive(Debug)]
pub struct EmbeddedServer {
    cli: TemporalCli,
    options: EmbeddedServerOptions,
    ports: Ports,
    target: Url,
    log_file: PathBuf,
    /// None after a kill, until the restart.
    process: Option<ServerProcess>,
    /// The directory of the log if the caller named no file; dropped last.
    _log_directory: Option<TempDir>,
}

impl EmbeddedServer {
    /// Starts a server and returns when it answers for all its namespaces.
    ///
    /// # Errors
    /// [`TemporalServerError`]: it cannot be run, ended early (with the end of its log), or did not answer in time.
    pub async fn start(cli: &TemporalCli, options: EmbeddedServerOptions) -> Result<Self, TemporalServerError> {
        let (log_file, log_directory) =
            log_place(&options).map_err(|source| TemporalServerError::Spawn { path: cli.path.clone(), source })?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let ports = choose_ports(&options)
                .map_err(|source| TemporalServerError::Spawn { path: cli.path.clone(), source })?;
            match run(cli, &options, ports, &log_file).await {
                Ok(process) => {
                    return Ok(Self {
                        cli: cli.clone(),
                        target: target_of(cli, ports.frontend)?,
                        ports,
                        log_file,
                        process: Some(process),
                        _log_directory: log_directory,
                        options,
                    });
                }
                Err(error) if attempts < PORT_ATTEMPTS_MAX && is_port_in_use(&error) => {
                    tracing::debug!(attempts, "a free port was taken by another process; trying other ports");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The address of its gRPC front end in the form for `--address`: `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("{BIND_ADDRESS}:{}", self.ports.frontend)
    }

    /// The address of its gRPC front end in the form for the Temporal client.
    pub fn target(&self) -> &Url {
        &self.target
    }

    /// The address of its web UI, if it runs.
    pub fn ui_url(&self) -> Option<String> {
        self.ports.ui.map(|port| format!("http://{BIND_ADDRESS}:{port}"))
    }

    /// Its process id; none between a kill and the restart.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    /// The binary it runs.
    pub fn cli(&self) -> &TemporalCli {
        &self.cli
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log_file)
    }

    /// Kills the server (SIGKILL), as a crash would, and returns when it has ended. If it has already ended, it does
    /// nothing.
    ///
    /// # Errors
    /// [`TemporalServerError::Stop`].
    pub async fn kill(&mut self) -> Result<(), TemporalServerError> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts the server again, on the same file and the same ports; kills it first if it still runs. Returns
    /// when it answers. Without a database file the new server knows nothing of the old one.
    ///
    /// # Errors
    /// As [`EmbeddedServer::start`].
    pub async fn restart(&mut self) -> Result<(), TemporalServerError> {
        self.kill().await?;
        self.process = Some(run(&self.cli, &self.options, self.ports, &self.log_file).await?);
        Ok(())
    }

    /// Sends SIGTERM to the server, and returns when it has ended (after 10 s it is killed).
    ///
    /// # Errors
    /// [`TemporalServerError::Stop`].
    pub async fn stop(mut self) -> Result<(), TemporalServerError> {
        match self.process.take() {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }

    /// Waits until the server ends by itself, which it should not; returns at once if it was killed. `dev` uses it
    /// to report the end instead of continuing without a server.
    pub async fn ended(&mut self) -> String {
        match &mut self.process {
            Some(process) => process.ended().await.map_or_else(|error| error.to_string(), |status| status.to_string()),
            None => "it was killed".to_owned(),
        }
    }
}

/// Where the log goes: the named file, or one in a temporary directory.
fn log_place(options: &EmbeddedServerOptions) -> std::io::Result<(PathBuf, Option<TempDir>)> {
    if let Some(file) = &options.log_file {
        return Ok((file.clone(), None));
    }
    let directory = tempfile::Builder::new().prefix("interlock-temporal-").tempdir()?;
    Ok((directory.path().join("server.log"), Some(directory)))
}

/// Starts the process and waits until it is ready.
async fn run(
    cli: &TemporalCli,
    options: &EmbeddedServerOptions,
    ports: Ports,
    log_file: &Path,
) -> Result<ServerProcess, TemporalServerError> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(log_file)
        .map_err(|source| TemporalServerError::Spawn { path: cli.path.clone(), source })?;
    let arguments = StartArguments {
        frontend_port: ports.frontend,
        ui_port: ports.ui,
        ui_codec_endpoint: options.ui_codec_endpoint.as_deref(),
        db_file: options.db_file.as_deref(),
        namespaces: &options.namespaces,
        dynamic_config: &options.dynamic_config,
    };
    let mut process = ServerProcess::spawn(&cli.path, &arguments.to_vec(), &log)?;
    let mut namespaces = vec!["default".to_owned()];
    namespaces.extend(options.namespaces.iter().cloned());
    let target = target_of(cli, ports.frontend)?;
    wait_until_ready(&mut process, &target, &namespaces, options.startup_limit, log_file).await?;
    tracing::debug!(pid = process.pid(), %target, version = %cli.version, "the Temporal server is ready");
    Ok(process)
}

/// The named ports, and free ones for those that are not named. All are held during the choice, so that they differ.
fn choose_ports(options: &EmbeddedServerOptions) -> std::io::Result<Ports> {
    let frontend = TcpListener::bind((BIND_ADDRESS, 0))?;
    let ui = TcpListener::bind((BIND_ADDRESS, 0))?;
    let free_ui = ui.local_addr()?.port();
    Ok(Ports {
        frontend: options.frontend_port.unwrap_or(frontend.local_addr()?.port()),
        ui: options.ui.then_some(options.ui_port.unwrap_or(free_ui)),
    })
}

fn target_of(cli: &TemporalCli, port: u16) -> Result<Url, TemporalServerError> {
    Url::parse(&format!("http://{BIND_ADDRESS}:{port}"))
        .map_err(|error| TemporalServerError::Spawn { path: cli.path.clone(), source: std::io::Error::other(error) })
}

fn is_port_in_use(error: &TemporalServerError) -> bool {
    // The last is the dev server's panic if another process took a port that it had chosen: the tail of the
    // log then has only the stack.
    let signs = ["address already in use", "port is not available", "devserver.(*StartOptions).buildServer"];
    matches!(error, TemporalServerError::EndedEarly { log_tail, .. } if signs.iter().any(|sign| log_tail.contains(sign)))
}
