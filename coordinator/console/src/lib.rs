//! The web console: pages for the people on shift, served by the gateway below `/console`.
//!
//! A page calls the gateway's own HTTP calls, within the process and with the token of the person who signed in. So it shows and changes
//! exactly what the token may see and change by `curl`, within the same limits, and writes the same names into the same journals. The
//! console itself decides nothing about orders.
//!
//! ```text
//! browser ──► page ──► session (cookie → token) ──► Api (the gateway's router) ──► views of the domain ──► HTML
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod acting;
mod api;
mod assets;
mod causes;
mod forecast;
mod form;
mod origin;
mod page;
mod pages;
mod picture;
mod session;
mod show;
mod timeline;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::{CustomerId, ResourceId, TenantId};
use secrecy::SecretString;

use self::api::Api;
use self::session::Sessions;

/// What a caller may do, as the gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Its name in journals.
    pub name: String,
    /// The tenants that it may read, sorted.
    pub reads: Vec<TenantId>,
    /// The tenants for which it may act.
    pub operates: Vec<TenantId>,
}

/// Knows what tokens may do: the gateway's access control.
pub trait Doorkeeper: Send + Sync {
    /// What the bearer of a token may do; of everybody, without one, if the gateway has no tokens. `None` if the token is unknown, or may
    /// not read anything.
    fn rights(&self, token: Option<&SecretString>) -> Option<Rights>;

    /// The secret from which the keys of sessions are derived. All gateways with the same tokens return the same one.
    fn seal_secret(&self) -> [u8; 32];
}

/// Knows where Temporal's own UI shows the entities.
pub trait TemporalLinks: Send + Sync {
    /// The page of a customer's workflow. `None` if no UI is known.
    fn of_customer(&self, tenant: &TenantId, customer: &CustomerId) -> Option<String>;

    /// The page of a resource's workflow. `None` if no UI is known, or its realm is shared: its history has what other tenants do.
    fn of_resource(&self, tenant: &TenantId, resource: &ResourceId) -> Option<String>;
}

/// What a console needs.
pub struct ConsoleParts {
    /// The gateway's calls.
    pub api: Router,
    /// Who may do what.
    pub doorkeeper: Arc<dyn Doorkeeper>,
    /// Where Temporal shows entities.
    pub temporal: Arc<dyn TemporalLinks>,
    /// The event types and resource kinds.
    pub catalog: Catalog,
    /// Whether browsers reach it by TLS only: then they send the session by TLS only.
    pub tls: bool,
}

/// What the pages share.
struct Parts {
    api: Api,
    doorkeeper: Arc<dyn Doorkeeper>,
    sessions: Sessions,
    temporal: Arc<dyn TemporalLinks>,
    catalog: Catalog,
}

type Console = Arc<Parts>;

/// The pages, below `/console`.
pub fn router(parts: ConsoleParts) -> Router {
    let ConsoleParts { api, doorkeeper, temporal, catalog, tls } = parts;
    let sessions = Sessions::new(&doorkeeper.seal_secret(), tls);
    let console = Arc::new(Parts { api: Api::new(api), doorkeeper, sessions, temporal, catalog });
    Router::new()
        .route("/console", get(pages::start))
        .route("/console/", get(pages::start))
        .route("/console/sign-in", get(pages::sign_in::show).post(pages::sign_in::take))
        .route("/console/sign-out", post(pages::sign_in::leave))
        .route("/console/assets/{name}", get(assets::serve))
        .route("/console/{tenant}/now", get(pages::now::show))
        .route("/console/{tenant}/find", get(pages::find::show))
        .route("/console/{tenant}/actions", get(pages::actions::show))
        .route("/console/{tenant}/actions/{entry}/confirmation", post(pages::actions::confirm))
        .route("/console/{tenant}/orders", get(pages::orders::show))
        .route("/console/{tenant}/orders/{order}", get(pages::order::show))
        .route("/console/{tenant}/orders/{order}/actions", post(pages::order::act))
        .route("/console/{tenant}/customers/{customer}", get(pages::customer::show))
        .route("/console/{tenant}/resources/{kind}/{id}", get(pages::resource::show))
        .route("/console/{tenant}/resources/{kind}/{id}/actions", post(pages::resource::act))
        .route("/console/{tenant}/targets/{target}", get(pages::target::show))
        .route("/console/{tenant}/targets/{target}/actions", post(pages::target::act))
        .layer(axum::middleware::map_response(page::secured))
        .with_state(console)
}
