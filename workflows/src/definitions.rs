//! What the activities of Interlock take and answer. They are implemented elsewhere, in this language or another.
//!
//! Every input says whose it is: the tenant is part of it.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::customer::{Admission, AdmissionAnswer};
use interlock_domain::ids::{CustomerRef, RealmId, ResourceId, TenantId};
use interlock_domain::message::{Delivery, ProvisionRequest, ToCustomer, ToResource};
use interlock_domain::order::Authority;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde::{Deserialize, Serialize};
use temporalio_macros::activity_definitions;

pub use local_activities::{Admit as AdmitActivity, Notify as NotifyActivity, Send as SendActivity};
pub use target_activities::{LookUp as LookUpActivity, Provision as ProvisionActivity};

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

/// The activities that run on a target's own queue.
pub struct TargetActivities;

#[activity_definitions]
#[allow(clippy::needless_pass_by_value, reason = "a definition has no body that could consume its argument")]
impl TargetActivities {
    /// Carries out one step at its target.
    #[activity(name = "provision")]
    pub fn provision(request: ProvisionRequest) -> Outcome {
        unimplemented!()
    }

    /// Asks the authority who has a resource.
    #[activity(name = "look_up")]
    pub fn look_up(question: LookUp) -> HolderAnswer {
        unimplemented!()
    }
}
