//! Reads a log of persons' actions.

use interlock_domain::action_log::{ActionFilter, ActionList};
use interlock_domain::ids::TenantId;
use interlock_workflows::names;

use super::{Inspection, InspectionError};

impl Inspection {
    /// The actions of a tenant that a filter selects, newest first; those on targets, if no tenant is named. Empty if there was none yet.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub(crate) async fn actions(
        &self,
        tenant: Option<&TenantId>,
        filter: &ActionFilter,
    ) -> Result<ActionList, InspectionError> {
        let log = self.installation.entities.action_log(tenant);
        match self.query("The log of actions", &log, names::ACTIONS, filter).await {
            Err(InspectionError::NeverSeen(_)) => Ok(ActionList::default()),
            answer => answer,
        }
    }
}
