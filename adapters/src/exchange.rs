//! One HTTP exchange with a target, and what is known if it fails.
//!
//! The important question is whether a request may have reached the target. Only two failures exclude it: the request could not be
//! built, or no connection could be made. All others (a time-out, a connection that breaks before or during the answer, an answer that
//! is too long) leave it open.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_domain::outcome::Outcome;
use interlock_domain::trace_parent::TRACE_PARENT_ATTRIBUTE;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::Instrument;
use url::Url;

use crate::error::RegistryError;
use crate::redaction::Redaction;
use crate::secret::Secret;
use crate::settings::{Authentication, TargetSettings};
use crate::trace_context;

/// The longest answer that is read, in bytes. A page of PyHSS's operation log is much shorter.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Makes ring the TLS cryptography of the process. Call this before an HTTP client is built. Repeated calls do no harm.
pub fn install_crypto_provider() {
    // An error means that a provider is already installed, which is all that is needed.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// A request to a target.
pub(crate) struct Request<'a> {
    /// The HTTP method.
    pub(crate) method: Method,
    /// The path below the base URL, one item for each segment, not encoded. An empty last segment makes a trailing slash.
    pub(crate) path: &'a [&'a str],
    /// The query.
    pub(crate) query: &'a [(&'a str, String)],
    /// Headers, in addition to those for authentication and content.
    pub(crate) headers: &'a [(HeaderName, String)],
    /// The JSON body.
    pub(crate) body: Option<&'a Value>,
    /// The time limit, up to the last byte of the answer.
    pub(crate) timeout: Duration,
}

/// A target's response to a request.
#[derive(Debug)]
pub(crate) struct TargetResponse {
    /// The status.
    pub(crate) status: StatusCode,
    /// The pause that it asks for.
    pub(crate) retry_after: Option<Duration>,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, if it is JSON.
    pub(crate) body: Option<Value>,
    /// The raw body.
    pub(crate) raw: Vec<u8>,
}

/// What a request may have in addition to [`Request`].
#[derive(Default)]
pub(crate) struct Extras<'a> {
    /// Headers for authentication, if they differ from request to request.
    pub(crate) proof: HeaderMap,
    /// The fields of a form, instead of a JSON body.
    pub(crate) form: Option<&'a [(String, String)]>,
    /// The secret values in the form.
    pub(crate) secrets: &'a [SecretString],
}

/// The certificates of a connection.
#[derive(Default)]
pub(crate) struct Tls {
    /// The certificate and key that Interlock presents.
    pub(crate) identity: Option<reqwest::Identity>,
    /// The authorities that a target's certificate is checked against, instead of the system's.
    pub(crate) authorities: Vec<reqwest::Certificate>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request certainly did not reach the target.
    NotSent(String),
    /// The request may have reached the target.
    MaybeSent(String),
    /// The target answered, but the answer is too long to read.
    AnswerTooLong(String),
}

/// The HTTP side of one target.
pub(crate) struct Exchange {
    client: reqwest::Client,
    base_url: Url,
    /// The headers of every request.
    headers: HeaderMap,
}

impl Exchange {
    /// Prepares the exchange with a target. It opens no connection yet.
    pub(crate) fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        let headers = authentication_headers(target, &settings.auth)?;
        Self::open(target, settings.address(target)?.clone(), settings.connect_timeout, headers, Tls::default())
    }

    /// Like [`Self::new`], with headers for every request and with certificates.
    pub(crate) fn open(
        target: &TargetId,
        base_url: Url,
        connect_timeout: Duration,
        headers: HeaderMap,
        tls: Tls,
    ) -> Result<Self, RegistryError> {
        if !matches!(base_url.scheme(), "http" | "https") || base_url.cannot_be_a_base() {
            return Err(RegistryError::BaseUrl { target: target.clone(), base_url: base_url.to_string() });
        }
        install_crypto_provider();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers.clone())
            .connect_timeout(connect_timeout)
            // A write that the HTTP client repeats, or follows elsewhere, is a second write.
            .redirect(Policy::none())
            // A proxy from the environment would answer in place of the target, and hide whether a request was sent.
            .no_proxy()
            .retry(reqwest::retry::never());
        if let Some(identity) = tls.identity {
            builder = builder.identity(identity);
        }
        if !tls.authorities.is_empty() {
            builder = builder.tls_certs_only(tls.authorities);
        }
        let client = builder
            .build()
            .map_err(|error| RegistryError::Client { target: target.clone(), detail: describe(error) })?;
        Ok(Self { client, base_url, headers })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<TargetResponse, Failure> {
        self.send_with(request, Extras::default()).await
    }

    /// Like [`Self::send`], with extras.
    pub(crate) async fn send_with(&self, request: Request<'_>, extras: Extras<'_>) -> Result<TargetResponse, Failure> {
        // The URL is not a field, since its path names subscribers. The span has the level `ERROR`, so it exists at every log level.
        let span = tracing::error_span!(
            "request",
            otel.kind = "client",
            http.request.method = %request.method,
            server.address = self.base_url.host_str(),
            server.port = self.base_url.port_or_known_default(),
            http.response.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
        );
        let answered = self.exchange(request, extras).instrument(span.clone()).await;
        match &answered {
            Ok(answer) => span.record("http.response.status_code", answer.status.as_u16()),
            Err(failure) => span.record("error.type", failure.kind()),
        };
        answered
    }

    /// Runs within the span of the request, since the target is told about this span. The answer no longer contains the request's
    /// credentials, should the target echo them.
    async fn exchange(&self, request: Request<'_>, extras: Extras<'_>) -> Result<TargetResponse, Failure> {
        let mut url = self.url(request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let mut builder = self.client.request(request.method, url).timeout(request.timeout);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(trace_parent) = trace_context::outgoing() {
            builder = builder.header(TRACE_PARENT_ATTRIBUTE, trace_parent.to_string());
        }
        let redaction = Redaction::new([&self.headers, &extras.proof], extras.secrets);
        builder = builder.headers(extras.proof);
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Some(fields) = extras.form {
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let mut response = builder.send().await.map_err(Failure::from)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| read_retry_after(value, SystemTime::now()));
        let mut bytes = Vec::new();
        // The connection was made and the answer was cut, so the request has reached the target.
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::MaybeSent(describe(error)))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Failure::AnswerTooLong(format!("the response exceeds {ANSWER_BYTES_MAX} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = serde_json::from_slice(&bytes).ok().map(|body| redaction.json(body));
        Ok(TargetResponse {
            status,
            retry_after,
            headers: redaction.headers(headers),
            body,
            raw: redaction.bytes(bytes),
        })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let not_sent = error.is_connect() || error.is_builder();
        let detail = describe(error);
        if not_sent { Self::NotSent(detail) } else { Self::MaybeSent(detail) }
    }
}

impl Failure {
    /// The kind of failure, in a word.
    fn kind(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_sent",
            Self::MaybeSent(_) => "maybe_sent",
            Self::AnswerTooLong(_) => "answer_too_long",
        }
    }

    /// The failure, in a sentence.
    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::NotSent(detail) | Self::MaybeSent(detail) | Self::AnswerTooLong(detail) => detail,
        }
    }

    /// The outcome if the request was a write.
    pub(crate) fn of_write(self) -> Outcome {
        match self {
            Self::NotSent(detail) => Outcome::unavailable(detail),
            Self::MaybeSent(detail) | Self::AnswerTooLong(detail) => Outcome::Ambiguous { detail },
        }
    }

    /// The outcome if the request was read-only: nothing was changed.
    pub(crate) fn of_read(self) -> Outcome {
        match self {
            Self::NotSent(detail) | Self::MaybeSent(detail) | Self::AnswerTooLong(detail) => {
                Outcome::unavailable(detail)
            }
        }
    }
}

impl TargetResponse {
    /// The pause that the target asks for, in milliseconds.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_millis().try_into().unwrap_or(u64::MAX))
    }

    /// The outcome that the status alone decides, the same for all targets and for writes and reads: the target is overloaded, is out
    /// of service, rejects the credentials, or has moved.
    pub(crate) fn outcome_of_refusal(&self) -> Option<Outcome> {
        let status = self.status.as_u16();
        match status {
            429 => Some(Outcome::Throttled {
                retry_after_ms: self.retry_after_ms(),
                detail: "the target throttles calls (429)".to_owned(),
            }),
            503 => Some(Outcome::Unavailable {
                retry_after_ms: self.retry_after_ms(),
                detail: "the target reports that it is unavailable (503)".to_owned(),
            }),
            408 | 425 => {
                Some(Outcome::Transient { detail: format!("the target could not handle the request ({status})") })
            }
            // Wrong credentials are a matter of the target, not of the order: holding orders would not help.
            401 => {
                Some(Outcome::unavailable("the target rejects Interlock's credentials (401): check the target's auth"))
            }
            // 303 is not in this list: after a write it means "done, look there".
            300..=302 | 304..=399 => Some(Outcome::Permanent {
                code: ErrorCode::Redirected.into(),
                detail: format!(
                    "the target responds with a redirect ({status}): set its base_url to the final address"
                ),
            }),
            _ => None,
        }
    }
}

/// The headers for authentication. Secrets that are in files or variables are read now.
pub(crate) fn authentication_headers(target: &TargetId, auth: &Authentication) -> Result<HeaderMap, RegistryError> {
    let unwritable = || RegistryError::Authentication { target: target.clone() };
    let header = |name: HeaderName, value: String| {
        let mut value = HeaderValue::try_from(value).map_err(|_| unwritable())?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(name, value)]))
    };
    let read = |secret: &Secret| {
        let read = secret.read().map(|text| text.expose_secret().to_owned());
        read.map_err(|missing| RegistryError::Secret { target: target.clone(), detail: missing.to_string() })
    };
    match auth {
        Authentication::None => Ok(HeaderMap::new()),
        Authentication::Bearer { token } => header(AUTHORIZATION, format!("Bearer {}", read(token)?)),
        Authentication::Basic { username, password } => {
            let pair = format!("{username}:{}", read(password)?);
            header(AUTHORIZATION, format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, pair)))
        }
        Authentication::Header { name, value } => {
            header(HeaderName::try_from(name).map_err(|_| unwritable())?, read(value)?)
        }
        Authentication::ProvisioningKey { key } => header(HeaderName::from_static("provisioning-key"), read(key)?),
    }
}

/// Parses `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
pub(crate) fn read_retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or(Duration::ZERO))
}

/// The whole chain of causes, without the URL, since its path names customers.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |text| read_retry_after(&HeaderValue::from_static(text), now);
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_path_is_encoded_below_the_base_url() {
        let settings = TargetSettings::new(crate::AdapterKind::Json, "http://crm/api/".parse().unwrap());
        let exchange = Exchange::new(&"crm".parse().unwrap(), &settings).unwrap();
        assert_eq!(exchange.url(&["a/b", "?x"]).as_str(), "http://crm/api/a%2Fb/%3Fx");
        assert_eq!(exchange.url(&["subscriber", ""]).as_str(), "http://crm/api/subscriber/");
    }
}
