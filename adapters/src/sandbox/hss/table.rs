//! One table of the sandbox HSS: columns with defaults, unique columns, and row ids in SQLite's manner.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// The columns that look-ups use or that may be unique. They are indexed, so that a sandbox with 100,000 subscribers answers as fast as
/// one with ten.
const INDEXED: [&str; 4] = ["imsi", "msisdn", "iccid", LISTED];
/// The column of additional numbers. Each number is in the index. PyHSS has no look-up for it; seeds use it.
pub(super) const LISTED: &str = "msisdn_list";

/// A row.
pub(super) type Row = Map<String, Value>;

/// The schema of a table.
pub(super) struct Schema {
    pub(super) name: &'static str,
    pub(super) id_column: &'static str,
    /// Columns that must have a value.
    pub(super) required: &'static [&'static str],
    /// Columns whose values must be unique.
    pub(super) unique: &'static [&'static str],
    /// Boolean columns with their defaults.
    pub(super) flags: &'static [(&'static str, bool)],
    /// Number columns with their defaults.
    pub(super) numbers: &'static [(&'static str, i64)],
    /// All other columns, without a value by default.
    pub(super) others: &'static [&'static str],
}

/// Why the database rejects a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A required column has no value.
    NotNull(&'static str),
    /// Another row has the value.
    Unique(&'static str),
}

/// A table with its rows.
pub(super) struct Table {
    pub(super) schema: &'static Schema,
    /// The id of the first row.
    first_id: i64,
    rows: BTreeMap<i64, Row>,
    /// The rows that have a value, for each column.
    index: BTreeMap<(&'static str, String), BTreeSet<i64>>,
}

impl Schema {
    pub(super) fn has_column(&self, name: &str) -> bool {
        name == self.id_column
            || name == "last_modified"
            || self.required.contains(&name)
            || self.unique.contains(&name)
            || self.others.contains(&name)
            || self.flags.iter().any(|(column, _)| *column == name)
            || self.numbers.iter().any(|(column, _)| *column == name)
    }

    fn is_flag(&self, name: &str) -> bool {
        self.flags.iter().any(|(column, _)| *column == name)
    }

    fn blank(&self) -> Row {
        let empty = self.required.iter().chain(self.unique).chain(self.others).map(|column| (*column, Value::Null));
        let flags = self.flags.iter().map(|(column, default)| (*column, Value::from(*default)));
        let numbers = self.numbers.iter().map(|(column, default)| (*column, Value::from(*default)));
        empty.chain(flags).chain(numbers).map(|(column, value)| (column.to_owned(), value)).collect()
    }
}

impl Table {
    pub(super) fn new(schema: &'static Schema) -> Self {
        Self::with_first_id(schema, 1)
    }

    /// A table whose ids begin with this one.
    pub(super) fn with_first_id(schema: &'static Schema, first_id: i64) -> Self {
        Self { schema, first_id, rows: BTreeMap::new(), index: BTreeMap::new() }
    }

    pub(super) fn get(&self, id: i64) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The only row with this value in an indexed column. `None` if there is none or more than one.
    pub(super) fn the_one(&self, column: &str, value: &str) -> Option<&Row> {
        let mut found = self.with(column, value).iter();
        let id = found.next()?;
        if found.next().is_some() { None } else { self.rows.get(id) }
    }

    /// Whether any row has this value in an indexed column.
    pub(super) fn has(&self, column: &str, value: &str) -> bool {
        !self.with(column, value).is_empty()
    }

    fn with(&self, column: &str, value: &str) -> &BTreeSet<i64> {
        static NONE: BTreeSet<i64> = BTreeSet::new();
        let column = INDEXED.iter().find(|indexed| **indexed == column);
        column.and_then(|column| self.index.get(&(*column, value.to_owned()))).unwrap_or(&NONE)
    }

    /// Adds a row with the given columns and returns its id. The id is the greatest id plus one, so the id of a removed last row is
    /// used again, as in SQLite.
    pub(super) fn insert(&mut self, columns: &Row) -> Result<i64, Violation> {
        let id = self.rows.keys().next_back().map_or(self.first_id, |greatest| greatest + 1);
        let mut row = self.schema.blank();
        self.set(&mut row, columns);
        row.insert(self.schema.id_column.to_owned(), id.into());
        self.check(id, &row)?;
        self.place(id, row);
        Ok(id)
    }

    /// Changes columns of a row. Unknown columns are ignored.
    pub(super) fn update(&mut self, id: i64, columns: &Row) -> Result<(), Violation> {
        let Some(mut row) = self.rows.get(&id).cloned() else { return Ok(()) };
        let known: Row = columns
            .iter()
            .filter(|(name, _)| self.schema.has_column(name) && *name != self.schema.id_column)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        self.set(&mut row, &known);
        self.check(id, &row)?;
        self.place(id, row);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: i64) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        for entry in entries(&row) {
            if let Some(ids) = self.index.get_mut(&entry) {
                ids.remove(&id);
            }
        }
        Some(row)
    }

    fn place(&mut self, id: i64, row: Row) {
        self.remove(id);
        for entry in entries(&row) {
            self.index.entry(entry).or_default().insert(id);
        }
        self.rows.insert(id, row);
    }

    fn set(&self, row: &mut Row, columns: &Row) {
        for (name, value) in columns {
            let value = match value.as_i64() {
                Some(number @ (0 | 1)) if self.schema.is_flag(name) => Value::from(number == 1),
                _ => value.clone(),
            };
            row.insert(name.clone(), value);
        }
    }

    fn check(&self, id: i64, row: &Row) -> Result<(), Violation> {
        if let Some(column) = self.schema.required.iter().find(|column| row.get(**column).is_none_or(Value::is_null)) {
            return Err(Violation::NotNull(column));
        }
        for column in self.schema.unique {
            // All unique columns are texts and indexed.
            let value = row.get(*column).and_then(Value::as_str);
            if value.is_some_and(|value| self.with(column, value).iter().any(|other| *other != id)) {
                return Err(Violation::Unique(column));
            }
        }
        Ok(())
    }
}

/// The places of a row in the index.
fn entries(row: &Row) -> impl Iterator<Item = (&'static str, String)> {
    INDEXED.iter().flat_map(|column| {
        let value = row.get(*column).and_then(Value::as_str);
        let values = match value {
            Some(list) if *column == LISTED => listed_numbers(list),
            value => value.map(str::to_owned).into_iter().collect(),
        };
        values.into_iter().map(|value| (*column, value))
    })
}

/// The numbers in a list.
pub(super) fn listed_numbers(list: &str) -> Vec<String> {
    list.split([',', ';', ' ']).filter(|number| !number.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::schema::IMS_SUBSCRIBER;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_id_of_a_removed_last_row_is_used_again() {
        let row = |msisdn: &str| json!({"msisdn": msisdn}).as_object().unwrap().clone();
        let mut table = Table::new(&IMS_SUBSCRIBER);
        assert_eq!(table.insert(&row("1")), Ok(1));
        assert!(table.remove(1).is_some());
        assert_eq!(table.insert(&row("2")), Ok(1));
        assert_eq!(table.insert(&row("2")), Err(Violation::Unique("msisdn")));
    }
}
