//! Finding entities by what Temporal's visibility store knows of them. It is eventually consistent, and the server answers
//! ten such questions a second and namespace: so pages are as big as the server allows.

use interlock_domain::ids::{CustomerId, TenantId};
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, EntityAddress};
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest,
};
use tonic::{Code, IntoRequest, Status};

use super::cursor::EntityPlace;
use super::{ANSWER_LIMIT, InspectionError};

/// How many entities a page has: the most that the server gives.
pub(super) const ENTITIES_PER_PAGE: i32 = 1_000;

/// A customer entity that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub customer: CustomerId,
    pub place: EntityPlace,
}

/// Entities that were found, younger runs first, and the server's token of the next page; empty for none.
#[derive(Debug)]
pub(super) struct FoundPage {
    pub entities: Vec<Found>,
    pub next: Vec<u8>,
}

/// The question for the running customer entities of a tenant with open orders; for those with held ones only, where no
/// other is wanted.
pub(super) fn question(tenant: &TenantId, held_only: bool) -> String {
    let states = if held_only { "'held'" } else { "'waiting', 'held'" };
    // Temporal's visibility stores do not agree on how a quote or a backslash within a text is written, but a workflow id has
    // neither.
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

/// How many entities a question is answered with.
pub(super) async fn count(mut client: Client, namespace: &str, question: &str) -> Result<u64, InspectionError> {
    let request = CountWorkflowExecutionsRequest { namespace: namespace.to_owned(), query: question.to_owned() };
    let asked = tokio::time::timeout(ANSWER_LIMIT, client.count_workflow_executions(request.into_request()));
    let answer = asked
        .await
        .map_err(|_| InspectionError::Away("its visibility store does not respond".to_owned()))?
        .map_err(|status| of_status(namespace, false, &status))?;
    Ok(u64::try_from(answer.into_inner().count).unwrap_or(0))
}

/// One page of the answer to a question.
pub(super) async fn find(
    mut client: Client,
    namespace: &str,
    tenant: &TenantId,
    question: &str,
    token: Vec<u8>,
) -> Result<FoundPage, InspectionError> {
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
        .map_err(|_| InspectionError::Away("its visibility store does not respond".to_owned()))?
        .map_err(|status| of_status(namespace, resumed, &status))?
        .into_inner();
    Ok(FoundPage {
        entities: answer.executions.iter().filter_map(|info| found(info, tenant)).collect(),
        next: answer.next_page_token,
    })
}

/// The customer entity that this is, of this tenant: whatever the store answers, nobody is shown what is another one's.
fn found(info: &WorkflowExecutionInfo, tenant: &TenantId) -> Option<Found> {
    let workflow_id = info.execution.as_ref()?.workflow_id.clone();
    let Ok(EntityAddress::Customer(customer)) = workflow_id.parse() else { return None };
    if customer.tenant != *tenant {
        return None;
    }
    let started_ms = info.start_time.as_ref().map_or(0, |time| milliseconds(time.seconds, time.nanos));
    Some(Found { customer: customer.customer, place: EntityPlace { workflow_id, started_ms } })
}

/// Temporal's time in milliseconds.
pub(super) fn milliseconds(seconds: i64, nanos: i32) -> i64 {
    seconds * 1_000 + i64::from(nanos) / 1_000_000
}

/// What the visibility store says, as what it means for whoever asked for a list.
pub(super) fn of_status(namespace: &str, resumed: bool, status: &Status) -> InspectionError {
    let message = status.message();
    match status.code() {
        Code::InvalidArgument if message.contains("Interlock") => InspectionError::NotRegistered(namespace.to_owned()),
        Code::InvalidArgument if resumed && message.contains("token") => InspectionError::BadCursor,
        Code::ResourceExhausted => InspectionError::Busy(message.to_owned()),
        Code::Unavailable | Code::DeadlineExceeded => InspectionError::Away(message.to_owned()),
        _ => InspectionError::Refused { what: "The list of orders".to_owned(), reason: message.to_owned() },
    }
}

/// Those of a page that a list which goes on at `place` has yet to show, and whether the first of them is the one
/// at `place` itself. Where that one is not on the page any more, another one that began in the same millisecond may be
/// shown again; none is left out.
pub(super) fn from_place<T>(page: Vec<T>, place: &EntityPlace, of: impl Fn(&T) -> &EntityPlace) -> (Vec<T>, bool) {
    match page.iter().position(|found| of(found).workflow_id == place.workflow_id) {
        Some(position) => (page.into_iter().skip(position).collect(), true),
        None => (page.into_iter().filter(|found| of(found).started_ms <= place.started_ms).collect(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, started_ms: i64) -> Found {
        let place = EntityPlace { workflow_id: format!("t/customer/{name}"), started_ms };
        Found { customer: name.parse().unwrap(), place }
    }

    #[test]
    fn a_tenant_that_would_have_to_be_quoted_is_found_by_the_workflow_ids_of_its_customers() {
        let plain = question(&"blue-1".parse().unwrap(), false);
        assert!(plain.ends_with("AND InterlockTenant = 'blue-1' AND InterlockState IN ('waiting', 'held')"), "{plain}");
        let quoted = question(&r"o'neill\".parse().unwrap(), true);
        let expected = "AND WorkflowId STARTS_WITH 'o%27neill%5C/customer/' AND InterlockState IN ('held')";
        assert!(quoted.ends_with(expected), "{quoted}");
    }

    #[test]
    fn a_list_goes_on_where_it_was_although_the_page_has_changed() {
        let page = || vec![found("a", 9), found("b", 7), found("c", 5)];
        let names = |(entities, exact): (Vec<Found>, bool)| {
            (entities.iter().map(|found| found.customer.to_string()).collect::<String>(), exact)
        };
        let from = |place: &EntityPlace| names(from_place(page(), place, |found| &found.place));
        assert_eq!(from(&found("b", 7).place), ("bc".to_owned(), true));
        assert_eq!(from(&found("gone", 7).place), ("bc".to_owned(), false));
        assert_eq!(from(&found("gone", 6).place), ("c".to_owned(), false));
    }

    #[test]
    fn what_the_server_says_is_told_apart() {
        let code = |status: Status, resumed| of_status("default", resumed, &status).code();
        let unknown = "invalid query: invalid search attribute: InterlockTenant";
        assert_eq!(code(Status::invalid_argument(unknown), false), "search_attributes_missing");
        assert_eq!(code(Status::invalid_argument("invalid page token"), true), "bad_cursor");
        assert_eq!(code(Status::invalid_argument("invalid page token"), false), "query_refused");
        assert_eq!(code(Status::resource_exhausted("namespace rate limit"), false), "temporal_busy");
        assert_eq!(code(Status::unavailable("away"), false), "temporal_unavailable");
    }
}
