//! The stand-in that answers in place of the network, and keeps what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method, StatusCode};
use interlock_domain::views::RequestView;
use serde_json::{Value, json};
use url::Url;

use crate::sandbox::{Rehearsed, Seed, StandIn};

/// The value of a header with credentials.
pub(crate) const HIDDEN: &str = "[hidden]";

/// A stand-in. Clones share it.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Mutex<Played>>);

struct Played {
    /// None if everything is agreed to.
    hss: Option<StandIn>,
    requests: Vec<RequestView>,
}

/// A request as an adapter would send it.
pub(crate) struct Staged<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The path below the base URL.
    pub(crate) path: &'a [&'a str],
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Value>,
    /// The body as it is sent.
    pub(crate) text: String,
}

impl Stage {
    /// The sandbox HSS, empty.
    pub(crate) fn hss() -> Self {
        Self(Arc::new(Mutex::new(Played { hss: Some(StandIn::hss()), requests: Vec::new() })))
    }

    /// A target that does what it is asked to, and has nothing registered.
    pub(crate) fn obliging() -> Self {
        Self(Arc::new(Mutex::new(Played { hss: None, requests: Vec::new() })))
    }

    /// Gives the HSS a SIM, and the subscriber that uses it. One that is there already stays as it is.
    pub(crate) fn seed(&self, seed: &Seed) {
        if let Some(hss) = &mut self.lock().hss {
            hss.seed(seed);
        }
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<RequestView> {
        std::mem::take(&mut self.lock().requests)
    }

    /// The answer to a request.
    pub(crate) fn answer(&self, request: Staged<'_>) -> (StatusCode, Value) {
        let Staged { method, url, path, headers, body, text } = request;
        let mut played = self.lock();
        let query: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let text = if value.is_sensitive() { HIDDEN.to_owned() } else { lossy(value) };
            (name.as_str().to_owned(), text)
        };
        let headers: BTreeMap<String, String> = headers.iter().map(shown).collect();
        let reads = matches!(method, Method::GET | Method::HEAD);
        let view = RequestView {
            method: method.to_string(),
            url: url.to_string(),
            headers,
            body: body.or_else(|| (!text.is_empty()).then(|| text.clone().into())),
            reads,
            only_if: None,
        };
        played.requests.push(view);
        match &mut played.hss {
            Some(hss) => {
                let path = path.iter().map(|part| (*part).to_owned()).collect();
                hss.answer(Rehearsed { method, path, query, text })
            }
            None if reads => (StatusCode::OK, json!({ "holder": null })),
            None => (StatusCode::OK, json!({ "status": "done" })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Played> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lossy(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The row ids of the stand-in in a text, each with the name of its column.
pub(crate) fn ids_in(text: &str) -> Vec<(i64, &'static str)> {
    let numbers = text.split(|sign: char| !sign.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    numbers.filter_map(|id| Some((id, StandIn::column_of(id)?))).collect()
}
