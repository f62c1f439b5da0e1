//! Whether a target's response with a 2xx status confirms the operation. Success is recognised, never assumed: a proxy's sign-in page,
//! an error in a body with status 200, and a multi-status of which an item failed are not.

use http::StatusCode;
use interlock_domain::ids::TargetId;
use serde_json::{Map, Value};

use crate::declarative::success::Success;
use crate::error::RegistryError;
use crate::exchange::TargetResponse;
use crate::settings::TargetSettings;

/// How deep a body is searched for signs of a failure.
const DEPTH_MAX: usize = 4;
/// The fields that are only there, or only not empty, if something failed.
const FAILURE_FIELDS: [&str; 8] =
    ["error", "errors", "fault", "exception", "error_code", "errorCode", "error_message", "errorMessage"];
/// The fields that are false if something failed.
const SUCCESS_FIELDS: [&str; 5] = ["success", "succeeded", "successful", "ok", "isSuccess"];
/// The fields that name a state, in a word or by an HTTP status.
const STATE_FIELDS: [&str; 7] = ["status", "state", "result", "outcome", "statusCode", "status_code", "httpStatus"];
/// The fields that hold what a response really says. Other fields may be data of the target, whatever they are called.
const WRAPPERS: [&str; 6] = ["response", "result", "data", "body", "d", "meta"];
/// The words for a failure.
const FAILED: [&str; 18] = [
    "error",
    "errors",
    "fail",
    "failed",
    "failure",
    "faulted",
    "fault",
    "rejected",
    "refused",
    "denied",
    "forbidden",
    "unauthorized",
    "invalid",
    "exception",
    "ko",
    "nok",
    "aborted",
    "partial_failure",
];
/// The words for something that has not ended.
const UNFINISHED: [&str; 9] =
    ["accepted", "pending", "queued", "scheduled", "processing", "in_progress", "inprogress", "running", "submitted"];

/// How a target's successes are recognised.
#[derive(Debug, Clone)]
pub(crate) struct Recognition {
    success: Option<Success>,
    empty_success: bool,
}

impl Recognition {
    /// As the target's settings say.
    ///
    /// # Errors
    /// [`RegistryError::Success`].
    pub(crate) fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        let success = settings.success.as_ref().map(Success::read).transpose();
        let success = success.map_err(|faults| RegistryError::Success { target: target.clone(), faults })?;
        Ok(Self { success, empty_success: settings.empty_success })
    }

    /// Checks a response with a 2xx status.
    ///
    /// # Errors
    /// What came, in a sentence, if it confirms nothing.
    pub(crate) fn check(&self, answer: &TargetResponse) -> Result<(), String> {
        let status = answer.status.as_u16();
        let unrecognised = |why: &str| {
            Err(format!("the response with status {status} does not confirm the call: {why} ({})", answer.what_came()))
        };
        match (&self.success, &answer.body) {
            (Some(success), _) if success.is_met_by(answer) => Ok(()),
            (Some(_), _) => unrecognised("it does not satisfy 'success' in the target's settings"),
            (None, _) if answer.text.trim().is_empty() => {
                let is_expected = self.empty_success || answer.status == StatusCode::NO_CONTENT;
                if is_expected { Ok(()) } else { unrecognised("the target's settings do not allow that") }
            }
            (None, Some(body @ Value::Object(_))) => match sign_of_failure(body, DEPTH_MAX) {
                Some(sign) => unrecognised(&sign),
                None if answer.status == StatusCode::MULTI_STATUS && !has_confirmed_item(body) => {
                    unrecognised("no item of the multi-status is confirmed")
                }
                None => Ok(()),
            },
            (None, _) => unrecognised("it is not a JSON object"),
        }
    }
}

/// A sign in a body that something failed or has not ended, in a few words.
fn sign_of_failure(value: &Value, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Array(items) => items.iter().find_map(|item| sign_of_failure(item, depth)),
        Value::Object(fields) => sign_in(fields).or_else(|| {
            let within = fields.iter().filter(|(name, value)| value.is_array() || WRAPPERS.contains(&name.as_str()));
            within.filter(|(_, value)| !value.is_string()).find_map(|(_, value)| sign_of_failure(value, depth))
        }),
        _ => None,
    }
}

fn sign_in(fields: &Map<String, Value>) -> Option<String> {
    let named =
        |names: &'static [&'static str]| names.iter().filter_map(|name| fields.get(*name).map(|value| (*name, value)));
    let failure = named(&FAILURE_FIELDS).find(|(_, value)| !is_nothing(value)).map(|(name, _)| name);
    let refusal = named(&SUCCESS_FIELDS).find(|(_, value)| is_no(value)).map(|(name, _)| name);
    let state = named(&STATE_FIELDS).find(|(_, value)| !is_good_state(value)).map(|(name, _)| name);
    let name = failure.or(refusal).or(state)?;
    Some(format!("its field '{name}' speaks against it"))
}

/// Whether a field for failures says that there is none.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            matches!(text.as_str(), "" | "0" | "00" | "000" | "none" | "ok" | "success" | "false" | "no error")
        }
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn is_no(value: &Value) -> bool {
    match value {
        Value::Bool(said) => !said,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.trim().to_ascii_lowercase().as_str(), "false" | "no" | "0" | "n"),
        _ => false,
    }
}

/// Whether a state is neither a failure nor unfinished. A number that is no HTTP status is the target's own.
fn is_good_state(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.as_u64().is_some_and(is_failed_status),
        Value::String(text) => {
            let word = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
            let is_failed_number = word.parse().is_ok_and(is_failed_status);
            !is_failed_number && !FAILED.contains(&word.as_str()) && !UNFINISHED.contains(&word.as_str())
        }
        _ => true,
    }
}

fn is_failed_status(number: u64) -> bool {
    (300..=599).contains(&number)
}

/// Whether an item of a multi-status has a status of success.
fn has_confirmed_item(body: &Value) -> bool {
    let is_confirmed = |value: &Value| match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| (200..=299).contains(&number)),
        Value::String(text) => text.parse::<u64>().is_ok_and(|number| (200..=299).contains(&number)),
        _ => false,
    };
    match body {
        Value::Array(items) => items.iter().any(has_confirmed_item),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            (STATE_FIELDS.contains(&name.as_str()) && is_confirmed(value)) || has_confirmed_item(value)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http::HeaderMap;
    use serde_json::json;

    use super::*;
    use crate::retry_after::PauseLimit;

    fn answer(status: u16, text: &str) -> TargetResponse {
        TargetResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            headers: HeaderMap::new(),
            body: serde_json::from_str(text).ok(),
            text: text.to_owned(),
            pauses: Arc::new(PauseLimit { target: "crm".to_owned(), longest: Duration::ZERO }),
        }
    }

    fn by_default() -> Recognition {
        Recognition { success: None, empty_success: false }
    }

    #[test]
    fn a_json_object_without_a_sign_of_a_failure_is_a_success() {
        for body in [
            json!({}),
            json!({"id": 7}),
            json!({"status": "done"}),
            json!({"status": "active", "error": null, "errors": []}),
            json!({"success": true, "errorCode": 0}),
            json!({"error_code": "00", "result": "OK"}),
            json!({"status": 200}),
            json!({"status": 1}),
            json!({"customer": {"status": "rejected", "error": "of the customer's own"}}),
            json!({"results": [{"status": 201}, {"status": 200}]}),
        ] {
            assert_eq!(by_default().check(&answer(200, &body.to_string())), Ok(()), "{body}");
        }
        let items = json!({"results": [{"status": 201}, {"status": "200"}]});
        assert_eq!(by_default().check(&answer(207, &items.to_string())), Ok(()));
    }

    #[test]
    fn a_body_that_speaks_of_a_failure_or_is_not_an_object_confirms_nothing_and_says_what_came() {
        for body in [
            json!({"error": "no such account"}),
            json!({"errors": [{"code": 7}]}),
            json!({"success": false}),
            json!({"ok": "false"}),
            json!({"status": "FAILED"}),
            json!({"status": "error", "message": "x"}),
            json!({"status": "pending"}),
            json!({"status": "In Progress"}),
            json!({"statusCode": 500}),
            json!({"status": "404"}),
            json!({"results": [{"status": 200}, {"status": 409, "id": 2}]}),
            json!({"response": {"result": {"error": "x"}}}),
            json!({"data": [{"ok": true}, {"ok": false}]}),
            json!({"errorCode": "E77"}),
            json!([]),
            json!("OK"),
            json!(null),
            json!(true),
        ] {
            let said = by_default().check(&answer(200, &body.to_string())).unwrap_err();
            assert!(said.contains("does not confirm"), "{body}: {said}");
        }
        let page = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>";
        let said = by_default().check(&answer(200, page)).unwrap_err();
        assert!(said.contains("a web page with the title 'Sign in'"), "{said}");
        assert!(by_default().check(&answer(200, "OK")).unwrap_err().contains("text that is not JSON: 'OK'"));
        assert!(by_default().check(&answer(207, &json!({"results": [{"id": 1}]}).to_string())).is_err());
    }

    #[test]
    fn an_empty_body_is_a_success_only_where_the_status_or_the_settings_say_so() {
        let lenient = Recognition { success: None, empty_success: true };
        assert_eq!(by_default().check(&answer(204, "")), Ok(()));
        for status in [200, 201] {
            assert!(by_default().check(&answer(status, "")).unwrap_err().contains("an empty body"));
            assert_eq!(lenient.check(&answer(status, " ")), Ok(()));
        }
    }

    #[test]
    fn the_settings_condition_decides_alone() {
        let with = |setting: Value| {
            let success = Some(Success::read(&setting).unwrap());
            Recognition { success, empty_success: false }
        };
        let ok = with(json!({"body": {"pointer": "/result", "equals": "OK"}}));
        assert_eq!(ok.check(&answer(200, "{\"result\":\"OK\",\"error\":\"odd\"}")), Ok(()));
        assert!(ok.check(&answer(200, "{\"result\":\"NOK\"}")).unwrap_err().contains("'success'"));
        assert!(ok.check(&answer(200, "")).is_err());
        let text = with(json!({"status": 200, "text": "^OK"}));
        assert_eq!(text.check(&answer(200, "OK 17")), Ok(()));
        assert!(text.check(&answer(201, "OK 17")).is_err());
        assert!(Success::read(&json!({"boddy": {}})).is_err());
        assert!(Success::read(&json!({"body": {"pointer": "result", "equals": 1}})).is_err());
    }
}
