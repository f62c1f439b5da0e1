//! How Interlock authenticates to a declarative target: `[auth]`.
//!
//! If a target answers 401, which it does before it changes anything, Interlock reads the secrets again, fetches a new token, and sends
//! the request once more. Secrets are never printed: they are kept in [`SecretString`]s and in headers marked as sensitive.

use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use interlock_domain::ids::TargetId;
use interlock_domain::outcome::Outcome;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::auth::{Auth, ClientAuth, Login, OAuth2};

use crate::error::RegistryError;
use crate::exchange::{Exchange, Extras, Request, Tls};
use crate::secret::SecretMissing;

/// How long before its expiry a token is no longer used, so that a request in flight still arrives in time.
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
    /// The connection to the token endpoint, for OAuth2.
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
    pub(super) fn new(
        target: &TargetId,
        auth: Auth,
        base_url: &Url,
        connect_timeout: Duration,
        tls: Tls,
    ) -> Result<Self, RegistryError> {
        let missing =
            |error: SecretMissing| RegistryError::Secret { target: target.clone(), detail: error.to_string() };
        let tokens = match &auth {
            Auth::OAuth2(oauth2) => {
                oauth2.client_id.resolve().map_err(missing)?;
                oauth2.client_secret.resolve().map_err(missing)?;
                let url = token_url(base_url, &oauth2.token_url).ok_or_else(|| RegistryError::BaseUrl {
                    target: target.clone(),
                    base_url: oauth2.token_url.clone(),
                })?;
                Some(Exchange::open(target, url, connect_timeout, HeaderMap::new(), tls)?)
            }
            fixed => {
                fixed_headers(fixed)
                    .map_err(missing)?
                    .ok_or_else(|| RegistryError::Authentication { target: target.clone() })?;
                None
            }
        };
        Ok(Self { auth, tokens, current: Mutex::new(Current::default()) })
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

    /// New credentials after these were rejected. `None` if there are no others.
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
        let (headers, lifetime) = match (&self.auth, &self.tokens) {
            (Auth::OAuth2(oauth2), Some(tokens)) => fetch_token(oauth2, tokens, deadline).await.map_err(unavailable)?,
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

/// The headers of all methods except OAuth2. `None` if a secret has characters that a header cannot contain.
fn fixed_headers(auth: &Auth) -> Result<Option<HeaderMap>, SecretMissing> {
    Ok(match auth {
        Auth::None | Auth::OAuth2(_) => Some(HeaderMap::new()),
        Auth::Given(headers) => Some(headers.clone()),
        Auth::Basic { username, password } => {
            sensitive(AUTHORIZATION, basic(&username.resolve()?, &password.resolve()?).expose_secret())
        }
        Auth::Bearer { token } => {
            let value = SecretString::from(format!("Bearer {}", token.resolve()?.expose_secret()));
            sensitive(AUTHORIZATION, value.expose_secret())
        }
        Auth::Header { name, value } => sensitive(name.clone(), value.resolve()?.expose_secret()),
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
        .send_with(request, Extras { proof, form: Some(&form), secrets: std::slice::from_ref(&client_secret) })
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
    let said = field("expires_in").and_then(Value::as_u64).map(Duration::from_secs);
    // A token that expires sooner than this margin is used for half of its lifetime.
    let lifetime =
        said.map_or(LIFETIME_UNSAID, |said| said.checked_sub(EXPIRY_MARGIN).unwrap_or(said / 2).max(said / 2));
    Ok((headers, Some(lifetime)))
}

fn form_encoded(secret: &SecretString) -> SecretString {
    url::form_urlencoded::byte_serialize(secret.expose_secret().as_bytes()).collect::<String>().into()
}
