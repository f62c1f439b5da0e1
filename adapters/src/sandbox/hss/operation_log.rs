//! The operation log: the last 1,000 changes, each with the id of its request.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use uuid::Uuid;

/// How many entries are kept.
const ENTRIES_MAX: usize = 1_000;

/// One change.
struct Entry {
    id: u64,
    table: &'static str,
    item_id: i64,
    operation: &'static str,
    operation_id: String,
    changes: String,
    at: chrono::DateTime<chrono::Utc>,
}

/// The log.
#[derive(Default)]
pub(super) struct OperationLog {
    entries: VecDeque<Entry>,
    written: u64,
}

impl OperationLog {
    /// Records a change. If its request has no id, it gets a new one.
    pub(super) fn write(
        &mut self,
        table: &'static str,
        item_id: i64,
        operation: &'static str,
        operation_id: Option<&str>,
        changes: String,
    ) {
        self.written += 1;
        self.entries.push_back(Entry {
            id: self.written,
            table,
            item_id,
            operation,
            operation_id: operation_id.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned),
            changes,
            at: chrono::Utc::now(),
        });
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
    }

    /// A page, the latest first. It shows the first change of each request.
    pub(super) fn page(&self, table: Option<&str>, page: usize, page_size: usize) -> Vec<Value> {
        let mut latest: BTreeMap<&str, (u64, &Entry)> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| table.is_none_or(|table| entry.table == table)) {
            latest.entry(&entry.operation_id).or_insert((entry.id, entry)).0 = entry.id;
        }
        let mut requests: Vec<(u64, &Entry)> = latest.into_values().collect();
        requests.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        requests
            .into_iter()
            .skip(page.saturating_mul(page_size))
            .take(page_size)
            .map(|(_, entry)| show(entry))
            .collect()
    }

    /// The latest change.
    pub(super) fn last(&self) -> Value {
        self.entries.back().map_or(Value::Null, show)
    }
}

fn show(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "item_id": entry.item_id,
        "operation_id": entry.operation_id,
        "operation": entry.operation,
        "changes": entry.changes,
        "table_name": entry.table,
        "timestamp": entry.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "last_modified": entry.at.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_thousand_changes_are_kept_the_latest_first() {
        let mut log = OperationLog::default();
        for number in 0..1_001 {
            log.write("auc", number, "INSERT", Some(&format!("id-{number}")), String::new());
        }
        assert_eq!(log.page(None, 0, 2_000).len(), 1_000);
        assert_eq!(log.page(None, 0, 1)[0]["operation_id"], "id-1000");
        assert_eq!(log.page(None, 4, 200)[199]["operation_id"], "id-1");
        assert!(log.page(Some("apn"), 0, 200).is_empty());
    }
}
