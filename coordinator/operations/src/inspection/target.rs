//! Reads a target.

use interlock_domain::ids::TargetId;
use interlock_domain::target_entity::TargetView;
use interlock_workflows::names;

use super::{Inspection, InspectionError};

impl Inspection {
    /// The state of a target: the body of `GET /v1/targets/{name}`.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn target(&self, target: &TargetId) -> Result<TargetView, InspectionError> {
        let entity = self.installation.entities.target(target);
        self.query(&format!("The target {target}"), &entity, names::STATE, &()).await
    }
}
