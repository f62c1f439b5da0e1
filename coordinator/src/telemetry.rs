//! Logs: structured records on stderr, as text or as JSON lines.

use std::io::IsTerminal;

use interlock_domain::error_code::ErrorCode;
use tracing_subscriber::EnvFilter;

use crate::fault::{Fault, with_causes};
use crate::settings::{LogFormat, LogSettings};

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to use colours on stderr.
    pub fn on_stderr(self) -> bool {
        self.on(std::io::stderr().is_terminal())
    }

    /// Whether to use colours on stdout.
    pub fn on_stdout(self) -> bool {
        self.on(std::io::stdout().is_terminal())
    }

    fn on(self, is_terminal: bool) -> bool {
        self.resolve(is_terminal, std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()))
    }

    fn resolve(self, is_terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Auto => is_terminal && !no_color,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Sends this process's logs to stderr. The first call in a process decides; later ones change nothing.
///
/// # Errors
/// [`Fault`] `setting_invalid` where the level is none that can be read.
pub fn start(log: &LogSettings, color: Color) -> Result<(), Fault> {
    let filter = filter(&log.level)?;
    let records = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => records.with_ansi(color.on_stderr()).with_target(false).try_init(),
        LogFormat::Json => records.json().flatten_event(true).with_ansi(false).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logs are on already");
    }
    Ok(())
}

/// The filter that a level or filter text means.
fn filter(level: &str) -> Result<EnvFilter, Fault> {
    EnvFilter::builder().parse(level).map_err(|error| {
        Fault::wrong_use(
            ErrorCode::SettingInvalid,
            format!("The setting log.level is '{level}', which is no level or filter: {}.", with_causes(&error)),
        )
        .with_next(
            "Use error, warn, info, debug, trace or off, or a filter such as 'info,interlock_coordinator=debug'.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_terminal_unless_somebody_says_otherwise() {
        assert!(Color::Auto.resolve(true, false));
        assert!(!Color::Auto.resolve(true, true));
        assert!(!Color::Auto.resolve(false, false));
        assert!(Color::Always.resolve(false, true));
        assert!(!Color::Never.resolve(true, false));
    }

    #[test]
    fn a_level_that_is_none_is_told() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,interlock_coordinator=debug").is_ok());
        assert_eq!(filter("interlock=loud").unwrap_err().code, "setting_invalid");
    }
}
