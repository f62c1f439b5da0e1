//! The server itself.

use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    ExecuteMultiOperationRequest, GetSystemInfoRequest,
};
use tonic::{Code, IntoRequest};

use crate::server_error::ServerError;

/// Checks that the server answers.
///
/// # Errors
/// [`ServerError`].
pub async fn check(client: &Client) -> Result<(), ServerError> {
    version(client).await.map(drop)
}

/// The version of the server, as it says it.
///
/// # Errors
/// [`ServerError`].
pub async fn version(client: &Client) -> Result<String, ServerError> {
    let info = client.clone().get_system_info(GetSystemInfoRequest {}.into_request()).await?;
    Ok(info.into_inner().server_version)
}

/// Whether the server takes an update together with the start of its workflow. The question changes nothing: it is such a call without
/// operations, which the server rejects as invalid if it takes such calls at all.
///
/// # Errors
/// [`ServerError`].
pub async fn takes_update_with_start(client: &Client, namespace: &str) -> Result<bool, ServerError> {
    let request =
        ExecuteMultiOperationRequest { namespace: namespace.to_owned(), ..ExecuteMultiOperationRequest::default() };
    match client.clone().execute_multi_operation(request.into_request()).await {
        Ok(_) => Ok(true),
        Err(status) => match status.code() {
            Code::InvalidArgument => Ok(true),
            Code::PermissionDenied | Code::Unimplemented => Ok(false),
            _ => Err(status.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    #[tokio::test]
    async fn a_server_that_finds_the_empty_call_invalid_takes_update_with_start() {
        const CALL: &str = "ExecuteMultiOperation";
        let server = ScriptedServer::default().refuses(CALL, Status::invalid_argument("Operations is not set"));
        let server = server.refuses(CALL, Status::permission_denied("ExecuteMultiOperation API is disabled"));
        let server = server.refuses(CALL, Status::not_found("Namespace default is not found."));
        let (_, client) = server.client().await;
        assert!(takes_update_with_start(&client, "default").await.unwrap());
        assert!(!takes_update_with_start(&client, "default").await.unwrap());
        assert!(takes_update_with_start(&client, "default").await.unwrap_err().is_not_found());
    }
}
