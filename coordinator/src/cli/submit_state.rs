//! How far `interlock submit --resume FILE` came.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use interlock_domain::error_code::ErrorCode;
use interlock_domain::event_result::EventStatus;
use interlock_fault::Fault;
use interlock_operations::ingest::Position;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// As much of the begin of the events is remembered, in bytes, to recognise them again.
const RECOGNISED_BYTES: usize = 64 * 1024;

/// The results, counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) unknown: u64,
}

impl Counts {
    pub(super) fn add(&mut self, status: EventStatus) {
        *match status {
            EventStatus::Accepted => &mut self.accepted,
            // Ignored: only a call with a mapping answers this, and then nothing comes of the event either.
            EventStatus::Rejected | EventStatus::Ignored => &mut self.rejected,
            EventStatus::Unknown => &mut self.unknown,
        } += 1;
    }

    pub(super) fn total(self) -> u64 {
        self.accepted + self.rejected + self.unknown
    }

    fn and(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            rejected: self.rejected + other.rejected,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// What the file keeps. Everything before the position was accepted or rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Where to go on.
    bytes: u64,
    lines: u64,
    in_batch: bool,
    /// What was counted before it.
    counts: Counts,
    /// The number of bytes of the begin, and their SHA-256.
    recognised_bytes: usize,
    recognised_by: String,
}

/// The progress of a run.
#[derive(Debug)]
pub(super) struct State {
    file: Option<PathBuf>,
    earlier: Option<Kept>,
    counts: Counts,
    /// The begin of the events.
    begin: Vec<u8>,
    /// Whether an event is unknown: then the position stays before its chunk, so that the next run sends it again.
    stays: bool,
}

impl State {
    /// Reads the file, if there is one.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, Fault> {
        let earlier = match file.map(std::fs::read) {
            None => None,
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => None,
            Some(Err(error)) => return Err(unusable(file, &error)),
            Some(Ok(text)) => Some(serde_json::from_slice::<Kept>(&text).map_err(|error| unusable(file, &error))?),
        };
        let counts = earlier.as_ref().map(|kept| kept.counts).unwrap_or_default();
        Ok(Self { file: file.map(Path::to_owned), earlier, counts, begin: Vec::new(), stays: false })
    }

    /// Where to go on.
    pub(super) fn position(&self) -> Position {
        let of = |kept: &Kept| Position { bytes: kept.bytes, lines: kept.lines, in_batch: kept.in_batch };
        self.earlier.as_ref().map(of).unwrap_or_default()
    }

    /// How many bytes of the begin are needed to recognise the events.
    pub(super) fn recognised_bytes(&self) -> usize {
        self.earlier.as_ref().map_or(0, |kept| kept.recognised_bytes)
    }

    /// Takes the begin of the events, and checks that they are those of the earlier run.
    pub(super) fn recognise(&mut self, begin: Vec<u8>) -> Result<(), Fault> {
        if let Some(earlier) = &self.earlier
            && (begin.len() < earlier.recognised_bytes
                || digest(&begin[..earlier.recognised_bytes]) != earlier.recognised_by)
        {
            let file = self.file.as_deref().unwrap_or(Path::new("")).display().to_string();
            let detail = format!("The file {file} is about other events than these.");
            return Err(Fault::wrong_use(ErrorCode::ResumeMismatch, detail)
                .with_next("Give the events of the earlier run, or another file for the progress."));
        }
        self.begin = begin;
        Ok(())
    }

    /// Takes the next piece of the events: their begin is kept.
    pub(super) fn read(&mut self, piece: &[u8]) {
        if self.earlier.as_ref().is_some_and(|earlier| earlier.recognised_bytes < RECOGNISED_BYTES) {
            // What lies between the begin and the position of the earlier run is not read again.
            return;
        }
        let room = RECOGNISED_BYTES.saturating_sub(self.begin.len());
        self.begin.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// The results so far, those of the earlier run included.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// A chunk was submitted, with these results.
    pub(super) fn advance(&mut self, counts: Counts, end: Position) -> Result<(), Fault> {
        self.counts = self.counts.and(counts);
        self.stays |= counts.unknown > 0;
        let Some(file) = self.file.as_deref().filter(|_| !self.stays) else { return Ok(()) };
        let recognised_bytes = self.begin.len().min(usize::try_from(end.bytes).unwrap_or(usize::MAX));
        let kept = Kept {
            bytes: end.bytes,
            lines: end.lines,
            in_batch: end.in_batch,
            counts: self.counts,
            recognised_bytes,
            recognised_by: digest(&self.begin[..recognised_bytes]),
        };
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from).and_then(|text| replace(file, &text));
        written.map_err(|error| unusable(Some(file), &error))
    }
}

/// Writes a file so that a crash leaves the old or the new one.
fn replace(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    std::fs::write(&name, text)?;
    std::fs::rename(&name, file)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn unusable(file: Option<&Path>, error: &dyn std::fmt::Display) -> Fault {
    let file = file.unwrap_or(Path::new("")).display();
    Fault::wrong_use(ErrorCode::ResumeUnusable, format!("The file {file} for the progress cannot be used: {error}."))
        .with_next("Give another file; sending events again is safe.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(status: EventStatus) -> Counts {
        let mut counts = Counts::default();
        counts.add(status);
        counts
    }

    fn at(bytes: u64) -> Position {
        Position { bytes, lines: 1, in_batch: false }
    }

    #[test]
    fn the_next_run_goes_on_behind_what_was_answered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress");
        let mut first = State::open(Some(&file)).unwrap();
        assert_eq!(first.position(), Position::default());
        first.recognise(Vec::new()).unwrap();
        first.read(b"{}\n{}\n{}\n");
        first.advance(one(EventStatus::Accepted), at(3)).unwrap();
        first.advance(one(EventStatus::Unknown), at(6)).unwrap();
        first.advance(one(EventStatus::Accepted), at(9)).unwrap();
        let mut next = State::open(Some(&file)).unwrap();
        assert_eq!(next.position(), at(3), "what is unknown is sent again");
        assert_eq!(next.counts(), one(EventStatus::Accepted));
        assert_eq!(next.recognise(b"{ }".to_vec()).unwrap_err().code, ErrorCode::ResumeMismatch);
        next.recognise(b"{}\n".to_vec()).unwrap();
        next.advance(one(EventStatus::Rejected), at(9)).unwrap();
        let last = State::open(Some(&file)).unwrap();
        assert_eq!((last.position(), last.counts().total()), (at(9), 2));
    }

    #[test]
    fn a_file_that_is_something_else_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes");
        std::fs::write(&file, "dear diary").unwrap();
        assert_eq!(State::open(Some(&file)).unwrap_err().code, ErrorCode::ResumeUnusable);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear diary");
    }
}
