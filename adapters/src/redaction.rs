//! Removes the request's credentials from a target's answer, should the target echo them: answers are quoted in outcomes, which appear
//! in views, journals and histories.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The replacement for a credential.
const REDACTED: &str = "[redacted]";
/// The shortest secret that is searched for, in bytes. A shorter one looks like an ordinary word. It is found only if the answer echoes
/// the whole value of its header.
const SECRET_BYTES_MIN: usize = 6;

/// The credentials of one request, in every form in which an answer may repeat them, the longest first.
#[derive(Default)]
pub(crate) struct Redaction {
    forms: Vec<SecretString>,
}

impl Redaction {
    /// The credentials in these headers (those that are marked as sensitive), and these secrets.
    pub(crate) fn new<'a>(
        headers: impl IntoIterator<Item = &'a HeaderMap>,
        secrets: impl IntoIterator<Item = &'a SecretString>,
    ) -> Self {
        let mut redaction = Self::default();
        for value in headers.into_iter().flat_map(HeaderMap::values).filter(|value| value.is_sensitive()) {
            redaction.add_header(value);
        }
        for secret in secrets {
            redaction.add_secret(secret.expose_secret());
        }
        redaction.forms.sort_by_key(|form| std::cmp::Reverse(form.expose_secret().len()));
        redaction
    }

    fn add_header(&mut self, value: &HeaderValue) {
        let Ok(text) = value.to_str() else { return };
        self.add(text.to_owned());
        let Some((scheme, credentials)) = text.split_once(' ') else { return self.add_secret(text) };
        self.add_secret(credentials);
        if scheme.eq_ignore_ascii_case("basic")
            && let Some(pair) = BASE64_STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok())
            && let Some((_, password)) = pair.split_once(':')
        {
            self.add_secret(password);
        }
    }

    fn add_secret(&mut self, secret: &str) {
        if secret.len() < SECRET_BYTES_MIN {
            return;
        }
        self.add(secret.to_owned());
        self.add(BASE64_STANDARD.encode(secret));
        self.add(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        self.add(serde_json::json!(secret).to_string().trim_matches('"').to_owned());
    }

    fn add(&mut self, form: String) {
        if !form.is_empty() && !self.forms.iter().any(|known| known.expose_secret() == form) {
            self.forms.push(form.into());
        }
    }

    /// The text without the credentials.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.forms.iter().fold(Cow::Borrowed(text), |text, form| {
            let form = form.expose_secret();
            if text.contains(form) { Cow::Owned(text.replace(form, REDACTED)) } else { text }
        })
    }

    /// The JSON without the credentials, in names and in values.
    pub(crate) fn json(&self, value: Value) -> Value {
        if self.forms.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text).into_owned()),
            Value::Array(values) => values.into_iter().map(|value| self.json(value)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.text(&name).into_owned(), self.json(value))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// The headers without the credentials.
    pub(crate) fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        for value in headers.values_mut() {
            if let Some(redacted) = value.to_str().ok().and_then(|text| match self.text(text) {
                Cow::Owned(redacted) => HeaderValue::try_from(redacted).ok(),
                Cow::Borrowed(_) => None,
            }) {
                *value = redacted;
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, WARNING};
    use serde_json::json;

    use super::*;

    fn of(header: &str) -> Redaction {
        let mut value = HeaderValue::try_from(header).unwrap();
        value.set_sensitive(true);
        Redaction::new([&HeaderMap::from_iter([(AUTHORIZATION, value)])], [])
    }

    #[test]
    fn a_token_is_found_in_every_form_of_echo() {
        let redaction = of("Bearer tok/en \"17");
        for echo in [
            "no such token: tok/en \"17",
            "Authorization: Bearer tok/en \"17",
            "?token=tok%2Fen+%2217&x",
            r#"{"seen":"tok/en \"17"}"#,
            &BASE64_STANDARD.encode("tok/en \"17"),
        ] {
            let shown = redaction.text(echo);
            assert!(shown.contains(REDACTED) && !shown.contains("17"), "{echo}: {shown}");
        }
        assert_eq!(redaction.text("tok is fine"), "tok is fine");
    }

    #[test]
    fn the_password_of_a_pair_is_found_alone_and_encoded() {
        let redaction = of(&format!("Basic {}", BASE64_STANDARD.encode("interlock:op:en sesame")));
        assert_eq!(
            redaction.text("bad password 'op:en sesame' of interlock"),
            "bad password '[redacted]' of interlock"
        );
        let encoded = BASE64_STANDARD.encode("interlock:op:en sesame");
        assert_eq!(redaction.text(&format!("Basic {encoded}!")), "[redacted]!");
    }

    #[test]
    fn a_short_secret_is_found_only_as_a_whole_header() {
        let redaction = of("Bearer hss");
        assert_eq!(redaction.text("the hss refuses 'Bearer hss'"), "the hss refuses '[redacted]'");
    }

    #[test]
    fn every_part_of_an_answer_is_looked_at() {
        let redaction = of("Bearer open sesame");
        let body = json!({"errors": [{"open sesame": 1, "why": "bad: open sesame"}], "count": 2, "none": null});
        let shown = json!({"errors": [{"[redacted]": 1, "why": "bad: [redacted]"}], "count": 2, "none": null});
        assert_eq!(redaction.json(body.clone()), shown);
        assert_eq!(redaction.text(&body.to_string()), shown.to_string());
        let headers = HeaderMap::from_iter([(WARNING, HeaderValue::from_static("saw open sesame"))]);
        assert_eq!(redaction.headers(headers)[WARNING], "saw [redacted]");
        assert_eq!(Redaction::default().json(body.clone()), body);
    }
}
