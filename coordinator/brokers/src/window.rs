//! The messages that this process holds.

use std::collections::{BTreeMap, HashMap};

use crate::forms::Reason;
use crate::message::{Message, Position};

/// A message that is not acknowledged.
#[derive(Debug)]
pub(crate) struct Held {
    /// The message.
    pub(crate) message: Message,
    /// How many of its events are not decided.
    open: usize,
    /// Why events of it were not accepted, by their place; no place if the message cannot be read.
    pub(crate) reasons: Vec<(Option<usize>, Reason)>,
}

/// All of them. Each has a number, since a position may come again after its partition went to another process and back.
#[derive(Debug, Default)]
pub(crate) struct Window {
    held: HashMap<u64, Held>,
    by_position: BTreeMap<Position, u64>,
    bytes: usize,
    last: u64,
}

impl Window {
    /// Takes a message in, with this many events to decide. Returns its number; none if it is held already.
    pub(crate) fn take(&mut self, message: Message, open: usize) -> Option<u64> {
        let position = message.position;
        if self.by_position.contains_key(&position) {
            return None;
        }
        self.last += 1;
        self.bytes += message.bytes();
        self.by_position.insert(position, self.last);
        self.held.insert(self.last, Held { message, open, reasons: Vec::new() });
        Some(self.last)
    }

    /// A message that is still held.
    pub(crate) fn get(&self, number: u64) -> Option<&Held> {
        self.held.get(&number)
    }

    /// Whether the message at this position is held.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.by_position.contains_key(&position)
    }

    /// Notes why it, or an event of it, was not accepted.
    pub(crate) fn reject(&mut self, number: u64, at: Option<usize>, reason: Reason) {
        if let Some(held) = self.held.get_mut(&number) {
            held.reasons.push((at, reason));
            held.reasons.sort_by_key(|(at, _)| *at);
        }
    }

    /// One of its events is decided. Returns whether it was the last one.
    pub(crate) fn decide(&mut self, number: u64) -> bool {
        let Some(held) = self.held.get_mut(&number) else { return false };
        held.open = held.open.saturating_sub(1);
        held.open == 0
    }

    /// It is acknowledged.
    pub(crate) fn acknowledged(&mut self, position: Position) {
        if let Some(number) = self.by_position.remove(&position)
            && let Some(held) = self.held.remove(&number)
        {
            self.bytes -= held.message.bytes();
        }
    }

    /// The partition belongs to another process.
    pub(crate) fn revoke(&mut self, partition: i32) {
        for position in self.positions().into_iter().filter(|position| position.partition == partition) {
            self.acknowledged(position);
        }
    }

    /// Where the held messages are, in order.
    pub(crate) fn positions(&self) -> Vec<Position> {
        self.by_position.keys().copied().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// The bytes of all messages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(partition: i32, offset: i64) -> Message {
        Message {
            position: Position { partition, offset },
            origin: String::new(),
            key: None,
            headers: vec![("ab".to_owned(), Bytes::from_static(b"cd"))],
            payload: Bytes::from_static(b"0123456789"),
        }
    }

    #[test]
    fn a_message_is_held_once_and_counts_until_it_is_acknowledged() {
        let mut window = Window::default();
        let first = window.take(message(0, 1), 2).unwrap();
        assert_eq!(window.take(message(0, 1), 2), None);
        assert_eq!((window.len(), window.bytes()), (1, 14));
        assert!(!window.decide(first));
        assert!(window.decide(first));
        window.acknowledged(message(0, 1).position);
        assert_eq!((window.len(), window.bytes()), (0, 0));
        assert!(!window.decide(first), "it is gone");
        let again = window.take(message(0, 1), 1).unwrap();
        assert_ne!(again, first);
    }

    #[test]
    fn what_is_revoked_is_dropped() {
        let mut window = Window::default();
        window.take(message(0, 1), 1);
        let other = window.take(message(1, 1), 1).unwrap();
        window.revoke(1);
        assert!(window.get(other).is_none());
        assert_eq!(window.positions(), [message(0, 1).position]);
    }
}
