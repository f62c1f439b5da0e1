//! Submits events again.

use std::time::{Duration, Instant};

use interlock_domain::event::ACCEPTED_AT_ATTRIBUTE;
use interlock_domain::ids::{CustomerId, TenantId};
use interlock_workflows::names;
use serde_json::Value;
use uuid::Uuid;

use super::error::RecoveryError;
use super::histories::Recovery;
use super::open_events::OpenEvent;
use crate::inspection::{Inspection, InspectionError};

/// How long the entity may not respond, or be full, before it counts as not served.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often to check whether it has processed what was submitted.
const PAUSE: Duration = Duration::from_millis(500);

impl Recovery {
    /// Submits events again, in order, and calls `said` for each that was accepted. If there are more than the entity
    /// accepts at a time, it waits until the earlier ones are processed: otherwise they would be rejected as `backlog_full` and lost.
    ///
    /// Calling it again does no harm: the entity knows the orders, and [`Recovery::find`] does not find them again.
    ///
    /// # Errors
    /// [`RecoveryError`] with the number of accepted events.
    pub async fn submit(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        events: &[OpenEvent],
        mut said: impl FnMut(&OpenEvent),
    ) -> Result<(), RecoveryError> {
        let entity = self.installation.entities.customer(tenant, customer);
        let limits = self.installation.settings.limits;
        // Half of what it accepts, so that there is room for other events.
        let (events_max, bytes_max) = ((limits.open_orders_max / 2).max(1), limits.state_bytes_max / 4);
        let (mut count, mut bytes) = (0, 0);
        for (submitted, event) in events.iter().enumerate() {
            let submission = without_stamp_if_too_large(&event.event, limits.event_bytes_max);
            let size = submission.to_string().len();
            if count > 0 && (count >= events_max || bytes + size > bytes_max) {
                self.wait_for_room(tenant, customer, events_max, (submitted, events.len())).await?;
                (count, bytes) = (0, 0);
            }
            let request_id = request_id(event);
            let taken = self.installation.entities.signal_with_start(&entity, names::SUBMIT, &submission, &request_id);
            let not_taken = |fault| RecoveryError::NotTaken { submitted, all: events.len(), fault };
            taken.await.map_err(not_taken)?;
            said(event);
            (count, bytes) = (count + 1, bytes + size);
        }
        Ok(())
    }

    /// Waits until the entity has fewer open orders than this.
    async fn wait_for_room(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        open_max: usize,
        (submitted, all): (usize, usize),
    ) -> Result<(), RecoveryError> {
        let inspection = Inspection::new(self.installation.clone());
        let mut fewest = usize::MAX;
        let mut progressed = Instant::now();
        while progressed.elapsed() < PATIENCE {
            let open = match inspection.customer(tenant, customer).await {
                Ok(view) => view.orders.len(),
                Err(InspectionError::NoWorker(_) | InspectionError::Away(_) | InspectionError::Busy(_)) => usize::MAX,
                Err(_) => break,
            };
            if open < open_max {
                return Ok(());
            }
            if open < fewest {
                (fewest, progressed) = (open, Instant::now());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(RecoveryError::NotTakenIn { submitted, all })
    }
}

/// A missing stamp is better than a rejection.
fn without_stamp_if_too_large(event: &Value, bytes_max: usize) -> Value {
    let mut submission = event.clone();
    if submission.to_string().len() > bytes_max
        && let Value::Object(attributes) = &mut submission
    {
        attributes.remove(ACCEPTED_AT_ATTRIBUTE);
    }
    submission
}

/// Always the same for the same order of the same dead run.
fn request_id(event: &OpenEvent) -> String {
    let name = format!("interlock:request:recover\n{}\n{}", event.run_id, event.order_id);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}
