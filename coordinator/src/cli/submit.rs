//! `interlock submit FILE|-`.

use std::collections::{BTreeMap, VecDeque};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interlock_connection::{ASKING_LIMIT, CallRetries, ConnectionFlags, Installation};
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::event_result::{EventResult, EventStatus};
use interlock_domain::ids::TenantId;
use interlock_domain::order::Rejection;
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::ingest::{ITEM_BYTES_MAX, Ingest, Item, NotRead, Splitter};
use interlock_settings::Settings;
use serde::Serialize;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};

use super::output::{Output, OutputFormat, tell, write_raw};
use super::submit_state::{Counts, State};

/// How many events are sent at a time: enough to keep Temporal busy, few enough for memory.
const CHUNK_EVENTS: usize = 256;
/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// `submit`.
#[derive(Debug, Args)]
pub(super) struct SubmitCommand {
    /// File with one CloudEvent, a batch (a JSON array), or NDJSON (one event per line); - reads from stdin
    file: PathBuf,
    /// Keep the progress in this file, and continue where an earlier run with it stopped
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// The result for one event, and where it is in the file.
#[derive(Debug, Serialize)]
struct Line {
    /// The line on which it begins, from 1.
    line: u64,
    #[serde(flatten)]
    result: EventResult,
}

/// Exit code 0 if all events were accepted, 1 if any was rejected or is unknown.
pub(super) async fn run(command: &SubmitCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = settings.tenant.clone();
    let catalog = settings.catalog()?;
    let mut state = State::open(command.resume.as_deref())?;
    let mut source = Source::open(&command.file, &mut state).await?;
    let connected = Installation::connect(&command.connection, settings, catalog, CallRetries::Brief, ASKING_LIMIT);
    let ingest = Ingest::new(connected.await?);
    let progress = progress(source.bytes);
    let (began, before) = (Instant::now(), state.counts().total());
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    let mut list = JsonList::new(output);
    loop {
        let items = source.chunk(&mut state).await?;
        let Some(end) = items.last().map(|item| item.end) else { break };
        let lines = submit(&ingest, &tenant, items).await;
        let mut counts = Counts::default();
        for line in lines {
            counts.add(line.result.status);
            if let Some(code) = &line.result.code {
                *codes.entry(code.to_string()).or_default() += 1;
            }
            progress.suspend(|| list.add(&line))?;
        }
        state.advance(counts, end)?;
        progress.set_position(end.bytes);
        progress.set_message(told(state.counts(), before, began));
    }
    progress.finish();
    list.end()?;
    tell(&summary(state.counts(), before, began, &codes));
    Ok(ExitCode::from(u8::from(state.counts().rejected + state.counts().unknown > 0)))
}

/// Submits the events, and returns the results in the order of the file.
async fn submit(ingest: &Ingest, tenant: &TenantId, items: Vec<Item>) -> Vec<Line> {
    let (mut lines, mut events, mut places) = (Vec::with_capacity(items.len()), Vec::new(), Vec::new());
    for Item { line, content, .. } in items {
        let result = match content {
            Ok(event) => {
                places.push(lines.len());
                let result = EventResult::of_raw(&event);
                events.push(event);
                result
            }
            Err(not_read) => EventResult::of_raw(&Value::Null).rejected(rejection(line, &not_read)),
        };
        lines.push(Line { line, result });
    }
    let results = ingest.batch(tenant, events).await.results;
    for (place, result) in places.into_iter().zip(results) {
        lines[place].result = result;
    }
    lines
}

fn rejection(line: u64, not_read: &NotRead) -> Rejection {
    match not_read {
        NotRead::Broken { why, begins } => {
            Rejection::new(ErrorCode::NotJson, format!("Line {line} is not valid JSON ({why}): {begins}"))
        }
        NotRead::DuplicateKey(key) => {
            Rejection::new(ErrorCode::RepeatedKey, format!("The event on line {line} has the key '{key}' twice."))
        }
        NotRead::TooLong => Rejection::new(
            ErrorCode::EventTooLarge,
            format!("The event on line {line} has more than {ITEM_BYTES_MAX} bytes, or does not end."),
        ),
    }
}

/// The order's id for an accepted event; a line of explanation for any other.
fn text(line: &Line) -> String {
    let Line { line, result } = line;
    let order = result.order_id.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string);
    if result.status == EventStatus::Accepted {
        return order;
    }
    let line = format!(
        "{order} {} line {line} event {} [{}] {}",
        result.status.as_str(),
        result.event_id.clone().unwrap_or_else(|| "–".to_owned()),
        result.code.as_ref().map_or("", ReasonCode::as_str),
        result.detail.clone().unwrap_or_default()
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

/// The counts and the rate of this run, of which `before` events were submitted by an earlier one.
fn told(counts: Counts, before: u64, began: Instant) -> String {
    let Counts { accepted, rejected, unknown } = counts;
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
    let rate = (counts.total() - before) as f64 / seconds;
    format!("{accepted} accepted, {rejected} rejected, {unknown} unknown, {rate:.0} a second")
}

/// The last line for a person.
fn summary(counts: Counts, before: u64, began: Instant, codes: &BTreeMap<String, u64>) -> String {
    let earlier = if before > 0 { format!(" ({before} by an earlier run)") } else { String::new() };
    let mut parts = vec![format!("{} event(s): {}{earlier}", counts.total(), told(counts, before, began))];
    parts.extend(codes.iter().map(|(code, number)| format!("{code}: {number}")));
    if counts.unknown > 0 {
        parts.push("send the unknown ones again: run the command again".to_owned());
    }
    parts.join("; ")
}

/// Writes results one by one: also as one JSON array, without keeping it.
struct JsonList {
    output: Output,
    is_empty: bool,
}

impl JsonList {
    fn new(output: Output) -> Self {
        Self { output, is_empty: true }
    }

    fn add(&mut self, line: &Line) -> Result<(), Fault> {
        if self.output.format() == OutputFormat::Json {
            write_raw(if self.is_empty { b"[\n" } else { b",\n" })?;
        }
        self.is_empty = false;
        self.output.one(line, text)
    }

    fn end(self) -> Result<(), Fault> {
        match self.output.format() {
            OutputFormat::Json if self.is_empty => write_raw(b"[]\n"),
            OutputFormat::Json => write_raw(b"]\n"),
            OutputFormat::Text | OutputFormat::Jsonl => Ok(()),
        }
    }
}

/// The source of the events.
struct Source {
    reader: Box<dyn AsyncRead + Unpin + Send>,
    /// Its length, if it is known.
    bytes: Option<u64>,
    splitter: Splitter,
    items: VecDeque<Item>,
    is_over: bool,
}

impl Source {
    /// Opens the events at the position of the state, once they are recognised as those of the earlier run.
    async fn open(file: &Path, state: &mut State) -> Result<Self, Fault> {
        let position = state.position();
        let mut begin = vec![0; state.recognised_bytes()];
        let (reader, bytes): (Box<dyn AsyncRead + Unpin + Send>, _) = if file.as_os_str() == "-" {
            let mut stdin = tokio::io::stdin();
            let length = read_up_to(&mut stdin, &mut begin).await.map_err(|error| not_read(&error))?;
            begin.truncate(length);
            let mut rest = (&mut stdin).take(position.bytes.saturating_sub(length as u64));
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.map_err(|error| not_read(&error))?;
            (Box::new(stdin), None)
        } else {
            let unreadable = |error: std::io::Error| unreadable(file, &error);
            let mut opened = File::open(file).await.map_err(unreadable)?;
            let bytes = opened.metadata().await.map_err(unreadable)?.len();
            let length = read_up_to(&mut opened, &mut begin).await.map_err(unreadable)?;
            begin.truncate(length);
            opened.seek(SeekFrom::Start(position.bytes)).await.map_err(unreadable)?;
            (Box::new(opened), Some(bytes))
        };
        state.recognise(begin)?;
        Ok(Self { reader, bytes, splitter: Splitter::at(position), items: VecDeque::new(), is_over: false })
    }

    /// The next events; empty at the end.
    async fn chunk(&mut self, state: &mut State) -> Result<Vec<Item>, Fault> {
        let mut piece = vec![0; READ_BYTES];
        while self.items.len() < CHUNK_EVENTS && !self.is_over {
            let length = self.reader.read(&mut piece).await.map_err(|error| not_read(&error))?;
            if length == 0 {
                self.splitter.end();
                self.is_over = true;
            }
            state.read(&piece[..length]);
            self.splitter.take(&piece[..length]);
            self.items.extend(std::iter::from_fn(|| self.splitter.next_item()));
        }
        let taken = self.items.len().min(CHUNK_EVENTS);
        Ok(self.items.drain(..taken).collect())
    }
}

/// Reads until the buffer is full or the text ends. Returns the number of bytes.
async fn read_up_to(reader: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]).await? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Fault {
    let message = format!("The file {} cannot be read: {error}.", file.display());
    Fault::wrong_use(ErrorCode::EventsUnreadable, message).with_next("Check the path; - reads from stdin.")
}

fn not_read(error: &std::io::Error) -> Fault {
    Fault::failed(ErrorCode::EventsUnreadable, format!("Reading the events failed: {error}."))
        .with_next("Run it again: events that were already sent are not accepted twice.")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn chunks(text: &str, state: &mut State) -> Vec<Vec<Item>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events");
        std::fs::write(&file, text).unwrap();
        let mut source = Source::open(&file, state).await.unwrap();
        let mut chunks = Vec::new();
        loop {
            match source.chunk(state).await.unwrap() {
                chunk if chunk.is_empty() => return chunks,
                chunk => chunks.push(chunk),
            }
        }
    }

    #[tokio::test]
    async fn a_file_is_read_in_chunks_and_goes_on_where_an_earlier_run_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let progress = folder.path().join("progress");
        let text = "{\"id\":\"1\"}\nnonsense\n".repeat(500);
        let mut state = State::open(Some(&progress)).unwrap();
        let all = chunks(&text, &mut state).await;
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 256, 232]);
        assert!(all[0][1].content.is_err());
        state.advance(Counts { accepted: 128, rejected: 128, unknown: 0 }, all[0].last().unwrap().end).unwrap();
        let mut next = State::open(Some(&progress)).unwrap();
        let rest = chunks(&text, &mut next).await;
        assert_eq!(rest.concat(), all[1..].concat());
    }

    #[test]
    fn the_last_line_counts_results_and_codes() {
        let counts = Counts { accepted: 998, rejected: 2, unknown: 0 };
        let codes = BTreeMap::from([("not_json".to_owned(), 2)]);
        let told = summary(counts, 100, Instant::now(), &codes);
        assert!(told.starts_with("1000 event(s): 998 accepted, 2 rejected, 0 unknown, "), "{told}");
        assert!(told.ends_with(" (100 by an earlier run); not_json: 2"), "{told}");
    }
}
