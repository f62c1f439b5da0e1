//! Request ids of what an activity tells entities: see [`interlock_client::request_id`].

use interlock_client::{EntityCallError, EntityHandle, request_id};
use serde::Serialize;
use temporalio_sdk::activities::ActivityContext;

/// The request id of one part of what an activity does, with what it tells an entity there: the same in every attempt of the
/// activity that says the same, different in every other activity, also of another run.
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
