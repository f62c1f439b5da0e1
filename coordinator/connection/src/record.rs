//! Where the record of an installation is kept: in the memo of a workflow of its own, `interlock/installation`, in each
//! namespace. No worker ever runs that workflow, and it costs nothing.
//!
//! It is not in the namespace's own data, because Temporal Cloud does not allow changing that through this API. It is not in the memo of a
//! schedule, whose id would contain the prefix, so that a second installation would not find it. A workflow id is unique in its
//! namespace, is read back at once, and every client that may start entities may write it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use interlock_client::{MemoWorkflow, ServerError, runs};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::routing::{Disagreement, InstallationRecord, Records};
use interlock_fault::Fault;
use interlock_settings::Settings;
use temporalio_client::{Client, NamespacedClient};

/// The workflow. Its id contains no prefix: two installations in one namespace find the same one.
const WORKFLOW_ID: &str = "interlock/installation";
const WORKFLOW_TYPE: &str = "InterlockInstallation";
/// The field of its memo.
const MEMO_FIELD: &str = "installation";
/// Its first task is delayed this long: until then it waits in no queue. After that it would wait in one that no worker serves.
const ASLEEP: Duration = Duration::from_hours(10 * 365 * 24);

/// The records in these namespaces, read concurrently.
///
/// # Errors
/// [`Fault`] `record_unreadable`, for the first one that cannot be read.
pub async fn read_all(client: &Client, namespaces: impl IntoIterator<Item = String>) -> Result<Records, Fault> {
    let reads = namespaces.into_iter().map(|namespace| async move {
        let recorded = read(client, &namespace).await?;
        Ok::<_, Fault>((namespace, recorded))
    });
    Ok(try_join_all(reads).await?.into_iter().collect())
}

/// The record in a namespace; none if there is none, or if the namespace does not exist. It does not matter if the workflow was
/// terminated, as long as the server remembers it.
async fn read(client: &Client, namespace: &str) -> Result<Option<InstallationRecord>, Fault> {
    let described = runs::describe(client, namespace, WORKFLOW_ID).await;
    let Some(described) = described.map_err(|error| not_described(namespace, &error))? else { return Ok(None) };
    let recorded = described.memo_data(MEMO_FIELD).ok_or_else(|| unreadable(namespace, "its memo is missing"))?;
    serde_json::from_slice(recorded).map(Some).map_err(|error| unreadable(namespace, &error.to_string()))
}

/// Writes it, replacing the present one, and reads it back.
///
/// # Errors
/// [`Fault`] `record_unreadable` if Temporal refuses, or if another process wrote a different one at the same moment.
pub async fn write(client: &Client, namespace: &str, record: &InstallationRecord) -> Result<(), Fault> {
    let json = serde_json::to_vec(record).map_err(|error| unreadable(namespace, &error.to_string()))?;
    let workflow = MemoWorkflow {
        namespace,
        workflow_id: WORKFLOW_ID,
        workflow_type: WORKFLOW_TYPE,
        task_queue: &format!("{}.installation", record.prefix.as_str()),
        start_delay: ASLEEP,
    };
    let written = workflow.replace(client, MEMO_FIELD, json).await;
    written.map_err(|error| unwritten(namespace, &error.message()))?;
    match read(client, namespace).await? {
        Some(read) if read == *record => Ok(()),
        _ => Err(unwritten(namespace, "another process wrote a different record at the same moment")),
    }
}

/// A server that went away since the connection was made is no reason to end: it is waited for, as before.
fn not_described(namespace: &str, error: &ServerError) -> Fault {
    if !error.is_temporary() {
        return unreadable(namespace, &error.message());
    }
    Fault::failed(
        ErrorCode::TemporalUnreachable,
        format!("Temporal did not return the record of the namespace '{namespace}': {}.", error.message()),
    )
}

fn unreadable(namespace: &str, reason: &str) -> Fault {
    Fault::failed(
        ErrorCode::RecordUnreadable,
        format!("The record of the namespace '{namespace}' cannot be read: {reason}."),
    )
}

fn unwritten(namespace: &str, reason: &str) -> Fault {
    Fault::failed(
        ErrorCode::RecordUnreadable,
        format!("The installation cannot be recorded in the namespace '{namespace}': {reason}."),
    )
    .with_next("Allow this client to start workflows there, then run it again.")
}

/// Reads the records in the namespaces of an installation, and compares them.
///
/// # Errors
/// [`Fault`] with the code of a [`Disagreement`], or `record_unreadable`.
pub async fn recorded(client: &Client, settings: &Settings) -> Result<InstallationRecord, Fault> {
    let records: BTreeMap<_, _> = read_all(client, settings.namespaces(&client.namespace())).await?;
    interlock_domain::routing::agreed(&records, &settings.prefix, settings.queue_shards)
        .map_err(|disagreement| disagreement_fault(&disagreement))
}

/// The fault for records that disagree.
pub fn disagreement_fault(disagreement: &Disagreement) -> Fault {
    Fault::wrong_use(disagreement.code(), format!("This does not match the recorded installation: {disagreement}."))
}
