//! What the console knows about callers and the installation.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use interlock_connection::Installation;
use interlock_console::{ConsoleParts, Doorkeeper, Rights};
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TenantId;
use secrecy::SecretString;

use crate::access::Access;

/// A console that has no calls yet.
pub(super) struct ConsoleDoor {
    doorkeeper: Arc<dyn Doorkeeper>,
    catalog: Catalog,
    tls: bool,
}

impl ConsoleDoor {
    /// All that a console needs, with these calls.
    pub(super) fn with_api(self, api: Router) -> ConsoleParts {
        ConsoleParts { api, doorkeeper: self.doorkeeper, catalog: self.catalog, tls: self.tls }
    }
}

/// The console of an installation, with the gateway's access control.
pub(super) fn parts(access: &Arc<Access>, installation: &Installation) -> ConsoleDoor {
    let settings = &installation.settings;
    let configured = settings.tenants.keys().cloned();
    let tenants: BTreeSet<TenantId> = configured.chain([TenantId::default()]).collect();
    let doorkeeper = GatewayDoor { access: Arc::clone(access), tenants: tenants.into_iter().collect() };
    let tls = settings.gateway.tls.is_some();
    ConsoleDoor { doorkeeper: Arc::new(doorkeeper), catalog: installation.catalog.as_ref().clone(), tls }
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
