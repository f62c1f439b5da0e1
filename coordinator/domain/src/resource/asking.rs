//! Look-ups: whether one is running, and what is remembered in addition.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;

/// The running look-up: at most one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredLookUp", into = "StoredLookUp")]
pub enum LookUp {
    /// None.
    #[default]
    None,
    /// None. The last one was stale, and a new run could not repeat it: the next one counts as stale, too.
    NoneAfterStale,
    /// The authority is being asked.
    UnderWay {
        /// The purpose.
        asked_for: AskedFor,
        /// Whether its answer may be outdated: then it is made again.
        is_stale: bool,
    },
}

/// The purpose of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AskedFor {
    /// To decide for those who wait.
    Ledger,
    /// For a forced release: its answer does not change the ledger.
    Force,
}

impl LookUp {
    /// Whether one is running.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }

    /// Whether the next answer may be outdated.
    pub fn is_stale(self) -> bool {
        matches!(self, Self::NoneAfterStale | Self::UnderWay { is_stale: true, .. })
    }

    /// Whether one is running for those who wait.
    pub(super) fn is_for_ledger(self) -> bool {
        matches!(self, Self::UnderWay { asked_for: AskedFor::Ledger, .. })
    }

    /// Starts one.
    pub(super) fn begin(&mut self, asked_for: AskedFor) {
        *self = Self::UnderWay { asked_for, is_stale: self.is_stale() };
    }

    /// Drops a running one that cannot be made again.
    pub(super) fn drop_unanswered(&mut self) {
        *self = if self.is_stale() { Self::NoneAfterStale } else { Self::None };
    }

    /// Marks the answer of the running one as possibly outdated.
    pub(super) fn mark_stale(&mut self) {
        if let Self::UnderWay { is_stale, .. } = self {
            *is_stale = true;
        }
    }

    /// Marks the answer of the running one as possibly outdated, if it is for those who wait.
    pub(super) fn mark_stale_for_ledger(&mut self) {
        if self.is_for_ledger() {
            self.mark_stale();
        }
    }
}

/// The serialised form of a look-up: three fields of its resource, since 0.1.0.
#[derive(Serialize, Deserialize)]
struct StoredLookUp {
    /// Whether one is running.
    looking_up: bool,
    /// Whether its answer may be outdated.
    #[serde(default)]
    look_up_is_stale: bool,
    /// Whether it is for a forced release.
    #[serde(default)]
    look_up_is_for_force: bool,
}

impl From<StoredLookUp> for LookUp {
    fn from(stored: StoredLookUp) -> Self {
        match (stored.looking_up, stored.look_up_is_stale) {
            (false, false) => Self::None,
            (false, true) => Self::NoneAfterStale,
            (true, is_stale) => {
                let asked_for = if stored.look_up_is_for_force { AskedFor::Force } else { AskedFor::Ledger };
                Self::UnderWay { asked_for, is_stale }
            }
        }
    }
}

impl From<LookUp> for StoredLookUp {
    fn from(look_up: LookUp) -> Self {
        Self {
            looking_up: look_up.is_under_way(),
            look_up_is_stale: look_up.is_stale(),
            look_up_is_for_force: look_up.is_under_way() && !look_up.is_for_ledger(),
        }
    }
}

/// What a resource remembers of its look-ups, in addition to whether one is running.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// How many questions with a proof it asked: each has a different proof.
    #[serde(default)]
    pub asked: u64,
    /// How many of them in a row were ended by hand.
    #[serde(default)]
    pub by_hand: u32,
    /// When it asks again, after a look-up was ended by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
}

impl Asking {
    /// Whether it remembers nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
