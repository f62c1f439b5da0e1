//! The Temporal schedules of an installation: the sweep, one for each namespace.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use interlock_client::ServerError;
use interlock_client::schedules::{self, WorkflowSchedule};
use interlock_connection::Installation;
use interlock_domain::routing::{QueueKind, shard_of};
use interlock_workflows::names;

/// A run that is later than this is skipped: a sweep looks at the present state.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Ensures that the schedules exist as configured; retries until they do.
pub async fn keep(installation: Installation) {
    let ensured = (|| ensure(&installation)).retry(ExponentialBuilder::default().without_max_times());
    let told = ensured.notify(|error, _| tracing::warn!(%error, "cannot set the schedules of the sweeps"));
    if let Err(error) = told.await {
        tracing::error!(%error, "the schedules of the sweeps were not set in time");
    }
}

/// Creates the schedules, or changes them to the configuration. It can be repeated.
///
/// # Errors
/// The server's error for the first namespace that failed.
pub async fn ensure(installation: &Installation) -> Result<(), ServerError> {
    for namespace in installation.namespaces() {
        ensure_in(installation, &namespace).await?;
    }
    Ok(())
}

/// The same for one namespace.
///
/// # Errors
/// The server's answer.
pub async fn ensure_in(installation: &Installation, namespace: &str) -> Result<(), ServerError> {
    if !make_sweep(installation, namespace).await? && update_sweep(installation, namespace).await? {
        tracing::warn!(
            namespace,
            schedule = sweep_id(installation),
            "the schedule of the sweeps is paused, and stays so"
        );
    }
    Ok(())
}

/// The id of the schedule of sweeps, the same in each namespace: `{prefix}/sweep`.
pub fn sweep_id(installation: &Installation) -> String {
    format!("{}/sweep", installation.routing.settings().prefix.as_str())
}

/// Creates the schedule of a namespace's sweeps, and returns whether it was missing.
///
/// # Errors
/// The server's answer.
pub async fn make_sweep(installation: &Installation, namespace: &str) -> Result<bool, ServerError> {
    sweep(installation, namespace).create(&installation.client, namespace).await
}

/// Changes the schedule of a namespace's sweeps to what is configured, and returns whether somebody paused it: it then stays paused.
///
/// # Errors
/// The server's answer.
pub async fn update_sweep(installation: &Installation, namespace: &str) -> Result<bool, ServerError> {
    sweep(installation, namespace).update(&installation.client, namespace).await
}

/// Whether the schedule of a namespace's sweeps exists.
///
/// # Errors
/// The server's answer.
pub async fn has_sweep(installation: &Installation, namespace: &str) -> Result<bool, ServerError> {
    schedules::exists(&installation.client, namespace, &sweep_id(installation)).await
}

/// The schedule of a namespace's sweeps: on the jobs queue of the shard that follows from the namespace.
fn sweep(installation: &Installation, namespace: &str) -> WorkflowSchedule {
    let settings = installation.routing.settings();
    WorkflowSchedule {
        id: sweep_id(installation),
        workflow_type: names::SWEEP,
        task_queue: settings.prefix.queue(QueueKind::Jobs, shard_of(namespace, settings.shard_count)),
        interval: installation.settings.sweep.interval,
        catch_up: CATCH_UP,
    }
}
