//! How long an import waits for a command that was interrupted. If the rest of the list never comes, its
//! workflow would stay open forever. The same list, sent later, starts again; what was imported already counts as unchanged.

use serde::{Deserialize, Serialize};

use super::ImportProgress;
use crate::ids::Timestamp;

/// How long an import waits for the rest of its list, in milliseconds: 7 days since anything was received.
pub const GIVES_UP_AFTER_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// For how long an import waits, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patience {
    /// How long it waits, in milliseconds, as the command asked; forever if it did not say, as commands of earlier builds.
    pub(super) gives_up_after_ms: Option<u64>,
    /// When something was last received.
    pub(super) heard_at: Option<Timestamp>,
    /// When it next checks whether it has waited too long. It is not moved with every message, because each move would need a timer.
    pub(super) looks_at: Option<Timestamp>,
    /// Whether it has given up waiting.
    pub(super) abandoned: bool,
}

impl ImportProgress {
    /// Something was received, so a command is running. `gives_up_after_ms` is how long the command wants the import to wait.
    pub fn heard(&mut self, now: Timestamp, gives_up_after_ms: Option<u64>) {
        let patience = &mut self.patience;
        patience.gives_up_after_ms = gives_up_after_ms.or(patience.gives_up_after_ms);
        patience.heard_at = Some(now);
        patience.looks_at = patience.looks_at.or(patience.gives_up_after_ms.map(|ms| now.plus_ms(ms)));
    }

    /// The time from [`Self::wake_at`] has come: give up if nothing was received for too long and no part is running.
    pub fn woke(&mut self, now: Timestamp) {
        let is_idle = self.is_idle();
        let patience = &mut self.patience;
        let (Some(waits_ms), Some(heard_at)) = (patience.gives_up_after_ms, patience.heard_at) else { return };
        if patience.looks_at.is_none_or(|at| now < at) {
            return;
        }
        let until = heard_at.plus_ms(waits_ms);
        if now < until {
            patience.looks_at = Some(until);
        } else if is_idle {
            (patience.looks_at, patience.abandoned) = (None, true);
        } else {
            patience.looks_at = Some(now.plus_ms(waits_ms));
        }
    }

    /// When it must be woken, if nothing else happens.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.patience.looks_at.filter(|_| !self.is_done() && !self.patience.abandoned)
    }

    /// Whether it no longer waits for the rest of its list.
    pub fn is_abandoned(&self) -> bool {
        self.patience.abandoned
    }
}
