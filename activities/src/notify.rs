//! Sends a resource's messages to customers.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use interlock_client::EntityCallError;
use interlock_domain::ids::CustomerRef;
use interlock_domain::message::Delivery;
use interlock_workflows::{Notification, names};
use temporalio_sdk::activities::ActivityContext;

use crate::activity_request_id;
use crate::worker_context::WorkerContext;

/// Sends each customer its messages in order, and all customers in parallel. It does not start entities: a customer that does not run
/// does not need a lease, and the resource must learn this.
///
/// # Errors
/// If Temporal did not accept a message. The whole call is safe to repeat.
pub(crate) async fn notify(
    worker: &WorkerContext,
    context: &ActivityContext,
    notification: Notification,
) -> Result<Vec<Delivery>, EntityCallError> {
    let mut by_customer: BTreeMap<CustomerRef, Vec<_>> = BTreeMap::new();
    for (index, (customer, message)) in notification.messages.into_iter().enumerate() {
        by_customer.entry(customer).or_default().push((index, message));
    }
    let sent = try_join_all(by_customer.into_iter().map(|(customer, messages)| async move {
        let entity = worker.entities.customer(&customer.tenant, &customer.customer);
        let mut deliveries = Vec::with_capacity(messages.len());
        for (index, message) in messages {
            let request_id = activity_request_id::of_part(context, &index.to_string(), &entity, &message)?;
            let message = worker.entities.envelope(&entity, message);
            let delivery = worker.entities.signal(&entity, names::FROM_RESOURCE, &message, &request_id).await?;
            deliveries.push((index, delivery));
        }
        Ok::<_, EntityCallError>(deliveries)
    }))
    .await?;
    let by_index: BTreeMap<_, _> = sent.into_iter().flatten().collect();
    Ok(by_index.into_values().collect())
}
