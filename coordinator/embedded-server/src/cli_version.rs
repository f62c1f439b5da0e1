//! The version of a Temporal CLI, as it reports it, and the oldest version that can be used.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// The oldest Temporal server that Interlock supports: it has every call that Interlock needs (update-with-start,
/// `UpdateTaskQueueConfig`, standalone activities, fairness keys), and the tests use it.
pub const SERVER_VERSION_MIN: Triple = Triple(1, 32, 0);

/// How long the CLI may take to report its version: usually 40 ms; a machine under load needs longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A version with three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Triple(pub u32, pub u32, pub u32);

impl fmt::Display for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Triple {
    /// Reads `1.32.0`; anything after a `-` or `+` is ignored.
    fn parse(text: &str) -> Option<Self> {
        let core = text.trim_start_matches('v').split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(|number| number.parse().ok());
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }
}

/// The output of `temporal --version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CliVersion {
    /// The version of the CLI.
    pub cli: Triple,
    /// The version of the server in it.
    pub server: Triple,
}

impl fmt::Display for CliVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (server {})", self.cli, self.server)
    }
}

impl CliVersion {
    /// Reads `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.trim().split_once("version ")?;
        let (cli, rest) = rest.split_once(' ')?;
        let (_, rest) = rest.split_once("Server ")?;
        let server = rest.split([',', ')']).next()?;
        Some(Self { cli: Triple::parse(cli)?, server: Triple::parse(server)? })
    }

    /// Asks the binary at `path` for its version, and refuses one that is too old. The error is half a sentence: why it cannot be used.
    pub(super) async fn of_usable(path: &Path) -> Result<Self, String> {
        let answer = Command::new(path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(ANSWER_LIMIT, answer)
            .await
            .map_err(|_| format!("it did not report its version within {} s", ANSWER_LIMIT.as_secs()))?
            .map_err(|error| format!("it cannot be run ({error})"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = Self::parse(&text).ok_or_else(|| {
            let first_line = text.lines().next().unwrap_or_default();
            format!("it does not report its version as the Temporal CLI does ({}, '{first_line}')", output.status)
        })?;
        if version.server < SERVER_VERSION_MIN {
            return Err(format!("it is too old: version {version}; server {SERVER_VERSION_MIN} or newer is needed"));
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_the_cli_says() {
        let version = CliVersion::parse("temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)\n").unwrap();
        assert_eq!(version, CliVersion { cli: Triple(1, 9, 1), server: Triple(1, 32, 0) });
        assert_eq!(version.to_string(), "1.9.1 (server 1.32.0)");
        let pre = CliVersion::parse("temporal version 1.10.0-rc.1 (Server 1.33.0-152.1, UI 2.60.0)").unwrap();
        assert_eq!(pre.server, Triple(1, 33, 0));
        assert_eq!(CliVersion::parse("GNU coreutils 9.1"), None);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Triple(1, 9, 1) < Triple(1, 10, 0));
        assert!(Triple(1, 32, 0) >= SERVER_VERSION_MIN);
    }
}
