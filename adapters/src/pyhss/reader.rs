//! Read requests to PyHSS: look-ups, lists and the operation log.

use std::time::Duration;

use http::Method;
use interlock_domain::outcome::Outcome;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::row::{ImsSubscriber, Sim, Subscriber};
use super::{PyhssAdapter, REQUEST_TIMEOUT_MAX};
use crate::exchange::{Failure, Request, TargetResponse};

/// The number of entries that the operation log of PyHSS keeps, and that are requested at a time.
const LOG_ENTRIES_MAX: usize = 1_000;
const LOG_PAGE_ENTRIES: usize = 200;

/// Sends read requests until its time is over.
pub(super) struct Reader<'a> {
    pub(super) adapter: &'a PyhssAdapter,
    deadline: Instant,
}

impl<'a> Reader<'a> {
    pub(super) fn new(adapter: &'a PyhssAdapter, timeout: Duration) -> Self {
        Self { adapter, deadline: Instant::now() + timeout }
    }

    /// The SIM with this `iccid` or `imsi`.
    pub(super) async fn sim(&self, by: &str, value: &str) -> Result<Option<Sim>, Outcome> {
        self.row(&["auc", by, value]).await
    }

    /// The subscriber with this `imsi` or `msisdn`. A `msisdn` that two subscribers have finds none.
    pub(super) async fn subscriber(&self, by: &str, value: &str) -> Result<Option<Subscriber>, Outcome> {
        self.row(&["subscriber", by, value]).await
    }

    /// The IMS subscriber that has a number.
    pub(super) async fn ims_subscriber(&self, msisdn: &str) -> Result<Option<ImsSubscriber>, Outcome> {
        self.row(&["ims_subscriber", "ims_subscriber_msisdn", msisdn]).await
    }

    /// The IMS subscriber of a subscription. If it has several, the look-up finds none.
    pub(super) async fn ims_subscriber_of(&self, imsi: &str) -> Result<Option<ImsSubscriber>, Outcome> {
        self.row(&["ims_subscriber", "ims_subscriber_imsi", imsi]).await
    }

    /// The row at a path.
    pub(super) async fn row<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, Outcome> {
        let body = self.ask(path, &[]).await?;
        if body.is_null() {
            return Ok(None);
        }
        T::deserialize(body)
            .map(Some)
            .map_err(|error| not_pyhss(&format!("a row of {} cannot be read: {error}", path[0])))
    }

    /// The row of `ims_subscriber` with this id.
    pub(super) async fn ims_subscriber_at(&self, id: i64) -> Result<Option<ImsSubscriber>, Outcome> {
        self.row(&["ims_subscriber", &id.to_string()]).await
    }

    /// The first `rows_max` rows of a table, and whether those are all. One request reads them, which PyHSS answers with one statement.
    /// With a request for each page, rows could move between pages and be missed.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        table: &str,
        rows_max: u32,
    ) -> Result<(Vec<T>, bool), Outcome> {
        let answer = match self.ask_for_page(table, 0, rows_max.saturating_add(1)).await? {
            Err(Failure::AnswerTooLong(_)) => return Ok((Vec::new(), false)),
            answered => answered.map_err(Failure::of_read)?,
        };
        let mut rows: Vec<T> = rows_of(table, answer)?;
        let is_whole = rows.len() <= rows_max as usize;
        rows.truncate(rows_max as usize);
        Ok((rows, is_whole))
    }

    /// A page of a table.
    pub(super) async fn page<T: DeserializeOwned>(&self, table: &str, page: u32, rows: u32) -> Result<Vec<T>, Outcome> {
        rows_of(table, self.ask_for_page(table, page, rows).await?.map_err(Failure::of_read)?)
    }

    async fn ask_for_page(
        &self,
        table: &str,
        page: u32,
        rows: u32,
    ) -> Result<Result<TargetResponse, Failure>, Outcome> {
        let timeout = self.left("look-up")?.min(REQUEST_TIMEOUT_MAX);
        let query = [("page", page.to_string()), ("page_size", rows.to_string())];
        let path = [table, "list"];
        let request = Request { method: Method::GET, path: &path, query: &query, headers: &[], body: None, timeout };
        Ok(self.adapter.exchange.send(request).await)
    }

    /// Whether the operation log has a write with this id.
    pub(super) async fn is_recorded(&self, operation_id: Uuid) -> Result<bool, Outcome> {
        let wanted = operation_id.to_string();
        for page in 0..LOG_ENTRIES_MAX / LOG_PAGE_ENTRIES {
            let query = [("page", page.to_string()), ("page_size", LOG_PAGE_ENTRIES.to_string())];
            let body = self.ask(&["operation_logs", "list"], &query).await?;
            let entries = body.as_array().ok_or_else(|| not_pyhss("the operation log is not a list"))?;
            if entries.iter().any(|entry| entry.get("operation_id").and_then(Value::as_str) == Some(&wanted)) {
                return Ok(true);
            }
            if entries.len() < LOG_PAGE_ENTRIES {
                break;
            }
        }
        Ok(false)
    }

    /// Sends the request. Returns the body of the answer, `null` if the row does not exist.
    pub(super) async fn ask(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Outcome> {
        let timeout = self.request_timeout("look-up")?;
        let request = Request { method: Method::GET, path, query, headers: &[], body: None, timeout };
        let answer = self.adapter.exchange.send(request).await.map_err(Failure::of_read)?;
        answer_of(answer)
    }

    /// The time limit of a request that is sent now.
    pub(super) fn request_timeout(&self, name: &str) -> Result<Duration, Outcome> {
        Ok(self.left(name)?.min(self.adapter.request_timeout))
    }

    /// The rest of the attempt's time.
    pub(super) fn left(&self, name: &str) -> Result<Duration, Outcome> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Outcome::Transient { detail: format!("the attempt ran out of time before its {name}") });
        }
        Ok(left)
    }
}

fn rows_of<T: DeserializeOwned>(table: &str, answer: TargetResponse) -> Result<Vec<T>, Outcome> {
    serde_json::from_value(answer_of(answer)?)
        .map_err(|error| not_pyhss(&format!("the list of {table} cannot be read: {error}")))
}

/// The body of an answer, `null` if the row does not exist.
fn answer_of(answer: TargetResponse) -> Result<Value, Outcome> {
    if let Some(outcome) = answer.outcome_of_refusal() {
        return Err(outcome);
    }
    let reason = reason_of(answer.body.as_ref());
    match (answer.status.as_u16(), answer.body) {
        (200, Some(body)) => Ok(body),
        // The look-ups of `ims_subscriber` report a missing row in this way.
        (400, Some(Value::Null)) => Ok(Value::Null),
        (400 | 500..=599, _) => {
            Err(Outcome::Transient { detail: format!("PyHSS could not answer the query: {reason}") })
        }
        (status, _) => Err(not_pyhss(&format!("the response to a query had status {status} and no JSON"))),
    }
}

/// PyHSS's reason, without the SQL statement and its values that may follow. Look-ups of `ims_subscriber` wrap the reason in a list.
pub(super) fn reason_of(body: Option<&Value>) -> String {
    let object = match body {
        Some(Value::Array(list)) => list.first(),
        other => other,
    };
    let reason = object.and_then(|object| object.get("reason")).and_then(Value::as_str).unwrap_or("no reason given");
    reason.split("\n[SQL").next().unwrap_or_default().to_owned()
}

/// An answer that PyHSS never gives. Nothing was changed, and the target's settings are wrong, not the order.
pub(super) fn not_pyhss(detail: &str) -> Outcome {
    Outcome::unavailable(format!("{detail}: is the target's base_url that of a PyHSS 2.0?"))
}
