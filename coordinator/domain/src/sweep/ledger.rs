//! What sweeps have found so far.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cause, Finding, LeaseLedger, LeaseNews, MisplacedLedger, MisplacedNews, RingSearch, Tally};

/// The most findings that are remembered and reported at a time; if there are more, the first by key.
pub const FINDINGS_MAX: usize = 1_000;

/// The most of them with the same cause: however many orders are overdue, a parked target is still reported.
pub const FINDINGS_OF_CAUSE_MAX: usize = 800;

/// Their largest size as JSON, in bytes. An answer contains them twice, in the ledger and as findings, and also those who did not
/// answer: together less than the server accepts.
pub const FINDINGS_BYTES_MAX: usize = 512 * 1024;

/// How many of these bytes the findings of the same cause may use.
pub const FINDINGS_OF_CAUSE_BYTES_MAX: usize = FINDINGS_BYTES_MAX / 5 * 4;

/// What sweeps have found and is not over, from one sweep to the next.
///
/// A sweep that cannot look at everything continues in the next one; the sweeps that together look at everything once make a circle. A
/// finding is over if it was not seen in one whole circle after the one in which it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The running circle.
    #[serde(default)]
    circle: u64,
    /// Where the next sweep continues, as written by the activity that looks; none if it starts from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What the running circle has counted so far.
    #[serde(default)]
    tally: Tally,
    /// What was found, by key, with the circle in which it was seen last.
    #[serde(default)]
    known: BTreeMap<String, Known>,
    /// What sweeps remember about leases.
    #[serde(default)]
    pub leases: LeaseLedger,
    /// Where the search for rings continues.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rings: RingSearch,
    /// What sweeps remember about runs that no worker executes.
    #[serde(default)]
    pub misplaced: MisplacedLedger,
}

fn is_default(rings: &RingSearch) -> bool {
    *rings == RingSearch::default()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    circle: u64,
    finding: Finding,
}

/// The result of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Findings that were not known before: one alert each.
    pub raised: Vec<Finding>,
    /// What is over.
    pub cleared: Vec<Finding>,
    /// How many findings there are now, by cause.
    pub standing: BTreeMap<Cause, u64>,
    /// Counts of what waits, if this sweep ends a circle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// How many more findings this sweep had than can be remembered, by cause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Cause, u64>,
    /// Whether this sweep could not find out which customers have open orders, and looked only at targets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub customers_unseen: bool,
    /// What is new about leases.
    #[serde(default)]
    pub leases: LeaseNews,
    /// What is new about runs that no worker executes.
    #[serde(default)]
    pub misplaced: MisplacedNews,
}

impl Ledger {
    /// Takes what a sweep found. `unanswered` are those who did not answer (`TENANT CUSTOMER`, `TENANT KIND/ID`, ` TARGET`):
    /// findings about them stay. `cursor` says where the next sweep continues; none if everything was looked at.
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
                // The start stays as reported; the rest may be more detailed now.
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

    /// Whether this finding is known and not over.
    pub(super) fn knows(&self, finding: &Finding) -> bool {
        self.known.contains_key(&finding.key())
    }

    /// The known findings that are not over, in the order of their keys.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.known.values().map(|known| &known.finding)
    }
}
