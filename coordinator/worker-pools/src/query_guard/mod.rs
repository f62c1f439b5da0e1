//! The connection of workers to Temporal. It works around faults of the SDK's core (0.10.1).
//!
//! **Queries.** The server sends a query to an idle run as a separate task, and a signal may start a workflow task while that
//! query is in flight. If the workflow task then waits for a local activity, the core replaces it by the query's task and
//! forgets it. The workflow task times out, and what is recorded afterwards cannot be replayed. So a query of a busy entity,
//! also from the Temporal UI, could stop the entity for good. Here a query waits until the run's workflow task is answered,
//! and the other way round. A query also gets no events that no workflow task has given to the run yet: see [`settled`]. A query that fails in the core because the task before it was lost is to be asked again.
//!
//! **Cuts.** The core may divide a history into workflow tasks differently when it replays it: see [`cuts`].
//!
//! When the core has none of these faults, this module can be removed.

mod cuts;
mod proxy;
mod run_slots;
mod settled;

use backon::{ExponentialBuilder, Retryable as _};
use interlock_connection::connect_fault;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use temporalio_client::{Connection, ConnectionOptions};

use proxy::Proxy;

/// A connection for workers that goes through `connection`, to the same server: with its keys, its TLS and its load balancing.
/// It is retried a few times if the server is unavailable.
///
/// # Errors
/// [`Fault`] `temporal_unreachable`, `temporal_access_denied`.
pub(super) async fn guarded(connection: Connection, options: &ConnectionOptions) -> Result<Connection, Fault> {
    // The options of the connection beneath (TLS, keys, addresses) do not apply to the one above it.
    let above = ConnectionOptions::new(options.target.clone())
        .identity(connection.identity().to_owned())
        .dns_load_balancing(None)
        .service_override(Proxy::through(connection))
        .build();
    let connecting = || async {
        let connected = Connection::connect(above.clone()).await;
        connected.map_err(|error| connect_fault(options.target.as_str(), &error))
    };
    connecting.retry(ExponentialBuilder::default()).when(|fault| fault.code == ErrorCode::TemporalUnreachable).await
}
