//! Payloads that do not belong to a call to an entity.

use serde::de::DeserializeOwned;
use temporalio_client::Client;
use temporalio_common::data_converters::{SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use crate::server_error::ServerError;

/// JSON that is not encrypted, for data that the server itself reads or that a process must read without a key.
pub(crate) fn plain_json(data: Vec<u8>) -> Payload {
    let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
    Payload { metadata, data, ..Payload::default() }
}

/// Decodes the payloads of a workflow with the client's converter.
pub(crate) async fn decode<A: DeserializeOwned + 'static>(
    client: &Client,
    payloads: Vec<Payload>,
) -> Result<A, ServerError> {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    client.options().data_converter.from_payloads::<A>(&context, payloads).await.map_err(ServerError::payload)
}
