//! Namespaces and their search attributes.

use std::collections::BTreeSet;
use std::time::Duration;

use temporalio_client::Client;
use temporalio_client::grpc::{OperatorService, WorkflowService};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeNamespaceResponse, RegisterNamespaceRequest,
};
use tonic::IntoRequest;

use crate::server_error::ServerError;
use crate::visibility;

/// The description of the namespaces that are registered here.
const DESCRIPTION: &str = "Interlock";

/// The time for which a namespace keeps closed workflows. `None` if the server does not say.
///
/// # Errors
/// [`ServerError`]: [`is_not_found`](ServerError::is_not_found) if there is no such namespace, [`is_denied`](ServerError::is_denied) if
/// this client may not describe namespaces.
pub async fn retention(client: &Client, namespace: &str) -> Result<Option<Duration>, ServerError> {
    let request = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..DescribeNamespaceRequest::default() };
    let described = WorkflowService::describe_namespace(&mut client.clone(), request.into_request()).await?;
    Ok(retention_of(&described.into_inner()))
}

fn retention_of(described: &DescribeNamespaceResponse) -> Option<Duration> {
    let retention = described.config.as_ref()?.workflow_execution_retention_ttl?;
    Duration::try_from(retention).ok()
}

/// What a namespace allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NamespaceAbilities {
    /// Whether entities can be updated.
    pub updates: bool,
    /// Whether activities can be started without a workflow.
    pub standalone_activities: bool,
}

/// What a namespace allows, as the server says it. `None` if it does not say.
///
/// # Errors
/// As [`retention`].
pub async fn abilities(client: &Client, namespace: &str) -> Result<Option<NamespaceAbilities>, ServerError> {
    let request = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..DescribeNamespaceRequest::default() };
    let described =
        WorkflowService::describe_namespace(&mut client.clone(), request.into_request()).await?.into_inner();
    let capabilities = described.namespace_info.and_then(|info| info.capabilities);
    Ok(capabilities.map(|capabilities| NamespaceAbilities {
        updates: capabilities.sync_update,
        standalone_activities: capabilities.standalone_activities,
    }))
}

/// Registers a namespace that keeps closed workflows for this time. Returns whether it did not exist.
///
/// # Errors
/// [`ServerError`].
pub async fn register(client: &Client, namespace: &str, retention: Duration) -> Result<bool, ServerError> {
    let request = RegisterNamespaceRequest {
        namespace: namespace.to_owned(),
        description: DESCRIPTION.to_owned(),
        workflow_execution_retention_period: retention.try_into().ok(),
        ..RegisterNamespaceRequest::default()
    };
    let registered = WorkflowService::register_namespace(&mut client.clone(), request.into_request()).await;
    match registered.map_err(ServerError::from) {
        Ok(_) => Ok(true),
        Err(error) if error.is_taken() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Checks that a namespace can be used: lists one of its workflows. A client that may not describe a namespace may be allowed to use it,
/// as on Temporal Cloud.
///
/// # Errors
/// [`ServerError`].
pub async fn check_use(client: &Client, namespace: &str) -> Result<(), ServerError> {
    visibility::page(client, namespace, "", 1, Vec::new()).await.map(|_| ())
}

/// The names of the search attributes that are registered in a namespace, without those of the server itself.
///
/// # Errors
/// [`ServerError`].
pub async fn search_attributes(client: &Client, namespace: &str) -> Result<BTreeSet<String>, ServerError> {
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let listed = OperatorService::list_search_attributes(&mut client.clone(), request.into_request()).await?;
    Ok(listed.into_inner().custom_attributes.into_keys().collect())
}

/// Those of these search attributes that are registered with another type than Keyword.
///
/// # Errors
/// [`ServerError`].
pub async fn search_attributes_of_other_types(
    client: &Client,
    namespace: &str,
    names: &[&str],
) -> Result<BTreeSet<String>, ServerError> {
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let listed = OperatorService::list_search_attributes(&mut client.clone(), request.into_request()).await?;
    let keyword = i32::from(IndexedValueType::Keyword);
    let registered = listed.into_inner().custom_attributes.into_iter();
    let others = registered.filter(|(name, of_type)| names.contains(&name.as_str()) && *of_type != keyword);
    Ok(others.map(|(name, _)| name).collect())
}

/// Registers search attributes of the type Keyword in a namespace. The server may know them only after a moment.
///
/// # Errors
/// [`ServerError`].
pub async fn add_search_attributes(client: &Client, namespace: &str, names: &[&str]) -> Result<(), ServerError> {
    let keyword = i32::from(IndexedValueType::Keyword);
    let request = AddSearchAttributesRequest {
        namespace: namespace.to_owned(),
        search_attributes: names.iter().map(|name| ((*name).to_owned(), keyword)).collect(),
    };
    OperatorService::add_search_attributes(&mut client.clone(), request.into_request()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::namespace::v1::NamespaceConfig;
    use temporalio_common::protos::temporal::api::workflowservice::v1::RegisterNamespaceResponse;

    use tonic::Status;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    #[tokio::test]
    async fn a_namespace_that_another_process_registers_first_is_not_an_error() {
        const REGISTER: &str = "RegisterNamespace";
        let server = ScriptedServer::default().answers(REGISTER, &RegisterNamespaceResponse::default());
        let server = server.refuses(REGISTER, Status::already_exists("Namespace already exists."));
        let (_, client) = server.refuses(REGISTER, Status::permission_denied("no")).client().await;
        let registered = || register(&client, "blue", Duration::from_hours(24));
        assert!(registered().await.unwrap());
        assert!(!registered().await.unwrap());
        assert!(registered().await.unwrap_err().is_denied());
    }

    #[test]
    fn the_retention_is_unknown_if_the_server_does_not_say_it() {
        assert_eq!(retention_of(&DescribeNamespaceResponse::default()), None);
        let config = |days: u64| NamespaceConfig {
            workflow_execution_retention_ttl: Duration::from_hours(24 * days).try_into().ok(),
            ..NamespaceConfig::default()
        };
        let described = DescribeNamespaceResponse { config: Some(config(30)), ..Default::default() };
        assert_eq!(retention_of(&described), Some(Duration::from_hours(30 * 24)));
        let unset = DescribeNamespaceResponse { config: Some(NamespaceConfig::default()), ..Default::default() };
        assert_eq!(retention_of(&unset), None);
    }
}
