//! The writes of the sandbox HSS, each with its entry in the operation log.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::super::model::{Change, Reply, Request};
use super::Hss;
use super::answers::{internal_error, not_allowed, not_found, ok, refused};
use super::effects::{RowChange, changes_of};
use super::table::Row;

impl Hss {
    pub(super) fn write(&mut self, request: &Request) -> Result<(Reply, Vec<Change>), Reply> {
        if let Some(key) = &self.provisioning_key
            && request.header("provisioning-key") != Some(key.expose_secret())
        {
            return Err(Reply::new(401, json!({"Result": "Unauthorized - Provisioning-Key Invalid"})));
        }
        let operation_id = request.query("operation_id");
        match (request.method.as_str(), request.segments().as_slice()) {
            ("PUT", [table, ""]) if self.table(table).is_some() => {
                let columns = read_columns(table, &request.text)?;
                self.insert(table, &columns, operation_id)
            }
            ("PATCH", [table, id]) if self.table(table).is_some() && !id.is_empty() => {
                let columns = read_columns(table, &request.text)?;
                self.update(table, id, &columns, operation_id)
            }
            ("DELETE", [table, id]) if self.table(table).is_some() && !id.is_empty() => {
                self.delete(table, id, operation_id)
            }
            (_, [table, ..]) if self.table(table).is_some() => Err(not_allowed()),
            _ => Err(not_found()),
        }
    }

    fn insert(
        &mut self,
        table: &str,
        columns: &Row,
        operation_id: Option<&str>,
    ) -> Result<(Reply, Vec<Change>), Reply> {
        let database = self.database;
        let table = self.table_mut(table).ok_or_else(not_found)?;
        let schema = table.schema;
        if let Some(unknown) = columns.keys().find(|name| !schema.has_column(name)) {
            let class = schema.name.to_uppercase();
            return Err(internal_error(&format!("'{unknown}' is an invalid keyword argument for {class}")));
        }
        let columns = stamped(columns);
        let id = table.insert(&columns).map_err(|violation| refused(database, schema.name, &violation))?;
        let after = table.get(id).cloned().unwrap_or_default();
        let change = RowChange { schema, id, before: None, after: Some(&after) };
        let changes = changes_of(&change);
        self.operation_log.write(schema.name, id, "INSERT", operation_id, described(&Row::new(), &after));
        Ok((ok(Value::Object(after)), changes))
    }

    fn update(
        &mut self,
        table: &str,
        id: &str,
        columns: &Row,
        operation_id: Option<&str>,
    ) -> Result<(Reply, Vec<Change>), Reply> {
        let database = self.database;
        let table = self.table_mut(table).ok_or_else(not_found)?;
        let schema = table.schema;
        let Some((id, before)) = id.parse().ok().and_then(|id| Some((id, table.get(id)?.clone()))) else {
            return Err(ok(Value::Null));
        };
        table.update(id, &stamped(columns)).map_err(|violation| refused(database, schema.name, &violation))?;
        let after = table.get(id).cloned().unwrap_or_default();
        let changes = changes_of(&RowChange { schema, id, before: Some(&before), after: Some(&after) });
        let described = described(&before, &after);
        if !described.is_empty() {
            self.operation_log.write(schema.name, id, "UPDATE", operation_id, described);
        }
        let reply = if schema.name == "subscriber" && breaks_on_the_way_out(&after) {
            ok(Value::Null)
        } else {
            ok(self.shown(schema.name, &id.to_string()))
        };
        Ok((reply, changes))
    }

    fn delete(&mut self, table: &str, id: &str, operation_id: Option<&str>) -> Result<(Reply, Vec<Change>), Reply> {
        let table = self.table_mut(table).ok_or_else(not_found)?;
        let schema = table.schema;
        let Some((id, before)) = id.parse().ok().and_then(|id| Some((id, table.remove(id)?))) else {
            return Err(ok(Value::Null));
        };
        let changes = changes_of(&RowChange { schema, id, before: Some(&before), after: None });
        self.operation_log.write(schema.name, id, "DELETE", operation_id, described(&before, &Row::new()));
        Ok((ok(json!({"Result": "OK"})), changes))
    }
}

/// The columns of a request. A `+` is removed from numbers, which fails if the value is not a text.
fn read_columns(table: &str, text: &str) -> Result<Row, Reply> {
    let not_understood =
        "400 Bad Request: The browser (or proxy) sent a request that this server could not understand.";
    let mut columns: Row = serde_json::from_str(text).map_err(|_| internal_error(not_understood))?;
    let cleaned: &[&str] = match table {
        "ims_subscriber" => &["msisdn", "msisdn_list"],
        "subscriber" => &["msisdn"],
        _ => &[],
    };
    for column in cleaned {
        if let Some(value) = columns.get_mut(*column) {
            let kind = if value.is_null() { "NoneType" } else { "int" };
            let text = value.as_str().map(|text| text.replace('+', ""));
            *value = text
                .map(Value::from)
                .ok_or_else(|| internal_error(&format!("'{kind}' object has no attribute 'replace'")))?;
        }
    }
    Ok(columns)
}

/// Sets the time of the change.
pub(super) fn stamped(columns: &Row) -> Row {
    let mut stamped = columns.clone();
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    stamped.insert("last_modified".to_owned(), now.into());
    stamped
}

/// After a committed change of an enabled subscriber, PyHSS reads the list of its access points, and fails on an entry that is not a
/// number.
fn breaks_on_the_way_out(row: &Row) -> bool {
    let enabled = row.get("enabled").and_then(Value::as_bool) == Some(true);
    let apn_list = row.get("apn_list").and_then(Value::as_str).unwrap_or_default();
    enabled && apn_list.split(',').any(|id| !id.trim().is_empty() && id.trim().parse::<i64>().is_err())
}

/// The changes in the form of the operation log.
fn described(before: &Row, after: &Row) -> String {
    let names = if after.is_empty() { before } else { after }.keys();
    let value = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
    let changes = names.filter(|name| value(before, name) != value(after, name));
    let lines: Vec<String> =
        changes.map(|name| format!("{name}: {} ----> {}", value(before, name), value(after, name))).collect();
    lines.join("\r\n\r\n")
}
