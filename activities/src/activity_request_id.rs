//! Request ids of the messages that an activity sends to entities: see [`interlock_client::request_id`].

use interlock_client::{EntityCallError, EntityHandle, request_id};
use serde::Serialize;
use temporalio_sdk::activities::ActivityContext;

/// The request id of one message that an activity sends. It is the same in every attempt of the activity that sends the same message,
/// and different in every other activity and every other run.
///
/// # Errors
/// [`EntityCallError::Payload`] if the message has no JSON form.
pub(crate) fn of_part<M: Serialize>(
    context: &ActivityContext,
    part: &str,
    entity: &EntityHandle,
    message: &M,
) -> Result<String, EntityCallError> {
    let info = context.info();
    let run = info.workflow_run_id.as_deref().unwrap_or_default();
    // A local activity and a normal one may have the same id.
    request_id::of_message(&[run, &info.activity_type, &info.activity_id, part], entity, message)
}
