//! The work of a worker process.

use std::fmt;
use std::str::FromStr;

use interlock_domain::routing::{QueueKind, RoutingError, ShardCount, ShardIndex};
use interlock_fault::Fault;

/// The work of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// All of the workloads below.
    #[default]
    All,
    /// Customer entities.
    Entity,
    /// Resource entities.
    Resource,
    /// Calls to targets.
    Provisioning,
    /// Target entities, sweeps, tenant upkeep, and calls for unordered events on the shared jobs
    /// queues.
    Jobs,
}

impl Workload {
    /// The name, as on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Entity => "entity",
            Self::Resource => "resource",
            Self::Provisioning => "provisioning",
            Self::Jobs => "jobs",
        }
    }

    /// The kinds of sharded queues that it serves.
    pub fn queue_kinds(self) -> &'static [QueueKind] {
        match self {
            Self::All => &[QueueKind::Entity, QueueKind::Resource, QueueKind::Jobs, QueueKind::TenantOps],
            Self::Entity => &[QueueKind::Entity],
            Self::Resource => &[QueueKind::Resource],
            Self::Provisioning => &[],
            Self::Jobs => &[QueueKind::Jobs, QueueKind::TenantOps],
        }
    }

    /// Whether it calls targets: for orders, or (jobs) to probe them.
    pub fn calls_targets(self) -> bool {
        matches!(self, Self::All | Self::Provisioning | Self::Jobs)
    }

    /// Whether it serves targets' queues.
    pub fn serves_targets(self) -> bool {
        matches!(self, Self::All | Self::Provisioning)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A range of shards, written `FIRST-LAST` or as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardRange {
    first: u16,
    last: u16,
}

impl ShardRange {
    /// The shards of the range.
    ///
    /// # Errors
    /// [`Fault`] with the code of a [`RoutingError`] if there are not that many.
    pub fn shards(self, count: ShardCount) -> Result<Vec<ShardIndex>, Fault> {
        let shards: Result<Vec<_>, RoutingError> = (self.first..=self.last).map(|index| count.shard(index)).collect();
        shards.map_err(|error| {
            Fault::wrong_use(
                error.code(),
                format!(
                    "There are {} shards, numbered from 0; --shards {self} names shards that do not exist.",
                    count.get()
                ),
            )
        })
    }
}

impl FromStr for ShardRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |part: &str| part.trim().parse::<u16>().map_err(|_| format!("'{text}' is not a range such as 0-15"));
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: number(first)?, last: number(last)? };
        if range.first <= range.last { Ok(range) } else { Err(format!("'{text}' ends before it begins")) }
    }
}

impl fmt::Display for ShardRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_shards_is_two_numbers_or_one() {
        let shards =
            |text: &str| text.parse::<ShardRange>().unwrap().shards(ShardCount::default()).map(|all| all.len());
        assert_eq!(shards("0-15").unwrap(), 16);
        assert_eq!(shards("3").unwrap(), 1);
        assert_eq!(shards("8-16").unwrap_err().code, "bad_shard_count");
        for wrong in ["", "a", "3-1", "1-2-3"] {
            assert!(wrong.parse::<ShardRange>().is_err(), "{wrong}");
        }
    }
}
