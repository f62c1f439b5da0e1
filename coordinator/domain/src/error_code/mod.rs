//! Every error that a user can meet, in one place: a stable code, one sentence, and what to do next.
//!
//! A code is a variant of [`ErrorCode`]; everything that has a code takes an [`ErrorCode`], so that a code outside the
//! catalogue cannot be written. The reference page `coordinator/docs/errors.md` is generated from it.

mod catalogue;
mod reason_code;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use catalogue::{ErrorCode, ErrorGroup};
pub use reason_code::ReasonCode;

/// The catalogue's entry for one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    code: &'static str,
    group: ErrorGroup,
    sentence: &'static str,
    next: &'static str,
}

impl ErrorCode {
    /// The code as it is written: `snake_case`, unique, and the same in every later version.
    pub const fn as_str(self) -> &'static str {
        self.entry().code
    }

    /// Where it occurs.
    pub const fn group(self) -> ErrorGroup {
        self.entry().group
    }

    /// One sentence: what it means in general. The message of an error gives the specifics.
    pub const fn sentence(self) -> &'static str {
        self.entry().sentence
    }

    /// What to do next, in general.
    pub const fn next(self) -> &'static str {
        self.entry().next
    }
}

/// By their text: the order in the catalogue means nothing.
impl Ord for ErrorCode {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for ErrorCode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AsRef<str> for ErrorCode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<ErrorCode> for &'static str {
    fn from(code: ErrorCode) -> Self {
        code.as_str()
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

impl PartialEq<str> for ErrorCode {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for ErrorCode {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// A text that is not a code of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an Interlock error code; 'interlock errors' lists all codes")]
pub struct UnknownErrorCode(pub String);

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|code| code.as_str() == text);
        found.copied().ok_or_else(|| UnknownErrorCode(text.to_owned()))
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `TemporalUnreachable` as `temporal_unreachable`.
    fn in_snake_case(variant: &str) -> String {
        let mut code = String::new();
        for letter in variant.chars() {
            if letter.is_ascii_uppercase() && !code.is_empty() {
                code.push('_');
            }
            code.push(letter.to_ascii_lowercase());
        }
        code
    }

    #[test]
    fn every_code_is_unique_and_its_name_in_snake_case() {
        let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str(), in_snake_case(&format!("{code:?}")));
        }
    }

    #[test]
    fn every_code_has_one_sentence_and_a_next_step() {
        for code in ErrorCode::ALL {
            for text in [code.sentence(), code.next()] {
                let begins_well = text.starts_with(|first: char| first.is_uppercase() || "'`".contains(first));
                assert!(begins_well && text.ends_with('.') && text.len() > 6, "{code}: {text:?}");
                assert!(!text.contains(['|', '\n']) && !text.contains("  "), "{code}: {text:?}");
            }
            assert!(!code.sentence().contains(". "), "{code}: one sentence, not {:?}", code.sentence());
            assert_ne!(code.sentence(), code.next(), "{code}");
        }
    }

    #[test]
    fn every_group_has_codes_and_the_codes_stand_in_groups() {
        let groups: Vec<ErrorGroup> = ErrorCode::ALL.iter().map(|code| code.group()).collect();
        let mut in_order = groups.clone();
        in_order.dedup();
        assert_eq!(in_order, ErrorGroup::ALL);
    }

    #[test]
    fn a_code_is_written_and_read_as_its_text() {
        for code in ErrorCode::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), *code);
        }
        assert_eq!("nothing".parse::<ErrorCode>(), Err(UnknownErrorCode("nothing".to_owned())));
    }
}
