//! Asks customers to repeat what they have and want of resources that do not know it. This changes nothing if it is known.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use interlock_domain::ids::{CustomerId, Epoch, ResourceId, TenantId};
use interlock_domain::message::Delivery;
use interlock_workflows::names;
use serde_json::json;
use uuid::Uuid;

use super::Sweeper;
use super::look::ASKED_AT_A_TIME;

/// The time limit for asking customers; those that were not asked by then are asked by the next
/// sweep. Together with the rest it is less than the time of an attempt.
const ASKING_TIME: Duration = Duration::from_secs(20);

impl Sweeper {
    /// Asks customers to repeat what they have and want of resources. Those that cannot be asked are asked by the next sweep. A customer
    /// that contradicted a resource for longer than messages take comes with the epoch that the resource knows for the lease.
    pub(super) async fn ask_to_reassert(&self, asked: BTreeMap<(TenantId, CustomerId, ResourceId), Option<Epoch>>) {
        let until = Instant::now() + ASKING_TIME;
        let left_out = AtomicUsize::new(0);
        let left_out_of = &left_out;
        let asked = futures_util::stream::iter(asked).map(|((tenant, customer, resource), above)| async move {
            if Instant::now() > until {
                left_out_of.fetch_add(1, Ordering::Relaxed);
            } else {
                self.have_one_reassert(&tenant, &customer, &resource, above).await;
            }
        });
        asked.buffer_unordered(ASKED_AT_A_TIME).collect::<()>().await;
        let left_out = left_out.into_inner();
        if left_out > 0 {
            tracing::warn!(left_out, "not all customers could be asked in time to repeat their leases and claims");
        }
    }

    async fn have_one_reassert(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        resource: &ResourceId,
        above: Option<Epoch>,
    ) {
        let entity = self.installation.entities.customer(tenant, customer);
        let argument = match above {
            Some(above) => json!({ "resource": resource, "lasting": true, "above": above }),
            None => json!({ "resource": resource }),
        };
        let lasting = above.is_some();
        let request_id = Uuid::new_v4().to_string();
        match self.installation.entities.signal(&entity, names::REASSERT, &argument, &request_id).await {
            Ok(Delivery::Delivered) => {
                tracing::info!(%tenant, %customer, %resource, lasting, "a customer is asked to repeat its leases and claims");
            }
            Ok(Delivery::Lost) => {
                tracing::info!(%tenant, %customer, %resource, "the customer's entity is no longer running");
            }
            Err(error) => {
                tracing::warn!(%tenant, %customer, %resource, %error, "cannot ask a customer to repeat its leases and claims");
            }
        }
    }
}
