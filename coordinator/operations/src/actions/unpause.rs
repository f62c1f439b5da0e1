//! Letting a call continue that an operator paused in Temporal.

use interlock_domain::ids::{OrderId, TenantId};

use super::{ActionError, ActionWords, Actions};
use crate::inspection::InspectionError;

impl Actions {
    /// Unpauses the activity with which a step of an order calls its target. The server starts another attempt, which reads
    /// back before it sends. If the activity is no longer pending, there is nothing to do.
    ///
    /// # Errors
    /// [`ActionError`]: the call may still be paused, and asking again with the same action id is safe.
    pub(super) async fn unpause(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        activity: &str,
        words: &ActionWords,
    ) -> Result<(), ActionError> {
        let entity = self.installation.entities.customer(tenant, &order.customer());
        let unpaused = self.installation.entities.unpause_activity(&entity, activity, &words.actor).await;
        unpaused.map_err(|error| InspectionError::of_call(&format!("The order {order}"), error).into())
    }
}
