//! Looking at a tenant.

use interlock_domain::ids::TenantId;
use interlock_workflows::names;
use serde_json::Value;

use super::visibility::{count, question};
use super::{Inspection, InspectionError};

impl Inspection {
    /// The state of a tenant's own workflow.
    ///
    /// # Errors
    /// [`InspectionError`]: `never_seen` for a tenant that was never on-boarded.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Value, InspectionError> {
        let entity = self.installation.entities.tenant(tenant);
        self.query(&format!("The tenant {tenant}"), &entity, names::STATE, &Value::Null).await
    }

    /// How many customers of a tenant have open orders, as far as Temporal's visibility store knows by now.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn customers_with_open_orders(&self, tenant: &TenantId) -> Result<u64, InspectionError> {
        let namespace = &self.installation.routing.tenant(tenant).namespace;
        let client = self.installation.client_for(namespace);
        let what = || format!("The tenant {tenant}");
        let client = client.map_err(|fault| InspectionError::Refused { what: what(), reason: fault.message })?;
        count(client, namespace, &question(tenant, false)).await
    }
}
