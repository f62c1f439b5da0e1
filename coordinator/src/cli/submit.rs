//! `interlock submit FILE|-`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interlock_connection::{ASKING_LIMIT, CallRetries, ConnectionFlags, Installation};
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::event_result::{EventResult, EventStatus};
use interlock_domain::ids::TenantId;
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::ingest::{Ingest, events_of_json};
use interlock_operations::strict_json::JsonLimits;
use interlock_settings::Settings;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use super::output::{Output, OutputFormat};

/// How many events are sent at a time: enough to keep Temporal busy, few enough for memory.
const CHUNK_EVENTS: usize = 256;
/// The longest line of NDJSON, and the longest text that is read as one piece, in bytes.
const TEXT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// `submit`.
#[derive(Debug, Args)]
pub(super) struct SubmitCommand {
    /// File with one CloudEvent, a batch (a JSON array), or NDJSON (one event per line); - reads from stdin
    file: PathBuf,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// The results, counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    accepted: u64,
    rejected: u64,
    unknown: u64,
}

impl Tally {
    fn add(&mut self, status: EventStatus) {
        *match status {
            EventStatus::Accepted => &mut self.accepted,
            EventStatus::Rejected => &mut self.rejected,
            EventStatus::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// Exit code 0 if all events were accepted, 1 if any was rejected or is unknown.
pub(super) async fn run(command: &SubmitCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = settings.tenant.clone();
    let catalog = settings.catalog()?;
    let mut source = Source::open(command).await?;
    let connected = Installation::connect(&command.connection, settings, catalog, CallRetries::Brief, ASKING_LIMIT);
    let ingest = Ingest::new(connected.await?);
    let progress = progress(source.bytes);
    let mut tally = Tally::default();
    let mut all = Vec::new();
    loop {
        let chunk = source.chunk().await?;
        if chunk.is_empty() {
            break;
        }
        for result in send(&ingest, &tenant, chunk).await {
            tally.add(result.status);
            match output.format() {
                // One array at the end.
                OutputFormat::Json => all.push(result),
                _ => progress.suspend(|| output.one(&result, text))?,
            }
        }
        progress.set_position(source.read);
        progress.set_message(format!(
            "{} accepted, {} rejected, {} unknown",
            tally.accepted, tally.rejected, tally.unknown
        ));
    }
    progress.finish();
    if output.format() == OutputFormat::Json {
        output.one(&all, |_| String::new())?;
    }
    Ok(ExitCode::from(u8::from(tally.rejected + tally.unknown > 0)))
}

async fn send(ingest: &Ingest, tenant: &TenantId, chunk: Vec<Value>) -> Vec<EventResult> {
    ingest.batch(tenant, chunk).await.results
}

/// The order's id for an accepted event; a line of explanation for any other.
fn text(result: &EventResult) -> String {
    let order = result.order_id.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string);
    if result.status == EventStatus::Accepted {
        return order;
    }
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let line = format!(
        "{order} {} event {} [{}] {}",
        result.status.as_str(),
        result.event_id.clone().unwrap_or_else(|| "–".to_owned()),
        result.code.as_ref().map_or("", ReasonCode::as_str),
        part(&result.detail)
    );
    terminal::line(&line).into_owned()
}

fn progress(bytes: Option<u64>) -> ProgressBar {
    // On stderr, and only if it is a terminal.
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
    let template = match bytes {
        Some(_) => "{bar:30} {percent:>3} % {elapsed} {msg}",
        None => "{spinner} {bytes} {elapsed} {msg}",
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The source of the events.
struct Source {
    reader: Box<dyn AsyncBufRead + Unpin + Send>,
    /// Its length, if it is known.
    bytes: Option<u64>,
    read: u64,
    /// Events that were read and not returned yet.
    waiting: VecDeque<Value>,
}

impl Source {
    async fn open(command: &SubmitCommand) -> Result<Self, Fault> {
        if command.file.as_os_str() == "-" {
            let reader = Box::new(BufReader::new(tokio::io::stdin()));
            return Ok(Self { reader, bytes: None, read: 0, waiting: VecDeque::new() });
        }
        let file = File::open(&command.file).await.map_err(|error| unreadable(command, &error))?;
        let bytes = file.metadata().await.map_err(|error| unreadable(command, &error))?.len();
        Ok(Self { reader: Box::new(BufReader::new(file)), bytes: Some(bytes), read: 0, waiting: VecDeque::new() })
    }

    /// The next events; empty at the end.
    async fn chunk(&mut self) -> Result<Vec<Value>, Fault> {
        while self.waiting.len() < CHUNK_EVENTS && self.line().await? {}
        let taken = self.waiting.len().min(CHUNK_EVENTS);
        Ok(self.waiting.drain(..taken).collect())
    }

    /// Reads one line, or the whole rest if the line is only the start of a JSON text. Returns false at the end.
    async fn line(&mut self) -> Result<bool, Fault> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(TEXT_BYTES_MAX);
        if limited.read_until(b'\n', &mut line).await.map_err(|error| not_read(&error))? == 0 {
            return Ok(false);
        }
        self.read += line.len() as u64;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(true);
        }
        // A pretty-printed event or batch: its first line is not valid JSON, but the whole text is.
        let is_beginning = serde_json::from_slice::<Value>(&line).is_err_and(|error| error.is_eof());
        if is_beginning {
            let mut rest = Vec::new();
            limited = (&mut self.reader).take(TEXT_BYTES_MAX);
            limited.read_to_end(&mut rest).await.map_err(|error| not_read(&error))?;
            self.read += rest.len() as u64;
            line.extend(rest);
        }
        match events_of_json(&line, JsonLimits::NONE) {
            Ok(events) => self.waiting.extend(events),
            // It becomes one rejected event, with a reason.
            Err(_) => self.waiting.push_back(Value::String(String::from_utf8_lossy(&line).into_owned())),
        }
        Ok(true)
    }
}

fn unreadable(command: &SubmitCommand, error: &std::io::Error) -> Fault {
    Fault::wrong_use(
        ErrorCode::EventsUnreadable,
        format!("The file {} cannot be read: {error}.", command.file.display()),
    )
    .with_next("Check the path; - reads from stdin.")
}

fn not_read(error: &std::io::Error) -> Fault {
    Fault::failed(ErrorCode::EventsUnreadable, format!("Reading the events failed: {error}."))
        .with_next("Run it again: events that were already sent are not accepted twice.")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn events(text: &str) -> Vec<Value> {
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let mut source = Source { reader, bytes: None, read: 0, waiting: VecDeque::new() };
        let mut all = Vec::new();
        loop {
            let chunk = source.chunk().await.unwrap();
            if chunk.is_empty() {
                return all;
            }
            all.extend(chunk);
        }
    }

    #[tokio::test]
    async fn a_file_is_one_event_a_batch_or_lines() {
        assert_eq!(events("{\n \"id\": \"1\"\n}\n").await.len(), 1);
        assert_eq!(events("[{\"id\":\"1\"},\n{\"id\":\"2\"}]").await.len(), 2);
        assert_eq!(events("{\"id\":\"1\"}\n\n{\"id\":\"2\"}\n[{\"id\":\"3\"}]").await.len(), 3);
        let many = "{\"id\":\"1\"}\n".repeat(1_000);
        assert_eq!(events(&many).await.len(), 1_000);
    }

    #[tokio::test]
    async fn a_line_that_is_no_event_is_one_that_will_be_rejected() {
        let all = events("{\"id\":\"1\"}\nnonsense\n{\"id\":\"2\"}\n").await;
        assert_eq!(all.len(), 3);
        assert!(all[1].is_string());
    }
}
