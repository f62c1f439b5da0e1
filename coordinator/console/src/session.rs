//! Sessions: the browser keeps the token, sealed, in a cookie. So any gateway process with the same tokens serves any page, and a gateway
//! keeps nothing.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

/// How long a session lasts: a shift.
pub(crate) const SESSION: Duration = Duration::from_hours(8);
/// The name of the cookie.
const COOKIE: &str = "interlock_session";
/// The longest cookie that is looked at, in bytes.
const COOKIE_BYTES_MAX: usize = 4_096;

/// A session.
pub(crate) struct Session {
    /// The token; none if the gateway has no tokens.
    pub(crate) token: Option<SecretString>,
    /// The token of its forms: a page of another origin cannot know it.
    pub(crate) form_token: String,
}

/// Seals and opens sessions.
pub(crate) struct Sessions {
    key: LessSafeKey,
    forms: hmac::Key,
    random: SystemRandom,
    tls: bool,
}

impl Sessions {
    /// With keys that come from this secret. With `tls`, browsers send the cookie by TLS only.
    ///
    /// # Panics
    /// Never: the key has the length that the algorithm wants.
    pub(crate) fn new(secret: &[u8; 32], tls: bool) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"interlock console session");
        let Ok(key) = UnboundKey::new(&AES_256_GCM, derived.as_ref()) else { unreachable!("a key of 32 bytes") };
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"interlock console forms");
        let forms = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Self { key: LessSafeKey::new(key), forms, random: SystemRandom::new(), tls }
    }

    /// The value of `Set-Cookie` that begins a session. `None` if the token is too long for a cookie, or the system has no random numbers.
    pub(crate) fn begin(&self, token: &SecretString) -> Option<HeaderValue> {
        let ends = Utc::now().timestamp().checked_add(i64::try_from(SESSION.as_secs()).ok()?)?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut sealed = [&ends.to_be_bytes(), token.expose_secret().as_bytes()].concat();
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(COOKIE), &mut sealed).ok()?;
        let value = BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        if value.len() > COOKIE_BYTES_MAX {
            return None;
        }
        self.cookie(&value, SESSION)
    }

    /// The value of `Set-Cookie` that ends a session.
    pub(crate) fn end(&self) -> Option<HeaderValue> {
        self.cookie("", Duration::ZERO)
    }

    fn cookie(&self, value: &str, lasts: Duration) -> Option<HeaderValue> {
        let secure = if self.tls { "; Secure" } else { "" };
        let seconds = lasts.as_secs();
        let text = format!("{COOKIE}={value}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::try_from(text).ok()
    }

    /// The token of a request's session. `None` if there is none, if it was not sealed here, or if it has ended.
    pub(crate) fn token(&self, headers: &HeaderMap) -> Option<SecretString> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == COOKIE).find_map(|(_, value)| self.open(value))
    }

    fn open(&self, value: &str) -> Option<SecretString> {
        if value.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.key.open_in_place(nonce, Aad::from(COOKIE), sealed).ok()?;
        let (ends, token) = opened.split_first_chunk()?;
        if i64::from_be_bytes(*ends) <= Utc::now().timestamp() {
            return None;
        }
        Some(SecretString::from(std::str::from_utf8(token).ok()?))
    }

    /// The token of the forms of a session.
    pub(crate) fn form_token(&self, token: Option<&SecretString>) -> String {
        let token = token.map(ExposeSecret::expose_secret).unwrap_or_default();
        hex::encode(hmac::sign(&self.forms, token.as_bytes()))
    }

    /// Whether a form has the token of its session.
    pub(crate) fn is_of(&self, session: Option<&SecretString>, form_token: &str) -> bool {
        let Ok(mac) = hex::decode(form_token) else { return false };
        let session = session.map(ExposeSecret::expose_secret).unwrap_or_default();
        hmac::verify(&self.forms, session.as_bytes(), &mac).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        [(header::COOKIE, cookie.parse().unwrap())].into_iter().collect()
    }

    fn begun(sessions: &Sessions, token: &str) -> String {
        let cookie = sessions.begin(&SecretString::from(token)).unwrap();
        cookie.to_str().unwrap().to_owned()
    }

    fn opened(sessions: &Sessions, cookie: &str) -> Option<String> {
        sessions.token(&with(cookie)).map(|token| token.expose_secret().to_owned())
    }

    #[test]
    fn a_session_is_opened_by_every_gateway_with_the_same_tokens_and_no_other() {
        let sessions = Sessions::new(&[1; 32], false);
        let cookie = begun(&sessions, "a token");
        let pair = cookie.split(';').next().unwrap().to_owned();
        assert!(!cookie.contains("a token") && cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(begun(&Sessions::new(&[1; 32], true), "x").ends_with("; Secure"));
        assert_eq!(opened(&Sessions::new(&[1; 32], true), &format!("a=b; {pair}")), Some("a token".to_owned()));
        assert_eq!(opened(&Sessions::new(&[2; 32], false), &pair), None);
        let mut forged = pair.into_bytes();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(opened(&sessions, &String::from_utf8(forged).unwrap()), None);
        for none in ["", "interlock_session=", "interlock_session=AAAA", "other=x"] {
            assert_eq!(opened(&sessions, none), None, "{none}");
        }
    }

    #[test]
    fn a_token_that_does_not_fit_into_a_cookie_begins_no_session() {
        let sessions = Sessions::new(&[1; 32], false);
        assert!(sessions.begin(&SecretString::from("x".repeat(2_900))).is_some());
        assert!(sessions.begin(&SecretString::from("x".repeat(3_100))).is_none());
    }

    #[test]
    fn a_form_belongs_to_one_session() {
        let sessions = Sessions::new(&[1; 32], false);
        let (ann, ben) = (SecretString::from("ann"), SecretString::from("ben"));
        let form = sessions.form_token(Some(&ann));
        assert!(sessions.is_of(Some(&ann), &form));
        assert!(
            !sessions.is_of(Some(&ben), &form) && !sessions.is_of(None, &form) && !sessions.is_of(Some(&ann), "00")
        );
    }
}
