//! The inputs and outputs of Interlock's activities. Other crates implement them, or programs in other languages.
//!
//! Every input contains the tenant that it belongs to.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::ids::{CustomerRef, RealmId, ResourceId, TargetId, TenantId};
use interlock_domain::import::{ImportPart, PartReport};
use interlock_domain::message::{Delivery, ProvisionRequest, ToCustomer, ToResource};
use interlock_domain::order::Authority;
use interlock_domain::outcome::{ProvenHolderAnswer, ProvenOutcome};
use interlock_domain::outgoing::{DeliveryAnswer, OutgoingBatch};
use interlock_domain::recording::{Receipted, Requested};
use interlock_domain::sweep::{Cause, Finding, LeaseLedger, LeaseNews, Ledger, MisplacedRun, News, Tally};
use interlock_domain::target_entity::{LimitRecord, ProbeAnswer};
use interlock_domain::tenant::{Step, StepFault, TenantOutlook};
use serde::{Deserialize, Serialize};
use temporalio_macros::activity_definitions;
use uuid::Uuid;

pub use importing::ImportPart as ImportPartActivity;
pub use local_activities::{Admit as AdmitActivity, Notify as NotifyActivity, Send as SendActivity};
pub use recorded_activities::{
    AdmitRecorded as AdmitRecordedActivity, NotifyRecorded as NotifyRecordedActivity,
    SendRecorded as SendRecordedActivity,
};
pub use sweeping::{Announce as AnnounceActivity, Look as LookActivity, Revive as ReviveActivity};
pub use target_activities::{Deliver as DeliverActivity, LookUp as LookUpActivity, Provision as ProvisionActivity};
pub use target_upkeep::{Probe as ProbeActivity, SetLimit as SetLimitActivity};
pub use tenant_upkeep::TenantStep as TenantStepActivity;

/// The input of a tenant's activities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStep {
    /// The tenant.
    pub tenant: TenantId,
    /// What to prepare. `None`: count the customers with open orders.
    pub step: Option<Step>,
    /// The settings that were given when the tenant was on-boarded. A worker with other settings does not prepare the tenant. `None` if
    /// none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<TenantOutlook>,
}

/// The answer of a tenant's activities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum TenantStepAnswer {
    /// Success.
    Done {
        /// What was found or done, in a sentence.
        detail: String,
    },
    /// The number of customers with open orders.
    Counted {
        /// How many.
        customers: u64,
    },
    /// Failure.
    Failed {
        /// The reason.
        fault: StepFault,
    },
}

/// The input of a part's workflow and of its activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInput {
    /// The tenant of the list.
    pub tenant: TenantId,
    /// The part.
    pub part: ImportPart,
}

/// Messages of one customer to resources, to be sent in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sending {
    /// Who sends.
    pub from: CustomerRef,
    /// The messages.
    pub messages: Vec<(ResourceId, ToResource)>,
}

/// Messages of one resource to customers, to be sent in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The realm of the resource that sends.
    pub realm: RealmId,
    /// The messages.
    pub messages: Vec<(CustomerRef, ToCustomer)>,
}

/// A request to a resource's authority for its holder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookUp {
    /// The tenant in whose name it is asked.
    pub tenant: TenantId,
    /// Whom to ask, and how.
    pub authority: Authority,
    /// The resource.
    pub resource: ResourceId,
    /// The proof that the answer must repeat, which tells it from a result that an operator entered in Temporal. `None` if the target's
    /// workers are not known to repeat proofs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uuid>,
}

/// The rate limit to set on a target's queue, in all namespaces in which it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitSetting {
    /// The target.
    pub target: TargetId,
    /// The limit for all namespaces together, and its reason.
    #[serde(rename = "standing")]
    pub record: LimitRecord,
}

/// A request to check whether a target is up, and to read the state of its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetProbe {
    /// The target.
    pub target: TargetId,
}

/// What the last sweep remembered, and what this one saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepSeen {
    /// All findings of sweeps so far.
    pub ledger: Ledger,
    /// The findings that are worth reporting now, as far as they can be remembered.
    pub found: Vec<Finding>,
    /// The number of other findings of each cause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Cause, u64>,
    /// The amount of waiting work, as far as this sweep saw.
    #[serde(default)]
    pub tally: Tally,
    /// The known entities that did not answer.
    pub unanswered: BTreeSet<String>,
    /// Whether the waiting entities could not be listed, so that the sweep looked only at targets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub customers_unseen: bool,
    /// Where the next sweep continues. `None` if this one saw everything.
    pub cursor: Option<String>,
    /// Targets whose entities do not run and could not be restarted by the look. Somebody terminated them, perhaps while the target's
    /// queue was stopped.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub targets_not_running: BTreeSet<TargetId>,
    /// What resources and customers reported about leases. `None` if a worker of an earlier build looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leases: Option<LeasesSeen>,
    /// The runs that no worker executes. `None` if a worker of an earlier build looked, or if they could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misplaced: Option<Vec<MisplacedRun>>,
}

/// The result of comparing resources with customers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasesSeen {
    /// What to remember about leases now.
    pub ledger: LeaseLedger,
    /// The new findings.
    pub news: LeaseNews,
}

/// The activities that entities run within their own workflow tasks. They are short, idempotent, and call only Temporal.
pub struct LocalActivities;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl LocalActivities {
    /// Plans a customer's new events and puts their tickets into the resources' queues.
    #[activity(name = "admit")]
    pub fn admit(admission: Admission) -> AdmissionAnswer {
        unimplemented!()
    }

    /// Sends a customer's messages to resources.
    #[activity(name = "send")]
    pub fn send(sending: Sending) {
        unimplemented!()
    }

    /// Sends a resource's messages to customers, and returns for each whether its customer runs.
    #[activity(name = "notify")]
    pub fn notify(notification: Notification) -> Vec<Delivery> {
        unimplemented!()
    }
}

/// The same activities as normal ones on the entity's own queue, for messages that may be sent only after the workflow task that
/// decided them is recorded. Their answers repeat the receipt of the request.
pub struct RecordedActivities;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl RecordedActivities {
    /// Plans a customer's new events and puts their tickets into the resources' queues.
    #[activity(name = "admit_recorded")]
    pub fn admit_recorded(request: Requested<Admission>) -> Receipted<AdmissionAnswer> {
        unimplemented!()
    }

    /// Sends a customer's messages to resources.
    #[activity(name = "send_recorded")]
    pub fn send_recorded(request: Requested<Sending>) -> Receipted<()> {
        unimplemented!()
    }

    /// Sends a resource's messages to customers, and returns for each whether its customer runs.
    #[activity(name = "notify_recorded")]
    pub fn notify_recorded(request: Requested<Notification>) -> Receipted<Vec<Delivery>> {
        unimplemented!()
    }
}

/// The activities that run on a target's own queue.
pub struct TargetActivities;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl TargetActivities {
    /// Performs one step at its target.
    #[activity(name = "provision")]
    pub fn provision(request: ProvisionRequest) -> ProvenOutcome {
        unimplemented!()
    }

    /// Asks the authority who has a resource.
    #[activity(name = "look_up")]
    pub fn look_up(question: LookUp) -> ProvenHolderAnswer {
        unimplemented!()
    }

    /// Delivers events to a subscription's receiver, in order. It ends when the receiver has taken all of them.
    #[activity(name = "deliver")]
    pub fn deliver(batch: OutgoingBatch) -> DeliveryAnswer {
        unimplemented!()
    }
}

/// The activities that target entities run, on the jobs queues. They belong to no tenant.
pub struct TargetUpkeep;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl TargetUpkeep {
    /// Sets the rate limit of a target's queue on the server.
    #[activity(name = "set_limit")]
    pub fn set_limit(setting: LimitSetting) {
        unimplemented!()
    }

    /// Asks a target whether it is up, and the server for the state of the target's queue.
    #[activity(name = "probe")]
    pub fn probe(probe: TargetProbe) -> ProbeAnswer {
        unimplemented!()
    }
}

/// The activities of a sweep, on a jobs queue of the namespace. They belong to no tenant.
pub struct Sweeping;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl Sweeping {
    /// Looks at all waiting work of the namespace, makes customers repeat claims that no resource knows of, and restarts the entities
    /// of targets that do not run.
    #[activity(name = "sweep")]
    pub fn look() -> SweepSeen {
        unimplemented!()
    }

    /// Reports new findings: in the log, in metrics and, if one is configured, to the webhook.
    #[activity(name = "announce")]
    pub fn announce(news: News) {
        unimplemented!()
    }

    /// Tries again to restart the entities of these targets. Each then reads the state of its target and queue.
    #[activity(name = "revive_targets")]
    pub fn revive(targets: BTreeSet<TargetId>) {
        unimplemented!()
    }
}

/// The activities of an import of leases, on a tenant_ops queue of the tenant's namespace.
pub struct Importing;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl Importing {
    /// Writes the holders of a list to the ledger, line by line, and returns the result of each line.
    #[activity(name = "import_part")]
    pub fn import_part(input: PartInput) -> PartReport {
        unimplemented!()
    }
}

/// The activity of tenants' workflows, on the tenant_ops queues.
pub struct TenantUpkeep;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl TenantUpkeep {
    /// Prepares or checks what a tenant needs, or counts its remaining work.
    #[activity(name = "tenant_step")]
    pub fn tenant_step(step: TenantStep) -> TenantStepAnswer {
        unimplemented!()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The field that an input of this type reports as missing if it has no fields.
    fn needs_first<T: serde::de::DeserializeOwned>() -> String {
        serde_json::from_str::<T>("{}").err().unwrap().to_string()
    }

    #[test]
    fn every_input_that_belongs_to_a_tenant_requires_the_tenant() {
        assert!(needs_first::<CustomerRef>().contains("`tenant`"));
        assert!(needs_first::<ProvisionRequest>().contains("`tenant`"));
        assert!(needs_first::<LookUp>().contains("`tenant`"));
        assert!(needs_first::<OutgoingBatch>().contains("`tenant`"));
        // These name customers, and customers name their tenants.
        assert!(needs_first::<Admission>().contains("`customer`"));
        assert!(needs_first::<Sending>().contains("`from`"));
        // A resource that tenants share belongs to its realm. Each message names its customer.
        assert!(needs_first::<Notification>().contains("`realm`"));
    }
}
