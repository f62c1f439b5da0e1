//! Sends a customer's messages to resources.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use interlock_client::EntityCallError;
use interlock_domain::ids::ResourceId;
use interlock_workflows::{Sending, names};
use temporalio_sdk::activities::ActivityContext;

use crate::activity_request_id;
use crate::clock;
use crate::worker_context::WorkerContext;

/// Sends each resource its messages in order, and all resources in parallel.
///
/// # Errors
/// If Temporal did not accept a message. The whole call is safe to repeat.
pub(crate) async fn send(
    worker: &WorkerContext,
    context: &ActivityContext,
    sending: Sending,
) -> Result<(), EntityCallError> {
    let mut by_resource: BTreeMap<ResourceId, Vec<_>> = BTreeMap::new();
    for (index, (resource, message)) in sending.messages.into_iter().enumerate() {
        by_resource.entry(resource).or_default().push((index, message));
    }
    let tenant = &sending.from.tenant;
    try_join_all(by_resource.into_iter().map(|(resource, messages)| async move {
        let entity = worker.entities.resource(tenant, &resource);
        for (index, message) in messages {
            let request_id = activity_request_id::of_part(context, &index.to_string(), &entity, &message)?;
            let message = worker.entities.envelope(&entity, message).sent_at(clock::now());
            worker.entities.signal_with_start(&entity, names::FROM_CUSTOMER, &message, &request_id).await?;
        }
        Ok(())
    }))
    .await
    .map(|_| ())
}
