//! The rows of PyHSS that the adapter reads: the columns it needs, and all others unchanged.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A row of `auc`: one SIM. Its keys are neither read nor sent.
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

    /// Its number. `None` if it has only the placeholder.
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
    /// Additional numbers, separated by commas. The primary number may be among them.
    #[serde(default)]
    pub(super) msisdn_list: Option<String>,
    pub(super) imsi: Option<String>,
}

impl ImsSubscriber {
    /// The number by which PyHSS finds the row.
    pub(super) fn primary(&self) -> Option<&str> {
        self.msisdn.as_deref().filter(|msisdn| !msisdn.is_empty())
    }

    /// The numbers in its list, as written there.
    pub(super) fn listed(&self) -> impl Iterator<Item = &str> {
        let pieces = self.msisdn_list.as_deref().unwrap_or_default().split([',', ';', ' ']);
        pieces.map(|piece| piece.trim().trim_start_matches('+')).filter(|piece| !piece.is_empty())
    }

    /// Every number that it has, in either column, with the primary number first.
    pub(super) fn numbers(&self) -> Vec<&str> {
        let mut numbers: Vec<&str> = self.primary().into_iter().collect();
        for listed in self.listed() {
            if !numbers.contains(&listed) {
                numbers.push(listed);
            }
        }
        numbers
    }

    /// Whether it has this number, in either column.
    pub(super) fn has_number(&self, msisdn: &str) -> bool {
        self.primary() == Some(msisdn) || self.listed().any(|listed| listed == msisdn)
    }
}

/// Whether a row has these values in all these columns. Some of PyHSS's databases write booleans as 0 and 1.
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
    fn the_numbers_of_a_row_are_in_two_columns() {
        let row: ImsSubscriber = serde_json::from_value(
            json!({"ims_subscriber_id": 1, "imsi": "001", "msisdn": "1", "msisdn_list": "+2, 1,,3"}),
        )
        .unwrap();
        assert_eq!(row.numbers(), ["1", "2", "3"]);
        assert!(row.has_number("1") && row.has_number("3") && !row.has_number("23"));
        let bare = json!({"ims_subscriber_id": 1, "imsi": null, "msisdn": "", "msisdn_list": null});
        assert!(serde_json::from_value::<ImsSubscriber>(bare).unwrap().numbers().is_empty());
    }

    #[test]
    fn a_flag_may_come_as_a_number() {
        let columns = |json: Value| json.as_object().unwrap().clone();
        assert!(row_has(&columns(json!({"enabled": 1, "nam": 0})), &columns(json!({"enabled": true}))));
        assert!(!row_has(&columns(json!({"enabled": 0})), &columns(json!({"enabled": true}))));
        assert!(!row_has(&columns(json!({})), &columns(json!({"enabled": true}))));
    }
}
