//! An error as a person sees it: a stable code, one sentence, and what to do next. All crates of the
//! coordinator use it; it depends only on the catalogue of errors.
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::fmt;

use interlock_domain::error_code::ErrorCode;
use serde::Serialize;

/// An error that a user can meet. Every error type of the program is converted into one at the program's edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The stable code, for scripts and for the documentation.
    pub code: ErrorCode,
    /// One sentence: what happened.
    pub message: String,
    /// What to do next.
    pub next: String,
    /// Whether the command was wrong (exit code 2), not its execution (exit code 1).
    #[serde(skip)]
    pub wrong_use: bool,
}

impl Fault {
    /// A failed execution: exit code 1. What to do next comes from the catalogue of errors.
    pub fn failed(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: code.next().to_owned(), wrong_use: false }
    }

    /// A wrong command or setting: exit code 2. What to do next comes from the catalogue of errors.
    pub fn wrong_use(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { wrong_use: true, ..Self::failed(code, message) }
    }

    /// The same, with more specific advice than the catalogue gives in general.
    #[must_use]
    pub fn with_next(self, next: impl Into<String>) -> Self {
        Self { next: next.into(), ..self }
    }

    /// The exit code of a process that ends with this.
    pub fn exit_code(&self) -> u8 {
        if self.wrong_use { 2 } else { 1 }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]\n  next: {}", self.message, self.code, self.next)
    }
}

impl std::error::Error for Fault {}

/// An error and all its causes in one line, each cause once.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_happened_its_code_and_what_to_do() {
        let fault = Fault::wrong_use(ErrorCode::BadId, "'..' is no tenant.").with_next("Name one with --tenant.");
        assert_eq!(fault.to_string(), "'..' is no tenant. [bad_id]\n  next: Name one with --tenant.");
        assert_eq!(fault.exit_code(), 2);
        assert_eq!(
            serde_json::to_value(&fault).unwrap(),
            serde_json::json!({"code": "bad_id", "message": "'..' is no tenant.", "next": "Name one with --tenant."})
        );
    }
}
