//! The changes that a sandbox target applied, in order. The tests and the demo judge only by this log.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One entry of the log. A request with several effects adds several entries with the same `request`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Its place in the log, from 1, without gaps.
    pub seq: u64,
    /// When it was applied, RFC 3339 with milliseconds, UTC.
    pub at: String,
    /// The sandbox target: `hss`, `crm` or `sms`.
    pub target: String,
    /// The number of the request, in order of execution. 0 for seeds.
    pub request: u64,
    /// The HTTP method; `SEED` for seeds.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The operation: the path for a JSON target, `put_ims_subscriber` and so on for the HSS.
    pub operation: String,
    /// The effect, flattened into the entry: `"effect": "number_assigned", "msisdn": …, "imsi": …`.
    #[serde(flatten)]
    pub effect: Effect,
    /// HSS only: the columns that were changed, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Value>,
    /// The header `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The header `X-Interlock-Epoch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

/// The meaning of a request, derived from what it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// HSS: `subscriber.msisdn` was set to this number. The first effect of an assignment.
    PrimaryNumberSet {
        /// The number.
        msisdn: String,
        /// Who has it now.
        imsi: String,
    },
    /// HSS: `subscriber.msisdn` no longer has this number. The last effect of a release.
    PrimaryNumberCleared {
        /// The number.
        msisdn: String,
        /// Who had it.
        imsi: String,
    },
    /// HSS: a row of `ims_subscriber` got this number, as its primary number or in its list. The last effect of an assignment.
    NumberAssigned {
        /// The number.
        msisdn: String,
        /// Who has it now.
        imsi: String,
    },
    /// HSS: a row of `ims_subscriber` no longer has this number in either column. The first effect of a release.
    NumberReleased {
        /// The number.
        msisdn: String,
        /// Who had it.
        imsi: String,
    },
    /// HSS: a row changed in a table without an effect of its own.
    RowChanged {
        /// The table.
        table: String,
        /// The row.
        id: i64,
    },
    /// HSS: a subscriber was created.
    SubscriberCreated {
        /// The subscriber.
        imsi: String,
    },
    /// HSS: a subscriber was removed.
    SubscriberRemoved {
        /// The subscriber.
        imsi: String,
    },
    /// HSS: a subscriber was enabled.
    SubscriberEnabled {
        /// The subscriber.
        imsi: String,
    },
    /// HSS: a subscriber was disabled.
    SubscriberDisabled {
        /// The subscriber.
        imsi: String,
    },
    /// HSS, in `subscriber` or in `ims_subscriber`: the subscription moved to another SIM.
    SimSwapped {
        /// The table.
        table: String,
        /// The old SIM.
        old_imsi: String,
        /// The new SIM.
        new_imsi: String,
    },
    /// HSS and CRM: settings changed.
    ServiceUpdated {
        /// The IMSI, or the account.
        of: String,
        /// The settings that changed, with their new values.
        settings: Map<String, Value>,
    },
    /// HSS: a write that was accepted but changed nothing.
    Unchanged {
        /// The table.
        table: String,
        /// The row.
        id: i64,
    },
    /// CRM: an account was opened.
    AccountOpened {
        /// The account.
        account: String,
    },
    /// CRM: an account was closed.
    AccountClosed {
        /// The account.
        account: String,
    },
    /// CRM: an account got a number.
    NumberAdded {
        /// The account.
        account: String,
        /// The number.
        msisdn: String,
    },
    /// CRM: an account released a number.
    NumberRemoved {
        /// The account.
        account: String,
        /// The number.
        msisdn: String,
    },
    /// CRM: an account's number was replaced by another.
    NumberChanged {
        /// The account.
        account: String,
        /// The old number.
        old_msisdn: String,
        /// The new number.
        new_msisdn: String,
    },
    /// CRM: an account's SIM changed.
    SimUpdated {
        /// The account.
        account: String,
        /// The new SIM.
        imsi: String,
    },
    /// CRM: an account's status changed.
    StatusSet {
        /// The account.
        account: String,
        /// The new status.
        status: String,
    },
    /// SMS: a text message was sent.
    SmsSent {
        /// The recipient.
        msisdn: String,
        /// The other fields of the request.
        message: Map<String, Value>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_flat_object() {
        let entry = Applied {
            seq: 1,
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            target: "hss".to_owned(),
            request: 7,
            method: "PUT".to_owned(),
            path: "/ims_subscriber/".to_owned(),
            operation: "put_ims_subscriber".to_owned(),
            effect: Effect::NumberAssigned { msisdn: "12065551234".to_owned(), imsi: "001".to_owned() },
            change: None,
            idempotency_key: None,
            epoch: Some(5),
        };
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!((&json["effect"], &json["msisdn"]), (&"number_assigned".into(), &"12065551234".into()));
        assert_eq!(serde_json::from_value::<Applied>(json).unwrap(), entry);
    }
}
