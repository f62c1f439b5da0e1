//! What a person sent with a form.

use axum::http::HeaderMap;
use interlock_domain::error_code::ErrorCode;
use interlock_http_service::{UnreadBody, check_media_type};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::Parts;
use crate::api::ApiProblem;
use crate::origin;

/// The longest form, in bytes.
const FORM_BYTES_MAX: usize = 256 * 1024;
/// Where the names of an event's fields begin in a form.
pub(crate) const FIELD: &str = "field.";

/// The fields of a form.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// [`ApiProblem`] if it is none, is too long, or cannot be from one of our pages.
    pub(crate) async fn read(headers: &HeaderMap, body: UnreadBody) -> Result<Self, ApiProblem> {
        if !origin::is_own(headers) {
            return Err(refused(403, ErrorCode::OriginForbidden, "The form was not sent by a page of this console."));
        }
        check_media_type(headers, |media_type| media_type == "application/x-www-form-urlencoded")
            .map_err(|problem| refused(problem.status, problem.code, &problem.detail))?;
        let body = body.read(FORM_BYTES_MAX).await;
        let body = body
            .map_err(|error| refused(400, ErrorCode::BodyUnreadable, &format!("The form cannot be read: {error}.")))?;
        let fields = url::form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned()));
        Ok(Self(fields.collect()))
    }

    /// The value of a field, without spaces around it; empty if it is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(of, _)| of == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// All fields, as they were sent.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks that it was made for this session.
    ///
    /// # Errors
    /// [`ApiProblem`] 403 `bad_action`.
    pub(crate) fn check(&self, console: &Parts, session: Option<&SecretString>) -> Result<(), ApiProblem> {
        if console.sessions.is_of(session, self.get("form_token")) {
            return Ok(());
        }
        Err(refused(403, ErrorCode::BadAction, "The form belongs to another session. Load the page again."))
    }

    /// The body of an action: its id, its name, its reason, and its ticket if it has one.
    pub(crate) fn action(&self) -> Map<String, Value> {
        let ticket = Some("ticket").filter(|name| !self.get(name).is_empty());
        let words = ["action_id", "action", "reason"].into_iter().chain(ticket);
        words.map(|name| (name.to_owned(), json!(self.get(name)))).collect()
    }

    /// The fields of an event that the person filled in, each as its schema says: text, number, truth value or JSON.
    ///
    /// # Errors
    /// [`ApiProblem`] 400 `bad_action` if a number or JSON is none.
    pub(crate) fn event_fields(&self) -> Result<Map<String, Value>, ApiProblem> {
        let mut data = Map::new();
        for (name, value) in &self.0 {
            let Some(field) = name.strip_prefix(FIELD).filter(|_| !value.trim().is_empty()) else { continue };
            let value = value.trim();
            let is_text = self.get(&format!("type.{field}")) == "string";
            let read = if is_text { Ok(json!(value)) } else { serde_json::from_str(value) };
            let read = read.map_err(|_| {
                let detail = format!("'{field}' is no text: give it as JSON, such as 5, true or {{\"a\": 1}}.");
                refused(400, ErrorCode::BadAction, &detail)
            })?;
            data.insert(field.to_owned(), read);
        }
        Ok(data)
    }
}

/// A problem of the console's own.
pub(crate) fn refused(status: u16, code: ErrorCode, detail: &str) -> ApiProblem {
    ApiProblem { status, code: code.as_str().to_owned(), detail: detail.to_owned(), next: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_fields_of_an_event_keep_their_types_and_empty_ones_are_left_out() {
        let filled = form(&[
            ("field.msisdn", " 491701 "),
            ("type.msisdn", "string"),
            ("field.count", "5"),
            ("type.count", "integer"),
            ("field.note", ""),
            ("reason", "typo"),
        ]);
        assert_eq!(Value::from(filled.event_fields().unwrap()), json!({"msisdn": "491701", "count": 5}));
        assert_eq!(form(&[("field.count", "five")]).event_fields().unwrap_err().code, "bad_action");
    }
}
