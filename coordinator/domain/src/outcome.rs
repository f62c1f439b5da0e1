//! The outcome of a call to a target: an outcome class, never just an error.

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::error_code::{ErrorCode, ReasonCode};
use crate::kept_text::kept;

/// The outcome class of one call of one adapter operation.
///
/// On the wire it is an object tagged by `class`: `{"class":"done"}`, `{"class":"permanent","code":"…","detail":"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Outcome {
    /// The target confirmed the effect.
    Done,
    /// The target already had the state that the call asks for.
    AlreadyDone,
    /// The target accepted the call as a job that it has not ended. An attempt asks about the job; it is never the outcome of a step.
    Accepted {
        /// The target's name for the job.
        job: String,
        /// When to ask about it, in milliseconds from now, if the target says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        poll_after_ms: Option<u64>,
        /// A sentence for a person.
        detail: String,
    },
    /// The target has the resource registered to another customer. Nothing was changed.
    InUse {
        /// Who has it, as the target names them (an IMSI, …), if it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<String>,
    },
    /// Worth trying again soon; nothing was changed.
    Transient {
        /// A sentence for a person.
        detail: String,
    },
    /// The target asks for less load; nothing was changed.
    Throttled {
        /// How long to wait, in milliseconds, if the target says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// A sentence for a person.
        detail: String,
    },
    /// The target cannot be reached or says that it is out of service; nothing was sent or nothing was changed.
    Unavailable {
        /// How long to wait, in milliseconds, if the target says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// What is wrong with the target as a whole, if that is known: a stable code, e.g. `redirected`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<ReasonCode>,
        /// A sentence for a person.
        detail: String,
    },
    /// The target will never accept this call as it is.
    Permanent {
        /// A stable code, e.g. `unknown_subscriber`: of the catalogue of errors, or the target's own.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
    /// The call may or may not have had its effect.
    Ambiguous {
        /// A sentence for a person.
        detail: String,
    },
}

/// An outcome as the activity `provision` returns it: with the proof of the request, which distinguishes it
/// from a result that a person entered in Temporal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenOutcome {
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// [`ProvisionRequest::proof`](crate::message::ProvisionRequest::proof); none if the worker does not repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uuid>,
    /// How often its attempts sent the request to the target; none if the worker does not say.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "count_if_readable")]
    pub calls: Option<u32>,
}

/// A count, or none if it is not one: an outcome does not become unreadable by it.
fn count_if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let said = serde_json::Value::deserialize(deserializer)?;
    Ok(said.as_u64().and_then(|count| u32::try_from(count).ok()))
}

impl ProvenOutcome {
    /// Whether a worker returned it, as far as a request with this proof can tell.
    pub fn is_proven(&self, asked: Option<Uuid>) -> bool {
        asked.is_none() || self.proof == asked
    }
}

impl Outcome {
    /// A target that is unavailable, and does not say for how long.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable { retry_after_ms: None, cause: None, detail: detail.into() }
    }

    /// A target that no call reaches until a person corrects this cause.
    pub fn misconfigured(cause: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Unavailable { retry_after_ms: None, cause: Some(cause.into()), detail: detail.into() }
    }

    /// The same, with as much of its texts as entities keep.
    #[must_use]
    pub fn kept(self) -> Self {
        match self {
            Self::Done | Self::AlreadyDone => self,
            Self::Accepted { job, poll_after_ms, detail } => {
                Self::Accepted { job: kept(job), poll_after_ms, detail: kept(detail) }
            }
            Self::InUse { holder } => Self::InUse { holder: holder.map(kept) },
            Self::Transient { detail } => Self::Transient { detail: kept(detail) },
            Self::Throttled { retry_after_ms, detail } => Self::Throttled { retry_after_ms, detail: kept(detail) },
            Self::Unavailable { retry_after_ms, cause, detail } => Self::Unavailable {
                retry_after_ms,
                cause: cause.map(|cause| ReasonCode::of_target(kept(cause))),
                detail: kept(detail),
            },
            Self::Permanent { code, detail } => {
                Self::Permanent { code: ReasonCode::of_target(kept(code)), detail: kept(detail) }
            }
            Self::Ambiguous { detail } => Self::Ambiguous { detail: kept(detail) },
        }
    }

    /// Its sentence for a person, if it has one.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Done | Self::AlreadyDone | Self::InUse { .. } => None,
            Self::Accepted { detail, .. }
            | Self::Transient { detail }
            | Self::Throttled { detail, .. }
            | Self::Unavailable { detail, .. }
            | Self::Permanent { detail, .. }
            | Self::Ambiguous { detail } => Some(detail),
        }
    }

    /// The same sentence, or the class in its place.
    pub fn words(&self) -> &str {
        self.detail().filter(|detail| !detail.is_empty()).unwrap_or_else(|| self.class())
    }

    /// How long the target asks not to be called, in milliseconds, if it says so.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after_ms, .. } | Self::Unavailable { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// The class as written on the wire, for logs, metrics and views.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadyDone => "already_done",
            Self::Accepted { .. } => "accepted",
            Self::InUse { .. } => "in_use",
            Self::Transient { .. } => "transient",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Permanent { .. } => "permanent",
            Self::Ambiguous { .. } => "ambiguous",
        }
    }

    /// Whether the effect is known to have happened.
    pub fn is_effective(&self) -> bool {
        matches!(self, Self::Done | Self::AlreadyDone)
    }

    /// Whether the retry policy sends the call again without anyone's decision.
    pub fn is_retried(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Throttled { .. } | Self::Unavailable { .. })
    }
}

/// What a target answers when asked who has a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum HolderAnswer {
    /// Registered to this party, as the target names it (an IMSI, …).
    #[serde(rename = "party")]
    TargetIdentity {
        /// The name.
        #[serde(rename = "party")]
        target_identity: String,
    },
    /// Registered to no party.
    Nobody,
    /// The target contradicts itself, or cannot say.
    Unclear {
        /// A sentence for a person.
        detail: String,
    },
}

/// What the activity `look_up` returns: with the proof of the question, which distinguishes it from a result
/// that a person entered in Temporal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenHolderAnswer {
    /// The answer.
    #[serde(flatten)]
    pub answer: HolderAnswer,
    /// The proof of the question; none if the worker does not repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uuid>,
}

impl ProvenHolderAnswer {
    /// Whether a worker returned it, as far as a question with this proof can tell.
    pub fn is_proven(&self, asked: Option<Uuid>) -> bool {
        asked.is_none() || self.proof == asked
    }
}

impl HolderAnswer {
    /// The same, with as much of its text as entities keep.
    #[must_use]
    pub fn kept(self) -> Self {
        match self {
            Self::TargetIdentity { target_identity } => Self::TargetIdentity { target_identity: kept(target_identity) },
            Self::Nobody => Self::Nobody,
            Self::Unclear { detail } => Self::Unclear { detail: kept(detail) },
        }
    }

    /// The answer as written on the wire, for logs and journals.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TargetIdentity { .. } => "party",
            Self::Nobody => "nobody",
            Self::Unclear { .. } => "unclear",
        }
    }
}
