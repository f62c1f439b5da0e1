//! How workers talk to Temporal: so that the SDK's core has no query to a run beside a workflow task of it.
//!
//! A query to a run that is at rest is a task of its own, which the server sends beside workflow tasks. It may be on
//! its way while a signal starts a workflow task. And while that waits for a local activity, the SDK's core (0.10.1) takes the
//! query's task in the place of the workflow task, which it forgets: that one times out, and what is recorded afterwards
//! cannot be replayed. Whoever asks a busy entity, be it by the Temporal UI, could stop it for good. So queries wait here
//! until the run's workflow task is answered, and the other way round. With a core that holds them apart by itself this
//! module can go.
//!
//! What such a connection does besides, for another fault of the core, [`cuts`] says.

mod cuts;
mod proxy;
mod run_slots;

use backon::{ExponentialBuilder, Retryable as _};
use interlock_connection::connect_fault;
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use temporalio_client::{Connection, ConnectionOptions};

use proxy::Proxy;

/// A connection for workers that goes through `connection`, to the same server: with its keys, its TLS and its load balancing.
/// It is tried again a few times where the server is away just now.
///
/// # Errors
/// [`Fault`] `temporal_unreachable`, `temporal_access_denied`.
pub(super) async fn guarded(connection: Connection, options: &ConnectionOptions) -> Result<Connection, Fault> {
    // What the connection beneath is made with (TLS, keys, addresses) is not for the one above it.
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
