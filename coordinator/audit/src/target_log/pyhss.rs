//! PyHSS's operation log: the changes of rows, each as text, `column: before ----> after`, from which the rows are built again.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{Write, WriteEffect};

/// One entry.
#[derive(Debug, Deserialize)]
struct Entry {
    id: i64,
    item_id: i64,
    table_name: String,
    operation: String,
    #[serde(default)]
    changes: Option<String>,
    #[serde(default)]
    last_modified: Option<String>,
}

/// A row, as far as the log tells.
#[derive(Debug, Clone, Default)]
struct Row {
    columns: BTreeMap<String, String>,
}

/// The writes that concern who has a number.
pub(super) fn writes(entries: Vec<Value>) -> Result<Vec<Write>, serde_json::Error> {
    let mut entries: Vec<Entry> = entries.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.id);
    let mut rows: BTreeMap<(String, i64), Row> = BTreeMap::new();
    let mut writes = Vec::new();
    for entry in entries {
        let Some(table) = table_of(&entry.table_name) else { continue };
        let key = (entry.table_name.clone(), entry.item_id);
        let before = rows.get(&key).cloned().unwrap_or_default();
        let after = before.after(&entry);
        for effect in effects(table, entry.item_id, &before, &after) {
            writes.push(Write {
                seq: entry.id,
                at_ms: entry.last_modified.as_deref().and_then(super::super::time::millis).unwrap_or(0),
                effect,
                // The operation id is derived from it, and cannot be turned back.
                key: None,
                epoch: None,
                is_seed: false,
            });
        }
        if entry.operation == "DELETE" {
            rows.remove(&key);
        } else {
            rows.insert(key, after);
        }
    }
    Ok(writes)
}

fn table_of(name: &str) -> Option<&'static str> {
    ["subscriber", "ims_subscriber"].into_iter().find(|table| *table == name)
}

impl Row {
    fn after(&self, entry: &Entry) -> Self {
        let mut columns = self.columns.clone();
        let changes = entry.changes.as_deref().unwrap_or_default();
        for line in changes.lines() {
            let Some((name, values)) = line.split_once(": ") else { continue };
            let Some((before, after)) = values.split_once(" ----> ") else { continue };
            // The row may be older than the log.
            columns.entry(name.to_owned()).or_insert_with(|| value(before));
            columns.insert(name.to_owned(), value(after));
        }
        if entry.operation == "DELETE" { Self::default() } else { Self { columns } }
    }

    fn column(&self, name: &str) -> &str {
        self.columns.get(name).map_or("", String::as_str)
    }

    fn numbers(&self, table: &str, party: &str) -> BTreeSet<String> {
        let own = [self.column("msisdn")];
        let list = if table == "ims_subscriber" { self.column("msisdn_list") } else { "" };
        let all = own.into_iter().chain(list.split(',')).map(str::trim);
        // A subscriber without a number has its own IMSI in its place.
        all.filter(|number| !number.is_empty() && *number != party).map(str::to_owned).collect()
    }

    /// The subscriber, or the row if the log does not tell whose it is.
    fn party(&self, table: &str, id: i64) -> String {
        match self.column("imsi") {
            "" => format!("row {id} of {table}"),
            imsi => imsi.to_owned(),
        }
    }
}

fn value(text: &str) -> String {
    let text = text.trim().trim_matches('"').trim_matches('\'');
    if ["None", "null", "[]"].contains(&text) { String::new() } else { text.to_owned() }
}

fn effects(table: &'static str, id: i64, before: &Row, after: &Row) -> Vec<WriteEffect> {
    let (old, new) = (before.party(table, id), after.party(table, id));
    let (had, has) = (before.numbers(table, &old), after.numbers(table, &new));
    let mut effects = Vec::new();
    let is_same_row = !before.columns.is_empty() && !after.columns.is_empty();
    if is_same_row && old != new {
        effects.push(WriteEffect::Renamed { old: old.clone(), new: new.clone() });
    }
    let old = if is_same_row { new.clone() } else { old };
    let gone = had.difference(&has).map(|number| (number.clone(), old.clone()));
    effects.extend(gone.map(|(number, party)| WriteEffect::GivesUp { table, number, party }));
    let added = has.difference(&had).map(|number| (number.clone(), new.clone()));
    effects.extend(added.map(|(number, party)| WriteEffect::Takes { table, number, party }));
    effects
}
