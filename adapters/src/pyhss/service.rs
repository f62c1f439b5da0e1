//! `update_service` and `set_enabled`: columns of `subscriber` that no lease protects.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use serde_json::{Map, Value};

use super::EffectState;
use super::arguments::{self, EnabledFlag, Imsi, ServiceUpdate};
use super::attempt::{Attempt, Written};
use super::row::{Subscriber, row_has};

/// The write that completes the operation.
pub(super) const COMPLETING_WRITE: &str = "patch subscriber";

/// The values that a column accepts.
#[derive(Clone, Copy)]
enum ColumnKind {
    Number,
    Flag,
    /// `1,2`. PyHSS also stores other texts, but they break the subscriber.
    ListOfIds,
}

/// The columns that this operation may change. PyHSS silently ignores unknown columns, and a number or an IMSI must never change in
/// this way.
const COLUMNS: [(&str, ColumnKind); 8] = [
    ("apn_list", ColumnKind::ListOfIds),
    ("default_apn", ColumnKind::Number),
    ("nam", ColumnKind::Number),
    ("roaming_enabled", ColumnKind::Flag),
    ("roaming_rule_list", ColumnKind::ListOfIds),
    ("subscribed_rau_tau_timer", ColumnKind::Number),
    ("ue_ambr_dl", ColumnKind::Number),
    ("ue_ambr_ul", ColumnKind::Number),
];

/// The settings as columns, each checked.
pub(super) fn checked(settings: &Map<String, Value>) -> Result<Map<String, Value>, Outcome> {
    for (name, value) in settings {
        let Some((_, kind)) = COLUMNS.iter().find(|(column, _)| column == name) else {
            let known: Vec<&str> = COLUMNS.iter().map(|(column, _)| *column).collect();
            return Err(Outcome::Permanent {
                code: ErrorCode::UnknownSetting.into(),
                detail: format!("PyHSS does not support the setting '{name}'; it supports {}", known.join(", ")),
            });
        };
        let fits = match kind {
            ColumnKind::Number => value.is_u64(),
            ColumnKind::Flag => value.is_boolean(),
            ColumnKind::ListOfIds => value.as_str().is_some_and(is_list_of_ids),
        };
        if !fits {
            return Err(Outcome::Permanent {
                code: ErrorCode::InvalidSetting.into(),
                detail: format!("the setting '{name}' does not accept this value: correct the event"),
            });
        }
    }
    Ok(settings.clone())
}

fn is_list_of_ids(text: &str) -> bool {
    text.split(',').all(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The subscription and the wanted values of its columns.
fn wanted(attempt: &Attempt<'_>) -> Result<(Imsi, Map<String, Value>), Outcome> {
    if attempt.call.operation == "set_enabled" {
        let flag: EnabledFlag = arguments::read(attempt.call)?;
        return Ok((flag.imsi, Map::from_iter([("enabled".to_owned(), flag.enabled.into())])));
    }
    let update: ServiceUpdate = arguments::read(attempt.call)?;
    Ok((update.imsi, checked(&update.settings)?))
}

async fn look(attempt: &Attempt<'_>, imsi: &Imsi) -> Result<Subscriber, Outcome> {
    attempt.reader.subscriber("imsi", imsi.as_str()).await?.ok_or_else(|| Outcome::Permanent {
        code: ErrorCode::UnknownSubscriber.into(),
        detail: "the HSS has no subscriber with this IMSI: create it first".to_owned(),
    })
}

pub(super) async fn effect_state(attempt: &Attempt<'_>) -> Result<EffectState, Outcome> {
    let (imsi, columns) = wanted(attempt)?;
    let subscriber = look(attempt, &imsi).await?;
    Ok(if row_has(&subscriber.columns, &columns) { EffectState::InPlace } else { EffectState::Missing })
}

pub(super) async fn run(attempt: &mut Attempt<'_>) -> Result<Outcome, Outcome> {
    let (imsi, columns) = wanted(attempt)?;
    let subscriber = look(attempt, &imsi).await?;
    if row_has(&subscriber.columns, &columns) {
        return Ok(Outcome::AlreadyDone);
    }
    match attempt.patch("subscriber", subscriber.subscriber_id, &columns, COMPLETING_WRITE).await? {
        Written::Applied => Ok(Outcome::Done),
        Written::Conflict => Err(Outcome::Permanent {
            code: ErrorCode::RefusedByTarget.into(),
            detail: "the HSS's database rejects these settings: correct the event".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(settings: &Value) -> Result<Map<String, Value>, String> {
        checked(settings.as_object().unwrap()).map_err(|outcome| match outcome {
            Outcome::Permanent { code, .. } => code.to_string(),
            other => other.class().to_owned(),
        })
    }

    #[test]
    fn a_setting_without_a_column_is_refused_by_name() {
        assert_eq!(check(&json!({"call_forwarding": "12065551234"})), Err("unknown_setting".to_owned()));
        assert_eq!(check(&json!({"msisdn": "12065551234"})), Err("unknown_setting".to_owned()));
    }

    #[test]
    fn a_list_of_access_points_that_would_break_the_subscriber_is_refused() {
        assert_eq!(check(&json!({"apn_list": "internet"})), Err("invalid_setting".to_owned()));
        assert_eq!(check(&json!({"apn_list": "1,"})), Err("invalid_setting".to_owned()));
        assert!(check(&json!({"apn_list": "1,2", "roaming_enabled": false, "ue_ambr_dl": 5})).is_ok());
    }
}
