//! What the activities of Interlock take and answer. They are implemented elsewhere, in this language or another.
//!
//! Every input says whose it is: the tenant is part of it.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::ids::{CustomerRef, RealmId, ResourceId, TargetId, TenantId};
use interlock_domain::import::{ImportPart, PartReport};
use interlock_domain::message::{Delivery, ProvisionRequest, ToCustomer, ToResource};
use interlock_domain::order::Authority;
use interlock_domain::outcome::{ProvenHolderAnswer, ProvenOutcome};
use interlock_domain::recording::{Receipted, Requested};
use interlock_domain::sweep::{Cause, Finding, LeaseLedger, LeaseNews, Ledger, News, Tally};
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
pub use target_activities::{LookUp as LookUpActivity, Provision as ProvisionActivity};
pub use target_upkeep::{Probe as ProbeActivity, SetLimit as SetLimitActivity};
pub use tenant_upkeep::TenantStep as TenantStepActivity;

/// What a tenant's activities are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStep {
    /// The tenant.
    pub tenant: TenantId,
    /// What is to be prepared; none to count the customers with open orders.
    pub step: Option<Step>,
    /// What is set for the tenant by whoever on-boards it: who has other settings does not prepare it. None where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<TenantOutlook>,
}

/// What a tenant's activities answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum TenantStepAnswer {
    /// It is well.
    Done {
        /// What was found or done, in a sentence.
        detail: String,
    },
    /// So many customers have open orders.
    Counted {
        /// How many.
        customers: u64,
    },
    /// It is not well.
    Failed {
        /// Why.
        fault: StepFault,
    },
}

/// What a part's workflow, and its activity, are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInput {
    /// Whose list it is.
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

/// The question who has a resource, to its authority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookUp {
    /// The tenant in whose name it is asked.
    pub tenant: TenantId,
    /// Whom to ask, and how.
    pub authority: Authority,
    /// The resource.
    pub resource: ResourceId,
    /// What the answer is to repeat, so that it can be told from a result that a person gave in Temporal; none where the
    /// target's workers are not known to repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uuid>,
}

/// The rate limit that a target's queue is to get, in all namespaces in which it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitSetting {
    /// The target.
    pub target: TargetId,
    /// The limit over all namespaces together, and why.
    #[serde(rename = "standing")]
    pub record: LimitRecord,
}

/// The question whether a target is there, and how its queue stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetProbe {
    /// The target.
    pub target: TargetId,
}

/// What the sweep that ended last remembered, and what this one saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepSeen {
    /// What sweeps have found so far.
    pub ledger: Ledger,
    /// What is worth telling now, as far as it can be remembered.
    pub found: Vec<Finding>,
    /// How many others there are of each cause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Cause, u64>,
    /// How much there is of what waits, as far as this one saw.
    #[serde(default)]
    pub tally: Tally,
    /// Who did not answer, of those of whom something is known.
    pub unanswered: BTreeSet<String>,
    /// Whether it could not be found out who waits, so that only targets were looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub customers_unseen: bool,
    /// Where the next sweep goes on; none where all was looked at.
    pub cursor: Option<String>,
    /// Targets whose entities do not run, and could not be started again by the look: somebody terminated them, perhaps while
    /// the target's queue stood still.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub targets_not_running: BTreeSet<TargetId>,
    /// What resources and customers said of leases; none where a worker of an earlier build looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leases: Option<LeasesSeen>,
}

/// What came of comparing resources with customers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasesSeen {
    /// What is to be remembered of leases now.
    pub ledger: LeaseLedger,
    /// What is new.
    pub news: LeaseNews,
}

/// The activities that entities run within their own workflow tasks: short, idempotent, of Temporal itself.
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

    /// Sends a resource's messages to customers, and says of each whether there was anybody.
    #[activity(name = "notify")]
    pub fn notify(notification: Notification) -> Vec<Delivery> {
        unimplemented!()
    }
}

/// The same activities, run as normal ones on the entity's own queue: for what may leave only once the workflow task that
/// decided it is recorded. Their answers repeat the receipt of the request.
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

    /// Sends a resource's messages to customers, and says of each whether there was anybody.
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
    /// Carries out one step at its target.
    #[activity(name = "provision")]
    pub fn provision(request: ProvisionRequest) -> ProvenOutcome {
        unimplemented!()
    }

    /// Asks the authority who has a resource.
    #[activity(name = "look_up")]
    pub fn look_up(question: LookUp) -> ProvenHolderAnswer {
        unimplemented!()
    }
}

/// The activities that target entities run, on the jobs queues. They are no tenant's.
pub struct TargetUpkeep;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl TargetUpkeep {
    /// Tells the server the rate limit of a target's queue.
    #[activity(name = "set_limit")]
    pub fn set_limit(setting: LimitSetting) {
        unimplemented!()
    }

    /// Asks a target whether it is there, and the server how the target's queue stands.
    #[activity(name = "probe")]
    pub fn probe(probe: TargetProbe) -> ProbeAnswer {
        unimplemented!()
    }
}

/// The activities of a sweep, on a jobs queue of the namespace that is swept. They are no tenant's.
pub struct Sweeping;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl Sweeping {
    /// Looks at all that waits in the namespace, has those say it again who wait for what nobody knows of, and starts the
    /// entities of targets again that do not run.
    #[activity(name = "sweep")]
    pub fn look() -> SweepSeen {
        unimplemented!()
    }

    /// Tells what is new: as log lines, metrics and, where one is configured, to the webhook.
    #[activity(name = "announce")]
    pub fn announce(news: News) {
        unimplemented!()
    }

    /// Tries once more to start the entities of these targets again. Each asks how its target and its queue stand.
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
    /// Tells the ledger who has what, line by line, and says what became of the lines.
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
    /// Prepares or checks what a tenant needs, or counts what is left of it.
    #[activity(name = "tenant_step")]
    pub fn tenant_step(step: TenantStep) -> TenantStepAnswer {
        unimplemented!()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says of which field an input of this type complains when it has none at all.
    fn needs_first<T: serde::de::DeserializeOwned>() -> String {
        serde_json::from_str::<T>("{}").err().unwrap().to_string()
    }

    #[test]
    fn no_input_that_is_a_tenants_can_be_without_its_tenant() {
        assert!(needs_first::<CustomerRef>().contains("`tenant`"));
        assert!(needs_first::<ProvisionRequest>().contains("`tenant`"));
        assert!(needs_first::<LookUp>().contains("`tenant`"));
        // These name customers, and customers name their tenants.
        assert!(needs_first::<Admission>().contains("`customer`"));
        assert!(needs_first::<Sending>().contains("`from`"));
        // A resource that tenants share is its realm's; each message names its customer.
        assert!(needs_first::<Notification>().contains("`realm`"));
    }
}
