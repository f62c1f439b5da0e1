//! The message of an entity's failure, which may be encrypted.

use temporalio_common::data_converters::{
    DataConverter, NoopDecodeHint, SerializationContextData, WorkflowSerializationContext,
};
use temporalio_common::payload_visitor::decode_payloads;
use temporalio_common::protos::temporal::api::failure::v1::Failure;

/// The message of a failure, decrypted if it was encrypted. If it cannot be decrypted, the reason.
pub async fn failure_text(converter: &DataConverter, mut failure: Failure) -> String {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    if let Err(error) = decode_payloads(&mut failure, converter.codec(), &context).await {
        return error.to_string();
    }
    match converter.to_error(&context, failure, NoopDecodeHint) {
        Ok(failed) => failed.failure().message.clone(),
        Err(error) => error.to_string(),
    }
}
