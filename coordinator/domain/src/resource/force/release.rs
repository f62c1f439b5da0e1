//! A forced release: the request, its progress, and its answer.

use serde::{Deserialize, Serialize};

use crate::action_mark::{ActionMark, caller_of};
use crate::error_code::ReasonCode;
use crate::ids::{Epoch, TenantId, Timestamp};
use crate::kept_text::kept;
use crate::message::ForcedBy;
use crate::order::ResourcePolicy;

/// A person's forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceRelease {
    /// Identifies it: the same id again changes nothing.
    pub action_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether to continue even if the target still has it registered to the holder, or does not say; this is recorded in the
    /// history.
    #[serde(default)]
    pub even_if_registered: bool,
    /// Whether it is only allowed for leases of the tenant's own customers: the caller has no right over the realm that tenants share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_only: bool,
    /// The tenant in whose name the target is asked.
    pub tenant: TenantId,
    /// What the entity must know of its kind, if no ticket named an authority.
    #[serde(default)]
    pub policy: ResourcePolicy,
}

impl ForceRelease {
    /// Actor and reason, for the journal of the customer that loses the resource.
    pub(super) fn words(&self) -> ForcedBy {
        ForcedBy { tenant: self.tenant.clone(), actor: self.actor.clone(), reason: self.reason.clone() }
    }

    /// Whether both have the same caller and the same id.
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

/// The result of a forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ForceAnswer {
    /// The holder no longer has it.
    Released,
    /// Nothing changed.
    Refused {
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
}

/// A running forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forcing {
    /// The request.
    pub release: ForceRelease,
    /// The epoch of the lease to take back; none if it has no known holder.
    pub epoch: Option<Epoch>,
    /// Who is being asked now.
    pub stage: ForceStage,
    /// Until when.
    pub answer_by: Timestamp,
    /// The other party that is registered, as the target says.
    #[serde(rename = "other_party")]
    pub other_target_identity: Option<String>,
    /// What must be recorded in the history.
    pub marks: Vec<String>,
    /// When the authority was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

impl Forcing {
    /// Actor and reason.
    pub(in crate::resource) fn by(&self) -> (String, String) {
        let ForceRelease { actor, reason, .. } = &self.release;
        (kept(actor.clone()), kept(reason.clone()))
    }

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
    /// The tenant: tenants that share a realm may use the same id. None if 0.1.0 answered it, which did not distinguish
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// A digest of the caller and the content ([`ActionMark`]). Absent if an earlier build answered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The answer.
    pub answer: ForceAnswer,
}
