//! Request ids that are the same for every repetition of a call, so that the server recognises it.
//!
//! The server silently drops a message whose request id it has already seen in the receiver's run. So the id is derived from the
//! content of the message and from its position: when a workflow task is retried, another message may be at that position.

use interlock_domain::ids::OrderId;
use serde::Serialize;
use uuid::Uuid;

use crate::entity_call_error::EntityCallError;
use crate::entity_handle::EntityHandle;

/// The request id of a message to an entity, at the position that these texts name.
///
/// # Errors
/// [`EntityCallError::Payload`] if the message has no JSON form.
pub fn of_message<M: Serialize>(
    position: &[&str],
    entity: &EntityHandle,
    message: &M,
) -> Result<String, EntityCallError> {
    let content =
        serde_json::to_string(message).map_err(|fault| EntityCallError::payload(&entity.route.workflow_id, &fault))?;
    Ok(of_content(position, &content))
}

fn of_content(position: &[&str], content: &str) -> String {
    let parts: Vec<&str> = position.iter().copied().chain([content]).collect();
    of(&parts)
}

/// The request id that is derived from these texts.
pub fn of(parts: &[&str]) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("interlock:request:{}", parts.join("\n")).as_bytes()).to_string()
}

/// The request id of the submission of an event that makes this order. It is the same whenever the event is sent.
pub fn of_submission(order: &OrderId) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("interlock:submit:{order}").as_bytes()).to_string()
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

    #[test]
    fn the_same_order_has_the_same_request_id() {
        let order = OrderId::derive(&"default".parse().unwrap(), &"A1".parse().unwrap(), "s", "1", None);
        assert_eq!(of_submission(&order), of_submission(&order.clone()));
    }
}
