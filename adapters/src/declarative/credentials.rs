//! How Interlock authenticates to a declarative target: `[auth]`.
//!
//! If a target answers 401 (or another status that the file names in `renew_on`), which it does before it changes anything, Interlock
//! reads the secrets again, fetches a new token or logs in again, and sends the request once more. Secrets are never printed: they are kept in [`SecretString`]s and in headers marked as sensitive.

use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use interlock_domain::outcome::Outcome;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::auth::{Auth, AuthKind, ClientAuth, Login, OAuth2, Session};

use crate::error::RegistryError;
use crate::exchange::{Exchange, Extras, Line, Request, Tls};
use crate::secret::SecretMissing;

/// A token is replaced this long before it expires, so that it is still valid when a request arrives.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);
/// How long a token without an expiry is used, unless a 401 comes earlier.
const LIFETIME_UNSAID: Duration = Duration::from_hours(1);

/// The credentials of one request.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) headers: HeaderMap,
    /// The number of credentials created so far. Newer credentials have another number.
    number: u64,
}

/// Creates credentials, and keeps the last ones.
pub(super) struct Credentials {
    auth: Auth,
    /// The connection to the token endpoint or the log-in, for OAuth2 and sessions.
    tokens: Option<Exchange>,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    proof: Option<Proof>,
    usable_until: Option<Instant>,
    made: u64,
}

impl Credentials {
    /// Reads the secrets, so that a missing one is reported at the start.
    pub(super) fn new(auth: Auth, line: &Line<'_>, tls: &Tls) -> Result<Self, RegistryError> {
        let target = line.target;
        let missing =
            |error: SecretMissing| RegistryError::Secret { target: target.clone(), detail: error.to_string() };
        let url = match &auth.kind {
            AuthKind::OAuth2(oauth2) => {
                oauth2.login().map_err(missing)?;
                Some(&oauth2.token_url)
            }
            AuthKind::Session(session) => {
                session.fields().map_err(missing)?;
                Some(&session.login_url)
            }
            fixed => {
                fixed_headers(fixed)
                    .map_err(missing)?
                    .ok_or_else(|| RegistryError::Authentication { target: target.clone() })?;
                None
            }
        };
        let tokens = match url {
            Some(text) => {
                let base_url = token_url(&line.base_url, text)
                    .ok_or_else(|| RegistryError::BaseUrl { target: target.clone(), base_url: text.clone() })?;
                Some(Exchange::open(line.to(base_url), HeaderMap::new(), tls)?)
            }
            None => None,
        };
        Ok(Self { auth, tokens, current: Mutex::new(Current::default()) })
    }

    /// Whether a response with this status asks for new credentials.
    pub(super) fn are_refused_by(&self, status: StatusCode) -> bool {
        self.auth.renew_on.contains(status.as_u16())
    }

    /// The credentials for a request that must end before `deadline`.
    ///
    /// # Errors
    /// [`Outcome::Unavailable`] if no credentials are available now. Nothing was sent to the target.
    pub(super) async fn proof(&self, deadline: Instant) -> Result<Proof, Outcome> {
        let mut current = self.current.lock().await;
        let is_usable = current.usable_until.is_none_or(|until| Instant::now() < until);
        match &current.proof {
            Some(proof) if is_usable => Ok(proof.clone()),
            _ => self.make(&mut current, deadline).await,
        }
    }

    /// Gets new credentials after the target rejected these. `None` if there are no others.
    ///
    /// # Errors
    /// As [`Self::proof`].
    pub(super) async fn renewed(&self, refused: &Proof, deadline: Instant) -> Result<Option<Proof>, Outcome> {
        let mut current = self.current.lock().await;
        // Another request may have renewed them meanwhile.
        if let Some(proof) = current.proof.as_ref().filter(|proof| proof.number > refused.number) {
            return Ok(Some(proof.clone()));
        }
        let proof = self.make(&mut current, deadline).await?;
        Ok((proof.headers != refused.headers).then_some(proof))
    }

    async fn make(&self, current: &mut Current, deadline: Instant) -> Result<Proof, Outcome> {
        // In any case, the old credentials are not used again.
        current.proof = None;
        let (headers, lifetime) = match (&self.auth.kind, &self.tokens) {
            (AuthKind::OAuth2(oauth2), Some(tokens)) => {
                fetch_token(oauth2, tokens, deadline).await.map_err(unavailable)?
            }
            (AuthKind::Session(session), Some(logins)) => {
                log_in(session, logins, deadline).await.map_err(unavailable)?
            }
            (fixed, _) => {
                let headers = fixed_headers(fixed).map_err(|error| unavailable(error.to_string()))?;
                (
                    headers.ok_or_else(|| {
                        unavailable("a secret contains characters that an HTTP header cannot carry".to_owned())
                    })?,
                    None,
                )
            }
        };
        current.made += 1;
        let proof = Proof { headers, number: current.made };
        current.usable_until = lifetime.map(|lifetime| Instant::now() + lifetime);
        current.proof = Some(proof.clone());
        Ok(proof)
    }
}

fn unavailable(detail: String) -> Outcome {
    Outcome::unavailable(detail)
}

/// An absolute URL, or a path below the base URL.
fn token_url(base_url: &Url, text: &str) -> Option<Url> {
    if text.contains("://") {
        return Url::parse(text).ok();
    }
    let mut url = base_url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(text.trim_start_matches('/').split('/'));
    Some(url)
}

/// The headers of all methods that need no log-in. `None` if a secret has characters that a header cannot contain.
fn fixed_headers(auth: &AuthKind) -> Result<Option<HeaderMap>, SecretMissing> {
    Ok(match auth {
        AuthKind::None | AuthKind::OAuth2(_) | AuthKind::Session(_) => Some(HeaderMap::new()),
        AuthKind::Given(headers) => Some(headers.clone()),
        AuthKind::Basic { username, password } => {
            sensitive(AUTHORIZATION, basic(&username.resolve()?, &password.resolve()?).expose_secret())
        }
        AuthKind::Bearer { token } => {
            let value = SecretString::from(format!("Bearer {}", token.resolve()?.expose_secret()));
            sensitive(AUTHORIZATION, value.expose_secret())
        }
        AuthKind::Header { name, value } => sensitive(name.clone(), value.resolve()?.expose_secret()),
    })
}

fn sensitive(name: HeaderName, text: &str) -> Option<HeaderMap> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(HeaderMap::from_iter([(name, value)]))
}

fn basic(username: &SecretString, password: &SecretString) -> SecretString {
    let pair = SecretString::from(format!("{}:{}", username.expose_secret(), password.expose_secret()));
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, pair.expose_secret());
    format!("Basic {encoded}").into()
}

/// Requests a token (RFC 6749, 4.4). Returns it with the time for which it may be used.
async fn fetch_token(
    oauth2: &OAuth2,
    tokens: &Exchange,
    deadline: Instant,
) -> Result<(HeaderMap, Option<Duration>), String> {
    let Login { client_id, client_secret } = oauth2.login().map_err(|error| error.to_string())?;
    let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    form.extend(oauth2.scope.iter().map(|scope| ("scope".to_owned(), scope.clone())));
    form.extend(oauth2.audience.iter().map(|audience| ("audience".to_owned(), audience.clone())));
    let mut proof = HeaderMap::new();
    match oauth2.client_auth {
        ClientAuth::Basic => {
            // RFC 6749, 2.3.1: both are form-encoded before they are joined.
            let (id, secret) = (form_encoded(&client_id), form_encoded(&client_secret));
            proof = sensitive(AUTHORIZATION, basic(&id, &secret).expose_secret()).ok_or_else(|| {
                "the client's id or secret contains characters that an HTTP header cannot carry".to_owned()
            })?;
        }
        ClientAuth::Post => {
            form.push(("client_id".to_owned(), client_id.expose_secret().to_owned()));
            form.push(("client_secret".to_owned(), client_secret.expose_secret().to_owned()));
        }
    }
    let timeout = deadline.saturating_duration_since(Instant::now());
    let request = Request { method: Method::POST, path: &[], query: &[], headers: &[], body: None, timeout };
    let answer = tokens
        .send_with(
            request,
            Extras { proof, form: Some(&form), secrets: std::slice::from_ref(&client_secret), ..Extras::default() },
        )
        .await
        .map_err(|failure| format!("the token endpoint cannot be reached: {}", failure.detail()))?;
    let field = |name: &str| answer.body.as_ref().and_then(|body| body.get(name));
    let Some(token) = field("access_token").and_then(Value::as_str).filter(|_| answer.status.is_success()) else {
        let error = field("error").and_then(Value::as_str).unwrap_or("its response has no access_token");
        let error: String = error.chars().filter(|sign| sign.is_ascii_graphic() || *sign == ' ').take(64).collect();
        return Err(format!(
            "the token endpoint responded with status {} ({error}): check [auth]",
            answer.status.as_u16()
        ));
    };
    let value = SecretString::from(format!("Bearer {token}"));
    let headers = sensitive(AUTHORIZATION, value.expose_secret())
        .ok_or_else(|| "the token contains characters that an HTTP header cannot carry".to_owned())?;
    Ok((headers, Some(usable_for(field("expires_in").and_then(seconds)))))
}

/// A number of seconds, also as text: some servers quote it.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    Duration::try_from_secs_f64(number).ok()
}

/// How long a token is used that is valid for this long. One that expires sooner than the margin is used for half of its lifetime.
fn usable_for(valid: Option<Duration>) -> Duration {
    valid.map_or(LIFETIME_UNSAID, |valid| valid.checked_sub(EXPIRY_MARGIN).unwrap_or(valid / 2).max(valid / 2))
}

/// Logs in by a JSON request. Returns the header for further requests, with the time for which it may be used.
async fn log_in(
    session: &Session,
    logins: &Exchange,
    deadline: Instant,
) -> Result<(HeaderMap, Option<Duration>), String> {
    let fields = session.fields().map_err(|error| error.to_string())?;
    let exposed = fields.iter().map(|(name, value)| (name.clone(), Value::from(value.expose_secret())));
    let body = Value::Object(exposed.collect());
    let secrets: Vec<SecretString> = session.secrets().map_err(|error| error.to_string())?;
    let timeout = deadline.saturating_duration_since(Instant::now());
    let request = Request { method: Method::POST, path: &[], query: &[], headers: &[], body: Some(&body), timeout };
    let answer = logins
        .send_with(request, Extras { secrets: &secrets, ..Extras::default() })
        .await
        .map_err(|failure| format!("the log-in cannot be reached: {}", failure.detail()))?;
    let found = answer.body.as_ref().and_then(|body| session.token.first(body)).and_then(Value::as_str);
    let Some(token) = found.filter(|token| answer.status.is_success() && !token.is_empty()) else {
        return Err(format!("the log-in responded with status {} and no token: check [auth]", answer.status.as_u16()));
    };
    let value = match &session.scheme {
        Some(scheme) => SecretString::from(format!("{scheme} {token}")),
        None => SecretString::from(token.to_owned()),
    };
    let headers = sensitive(session.header.clone(), value.expose_secret())
        .ok_or_else(|| "the token contains characters that an HTTP header cannot carry".to_owned())?;
    let valid = session.expires_in.as_ref().and_then(|pointer| seconds(pointer.first(answer.body.as_ref()?)?));
    Ok((headers, Some(usable_for(valid))))
}

fn form_encoded(secret: &SecretString) -> SecretString {
    url::form_urlencoded::byte_serialize(secret.expose_secret().as_bytes()).collect::<String>().into()
}
