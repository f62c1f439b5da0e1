//! The declarative adapter: calls an outside system over HTTP as a TOML file describes, without any Rust code.
//!
//! For each operation, the file describes the requests to send (method, path, query, headers and body as templates) and the meaning of
//! the answers (ordered tables over status, headers and body). `docs/declarative.md` of this crate is the reference for authors of such
//! files; [`check`] finds every fault in a file.
//!
//! The adapter keeps the rules of all adapters, whatever the file says. It follows no redirects. It sends nothing twice, except once
//! more after a 401, which a target returns before it changes anything. It begins nothing after the attempt's time. A request without
//! an answer is ambiguous. A request whose template lacks a value is not sent.

mod attempt;
mod auth;
mod bounded_text;
mod class;
mod condition;
mod connector;
mod credentials;
mod duration;
mod foreseen;
mod interpretation;
mod operation;
mod path;
mod pointer;
mod query;
mod request;
mod response_table;
pub(crate) mod scope;
mod secret;
mod shipped;
mod status_set;
pub(crate) mod success;
pub(crate) mod template;
mod template_names;
mod variables;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::HeaderMap;
use interlock_domain::attempt::JobAnswer;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{ResourceId, ResourceKind, TargetId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::toml_text::TomlFault;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::adapter::{Adapter, Call, Capabilities, Verification, unknown_query};
use crate::error::RegistryError;
use crate::exchange::{Exchange, Line, authentication_headers};
use crate::release;
use crate::settings::{AdapterKind, Authentication, TargetSettings};
use attempt::Attempt;
use auth::AuthKind;
use connector::Connector;
use credentials::Credentials;
pub(crate) use foreseen::requests;
use interpretation::Interpretation;
pub use shipped::{SHIPPED, shipped};

/// All faults of an adapter file, by line. Empty if the file is valid.
///
/// ```
/// let faults = interlock_adapters::declarative::check("describes = \"a CRM\"\n[operations.add_number]\n");
/// assert_eq!((faults[0].line, faults[0].code.as_str()), (2, "missing_request"));
/// ```
pub fn check(text: &str) -> Vec<TomlFault> {
    Connector::parse(text).err().unwrap_or_default()
}

/// The names of the operations that an adapter file describes, sorted, to compare them with those of a catalog.
///
/// # Errors
/// As [`check`].
pub fn operations(text: &str) -> Result<Vec<String>, Vec<TomlFault>> {
    Ok(Connector::parse(text)?.operations.into_keys().collect())
}

/// The names of the queries that an adapter file describes, sorted.
///
/// # Errors
/// As [`check`].
pub fn queries(text: &str) -> Result<Vec<String>, Vec<TomlFault>> {
    Ok(Connector::parse(text)?.queries.into_keys().collect())
}

/// The kinds of resources of which an adapter file can tell who has one, sorted.
///
/// # Errors
/// As [`check`].
pub fn holder_kinds(text: &str) -> Result<Vec<ResourceKind>, Vec<TomlFault>> {
    Ok(Connector::parse(text)?.find_holder.into_keys().collect())
}

/// The same for the file of a target; none if the target has no such file, or the file cannot be read.
pub fn holder_kinds_of(target: &TargetId, settings: &TargetSettings) -> Option<Vec<ResourceKind>> {
    if settings.adapter != AdapterKind::Declarative {
        return None;
    }
    let (_, text) = read_file(target, settings.file.as_deref()).ok()?;
    holder_kinds(&text).ok()
}

/// Calls one target as a file describes.
pub struct DeclarativeAdapter {
    target: TargetId,
    connector: Connector,
    parameters: BTreeMap<String, String>,
    exchange: Exchange,
    credentials: Credentials,
    request_timeout: Duration,
    max_apply_delay: Option<Duration>,
    /// Whether the target is told where to report the end of a job.
    callbacks: bool,
}

impl DeclarativeAdapter {
    /// Creates the adapter of this target. It reads the file and the secrets, but opens no connection yet.
    ///
    /// # Errors
    /// [`RegistryError`] if the file or the settings are invalid.
    pub fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        let (name, text) = read_file(target, settings.file.as_deref())?;
        let connector = Connector::parse(&text).map_err(|faults| RegistryError::AdapterFileFaults {
            target: target.clone(),
            file: name.clone(),
            faults,
        })?;
        if settings.callbacks && !text.contains("callback_url") {
            return Err(RegistryError::CallbacksUnused { target: target.clone(), file: name });
        }
        let parameters = merge(target, &connector.parameters, &settings.parameters)?;
        let auth = match (&settings.auth, &connector.auth) {
            (Authentication::None, Some(auth)) => auth.clone(),
            (Authentication::None, None) => AuthKind::None.into(),
            (given, _) => AuthKind::Given(authentication_headers(target, given)?).into(),
        };
        let tls = connector.tls.resolve();
        let tls = tls.map_err(|detail| RegistryError::Secret { target: target.clone(), detail })?;
        let exchange = Exchange::open(Line::of(target, settings)?, HeaderMap::new(), &tls)?;
        let credentials = Credentials::new(auth, &Line::of(target, settings)?, &tls)?;
        Ok(Self {
            target: target.clone(),
            parameters,
            exchange,
            credentials,
            request_timeout: settings.timeout,
            max_apply_delay: settings.max_apply_delay,
            callbacks: settings.callbacks,
            connector,
        })
    }

    fn variables_of(&self, call: &Call) -> variables::Variables {
        let callback_url = call.callback_url.as_deref().filter(|_| self.callbacks);
        variables::of_call(call, callback_url, &self.parameters)
    }

    fn can_find_holder(&self, resource: &ResourceId) -> bool {
        self.connector.find_holder.contains_key(resource.kind())
    }

    fn attempt(&self, timeout: Duration) -> Attempt<'_> {
        Attempt {
            exchange: &self.exchange,
            credentials: &self.credentials,
            request_timeout: self.request_timeout,
            deadline: Instant::now() + timeout,
            secrets: Vec::new(),
        }
    }

    /// An attempt at a call. The call's URL for call backs is a secret, which outcomes must not quote.
    fn attempt_of(&self, call: &Call) -> Attempt<'_> {
        let callback_url = call.callback_url.as_deref().filter(|_| self.callbacks);
        Attempt { secrets: callback_url.map(SecretString::from).into_iter().collect(), ..self.attempt(call.timeout) }
    }
}

/// The file's name and text.
fn read_file(target: &TargetId, file: Option<&Path>) -> Result<(String, String), RegistryError> {
    let missing = |detail: String| RegistryError::AdapterFile { target: target.clone(), detail };
    let file = file.ok_or_else(|| missing("adapter = \"declarative\" needs a file".to_owned()))?;
    let name = file.display().to_string();
    match (std::fs::read_to_string(file), shipped(&name)) {
        (Ok(text), _) => Ok((name, text)),
        (Err(error), Some(text)) if error.kind() == std::io::ErrorKind::NotFound => Ok((name, text.to_owned())),
        (Err(error), _) => Err(missing(format!("the adapter file '{name}' cannot be read ({})", error.kind()))),
    }
}

/// The values of all parameters.
fn merge(
    target: &TargetId,
    declared: &BTreeMap<String, Option<String>>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, RegistryError> {
    let fault = |detail: String| RegistryError::Parameter { target: target.clone(), detail };
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        let known = declared.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(fault(format!("the adapter file has no parameter '{unknown}'; its parameters are: {known}")));
    }
    let value = |(name, default): (&String, &Option<String>)| {
        let value = given.get(name).or(default.as_ref()).cloned();
        let value =
            value.ok_or_else(|| fault(format!("the adapter file requires a value for the parameter '{name}'")))?;
        Ok((name.clone(), value))
    };
    declared.iter().map(value).collect()
}

#[async_trait]
impl Adapter for DeclarativeAdapter {
    fn capabilities(&self, operation: &str) -> Capabilities {
        let known = self.connector.operations.get(operation).map(|operation| &operation.capabilities);
        let mut capabilities = known.unwrap_or(&self.connector.defaults).clone();
        if let Some(delay) = self.max_apply_delay {
            capabilities.max_apply_delay = delay;
        }
        capabilities
    }

    async fn call(&self, call: &Call) -> Outcome {
        let Some(operation) = self.connector.operations.get(&call.operation) else {
            return Outcome::Permanent {
                code: ErrorCode::UnknownOperation.into(),
                detail: format!("the target's adapter file does not have the operation '{}'", call.operation),
            };
        };
        let variables = self.variables_of(call);
        let begun = Instant::now();
        let mut outcome = self.attempt_of(call).carry_out(&operation.flow, &variables).await;
        if let (Outcome::Accepted { poll_after_ms, .. }, Some(poll)) = (&mut outcome, &operation.poll) {
            poll_after_ms.get_or_insert(poll.every.as_millis().try_into().unwrap_or(u64::MAX));
        }
        if operation.releases {
            outcome = release::confirm(self, call, outcome, begun, |resource| self.can_find_holder(resource)).await;
        }
        tracing::debug!(target_name = %self.target, operation = call.operation, class = outcome.class(), "called");
        outcome
    }

    async fn verify(&self, call: &Call) -> Verification {
        let operation = self.connector.operations.get(&call.operation);
        let question = operation.and_then(|operation| Some((operation, operation.verify.as_ref()?)));
        let Some((operation, question)) = question else {
            return Verification::Unclear { detail: "this operation cannot be read back".to_owned() };
        };
        let (begun, variables) = (Instant::now(), self.variables_of(call));
        let verification = match self.attempt_of(call).ask(question, &variables).await {
            Ok((interpretation, _)) => interpretation.into_verification(),
            Err(outcome) => {
                Verification::Unclear { detail: format!("the call cannot be read back: {}", outcome.words()) }
            }
        };
        if !operation.releases {
            return verification;
        }
        release::confirm_read_back(self, call, verification, begun, |resource| self.can_find_holder(resource)).await
    }

    async fn poll(&self, call: &Call, job: &str) -> JobAnswer {
        let operation = self.connector.operations.get(&call.operation);
        let Some((operation, poll)) = operation.and_then(|operation| Some((operation, operation.poll.as_ref()?)))
        else {
            return JobAnswer::Unknown { detail: "the adapter file does not say how to ask about a job".to_owned() };
        };
        let (begun, variables) = (Instant::now(), self.variables_of(call).with_job(job));
        let answer = match self.attempt_of(call).ask(&poll.question, &variables).await {
            Ok((interpretation, _)) => interpretation.into_job_answer(poll.every),
            Err(outcome) => JobAnswer::NotTold(outcome),
        };
        match answer {
            JobAnswer::Ended(outcome) if operation.releases => {
                let is_known = |resource: &ResourceId| self.can_find_holder(resource);
                JobAnswer::Ended(release::confirm(self, call, outcome, begun, is_known).await)
            }
            answer => answer,
        }
    }

    async fn find_holder(&self, _tenant: &TenantId, resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        let Some(question) = self.connector.find_holder.get(resource.kind()) else {
            let detail =
                format!("the target's adapter file does not describe how to find the holder of a {}", resource.kind());
            return Ok(HolderAnswer::Unclear { detail });
        };
        let variables = variables::of_resource(&self.target, resource, &self.parameters);
        let asked = self.attempt(self.request_timeout).ask(question, &variables).await;
        asked.map(|(interpretation, _)| interpretation).and_then(Interpretation::into_holder_answer)
    }

    async fn query(
        &self,
        tenant: &TenantId,
        name: &str,
        arguments: &Map<String, Value>,
        timeout: Duration,
    ) -> Result<Map<String, Value>, Outcome> {
        let Some(query) = self.connector.queries.get(name) else { return Err(unknown_query(name)) };
        let variables = variables::of_query(tenant, &self.target, arguments, &self.parameters);
        query.ask(&self.attempt(timeout), &variables).await
    }

    async fn health(&self) -> Result<(), Outcome> {
        let variables = variables::of_target(&self.target, &self.parameters);
        self.attempt(self.request_timeout).greet(self.connector.health.as_ref(), &variables).await
    }
}
