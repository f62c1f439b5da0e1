//! What a target would be asked: the adapter runs as always, and its requests go to a stand-in in this process instead of the network.
//!
//! For PyHSS the stand-in is the sandbox HSS, in the state that the call expects: a release finds the number registered, an assignment
//! finds it free. A JSON target agrees to everything. The requests of a declarative target depend on the answers that its file describes,
//! so both branches after a look-up are rendered. No secret is read: where a request has credentials there is `[hidden]`.

mod prepared;

use interlock_domain::customer::FORESEEN_EPOCH;
use interlock_domain::ids::TargetId;
use interlock_domain::views::RequestView;
use serde_json::Value;
use url::Url;

use crate::adapter::{Adapter, Call};
use crate::declarative;
use crate::json_http::JsonHttpAdapter;
use crate::pyhss::PyhssAdapter;
use crate::settings::{AdapterKind, TargetSettings};
use crate::stage::{self, HIDDEN, Stage};
use prepared::Prepared;

/// The requests of calls to one target, one list for each call, if it answers as expected; or, in a sentence, why they are not known.
/// `calls` are those of one order, in their order. Where a lease is not granted yet, the epoch is [`FORESEEN_EPOCH`], and the requests have
/// `{epoch}` there. `registered` are the numbers that the customer has, each with the subscription under which the targets know it there.
/// Nothing is sent.
pub async fn requests(
    target: &TargetId,
    settings: &TargetSettings,
    registered: &[Registered],
    calls: &[Call],
) -> Vec<Result<Vec<RequestView>, String>> {
    let requests = match settings.adapter {
        AdapterKind::Pyhss => of_pyhss(target, settings, registered, calls).await,
        AdapterKind::Json => of_json(target, settings, calls).await,
        AdapterKind::Declarative => calls.iter().map(|call| declarative::requests(target, settings, call)).collect(),
        AdapterKind::Webhook => unknown(calls, "the target is told of events, and has no operations"),
        AdapterKind::Intake => {
            unknown(calls, "it translates: what it submits depends on what it finds at the producer and in the ledger")
        }
        AdapterKind::External => unknown(calls, "another program serves this target"),
    };
    let shown = |request| with_names(without_secrets(request, settings.base_url.as_ref()));
    requests.into_iter().map(|of_call| of_call.map(|list| list.into_iter().map(shown).collect())).collect()
}

/// A number that a customer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The subscription: an IMSI.
    pub imsi: String,
    /// The number, in digits.
    pub msisdn: String,
}

fn unknown<T>(calls: &[Call], why: &str) -> Vec<Result<T, String>> {
    calls.iter().map(|_| Err(why.to_owned())).collect()
}

async fn of_pyhss(
    target: &TargetId,
    settings: &TargetSettings,
    registered: &[Registered],
    calls: &[Call],
) -> Vec<Result<Vec<RequestView>, String>> {
    let stage = Stage::hss();
    let adapter = match PyhssAdapter::rehearsed(target, settings, &stage) {
        Ok(adapter) => adapter,
        Err(error) => return unknown(calls, &error.to_string()),
    };
    let mut prepared = Prepared::default();
    let mut requests = Vec::with_capacity(calls.len());
    if let Some(first) = calls.first() {
        prepared.register_all(&adapter, &stage, first, registered).await;
    }
    for call in calls {
        prepared.prepare(&adapter, &stage, call).await;
        requests.push(rehearsed(&adapter, &stage, call).await);
    }
    requests
}

async fn of_json(
    target: &TargetId,
    settings: &TargetSettings,
    calls: &[Call],
) -> Vec<Result<Vec<RequestView>, String>> {
    // The stand-in's answer is a success by the default rule.
    let settings = TargetSettings { success: None, ..settings.clone() };
    let stage = Stage::obliging();
    let adapter = match JsonHttpAdapter::rehearsed(target, &settings, &stage) {
        Ok(adapter) => adapter,
        Err(error) => return unknown(calls, &error.to_string()),
    };
    let mut requests = Vec::with_capacity(calls.len());
    for call in calls {
        requests.push(rehearsed(&adapter, &stage, call).await);
    }
    requests
}

async fn rehearsed(adapter: &dyn Adapter, stage: &Stage, call: &Call) -> Result<Vec<RequestView>, String> {
    let _before = stage.take();
    let outcome = adapter.call(call).await;
    let requests = stage.take();
    // The call ended before its first request: its arguments are wrong, for example.
    if requests.is_empty() { Err(outcome.words().to_owned()) } else { Ok(requests) }
}

/// Hides what the base URL of a target itself may have as credentials: user, password, and the values of its query.
fn without_secrets(mut request: RequestView, base_url: Option<&Url>) -> RequestView {
    let (Some(base_url), Ok(mut url)) = (base_url, request.url.parse::<Url>()) else { return request };
    if !base_url.username().is_empty() || base_url.password().is_some() {
        // A URL with a host can be without them.
        let _cleared = (url.set_username(""), url.set_password(None));
        // The HTTP client makes basic authorisation of them.
        request.headers.insert("authorization".to_owned(), HIDDEN.to_owned());
    }
    if base_url.query().is_some() {
        let of_base: Vec<_> = base_url.query_pairs().into_owned().collect();
        let shown = |pair: (String, String)| {
            if of_base.contains(&pair) { (pair.0, HIDDEN.to_owned()) } else { pair }
        };
        let pairs: Vec<_> = url.query_pairs().into_owned().map(shown).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    RequestView { url: url.to_string(), ..request }
}

/// Writes the names of what is not known yet in place of the stand-in's values.
fn with_names(request: RequestView) -> RequestView {
    let RequestView { method, url, headers, body, reads, only_if } = request;
    RequestView {
        method,
        url: named(&url, "%7B", "%7D"),
        headers: headers.into_iter().map(|(name, value)| (name, named(&value, "{", "}"))).collect(),
        body: body.map(named_in),
        reads,
        only_if,
    }
}

fn named(text: &str, open: &str, close: &str) -> String {
    let epoch = FORESEEN_EPOCH.to_string();
    let mut named = text.replace(&epoch, &format!("{open}epoch{close}"));
    for (id, column) in stage::ids_in(text) {
        named = named.replace(&id.to_string(), &format!("{open}{column}{close}"));
    }
    named
}

fn named_in(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let with_name = named(&text, "{", "}");
            if with_name == text { Value::Number(number) } else { Value::String(with_name) }
        }
        Value::String(text) => Value::String(named(&text, "{", "}")),
        Value::Array(items) => items.into_iter().map(named_in).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, named_in(value))).collect(),
        other => other,
    }
}
