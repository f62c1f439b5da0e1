//! Finds entities through Temporal's visibility store. It is eventually consistent, and the server accepts only ten queries a second
//! for each namespace, so pages are as large as the server allows.

use std::time::Duration;

use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, EntityAddress};
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest,
};
use tonic::IntoRequest;

use crate::list_error::ListError;

/// The time limit of an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
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

/// The number of entities that match a query.
///
/// # Errors
/// [`ListError`].
pub async fn count(mut client: Client, namespace: &str, question: &str) -> Result<u64, ListError> {
    let request = CountWorkflowExecutionsRequest { namespace: namespace.to_owned(), query: question.to_owned() };
    let asked = tokio::time::timeout(ANSWER_LIMIT, client.count_workflow_executions(request.into_request()));
    let answer = asked
        .await
        .map_err(|_| ListError::not_answered())?
        .map_err(|status| ListError::of_status(namespace, false, &status))?;
    Ok(u64::try_from(answer.into_inner().count).unwrap_or(0))
}

/// One page of the answer to a query.
///
/// # Errors
/// [`ListError`].
pub async fn find(
    mut client: Client,
    namespace: &str,
    tenant: &TenantId,
    question: &str,
    token: Vec<u8>,
) -> Result<FoundPage, ListError> {
    let resumed = !token.is_empty();
    let request = ListWorkflowExecutionsRequest {
        namespace: namespace.to_owned(),
        page_size: ENTITIES_PER_PAGE,
        next_page_token: token,
        query: question.to_owned(),
    };
    let asked = tokio::time::timeout(ANSWER_LIMIT, client.list_workflow_executions(request.into_request()));
    let answer = asked
        .await
        .map_err(|_| ListError::not_answered())?
        .map_err(|status| ListError::of_status(namespace, resumed, &status))?
        .into_inner();
    Ok(FoundPage {
        entities: answer.executions.iter().filter_map(|info| found(info, tenant)).collect(),
        next: answer.next_page_token,
    })
}

/// Reads a customer entity of this tenant. Whatever the store returns, no caller sees the entities of another tenant.
fn found(info: &WorkflowExecutionInfo, tenant: &TenantId) -> Option<FoundCustomer> {
    let workflow_id = info.execution.as_ref()?.workflow_id.clone();
    let Ok(EntityAddress::Customer(customer)) = workflow_id.parse() else { return None };
    if customer.tenant != *tenant {
        return None;
    }
    let started_ms = info.start_time.as_ref().map_or(0, |time| milliseconds(time.seconds, time.nanos));
    Some(FoundCustomer { customer: customer.customer, workflow_id, started_ms })
}

/// Temporal's time in milliseconds.
pub fn milliseconds(seconds: i64, nanos: i32) -> i64 {
    seconds * 1_000 + i64::from(nanos) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_would_have_to_be_quoted_is_found_by_the_workflow_ids_of_its_customers() {
        let plain = question(&"blue-1".parse().unwrap(), false);
        assert!(plain.ends_with("AND InterlockTenant = 'blue-1' AND InterlockState IN ('waiting', 'held')"), "{plain}");
        let quoted = question(&r"o'neill\".parse().unwrap(), true);
        let expected = "AND WorkflowId STARTS_WITH 'o%27neill%5C/customer/' AND InterlockState IN ('held')";
        assert!(quoted.ends_with(expected), "{quoted}");
    }
}
