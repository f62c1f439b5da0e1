//! The ids of all orders that ended within 30 days, in compact form: how a customer recognises a duplicate.
//!
//! An order id is kept as the first 12 bytes of its SHA-256. Of 16,384 remembered ids a new one has the digest of another
//! with a chance of 2^14 / 2^96, about 2 in 10^25 events: such an event would be taken for a duplicate.
//!
//! Digests are kept in chunks, oldest first. A chunk is forgotten as a whole: when its last order ended more than 30 days
//! ago, or when there are more digests than the limit. Then the horizon moves to the end of that chunk. An event whose
//! `time` is before the horizon may be a duplicate that is not recognised any more, so it is rejected as `too_old`. An
//! event without a `time` that comes again after its id was forgotten cannot be recognised.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{OrderId, Timestamp};
use crate::limits::REMEMBERED_MS_MAX;

/// The bytes of a digest.
const DIGEST_BYTES: usize = 12;
/// The most digests of a chunk.
const CHUNK_DIGESTS_MAX: usize = 256;
/// The fewest chunks in which as many digests are kept as the limit allows.
const CHUNKS_MIN: usize = 16;

/// The ids of orders that ended, as digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderDigests {
    /// Oldest first.
    chunks: VecDeque<Chunk>,
    /// The time before which orders may be forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon: Option<Timestamp>,
}

/// Digests of orders that ended one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Chunk {
    /// When the last of them ended.
    last: Timestamp,
    /// In hexadecimal digits where the state travels.
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

impl OrderDigests {
    /// Whether an order ended and is remembered.
    pub fn contains(&self, order: &OrderId) -> bool {
        let digest = digest_of(order);
        self.chunks.iter().any(|chunk| chunk.digests.0.contains(&digest))
    }

    /// Whether no order was ever remembered.
    pub fn is_new(&self) -> bool {
        self.chunks.is_empty() && self.horizon.is_none()
    }

    /// How many orders are remembered.
    pub fn count(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.digests.0.len()).sum()
    }

    /// The time before which orders may be forgotten, if any was.
    pub fn horizon(&self) -> Option<Timestamp> {
        self.horizon
    }

    /// Remembers an order that ended at `at`; at most `max` digests are kept.
    pub(super) fn insert(&mut self, at: Timestamp, order: &OrderId, max: usize) {
        if !self.contains(order) {
            let chunk_max = (max / CHUNKS_MIN).clamp(1, CHUNK_DIGESTS_MAX);
            if self.chunks.back().is_none_or(|chunk| chunk.digests.0.len() >= chunk_max) {
                self.chunks.push_back(Chunk { last: at, digests: Packed::default() });
            }
            if let Some(chunk) = self.chunks.back_mut() {
                chunk.last = chunk.last.max(at);
                chunk.digests.0.push(digest_of(order));
            }
        }
        self.forget(at, max);
    }

    /// Forgets what ended more than 30 days before `now`, and the oldest of what is above the limit.
    fn forget(&mut self, now: Timestamp, max: usize) {
        let oldest = now.0.saturating_sub(REMEMBERED_MS_MAX);
        while self.count() > max || self.chunks.front().is_some_and(|chunk| chunk.last.0 < oldest) {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.horizon = self.horizon.max(Some(chunk.last.plus_ms(1)));
        }
    }
}

fn digest_of(order: &OrderId) -> [u8; DIGEST_BYTES] {
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&Sha256::digest(order.as_str().as_bytes())[..DIGEST_BYTES]);
    digest
}
