//! Who did what: the log of persons' actions of one tenant, or of those on targets, which tenants share. Pure: the workflow `ActionLogEntity` is
//! a shell around [`ActionLog`].
//!
//! An action that needs a second person is proposed here first, and taken when another person has confirmed it (`second_person.rs`).
//!
//! The sender of an action notes it here before it sends it to the entity, and notes the outcome afterwards. So an action of which
//! the sender never learnt the outcome stays in the log without one. The entity's own journal says what it did.

mod entry;
mod second_person;
#[cfg(test)]
mod second_person_tests;
#[cfg(test)]
mod tests;
mod view;

pub use entry::*;
pub use second_person::*;
pub use view::*;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::action_mark::caller_of;
use crate::ids::Timestamp;
use crate::kept_text::kept;

/// How many actions a log keeps: the oldest beyond that are dropped.
pub const LOGGED_ACTIONS_MAX: usize = 1_000;
/// The size of all texts of a log, in bytes of JSON: the oldest actions beyond that are dropped. With the rest of each entry and the contents
/// of all proposals a log takes less than half of what the server accepts as one payload.
pub const LOGGED_BYTES_MAX: usize = 384 * 1024;

/// The log of a tenant, or of the targets. All of it travels through continue-as-new.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionLog {
    /// The number of the last entry.
    #[serde(default)]
    last: u64,
    /// The entries, oldest first, bounded.
    #[serde(default)]
    entries: VecDeque<LogEntry>,
    /// How many were dropped so far.
    #[serde(default)]
    dropped: u64,
}

impl ActionLog {
    /// Takes a note of an action, before it is sent or after its outcome is known. A repeated action is the same entry.
    pub fn note(&mut self, now: Timestamp, note: ActionNote) {
        let ActionNote { subject, words, outcome } = note;
        let found = self.entries.iter_mut().rev().find(|entry| entry.is_of(&subject, &words));
        let outcome = outcome.map(|outcome| outcome.at(now));
        match found {
            // An action that is sent again may be refused, or not be answered, although it was taken.
            Some(entry) if entry.outcome.as_ref().is_some_and(NotedOutcome::is_done) => {}
            Some(entry) => {
                entry.outcome = outcome.or(entry.outcome.take());
                self.forget(now);
            }
            None => {
                self.add(now, LogEntry { number: 0, at: now, subject, words, outcome, proposal: None });
            }
        }
    }

    /// Adds an entry, and returns its number.
    fn add(&mut self, now: Timestamp, entry: LogEntry) -> u64 {
        self.last += 1;
        self.entries.push_back(LogEntry { number: self.last, ..entry });
        self.forget(now);
        self.last
    }

    /// Drops the oldest entries that are too many, except proposals that wait for a second person.
    fn forget(&mut self, now: Timestamp) {
        let mut bytes: usize = self.entries.iter().map(LogEntry::bytes).sum();
        while self.entries.len() > LOGGED_ACTIONS_MAX || bytes > LOGGED_BYTES_MAX {
            let is_waiting = |entry: &LogEntry| entry.proposal.as_ref().is_some_and(|proposal| proposal.is_open(now));
            let oldest = self.entries.iter().position(|entry| !is_waiting(entry));
            let Some(oldest) = oldest.and_then(|index| self.entries.remove(index)) else { return };
            bytes -= oldest.bytes();
            self.dropped += 1;
        }
    }
}

impl LogEntry {
    /// Whether it is the entry of this action. An action id names one action of one caller on one thing.
    fn is_of(&self, subject: &ActionSubject, words: &LoggedWords) -> bool {
        self.words.action_id == words.action_id
            && self.subject == *subject
            && caller_of(&self.words.actor) == caller_of(&words.actor)
    }

    /// The size of its texts.
    fn bytes(&self) -> usize {
        let LoggedWords { action_id, actor, reason, ticket } = &self.words;
        let outcome = self.outcome.as_ref().map_or("", |outcome| &outcome.detail);
        let by = self.proposal.as_ref().and_then(|proposal| proposal.confirmed.as_ref()).map_or("", |(by, _)| by);
        let ticket = ticket.as_deref().unwrap_or_default();
        [&self.subject.id, action_id, actor, reason, ticket, outcome, by].into_iter().map(json_bytes).sum()
    }
}

/// The size of a text in JSON.
fn json_bytes(text: &str) -> usize {
    let of = |sign: char| match sign {
        '"' | '\\' => 2,
        // At most: some have a shorter escape.
        '\0'..='\x1f' => 6,
        _ => sign.len_utf8(),
    };
    text.chars().map(of).sum()
}

impl ActionOutcome {
    fn at(self, at: Timestamp) -> NotedOutcome {
        NotedOutcome { at, end: self.end, code: self.code, detail: kept(self.detail) }
    }
}
