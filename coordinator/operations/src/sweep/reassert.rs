//! Having customers say again what they have and want of resources that know nothing of it. It changes nothing where it is known.

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

/// How long it may take to have customers say again what they have and want; who was not asked by then is asked by the next
/// sweep. Together with the rest less than an attempt may take.
const ASKING_TIME: Duration = Duration::from_secs(20);

impl Sweeper {
    /// Asks customers to say again what they have and want of resources. Who cannot be asked is asked by the next sweep. Who
    /// was seen to contradict a resource for longer than messages take comes with the epoch by which the resource says that it is held.
    pub(super) async fn have_said_again(&self, asked: BTreeMap<(TenantId, CustomerId, ResourceId), Option<Epoch>>) {
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
