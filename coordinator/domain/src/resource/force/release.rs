//! A forced release: what was asked for, how far it is, and its answer.

use serde::{Deserialize, Serialize};

use crate::action_mark::{ActionMark, caller_of};
use crate::error_code::ReasonCode;
use crate::ids::{Epoch, TenantId, Timestamp};
use crate::message::ForcedBy;
use crate::order::ResourcePolicy;

/// A person's forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceRelease {
    /// Names it: the same id again changes nothing.
    pub action_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether to go on where the target has it registered to the holder still, or does not say; it is marked in the
    /// history.
    #[serde(default)]
    pub even_if_registered: bool,
    /// Whether it is only for what the tenant's own customers have: whoever asks has no right over the realm that tenants share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_only: bool,
    /// The tenant in whose name the target is asked.
    pub tenant: TenantId,
    /// What the entity needs to know of its kind, where no ticket told it of an authority.
    #[serde(default)]
    pub policy: ResourcePolicy,
}

impl ForceRelease {
    /// Who asks, and why, for the journal of whoever loses the resource.
    pub(super) fn words(&self) -> ForcedBy {
        ForcedBy { tenant: self.tenant.clone(), actor: self.actor.clone(), reason: self.reason.clone() }
    }

    /// Whether the two are of one caller, and have one id.
    pub(super) fn is_named_as(&self, other: &Self) -> bool {
        self.tenant == other.tenant
            && caller_of(&self.actor) == caller_of(&other.actor)
            && self.action_id == other.action_id
    }

    /// How it is remembered.
    pub fn mark(&self) -> ActionMark {
        ActionMark::of(&self.actor, &self.action_id, &(&self.reason, self.even_if_registered))
    }
}

/// What became of a forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ForceAnswer {
    /// The holder does not have it any more.
    Released,
    /// It is as it was.
    Refused {
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
}

/// A forced release under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forcing {
    /// What was asked for.
    pub release: ForceRelease,
    /// The epoch of the lease that is to come back; none where nobody is known to have it.
    pub epoch: Option<Epoch>,
    /// Who is being asked.
    pub stage: ForceStage,
    /// Until when.
    pub answer_by: Timestamp,
    /// Who else is registered, as the target says.
    #[serde(rename = "other_party")]
    pub other_target_identity: Option<String>,
    /// What is to be marked in the history.
    pub marks: Vec<String>,
    /// When the authority was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

impl Forcing {
    pub(super) fn detail(&self) -> String {
        let said = format!("{}: {}", self.release.actor, self.release.reason);
        std::iter::once(said).chain(self.marks.iter().cloned()).collect::<Vec<_>>().join("; ")
    }
}

/// Who is being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForceStage {
    /// The authority.
    Authority,
    /// The holder's entity.
    Holder,
}

/// A forced release that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredForce {
    /// Its action id.
    pub action_id: String,
    /// Whose it is: tenants that share a realm may give the same id. None where 0.1.0 answered it, which did not tell them
    /// apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Of which caller it was, and what it said ([`ActionMark`]). Absent where an earlier build answered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The answer.
    pub answer: ForceAnswer,
}
