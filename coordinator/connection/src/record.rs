//! Where the record of an installation is kept: in the memo of a workflow of its own, `interlock/installation`, in each
//! namespace. No worker ever runs that workflow, and it costs nothing.
//!
//! It is not in the namespace's own data, because Temporal Cloud does not allow changing that through this API. It is not in the memo of a
//! schedule, whose id would contain the prefix, so that a second installation would not find it. A workflow id is unique in its
//! namespace, is read back at once, and every client that may start entities may write it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::try_join_all;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::routing::{Disagreement, InstallationRecord, Records};
use interlock_fault::Fault;
use interlock_settings::Settings;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::common::v1::{Memo, Payload, WorkflowExecution, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, StartWorkflowExecutionRequest,
};
use tonic::{Code, IntoRequest};
use uuid::Uuid;

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
    let execution = WorkflowExecution { workflow_id: WORKFLOW_ID.to_owned(), run_id: String::new() };
    let request =
        DescribeWorkflowExecutionRequest { namespace: namespace.to_owned(), execution: Some(execution) }.into_request();
    let described = match client.clone().describe_workflow_execution(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) if status.code() == Code::NotFound => return Ok(None),
        Err(status) => return Err(unreadable(namespace, status.message())),
    };
    let memo = described.workflow_execution_info.and_then(|info| info.memo).unwrap_or_default();
    let field = memo.fields.get(MEMO_FIELD).ok_or_else(|| unreadable(namespace, "its memo is missing"))?;
    serde_json::from_slice(&field.data).map(Some).map_err(|error| unreadable(namespace, &error.to_string()))
}

/// Writes it, replacing the present one, and reads it back.
///
/// # Errors
/// [`Fault`] `record_unreadable` if Temporal refuses, or if another process wrote a different one at the same moment.
pub async fn write(client: &Client, namespace: &str, record: &InstallationRecord) -> Result<(), Fault> {
    let data = serde_json::to_vec(record).map_err(|error| unreadable(namespace, &error.to_string()))?;
    let mut payload = Payload { data, ..Payload::default() };
    payload.metadata.insert("encoding".to_owned(), b"json/plain".to_vec());
    let queue = format!("{}.installation", record.prefix.as_str());
    let request = StartWorkflowExecutionRequest {
        namespace: namespace.to_owned(),
        workflow_id: WORKFLOW_ID.to_owned(),
        workflow_type: Some(WorkflowType { name: WORKFLOW_TYPE.to_owned() }),
        task_queue: Some(TaskQueue { name: queue, ..TaskQueue::default() }),
        identity: client.identity(),
        request_id: Uuid::new_v4().to_string(),
        workflow_id_reuse_policy: WorkflowIdReusePolicy::AllowDuplicate.into(),
        workflow_id_conflict_policy: WorkflowIdConflictPolicy::TerminateExisting.into(),
        workflow_start_delay: ASLEEP.try_into().ok(),
        memo: Some(Memo { fields: HashMap::from([(MEMO_FIELD.to_owned(), payload)]) }),
        ..StartWorkflowExecutionRequest::default()
    };
    let started = client.clone().start_workflow_execution(request.into_request()).await;
    started.map_err(|status| unwritten(namespace, status.message()))?;
    match read(client, namespace).await? {
        Some(read) if read == *record => Ok(()),
        _ => Err(unwritten(namespace, "another process wrote a different record at the same moment")),
    }
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
