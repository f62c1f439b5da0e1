//! The adapter for receivers of outcomes: it posts each event for a subscription to one URL.
//!
//! | format | request |
//! | --- | --- |
//! | `cloudevents` | `POST base_url`, a CloudEvent in structured JSON |
//! | `cloudevents_binary` | the same in binary mode: attributes in `ce-*` headers |
//! | `tmf641` | `POST base_url`, a `ServiceOrderStateChangeEvent` of TMF641, or a `ServiceOrderJeopardyEvent` for an overdue order |
//! | `espf` | `POST base_url/account/i/{customer}/status`, a form with `status`, `group` and `message`, as PortaOne's ESPF takes it |
//!
//! Any 2xx means that the receiver has taken the event. 410 means that it wants no more. After anything else the event is sent again,
//! under the same id. With `signing_keys`, each request has the headers of Standard Webhooks.

mod cloud_event;
mod espf;
mod signature;
mod tmf641;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::{HeaderName, Method};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerRef, ResourceId, TargetId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::outgoing::OutgoingEvent;
use interlock_domain::subscription::OutgoingFormat;
use serde_json::Value;

use crate::adapter::{Adapter, Call, Capabilities, Fence, OnAmbiguous, Verification};
use crate::address_rule::AddressRule;
use crate::error::RegistryError;
use crate::exchange::{Exchange, Extras, Failure, Line, Request, TargetResponse, Tls, authentication_headers};
use crate::settings::TargetSettings;
use crate::webhook_format::EspfAccount;
use signature::Signer;
pub use signature::receiver_key;

/// Posts events to one receiver.
pub struct WebhookAdapter {
    exchange: Exchange,
    timeout: Duration,
    format: OutgoingFormat,
    espf_account: EspfAccount,
    espf_group: String,
    signer: Signer,
}

/// A request, before it is signed.
struct Post {
    /// The path below the base URL.
    path: Vec<String>,
    headers: Vec<(HeaderName, String)>,
    content_type: &'static str,
    body: Body,
}

enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
}

impl WebhookAdapter {
    /// Creates the adapter of this target. It opens no connection yet.
    ///
    /// # Errors
    /// [`RegistryError`] if the settings are invalid.
    pub fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        Self::open(target, settings, None)
    }

    /// The same for a receiver whose URL came from a tenant: it may have only addresses that this rule allows.
    ///
    /// # Errors
    /// [`RegistryError`] if the settings are invalid, or the URL has an address that is not allowed.
    pub fn within(target: &TargetId, settings: &TargetSettings, rule: AddressRule) -> Result<Self, RegistryError> {
        if settings.base_url.as_ref().is_some_and(|url| !rule.allows_url(url)) {
            return Err(RegistryError::AddressForbidden { target: target.clone() });
        }
        Self::open(target, settings, Some(rule))
    }

    fn open(
        target: &TargetId,
        settings: &TargetSettings,
        addresses: Option<AddressRule>,
    ) -> Result<Self, RegistryError> {
        let headers = authentication_headers(target, &settings.auth)?;
        let tls = Tls { addresses, ..Tls::default() };
        let exchange = Exchange::open(Line::of(target, settings)?, headers, &tls)?;
        let espf_group = match (settings.format, &settings.espf_group) {
            (OutgoingFormat::Espf, None) => return Err(RegistryError::EspfGroupMissing { target: target.clone() }),
            (_, group) => group.clone().unwrap_or_default(),
        };
        Ok(Self {
            exchange,
            timeout: settings.timeout,
            format: settings.format,
            espf_account: settings.espf_account,
            espf_group,
            signer: Signer::new(target, &settings.signing_keys)?,
        })
    }

    /// The request for an event. `None` if the format has no word for it.
    fn post(&self, sender: &CustomerRef, event: &OutgoingEvent) -> Option<Post> {
        Some(match self.format {
            OutgoingFormat::CloudEvents => Post {
                path: Vec::new(),
                headers: Vec::new(),
                content_type: "application/cloudevents+json",
                body: Body::Json(cloud_event::structured(sender, event)),
            },
            OutgoingFormat::CloudEventsBinary => Post {
                path: Vec::new(),
                headers: cloud_event::headers(sender, event),
                content_type: "application/json",
                body: Body::Json(cloud_event::data(sender, event)),
            },
            OutgoingFormat::Tmf641 => Post {
                path: Vec::new(),
                headers: Vec::new(),
                content_type: "application/json",
                body: Body::Json(tmf641::event(sender, event)?),
            },
            OutgoingFormat::Espf => Post {
                path: espf::path(self.espf_account, sender),
                headers: Vec::new(),
                content_type: "application/x-www-form-urlencoded",
                body: Body::Form(espf::status(&self.espf_group, event)?),
            },
        })
    }

    async fn send(&self, id: &str, post: Post) -> Outcome {
        let path: Vec<&str> = post.path.iter().map(String::as_str).collect();
        let (json, form) = match &post.body {
            Body::Json(json) => (Some(json), None),
            Body::Form(fields) => (None, Some(fields.as_slice())),
        };
        let written = match &post.body {
            Body::Json(json) => json.to_string(),
            Body::Form(fields) => crate::exchange::form(fields),
        };
        let mut headers = post.headers;
        headers.extend(self.signer.headers(id, seconds_since_1970(), &written));
        let request = Request {
            method: Method::POST,
            path: &path,
            query: &[],
            headers: &headers,
            body: json,
            timeout: self.timeout,
        };
        let extras = Extras { form, content_type: Some(post.content_type), ..Extras::default() };
        match self.exchange.send_with(request, extras).await {
            Ok(answer) => outcome_of(&answer),
            // Whether it arrived does not matter: it is sent again under the same id.
            Err(failure) => failure.of_read(),
        }
    }
}

fn seconds_since_1970() -> u64 {
    // Before 1970 no clock of ours is.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What a receiver's answer means.
fn outcome_of(answer: &TargetResponse) -> Outcome {
    let status = answer.status.as_u16();
    let said = || format!("the receiver responded with status {status} and {}", answer.what_came());
    if status == 410 {
        let detail = "the receiver wants no more events (410)".to_owned();
        return Outcome::Permanent { code: ErrorCode::SubscriptionEnded.into(), detail };
    }
    if let Some(outcome) = answer.outcome_of_refusal() {
        return outcome;
    }
    match status {
        200..=299 => Outcome::Done,
        // This event is refused, which says nothing about others.
        400 | 409 | 413 | 415 | 422 => Outcome::Transient { detail: said() },
        _ => Outcome::unavailable(said()),
    }
}

#[async_trait]
impl Adapter for WebhookAdapter {
    fn capabilities(&self, _operation: &str) -> Capabilities {
        Capabilities {
            fence: Fence::None,
            verify: false,
            idempotency_keys: true,
            on_ambiguous: OnAmbiguous::Resend,
            max_apply_delay: Duration::ZERO,
        }
    }

    async fn call(&self, call: &Call) -> Outcome {
        Outcome::Permanent {
            code: ErrorCode::UnknownOperation.into(),
            detail: format!("the receiver of a subscription has no operation '{}'", call.operation),
        }
    }

    async fn verify(&self, _call: &Call) -> Verification {
        Verification::Unclear { detail: "the receiver of a subscription cannot be read back".to_owned() }
    }

    async fn deliver(&self, sender: &CustomerRef, event: &OutgoingEvent) -> Outcome {
        match self.post(sender, event) {
            Some(post) => self.send(&event.id.to_string(), post).await,
            // Nothing of it can be said in this format.
            None => Outcome::AlreadyDone,
        }
    }

    async fn find_holder(&self, _tenant: &TenantId, _resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        Ok(HolderAnswer::Unclear { detail: "the receiver of a subscription knows no holders".to_owned() })
    }

    async fn health(&self) -> Result<(), Outcome> {
        // As a CloudEvents web hook is asked; others respond that they do not know this method, which will do.
        let origin = [(HeaderName::from_static("webhook-request-origin"), "interlock".to_owned())];
        let request = Request {
            method: Method::OPTIONS,
            path: &[],
            query: &[],
            headers: &origin,
            body: None,
            timeout: self.timeout,
        };
        let answer = self.exchange.send(request).await.map_err(Failure::of_read)?;
        match answer.outcome_of_status() {
            Some(outcome) => Err(outcome),
            None if answer.status.is_server_error() && answer.status.as_u16() != 501 => {
                Err(Outcome::unavailable(format!("the receiver responded with status {}", answer.status.as_u16())))
            }
            None => Ok(()),
        }
    }
}
