//! What an adapter is: the operations of one target, each answered by an outcome class.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{Epoch, OrderId, ResourceId, ResourceKind, TargetId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// One call of one adapter operation: one attempt of one step.
///
/// Its `Debug` form leaves the values of `data` out: they are personal.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// The tenant whose order it is.
    pub tenant: TenantId,
    /// The order that the step belongs to. It names the customer too.
    pub order: OrderId,
    /// The target that is called.
    pub target: TargetId,
    /// The adapter operation, e.g. `assign_number`.
    pub operation: String,
    /// The operation's arguments.
    pub data: Map<String, Value>,
    /// The key of the step: the same for every attempt of it, different for every other step.
    pub idempotency_key: Uuid,
    /// The epoch of the first resource that the step names, where it names one.
    pub epoch: Option<Epoch>,
    /// The epochs of all resources that the step names.
    pub epochs: BTreeMap<ResourceId, Epoch>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How long this attempt may take as a whole. No write is begun after it.
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

/// What a target does with the epoch that comes with a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// It refuses a call whose epoch is lower than one it has seen.
    Enforced,
    /// It keeps it, so that a person can see it.
    Recorded,
    /// It does not know it.
    #[default]
    None,
}

/// What is to be done after an attempt that may or may not have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguous {
    /// Wait until it can no longer land, read back, then send if it is not there.
    Verify,
    /// Send again: the target knows the idempotency key, or a second effect does no harm.
    Resend,
    /// Wait for a person.
    Hold,
    /// End the step as failed: late is worse than never.
    GiveUp,
}

/// How far the promise "once" goes for one operation of one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// What the target does with epochs.
    pub fence: Fence,
    /// Whether the effect can be read back ([`Adapter::verify`]).
    pub verify: bool,
    /// Whether the target carries out a call only once per idempotency key.
    pub idempotency_keys: bool,
    /// What is to be done after an ambiguous attempt.
    pub on_ambiguous: OnAmbiguous,
    /// How long after it was sent a request may still land, at most. On the wire in milliseconds.
    #[serde(rename = "max_apply_delay_ms", with = "crate::durations::milliseconds")]
    pub max_apply_delay: Duration,
}

/// What reading back says of a call that may or may not have had its effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verification", rename_all = "snake_case")]
pub enum Verification {
    /// It had its effect.
    Applied,
    /// It had none, or only a part of it: sending it again completes it.
    NotApplied,
    /// It had none, and the resource is registered to somebody else.
    InUse {
        /// Who has it, as the target names them, where it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<String>,
    },
    /// Nobody can say yet: ask again, or a person.
    Unclear {
        /// A sentence for a person.
        detail: String,
    },
}

/// Who a target has one resource registered to, as [`Adapter::list_holders`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedHolder {
    /// The resource's id.
    pub id: String,
    /// Who has it, as the target names them; none where a row of the target's names nobody.
    pub target_identity: Option<String>,
}

/// A part of what a target has registered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HolderPage {
    /// Its entries. The same resource may come several times, on one page and on others: with the same party once for each place
    /// in which the target keeps it, with different ones where the target contradicts itself.
    pub holders: Vec<ListedHolder>,
    /// Whether no page follows.
    pub is_last: bool,
}

/// The plugin that speaks to one target.
///
/// All operations are idempotent: where the target is already as the call wants it, the answer is
/// [`Outcome::AlreadyDone`]. An adapter never panics, and never sends a write after the call's time is over.
#[async_trait]
pub trait Adapter: Send + Sync {
    /// How far the promises go for this operation. An operation that the adapter does not know gets an answer too.
    fn capabilities(&self, operation: &str) -> Capabilities;

    /// Carries out one attempt and says what became of it.
    ///
    /// [`Outcome::Ambiguous`] is answered wherever a request was sent whose effect is not known, or where only a part
    /// of the operation is known to be in place; every other class says what it says for certain.
    async fn call(&self, call: &Call) -> Outcome;

    /// Reads back whether a call, sent by an earlier attempt, had its effect. Changes nothing at the target.
    ///
    /// To be asked only after `max_apply_delay` has passed since the attempt, with the same data and key; its questions
    /// may take the call's `timeout` as a whole.
    async fn verify(&self, call: &Call) -> Verification;

    /// Says who the target has a resource registered to. `tenant` is in whose name it is asked.
    ///
    /// # Errors
    /// An outcome class, as [`Adapter::call`] would answer it: the question could not be asked.
    async fn find_holder(&self, tenant: &TenantId, resource: &ResourceId) -> Result<HolderAnswer, Outcome>;

    /// Reads a page of all resources of a kind that the target has registered, from page 0, in every place where it keeps them.
    /// For the day on which the ledger is filled: what is registered while it reads may be on no page.
    ///
    /// # Errors
    /// An outcome class: the page could not be read. [`Outcome::Permanent`] `cannot_list_holders` where the target cannot say.
    async fn list_holders(&self, kind: &ResourceKind, page: u32) -> Result<HolderPage, Outcome> {
        let _ = page;
        Err(Outcome::Permanent {
            code: ErrorCode::CannotListHolders.into(),
            detail: format!("this target cannot list every registered {kind}"),
        })
    }

    /// What the target has registered under a party, in every place where it keeps it: the numbers of a SIM, say. None where the
    /// target has nothing under it, or the adapter cannot say. Its questions may take the call's `timeout` as a whole.
    ///
    /// # Errors
    /// An outcome class, as [`Adapter::call`] would answer it: the question could not be asked.
    async fn registered_under(&self, call: &Call, target_identity: &ResourceId) -> Result<Vec<ResourceId>, Outcome> {
        let _ = (call, target_identity);
        Ok(Vec::new())
    }

    /// Asks the target whether it is there, in the cheapest way that it has.
    ///
    /// # Errors
    /// An outcome class that says why not, usually [`Outcome::Unavailable`].
    async fn health(&self) -> Result<(), Outcome>;
}
