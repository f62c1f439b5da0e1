//! Temporal's remote codec protocol over HTTP: Temporal's web UI and CLI send payloads here for decryption, and never get a key.
//!
//! `POST /decode` and `POST /encode`, each also after a path segment for the namespace, take and return the JSON of a
//! `Payloads` message: `{"payloads":[{"metadata":{…},"data":"…"}]}`, all bytes in base64.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use interlock_adapters::front_door::{PageCheck, is_json};
use interlock_adapters::secret::SecretMissing;
use interlock_connection::codec::{CodecError, KeyRing};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_http_service::{HttpOptions, HttpService, Problem, UnreadBody, bearer, check_media_type, check_plain};
use interlock_operations::strict_json::{self, JsonLimits};
use interlock_settings::{CodecServerSettings, CodecToken, HttpSettings, is_origin};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The largest request, in bytes: a page of payloads; the server accepts up to 2 MiB for each.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most JSON values of a request: a page of some thousand payloads.
const VALUES_MAX: usize = 100_000;
/// The header with which Temporal's UI and CLI send the namespace.
const NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
/// Base64 as in protobuf's JSON; padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An origin on this machine that may call, and that is not known before the web UI runs: used by `interlock dev`.
pub type LoopbackOrigin = Arc<OnceLock<String>>;

/// The data of the calls.
#[derive(Clone)]
struct CodecServer {
    ring: Arc<KeyRing>,
    /// The digests of the tokens, and their bearers.
    tokens: Arc<Vec<([u8; 32], String)>>,
    origins: Arc<Vec<String>>,
    loopback: LoopbackOrigin,
}

/// Starts the codec server.
///
/// # Errors
/// [`Fault`] `codec_without_keys`, `codec_server_without_tokens` if other machines could reach it and no token is configured,
/// `codec_token_missing` if one cannot be read, `setting_invalid` for an invalid origin, or `listen_failed`.
pub async fn start(
    ring: Arc<KeyRing>,
    settings: &CodecServerSettings,
    http: &HttpSettings,
    loopback: LoopbackOrigin,
) -> Result<HttpService, Fault> {
    if ring.ids().next().is_none() {
        return Err(Fault::wrong_use(ErrorCode::CodecWithoutKeys, "The codec server has no keys."));
    }
    may_serve(settings)?;
    let tokens = settings.tokens.iter().map(known).collect::<Result<Vec<_>, _>>().map_err(|missing| {
        let message = format!("A token of the codec server cannot be read: {missing}.");
        Fault::wrong_use(ErrorCode::CodecTokenMissing, message)
    })?;
    let server =
        CodecServer { ring, tokens: Arc::new(tokens), origins: Arc::new(settings.cors_origins.clone()), loopback };
    let door = http.front_door(settings.listen).with_page_check(server.page_check());
    let door = if settings.tokens.is_empty() { door } else { door.with_any_host_unless_named() };
    HttpService::start(settings.listen, router(server), HttpOptions::new(http, door)).await
}

/// Checks whether it may serve with these settings.
///
/// # Errors
/// [`Fault`] `codec_server_without_tokens` if other machines could reach it and no token is configured, `setting_invalid` for an
/// invalid origin.
pub fn may_serve(settings: &CodecServerSettings) -> Result<(), Fault> {
    if settings.tokens.is_empty() && !settings.listen.ip().is_loopback() {
        return Err(Fault::wrong_use(
            ErrorCode::CodecServerWithoutTokens,
            format!(
                "The codec server would listen on {}, which other machines can reach, and no token is configured.",
                settings.listen
            ),
        ));
    }
    if let Some(wrong) = settings.cors_origins.iter().find(|origin| !is_origin(origin)) {
        return Err(Fault::wrong_use(
            ErrorCode::SettingInvalid,
            format!(
                "The setting codec.server.cors_origins contains '{wrong}', which is not an origin such as \
                 https://temporal.example."
            ),
        ));
    }
    Ok(())
}

fn known(token: &CodecToken) -> Result<([u8; 32], String), SecretMissing> {
    use secrecy::ExposeSecret as _;
    let digest: [u8; 32] = Sha256::digest(token.token.read()?.expose_secret().as_bytes()).into();
    let name = token.name.clone().unwrap_or_else(|| format!("token {}", hex::encode(&digest[..4])));
    Ok((digest, name))
}

fn router(server: CodecServer) -> Router {
    let unknown = || async { Problem::new(StatusCode::NOT_FOUND, ErrorCode::NoSuchCall, "The path is unknown.") };
    Router::new()
        .route("/decode", post(decode))
        .route("/encode", post(encode))
        .route("/{namespace}/decode", post(decode))
        .route("/{namespace}/encode", post(encode))
        .layer(from_fn_with_state(server.clone(), admitted))
        .route("/healthz", get(|| async { StatusCode::NO_CONTENT }))
        .fallback(unknown)
        .layer(cors(&server))
        .with_state(server)
}

/// The answers to browsers' preflight requests.
fn cors(server: &CodecServer) -> CorsLayer {
    let server = server.clone();
    let is_allowed = move |origin: &HeaderValue, _: &_| origin.to_str().is_ok_and(|origin| server.allows(origin));
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION, NAMESPACE])
        // The UI can be configured to send cookies, with which a proxy in front of this identifies its users.
        .allow_credentials(true)
}

impl CodecServer {
    /// Whose pages may call, in addition to those of `[http] origins`: the web UI's; one of them is known only once it runs.
    fn page_check(&self) -> PageCheck {
        let server = self.clone();
        PageCheck::new(move |origin| server.allows(origin))
    }

    fn allows(&self, origin: &str) -> bool {
        let on_this_machine = origin.replacen("://localhost:", "://127.0.0.1:", 1);
        self.origins.iter().any(|allowed| allowed == origin)
            || self.loopback.get().is_some_and(|allowed| *allowed == on_this_machine)
    }

    /// The caller.
    fn caller(&self, headers: &HeaderMap) -> Result<&str, Problem> {
        if self.tokens.is_empty() {
            return Ok("anybody");
        }
        let token = bearer(headers).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, ErrorCode::TokenMissing, "The request has no bearer token.")
        })?;
        // Equal digests mean equal tokens, and the time that a comparison takes reveals nothing about the token.
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.tokens.iter().find(|(known, _)| *known == digest);
        known.map(|(_, name)| name.as_str()).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, ErrorCode::TokenUnknown, "The bearer token is unknown.")
                .with_next("Use another token, or ask for a change of [[codec.server.tokens]].")
        })
    }
}

/// Admits callers with access, and logs them. The origin was already checked.
async fn admitted(State(server): State<CodecServer>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let admitted = server.caller(headers).and_then(|caller| check_body(headers).map(|()| caller.to_owned()));
    let caller = match admitted {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let namespace = headers.get(NAMESPACE).map(|namespace| namespace.to_str().unwrap_or("?").to_owned());
    let path = request.uri().path().to_owned();
    let answer = next.run(request).await;
    tracing::info!(caller, namespace, path, status = answer.status().as_u16(), "request to the codec server");
    answer
}

/// Checks that a body is JSON without a content coding: Temporal's UI and CLI send no other.
fn check_body(headers: &HeaderMap) -> Result<(), Problem> {
    check_media_type(headers, is_json)?;
    check_plain(headers)
}

async fn decode(State(server): State<CodecServer>, body: UnreadBody) -> Result<Json<Written>, Problem> {
    carried_out(body, |payload| server.ring.decrypt(&payload)).await
}

async fn encode(State(server): State<CodecServer>, body: UnreadBody) -> Result<Json<Written>, Problem> {
    carried_out(body, |payload| server.ring.encrypt(payload)).await
}

async fn carried_out(
    body: UnreadBody,
    of_each: impl Fn(Payload) -> Result<Payload, CodecError>,
) -> Result<Json<Written>, Problem> {
    let body = body.read(BODY_BYTES_MAX).await;
    let body = body.map_err(|error| Problem::of_body(&error, ErrorCode::BodyTooLarge))?;
    let payloads: Result<Vec<_>, Problem> = read_payloads(&body)?
        .into_iter()
        .map(|payload| {
            let done = of_each(payload).map_err(|error| {
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    error.code(),
                    format!("A payload cannot be encoded or decoded: {error}."),
                )
            })?;
            Ok(WrittenPayload::of(&done))
        })
        .collect();
    Ok(Json(Written { payloads: payloads? }))
}

/// The payloads of a body.
///
/// # Errors
/// 400 `codec_request_unreadable`.
pub(crate) fn read_payloads(body: &[u8]) -> Result<Vec<Payload>, Problem> {
    let limits = JsonLimits { elements_max: usize::MAX, values_max: VALUES_MAX };
    let value = strict_json::read(body, limits).map_err(|error| unreadable(&error))?;
    let written: Written = serde_json::from_value(value).map_err(|error| unreadable(&error))?;
    written.payloads.into_iter().map(|payload| payload.read().map_err(|error| unreadable(&error))).collect()
}

fn unreadable(error: &dyn std::fmt::Display) -> Problem {
    let detail = format!("The body is not valid JSON with payloads: {error}.");
    Problem::new(StatusCode::BAD_REQUEST, ErrorCode::CodecRequestUnreadable, detail)
}

/// The JSON of a `Payloads` message.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    #[serde(default)]
    payloads: Vec<WrittenPayload>,
}

/// The JSON of a `Payload` message.
#[derive(Debug, Serialize, Deserialize)]
struct WrittenPayload {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    data: String,
}

impl WrittenPayload {
    fn of(payload: &Payload) -> Self {
        let metadata = payload.metadata.iter().map(|(name, value)| (name.clone(), BASE64.encode(value)));
        Self { metadata: metadata.collect(), data: BASE64.encode(&payload.data) }
    }

    fn read(self) -> Result<Payload, base64::DecodeError> {
        let metadata = self.metadata.into_iter().map(|(name, value)| Ok((name, BASE64.decode(value)?)));
        Ok(Payload {
            metadata: metadata.collect::<Result<_, _>>()?,
            data: BASE64.decode(self.data)?,
            ..Payload::default()
        })
    }
}

#[cfg(test)]
mod tests;
