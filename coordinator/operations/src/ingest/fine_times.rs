//! Events of one customer whose times differ by less than a millisecond: entities keep times in milliseconds, so within a batch they are
//! submitted in the order of their exact times.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

/// Sorts the events of each millisecond by their exact times, among the places that they have. Others keep their places.
pub(super) fn keep<T>(events: &mut [(T, Value)]) {
    let mut of_millisecond: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (place, (_, event)) in events.iter().enumerate() {
        if let Some(time) = time(event) {
            of_millisecond.entry(time.timestamp_millis()).or_default().push(place);
        }
    }
    for places in of_millisecond.into_values().filter(|places| places.len() > 1) {
        let mut sorted = places.clone();
        sorted.sort_by_key(|place| time(&events[*place].1));
        // Exchanges the events so that the first place has the first event, and so on.
        for index in 0..places.len() {
            let (to, from) = (places[index], sorted[index]);
            events.swap(to, from);
            for later in &mut sorted[index + 1..] {
                if *later == to {
                    *later = from;
                }
            }
        }
    }
}

fn time(event: &Value) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(event.get("time")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_events_of_the_same_millisecond_change_places() {
        let times = [
            Some("2026-01-01T00:00:00.0019Z"),
            Some("2026-01-01T00:00:09Z"),
            None,
            Some("2026-01-01T00:00:00.0011Z"),
            Some("2026-01-01T01:00:00.00115+01:00"),
            Some("2026-01-01T00:00:08Z"),
            Some("not a time"),
        ];
        let event = |time: Option<&str>| time.map_or_else(|| json!({}), |time| json!({"time": time}));
        let mut events: Vec<(usize, Value)> = times.into_iter().map(event).enumerate().collect();
        keep(&mut events);
        let places: Vec<usize> = events.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [3, 1, 2, 4, 0, 5, 6]);
    }
}
