//! The rows of PyHSS that the adapter reads: the columns it needs, and the rest as they come.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A row of `auc`: one SIM. Its keys are never sent, nor asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Sim {
    pub(super) auc_id: i64,
    pub(super) imsi: Option<String>,
}

/// A row of `subscriber`.
#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names, reason = "these are PyHSS's names")]
pub(super) struct Subscriber {
    pub(super) subscriber_id: i64,
    pub(super) auc_id: i64,
    pub(super) imsi: Option<String>,
    pub(super) msisdn: Option<String>,
    /// All other columns.
    #[serde(flatten)]
    pub(super) columns: Map<String, Value>,
}

impl Subscriber {
    /// Whether it has this number.
    pub(super) fn has_number(&self, msisdn: &str) -> bool {
        self.msisdn.as_deref() == Some(msisdn)
    }

    /// Its number; `None` where it has only the placeholder.
    pub(super) fn number(&self) -> Option<&str> {
        self.msisdn.as_deref().filter(|msisdn| !msisdn.is_empty() && self.imsi.as_deref() != Some(msisdn))
    }
}

/// A row of `ims_subscriber`.
#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names, reason = "these are PyHSS's names")]
pub(super) struct ImsSubscriber {
    pub(super) ims_subscriber_id: i64,
    pub(super) msisdn: Option<String>,
    pub(super) imsi: Option<String>,
}

/// Whether a row has all these columns with these values. PyHSS's databases write booleans as 0 and 1 in places.
pub(super) fn row_has(row: &Map<String, Value>, columns: &Map<String, Value>) -> bool {
    columns.iter().all(|(name, wanted)| row.get(name).is_some_and(|value| agree(value, wanted)))
}

fn agree(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Bool(flag), Value::Number(number)) | (Value::Number(number), Value::Bool(flag)) => {
            number.as_i64() == Some(i64::from(*flag))
        }
        (value, wanted) => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subscriber_with_the_placeholder_has_no_number() {
        let row = |msisdn: &str| -> Subscriber {
            serde_json::from_value(
                json!({"subscriber_id": 1, "auc_id": 1, "imsi": "001010000000001", "msisdn": msisdn}),
            )
            .unwrap()
        };
        assert_eq!(row("001010000000001").number(), None);
        assert_eq!(row("12065551234").number(), Some("12065551234"));
    }

    #[test]
    fn a_flag_may_come_as_a_number() {
        let columns = |json: Value| json.as_object().unwrap().clone();
        assert!(row_has(&columns(json!({"enabled": 1, "nam": 0})), &columns(json!({"enabled": true}))));
        assert!(!row_has(&columns(json!({"enabled": 0})), &columns(json!({"enabled": true}))));
        assert!(!row_has(&columns(json!({})), &columns(json!({"enabled": true}))));
    }
}
