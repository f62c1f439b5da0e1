//! The server's process: it cannot outlive the process that started it, even if that one is killed. Worker
//! processes of a local platform are run in the same way.
//!
//! Linux's parent-death signal needs `unsafe` code and exists on Linux only. Instead `sh` puts a watchdog in the background and then
//! *becomes* the server (`exec`, so the process id is the server's own). The watchdog reads from a pipe whose other end
//! this process holds and never writes to: when this process ends, however it ends, the watchdog reads the end of the
//! pipe and kills its process group, which is the server and itself. The group is the server's own, so a Ctrl-C in the
//! terminal does not reach the server before the workers have drained.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin, Command};

use super::error::TemporalServerError;

/// `$1` is the server's binary. The watchdog does not keep the server's log open and ignores the server's signals, so that
/// it ends only with the pipe or with the group.
const LAUNCH: &str = r#"
exec 3<&0 </dev/null
(trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
exec "$@"
"#;

/// How long a server may take to end after SIGTERM, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running server process. Dropping it kills the server.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    pid: u32,
    /// The watchdog's pipe: nothing is written to it; the watchdog notices when it closes.
    _lifeline: Option<ChildStdin>,
}

impl ServerProcess {
    /// Starts `binary`, appending its output to `log`.
    pub fn spawn(binary: &Path, arguments: &[OsString], log: &File) -> Result<Self, TemporalServerError> {
        let failed = |source| TemporalServerError::Spawn { path: binary.to_owned(), source };
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(LAUNCH)
            .arg("sh")
            .arg(binary)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log.try_clone().map_err(failed)?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let lifeline = child.stdin.take();
        let pid = child.id().ok_or_else(|| failed(std::io::Error::other("it exited at once")))?;
        Ok(Self { child, pid, _lifeline: lifeline })
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the server ends by itself.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The exit status, if it has ended by itself.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, TemporalServerError> {
        self.child.try_wait().map_err(|error| self.stop_error(&error))
    }

    /// Kills the server (SIGKILL) and waits until it is gone.
    pub async fn kill(mut self) -> Result<(), TemporalServerError> {
        self.kill_group()?;
        self.reap().await
    }

    /// Sends SIGTERM to the server.
    pub fn ask_to_end(&self) -> Result<(), TemporalServerError> {
        // The process has not been reaped, so its id cannot belong to another one.
        match kill(self.group(), Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(self.stop_error(&errno)),
        }
    }

    /// Sends SIGTERM to the server and waits until it has ended; kills it if it does not end in time.
    pub async fn stop(mut self) -> Result<(), TemporalServerError> {
        self.ask_to_end()?;
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            tracing::warn!(pid = self.pid, "the Temporal server did not stop when asked to; killing it");
        }
        // The watchdog is a member of the group, so the group's id still belongs to it.
        self.kill_group()?;
        self.reap().await
    }

    async fn reap(&mut self) -> Result<(), TemporalServerError> {
        match self.child.wait().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.stop_error(&error)),
        }
    }

    fn kill_group(&self) -> Result<(), TemporalServerError> {
        match killpg(self.group(), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(self.stop_error(&errno)),
        }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.pid.cast_signed())
    }

    fn stop_error(&self, reason: &dyn std::fmt::Display) -> TemporalServerError {
        TemporalServerError::Stop { pid: self.pid, reason: reason.to_string() }
    }
}
