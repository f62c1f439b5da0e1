//! The state of an interrupted audit: the facts of each history that was read, one per line, after a line that says whose they are.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use interlock_domain::ids::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::AuditError;
use crate::facts::HistoryFacts;

/// The form of the file.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    interlock_audit: u32,
    /// The build, since another one may judge the same history otherwise.
    build: String,
    /// The histories were read after this time.
    read_from: Timestamp,
    since: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Line<F> {
    namespace: String,
    facts: F,
}

/// The state file of an audit.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    header: Header,
    file: File,
}

impl StateFile {
    /// Opens the file of an audit that was interrupted, or creates it for one that begins `now`.
    ///
    /// # Errors
    /// [`AuditError::StateFile`] if it cannot be read or written, or is of another build or another audit.
    pub fn open(path: &Path, now: Timestamp, since: Option<String>) -> Result<Self, AuditError> {
        let failed = |error: String| AuditError::StateFile(path.display().to_string(), error);
        let io = |error: std::io::Error| failed(error.to_string());
        let wanted =
            Header { interlock_audit: VERSION, build: env!("CARGO_PKG_VERSION").to_owned(), read_from: now, since };
        let first = match File::open(path) {
            Ok(file) => BufReader::new(file).lines().next().transpose().map_err(io)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(io(error)),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
        let header = if let Some(first) = first {
            let known: Header = serde_json::from_str(&first)
                .map_err(|_| failed("it does not begin with the line of an audit".to_owned()))?;
            if known != (Header { read_from: known.read_from, ..wanted }) {
                return Err(failed("it is of another audit, or of another build of interlock".to_owned()));
            }
            // A line that was cut off must not swallow the next one.
            file.write_all(b"\n").map_err(io)?;
            known
        } else {
            let line = serde_json::to_string(&wanted).map_err(|error| failed(error.to_string()))?;
            writeln!(file, "{line}").map_err(io)?;
            wanted
        };
        Ok(Self { path: path.to_owned(), header, file })
    }

    /// The time after which all histories of this audit were read.
    pub fn read_from(&self) -> Timestamp {
        self.header.read_from
    }

    /// What was read before, each with its namespace. A last line that was cut off is left out.
    pub(crate) fn facts(&self) -> Result<Vec<(String, HistoryFacts)>, AuditError> {
        let failed = |error: String| AuditError::StateFile(self.path.display().to_string(), error);
        let file = File::open(&self.path).map_err(|error| failed(error.to_string()))?;
        let mut facts = Vec::new();
        for line in BufReader::new(file).lines().skip(1) {
            let line = line.map_err(|error| failed(error.to_string()))?;
            if let Ok(Line { namespace, facts: of_line }) = serde_json::from_str(&line) {
                facts.push((namespace, of_line));
            }
        }
        Ok(facts)
    }

    /// Keeps the facts of one history.
    pub(crate) fn keep(&mut self, namespace: &str, facts: &HistoryFacts) -> Result<(), AuditError> {
        let failed = |error: String| AuditError::StateFile(self.path.display().to_string(), error);
        let line = Line { namespace: namespace.to_owned(), facts };
        let json = serde_json::to_string(&line).map_err(|error| failed(error.to_string()))?;
        writeln!(self.file, "{json}").map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::facts::{At, EntityFacts, RunEnd};

    fn facts(run: &str) -> HistoryFacts {
        HistoryFacts {
            workflow_id: "t/customer/A1".to_owned(),
            run_id: run.to_owned(),
            continues: None,
            reset: None,
            end: RunEnd::Open,
            began: At::default(),
            last: At::default(),
            taken_to: 3,
            repeats_from_ms: std::collections::BTreeMap::new(),
            replay_fault: None,
            entity: EntityFacts::Other,
        }
    }

    fn runs(state: &StateFile) -> Vec<String> {
        state.facts().unwrap().into_iter().map(|(_, facts)| facts.run_id).collect()
    }

    #[test]
    fn an_interrupted_audit_goes_on_with_what_was_read_and_when_it_began() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("state");
        let mut first = StateFile::open(&path, Timestamp(5), None).unwrap();
        first.keep("default", &facts("1")).unwrap();
        first.keep("default", &facts("2")).unwrap();
        drop(first);
        // The process was killed while it wrote.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        let mut second = StateFile::open(&path, Timestamp(9), None).unwrap();
        assert_eq!((second.read_from(), runs(&second)), (Timestamp(5), vec!["1".to_owned()]));
        second.keep("default", &facts("2")).unwrap();
        assert_eq!(runs(&StateFile::open(&path, Timestamp(9), None).unwrap()), ["1", "2"]);
    }

    #[test]
    fn the_file_of_another_audit_is_not_used() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("state");
        drop(StateFile::open(&path, Timestamp(5), None).unwrap());
        let since = Some("2026-01-01T00:00:00Z".to_owned());
        assert!(matches!(StateFile::open(&path, Timestamp(5), since), Err(AuditError::StateFile(..))));
        std::fs::write(&path, "something else\n").unwrap();
        assert!(matches!(StateFile::open(&path, Timestamp(5), None), Err(AuditError::StateFile(..))));
    }
}
