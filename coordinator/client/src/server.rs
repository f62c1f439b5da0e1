//! The server itself.

use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tonic::IntoRequest;

use crate::server_error::ServerError;

/// Checks that the server answers.
///
/// # Errors
/// [`ServerError`].
pub async fn check(client: &Client) -> Result<(), ServerError> {
    client.clone().get_system_info(GetSystemInfoRequest {}.into_request()).await?;
    Ok(())
}
