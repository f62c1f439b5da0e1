//! The ids of keys.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The longest id of a key, in bytes: it is stored with every payload.
const ID_BYTES_MAX: usize = 64;

/// The id of a key, which is stored with each payload that it encrypted: 1 to 64 of `A-Za-z0-9._-`, not starting with a
/// dot, so that it can be a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_written_well =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if text.is_empty() || text.len() > ID_BYTES_MAX || text.starts_with('.') || !is_written_well {
            return Err(format!(
                "'{}' is not a valid key id: 1 to {ID_BYTES_MAX} of A-Za-z0-9._-",
                text.escape_debug()
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_be_the_name_of_a_file() {
        for good in ["1", "2026-11", "a.b_c"] {
            assert_eq!(good.parse::<KeyId>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..data", "a/b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad}");
        }
    }
}
