//! Signed requests: HMAC-SHA256 of the body under a shared key, in a header.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use interlock_adapters::secret::SecretMissing;
use interlock_domain::error_code::ErrorCode;
use interlock_http_service::Problem;
use interlock_settings::EspfSignature;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// How requests are signed.
pub(super) struct SignatureRule {
    keys: Vec<SecretString>,
    /// None if the name in the settings is not one of a header: then no request is signed.
    header: Option<HeaderName>,
    prefix: String,
    covers_date: bool,
    date_within: TimeDelta,
}

impl SignatureRule {
    pub(super) fn new(settings: &EspfSignature) -> Result<Self, SecretMissing> {
        Ok(Self {
            keys: settings.keys.iter().map(interlock_adapters::Secret::read).collect::<Result<_, _>>()?,
            header: HeaderName::try_from(settings.header.as_str()).ok(),
            prefix: settings.prefix.clone(),
            covers_date: settings.covers_date,
            date_within: TimeDelta::from_std(settings.date_within).unwrap_or(TimeDelta::MAX),
        })
    }

    /// The text of the signature, if the call has one.
    fn text<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut values = headers.get_all(self.header.as_ref()?).iter();
        let (value, further) = (values.next()?, values.next());
        let text = value.to_str().ok().filter(|_| further.is_none())?;
        text.strip_prefix(&self.prefix).map(str::trim)
    }

    /// Whether the call is signed, rightly or not.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        self.text(headers).is_some()
    }

    /// Checks the signature of this body.
    ///
    /// # Errors
    /// 401 `signature_invalid` or `signature_expired`.
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Problem> {
        let refused = |code, detail: &str| Err(Problem::new(StatusCode::UNAUTHORIZED, code, detail));
        let date = headers.get(header::DATE).map(|value| value.to_str().unwrap_or_default());
        let signature = self.text(headers).and_then(decoded);
        let is_signed =
            signature.is_some_and(|signature| self.keys.iter().any(|key| self.is_by(key, &signature, date, body)));
        if !is_signed {
            return refused(ErrorCode::SignatureInvalid, "The signature does not match the body.");
        }
        // Only after the signature: a stranger learns nothing about the clock.
        match date.map(httpdate::parse_http_date) {
            None if self.covers_date => refused(ErrorCode::SignatureExpired, "The header 'Date' is missing."),
            Some(Err(_)) => refused(ErrorCode::SignatureExpired, "The header 'Date' is not a valid HTTP date."),
            Some(Ok(at)) if now.signed_duration_since(DateTime::<Utc>::from(at)).abs() > self.date_within => {
                refused(ErrorCode::SignatureExpired, "The header 'Date' is too far from the present time.")
            }
            None | Some(Ok(_)) => Ok(()),
        }
    }

    /// Whether the signature is by this key. The time that it takes reveals nothing about the right one.
    fn is_by(&self, key: &SecretString, signature: &[u8], date: Option<&str>, body: &[u8]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else { return false };
        if self.covers_date {
            mac.update(date.unwrap_or_default().as_bytes());
            mac.update(b"\n");
        }
        mac.update(body);
        mac.verify_slice(signature).is_ok()
    }
}

/// The bytes of a signature in hexadecimal or base64.
fn decoded(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok().or_else(|| BASE64_STANDARD.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &[u8] = b"{\"event_type\":\"DID/Updated\"}";

    fn rule(more: &serde_json::Value) -> SignatureRule {
        let mut settings = json!({"keys": ["old", "new"]});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        SignatureRule::new(&serde_json::from_value(settings).unwrap()).unwrap()
    }

    fn mac(key: &str, signed: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(signed);
        mac.finalize().into_bytes().to_vec()
    }

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn code(rule: &SignatureRule, pairs: &[(&'static str, String)]) -> Option<ErrorCode> {
        let now = DateTime::parse_from_rfc3339("2026-03-01T12:00:00Z").unwrap().with_timezone(&Utc);
        rule.check(&headers(pairs), BODY, now).err().map(|problem| problem.code)
    }

    #[test]
    fn any_of_the_keys_signs_in_hexadecimal_or_base64() {
        let rule = rule(&json!({}));
        for key in ["old", "new"] {
            assert_eq!(code(&rule, &[("x-signature", hex::encode(mac(key, BODY)))]), None);
            assert_eq!(code(&rule, &[("x-signature", BASE64_STANDARD.encode(mac(key, BODY)))]), None);
        }
        for wrong in
            [hex::encode(mac("other", BODY)), hex::encode(mac("new", b"other body")), String::new(), "zz".to_owned()]
        {
            assert_eq!(code(&rule, &[("x-signature", wrong)]), Some(ErrorCode::SignatureInvalid));
        }
        let twice = hex::encode(mac("new", BODY));
        let mut repeated = headers(&[("x-signature", twice.clone())]);
        repeated.append("x-signature", twice.parse().unwrap());
        assert!(!rule.is_in(&repeated), "two signatures are none");
    }

    #[test]
    fn a_signature_stands_where_the_settings_say() {
        let rule = rule(&json!({"header": "Authorization", "prefix": "Signature "}));
        let good = hex::encode(mac("new", BODY));
        assert_eq!(code(&rule, &[("authorization", format!("Signature {good}"))]), None);
        assert!(!rule.is_in(&headers(&[("authorization", format!("Bearer {good}"))])));
        assert!(!rule.is_in(&headers(&[("x-signature", good)])));
    }

    #[test]
    fn a_request_can_be_repeated_only_for_as_long_as_its_date_allows() {
        let (rule, dated) = (rule(&json!({})), rule(&json!({"covers_date": true, "date_within": "1m"})));
        let good = hex::encode(mac("new", BODY));
        let at = |date: &str| [("x-signature", good.clone()), ("date", date.to_owned())];
        assert_eq!(code(&rule, &at("Sun, 01 Mar 2026 11:55:00 GMT")), None);
        assert_eq!(code(&rule, &at("Sun, 01 Mar 2026 11:54:59 GMT")), Some(ErrorCode::SignatureExpired));
        assert_eq!(code(&rule, &at("Sun, 01 Mar 2026 12:05:01 GMT")), Some(ErrorCode::SignatureExpired));
        assert_eq!(code(&rule, &at("yesterday")), Some(ErrorCode::SignatureExpired));
        let signed = |date: &str| {
            let signed = [date.as_bytes(), b"\n", BODY].concat();
            [("x-signature", hex::encode(mac("new", &signed))), ("date", date.to_owned())]
        };
        assert_eq!(code(&dated, &signed("Sun, 01 Mar 2026 11:59:30 GMT")), None);
        assert_eq!(code(&dated, &signed("Sun, 01 Mar 2026 11:58:00 GMT")), Some(ErrorCode::SignatureExpired));
        let mut moved = signed("Sun, 01 Mar 2026 11:58:00 GMT");
        moved[1].1 = "Sun, 01 Mar 2026 12:00:00 GMT".to_owned();
        assert_eq!(code(&dated, &moved), Some(ErrorCode::SignatureInvalid), "the date is signed, too");
        let undated = hex::encode(mac("new", &[b"\n", BODY].concat()));
        assert_eq!(code(&dated, &[("x-signature", undated)]), Some(ErrorCode::SignatureExpired));
    }
}
