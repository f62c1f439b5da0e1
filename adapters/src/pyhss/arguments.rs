//! The arguments of the operations. They can only be created by parsing.

use std::fmt;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::adapter::Call;

macro_rules! digits {
    ($(#[$doc:meta])* $name:ident, $least:expr, $most:expr, $what:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub(super) struct $name(String);

        impl $name {
            pub(super) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(raw: String) -> Result<Self, Self::Error> {
                let digits: String = raw.chars().filter(|c| !matches!(c, '+' | ' ' | '-')).collect();
                let fits = ($least..=$most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
                if fits { Ok(Self(digits)) } else { Err($what) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

digits!(
    /// A subscription: 5 to 15 digits.
    Imsi, 5, 15, "an IMSI has 5 to 15 digits"
);
digits!(
    /// A phone number: E.164 digits, at most 15, without `+`. PyHSS finds nothing by a number with a `+`.
    Msisdn, 1, 15, "a phone number has at most 15 digits"
);
digits!(
    /// A SIM card: 19 or 20 digits.
    Iccid, 19, 20, "an ICCID has 19 or 20 digits"
);

/// Of `assign_number` and `release_number`.
#[derive(Debug, Deserialize)]
pub(super) struct Number {
    pub(super) imsi: Imsi,
    pub(super) msisdn: Msisdn,
}

/// Of `create_subscriber`.
#[derive(Debug, Deserialize)]
pub(super) struct NewSubscriber {
    pub(super) imsi: Imsi,
    pub(super) iccid: Iccid,
    /// The name of a profile in the target's settings, or the columns themselves. `default` if it is missing.
    #[serde(default)]
    pub(super) profile: Option<Profile>,
}

/// The columns of a new subscriber.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Profile {
    /// By name.
    Named(String),
    /// As columns of `subscriber`.
    Columns(Map<String, Value>),
}

/// Of `remove_subscriber`.
#[derive(Debug, Deserialize)]
pub(super) struct Subscription {
    pub(super) imsi: Imsi,
}

/// Of `swap_sim`.
#[derive(Debug, Deserialize)]
pub(super) struct SimSwap {
    pub(super) old_imsi: Imsi,
    pub(super) new_imsi: Imsi,
    pub(super) msisdn: Msisdn,
}

/// Of `update_service`.
#[derive(Debug, Deserialize)]
pub(super) struct ServiceUpdate {
    pub(super) imsi: Imsi,
    pub(super) settings: Map<String, Value>,
}

/// Of `set_enabled`.
#[derive(Debug, Deserialize)]
pub(super) struct EnabledFlag {
    pub(super) imsi: Imsi,
    pub(super) enabled: bool,
}

/// Parses the arguments of a call. Additional fields belong to the catalog and are ignored.
pub(super) fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Outcome> {
    T::deserialize(Value::Object(call.data.clone())).map_err(|error| Outcome::Permanent {
        code: ErrorCode::InvalidData.into(),
        detail: format!("the arguments of {} are invalid: {error}", call.operation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_parsed_in_all_usual_spellings() {
        let read = |raw: &str| Msisdn::try_from(raw.to_owned()).map(|msisdn| msisdn.to_string());
        assert_eq!(read("+1 206-555-1234").as_deref(), Ok("12065551234"));
        assert!(read("1234567890123456").is_err());
        assert!(read("12/34").is_err());
        assert!(read("").is_err());
    }
}
