//! A snapshot on a terminal, in place: the heading with the time, and as many lines as fit.
//!
//! The frame is on the normal screen, and the cursor stays visible: a process that is killed leaves the terminal as it should be, with the
//! last frame above the prompt.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use console::{Term, measure_text_width, truncate_str};
use interlock_fault::Fault;
use interlock_observability::terminal;

use super::{Snapshot, time};

/// To the upper left corner.
const HOME: &str = "\x1b[H";
/// Erases the rest of the line.
const REST_OF_LINE: &str = "\x1b[K";
/// Erases the rest of the screen.
const REST_OF_SCREEN: &str = "\x1b[J";

/// The size of a terminal that does not tell its own.
const SIZE_DEFAULT: Size = Size { rows: 24, columns: 80 };

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    rows: usize,
    columns: usize,
}

impl Size {
    /// The size of this terminal.
    pub(super) fn of(terminal: &Term) -> Self {
        let told = terminal.size_checked().filter(|(rows, columns)| *rows > 0 && *columns > 0);
        told.map_or(SIZE_DEFAULT, |(rows, columns)| Self { rows: rows.into(), columns: columns.into() })
    }
}

/// What is on the terminal.
pub(super) struct Frame {
    heading: String,
    /// The last snapshot that could be read, and when.
    last: Option<(String, DateTime<Utc>)>,
    is_drawn: bool,
}

impl Frame {
    /// Nothing is drawn yet.
    pub(super) fn new(heading: String) -> Self {
        Self { heading, last: None, is_drawn: false }
    }

    /// What to write so that the terminal shows what was read; after a failure, the failure above what was read before.
    pub(super) fn draw(&mut self, read: Result<Snapshot, Fault>, now: DateTime<Utc>, size: Size) -> String {
        let failed = match read {
            Ok(snapshot) => {
                self.last = Some((terminal::lines(snapshot.text.trim_end()).into_owned(), now));
                None
            }
            Err(fault) => Some(fault),
        };
        let lines = fitted(self.lines(failed.as_ref(), now, size.columns), size);
        // The first frame moves what is on the screen up, instead of erasing it.
        let mut drawn = if self.is_drawn { String::new() } else { "\n".repeat(size.rows) };
        self.is_drawn = true;
        drawn.push_str(HOME);
        for line in lines {
            // Writing to a String cannot fail.
            let _written = writeln!(drawn, "{line}{REST_OF_LINE}");
        }
        drawn.push_str(REST_OF_SCREEN);
        drawn
    }

    fn lines(&self, failed: Option<&Fault>, now: DateTime<Utc>, columns: usize) -> Vec<String> {
        let time_now = time(now);
        let gap = columns.saturating_sub(measure_text_width(&self.heading) + time_now.len()).max(1);
        let mut lines = vec![format!("{}{}{time_now}", self.heading, " ".repeat(gap)), String::new()];
        if let Some(fault) = failed {
            lines.push(
                terminal::line(&format!("cannot be read, and is tried again: {} [{}]", fault.message, fault.code))
                    .into(),
            );
            if let Some((_, at)) = &self.last {
                lines.push(format!("below is what was read at {}", time(*at)));
            }
            lines.push(String::new());
        }
        let text = self.last.as_ref().map(|(text, _)| text.as_str()).unwrap_or_default();
        lines.extend(text.lines().map(str::to_owned));
        lines
    }
}

/// The lines that fit, each cut to the width; the last row stays free for the cursor. If some do not fit, the last line says how many.
fn fitted(mut lines: Vec<String>, size: Size) -> Vec<String> {
    let room = size.rows.saturating_sub(1).max(1);
    if lines.len() > room {
        let hidden = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("… {hidden} more lines"));
    }
    lines.into_iter().map(|line| truncate_str(&line, size.columns, "…").into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use interlock_domain::error_code::ErrorCode;
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> Snapshot {
        let (entries, unanswered) = (BTreeMap::new(), BTreeSet::new());
        Snapshot { text: text.to_owned(), whole: Value::Null, entries, unanswered }
    }

    fn failure() -> Fault {
        Fault::failed(ErrorCode::NoWorker, "No worker answered.")
    }

    fn at(second: u32) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("2026-01-01T00:00:{second:02}Z")).unwrap().to_utc()
    }

    /// The rows of a frame.
    fn rows(drawn: &str) -> Vec<String> {
        let (_, drawn) = drawn.split_once(HOME).unwrap();
        let drawn = drawn.strip_suffix(REST_OF_SCREEN).unwrap();
        drawn.lines().map(|line| line.strip_suffix(REST_OF_LINE).unwrap().to_owned()).collect()
    }

    #[test]
    fn a_frame_has_a_heading_with_the_time_and_is_drawn_over_the_one_before() {
        let mut frame = Frame::new("Every 2s: list".to_owned());
        let size = Size { rows: 10, columns: 40 };
        let first = frame.draw(Ok(read("one\ntwo\n")), at(1), size);
        assert!(first.starts_with(&"\n".repeat(10)), "what was there moves up: {first:?}");
        assert_eq!(rows(&first), ["Every 2s: list      2026-01-01T00:00:01Z", "", "one", "two"]);
        let second = frame.draw(Ok(read("three")), at(3), size);
        assert!(second.starts_with(HOME), "{second:?}");
        assert_eq!(rows(&second), ["Every 2s: list      2026-01-01T00:00:03Z", "", "three"]);
    }

    #[test]
    fn a_frame_never_has_more_rows_or_columns_than_the_terminal() {
        let size = Size { rows: 6, columns: 20 };
        let body = |lines: usize| vec!["a line of more than 20 columns"; lines].join("\n");
        let drawn = |lines: usize| rows(&Frame::new("list".to_owned()).draw(Ok(read(&body(lines))), at(1), size));
        for (lines, last) in [(3, "a line of more than…"), (4, "… 2 more lines")] {
            let rows = drawn(lines);
            assert_eq!((rows.len(), rows[4].as_str()), (5, last), "one row stays free");
            assert!(rows.iter().all(|row| measure_text_width(row) <= 20), "{rows:?}");
        }
        let tiny = Frame::new("list".to_owned()).draw(Ok(read(&body(3))), at(1), Size { rows: 1, columns: 1 });
        assert_eq!(rows(&tiny).len(), 1);
    }

    #[test]
    fn a_failed_read_is_shown_above_what_was_read_before() {
        let mut frame = Frame::new("list".to_owned());
        let size = Size { rows: 10, columns: 80 };
        let first = rows(&frame.draw(Err(failure()), at(1), size));
        assert_eq!(first[2..], ["cannot be read, and is tried again: No worker answered. [no_worker]", ""]);
        frame.draw(Ok(read("one")), at(3), size);
        let again = rows(&frame.draw(Err(failure()), at(5), size));
        assert_eq!(again[3..], ["below is what was read at 2026-01-01T00:00:03Z", "", "one"]);
        assert_eq!(rows(&frame.draw(Ok(read("two")), at(7), size))[2..], ["two"]);
    }

    #[test]
    fn a_text_from_outside_moves_no_cursor() {
        let drawn = Frame::new("list".to_owned()).draw(Ok(read("a\x1b[2Jb")), at(1), Size { rows: 10, columns: 80 });
        assert_eq!(rows(&drawn)[2], r"a\u001b[2Jb");
    }
}
