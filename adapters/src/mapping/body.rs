//! What a producer sends: an event of ESPF, or the same event as an NSPS connector gets it, with more about the account and its SIM.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use minijinja::Value as Rendered;
use serde_json::{Map, Number, Value, json};
use thiserror::Error;

/// Where the events come from: the CloudEvents `source`, followed by `/` and the environment if the event names it.
const SOURCE: &str = "espf";
/// How ESPF writes a time. It is in UTC.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// Why a body is not an event of the producer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BodyFault {
    /// It is no JSON object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A part is missing.
    #[error("it has no '{0}'")]
    Missing(&'static str),
    /// A part has the wrong type.
    #[error("its '{0}' is not {1}")]
    WrongType(&'static str, &'static str),
}

/// One event of the producer, in one form however it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProducerEvent {
    /// The producer's type.
    pub(super) event_type: String,
    /// The producer's id, the same in every attempt to send it.
    pub(super) id: String,
    /// The CloudEvents source.
    pub(super) source: String,
    /// When it happened, RFC 3339, if the event says so.
    pub(super) time: Option<String>,
    /// Its variables. Whole numbers are texts: an id comes as either.
    variables: Map<String, Value>,
    /// What an NSPS connector gets besides.
    pb: Map<String, Value>,
}

impl ProducerEvent {
    pub(super) fn read(body: &Value) -> Result<Self, BodyFault> {
        let body = body.as_object().ok_or(BodyFault::NotAnObject)?;
        // NSPS wraps the event of ESPF.
        let (raw, envelope) = match body.get("data") {
            Some(data) if !body.contains_key("event_type") => {
                (data.as_object().ok_or(BodyFault::WrongType("data", "an object"))?, Some(body))
            }
            _ => (body, None),
        };
        let event_type = match raw.get("event_type") {
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            Some(Value::Null | Value::String(_)) | None => return Err(BodyFault::Missing("event_type")),
            Some(_) => return Err(BodyFault::WrongType("event_type", "a text")),
        };
        let variables = match raw.get("variables") {
            Some(Value::Object(variables)) => with_texts(variables.clone()),
            Some(Value::Null) | None => Map::new(),
            Some(_) => return Err(BodyFault::WrongType("variables", "an object")),
        };
        let named = |name| Ok(id_of(name, variables.get(name))?.or(id_of(name, raw.get(name))?));
        let of_envelope = |name: &str| envelope.and_then(|envelope| envelope.get(name));
        let id = match named("i_event")? {
            Some(id) => id,
            None => id_of("event_id", of_envelope("event_id"))?.ok_or(BodyFault::Missing("i_event"))?,
        };
        let source = named("i_env")?.map_or_else(|| SOURCE.to_owned(), |env| format!("{SOURCE}/{env}"));
        let times = [variables.get("event_time"), raw.get("event_time"), of_envelope("created_at")];
        let time = times.into_iter().flatten().find_map(|time| rfc3339(time.as_str()?));
        let pb = of_envelope("pb_data").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Self { event_type, id, source, time, variables, pb })
    }

    /// The variables of the templates that take it in.
    pub(super) fn variables(&self) -> Rendered {
        let all = json!({"event_type": self.event_type, "variables": self.variables, "pb": self.pb});
        Rendered::from(minijinja::value::Serde(&all))
    }
}

/// An id, if there is one: a text or a whole number.
fn id_of(name: &'static str, value: Option<&Value>) -> Result<Option<String>, BodyFault> {
    match value {
        Some(Value::Null) | None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(Value::Number(number)) if digits(number).is_some() => Ok(digits(number)),
        Some(_) => Err(BodyFault::WrongType(name, "a text or a whole number")),
    }
}

/// The digits of a whole number, however JSON writes it (`7`, `7.0`).
fn digits(number: &Number) -> Option<String> {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => (float.fract() == 0.0).then(|| format!("{float:.0}")),
        None => Some(number.to_string()),
    }
}

/// The same, with texts in place of whole numbers.
pub(super) fn with_texts(mut values: Map<String, Value>) -> Map<String, Value> {
    for value in values.values_mut() {
        if let Value::Number(number) = value
            && let Some(digits) = digits(number)
        {
            *value = Value::String(digits);
        }
    }
    values
}

/// A time of ESPF, or one that is RFC 3339 already. Another text is no time.
fn rfc3339(text: &str) -> Option<String> {
    let of_espf = NaiveDateTime::parse_from_str(text.trim(), TIME_FORMAT).map(|time| time.and_utc());
    let time = of_espf.or_else(|_| DateTime::parse_from_rfc3339(text.trim()).map(|time| time.with_timezone(&Utc)));
    time.ok().map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
