//! The events that wait, in a lane for each customer: one at a time, in the order of the broker.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

use crate::pace::Pace;

/// An event of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Waiting {
    /// The number of its message.
    pub(crate) message: u64,
    /// Its place in the message, from 0.
    pub(crate) index: usize,
    /// The event.
    pub(crate) event: Value,
}

/// The events of a customer.
#[derive(Debug, Default)]
struct Lane {
    /// The first one is being accepted, or rests until it is tried again.
    events: VecDeque<Waiting>,
    is_busy: bool,
    is_resting: bool,
    pace: Pace,
}

/// All customers with events. A lane without events is dropped.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: HashMap<String, Lane>,
}

impl Lanes {
    /// Adds an event behind those of its customer. Returns the customer if its lane is to start.
    pub(crate) fn add(&mut self, waiting: Waiting) -> Option<String> {
        let customer = waiting.event.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
        let lane = self.lanes.entry(customer.clone()).or_default();
        lane.events.push_back(waiting);
        (!lane.is_busy).then_some(customer)
    }

    /// The next event of a customer, which is then being accepted; none if there is none, and the lane is gone.
    pub(crate) fn start(&mut self, customer: &str) -> Option<Waiting> {
        let lane = self.lanes.get_mut(customer)?;
        let Some(first) = lane.events.front() else {
            self.lanes.remove(customer);
            return None;
        };
        (lane.is_busy, lane.is_resting) = (true, false);
        Some(first.clone())
    }

    /// The event that was being accepted is decided.
    pub(crate) fn decided(&mut self, customer: &str, of: &Waiting) {
        let Some(lane) = self.lanes.get_mut(customer) else { return };
        lane.is_busy = false;
        lane.pace.reset();
        if lane.events.front().is_some_and(|first| (first.message, first.index) == (of.message, of.index)) {
            lane.events.pop_front();
        }
    }

    /// The event that was being accepted must be tried again. Returns after what time.
    pub(crate) fn undecided(&mut self, customer: &str) -> Option<Duration> {
        let lane = self.lanes.get_mut(customer)?;
        lane.is_resting = true;
        Some(lane.pace.next_wait())
    }

    /// Drops the events of these messages. One that is being accepted ends by itself.
    pub(crate) fn drop_messages(&mut self, is_dropped: impl Fn(u64) -> bool) {
        for lane in self.lanes.values_mut() {
            lane.events.retain(|waiting| !is_dropped(waiting.message));
        }
        self.lanes.retain(|_, lane| lane.is_busy || !lane.events.is_empty());
    }

    /// How many customers wait for an event that is to be tried again.
    pub(crate) fn resting(&self) -> usize {
        self.lanes.values().filter(|lane| lane.is_resting).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting(message: u64, customer: &str) -> Waiting {
        Waiting { message, index: 0, event: json!({"subject": customer}) }
    }

    #[test]
    fn a_customer_has_one_event_at_a_time_in_the_order_in_which_they_came() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.add(waiting(1, "A")).as_deref(), Some("A"));
        assert_eq!(lanes.start("A").unwrap().message, 1);
        assert_eq!(lanes.add(waiting(2, "A")), None, "A is busy");
        assert_eq!(lanes.add(waiting(3, "B")).as_deref(), Some("B"));
        assert_eq!(lanes.start("B").unwrap().message, 3);
        assert!(lanes.undecided("A").is_some());
        assert_eq!(lanes.resting(), 1);
        assert_eq!(lanes.start("A").unwrap().message, 1, "what is undecided stays first");
        lanes.decided("A", &waiting(1, "A"));
        assert_eq!(lanes.start("A").unwrap().message, 2);
        lanes.decided("A", &waiting(2, "A"));
        assert_eq!(lanes.start("A"), None);
        lanes.decided("B", &waiting(3, "B"));
        assert_eq!(lanes.start("B"), None);
        assert!(lanes.lanes.is_empty());
    }

    #[test]
    fn what_is_dropped_while_it_is_accepted_does_not_take_the_next_one_with_it() {
        let mut lanes = Lanes::default();
        lanes.add(waiting(1, "A"));
        lanes.start("A");
        lanes.drop_messages(|message| message == 1);
        assert_eq!(lanes.add(waiting(2, "A")), None, "the call is still under way");
        lanes.decided("A", &waiting(1, "A"));
        assert_eq!(lanes.start("A").unwrap().message, 2);
    }
}
