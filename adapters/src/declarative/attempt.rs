//! One attempt: renders the requests of the file, sends them, and evaluates the answers, within the attempt's time.

use std::time::{Duration, Instant};

use http::Method;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use secrecy::SecretString;

use super::class::Class;
use super::credentials::{Credentials, Proof};
use super::interpretation::Interpretation;
use super::operation::{Branch, Flow, Inquiry};
use super::request::{Content, Rendering, RequestTemplate};
use super::template::NotRendered;
use super::variables::Variables;
use crate::exchange::{Exchange, Extras, Failure, Request, TargetResponse};

/// The state of one attempt.
pub(super) struct Attempt<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) credentials: &'a Credentials,
    /// The time limit of one request, if the file gives none.
    pub(super) request_timeout: Duration,
    /// The deadline of the attempt. Nothing begins after it.
    pub(super) deadline: Instant,
    /// What an answer must not repeat, besides the credentials: the URL of call backs.
    pub(super) secrets: Vec<SecretString>,
}

/// Why there is no answer.
enum NoAnswer {
    /// Nothing was sent, or the target rejected it before it did anything.
    Before(Outcome),
    /// The request failed after it may have been sent.
    OnTheWay(Failure),
}

impl Attempt<'_> {
    /// Runs an operation.
    pub(super) async fn carry_out(&self, flow: &Flow, variables: &Variables) -> Outcome {
        let lookup = match flow {
            Flow::Write(inquiry) => return self.write(inquiry, variables).await,
            Flow::LookUp(lookup) => lookup,
        };
        let (interpretation, answer) = match self.ask(&lookup.question, variables).await {
            Ok(judged) => judged,
            Err(outcome) => return outcome,
        };
        match interpretation.class {
            Class::Found => self.branch(&lookup.if_found, &variables.with_found(&lookup.bind, &answer)).await,
            Class::Absent => self.branch(&lookup.if_absent, variables).await,
            _ => interpretation.into_outcome_of_question(),
        }
    }

    async fn branch(&self, branch: &Branch, variables: &Variables) -> Outcome {
        match branch {
            Branch::Write(inquiry) => self.write(inquiry, variables).await,
            Branch::End(saying) => saying.interpret(None, &variables.rendered()).into_outcome(),
        }
    }

    async fn write(&self, inquiry: &Inquiry, variables: &Variables) -> Outcome {
        match self.exchange(&inquiry.request, variables).await {
            Ok(answer) => {
                let interpretation = inquiry.responses.judge(&answer, &variables.with_answer(&answer).rendered());
                interpretation.into_outcome()
            }
            Err(NoAnswer::Before(outcome)) => outcome,
            Err(NoAnswer::OnTheWay(failure)) => failure.of_write(),
        }
    }

    /// Sends a request that changes nothing.
    ///
    /// # Errors
    /// An outcome class if the request could not be answered.
    pub(super) async fn ask(
        &self,
        inquiry: &Inquiry,
        variables: &Variables,
    ) -> Result<(Interpretation, TargetResponse), Outcome> {
        let answer = self.exchange(&inquiry.request, variables).await.map_err(NoAnswer::of_question)?;
        let interpretation = inquiry.responses.judge(&answer, &variables.with_answer(&answer).rendered());
        Ok((interpretation, answer))
    }

    /// Asks whether the target is up. Every answer counts, unless it says that the target is out of service.
    pub(super) async fn greet(&self, request: Option<&RequestTemplate>, variables: &Variables) -> Result<(), Outcome> {
        let answer = match request {
            Some(request) => self.exchange(request, variables).await,
            None => self.send_proven(Rendering::of_base_url(), self.request_timeout).await,
        };
        let answer = answer.map_err(NoAnswer::of_question)?;
        match answer.outcome_of_status() {
            Some(outcome) => Err(outcome),
            None if answer.status.is_server_error() => {
                Err(Outcome::unavailable(format!("the target responded with status {}", answer.status.as_u16())))
            }
            None => Ok(()),
        }
    }

    async fn exchange(&self, request: &RequestTemplate, variables: &Variables) -> Result<TargetResponse, NoAnswer> {
        let rendering = request.render(&variables.rendered()).map_err(NoAnswer::not_rendered)?;
        self.send_proven(rendering, request.timeout.unwrap_or(self.request_timeout)).await
    }

    /// Sends a request with credentials, and once more with new ones if the target rejects the first.
    async fn send_proven(&self, rendering: Rendering, timeout: Duration) -> Result<TargetResponse, NoAnswer> {
        self.left().ok_or_else(NoAnswer::too_late)?;
        let proof = self.credentials.proof(self.deadline).await.map_err(NoAnswer::Before)?;
        let answer = self.send(&rendering, &proof, timeout).await?;
        if !self.credentials.are_refused_by(answer.status) || self.left().is_none() {
            return Ok(answer);
        }
        match self.credentials.renewed(&proof, self.deadline).await.map_err(NoAnswer::Before)? {
            Some(proof) => self.send(&rendering, &proof, timeout).await,
            None => Ok(answer),
        }
    }

    async fn send(&self, rendering: &Rendering, proof: &Proof, timeout: Duration) -> Result<TargetResponse, NoAnswer> {
        let left = self.left().ok_or_else(NoAnswer::too_late)?;
        let path: Vec<&str> = rendering.path.iter().map(String::as_str).collect();
        let query: Vec<(&str, String)> =
            rendering.query.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let (body, form) = match &rendering.content {
            Content::None => (None, None),
            Content::Json(body) => (Some(body), None),
            Content::Form(fields) => (None, Some(fields.as_slice())),
        };
        let request = Request {
            method: rendering.method.clone(),
            path: &path,
            query: &query,
            headers: &rendering.headers,
            body,
            timeout: timeout.min(left),
        };
        let extras = Extras { proof: proof.headers.clone(), form, secrets: &self.secrets, ..Extras::default() };
        self.exchange.send_with(request, extras).await.map_err(NoAnswer::OnTheWay)
    }

    /// The rest of the attempt's time. `None` if it is over.
    fn left(&self) -> Option<Duration> {
        Some(self.deadline.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}

impl NoAnswer {
    fn too_late() -> Self {
        Self::Before(Outcome::Transient {
            detail: "the attempt ran out of time before the request was sent".to_owned(),
        })
    }

    fn not_rendered(not_rendered: NotRendered) -> Self {
        let NotRendered { path, reason } = not_rendered;
        Self::Before(Outcome::Permanent {
            code: ErrorCode::RequestNotRendered.into(),
            detail: format!("'{path}' in the adapter file does not match this order: {reason}"),
        })
    }

    fn of_question(self) -> Outcome {
        match self {
            Self::Before(outcome) => outcome,
            Self::OnTheWay(failure) => failure.of_read(),
        }
    }
}

impl Rendering {
    /// The cheapest request: a GET of the base URL.
    fn of_base_url() -> Self {
        Self { method: Method::GET, path: Vec::new(), query: Vec::new(), headers: Vec::new(), content: Content::None }
    }
}
