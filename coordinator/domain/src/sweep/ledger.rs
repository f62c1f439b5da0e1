//! What sweeps have found so far.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cause, Finding, LeaseLedger, LeaseNews, Tally};

/// The most findings that are remembered, and told, at a time; of more the first by their keys.
pub const FINDINGS_MAX: usize = 1_000;

/// The most of them that have the same cause: however many orders are overdue, that a target is parked is told.
pub const FINDINGS_OF_CAUSE_MAX: usize = 800;

/// The most bytes that they are, as JSON. An answer has them twice, in the ledger and as found, and those who did not answer
/// beside: together less than the server takes.
pub const FINDINGS_BYTES_MAX: usize = 512 * 1024;

/// The most of these bytes that findings of the same cause are.
pub const FINDINGS_OF_CAUSE_BYTES_MAX: usize = FINDINGS_BYTES_MAX / 5 * 4;

/// What sweeps have found and is not over, from one sweep to the next.
///
/// A sweep that cannot look at everything goes on in the next one; all sweeps of one walk make a circle. What was found in a
/// circle and not in the whole next one is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The circle under way.
    #[serde(default)]
    circle: u64,
    /// Where the next sweep goes on, as the one that looks wrote it; none where it begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What the circle under way counted so far.
    #[serde(default)]
    tally: Tally,
    /// What was found, by key, with the circle in which it was seen last.
    #[serde(default)]
    known: BTreeMap<String, Known>,
    /// What sweeps remember of leases.
    #[serde(default)]
    pub leases: LeaseLedger,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    circle: u64,
    finding: Finding,
}

/// What a sweep leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// What was not known before: one alert each.
    pub raised: Vec<Finding>,
    /// What is over.
    pub cleared: Vec<Finding>,
    /// How many there are now of each cause that there is.
    pub standing: BTreeMap<Cause, u64>,
    /// How much there is of what waits, where this sweep ends a circle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// How many more this sweep found of each cause, that cannot be remembered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Cause, u64>,
    /// Whether this sweep could not find out who waits, and looked at nobody but targets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub customers_unseen: bool,
    /// What is new of leases.
    #[serde(default)]
    pub leases: LeaseNews,
}

impl Ledger {
    /// Takes what a sweep found. `unanswered` are those who did not answer (`TENANT CUSTOMER`, `TENANT KIND/ID`, ` TARGET`):
    /// what is known of them stays. `cursor` says where the next sweep goes on; none where all was looked at.
    pub fn take(
        &mut self,
        found: Vec<Finding>,
        tally: Tally,
        unanswered: &BTreeSet<String>,
        cursor: Option<String>,
    ) -> News {
        let circle = self.circle;
        let mut raised = Vec::new();
        let found: BTreeMap<String, Finding> = found.into_iter().map(|finding| (finding.key(), finding)).collect();
        for (key, finding) in found {
            if let Some(known) = self.known.get_mut(&key) {
                // Since when is what was told; what is told of it now may say more.
                known.circle = circle;
            } else if self.known.len() < FINDINGS_MAX {
                raised.push(finding.clone());
                self.known.insert(key, Known { circle, finding });
            }
        }
        for known in self.known.values_mut() {
            if known.finding.subjects().any(|subject| unanswered.contains(&subject)) {
                known.circle = circle;
            }
        }
        self.tally.join(tally);
        let tally = cursor.is_none().then(|| std::mem::take(&mut self.tally));
        let mut cleared = Vec::new();
        if cursor.is_none() {
            self.circle += 1;
            self.known.retain(|_, known| {
                let stays = known.circle == circle;
                if !stays {
                    cleared.push(known.finding.clone());
                }
                stays
            });
        }
        self.cursor = cursor;
        let mut standing = BTreeMap::new();
        for known in self.known.values() {
            *standing.entry(known.finding.cause).or_default() += 1;
        }
        News { raised, cleared, standing, tally, ..News::default() }
    }

    /// Whether this is known and not over.
    pub(super) fn knows(&self, finding: &Finding) -> bool {
        self.known.contains_key(&finding.key())
    }

    /// What is known and not over, in the order of the keys.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.known.values().map(|known| &known.finding)
    }
}
