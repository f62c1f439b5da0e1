//! What is wrong with a text, and where.

use std::fmt;

use serde::Serialize;

use crate::error_code::ErrorCode;

/// One fault of a TOML text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TomlFault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Where in the text, e.g. `events."number.assigned".steps[0].after`.
    pub path: String,
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence on what is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for TomlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, path, code, message } = self;
        write!(f, "{line}:{column}: ")?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{message} [{code}]")
    }
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Bytes from the start of the text.
    pub at: usize,
    /// The path of keys that leads there; empty for the text as a whole.
    pub path: String,
}

impl Spot {
    /// The path of the key `key` below this place, quoted if it is not a bare key.
    pub fn key(&self, key: &str) -> String {
        let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let key = if is_bare { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

/// Collects the faults of one text.
#[derive(Debug)]
pub struct Faults<'text> {
    text: &'text str,
    found: Vec<TomlFault>,
}

impl<'text> Faults<'text> {
    /// An empty collection for this text.
    pub fn of(text: &'text str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Records a fault.
    pub fn add(&mut self, spot: &Spot, code: ErrorCode, message: impl Into<String>) {
        let mut at = spot.at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.found.push(TomlFault {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            path: spot.path.clone(),
            code,
            message: message.into(),
        });
    }

    /// Records a fault if something is wrong.
    pub fn refuse(&mut self, is_wrong: bool, spot: &Spot, code: ErrorCode, message: &str) {
        if is_wrong {
            self.add(spot, code, message);
        }
    }

    /// Whether there is no fault so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, by line, without repetitions.
    pub fn sorted(mut self) -> Vec<TomlFault> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}
