//! Request ids that are the same whenever the same call is made again, so that the server recognises it.
//!
//! The server drops a message silently whose request id it has seen in the receiver's run. So an id names the content of what
//! is sent as well as its position: a workflow task that is attempted again may have something else to say at that position.

use serde::Serialize;
use temporalio_sdk::activities::ActivityContext;
use uuid::Uuid;

use crate::entity_client::{EntityCallError, EntityTarget, unreadable};

/// The request id of one part of what an activity does, with what it tells an entity there: the same in every attempt of the
/// activity that says the same, different in every other activity, also of another run.
///
/// # Errors
/// [`EntityCallError::Payload`] if the message has no JSON form.
pub(crate) fn of_part<M: Serialize>(
    context: &ActivityContext,
    part: &str,
    entity: &EntityTarget,
    message: &M,
) -> Result<String, EntityCallError> {
    let info = context.info();
    let run = info.workflow_run_id.as_deref().unwrap_or_default();
    // A local activity and a normal one may have the same id.
    of_message(&[run, &info.activity_type, &info.activity_id, part], entity, message)
}

/// The request id of a message to an entity, at the position that these texts name.
///
/// # Errors
/// [`EntityCallError::Payload`] if the message has no JSON form.
pub(crate) fn of_message<M: Serialize>(
    position: &[&str],
    entity: &EntityTarget,
    message: &M,
) -> Result<String, EntityCallError> {
    let content = serde_json::to_string(message).map_err(|fault| unreadable(entity, fault.to_string()))?;
    Ok(of_content(position, &content))
}

fn of_content(position: &[&str], content: &str) -> String {
    let parts: Vec<&str> = position.iter().copied().chain([content]).collect();
    of(&parts)
}

/// The request id that these texts make.
pub(crate) fn of(parts: &[&str]) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("interlock:request:{}", parts.join("\n")).as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_message_at_the_same_position_has_the_same_id_and_any_other_has_another() {
        assert_eq!(of_content(&["run", "1", "0"], "granted 716"), of_content(&["run", "1", "0"], "granted 716"));
        assert_ne!(of_content(&["run", "1", "0"], "granted 716"), of_content(&["run", "1", "0"], "granted 894"));
        assert_ne!(of_content(&["run", "1", "0"], "granted 716"), of_content(&["run", "1", "1"], "granted 716"));
        assert_ne!(of_content(&["run", "1", "0"], "granted 716"), of_content(&["next run", "1", "0"], "granted 716"));
    }
}
