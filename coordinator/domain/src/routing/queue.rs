//! The names of task queues: `{prefix}.{kind}.{shard:02}` and `{prefix}.provisioning-{target}`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RoutingError;
use crate::ids::TargetId;

/// The longest prefix, in bytes: with it the longest queue name stays under Temporal's 1,000.
pub const PREFIX_BYTES_MAX: usize = 64;
/// The most shards of a queue kind.
pub const SHARD_COUNT_MAX: u16 = 1_000;
/// How many shards a cluster has by default; `dev`, `demo` and tests have one.
pub const SHARD_COUNT_DEFAULT: u16 = 16;

/// What a sharded task queue serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// Customer entities.
    Entity,
    /// Resource entities.
    Resource,
    /// Unordered orders and other work that belongs to no entity.
    Jobs,
    /// The upkeep of tenants.
    TenantOps,
}

impl QueueKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Entity, Self::Resource, Self::Jobs, Self::TenantOps];

    /// The kind as written in a queue's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Resource => "resource",
            Self::Jobs => "jobs",
            Self::TenantOps => "tenant_ops",
        }
    }
}

/// The prefix of the names of all task queues: 1 to [`PREFIX_BYTES_MAX`] characters of `A-Za-z0-9._-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueuePrefix(String);

impl QueuePrefix {
    /// The prefix as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The queue of this kind and shard.
    pub fn queue(&self, kind: QueueKind, shard: ShardIndex) -> String {
        format!("{}.{}.{shard}", self.0, kind.as_str())
    }

    /// The queue of a target's provisioning activities; the target's id is percent-encoded.
    pub fn provisioning_queue(&self, target: &TargetId) -> String {
        format!("{}.provisioning-{}", self.0, target.encoded())
    }
}

impl Default for QueuePrefix {
    fn default() -> Self {
        Self("interlock".to_owned())
    }
}

impl FromStr for QueuePrefix {
    type Err = RoutingError;
    fn from_str(raw: &str) -> Result<Self, RoutingError> {
        Self::try_from(raw.to_owned())
    }
}

impl TryFrom<String> for QueuePrefix {
    type Error = RoutingError;
    fn try_from(raw: String) -> Result<Self, RoutingError> {
        let is_sound = (1..=PREFIX_BYTES_MAX).contains(&raw.len())
            && raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            // Temporal reserves these names.
            && !raw.starts_with("__temporal");
        if is_sound { Ok(Self(raw)) } else { Err(RoutingError::Prefix(raw)) }
    }
}

impl From<QueuePrefix> for String {
    fn from(prefix: QueuePrefix) -> String {
        prefix.0
    }
}

/// Over how many queues of a kind the tenants are spread: 1 to [`SHARD_COUNT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct ShardCount(u16);

impl ShardCount {
    /// One shard, for a single machine.
    pub const ONE: Self = Self(1);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// All shards, in order.
    pub fn shards(self) -> impl Iterator<Item = ShardIndex> {
        (0..self.0).map(ShardIndex)
    }

    /// The shard with this number.
    ///
    /// # Errors
    /// [`RoutingError::ShardCount`] if there are not that many shards.
    pub fn shard(self, index: u16) -> Result<ShardIndex, RoutingError> {
        if index < self.0 { Ok(ShardIndex(index)) } else { Err(RoutingError::ShardCount(u64::from(index) + 1)) }
    }
}

impl Default for ShardCount {
    fn default() -> Self {
        Self(SHARD_COUNT_DEFAULT)
    }
}

impl TryFrom<u64> for ShardCount {
    type Error = RoutingError;
    fn try_from(count: u64) -> Result<Self, RoutingError> {
        match u16::try_from(count) {
            Ok(small) if (1..=SHARD_COUNT_MAX).contains(&small) => Ok(Self(small)),
            _ => Err(RoutingError::ShardCount(count)),
        }
    }
}

impl From<ShardCount> for u64 {
    fn from(count: ShardCount) -> u64 {
        u64::from(count.0)
    }
}

/// The number of a shard, from 0; written with at least two digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ShardIndex(u16);

impl ShardIndex {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// Over how many shards the entities of one tenant (or shared realm) are spread: from 1, the default, to the count of
/// shards. More than one is for a tenant that is too big for one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Spread(u16);

impl Spread {
    /// All in one shard.
    pub const ONE: Self = Self(1);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for Spread {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<u64> for Spread {
    type Error = RoutingError;
    fn try_from(spread: u64) -> Result<Self, RoutingError> {
        match u16::try_from(spread) {
            Ok(small) if (1..=SHARD_COUNT_MAX).contains(&small) => Ok(Self(small)),
            _ => Err(RoutingError::Spread(spread)),
        }
    }
}

impl From<Spread> for u64 {
    fn from(spread: Spread) -> u64 {
        u64::from(spread.0)
    }
}

/// The shard of a tenant or realm: the first 4 bytes, big-endian, of the SHA-256 of its id as written (UTF-8, not
/// percent-encoded), modulo the count.
pub fn shard_of(tenant_or_realm: &str, count: ShardCount) -> ShardIndex {
    entity_shard(tenant_or_realm, "", count, Spread::ONE)
}

/// The shard of an entity: that of its tenant or realm ([`shard_of`]), moved on by the first 4 bytes, big-endian, of the
/// SHA-256 of its workflow id, modulo the spread; the sum modulo the count. A spread of at most the count makes as many
/// distinct shards.
pub fn entity_shard(tenant_or_realm: &str, workflow_id: &str, count: ShardCount, spread: Spread) -> ShardIndex {
    let base = number_of(tenant_or_realm) % u32::from(count.0);
    let step = number_of(workflow_id) % u32::from(spread.0);
    ShardIndex(((base + step) % u32::from(count.0)) as u16)
}

fn number_of(text: &str) -> u32 {
    let digest = Sha256::digest(text.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}
