//! How PyHSS answers.

use serde_json::{Value, json};

use super::super::model::Reply;
use super::DatabaseKind;
use super::table::Violation;

pub(super) fn ok(body: Value) -> Reply {
    Reply::new(200, body)
}

pub(super) fn not_found() -> Reply {
    Reply::new(404, json!({"Result": "Not Found"}))
}

pub(super) fn not_allowed() -> Reply {
    Reply::new(405, json!({"message": "The method is not allowed for the requested URL."}))
}

pub(super) fn internal_error(what: &str) -> Reply {
    let reason = format!("An internal server error occurred: {what}");
    Reply::new(500, json!({"result": "Failed", "reason": reason}))
}

/// The answer if the database rejects a write.
pub(super) fn refused(database: DatabaseKind, table: &str, violation: &Violation) -> Reply {
    if database == DatabaseKind::Postgresql {
        return ok(Value::Null);
    }
    let rule = match violation {
        Violation::NotNull(column) => format!("NOT NULL constraint failed: {table}.{column}"),
        Violation::Unique(column) => format!("UNIQUE constraint failed: {table}.{column}"),
    };
    let reason = format!("A database integrity error occurred: (sqlite3.IntegrityError) {rule}");
    Reply::new(400, json!({"result": "Failed", "reason": reason}))
}
