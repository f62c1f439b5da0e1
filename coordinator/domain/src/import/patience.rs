//! How long an import waits for a command that does not come back. Somebody interrupted it, and nobody brings the rest: its
//! workflow would be open for ever. The same list, brought later, begins anew; what was imported is no change then.

use serde::{Deserialize, Serialize};

use super::ImportProgress;
use crate::ids::Timestamp;

/// How long an import waits for the rest of its list, in milliseconds: 7 days since anything came in.
pub const GIVES_UP_AFTER_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// For how long an import waits, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patience {
    /// How long it waits, in milliseconds, as the command said; for ever where it said nothing, as one of an earlier build.
    pub(super) gives_up_after_ms: Option<u64>,
    /// When anything came in last.
    pub(super) heard_at: Option<Timestamp>,
    /// When it is looked whether that is too long ago. Not moved by all that comes in: each time would be a timer.
    pub(super) looks_at: Option<Timestamp>,
    /// Whether it waits no more.
    pub(super) abandoned: bool,
}

impl ImportProgress {
    /// Something came in: a command is there. `gives_up_after_ms` is how long it wants to be waited for, where it says so.
    pub fn heard(&mut self, now: Timestamp, gives_up_after_ms: Option<u64>) {
        let patience = &mut self.patience;
        patience.gives_up_after_ms = gives_up_after_ms.or(patience.gives_up_after_ms);
        patience.heard_at = Some(now);
        patience.looks_at = patience.looks_at.or(patience.gives_up_after_ms.map(|ms| now.plus_ms(ms)));
    }

    /// The time asked for by [`Self::wake_at`] has come: it gives up where nothing came in for so long and nothing is under way.
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

    /// When it wants to be woken, if nothing else happens.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.patience.looks_at.filter(|_| !self.is_done() && !self.patience.abandoned)
    }

    /// Whether it waits for the rest of its list no more.
    pub fn is_abandoned(&self) -> bool {
        self.patience.abandoned
    }
}
