//! What changed between two snapshots of a list.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Entry, Snapshot};

/// The things that were last seen.
pub(super) struct Changes {
    thing: &'static str,
    seen: BTreeMap<String, Entry>,
}

impl Changes {
    /// Nothing was seen yet. A line names a thing `thing`.
    pub(super) fn of(thing: &'static str) -> Self {
        Self { thing, seen: BTreeMap::new() }
    }

    /// One JSON object for each thing that appeared, changed or left since the last snapshot; a thing that left is shown as it was last
    /// seen. The things of those who did not answer are left as they were.
    pub(super) fn taken(&mut self, snapshot: Snapshot, at: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        let thing = self.thing;
        let mut tell = |change: &str, value: &Value| {
            let line = [("at", Value::from(at)), ("change", Value::from(change)), (thing, value.clone())];
            lines.push(Value::Object(Map::from_iter(line.map(|(name, value)| (name.to_owned(), value)))));
        };
        self.seen.retain(|id, seen| {
            let stays = snapshot.entries.contains_key(id) || snapshot.unanswered.contains(&seen.asked);
            if !stays {
                tell("left", &seen.value);
            }
            stays
        });
        for (id, entry) in snapshot.entries {
            match self.seen.get(&id) {
                None => tell("appeared", &entry.value),
                Some(seen) if seen.value != entry.value => tell("changed", &entry.value),
                Some(_) => {}
            }
            self.seen.insert(id, entry);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot(entries: &[(&str, &str, u32)], unanswered: &[&str]) -> Snapshot {
        let entry = |asked: &str, value: u32| Entry { asked: asked.to_owned(), value: json!(value) };
        Snapshot {
            text: String::new(),
            whole: Value::Null,
            entries: entries.iter().map(|(id, asked, value)| ((*id).to_owned(), entry(asked, *value))).collect(),
            unanswered: unanswered.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn told(changes: &mut Changes, entries: &[(&str, &str, u32)], unanswered: &[&str]) -> Vec<Value> {
        changes.taken(snapshot(entries, unanswered), "t")
    }

    #[test]
    fn a_line_says_what_appeared_changed_and_left() {
        let mut changes = Changes::of("order");
        let first = told(&mut changes, &[("1", "A", 1), ("2", "B", 1)], &[]);
        assert_eq!(first[0], json!({"at": "t", "change": "appeared", "order": 1}));
        assert_eq!(first.len(), 2);
        assert_eq!(told(&mut changes, &[("1", "A", 1), ("2", "B", 1)], &[]), Vec::<Value>::new());
        let second = told(&mut changes, &[("1", "A", 2)], &[]);
        let expected =
            [json!({"at": "t", "change": "left", "order": 1}), json!({"at": "t", "change": "changed", "order": 2})];
        assert_eq!(second, expected);
    }

    #[test]
    fn nothing_leaves_because_its_customer_did_not_answer() {
        let mut changes = Changes::of("order");
        told(&mut changes, &[("1", "A", 1), ("2", "B", 1)], &[]);
        assert_eq!(told(&mut changes, &[("2", "B", 1)], &["A"]), Vec::<Value>::new());
        assert_eq!(told(&mut changes, &[("1", "A", 1), ("2", "B", 1)], &[]), Vec::<Value>::new());
        told(&mut changes, &[("2", "B", 1)], &["A"]);
        assert_eq!(told(&mut changes, &[("2", "B", 1)], &[]).len(), 1, "it has left while A did not answer");
    }
}
