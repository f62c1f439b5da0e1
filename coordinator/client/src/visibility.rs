//! Finds entities, and runs of any workflow, through Temporal's visibility store. It is eventually consistent, and the server accepts only ten queries a second
//! for each namespace, so pages are as large as the server allows.

use std::time::Duration;

use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, EntityAddress};
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest,
};
use tonic::{Code, IntoRequest};

use crate::list_error::ListError;
use crate::run_info::RunInfo;
use crate::server_error::{ServerError, within};

/// The time limit of an answer for which somebody waits.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// The number of entities on a page: the most that the server returns.
pub const ENTITIES_PER_PAGE: i32 = 1_000;

/// A customer entity that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCustomer {
    /// The customer.
    pub customer: CustomerId,
    /// The workflow id of its entity.
    pub workflow_id: String,
    /// When the entity's run started, in milliseconds.
    pub started_ms: i64,
}

/// A page of entities, later runs first, with the server's token of the next page. The token is empty on the last page.
#[derive(Debug)]
pub struct FoundPage {
    /// The entities.
    pub entities: Vec<FoundCustomer>,
    /// The token.
    pub next: Vec<u8>,
}

/// The query for a tenant's running customer entities with open orders, or only for those with held orders.
pub fn question(tenant: &TenantId, held_only: bool) -> String {
    let states = if held_only { "'held'" } else { "'waiting', 'held'" };
    // Temporal's visibility stores differ in how a quote or a backslash in a text is escaped, but a workflow id has neither.
    let encoded = tenant.encoded();
    let of_tenant = if encoded == tenant.as_str() {
        format!("InterlockTenant = '{encoded}'")
    } else {
        format!("WorkflowId STARTS_WITH '{encoded}/customer/'")
    };
    format!(
        "WorkflowType = '{CUSTOMER_WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND {of_tenant} AND InterlockState IN \
         ({states})"
    )
}

/// The query for all running customer entities of a tenant.
pub fn customers_of(tenant: &TenantId) -> String {
    let encoded = tenant.encoded();
    format!(
        "WorkflowType = '{CUSTOMER_WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND \
         WorkflowId STARTS_WITH '{encoded}/customer/'"
    )
}

/// The number of entities that match a query.
///
/// # Errors
/// [`ListError`].
pub async fn count(client: &Client, namespace: &str, question: &str) -> Result<u64, ListError> {
    let counted = within(ANSWER_LIMIT, count_runs(client, namespace, question)).await;
    counted.map_err(|error| ListError::of(namespace, false, &error))
}

/// The number of runs that match a query, without a time limit.
pub(crate) async fn count_runs(client: &Client, namespace: &str, query: &str) -> Result<u64, ServerError> {
    let request = CountWorkflowExecutionsRequest { namespace: namespace.to_owned(), query: query.to_owned() };
    let counted = client.clone().count_workflow_executions(request.into_request()).await?.into_inner();
    Ok(u64::try_from(counted.count).unwrap_or(0))
}

/// One page of the answer to a query.
///
/// # Errors
/// [`ListError`].
pub async fn find(
    client: &Client,
    namespace: &str,
    tenant: &TenantId,
    question: &str,
    token: Vec<u8>,
) -> Result<FoundPage, ListError> {
    let resumed = !token.is_empty();
    let listed = within(ANSWER_LIMIT, page(client, namespace, question, ENTITIES_PER_PAGE, token)).await;
    let RunPage { runs, next } = listed.map_err(|error| ListError::of(namespace, resumed, &error))?;
    Ok(FoundPage { entities: runs.into_iter().filter_map(|run| found(run, tenant)).collect(), next })
}

/// Reads a customer entity of this tenant. Whatever the store returns, no caller sees the entities of another tenant.
fn found(run: RunInfo, tenant: &TenantId) -> Option<FoundCustomer> {
    let started_ms = run.started_at.timestamp_millis();
    let Ok(EntityAddress::Customer(customer)) = run.workflow_id.parse() else { return None };
    if customer.tenant != *tenant {
        return None;
    }
    Some(FoundCustomer { customer: customer.customer, workflow_id: run.workflow_id, started_ms })
}

/// A page of runs, later ones first, with the server's token of the next page. The token is empty on the last page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunInfo>,
    /// The token.
    pub next: Vec<u8>,
}

/// One page of the runs in a namespace that match a query in Temporal's list filter syntax, from a token on, or from the beginning if the
/// token is empty.
///
/// # Errors
/// [`ServerError`].
pub async fn page(
    client: &Client,
    namespace: &str,
    query: &str,
    page_size: i32,
    token: Vec<u8>,
) -> Result<RunPage, ServerError> {
    let request = ListWorkflowExecutionsRequest {
        namespace: namespace.to_owned(),
        page_size,
        next_page_token: token,
        query: query.to_owned(),
    };
    let listed = client.clone().list_workflow_executions(request.into_request()).await?.into_inner();
    let runs = listed.executions.into_iter().filter_map(RunInfo::of).collect();
    Ok(RunPage { runs, next: listed.next_page_token })
}

/// All runs in a namespace that match a query.
///
/// # Errors
/// [`ServerError`].
pub async fn all(client: &Client, namespace: &str, query: &str) -> Result<Vec<RunInfo>, ServerError> {
    let (mut runs, mut token) = (Vec::new(), Vec::new());
    loop {
        let page = page(client, namespace, query, ENTITIES_PER_PAGE, token).await?;
        runs.extend(page.runs);
        if page.next.is_empty() {
            return Ok(runs);
        }
        token = page.next;
    }
}

/// A page that was read from a token of an earlier process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumedPage {
    /// The page.
    pub page: RunPage,
    /// Whether the server rejected the token, so that this is the first page. The token is of another version of the server, or of another
    /// visibility store.
    pub restarted: bool,
}

/// Like [`page`], from a token that an earlier process got, with a time limit for each call.
///
/// # Errors
/// [`ServerError`]; `NoAnswer` if the store does not answer within the limit.
pub async fn resume(
    client: &Client,
    namespace: &str,
    query: &str,
    page_size: i32,
    token: Vec<u8>,
    limit: Duration,
) -> Result<ResumedPage, ServerError> {
    let resumed = !token.is_empty();
    match within(limit, page(client, namespace, query, page_size, token)).await {
        Err(error) if resumed && error.has_code(Code::InvalidArgument) => {
            let page = within(limit, page(client, namespace, query, page_size, Vec::new())).await?;
            Ok(ResumedPage { page, restarted: true })
        }
        page => Ok(ResumedPage { page: page?, restarted: false }),
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
    use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
    use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsResponse;
    use tonic::Status;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    const LIST: &str = "ListWorkflowExecutions";

    fn listed(workflow_ids: &[&str], next: &[u8]) -> ListWorkflowExecutionsResponse {
        let info = |workflow_id: &&str| WorkflowExecutionInfo {
            execution: Some(WorkflowExecution { workflow_id: (*workflow_id).to_owned(), run_id: "1".to_owned() }),
            ..WorkflowExecutionInfo::default()
        };
        let executions = workflow_ids.iter().map(info).collect();
        ListWorkflowExecutionsResponse { executions, next_page_token: next.to_vec() }
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_last_page() {
        let server = ScriptedServer::default();
        let server = server.answers(LIST, &listed(&["a", "b"], b"two")).answers(LIST, &listed(&["c"], b""));
        let (server, client) = server.client().await;
        let runs = all(&client, "default", "WorkflowType = 'T'").await.unwrap();
        assert_eq!(runs.iter().map(|run| run.workflow_id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        let (first, second): (ListWorkflowExecutionsRequest, ListWorkflowExecutionsRequest) =
            (server.request(), server.request());
        assert_eq!((first.query.as_str(), first.page_size), ("WorkflowType = 'T'", ENTITIES_PER_PAGE));
        assert_eq!((first.next_page_token.as_slice(), second.next_page_token.as_slice()), (&b""[..], &b"two"[..]));
    }

    #[tokio::test]
    async fn a_token_that_the_server_rejects_leads_to_the_first_page() {
        let rejected = || Status::invalid_argument("invalid page token");
        let server = ScriptedServer::default().refuses(LIST, rejected()).answers(LIST, &listed(&["a"], b"two"));
        let (server, client) = server.refuses(LIST, rejected()).client().await;
        let resumed = |token: &[u8]| resume(&client, "default", "", 10, token.to_vec(), ANSWER_LIMIT);
        let page = resumed(b"old").await.unwrap();
        assert!(page.restarted);
        assert_eq!((page.page.runs.len(), page.page.next.as_slice()), (1, &b"two"[..]));
        // The query itself is invalid.
        assert!(resumed(b"").await.is_err());
        assert!(server.is_done());
    }

    #[tokio::test]
    async fn only_the_customers_of_the_tenant_are_found() {
        let page = listed(&["blue/customer/A1", "red/customer/A1", "blue/resource/imsi/1", "other"], b"");
        let (_, client) = ScriptedServer::default().answers(LIST, &page).client().await;
        let found = find(&client, "default", &"blue".parse().unwrap(), "", Vec::new()).await.unwrap();
        assert_eq!(
            found.entities.iter().map(|found| found.workflow_id.as_str()).collect::<Vec<_>>(),
            ["blue/customer/A1"]
        );
    }

    #[test]
    fn a_tenant_that_would_have_to_be_quoted_is_found_by_the_workflow_ids_of_its_customers() {
        let plain = question(&"blue-1".parse().unwrap(), false);
        assert!(plain.ends_with("AND InterlockTenant = 'blue-1' AND InterlockState IN ('waiting', 'held')"), "{plain}");
        let quoted = question(&r"o'neill\".parse().unwrap(), true);
        let expected = "AND WorkflowId STARTS_WITH 'o%27neill%5C/customer/' AND InterlockState IN ('held')";
        assert!(quoted.ends_with(expected), "{quoted}");
    }
}
