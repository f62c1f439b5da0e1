//! Writes data to stdout in the chosen format, and faults to stderr.

use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;

use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_observability::terminal;
use serde::Serialize;

/// The format of data on stdout, and of errors on stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON value, over several lines.
    Json,
    /// One JSON value per line.
    Jsonl,
}

/// Writes the output of a command.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: OutputFormat,
}

impl Output {
    /// Output in this format.
    pub fn new(format: OutputFormat) -> Self {
        Self { format }
    }

    /// The format.
    pub fn format(self) -> OutputFormat {
        self.format
    }

    /// Writes one thing: as JSON, or as the text that `text` returns.
    ///
    /// # Errors
    /// [`Fault`] `output_failed`. A closed pipe is not a fault.
    pub fn one<T: Serialize>(self, thing: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
        write_raw(self.written(thing, text)?.as_bytes())
    }

    /// One thing as [`Output::one`] writes it, with the end of its last line.
    ///
    /// # Errors
    /// [`Fault`] `output_failed`.
    pub fn written<T: Serialize>(self, thing: &T, text: impl FnOnce(&T) -> String) -> Result<String, Fault> {
        let line = match self.format {
            OutputFormat::Text => text(thing),
            OutputFormat::Json => serde_json::to_string_pretty(thing).map_err(|error| unwritten(&error))?,
            OutputFormat::Jsonl => serde_json::to_string(thing).map_err(|error| unwritten(&error))?,
        };
        Ok(format!("{}\n", terminal::lines(line.trim_end())))
    }

    /// Writes one thing on one line in any format: for a program that starts this one and waits for a line.
    ///
    /// # Errors
    /// As [`Output::one`].
    pub fn line<T: Serialize>(self, thing: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
        let format = if self.format == OutputFormat::Json { OutputFormat::Jsonl } else { self.format };
        Self::new(format).one(thing, text)
    }

    /// Writes a list: an array as JSON, one line per element as JSON lines and as text.
    ///
    /// # Errors
    /// As [`Output::one`].
    pub fn list<T: Serialize>(self, things: &[T], text: impl Fn(&T) -> String) -> Result<(), Fault> {
        if self.format == OutputFormat::Json {
            return self.one(&things, |_| String::new());
        }
        things.iter().try_for_each(|thing| self.one(thing, &text))
    }

    /// Writes a fault to stderr: as one JSON object on one line, unless the format is text.
    pub fn fault(self, fault: &Fault) {
        let text = match self.format {
            OutputFormat::Text => format!("error: {fault}"),
            OutputFormat::Json | OutputFormat::Jsonl => {
                serde_json::to_string(fault).unwrap_or_else(|_| format!("error: {fault}"))
            }
        };
        tell(&text);
    }
}

/// Writes a text for a person to stderr, in addition to the data: a warning, a count.
pub fn tell(text: &str) {
    // If stderr is closed, the text is lost; the exit code still tells the result.
    let _written = writeln!(std::io::stderr().lock(), "{}", terminal::lines(text));
}

/// A thing as JSON.
///
/// # Errors
/// [`Fault`] `output_failed`.
pub fn json<T: Serialize>(thing: &T) -> Result<serde_json::Value, Fault> {
    serde_json::to_value(thing).map_err(|error| unwritten(&error))
}

/// Writes bytes to stdout unchanged.
///
/// # Errors
/// [`Fault`] `output_failed`. A closed pipe is not a fault.
pub fn write_raw(bytes: &[u8]) -> Result<(), Fault> {
    write_unless_closed(bytes).map(|_written| ())
}

/// As [`write_raw`]; [`ControlFlow::Break`] if nobody reads stdout any more: a command that writes again and again ends then.
///
/// # Errors
/// [`Fault`] `output_failed`. A closed pipe is not a fault.
pub fn write_unless_closed(bytes: &[u8]) -> Result<ControlFlow<()>, Fault> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(unwritten(&error)),
    }
}

fn unwritten(error: &dyn std::fmt::Display) -> Fault {
    Fault::failed(ErrorCode::OutputFailed, format!("The output cannot be written: {error}."))
}
