//! One attempt of one operation: reads and writes. Each write is settled before the next one.

use http::{HeaderName, Method};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::PyhssAdapter;
use super::reader::{Reader, not_pyhss, reason_of};
use super::row::row_has;
use crate::adapter::Call;
use crate::exchange::{Failure, Request, TargetResponse};

/// One attempt of one call.
pub(super) struct Attempt<'a> {
    /// Reads, within the attempt's deadline.
    pub(super) reader: Reader<'a>,
    pub(super) call: &'a Call,
    /// Whether a write of this attempt is known to be in place and was not undone.
    changed: bool,
}

/// The result of a write that was answered and, if the answer was not clear, read back.
pub(super) enum Written {
    /// It is in place.
    Applied,
    /// The database rejected it: a value that must be unique exists already.
    Conflict,
}

/// The answer of PyHSS to a write, without reading back.
enum Answered {
    /// The row as it is now.
    Row(Map<String, Value>),
    /// The row is removed.
    Removed,
    /// A value that must be unique exists already.
    Conflict,
    /// 200 with `null`: a missing row, a database error, or an error after the commit.
    Null,
    /// A 500: an invalid request, or an error after the commit.
    Failed(String),
}

impl<'a> Attempt<'a> {
    pub(super) fn new(adapter: &'a PyhssAdapter, call: &'a Call) -> Self {
        Self { reader: Reader::new(adapter, call.timeout), call, changed: false }
    }

    /// The outcome of the whole attempt. If a part of the operation is in place, the outcome must not be a class that promises "nothing
    /// was changed".
    pub(super) fn conclude(&self, result: Result<Outcome, Outcome>) -> Outcome {
        match result.unwrap_or_else(|outcome| outcome) {
            outcome @ (Outcome::Done | Outcome::AlreadyDone | Outcome::Ambiguous { .. }) => outcome,
            outcome if self.changed => Outcome::Ambiguous {
                detail: format!("a part of {} was done: {}", self.call.operation, outcome.words()),
            },
            outcome => outcome,
        }
    }

    /// The writes of this attempt are complete: from here on, no outcome leaves a part of the operation behind.
    pub(super) fn settled(&mut self) {
        self.changed = false;
    }

    /// The writes of this attempt are undone.
    pub(super) fn undone(&mut self) {
        self.changed = false;
    }

    /// Changes columns of a row. `name` distinguishes this write from the others of the operation.
    pub(super) async fn patch(
        &mut self,
        table: &str,
        id: i64,
        columns: &Map<String, Value>,
        name: &str,
    ) -> Result<Written, Outcome> {
        let (row_id, id_column) = (id.to_string(), format!("{table}_id"));
        let path = [table, row_id.as_str()];
        let in_place =
            |row: &Map<String, Value>| row.get(&id_column).and_then(Value::as_i64) == Some(id) && row_has(row, columns);
        let reason = match self.write(Method::PATCH, &path, Some(&Value::Object(columns.clone())), name).await? {
            Answered::Row(row) if in_place(&row) => return Ok(self.applied()),
            Answered::Conflict => return Ok(Written::Conflict),
            Answered::Row(_) | Answered::Removed => {
                "the response has another row than the one that was changed".to_owned()
            }
            Answered::Null => "the response is null".to_owned(),
            Answered::Failed(reason) => return self.settle_failed(self.read_back(&path).await?, in_place, reason),
        };
        self.settle(self.read_back(&path).await?, in_place, &reason)
    }

    /// Creates a row, which can then be found at `found_at`.
    pub(super) async fn put(
        &mut self,
        table: &str,
        columns: &Map<String, Value>,
        found_at: &[&str],
        name: &str,
    ) -> Result<Written, Outcome> {
        let in_place = |row: &Map<String, Value>| row_has(row, columns);
        let reason = match self.write(Method::PUT, &[table, ""], Some(&Value::Object(columns.clone())), name).await? {
            Answered::Row(row) if in_place(&row) => return Ok(self.applied()),
            Answered::Conflict => return Ok(Written::Conflict),
            Answered::Row(_) | Answered::Removed => {
                "the response has another row than the one that was created".to_owned()
            }
            Answered::Null => "the response is null".to_owned(),
            Answered::Failed(reason) => return self.settle_failed(self.read_back(found_at).await?, in_place, reason),
        };
        match self.read_back(found_at).await? {
            // PostgreSQL's error for a value that exists already.
            Some(row) if !in_place(&row) => Ok(Written::Conflict),
            row => self.settle(row, in_place, &reason),
        }
    }

    /// Removes a row. It is a success if the row is already gone.
    pub(super) async fn delete(&mut self, table: &str, id: i64, name: &str) -> Result<(), Outcome> {
        let row_id = id.to_string();
        let path = [table, row_id.as_str()];
        let reason = match self.write(Method::DELETE, &path, None, name).await? {
            Answered::Removed => {
                self.changed = true;
                return Ok(());
            }
            Answered::Conflict => {
                return Err(Outcome::Permanent {
                    code: ErrorCode::RowInUse.into(),
                    detail: format!("PyHSS does not remove row {id} of {table}: other rows refer to it"),
                });
            }
            Answered::Failed(reason) => reason,
            Answered::Row(_) => "the response has a row".to_owned(),
            Answered::Null => "the response is null".to_owned(),
        };
        match self.read_back(&path).await? {
            None => {
                self.changed = true;
                Ok(())
            }
            Some(_) => Err(Outcome::Transient { detail: format!("the row of {table} was not removed: {reason}") }),
        }
    }

    /// Whether the operation log has this write of the call.
    pub(super) async fn is_recorded(&self, name: &str) -> Result<bool, Outcome> {
        self.reader.is_recorded(self.operation_id(name)).await
    }

    /// The id of one write: the same for every attempt of the step, and different for each of its writes.
    fn operation_id(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.call.idempotency_key, name.as_bytes())
    }

    fn applied(&mut self) -> Written {
        self.changed = true;
        Written::Applied
    }

    /// The effect of a write without a clear answer, judged by the current row.
    fn settle(
        &mut self,
        row: Option<Map<String, Value>>,
        in_place: impl Fn(&Map<String, Value>) -> bool,
        reason: &str,
    ) -> Result<Written, Outcome> {
        match row {
            Some(row) if in_place(&row) => Ok(self.applied()),
            _ => Err(Outcome::Transient { detail: format!("PyHSS did not apply the write: {reason}") }),
        }
    }

    /// The same after a 500: a request that is invalid now will never be valid.
    fn settle_failed(
        &mut self,
        row: Option<Map<String, Value>>,
        in_place: impl Fn(&Map<String, Value>) -> bool,
        reason: String,
    ) -> Result<Written, Outcome> {
        self.settle(row, in_place, &reason)
            .map_err(|_| Outcome::Permanent { code: ErrorCode::RefusedByTarget.into(), detail: reason })
    }

    /// The current row. If it cannot be read, the previous write is in doubt.
    async fn read_back(&self, path: &[&str]) -> Result<Option<Map<String, Value>>, Outcome> {
        self.reader.row(path).await.map_err(|outcome| Outcome::Ambiguous {
            detail: format!("a write could not be read back: {}", outcome.words()),
        })
    }

    async fn write(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
        name: &str,
    ) -> Result<Answered, Outcome> {
        // This is the last check of the time: nothing may be sent after the attempt's deadline.
        let timeout = self.reader.request_timeout(name)?;
        let mut headers = vec![(HeaderName::from_static("idempotency-key"), self.call.idempotency_key.to_string())];
        if let Some(epoch) = self.call.epoch {
            headers.push((HeaderName::from_static("x-interlock-epoch"), epoch.to_string()));
        }
        let query = [("operation_id", self.operation_id(name).to_string())];
        let request = Request { method, path, query: &query, headers: &headers, body, timeout };
        let answer = self.reader.adapter.exchange.send(request).await.map_err(Failure::of_write)?;
        read_written(answer)
    }
}

/// The meaning of the answer to a write.
fn read_written(answer: TargetResponse) -> Result<Answered, Outcome> {
    if let Some(outcome) = answer.outcome_of_refusal() {
        return Err(outcome);
    }
    let reason = reason_of(answer.body.as_ref());
    match (answer.status.as_u16(), answer.body) {
        (200, Some(Value::Object(row))) if row.get("Result").and_then(Value::as_str) == Some("OK") => {
            Ok(Answered::Removed)
        }
        (200, Some(Value::Object(row))) => Ok(Answered::Row(row)),
        (200, _) => Ok(Answered::Null),
        (400, _) if reason.starts_with("A database operational error") => Err(Outcome::Transient { detail: reason }),
        (400, _) if reason.starts_with("A database integrity error") && reason.to_lowercase().contains("unique") => {
            Ok(Answered::Conflict)
        }
        (400, _) => Err(Outcome::Permanent { code: ErrorCode::RefusedByTarget.into(), detail: reason }),
        (500, _) => Ok(Answered::Failed(reason)),
        (status @ 501..=599, _) => Err(Outcome::Ambiguous { detail: format!("it responded with status {status}") }),
        (status, _) => Err(not_pyhss(&format!("a write had a response with status {status}: {reason}"))),
    }
}
