//! `--watch`: a list is read again and again until Ctrl-C. On a terminal it is shown in place, elsewhere one snapshot follows the other,
//! and as JSON lines there is one line per change.

mod changes;
mod frame;

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use console::Term;
use interlock_fault::Fault;
use interlock_observability::terminal;
use serde_json::Value;

use self::changes::Changes;
use self::frame::{Frame, Size};
use super::output::{Output, OutputFormat, write_unless_closed};
use crate::shutdown::Signals;

/// The shortest and the longest time between two reads, in seconds: a read asks entities, and a day is as good as never.
const INTERVAL_S: (f64, f64) = (1.0, 86_400.0);

/// `--watch`.
#[derive(Debug, Args)]
pub(super) struct WatchArguments {
    /// Read the list again every SECONDS (1 to 86,400; 2 if not given) until Ctrl-C: in place on a terminal, elsewhere one snapshot after
    /// the other; with --output jsonl one line per change
    #[arg(id = "watch", long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = interval)]
    pub(super) every: Option<Duration>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let (least, most) = INTERVAL_S;
    let seconds = text.parse().ok().filter(|seconds| (least..=most).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("not a number of seconds from {least} to {most}"))
}

/// One thing of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Who was asked for it. If that one does not answer, what was known of its things still holds.
    pub(super) asked: String,
    /// The thing, as JSON.
    pub(super) value: Value,
}

/// A list as it was read once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    /// For a person.
    pub(super) text: String,
    /// As `--output json` prints it.
    pub(super) whole: Value,
    /// The things of the list, by id.
    pub(super) entries: BTreeMap<String, Entry>,
    /// Those who did not answer.
    pub(super) unanswered: BTreeSet<String>,
}

/// A list that can be watched.
pub(super) trait Watched {
    /// The name of one thing in a line of JSON: `order`.
    const THING: &'static str;

    /// What is listed, in the words of the command: `order list --state held`.
    fn command(&self) -> String;

    /// Reads the list.
    ///
    /// # Errors
    /// [`Fault`]: it is shown, and the list is read again, unless the command was wrong.
    async fn read(&mut self) -> Result<Snapshot, Fault>;
}

/// Watches a list until a signal comes or nobody reads the output any more.
///
/// # Errors
/// [`Fault`] if the command is wrong, or the output cannot be written.
pub(super) async fn watch<W: Watched>(mut watched: W, every: Duration, output: Output) -> Result<ExitCode, Fault> {
    let mut signals = Signals::listen()?;
    let heading = format!("Every {}: interlock {}", seconds(every), watched.command());
    let mut view = View::new(output, terminal::line(&heading).into_owned(), W::THING);
    let watching = async {
        loop {
            if view.show(watched.read().await, Utc::now())?.is_break() {
                return Ok(());
            }
            tokio::time::sleep(every).await;
        }
    };
    let ended = tokio::select! {
        ended = watching => ended,
        () = signals.next() => Ok(()),
    };
    ended.map(|()| ExitCode::SUCCESS)
}

fn seconds(every: Duration) -> String {
    format!("{}s", every.as_secs_f64())
}

/// How the snapshots are shown.
enum View {
    /// On a terminal, in place.
    Frame(Box<Frame>),
    /// One after the other, as text below a heading.
    Texts(String),
    /// One after the other, as JSON.
    Documents(Output),
    /// Their differences.
    Changes(Output, Changes),
}

impl View {
    fn new(output: Output, heading: String, thing: &'static str) -> Self {
        match output.format() {
            OutputFormat::Text if is_on_a_terminal() => Self::Frame(Box::new(Frame::new(heading))),
            OutputFormat::Text => Self::Texts(heading),
            OutputFormat::Json => Self::Documents(output),
            OutputFormat::Jsonl => Self::Changes(output, Changes::of(thing)),
        }
    }

    /// Shows what was read. [`ControlFlow::Break`] if nobody reads the output any more.
    fn show(&mut self, read: Result<Snapshot, Fault>, now: DateTime<Utc>) -> Result<ControlFlow<()>, Fault> {
        let snapshot = match read {
            Err(fault) if fault.wrong_use => return Err(fault),
            read => read,
        };
        let text = match (self, snapshot) {
            (Self::Frame(frame), snapshot) => frame.draw(snapshot, now, Size::of(&Term::stdout())),
            (Self::Texts(_), Err(fault)) => {
                Output::new(OutputFormat::Text).fault(&fault);
                return Ok(ControlFlow::Continue(()));
            }
            (Self::Documents(output) | Self::Changes(output, _), Err(fault)) => {
                output.fault(&fault);
                return Ok(ControlFlow::Continue(()));
            }
            (Self::Texts(heading), Ok(snapshot)) => {
                format!("{heading}  {}\n\n{}\n\n", time(now), terminal::lines(&snapshot.text))
            }
            (Self::Documents(output), Ok(snapshot)) => output.written(&snapshot.whole, |_| String::new())?,
            (Self::Changes(output, changes), Ok(snapshot)) => {
                let lines = changes.taken(snapshot, &time(now));
                let lines: Result<Vec<_>, _> =
                    lines.iter().map(|line| output.written(line, |_| String::new())).collect();
                lines?.concat()
            }
        };
        write_unless_closed(text.as_bytes())
    }
}

/// Whether text can be shown in place: stdout is a terminal that moves its cursor.
fn is_on_a_terminal() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stdout().is_terminal() && !is_dumb
}

fn time(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_number_of_seconds_from_one_to_a_day() {
        assert_eq!(interval("2"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("1"), Ok(Duration::from_secs(1)));
        assert_eq!(interval("2.5"), Ok(Duration::from_millis(2_500)));
        assert_eq!(interval("86400"), Ok(Duration::from_hours(24)));
        for wrong in ["0.999", "86400.1", "0", "-2", "NaN", "inf", "2s", ""] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            (seconds(Duration::from_secs(2)), seconds(Duration::from_millis(2_500))),
            ("2s".into(), "2.5s".into())
        );
    }
}
