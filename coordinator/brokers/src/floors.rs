//! Up to where the messages of each partition are finished, without a gap.

use std::collections::BTreeMap;

use crate::message::Position;

/// The messages of one partition.
#[derive(Debug, Default)]
struct Partition {
    /// Those that were taken in and are not acknowledged, and whether they are finished.
    held: BTreeMap<i64, bool>,
}

/// The messages of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    partitions: BTreeMap<i32, Partition>,
}

impl Floors {
    /// A message was taken in.
    pub(crate) fn take(&mut self, position: Position) {
        self.partitions.entry(position.partition).or_default().held.insert(position.offset, false);
    }

    /// A message is finished. Returns the last one of its partition before which all are finished, if this one moved it.
    pub(crate) fn finish(&mut self, position: Position) -> Option<Position> {
        let held = &mut self.partitions.get_mut(&position.partition)?.held;
        *held.get_mut(&position.offset)? = true;
        let finished = held.iter().take_while(|(_, is_finished)| **is_finished);
        let floor = finished.map(|(offset, _)| *offset).last()?;
        Some(Position { offset: floor, ..position })
    }

    /// All up to here are acknowledged. Returns them.
    pub(crate) fn acknowledged(&mut self, up_to: Position) -> Vec<Position> {
        let Some(partition) = self.partitions.get_mut(&up_to.partition) else { return Vec::new() };
        let rest = partition.held.split_off(&(up_to.offset + 1));
        let done = std::mem::replace(&mut partition.held, rest);
        done.into_keys().map(|offset| Position { offset, ..up_to }).collect()
    }

    /// The partition belongs to another process.
    pub(crate) fn revoke(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64) -> Position {
        Position { partition, offset }
    }

    #[test]
    fn the_floor_never_passes_an_unfinished_message() {
        let mut floors = Floors::default();
        // Offsets have gaps: transactions and compaction take some.
        for offset in [3, 4, 7, 8] {
            floors.take(at(0, offset));
        }
        floors.take(at(1, 0));
        assert_eq!(floors.finish(at(0, 4)), None);
        assert_eq!(floors.finish(at(0, 8)), None);
        assert_eq!(floors.finish(at(1, 0)), Some(at(1, 0)), "partitions are apart");
        assert_eq!(floors.finish(at(0, 3)), Some(at(0, 4)));
        assert_eq!(floors.acknowledged(at(0, 4)), [at(0, 3), at(0, 4)]);
        assert_eq!(floors.finish(at(0, 7)), Some(at(0, 8)));
        assert_eq!(floors.acknowledged(at(0, 8)), [at(0, 7), at(0, 8)]);
        assert_eq!(floors.finish(at(0, 8)), None, "it is gone");
    }

    #[test]
    fn what_is_revoked_is_forgotten() {
        let mut floors = Floors::default();
        floors.take(at(2, 1));
        floors.revoke(2);
        assert_eq!(floors.finish(at(2, 1)), None);
        assert_eq!(floors.acknowledged(at(2, 1)), []);
    }
}
