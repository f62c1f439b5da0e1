//! What is written where: data to stdout in the asked form, faults to stderr.

use std::io::{ErrorKind, Write};

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

/// Writes what a command has to say.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: OutputFormat,
}

impl Output {
    /// Output in this form.
    pub fn new(format: OutputFormat) -> Self {
        Self { format }
    }

    /// The form.
    pub fn format(self) -> OutputFormat {
        self.format
    }

    /// Writes one thing: its JSON, or the text that `text` makes of it.
    ///
    /// # Errors
    /// [`Fault`] `output_failed`. That nobody reads any more (a closed pipe) is none.
    pub fn one<T: Serialize>(self, thing: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
        let line = match self.format {
            OutputFormat::Text => text(thing),
            OutputFormat::Json => serde_json::to_string_pretty(thing).map_err(|error| unwritten(&error))?,
            OutputFormat::Jsonl => serde_json::to_string(thing).map_err(|error| unwritten(&error))?,
        };
        write_raw(format!("{}\n", terminal::lines(line.trim_end())).as_bytes())
    }

    /// Writes one thing on one line in any form: for a program that starts this one and reads until a line is there.
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

    /// Writes a fault to stderr: as one JSON object on one line unless the form is text.
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

/// Writes something for a person to stderr, beside the data: a warning, a count.
pub fn tell(text: &str) {
    // Where stderr is closed there is nobody left to tell; the exit code says it still.
    let _written = writeln!(std::io::stderr().lock(), "{}", terminal::lines(text));
}

/// Writes bytes to stdout as they are.
///
/// # Errors
/// [`Fault`] `output_failed`. That nobody reads any more (a closed pipe) is none.
pub fn write_raw(bytes: &[u8]) -> Result<(), Fault> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

fn unwritten(error: &dyn std::fmt::Display) -> Fault {
    Fault::failed(ErrorCode::OutputFailed, format!("The output cannot be written: {error}."))
}
