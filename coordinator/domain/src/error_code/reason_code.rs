//! A code as it is stored and sent.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ErrorCode;

/// The code of a reason, as stored in states and messages: one of Interlock's own codes, one from a target, or
/// one that another build wrote. Any text can be read; only a code of the catalogue, or a target's, can be
/// written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReasonCode(String);

impl ReasonCode {
    /// A code that a target gave for its refusal; Interlock passes it on unchanged.
    pub fn of_target(code: impl Into<String>) -> Self {
        Self(code.into())
    }

    /// The code as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The catalogue's code, if it is one; none for a target's own code and for one that this build does not know.
    pub fn known(&self) -> Option<ErrorCode> {
        self.0.parse().ok()
    }
}

impl From<ErrorCode> for ReasonCode {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl From<ReasonCode> for String {
    fn from(code: ReasonCode) -> Self {
        code.0
    }
}

impl AsRef<str> for ReasonCode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<ErrorCode> for ReasonCode {
    fn eq(&self, other: &ErrorCode) -> bool {
        self.0 == other.as_str()
    }
}

impl PartialEq<str> for ReasonCode {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for ReasonCode {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_another_build_and_one_of_a_target_are_read_as_they_are() {
        let unknown: ReasonCode = serde_json::from_str("\"code_of_the_future\"").unwrap();
        assert_eq!(unknown, "code_of_the_future");
        assert_eq!(unknown.known(), None);
        assert_eq!(ReasonCode::of_target("http_418").to_string(), "http_418");
    }

    #[test]
    fn a_code_of_the_catalogue_is_stored_as_its_text() {
        let reason = ReasonCode::from(ErrorCode::QueueFull);
        assert_eq!(serde_json::to_string(&reason).unwrap(), "\"queue_full\"");
        assert_eq!(reason, ErrorCode::QueueFull);
        assert_eq!(reason.known(), Some(ErrorCode::QueueFull));
    }
}
