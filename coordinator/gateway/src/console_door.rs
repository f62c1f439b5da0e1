//! What the console knows about callers and the installation.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use interlock_connection::Installation;
use interlock_console::{ConsoleParts, Doorkeeper, Rights, TemporalLinks};
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::{CustomerId, RealmId, ResourceId, TenantId};
use interlock_domain::routing::EntityRoute;
use secrecy::SecretString;

use crate::access::Access;

/// A console that has no calls yet.
pub(super) struct ConsoleDoor {
    doorkeeper: Arc<dyn Doorkeeper>,
    temporal: Arc<dyn TemporalLinks>,
    catalog: Catalog,
    tls: bool,
}

impl ConsoleDoor {
    /// All that a console needs, with these calls.
    pub(super) fn with_api(self, api: Router) -> ConsoleParts {
        ConsoleParts { api, doorkeeper: self.doorkeeper, temporal: self.temporal, catalog: self.catalog, tls: self.tls }
    }
}

/// The console of an installation, with the gateway's access control.
pub(super) fn parts(access: &Arc<Access>, installation: &Installation) -> ConsoleDoor {
    let settings = &installation.settings;
    let configured = settings.tenants.keys().cloned();
    let tenants: BTreeSet<TenantId> = configured.chain([TenantId::default()]).collect();
    let doorkeeper = GatewayDoor { access: Arc::clone(access), tenants: tenants.into_iter().collect() };
    let tls = settings.gateway.tls.is_some();
    let temporal = Arc::new(Ui { installation: installation.clone() });
    ConsoleDoor { doorkeeper: Arc::new(doorkeeper), temporal, catalog: installation.catalog.as_ref().clone(), tls }
}

/// The Temporal UI of the settings.
struct Ui {
    installation: Installation,
}

impl Ui {
    fn page(&self, route: &EntityRoute) -> Option<String> {
        let mut page = self.installation.settings.console.temporal_ui.clone()?;
        let parts = ["namespaces", &route.namespace, "workflows", &route.workflow_id];
        page.path_segments_mut().ok()?.pop_if_empty().extend(parts);
        // An id has its own percent signs, which are encoded once more, and slashes, which are.
        Some(page.into())
    }
}

impl TemporalLinks for Ui {
    fn of_customer(&self, tenant: &TenantId, customer: &CustomerId) -> Option<String> {
        self.page(&self.installation.entities.customer(tenant, customer).route)
    }

    fn of_resource(&self, tenant: &TenantId, resource: &ResourceId) -> Option<String> {
        let is_own = self.installation.routing.realm(tenant, resource.kind()) == RealmId::from(tenant);
        is_own.then(|| self.page(&self.installation.entities.resource(tenant, resource).route)).flatten()
    }
}

struct GatewayDoor {
    access: Arc<Access>,
    /// The tenants of a gateway without tokens.
    tenants: Vec<TenantId>,
}

impl Doorkeeper for GatewayDoor {
    fn rights(&self, token: Option<&SecretString>) -> Option<Rights> {
        if self.access.is_open() {
            let (reads, operates) = (self.tenants.clone(), self.tenants.clone());
            return Some(Rights { name: "gateway".to_owned(), reads, operates });
        }
        self.access.rights(token?)
    }

    fn seal_secret(&self) -> [u8; 32] {
        self.access.seal_secret()
    }
}
