//! Seeds: what a real HSS has before the first order comes.

use interlock_domain::error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A SIM, and the subscriber that uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The subscription.
    pub imsi: String,
    /// The SIM card; none where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iccid: Option<String>,
    /// The number that the subscriber has from the beginning, in both tables; none where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
    /// Only the SIM with its keys is there, no subscriber yet.
    #[serde(default)]
    pub sim_only: bool,
}

/// What seeding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// How many were added.
    pub created: usize,
    /// How many were there already, and were left as they are.
    pub existing: usize,
}

/// Why a seed cannot be.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The target is no HSS.
    #[error("this target has no subscribers to seed; seed the HSS")]
    NoSubscribers,
    /// Its number, or its ICCID, is another's.
    #[error("the seed of IMSI {imsi} is rejected: its {column} is already used; choose another")]
    Taken {
        /// The subscription of the seed.
        imsi: String,
        /// What is taken.
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
