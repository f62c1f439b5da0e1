//! The requests and answers of a target, and its logic without delays, failures and log.

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::applied::Effect;
use super::seeds::{Seed, SeedError};

/// A complete request.
pub(super) struct Request {
    pub(super) method: Method,
    /// The decoded segments of the path. A trailing slash makes an empty one.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// The body as it was sent.
    pub(super) text: String,
}

impl Request {
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: Vec::new(), body }
    }
}

/// The changes of a request.
pub(super) struct Change {
    pub(super) effect: Effect,
    /// The columns before and after.
    pub(super) columns: Option<Value>,
}

impl From<Effect> for Change {
    fn from(effect: Effect) -> Self {
        Self { effect, columns: None }
    }
}

/// The logic of a target, without delays, failures and log.
pub(super) trait Model: Send {
    /// The name of the request's operation, for knobs and log.
    fn operation(&self, request: &Request) -> String;
    /// Performs a request.
    fn handle(&mut self, request: &Request) -> (Reply, Vec<Change>);
    /// The tables.
    fn state(&self) -> Value;
    /// Seeds one SIM or subscriber. Returns whether it is new.
    fn seed(&mut self, seed: &Seed) -> Result<Option<Vec<Change>>, SeedError>;
}
