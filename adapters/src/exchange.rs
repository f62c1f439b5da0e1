//! One HTTP exchange with a target, and what is known if it fails.
//!
//! The important question is whether a request may have reached the target. Only two failures exclude it: the request could not be
//! built, or no connection could be made. All others (a time-out, a connection that breaks before or during the answer, an answer that
//! is too long) leave it open.

mod failure;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
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

use crate::address_rule::AddressRule;
use crate::content::{self, Coding, NotDecoded};
use crate::error::RegistryError;
use crate::redaction::Redaction;
use crate::retry_after::{PauseLimit, RETRY_AFTER, Unit};
use crate::secret::Secret;
use crate::settings::{Authentication, TargetSettings};
use crate::stage::{HIDDEN, Stage, Staged};
use crate::trace_context;

pub(crate) use failure::Failure;
use failure::describe;

/// The longest answer that is read, in bytes. A page of PyHSS's operation log is much shorter.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long each request uses a connection of its own after one broke. A target that resets a connection at its second request, for
/// example, would never get a write after a read-back otherwise.
const WARY_FOR: Duration = Duration::from_mins(10);
/// The media type of a JSON body.
const JSON: &str = "application/json";
/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest text of a body that is quoted, in characters.
const QUOTED_CHARS_MAX: usize = 80;

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
    /// The body as text, without content codings and byte-order mark.
    pub(crate) text: String,
    /// Reads the pauses in it.
    pub(crate) pauses: Arc<PauseLimit>,
}

/// What a target's requests have in common, apart from credentials.
pub(crate) struct Line<'a> {
    /// The target.
    pub(crate) target: &'a TargetId,
    /// Its URL.
    pub(crate) base_url: Url,
    /// The time limit of opening a connection.
    pub(crate) connect_timeout: Duration,
    /// The longest pause that it can ask for.
    pub(crate) retry_after_max: Duration,
}

impl<'a> Line<'a> {
    /// As the target's settings say.
    ///
    /// # Errors
    /// [`RegistryError::BaseUrlMissing`].
    pub(crate) fn of(target: &'a TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        Ok(Self {
            target,
            base_url: settings.address(target)?.clone(),
            connect_timeout: settings.connect_timeout,
            retry_after_max: settings.retry_after_max,
        })
    }

    /// The same to another URL.
    pub(crate) fn to(&self, base_url: Url) -> Self {
        let Self { target, connect_timeout, retry_after_max, .. } = *self;
        Self { target, base_url, connect_timeout, retry_after_max }
    }
}

/// What a request may have in addition to [`Request`].
#[derive(Default)]
pub(crate) struct Extras<'a> {
    /// Headers for authentication, if they differ from request to request.
    pub(crate) proof: HeaderMap,
    /// The fields of a form, instead of a JSON body.
    pub(crate) form: Option<&'a [(String, String)]>,
    /// The media type of the body, if it is not that of JSON or of a form.
    pub(crate) content_type: Option<&'a str>,
    /// The secret values in the form.
    pub(crate) secrets: &'a [SecretString],
}

/// The certificates of a connection, and how addresses are found.
#[derive(Default)]
pub(crate) struct Tls {
    /// The addresses that the target may have; any if there is no rule.
    pub(crate) addresses: Option<AddressRule>,
    /// The certificate and key that Interlock presents.
    pub(crate) identity: Option<reqwest::Identity>,
    /// The authorities that a target's certificate is checked against, instead of the system's.
    pub(crate) authorities: Vec<reqwest::Certificate>,
}

/// The HTTP side of one target.
pub(crate) struct Exchange {
    transport: Transport,
    base_url: Url,
    /// The headers of every request.
    headers: HeaderMap,
    pauses: Arc<PauseLimit>,
}

/// Where requests go.
enum Transport {
    /// To the target.
    Network {
        client: reqwest::Client,
        /// The same without connections that earlier requests used.
        fresh: reqwest::Client,
        /// When a connection broke last.
        broke_at: Mutex<Option<Instant>>,
    },
    /// To a stand-in.
    Stage(Stage),
}

impl Exchange {
    /// Prepares the exchange with a target. It opens no connection yet.
    pub(crate) fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        let headers = authentication_headers(target, &settings.auth)?;
        Self::open(Line::of(target, settings)?, headers, &Tls::default())
    }

    /// Like [`Self::new`], with headers for every request and with certificates.
    pub(crate) fn open(line: Line<'_>, headers: HeaderMap, tls: &Tls) -> Result<Self, RegistryError> {
        let Line { target, base_url, connect_timeout, retry_after_max } = line;
        if !matches!(base_url.scheme(), "http" | "https") || base_url.cannot_be_a_base() {
            return Err(RegistryError::BaseUrl { target: target.clone(), base_url: base_url.to_string() });
        }
        install_crypto_provider();
        let client = |idle_connections_max| {
            let mut builder = reqwest::Client::builder()
                .default_headers(headers.clone())
                .connect_timeout(connect_timeout)
                .pool_max_idle_per_host(idle_connections_max)
                // A write that the HTTP client repeats, or follows elsewhere, is a second write.
                .redirect(Policy::none())
                // A proxy from the environment would answer in place of the target, and hide whether a request was sent.
                .no_proxy()
                .retry(reqwest::retry::never())
                // A target is not given up for one header that a strict reader would reject.
                .http1_ignore_invalid_headers_in_responses(true)
                .http1_allow_spaces_after_header_name_in_responses(true)
                .http1_allow_obsolete_multiline_headers_in_responses(true);
            if let Some(identity) = &tls.identity {
                builder = builder.identity(identity.clone());
            }
            if !tls.authorities.is_empty() {
                builder = builder.tls_certs_only(tls.authorities.clone());
            }
            if let Some(rule) = &tls.addresses {
                builder = builder.dns_resolver(rule.resolver());
            }
            builder.build().map_err(|error| RegistryError::Client { target: target.clone(), detail: describe(error) })
        };
        let pauses = Arc::new(PauseLimit { target: target.to_string(), longest: retry_after_max });
        let transport =
            Transport::Network { client: client(usize::MAX)?, fresh: client(0)?, broke_at: Mutex::new(None) };
        Ok(Self { transport, base_url, headers, pauses })
    }

    /// An exchange with a stand-in. No secret is read.
    pub(crate) fn rehearsed(
        target: &TargetId,
        settings: &TargetSettings,
        stage: &Stage,
    ) -> Result<Self, RegistryError> {
        let Line { base_url, retry_after_max, .. } = Line::of(target, settings)?;
        let headers = hidden_headers(&settings.auth);
        let pauses = Arc::new(PauseLimit { target: target.to_string(), longest: retry_after_max });
        Ok(Self { transport: Transport::Stage(stage.clone()), base_url, headers, pauses })
    }

    /// The answer of a stand-in.
    fn rehearse(&self, stage: &Stage, request: &Request<'_>, extras: Extras<'_>, url: Url) -> TargetResponse {
        let mut headers = self.headers.clone();
        headers.extend(extras.proof);
        for (name, value) in request.headers {
            headers.extend(HeaderValue::try_from(value).ok().map(|value| (name.clone(), value)));
        }
        let content = request.body.map(ToString::to_string).or_else(|| extras.form.map(form));
        let media_type = if extras.form.is_some() { FORM } else { JSON };
        let media_type = content.is_some().then(|| extras.content_type.unwrap_or(media_type));
        headers.extend(media_type.and_then(|media_type| Some((CONTENT_TYPE, HeaderValue::try_from(media_type).ok()?))));
        let (status, body) = stage.answer(Staged {
            method: request.method.clone(),
            url,
            path: request.path,
            headers,
            body: request.body.cloned(),
            text: content.unwrap_or_default(),
        });
        let (text, pauses) = (body.to_string(), Arc::clone(&self.pauses));
        TargetResponse { status, retry_after: None, headers: HeaderMap::new(), body: Some(body), text, pauses }
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
        if let (Err(Failure::MaybeSent(_)), Transport::Network { broke_at, .. }) = (&answered, &self.transport) {
            *broke_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        answered
    }

    /// Runs within the span of the request, since the target is told about this span. The answer no longer contains the request's
    /// credentials, should the target echo them.
    async fn exchange(&self, request: Request<'_>, extras: Extras<'_>) -> Result<TargetResponse, Failure> {
        let mut url = self.url(request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let client = match &self.transport {
            Transport::Network { client, fresh, broke_at } => {
                let broke_at = *broke_at.lock().unwrap_or_else(PoisonError::into_inner);
                let is_wary = broke_at.is_some_and(|broke_at| broke_at.elapsed() < WARY_FOR);
                if is_wary { fresh } else { client }
            }
            Transport::Stage(stage) => return Ok(self.rehearse(stage, &request, extras, url)),
        };
        let mut builder = client.request(request.method, url).timeout(request.timeout);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(trace_parent) = trace_context::outgoing() {
            builder = builder.header(TRACE_PARENT_ATTRIBUTE, trace_parent.to_string());
        }
        let redaction = Redaction::new([&self.headers, &extras.proof], extras.secrets);
        builder = builder.headers(extras.proof);
        let of_type = |media_type| extras.content_type.unwrap_or(media_type);
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, of_type(JSON)).body(body.to_string());
        }
        if let Some(fields) = extras.form {
            builder = builder.header(CONTENT_TYPE, of_type(FORM)).body(form(fields));
        }
        let mut response = builder.send().await.map_err(Failure::from)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let retry_after =
            headers.get(RETRY_AFTER).and_then(|value| self.pauses.read_header(value, Unit::Seconds, SystemTime::now()));
        let mut bytes = Vec::new();
        // The connection was made and the answer was cut, so the request has reached the target.
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::MaybeSent(describe(error)))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(NotDecoded::TooLong { bytes_max: ANSWER_BYTES_MAX }.into());
            }
            bytes.extend_from_slice(&chunk);
        }
        // Some servers and proxies compress a response even if the request does not offer to accept that.
        let codings = content::codings(&headers, Coding::ALL);
        let bytes = codings.and_then(|codings| content::decoded(bytes, &codings, ANSWER_BYTES_MAX))?;
        let text = content::text(&headers, &bytes);
        let body = serde_json::from_str(&text).ok().map(|body| redaction.json(body));
        let text = redaction.text(&text).into_owned();
        let (headers, pauses) = (redaction.headers(headers), Arc::clone(&self.pauses));
        Ok(TargetResponse { status, retry_after, headers, body, text, pauses })
    }

    /// The URL of this path below the base URL; without a path it is the base URL as it is.
    fn url(&self, path: &[&str]) -> Url {
        url_below(&self.base_url, path)
    }
}

/// The URL of this path below a base URL; without a path it is the base URL as it is.
pub(crate) fn url_below(base_url: &Url, path: &[&str]) -> Url {
    let mut url = base_url.clone();
    if path.is_empty() {
        return url;
    }
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

/// A form, as it is sent.
pub(crate) fn form(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl TargetResponse {
    /// The pause that the target asks for, in milliseconds.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_millis().try_into().unwrap_or(u64::MAX))
    }

    /// The outcome that does not depend on the operation, the same for all targets and for writes and reads: that of
    /// [`Self::outcome_of_status`], or a web page in place of the API's refusal.
    pub(crate) fn outcome_of_refusal(&self) -> Option<Outcome> {
        self.outcome_of_status().or_else(|| self.outcome_of_web_page())
    }

    /// The outcome of a web page with a 4xx status: the API did not see the request. A proxy rejected it, or nothing serves this address.
    pub(crate) fn outcome_of_web_page(&self) -> Option<Outcome> {
        let is_of_a_proxy = self.status.is_client_error() && self.is_web_page();
        is_of_a_proxy.then(|| {
            let detail = format!(
                "the response with status {} is {}, not one of the target's API: check its base_url, and the proxies \
                 before it",
                self.status.as_u16(),
                self.what_came()
            );
            Outcome::misconfigured(ErrorCode::AnsweredByWebPage, detail)
        })
    }

    /// The outcome that the status alone decides: the target is overloaded, is out of service, rejects the credentials, or has moved.
    pub(crate) fn outcome_of_status(&self) -> Option<Outcome> {
        let status = self.status.as_u16();
        match status {
            429 => Some(Outcome::Throttled {
                retry_after_ms: self.retry_after_ms(),
                detail: "the target throttles calls (429)".to_owned(),
            }),
            503 => Some(Outcome::Unavailable {
                retry_after_ms: self.retry_after_ms(),
                cause: None,
                detail: "the target reports that it is unavailable (503)".to_owned(),
            }),
            408 | 425 => {
                Some(Outcome::Transient { detail: format!("the target could not handle the request ({status})") })
            }
            // Wrong credentials are a matter of the target, not of the order: holding orders would not help.
            401 => Some(Outcome::misconfigured(
                ErrorCode::CredentialsRejected,
                "the target rejects Interlock's credentials (401): check the target's auth",
            )),
            // 303 is not in this list: after a write it means "done, look there".
            300..=302 | 304..=399 => Some(Outcome::misconfigured(
                ErrorCode::Redirected,
                format!("the target responds with a redirect ({status}): set its base_url to the final address"),
            )),
            _ => None,
        }
    }

    /// Whether the body is a page for a browser.
    pub(crate) fn is_web_page(&self) -> bool {
        let is_html = |media_type: &str| matches!(media_type, "text/html" | "application/xhtml+xml");
        let start: String = self.text.trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
        self.body.is_none()
            && (crate::front_door::media_type(&self.headers).as_deref().is_some_and(is_html)
                || start.starts_with("<!doctype html")
                || start.starts_with("<html"))
    }

    /// The body in a few words, for a sentence that says why it was not recognised.
    pub(crate) fn what_came(&self) -> String {
        let text = self.text.trim();
        let quoted = |text: &str| {
            let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
            if short.len() < text.len() { format!("'{short}…'") } else { format!("'{short}'") }
        };
        match &self.body {
            _ if text.is_empty() => "an empty body".to_owned(),
            Some(_) => format!("the JSON {}", quoted(text)),
            None if self.is_web_page() => match title(text) {
                Some(title) => format!("a web page with the title {}", quoted(title)),
                None => "a web page".to_owned(),
            },
            None => format!("text that is not JSON: {}", quoted(text)),
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

/// The same headers for a rehearsal, without the secrets.
pub(crate) fn hidden_headers(auth: &Authentication) -> HeaderMap {
    let name = match auth {
        Authentication::None => None,
        Authentication::Bearer { .. } | Authentication::Basic { .. } => Some(AUTHORIZATION),
        Authentication::Header { name, .. } => HeaderName::try_from(name).ok(),
        Authentication::ProvisioningKey { .. } => Some(HeaderName::from_static("provisioning-key")),
    };
    let hidden = |name| {
        let mut value = HeaderValue::from_static(HIDDEN);
        value.set_sensitive(true);
        (name, value)
    };
    name.map(hidden).into_iter().collect()
}

/// The title of a web page.
fn title(page: &str) -> Option<&str> {
    let start = page.to_ascii_lowercase().find("<title")?;
    let (_, rest) = page.get(start..)?.split_once('>')?;
    Some(rest.split('<').next().unwrap_or_default()).filter(|title| !title.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_below_the_base_url() {
        let settings = TargetSettings::new(crate::AdapterKind::Json, "http://crm/api/".parse().unwrap());
        let exchange = Exchange::new(&"crm".parse().unwrap(), &settings).unwrap();
        assert_eq!(exchange.url(&["a/b", "?x"]).as_str(), "http://crm/api/a%2Fb/%3Fx");
        assert_eq!(exchange.url(&["subscriber", ""]).as_str(), "http://crm/api/subscriber/");
    }
}
