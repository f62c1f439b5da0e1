//! The ids of all orders that ended within 30 days, in compact form: how a customer recognises a duplicate.
//!
//! An order id is kept as the first 12 bytes of its SHA-256. If `n` ids are remembered, a new one has the digest of another
//! with a chance of `n / 2^96`: 2 in 10^25 events at the limit of 16,384. Such an event would be mistaken for a duplicate.
//!
//! Digests are kept in chunks, oldest first; a chunk is forgotten as a whole. What happens to a duplicate of an order whose
//! id was forgotten depends on the `time` of its event:
//!
//! - *Dated*: its `time` is not after the end of its order. When a chunk of them is forgotten, because its last order ended
//!   more than 30 days ago or because there are more digests than the limit, the horizon moves to the end of that chunk. The
//!   `time` of a duplicate is then before the horizon, and the duplicate is rejected as `too_old`.
//! - *Undated*: its event has no `time`, or one that was still in the future when its order ended. The horizon cannot detect
//!   a duplicate. So these ids are never forgotten because there are too many: at three quarters of the limit a customer
//!   accepts no further undated event (`too_old`) until some are 30 days old. The last quarter is for dated events only, so
//!   that undated ones cannot push their horizon to the present. 30 days after its order ended an undated id is forgotten,
//!   or 30 days after its `time`, which counts up to 30 days ahead; a duplicate that comes later is executed again.
//!
//! Rejected events have no digest: they had no effect, and a flood of them must not move the horizon.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{OrderId, Timestamp};
use crate::limits::REMEMBERED_MS_MAX;
use crate::order::OrderKey;

/// The bytes of a digest.
const DIGEST_BYTES: usize = 12;
/// The most digests of a chunk.
const CHUNK_DIGESTS_MAX: usize = 256;
/// The fewest chunks in which as many digests are kept as the limit allows.
const CHUNKS_MIN: usize = 16;

/// Undated digests may fill the limit except for one part in this many.
const DATED_PART: usize = 4;

/// The ids of orders that ended, as digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderDigests {
    /// Whether ids have been remembered in this form since the entity started, or since a state of 0.1.0 was adopted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    begun: bool,
    /// Of dated events, oldest first.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    chunks: VecDeque<Chunk>,
    /// Of undated events, oldest first.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    undated: VecDeque<Chunk>,
    /// The time before which orders may be forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon: Option<Timestamp>,
}

/// Digests of orders that ended consecutively.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Chunk {
    /// When the last of them ended; for undated ones, the latest `time` of their events.
    last: Timestamp,
    /// In hexadecimal digits in the serialised state.
    digests: Packed,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Packed(Vec<[u8; DIGEST_BYTES]>);

impl From<Packed> for String {
    fn from(packed: Packed) -> Self {
        hex::encode(packed.0.concat())
    }
}

impl TryFrom<String> for Packed {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = hex::decode(text)?;
        let digests = bytes.chunks_exact(DIGEST_BYTES).filter_map(|digest| digest.try_into().ok());
        Ok(Self(digests.collect()))
    }
}

/// The `time` of an event, as far as it matters for duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dating {
    /// Not after its acceptance.
    Past,
    /// After its acceptance.
    Ahead(Timestamp),
    /// None.
    Unsaid,
}

impl Dating {
    /// The dating of an event with this time and acceptance.
    pub(super) fn of(time: Option<Timestamp>, accepted_at: Timestamp) -> Self {
        match time {
            Some(time) if time > accepted_at => Self::Ahead(time),
            Some(_) => Self::Past,
            None => Self::Unsaid,
        }
    }

    /// The dating, as far as it follows from an order's key.
    pub(super) fn of_key(key: &OrderKey) -> Self {
        if key.occurred_at < key.accepted_at { Self::Past } else { Self::Unsaid }
    }
}

impl OrderDigests {
    /// Whether an order ended and is remembered.
    pub fn contains(&self, order: &OrderId) -> bool {
        let digest = digest_of(order);
        self.chunks.iter().chain(&self.undated).any(|chunk| chunk.digests.0.contains(&digest))
    }

    /// Whether no order was ever remembered.
    pub fn is_new(&self) -> bool {
        !self.begun
    }

    /// How many orders are remembered.
    pub fn count(&self) -> usize {
        count_of(&self.chunks) + self.undated_count()
    }

    /// How many of them are of undated events.
    pub fn undated_count(&self) -> usize {
        count_of(&self.undated)
    }

    /// The time before which orders may be forgotten, if any was.
    pub fn horizon(&self) -> Option<Timestamp> {
        self.horizon
    }

    /// Starts remembering ids in this form. `before` are the orders that a state of 0.1.0 remembers; whether
    /// their events were dated is unknown. It had forgotten the ids of those that ended before `forgotten`.
    pub(super) fn begin<'a>(
        &mut self,
        before: impl Iterator<Item = (Timestamp, &'a OrderId)>,
        forgotten: Option<Timestamp>,
        max: usize,
    ) {
        self.begun = true;
        self.horizon = forgotten;
        for (at, order) in before {
            self.insert(at, order, Dating::Unsaid, max);
        }
    }

    /// Remembers an order that ended at `at`; keeps at most `max` digests.
    pub(super) fn insert(&mut self, at: Timestamp, order: &OrderId, dating: Dating, max: usize) {
        self.begun = true;
        if !self.contains(order) {
            let chunk_max = (max / CHUNKS_MIN).clamp(1, CHUNK_DIGESTS_MAX);
            let farthest = Timestamp(at.0.saturating_add(REMEMBERED_MS_MAX));
            let (chunks, last) = match dating {
                Dating::Past => (&mut self.chunks, at),
                Dating::Ahead(time) if time <= at => (&mut self.chunks, at),
                Dating::Ahead(time) => (&mut self.undated, time.min(farthest)),
                Dating::Unsaid => (&mut self.undated, at),
            };
            if chunks.back().is_none_or(|chunk| chunk.digests.0.len() >= chunk_max) {
                chunks.push_back(Chunk { last, digests: Packed::default() });
            }
            if let Some(chunk) = chunks.back_mut() {
                chunk.last = chunk.last.max(last);
                chunk.digests.0.push(digest_of(order));
            }
        }
        self.forget_undated(at);
        self.forget_dated(at, max);
    }

    /// Whether one more undated event may be accepted at `now`, if this many are open.
    pub(super) fn has_room_for_undated(&mut self, now: Timestamp, open: usize, max: usize) -> bool {
        self.forget_undated(now);
        self.undated_count() + open < max - max / DATED_PART
    }

    fn forget_undated(&mut self, now: Timestamp) {
        self.undated.retain(|chunk| !is_forgotten(chunk, now));
    }

    /// Forgets what ended more than 30 days before `now`, and the oldest beyond the limit.
    fn forget_dated(&mut self, now: Timestamp, max: usize) {
        while self.chunks.front().is_some_and(|chunk| is_forgotten(chunk, now) || self.count() > max) {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.horizon = self.horizon.max(Some(chunk.last.plus_ms(1)));
        }
    }
}

fn count_of(chunks: &VecDeque<Chunk>) -> usize {
    chunks.iter().map(|chunk| chunk.digests.0.len()).sum()
}

fn is_forgotten(chunk: &Chunk, now: Timestamp) -> bool {
    chunk.last.0 < now.0.saturating_sub(REMEMBERED_MS_MAX)
}

fn digest_of(order: &OrderId) -> [u8; DIGEST_BYTES] {
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&Sha256::digest(order.as_str().as_bytes())[..DIGEST_BYTES]);
    digest
}
