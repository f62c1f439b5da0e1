//! The read requests of the sandbox HSS: look-ups, lists, the operation log.

use serde_json::{Value, json};

use super::super::model::{Reply, Request};
use super::answers::{not_allowed, not_found, ok};
use super::table::{Row, Table};
use super::{Hss, schema};

/// The number of rows in a list if the request gives none.
const PAGE_ROWS: usize = 200;

impl Hss {
    pub(super) fn get(&self, request: &Request) -> Reply {
        let number = |name, default| request.query(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let (page, page_size): (usize, usize) = (number("page", 0), number("page_size", PAGE_ROWS));
        match request.segments().as_slice() {
            ["oam", "ping"] => ok(json!({"result": "OK"})),
            ["operation_logs", "last"] => ok(self.operation_log.last()),
            ["operation_logs", "list"] => ok(json!(self.operation_log.page(None, page, page_size))),
            ["operation_logs", "list", "table", table] => {
                ok(json!(self.operation_log.page(Some(table), page, page_size)))
            }
            [table, "list"] => match self.table(table) {
                Some(table) => ok(list(table, page, page_size)),
                None => not_found(),
            },
            ["subscriber_attributes", subscriber_id] => ok(self.attributes(subscriber_id)),
            ["auc", by @ ("imsi" | "iccid"), value] => {
                ok(self.look_up("auc", by, value).map_or(Value::Null, shown_sim))
            }
            ["subscriber", by @ ("imsi" | "msisdn"), value] => {
                ok(self.look_up("subscriber", by, value).map_or(Value::Null, |row| self.shown_subscriber(row)))
            }
            ["ims_subscriber", by @ ("ims_subscriber_msisdn" | "ims_subscriber_imsi"), value] => {
                match self.look_up("ims_subscriber", by.trim_start_matches("ims_subscriber_"), value) {
                    Some(row) => ok(Value::Object(row.clone())),
                    None => Reply::new(400, Value::Null),
                }
            }
            [table, id] if !id.is_empty() => match self.table(table) {
                Some(table) => ok(self.shown(table.schema.name, id)),
                None => not_found(),
            },
            [table, ""] if self.table(table).is_some() => not_allowed(),
            _ => not_found(),
        }
    }

    pub(super) fn look_up(&self, table: &str, column: &str, value: &str) -> Option<&Row> {
        self.table(table)?.the_one(column, value)
    }

    fn attributes(&self, subscriber_id: &str) -> Value {
        let wanted = subscriber_id.parse::<i64>().ok();
        let rows = self.table("subscriber_attributes").into_iter().flat_map(Table::rows);
        rows.filter(|row| wanted.is_some() && row.get("subscriber_id").and_then(Value::as_i64) == wanted)
            .cloned()
            .map(Value::Object)
            .collect()
    }

    fn shown_subscriber(&self, row: &Row) -> Value {
        let mut shown = row.clone();
        let id = row.get("subscriber_id").map(Value::to_string).unwrap_or_default();
        shown.insert("attributes".to_owned(), self.attributes(&id));
        Value::Object(shown)
    }

    pub(super) fn shown(&self, table: &str, id: &str) -> Value {
        let row = id.parse().ok().and_then(|id| self.table(table)?.get(id));
        match row {
            Some(row) if table == "auc" => shown_sim(row),
            Some(row) => Value::Object(row.clone()),
            None => Value::Null,
        }
    }
}

fn shown_sim(row: &Row) -> Value {
    let mut shown = row.clone();
    shown.retain(|name, _| !schema::AUC_SECRETS.contains(&name.as_str()));
    Value::Object(shown)
}

pub(super) fn list(table: &Table, page: usize, page_size: usize) -> Value {
    let page_size = if page_size == 0 { usize::MAX } else { page_size };
    let rows = table.rows().skip(page.saturating_mul(page_size)).take(page_size);
    let show = |row: &Row| if table.schema.name == "auc" { shown_sim(row) } else { Value::Object(row.clone()) };
    rows.map(show).collect()
}
