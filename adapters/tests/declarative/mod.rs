//! Shared code of the tests of the declarative adapter.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use interlock_adapters::{
    Adapter, AdapterKind, Authentication, Call, DeclarativeAdapter, RegistryError, TargetSettings, Verification,
};
use interlock_domain::ids::Epoch;
use interlock_domain::outcome::Outcome;
use serde_json::Value;
use tempfile::NamedTempFile;
use uuid::Uuid;
use wiremock::{MockServer, ResponseTemplate};

/// A file with this text.
pub fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

pub fn settings(base_url: &str) -> TargetSettings {
    let mut settings = TargetSettings::new(AdapterKind::Declarative, base_url.parse().unwrap());
    settings.timeout = Duration::from_millis(500);
    settings
}

/// An adapter that this text describes.
pub fn described(text: &str, base_url: &str) -> Result<DeclarativeAdapter, RegistryError> {
    let file = file(text);
    let mut settings = settings(base_url);
    settings.file = Some(file.path().to_owned());
    DeclarativeAdapter::new(&"crm".parse().unwrap(), &settings)
}

/// An adapter that comes with Interlock, with a token.
pub fn shipped(name: &str, base_url: &str) -> DeclarativeAdapter {
    let mut settings = settings(base_url);
    settings.file = Some(name.into());
    settings.auth = Authentication::Bearer { token: "open sesame".into() };
    DeclarativeAdapter::new(&"crm".parse().unwrap(), &settings).unwrap()
}

pub fn call(operation: &str, data: Value) -> Call {
    let Value::Object(data) = data else { panic!("the data of a call is an object") };
    Call {
        tenant: "default".parse().unwrap(),
        order: "A1~6f9619ff-8b86-5011-b42d-00cf4fc964ff".parse().unwrap(),
        target: "crm".parse().unwrap(),
        operation: operation.to_owned(),
        data,
        idempotency_key: Uuid::from_u128(0x1234),
        epoch: Some(Epoch(7)),
        epochs: BTreeMap::from([("msisdn/1".parse().unwrap(), Epoch(7))]),
        attempt: 1,
        callback_url: None,
        timeout: Duration::from_secs(5),
    }
}

/// An outcome in a few words.
pub fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Permanent { code, .. } => format!("permanent {code}"),
        Outcome::InUse { holder } => format!("in_use {}", holder.as_deref().unwrap_or("?")),
        Outcome::Throttled { retry_after_ms, .. } => format!("throttled {retry_after_ms:?}"),
        other => other.class().to_owned(),
    }
}

/// A verification in one word.
pub fn word(verification: &Verification) -> &'static str {
    match verification {
        Verification::Applied => "applied",
        Verification::NotApplied => "not_applied",
        Verification::Accepted { .. } => "accepted",
        Verification::InUse { .. } => "in_use",
        Verification::Unclear { .. } => "unclear",
    }
}

pub fn json(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// The bodies of the requests with this method, in order of arrival.
pub async fn bodies(server: &MockServer, method: &str) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let of_method = requests.iter().filter(|request| request.method.as_str() == method);
    of_method.map(|request| request.body_json().unwrap_or(Value::Null)).collect()
}

/// The outcome of a call.
pub async fn outcome(adapter: &DeclarativeAdapter, operation: &str, data: Value) -> String {
    words(&adapter.call(&call(operation, data)).await)
}
