//! What a target is asked, what it answers, and what it is without time, failures and log.

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::applied::Effect;
use super::seeds::{Seed, SeedError};

/// A request, read whole.
pub(super) struct Request {
    pub(super) method: Method,
    /// The path's segments, decoded; a trailing slash leaves an empty one.
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

/// What a request changed.
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

/// What a target is, without time, failures and log.
pub(super) trait Model: Send {
    /// The name of what the request asks for, for knobs and log.
    fn operation(&self, request: &Request) -> String;
    /// Carries a request out.
    fn handle(&mut self, request: &Request) -> (Reply, Vec<Change>);
    /// The tables.
    fn state(&self) -> Value;
    /// Seeds one SIM or subscriber; whether it is new.
    fn seed(&mut self, seed: &Seed) -> Result<Option<Vec<Change>>, SeedError>;
}
