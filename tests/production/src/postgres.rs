//! PostgreSQL: a cluster of its own in a directory, on a port of its own, reachable from this machine only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interlock_embedded_server::{ServerProcess, log_tail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tokio::process::Command;

use crate::binaries::{as_postgres_user, output};
use crate::error::ProductionServerError;

/// The database user of the Temporal server.
pub(crate) const USER: &str = "temporal";

/// How long a start may take. After a crash it first repeats what its log has.
const START_LIMIT: Duration = Duration::from_mins(1);
/// The time between two attempts to reach it.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);

/// A PostgreSQL cluster, running or stopped.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
    log: PathBuf,
    process: Option<ServerProcess>,
}

impl Postgres {
    /// Creates a cluster in `directory/postgres` where there is none, and starts it.
    pub(crate) async fn start(programs: &Path, directory: &Path, port: u16) -> Result<Self, ProductionServerError> {
        let data = directory.join("postgres");
        let log = directory.join("postgres.log");
        let mut postgres = Self { programs: programs.to_owned(), data, port, log, process: None };
        if !postgres.data.join("PG_VERSION").exists() {
            postgres.create().await?;
        }
        postgres.start_again().await?;
        Ok(postgres)
    }

    async fn create(&self) -> Result<(), ProductionServerError> {
        let failed = |source| ProductionServerError::File { path: self.data.clone(), source };
        std::fs::create_dir_all(&self.data).map_err(failed)?;
        if nix::unistd::geteuid().is_root() {
            let user = User::from_name("postgres").map_err(|errno| failed(errno.into()))?;
            let user =
                user.ok_or_else(|| failed(std::io::Error::other("there is no user 'postgres' to run PostgreSQL")))?;
            std::os::unix::fs::chown(&self.data, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(failed)?;
        }
        let (program, mut arguments) = as_postgres_user(self.programs.join("initdb").as_os_str());
        let options = ["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "-D"];
        arguments.extend(options.iter().map(Into::into));
        arguments.push(self.data.clone().into());
        output(Command::new(program).args(arguments), "creating the PostgreSQL cluster").await.map(drop)
    }

    /// Starts it, and returns when it answers. While processes of a killed one still hold its memory, it is tried again.
    pub(crate) async fn start_again(&mut self) -> Result<(), ProductionServerError> {
        let (program, arguments) = self.command_line();
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        let mut process = self.spawn(&program, &arguments)?;
        loop {
            let now = tokio::time::Instant::now();
            tokio::select! {
                biased;
                status = process.ended() => {
                    if now >= deadline {
                        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                        let log_tail = log_tail(&self.log);
                        return Err(ProductionServerError::EndedEarly { name: "PostgreSQL".to_owned(), status, log_tail });
                    }
                    tokio::time::sleep(ATTEMPT_PAUSE).await;
                    process = self.spawn(&program, &arguments)?;
                }
                answer = self.query("postgres", "SELECT 1") => match answer {
                    Ok(_) => {
                        self.process = Some(process);
                        return Ok(());
                    }
                    Err(error) if now >= deadline => {
                        return Err(ProductionServerError::NotReady {
                            name: "PostgreSQL".to_owned(),
                            limit: START_LIMIT,
                            last_answer: error.to_string(),
                            log_tail: log_tail(&self.log),
                        });
                    }
                    Err(_) => tokio::time::sleep(ATTEMPT_PAUSE).await,
                },
            }
        }
    }

    fn command_line(&self) -> (PathBuf, Vec<std::ffi::OsString>) {
        let (program, mut arguments) = as_postgres_user(self.programs.join("postgres").as_os_str());
        arguments.extend(["-D".into(), self.data.clone().into(), "-k".into(), self.data.clone().into()]);
        arguments.extend(["-h", "127.0.0.1", "-p", &self.port.to_string()].map(Into::into));
        for setting in ["max_connections=300", "shared_buffers=256MB", "max_wal_size=4GB"] {
            arguments.extend(["-c", setting].map(Into::into));
        }
        (program, arguments)
    }

    fn spawn(&self, program: &Path, arguments: &[std::ffi::OsString]) -> Result<ServerProcess, ProductionServerError> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|source| ProductionServerError::File { path: self.log.clone(), source })?;
        Ok(ServerProcess::spawn(program, arguments, &log)?)
    }

    /// Stops it at once, as a crash does: open transactions are lost, and the next start repairs (`pg_ctl stop -m immediate`).
    pub(crate) async fn stop_at_once(&mut self) -> Result<(), ProductionServerError> {
        self.end(Signal::SIGQUIT).await
    }

    /// Ends all connections and stops (`pg_ctl stop -m fast`).
    pub(crate) async fn stop(&mut self) -> Result<(), ProductionServerError> {
        self.end(Signal::SIGINT).await
    }

    async fn end(&mut self, signal: Signal) -> Result<(), ProductionServerError> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let failed = |reason: String| ProductionServerError::Command { what: "stopping PostgreSQL".to_owned(), reason };
        // The process has not been reaped, so its id is still its own.
        kill(Pid::from_raw(process.pid().cast_signed()), signal).map_err(|errno| failed(errno.to_string()))?;
        process.ended().await.map_err(|error| failed(error.to_string()))?;
        // The watchdog is left.
        Ok(process.kill().await?)
    }

    /// Copies its data to a directory that does not exist yet. It must be stopped.
    pub(crate) async fn copy_to(&self, copy: &Path) -> Result<(), ProductionServerError> {
        let mut cp = Command::new("cp");
        cp.arg("-a").arg(&self.data).arg(copy);
        output(&mut cp, "copying the data of PostgreSQL").await.map(drop)
    }

    /// Replaces its data by a copy. It must be stopped.
    pub(crate) async fn replace_by(&self, copy: &Path) -> Result<(), ProductionServerError> {
        let failed = |source| ProductionServerError::File { path: self.data.clone(), source };
        std::fs::remove_dir_all(&self.data).map_err(failed)?;
        let mut cp = Command::new("cp");
        cp.arg("-a").arg(copy).arg(&self.data);
        output(&mut cp, "restoring the data of PostgreSQL").await.map(drop)
    }

    /// Runs SQL as the Temporal server's user and returns the rows as text, with `|` between columns.
    pub(crate) async fn query(&self, database: &str, sql: &str) -> Result<String, ProductionServerError> {
        let port = self.port.to_string();
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", &port, "-U", USER, "-d", database, "-c", sql]);
        let output = output(&mut psql, "asking PostgreSQL").await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }
}
