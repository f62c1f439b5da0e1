//! The key that hides resource ids: everyone with access to the Temporal cluster sees workflow ids, and a telephone number
//! is personal data.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::RoutingError;

/// The key of `INTERLOCK_ID_KEY`: its text as UTF-8 bytes, unchanged. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct IdKey(String);

impl IdKey {
    /// HMAC-SHA256 under this key of a resource's id within its kind, as written (UTF-8, not percent-encoded, without the
    /// kind), as 64 lower-case hex digits.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    pub fn hide(&self, id: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(id.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

impl FromStr for IdKey {
    type Err = RoutingError;
    fn from_str(text: &str) -> Result<Self, RoutingError> {
        if text.is_empty() { Err(RoutingError::IdKey) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(hidden)")
    }
}
