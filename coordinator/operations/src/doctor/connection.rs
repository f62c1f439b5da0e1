//! The connection to Temporal.

use interlock_connection::{ASKING_LIMIT, CallRetries, Connecting, ConnectionFlags};
use interlock_settings::Settings;
use temporalio_client::{Client, NamespacedClient};

use super::report::{Check, Finding};

/// The connection, if there is one, and what was found.
pub(super) async fn examine(
    flags: &ConnectionFlags,
    settings: &Settings,
) -> (Option<(Connecting, Client)>, Option<Finding>) {
    let connecting = match Connecting::new(flags, CallRetries::Brief, settings) {
        Ok(connecting) => connecting,
        Err(fault) => return (None, Some(Finding::fault(Check::Connection, fault))),
    };
    match connecting.client(ASKING_LIMIT).await {
        Ok(client) => {
            let target = flags.options().map(|(connection, _)| connection.target.to_string()).unwrap_or_default();
            let detail = format!("Temporal at {target} answers; the namespace is '{}'.", client.namespace());
            (Some((connecting, client)), Some(Finding::ok(Check::Connection, detail)))
        }
        Err(fault) => (None, Some(Finding::fault(Check::Connection, fault))),
    }
}
