//! The common part of the CRM and the SMS gateway: `POST /{operation}`, performed once for each idempotency key, unless the target
//! shall ignore keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::applied::Effect;
use super::model::{Change, Model, Reply, Request};
use super::seeds::{Seed, SeedError};

/// Why an operation is rejected. Nothing was changed.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// The logic of a JSON target, without idempotency.
pub(super) trait Operations: Send {
    /// Performs an operation. There is no effect if the target was already in the wanted state.
    fn run(&mut self, operation: &str, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal>;
    /// The tables.
    fn state(&self) -> Value;
}

/// How a target handles idempotency keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Keys {
    /// It requires keys, performs each once, and reports which it performed.
    #[default]
    Honoured,
    /// It reports which keys it performed, but performs a repeated key again.
    Recorded,
    /// It ignores keys.
    Ignored,
}

/// A target that remembers which idempotency keys it performed, and its answers.
pub(super) struct Keyed<T> {
    operations: T,
    keys: Keys,
    answered: BTreeMap<String, Reply>,
}

impl<T: Operations> Keyed<T> {
    pub(super) fn new(operations: T, keys: Keys) -> Self {
        Self { operations, keys, answered: BTreeMap::new() }
    }

    fn run(&mut self, operation: &str, request: &Request) -> Result<(Reply, Vec<Change>), Refusal> {
        let key = match request.header("idempotency-key") {
            Some(key) => key,
            None if self.keys == Keys::Honoured => return Err(missing_key()),
            None => "",
        };
        if let Some(answered) = self.answered.get(key)
            && self.keys == Keys::Honoured
        {
            let mut reply = answered.clone();
            reply.headers.push(("idempotent-replayed", "true".to_owned()));
            return Ok((reply, Vec::new()));
        }
        let body: Value = serde_json::from_str(&request.text).map_err(|error| invalid_data(&error.to_string()))?;
        let data =
            body.get("data").and_then(Value::as_object).ok_or_else(|| invalid_data("'data' is not an object"))?;
        let effect = self.operations.run(operation, data)?;
        let status = if effect.is_some() { "done" } else { "already_done" };
        let reply = Reply::new(200, json!({"status": status}));
        self.answered.insert(key.to_owned(), reply.clone());
        Ok((reply, effect.into_iter().map(Change::from).collect()))
    }
}

fn missing_key() -> Refusal {
    Refusal { status: 400, code: "missing_idempotency_key", detail: "send the header Idempotency-Key".to_owned() }
}

pub(super) fn invalid_data(detail: &str) -> Refusal {
    Refusal { status: 400, code: "invalid_data", detail: detail.to_owned() }
}

pub(super) fn unknown_operation(operation: &str) -> Refusal {
    Refusal { status: 404, code: "unknown_operation", detail: format!("the operation '{operation}' is unknown") }
}

/// A field of the data that must be a text.
pub(super) fn text(data: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    data.get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| invalid_data(&format!("'{name}' is missing")))
}

impl<T: Operations> Model for Keyed<T> {
    fn operation(&self, request: &Request) -> String {
        request.path.first().cloned().unwrap_or_default()
    }

    fn handle(&mut self, request: &Request) -> (Reply, Vec<Change>) {
        let nothing_changed = |reply| (reply, Vec::new());
        match (request.method.as_str(), request.segments().as_slice()) {
            ("GET", ["health"]) => nothing_changed(Reply::new(200, json!({"status": "ok"}))),
            ("GET", ["operations", key]) if self.keys != Keys::Ignored => {
                nothing_changed(Reply::new(200, json!({"applied": self.answered.contains_key(*key)})))
            }
            ("POST", [operation]) => self.run(operation, request).unwrap_or_else(|refusal| {
                let body = json!({"code": refusal.code, "detail": refusal.detail});
                nothing_changed(Reply::new(refusal.status, body))
            }),
            _ => nothing_changed(Reply::new(404, json!({"code": "not_found", "detail": "the path is unknown"}))),
        }
    }

    fn state(&self) -> Value {
        self.operations.state()
    }

    fn seed(&mut self, _seed: &Seed) -> Result<Option<Vec<Change>>, SeedError> {
        Err(SeedError::NoSubscribers)
    }
}
