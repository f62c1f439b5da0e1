//! Namespaces and their search attributes.

use std::collections::HashMap;
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use interlock_workflows::names::SEARCH_ATTRIBUTES;
use temporalio_client::Client;
use temporalio_client::grpc::{OperatorService, WorkflowService};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeNamespaceResponse, ListWorkflowExecutionsRequest, RegisterNamespaceRequest,
};
use tonic::{Code, IntoRequest, Status};

use super::report::{Deed, DeedOutcome, Thing};
use super::{BootstrapOptions, RETENTION_DEFAULT};

/// How long all parts of a server may take to know a new namespace: the pause between checks, and their number.
const KNOWN_WITHIN: (Duration, usize) = (Duration::from_millis(500), 60);

/// Finds a namespace, or creates it.
pub(super) async fn ensure(client: &Client, namespace: &str, options: &BootstrapOptions) -> Deed {
    let deed = Deed::of(namespace, Thing::Namespace, namespace.to_owned());
    let describe = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    match client.clone().describe_namespace(describe.into_request()).await {
        Ok(described) => return of_its_retention(deed, namespace, retention_of(described.get_ref())),
        Err(status) if status.code() == Code::NotFound => {}
        // A client that may not describe namespaces may still be allowed to use this one, as on Temporal Cloud: its use shows that.
        Err(status) if is_denied(&status) => return of_its_use(client, namespace, deed, &status).await,
        Err(status) => return deed.refused(&status, "Check the connection to Temporal, then run it again."),
    }
    if options.dry_run {
        return deed.with(DeedOutcome::WouldMake);
    }
    let register = RegisterNamespaceRequest {
        namespace: namespace.to_owned(),
        description: "Interlock".to_owned(),
        workflow_execution_retention_period: options.retention.try_into().ok(),
        ..RegisterNamespaceRequest::default()
    };
    match client.clone().register_namespace(register.into_request()).await {
        Ok(_) => {}
        Err(status) if status.code() == Code::AlreadyExists => {}
        Err(status) => {
            return deed.refused(
                &status,
                "Create the namespace with the tool that manages your namespaces (on Temporal Cloud: its console, tcld \
                 or Terraform), then run it again.",
            );
        }
    }
    let (pause, times) = KNOWN_WITHIN;
    let known = (|| used(client, namespace)).retry(ConstantBuilder::default().with_delay(pause).with_max_times(times));
    match known.await {
        Ok(()) => of_its_retention(deed.with(DeedOutcome::Made), namespace, Some(options.retention)),
        Err(status) => deed.refused(&status, "Wait until the server knows the new namespace, then run it again."),
    }
}

/// The retention of a namespace; none if the server does not say.
fn retention_of(described: &DescribeNamespaceResponse) -> Option<Duration> {
    let retention = described.config.as_ref()?.workflow_execution_retention_ttl?;
    Duration::try_from(retention).ok()
}

/// Warns of a retention that is shorter than the time for which duplicates must be recognised.
fn of_its_retention(deed: Deed, namespace: &str, retention: Option<Duration>) -> Deed {
    let Some(retention) = retention.filter(|retention| *retention < RETENTION_DEFAULT) else { return deed };
    let hours = retention.as_secs() / 3_600;
    deed.with_warning(
        format!(
            "it keeps closed workflows for {hours} hours: duplicates of unordered events are recognised only within \
             that time"
        ),
        &format!("For 30 days: temporal operator namespace update --namespace {namespace} --retention 720h"),
    )
}

/// Whether the namespace can be used.
async fn used(client: &Client, namespace: &str) -> Result<(), Status> {
    let request = ListWorkflowExecutionsRequest {
        namespace: namespace.to_owned(),
        page_size: 1,
        ..ListWorkflowExecutionsRequest::default()
    };
    client.clone().list_workflow_executions(request.into_request()).await.map(|_| ())
}

async fn of_its_use(client: &Client, namespace: &str, deed: Deed, denied: &Status) -> Deed {
    match used(client, namespace).await {
        Ok(()) => deed.with_detail(format!("it can be used, but not described: {}", denied.message())),
        Err(status) => deed.refused(&status, "Give this client access to the namespace, then run it again."),
    }
}

fn is_denied(status: &Status) -> bool {
    matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented)
}

/// Finds the search attributes of a namespace, or registers those that are missing.
pub(super) async fn ensure_search_attributes(client: &Client, namespace: &str, dry_run: bool) -> Vec<Deed> {
    const BY_HAND: &str = "Register it as a Keyword with the tool that manages your search attributes (on Temporal \
                           Cloud: its console, tcld or Terraform), then restart the workers; without it, lists are \
                           empty.";
    let deed = |attribute: &str| Deed::of(namespace, Thing::SearchAttribute, attribute.to_owned());
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let known = match client.clone().list_search_attributes(request.into_request()).await {
        Ok(answer) => answer.into_inner().custom_attributes,
        Err(status) => return SEARCH_ATTRIBUTES.map(|attribute| deed(attribute).refused(&status, BY_HAND)).into(),
    };
    let (found, missing): (Vec<&str>, Vec<&str>) =
        SEARCH_ATTRIBUTES.into_iter().partition(|attribute| known.contains_key(*attribute));
    let mut done: Vec<Deed> = found.into_iter().map(deed).collect();
    if missing.is_empty() {
        return done;
    }
    if dry_run {
        done.extend(missing.into_iter().map(|attribute| deed(attribute).with(DeedOutcome::WouldMake)));
        return done;
    }
    let keyword = i32::from(IndexedValueType::Keyword);
    let request = AddSearchAttributesRequest {
        search_attributes: missing.iter().map(|name| ((*name).to_owned(), keyword)).collect::<HashMap<_, _>>(),
        namespace: namespace.to_owned(),
    };
    let added = client.clone().add_search_attributes(request.into_request()).await;
    done.extend(missing.into_iter().map(|attribute| match &added {
        Ok(_) => deed(attribute).with(DeedOutcome::Made),
        Err(status) => deed(attribute).refused(status, BY_HAND),
    }));
    done
}

#[cfg(test)]
mod tests {
    use super::super::report::BootstrapReport;
    use super::*;

    #[test]
    fn a_retention_shorter_than_30_days_is_warned_of_and_is_no_failure() {
        let judged = |days: Option<u64>| {
            let retention = days.map(|days| Duration::from_hours(24 * days));
            of_its_retention(Deed::of("blue", Thing::Namespace, "blue".to_owned()), "blue", retention)
        };
        for days in [None, Some(30), Some(90)] {
            assert_eq!((judged(days).detail, judged(days).next), (None, None), "{days:?}");
        }
        let short = judged(Some(29));
        assert_eq!(short.outcome, DeedOutcome::Found);
        assert!(short.detail.as_ref().is_some_and(|detail| detail.contains("696 hours")), "{short:?}");
        assert!(
            short.next.as_ref().is_some_and(|next| next.contains("--namespace blue --retention 720h")),
            "{short:?}"
        );
        let record = interlock_domain::routing::InstallationRecord::new(
            interlock_domain::routing::QueuePrefix::default(),
            interlock_domain::routing::ShardCount::ONE,
        );
        assert!(BootstrapReport::new(&record, false, vec![short]).is_complete());
    }
}
