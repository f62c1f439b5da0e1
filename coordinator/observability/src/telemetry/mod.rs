//! Logs, as structured records on stderr, and traces, if a collector is configured.
//! Both are masked ([`masked`]).

mod masking;
mod traces;

use std::io::{IsTerminal, Write};

use interlock_domain::error_code::ErrorCode;
use interlock_fault::{Fault, with_causes};
use interlock_settings::{LogFormat, LogSettings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use masking::MaskedRecords;
pub use masking::masked;

use crate::terminal;

/// When to use colours.
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

/// Sends this process's logs to stderr, and its traces to the collector that the OTEL_* variables name, if any. Only the first
/// call in a process has an effect. Call it outside a Tokio runtime.
///
/// # Errors
/// [`Fault`] `setting_invalid` if the level is invalid, or the OTEL_* variables ask for something unsupported.
pub fn start(log: &LogSettings, color: Color) -> Result<(), Fault> {
    let filter = filter(&log.level)?;
    let has_colours = log.format == LogFormat::Text && color.on_stderr();
    let records = tracing_subscriber::fmt::layer().with_writer(MaskedRecords { has_colours });
    let records: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        LogFormat::Text => records.with_ansi(has_colours).with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => records.json().flatten_event(true).with_ansi(false).with_filter(filter).boxed(),
    };
    let traces = if traces::are_wanted() { Some(traces::layer()?) } else { None };
    if tracing_subscriber::registry().with(records).with(traces).try_init().is_err() {
        tracing::debug!("logging is already initialized");
        return Ok(());
    }
    std::panic::set_hook(Box::new(|panic| {
        // A panic's text may contain event data. If stderr is closed too, the text is lost.
        let text = format!("{panic}\n{}", std::backtrace::Backtrace::capture());
        let told = writeln!(std::io::stderr().lock(), "{}", terminal::lines(&masked(&text)));
        drop(told);
    }));
    Ok(())
}

/// Sends the traces that were not sent yet. Call it outside a Tokio runtime, at the very end.
pub fn finish() {
    traces::finish();
}

/// The filter for a level or filter text.
fn filter(level: &str) -> Result<EnvFilter, Fault> {
    EnvFilter::builder().parse(level).map_err(|error| {
        Fault::wrong_use(
            ErrorCode::SettingInvalid,
            format!(
                "The setting log.level is '{level}', which is not a valid level or filter: {}.",
                with_causes(&error)
            ),
        )
        .with_next("Use error, warn, info, debug, trace or off, or a filter such as 'info,interlock=debug'.")
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
        assert!(filter("warn,interlock=debug").is_ok());
        assert_eq!(filter("interlock=loud").unwrap_err().code, "setting_invalid");
    }
}
