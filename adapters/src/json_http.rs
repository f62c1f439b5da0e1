//! The adapter for targets that speak plain JSON over HTTP: a CRM, an SMS gateway, …
//!
//! | what | request | answer |
//! | --- | --- | --- |
//! | an operation | `POST {base_url}/{operation}`, `{"tenant","target","operation","data","idempotency_key","epoch","epochs","attempt"}`, headers `Idempotency-Key`, `X-Interlock-Epoch`, `X-Interlock-Callback` (the URL for a `POST` when a job is over, if `callbacks` is set) | 2xx with a JSON object that speaks of no failure, or as `success` in the settings says: done (with `"status":"already_done"`: it was so); any other 2xx: unclear, to be verified; 202 with `{"job":"…"}` accepted, and asked about; 202 without, to be verified; 409 by `code`: `already_done`, `in_use` (with `holder`); other 4xx permanent, with `code` and `detail` |
//! | was it carried out? | `GET {base_url}/operations/{idempotency_key}` | 200 `{"applied":true}` or `{"applied":false}`, with `"job":"…"` if it is a job that runs; for a release whose number is somebody else's `{"code":"in_use","holder":"…"}` |
//! | how does the job stand? | `GET {base_url}/jobs/{job}` | 200 `{"state":"running"}` (with `Retry-After`: ask again then), `{"state":"done"}`, or `{"state":"failed","code":"…","detail":"…"}` (`in_use` with `holder`); 404: forgotten |
//! | who has it? | `GET {base_url}/holders/{kind}/{id}` | 200 `{"holder":"…"}` or `{"holder":null}` |
//! | is it there? | `GET {base_url}/health` | any 2xx or 4xx |
//!
//! If the target's `releases` names an operation, the adapter then asks who has each resource of the step. The release is done only if
//! no party has it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderName, Method};
use interlock_domain::attempt::JobAnswer;
use interlock_domain::error_code::ReasonCode;
use interlock_domain::ids::{ResourceId, TargetId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::adapter::{Adapter, Call, Capabilities, JOB_BYTES_MAX, OnAmbiguous, Verification};
use crate::error::RegistryError;
use crate::exchange::{Exchange, Extras, Failure, Request, TargetResponse};
use crate::recognition::Recognition;
use crate::release;
use crate::settings::TargetSettings;
use crate::stage::Stage;

/// How long a request may take effect after it was sent, if the settings give no value.
const MAX_APPLY_DELAY: Duration = Duration::from_secs(10);
/// The longest sentence that is kept from a target's answer, in characters.
const DETAIL_CHARS_MAX: usize = 300;
/// The longest code that is kept from a target's answer, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// Calls one target.
pub struct JsonHttpAdapter {
    exchange: Exchange,
    request_timeout: Duration,
    capabilities: Capabilities,
    releases: BTreeSet<String>,
    recognition: Recognition,
    /// Whether the target is told where to report the end of a job.
    callbacks: bool,
}

impl JsonHttpAdapter {
    /// Creates the adapter of this target. It opens no connection yet.
    ///
    /// # Errors
    /// [`RegistryError`] if the settings are invalid.
    pub fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        Self::with(Exchange::new(target, settings)?, target, settings)
    }

    /// The same, with a stand-in in place of the network.
    pub(crate) fn rehearsed(
        target: &TargetId,
        settings: &TargetSettings,
        stage: &Stage,
    ) -> Result<Self, RegistryError> {
        Self::with(Exchange::rehearsed(target, settings, stage)?, target, settings)
    }

    fn with(exchange: Exchange, target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        let on_ambiguous = match (settings.on_ambiguous, settings.verify, settings.idempotency_keys) {
            (Some(OnAmbiguous::Verify), false, _) => return Err(RegistryError::NotVerified { target: target.clone() }),
            (Some(on_ambiguous), _, _) => on_ambiguous,
            (None, true, _) => OnAmbiguous::Verify,
            (None, false, true) => OnAmbiguous::Resend,
            (None, false, false) => OnAmbiguous::Hold,
        };
        Ok(Self {
            exchange,
            recognition: Recognition::new(target, settings)?,
            request_timeout: settings.timeout,
            releases: settings.releases.clone(),
            callbacks: settings.callbacks,
            capabilities: Capabilities {
                fence: settings.fence,
                verify: settings.verify,
                idempotency_keys: settings.idempotency_keys,
                on_ambiguous,
                max_apply_delay: settings.max_apply_delay.unwrap_or(MAX_APPLY_DELAY),
            },
        })
    }

    async fn get(&self, path: &[&str]) -> Result<TargetResponse, Outcome> {
        let timeout = self.request_timeout;
        let request = Request { method: Method::GET, path, query: &[], headers: &[], body: None, timeout };
        self.exchange.send(request).await.map_err(Failure::of_read)
    }

    async fn ask(&self, path: &[&str]) -> Result<TargetResponse, Outcome> {
        let answer = self.get(path).await?;
        match answer.outcome_of_refusal() {
            Some(outcome) => Err(outcome),
            None if answer.status.is_server_error() => Err(Outcome::unavailable(detail_of(&answer))),
            None => Ok(answer),
        }
    }
}

#[async_trait]
impl Adapter for JsonHttpAdapter {
    fn capabilities(&self, _operation: &str) -> Capabilities {
        self.capabilities.clone()
    }

    async fn call(&self, call: &Call) -> Outcome {
        if call.timeout.is_zero() {
            return Outcome::Transient { detail: "the attempt ran out of time before it was sent".to_owned() };
        }
        let mut headers = vec![(HeaderName::from_static("idempotency-key"), call.idempotency_key.to_string())];
        if let Some(epoch) = call.epoch {
            headers.push((HeaderName::from_static("x-interlock-epoch"), epoch.to_string()));
        }
        let callback_url = call.callback_url.as_ref().filter(|_| self.callbacks);
        headers.extend(callback_url.map(|url| (HeaderName::from_static("x-interlock-callback"), url.clone())));
        let body = json!({
            "tenant": call.tenant,
            "target": call.target,
            "operation": call.operation,
            "data": call.data,
            "idempotency_key": call.idempotency_key,
            "epoch": call.epoch,
            "epochs": call.epochs,
            "attempt": call.attempt,
        });
        let request = Request {
            method: Method::POST,
            path: &[&call.operation],
            query: &[],
            headers: &headers,
            body: Some(&body),
            timeout: call.timeout.min(self.request_timeout),
        };
        let begun = Instant::now();
        // The URL is a secret, which outcomes must not quote.
        let secrets: Vec<SecretString> = callback_url.map(|url| url.as_str().into()).into_iter().collect();
        let extras = Extras { secrets: &secrets, ..Extras::default() };
        let outcome = match self.exchange.send_with(request, extras).await {
            Ok(answer) => self.outcome_of(&answer),
            Err(failure) => failure.of_write(),
        };
        if !self.releases.contains(&call.operation) {
            return outcome;
        }
        release::confirm(self, call, outcome, begun, |_| true).await
    }

    async fn verify(&self, call: &Call) -> Verification {
        if !self.capabilities.verify {
            return Verification::Unclear {
                detail: "this target cannot report which operations it applied".to_owned(),
            };
        }
        let key = call.idempotency_key.to_string();
        let unclear = |detail: String| Verification::Unclear { detail };
        let begun = Instant::now();
        let verification = match self.ask(&["operations", &key]).await {
            Ok(answer) if answer.status.is_success() && text(&answer, "code") == Some("in_use") => {
                Verification::InUse { holder: text(&answer, "holder").map(str::to_owned) }
            }
            Ok(answer) => match field(&answer, "applied").and_then(Value::as_bool) {
                Some(true) if answer.status.is_success() => Verification::Applied,
                Some(false) if answer.status.is_success() => match job_of(&answer) {
                    Some(job) => Verification::Accepted { job: job.to_owned() },
                    None => Verification::NotApplied,
                },
                _ => unclear(format!(
                    "'operations' responded with status {} and {}, not with 'applied'",
                    answer.status.as_u16(),
                    answer.what_came()
                )),
            },
            Err(outcome) => unclear(format!("the call cannot be read back: {}", outcome.words())),
        };
        if !self.releases.contains(&call.operation) {
            return verification;
        }
        release::confirm_read_back(self, call, verification, begun, |_| true).await
    }

    async fn poll(&self, call: &Call, job: &str) -> JobAnswer {
        let begun = Instant::now();
        let answer = match self.get(&["jobs", job]).await {
            Ok(answer) => answer,
            Err(outcome) => return JobAnswer::NotTold(outcome),
        };
        if let Some(outcome) = answer.outcome_of_refusal() {
            return JobAnswer::NotTold(outcome);
        }
        let not_told = || {
            let (status, came) = (answer.status.as_u16(), answer.what_came());
            let detail = format!("'jobs' responded with status {status} and {came}, not with 'state'");
            JobAnswer::NotTold(Outcome::unavailable(detail))
        };
        let ended = match (answer.status.as_u16(), text(&answer, "state")) {
            (404 | 410, _) => {
                return JobAnswer::Unknown { detail: format!("the target does not know the job '{job}' any more") };
            }
            (200, Some("running")) => {
                let detail = format!("the target works on the job '{job}'");
                return JobAnswer::Running { poll_after_ms: answer.retry_after_ms(), detail };
            }
            (200, Some("done")) => Outcome::Done,
            (200, Some("failed")) if text(&answer, "code") == Some("in_use") => {
                Outcome::InUse { holder: text(&answer, "holder").map(str::to_owned) }
            }
            (200, Some("failed")) => Outcome::Permanent { code: code_of(&answer), detail: detail_of(&answer) },
            _ => return not_told(),
        };
        if !self.releases.contains(&call.operation) {
            return JobAnswer::Ended(ended);
        }
        JobAnswer::Ended(release::confirm(self, call, ended, begun, |_| true).await)
    }

    async fn find_holder(&self, _tenant: &TenantId, resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        let answer = self.ask(&["holders", resource.kind().as_str(), resource.id()]).await?;
        match (answer.status.as_u16(), field(&answer, "holder")) {
            (200, Some(Value::String(target_identity))) => {
                Ok(HolderAnswer::TargetIdentity { target_identity: target_identity.clone() })
            }
            (200, Some(Value::Null)) => Ok(HolderAnswer::Nobody),
            (200, _) if matches!(answer.body, Some(Value::Object(_))) => {
                Ok(HolderAnswer::Unclear { detail: "the response has no 'holder'".to_owned() })
            }
            (200..=299, _) => Err(Outcome::unavailable(format!(
                "the target does not report the holder of a {}: status {} and {}",
                resource.kind(),
                answer.status.as_u16(),
                answer.what_came()
            ))),
            (status, _) => Err(Outcome::Permanent {
                code: code_of(&answer),
                detail: format!("the target does not report the holder of a {}: status {status}", resource.kind()),
            }),
        }
    }

    async fn health(&self) -> Result<(), Outcome> {
        // Any response counts, even a 404 page: not every target has an address for its health.
        let answer = self.get(&["health"]).await?;
        match answer.outcome_of_status() {
            Some(outcome) => Err(outcome),
            None if answer.status.is_server_error() => Err(Outcome::unavailable(detail_of(&answer))),
            None => Ok(()),
        }
    }
}

impl JsonHttpAdapter {
    fn outcome_of(&self, answer: &TargetResponse) -> Outcome {
        if let Some(outcome) = answer.outcome_of_refusal() {
            return outcome;
        }
        let says = |name| text(answer, name);
        match answer.status.as_u16() {
            202 => match job_of(answer) {
                Some(job) => Outcome::Accepted {
                    job: job.to_owned(),
                    poll_after_ms: answer.retry_after_ms(),
                    detail: format!("the target accepted the call as job '{job}', and has not ended it yet"),
                },
                None => Outcome::Ambiguous {
                    detail: "the target accepted the call, and has not confirmed it yet (202)".to_owned(),
                },
            },
            200..=299 if says("status") == Some("already_done") => Outcome::AlreadyDone,
            200..=299 => match self.recognition.check(answer) {
                Ok(()) => Outcome::Done,
                Err(detail) => Outcome::Ambiguous { detail },
            },
            409 => match says("code") {
                Some("already_done") => Outcome::AlreadyDone,
                Some("in_use") => Outcome::InUse { holder: says("holder").map(str::to_owned) },
                // The same key at the same time: the earlier request is still in flight.
                Some("in_progress") => Outcome::Ambiguous { detail: detail_of(answer) },
                _ => Outcome::Permanent { code: code_of(answer), detail: detail_of(answer) },
            },
            400..=499 | 501 | 505 => Outcome::Permanent { code: code_of(answer), detail: detail_of(answer) },
            // A server that failed may have failed after the effect.
            _ => Outcome::Ambiguous { detail: detail_of(answer) },
        }
    }
}

/// The name of a job that can be kept.
fn job_of(answer: &TargetResponse) -> Option<&str> {
    text(answer, "job").filter(|job| !job.is_empty() && job.len() <= JOB_BYTES_MAX)
}

fn field<'a>(answer: &'a TargetResponse, name: &str) -> Option<&'a Value> {
    answer.body.as_ref()?.get(name)
}

fn text<'a>(answer: &'a TargetResponse, name: &str) -> Option<&'a str> {
    field(answer, name).and_then(Value::as_str)
}

/// The target's code if it is valid (snake case), otherwise one made from the status.
fn code_of(answer: &TargetResponse) -> ReasonCode {
    let is_code = |code: &&str| {
        !code.is_empty()
            && code.len() <= CODE_BYTES_MAX
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    field(answer, "code")
        .and_then(Value::as_str)
        .filter(is_code)
        .map_or_else(|| ReasonCode::of_target(format!("http_{}", answer.status.as_u16())), ReasonCode::of_target)
}

/// The target's sentence, otherwise one made from the status.
fn detail_of(answer: &TargetResponse) -> String {
    ["detail", "message", "title"].into_iter().find_map(|name| field(answer, name).and_then(Value::as_str)).map_or_else(
        || format!("the target responded with status {}", answer.status),
        |text| text.chars().take(DETAIL_CHARS_MAX).collect(),
    )
}
