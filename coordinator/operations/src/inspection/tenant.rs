//! Reads a tenant.

use interlock_client::Registration;
use interlock_client::visibility::{count, question};
use interlock_domain::ids::TenantId;
use interlock_domain::tenant::TenantView;
use interlock_workflows::names;

use super::{Inspection, InspectionError};

impl Inspection {
    /// The state of a tenant's own workflow.
    ///
    /// # Errors
    /// [`InspectionError`]: `never_seen` for a tenant that was never on-boarded.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<TenantView, InspectionError> {
        let entity = self.installation.entities.tenant(tenant);
        self.query(&format!("The tenant {tenant}"), &entity, names::STATE, &()).await
    }

    /// How many customers of a tenant have open orders, according to Temporal's visibility store.
    ///
    /// # Errors
    /// [`InspectionError`]; `search_attributes_missing` and `temporal_unavailable` if this process does not know whether entities
    /// show their state: finding none then does not mean that there is none.
    pub async fn customers_with_open_orders(&self, tenant: &TenantId) -> Result<u64, InspectionError> {
        let namespace = self.installation.routing.namespace(tenant);
        match self.installation.entities.search_attributes().of(namespace).await {
            Registration::Registered => {}
            Registration::Missing => return Err(InspectionError::NotRegistered(namespace.to_owned())),
            Registration::Unknown => {
                let reason = "it does not report whether the search attributes are registered".to_owned();
                return Err(InspectionError::Away(reason));
            }
        }
        let client = self.installation.client_for(namespace);
        let what = || format!("The tenant {tenant}");
        let client = client.map_err(|fault| InspectionError::Refused { what: what(), reason: fault.message })?;
        Ok(count(&client, namespace, &question(tenant, false)).await?)
    }
}
