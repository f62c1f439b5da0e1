//! Reads a target.

use std::collections::BTreeSet;

use interlock_client::task_queues;
use interlock_domain::ids::{TargetId, TenantId};
use interlock_domain::target_entity::TargetView;
use interlock_workflows::names;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;

use super::{Inspection, InspectionError};

impl Inspection {
    /// The state of a target: the body of `GET /v1/targets/{name}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn target(&self, target: &TargetId) -> Result<TargetView, InspectionError> {
        let routing = &self.installation.routing;
        let namespaces = routing.namespaces_of_target(target, &self.installation.catalog.roles());
        self.target_in(target, namespaces).await
    }

    /// The same for a tenant that calls it: whether workers poll its queue in other namespaces is of no importance.
    pub(crate) async fn target_of(&self, tenant: &TenantId, target: &TargetId) -> Result<TargetView, InspectionError> {
        let namespace = self.installation.routing.namespace(tenant).to_owned();
        self.target_in(target, [namespace].into()).await
    }

    async fn target_in(&self, target: &TargetId, namespaces: BTreeSet<String>) -> Result<TargetView, InspectionError> {
        let entity = self.installation.entities.target(target);
        let view: TargetView = self.query(&format!("The target {target}"), &entity, names::STATE, &()).await?;
        let queue = self.installation.routing.provisioning_queue(target);
        let mut unserved = false;
        for namespace in namespaces {
            let client = &self.installation.client;
            let polled = task_queues::pollers(client, &namespace, &queue, TaskQueueType::Activity).await;
            // What the server does not say is not claimed.
            unserved |= polled.is_ok_and(|pollers| pollers.is_empty());
        }
        Ok(TargetView { unserved, ..view })
    }
}
