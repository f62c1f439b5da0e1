//! The adapter trait: the operations of one target, each answered with an outcome class.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::attempt::JobAnswer;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerRef, Epoch, OrderId, ResourceId, ResourceKind, TargetId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::outgoing::OutgoingEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// One call of an adapter operation, which is one attempt of one step.
///
/// Its `Debug` form omits the values of `data`, since they are personal.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// The tenant that the order belongs to.
    pub tenant: TenantId,
    /// The order that the step belongs to. It also names the customer.
    pub order: OrderId,
    /// The target to call.
    pub target: TargetId,
    /// The adapter operation, e.g. `assign_number`.
    pub operation: String,
    /// The operation's arguments.
    pub data: Map<String, Value>,
    /// The key of the step: the same for all its attempts, different for every other step.
    pub idempotency_key: Uuid,
    /// The epoch of the first resource that the step names, if it names one.
    pub epoch: Option<Epoch>,
    /// The epochs of all resources that the step names.
    pub epochs: BTreeMap<ResourceId, Epoch>,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Where the target can report that a job is over, if such reports are configured.
    pub callback_url: Option<String>,
    /// The time limit of the whole attempt. No write may begin after it.
    pub timeout: Duration,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("tenant", &self.tenant)
            .field("order", &self.order)
            .field("target", &self.target)
            .field("operation", &self.operation)
            .field("data", &self.data.keys().collect::<Vec<_>>())
            .field("idempotency_key", &self.idempotency_key)
            .field("epoch", &self.epoch)
            .field("attempt", &self.attempt)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What a target does with the epoch of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// It rejects a call whose epoch is lower than the highest it has seen.
    Enforced,
    /// It stores the epoch, so that a person can see it.
    Recorded,
    /// It ignores the epoch.
    #[default]
    None,
}

/// What to do after an ambiguous attempt, that is, one that may or may not have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguous {
    /// Wait until the request can no longer take effect, read back, then send again if the effect is missing.
    Verify,
    /// Send again: the target honours the idempotency key, or a second effect does no harm.
    Resend,
    /// Hold the step until a person decides.
    Hold,
    /// End the step as failed, since a late effect is worse than none.
    GiveUp,
}

/// Which guarantees of "once" hold for one operation of one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// What the target does with epochs.
    pub fence: Fence,
    /// Whether the effect of a call can be read back ([`Adapter::verify`]).
    pub verify: bool,
    /// Whether the target performs a call only once per idempotency key.
    pub idempotency_keys: bool,
    /// What to do after an ambiguous attempt.
    pub on_ambiguous: OnAmbiguous,
    /// The longest time after sending in which a request may still take effect. In milliseconds on the wire.
    #[serde(rename = "max_apply_delay_ms", with = "crate::durations::milliseconds")]
    pub max_apply_delay: Duration,
}

/// The longest name of a job, in bytes. A longer one cannot be kept.
pub(crate) const JOB_BYTES_MAX: usize = 500;

/// The result of reading back a call that may or may not have taken effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verification", rename_all = "snake_case")]
pub enum Verification {
    /// The call took effect.
    Applied,
    /// It had no effect, or only a part of it; sending it again completes it.
    NotApplied,
    /// It had no effect, and the resource is registered to somebody else.
    InUse {
        /// The holder, in the target's terms, if the target names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<String>,
    },
    /// It is a job that the target works on.
    Accepted {
        /// The target's name for the job.
        job: String,
    },
    /// Unknown for now: read back again, or let a person decide.
    Unclear {
        /// A sentence for a person.
        detail: String,
    },
}

/// The holder that a target has registered for one resource, as [`Adapter::list_holders`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedHolder {
    /// The resource's id.
    pub id: String,
    /// The holder, in the target's terms. `None` if the target's row has no holder.
    pub target_identity: Option<String>,
}

/// A page of the target's registrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HolderPage {
    /// The entries. The same resource may appear several times, on one page or on several: with the same party once for each place in
    /// which the target stores it, and with different parties if the target contradicts itself.
    pub holders: Vec<ListedHolder>,
    /// Whether this is the last page.
    pub is_last: bool,
}

/// The outcome of a query that an adapter does not have.
pub(crate) fn unknown_query(name: &str) -> Outcome {
    Outcome::Permanent {
        code: ErrorCode::UnknownQuery.into(),
        detail: format!("the target's adapter does not have the query '{name}'"),
    }
}

/// The plugin that speaks to one target.
///
/// All operations are idempotent: if the target is already in the state that the call asks for, the outcome is
/// [`Outcome::AlreadyDone`]. An adapter never panics, and never sends a write after the call's time is over.
#[async_trait]
pub trait Adapter: Send + Sync {
    /// The guarantees for this operation. They also exist for operations that the adapter does not know.
    fn capabilities(&self, operation: &str) -> Capabilities;

    /// Makes one attempt and returns its outcome.
    ///
    /// The outcome is [`Outcome::Ambiguous`] if a request was sent and its effect is unknown, or if only a part of the operation is
    /// known to be in place. All other classes are certain.
    async fn call(&self, call: &Call) -> Outcome;

    /// Reads back whether a call that an earlier attempt sent took effect. It changes nothing at the target.
    ///
    /// Call this only after `max_apply_delay` has passed since the attempt, with the same data and key. All its requests together may
    /// take the call's `timeout`.
    async fn verify(&self, call: &Call) -> Verification;

    /// Asks about the job as which the target accepted this call ([`Outcome::Accepted`]). It changes nothing at the target. All its
    /// requests together may take the call's `timeout`.
    async fn poll(&self, call: &Call, job: &str) -> JobAnswer {
        let _ = call;
        JobAnswer::Unknown { detail: format!("this adapter cannot ask about the job '{job}'") }
    }

    /// Returns the holder that the target has registered for a resource. `tenant` is the tenant that asks.
    ///
    /// # Errors
    /// An outcome class, as [`Adapter::call`] would return it, if the target could not be asked.
    async fn find_holder(&self, tenant: &TenantId, resource: &ResourceId) -> Result<HolderAnswer, Outcome>;

    /// Reads a page of all resources of a kind that the target has registered, from page 0, in every place where the target stores
    /// them. This fills the ledger at the start. Registrations that change during the read may be on no page.
    ///
    /// # Errors
    /// An outcome class if the page could not be read. [`Outcome::Permanent`] `cannot_list_holders` if the target has no such list.
    async fn list_holders(&self, kind: &ResourceKind, page: u32) -> Result<HolderPage, Outcome> {
        let _ = page;
        Err(Outcome::Permanent {
            code: ErrorCode::CannotListHolders.into(),
            detail: format!("this target cannot list every registered {kind}"),
        })
    }

    /// The resources that the target has registered under a party, in every place where it stores them: the numbers of a SIM, for
    /// example. `None` if there are none, or if the adapter cannot find out. All requests together may take the call's `timeout`.
    ///
    /// # Errors
    /// An outcome class, as [`Adapter::call`] would return it, if the target could not be asked.
    async fn registered_under(&self, call: &Call, target_identity: &ResourceId) -> Result<Vec<ResourceId>, Outcome> {
        let _ = (call, target_identity);
        Ok(Vec::new())
    }

    /// Asks what the target knows: the query `name` of its adapter file, with these arguments. It changes nothing at the target. All
    /// its requests together may take `timeout`.
    ///
    /// Each part of the answer that the query describes is in the result, and is null if the target does not have it.
    ///
    /// # Errors
    /// An outcome class, as [`Adapter::call`] would return it, if the target could not be asked. [`Outcome::Permanent`] `unknown_query`
    /// if the adapter does not have this query.
    async fn query(
        &self,
        tenant: &TenantId,
        name: &str,
        arguments: &Map<String, Value>,
        timeout: Duration,
    ) -> Result<Map<String, Value>, Outcome> {
        let _ = (tenant, arguments, timeout);
        Err(unknown_query(name))
    }

    /// Tells a subscription's receiver of one event. `sender` is the customer that it is about.
    ///
    /// The receiver has taken it if the outcome is [`Outcome::Done`] or [`Outcome::AlreadyDone`]. [`Outcome::Permanent`]
    /// `subscription_ended`: the receiver wants no more. After any other outcome it must be sent again.
    async fn deliver(&self, sender: &CustomerRef, event: &OutgoingEvent) -> Outcome {
        let _ = (sender, event);
        Outcome::unavailable(
            "this target's adapter delivers no events; a subscription needs one with adapter = \"webhook\"",
        )
    }

    /// Asks the target whether it is up, in the cheapest way it offers.
    ///
    /// # Errors
    /// An outcome class that gives the reason if it is not, usually [`Outcome::Unavailable`].
    async fn health(&self) -> Result<(), Outcome>;
}
