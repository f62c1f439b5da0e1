//! The progress of one import: which parts of the list were received, which are running, and the results of their lines. Pure:
//! the workflow `ResourceImport` is a shell around [`ImportProgress`].

mod patience;
#[cfg(test)]
mod tests;

pub use patience::{GIVES_UP_AFTER_MS, Patience};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error_code::ReasonCode;
use crate::ids::{TenantId, Timestamp};

/// The most lines of a part.
pub const PART_LINES_MAX: usize = 10_000;
/// The most bytes of a part before compression: even if compression gains nothing, a part written as text fits
/// into a payload of 2 MiB.
pub const PART_BYTES_MAX: usize = 1024 * 1024;
/// How many parts run at the same time. A part itself handles only a few lines at a time, so that live orders keep their
/// share; the second part fills the gap at the end of the first.
pub const PARTS_AT_ONCE: usize = 2;
/// How many parts one run of the workflow handles: each is in its history twice, which may have 50 MiB.
pub const PARTS_PER_RUN: u32 = 10;
/// How many problems of a part are reported one by one; the others are only counted.
pub const PROBLEMS_TOLD_MAX: usize = 2_000;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPart {
    /// Its number, from 0, in the order of the list.
    pub number: u64,
    /// How many lines it has.
    pub lines: u64,
    /// The lines, as [`ListedLease`]s: JSON, compressed, as text.
    pub data: String,
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedLease {
    /// Its number in the list, from 1; the header is the first.
    pub line: u64,
    /// The kind of the resource.
    pub kind: String,
    /// The resource's id.
    pub id: String,
    /// The customer that has it.
    pub customer: String,
}

/// The results of lines, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportTally {
    /// Leases that are new in the ledger.
    pub seeded: u64,
    /// Leases that the ledger already had.
    pub unchanged: u64,
    /// Lines that contradict the ledger.
    pub conflicts: u64,
    /// Lines that are invalid.
    pub bad: u64,
}

impl ImportTally {
    /// All lines.
    pub fn lines(&self) -> u64 {
        [self.unchanged, self.conflicts, self.bad].into_iter().fold(self.seeded, u64::saturating_add)
    }

    /// Adds the results of other lines.
    pub fn add(&mut self, other: &Self) {
        self.seeded = self.seeded.saturating_add(other.seeded);
        self.unchanged = self.unchanged.saturating_add(other.unchanged);
        self.conflicts = self.conflicts.saturating_add(other.conflicts);
        self.bad = self.bad.saturating_add(other.bad);
    }
}

/// A line that was not imported, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineProblem {
    /// Its number in the list.
    pub line: u64,
    /// A stable code.
    pub code: ReasonCode,
    /// A sentence for a person.
    pub detail: String,
}

/// The results of a part; while it is running, of its first lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartReport {
    /// The results of its lines.
    pub tally: ImportTally,
    /// The lines that were not imported, at most [`PROBLEMS_TOLD_MAX`].
    pub problems: Vec<LineProblem>,
}

impl PartReport {
    /// Records a line that was not imported.
    pub fn problem(&mut self, problem: LineProblem) {
        if self.problems.len() < PROBLEMS_TOLD_MAX {
            self.problems.push(problem);
        }
    }
}

/// The workflow's answer to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum PartAnswer {
    /// It is accepted, or was accepted before.
    Taken,
    /// Another part must come first.
    Expected {
        /// Its number.
        number: u64,
    },
    /// Enough parts are running: send it again later.
    Busy,
}

/// What the import wants the workflow to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Import this part: one child workflow. Answered by [`ImportProgress::ended`].
    Begin(ImportPart),
}

/// The progress of an import. All of it travels through continue-as-new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportProgress {
    /// The tenant whose list it is.
    tenant: TenantId,
    /// When it started: the same list, imported again later, has other parts.
    began_at: Timestamp,
    /// The received parts: all before this number.
    received: u64,
    /// A part that waits for its turn.
    #[serde(default)]
    waiting: Option<ImportPart>,
    /// The running parts, each with its number of lines.
    #[serde(default)]
    open: BTreeMap<u64, u64>,
    /// Parts that ended before they were done: they must be sent again.
    #[serde(default)]
    failed: BTreeSet<u64>,
    /// The results of the parts that are done.
    #[serde(default)]
    tally: ImportTally,
    /// The number of parts, once the end of the list is known.
    #[serde(default)]
    parts: Option<u64>,
    /// Parts started in this run.
    #[serde(default)]
    begun_in_run: u32,
    /// How long it waits for the rest of the list.
    #[serde(default)]
    patience: Patience,
}

/// The state of an import: the answer to its query `state` and its updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportView<'a> {
    /// When it started.
    pub began_at: Timestamp,
    /// The received parts: all before this number.
    pub received: u64,
    /// Parts that ended before they were done.
    pub failed: &'a BTreeSet<u64>,
    /// The running parts, each with its number of lines.
    pub open: &'a BTreeMap<u64, u64>,
    /// The number of a part that waits for its turn.
    pub waiting: Option<u64>,
    /// The results of the parts that are done.
    pub tally: ImportTally,
    /// The number of parts, once the end of the list is known.
    pub parts: Option<u64>,
    /// Whether every line of the list was imported.
    pub done: bool,
    /// Whether it no longer waits for the rest of its list.
    pub abandoned: bool,
}

impl ImportProgress {
    /// A new import.
    pub fn new(tenant: TenantId, began_at: Timestamp) -> Self {
        Self {
            tenant,
            began_at,
            received: 0,
            waiting: None,
            open: BTreeMap::new(),
            failed: BTreeSet::new(),
            tally: ImportTally::default(),
            parts: None,
            begun_in_run: 0,
            patience: Patience::default(),
        }
    }

    /// The tenant whose list it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// When it started.
    pub fn began_at(&self) -> Timestamp {
        self.began_at
    }

    /// The results of the parts that are done.
    pub fn tally(&self) -> ImportTally {
        self.tally
    }

    /// The state of the import, for queries.
    pub fn view(&self) -> ImportView<'_> {
        ImportView {
            began_at: self.began_at,
            received: self.received,
            failed: &self.failed,
            open: &self.open,
            waiting: self.waiting.as_ref().map(|part| part.number),
            tally: self.tally,
            parts: self.parts,
            done: self.is_done(),
            abandoned: self.is_abandoned(),
        }
    }

    /// Accepts a part. Repeating a part changes nothing.
    pub fn part(&mut self, part: ImportPart) -> (PartAnswer, Vec<Effect>) {
        let again = self.failed.contains(&part.number);
        // A part after the end of the list belongs to another list.
        let is_beyond = self.parts.is_some_and(|parts| part.number >= parts);
        if part.number > self.received || is_beyond {
            return (PartAnswer::Expected { number: self.received }, Vec::new());
        }
        if part.number < self.received && !again {
            return (PartAnswer::Taken, Vec::new());
        }
        if self.waiting.is_some() {
            return (PartAnswer::Busy, Vec::new());
        }
        self.failed.remove(&part.number);
        self.received = self.received.max(part.number.saturating_add(1));
        self.waiting = Some(part);
        (PartAnswer::Taken, self.begin())
    }

    /// A part has ended; `tally` is none if it ended before it was done.
    pub fn ended(&mut self, number: u64, tally: Option<ImportTally>) -> Vec<Effect> {
        if self.open.remove(&number).is_some() {
            match tally {
                Some(tally) => self.tally.add(&tally),
                None => {
                    self.failed.insert(number);
                }
            }
        }
        self.begin()
    }

    /// The list is complete, with this many parts.
    pub fn complete(&mut self, parts: u64) {
        self.parts = Some(parts);
    }

    /// A new run starts.
    pub fn resumed(&mut self) -> Vec<Effect> {
        self.begun_in_run = 0;
        self.begin()
    }

    fn begin(&mut self) -> Vec<Effect> {
        if self.open.len() >= PARTS_AT_ONCE || self.begun_in_run >= PARTS_PER_RUN {
            return Vec::new();
        }
        let Some(part) = self.waiting.take() else { return Vec::new() };
        self.open.insert(part.number, part.lines);
        self.begun_in_run = self.begun_in_run.saturating_add(1);
        vec![Effect::Begin(part)]
    }

    /// Whether no part is running.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether this run must end as soon as no part is running: it is long enough, everything is done, or the rest never came.
    pub fn run_is_over(&self) -> bool {
        self.begun_in_run >= PARTS_PER_RUN || self.is_done() || self.is_abandoned()
    }

    /// Whether every line of the list was imported.
    pub fn is_done(&self) -> bool {
        self.parts.is_some_and(|parts| parts <= self.received)
            && self.open.is_empty()
            && self.waiting.is_none()
            && self.failed.is_empty()
    }
}
