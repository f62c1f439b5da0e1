//! What is wrong with an adapter file, and where.

use std::fmt;

use serde::Serialize;

/// One fault of an adapter file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Where in the file, e.g. `operations.add_number.request.responses[2].status`.
    pub path: String,
    /// A stable code, e.g. `unreachable_row`.
    pub code: &'static str,
    /// One sentence on what is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, path, code, message } = self;
        write!(f, "{line}:{column}: ")?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{message} [{code}]")
    }
}

/// A place in the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// Bytes from the start of the text.
    pub(super) at: usize,
    /// The path of keys that leads there.
    pub(super) path: String,
}

impl Spot {
    /// The path of the key `key` below this place.
    pub(super) fn key(&self, key: &str) -> String {
        let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let key = if is_bare { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

/// Collects the faults of one text.
#[derive(Debug)]
pub(super) struct Faults<'text> {
    text: &'text str,
    found: Vec<Fault>,
}

impl<'text> Faults<'text> {
    pub(super) fn of(text: &'text str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes a fault.
    pub(super) fn add(&mut self, spot: &Spot, code: &'static str, message: impl Into<String>) {
        let mut at = spot.at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.found.push(Fault {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            path: spot.path.clone(),
            code,
            message: message.into(),
        });
    }

    /// Notes a fault where `is_wrong`.
    pub(super) fn refuse(&mut self, is_wrong: bool, spot: &Spot, code: &'static str, message: &str) {
        if is_wrong {
            self.add(spot, code, message);
        }
    }

    /// All of them, by line.
    pub(super) fn sorted(mut self) -> Vec<Fault> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}
