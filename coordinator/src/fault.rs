//! What a person is told when something goes wrong: a stable code, one sentence, and what to do next.

use std::fmt;

use serde::Serialize;

/// An error that a user can meet. Every error type of this crate turns into one at the edge of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// A stable `snake_case` code, for scripts and for the documentation.
    pub code: &'static str,
    /// One sentence: what happened.
    pub message: String,
    /// What to do next.
    pub next: String,
    /// Whether the command was wrong (exit code 2), not its execution (exit code 1).
    #[serde(skip)]
    pub wrong_use: bool,
}

impl Fault {
    /// An execution that failed: exit code 1.
    pub fn failed(code: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: next.into(), wrong_use: false }
    }

    /// A command or a setting that is wrong: exit code 2.
    pub fn wrong_use(code: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: next.into(), wrong_use: true }
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
        let fault = Fault::wrong_use("unknown_tenant", "There is no tenant 'x'.", "Name one with --tenant.");
        assert_eq!(fault.to_string(), "There is no tenant 'x'. [unknown_tenant]\n  next: Name one with --tenant.");
        assert_eq!(fault.exit_code(), 2);
        assert_eq!(
            serde_json::to_value(&fault).unwrap(),
            serde_json::json!({"code": "unknown_tenant", "message": "There is no tenant 'x'.", "next": "Name one with --tenant."})
        );
    }
}
