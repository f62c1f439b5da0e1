//! Seeds: the data that a real HSS has before the first order.

use interlock_domain::error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A SIM, and the subscriber that uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The subscription.
    pub imsi: String,
    /// The id of the SIM card. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iccid: Option<String>,
    /// The number that the subscriber has from the start, in both tables. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
    /// If true, only the SIM with its keys exists, without a subscriber.
    #[serde(default)]
    pub sim_only: bool,
}

/// The result of seeding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// How many were added.
    pub created: usize,
    /// How many existed already and were not changed.
    pub existing: usize,
}

/// Why a seed is invalid.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The target is not an HSS.
    #[error("this target has no subscribers to seed; seed the HSS")]
    NoSubscribers,
    /// Its number or its ICCID belongs to another SIM.
    #[error("the seed of IMSI {imsi} is rejected: its {column} is already used; choose another")]
    Taken {
        /// The subscription of the seed.
        imsi: String,
        /// The value that is already used.
        column: String,
    },
}

impl SeedError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NoSubscribers => ErrorCode::NoSubscribers,
            Self::Taken { .. } => ErrorCode::SeedTaken,
        }
    }
}
