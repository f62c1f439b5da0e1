//! How a repeated action of a person is recognised.
//!
//! An action id names one action of one caller on one thing: an order, a resource, a target or a tenant. The same action again
//! changes nothing. The same id with another content is the caller's mistake and is refused. The same id from another caller is
//! another action.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::action_words::Refusal;
use crate::error_code::ErrorCode;

/// Separates, in an actor, the authenticated caller from the name that the caller gave.
pub const ON_BEHALF_OF: &str = " on behalf of ";

/// The caller of an actor: `gateway` of `gateway on behalf of ann`.
pub fn caller_of(actor: &str) -> &str {
    actor.split_once(ON_BEHALF_OF).map_or(actor, |(caller, _)| caller)
}

/// An action as it is remembered: 16 hex digits that name it, a dot, and 16 hex digits of its content. Its id and its
/// texts cannot be read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionMark {
    name: String,
    content: String,
}

impl ActionMark {
    /// The mark of the action with this actor, id and content.
    pub fn of(actor: &str, action_id: &str, content: &impl Serialize) -> Self {
        let name = digest(&serde_json::json!([caller_of(actor), action_id]));
        // Content that cannot be serialised cannot have arrived in a message either.
        let content = digest(&serde_json::json!([actor, serde_json::to_value(content).unwrap_or_default()]));
        Self { name, content }
    }

    /// Whether the action is among those already taken. `id_of_0_1` is how 0.1.0 remembered it, which knew neither callers nor
    /// content.
    ///
    /// # Errors
    /// `action_id_reused` if the same caller used the same id for an action with other content.
    pub fn is_among<'a>(&self, taken: impl IntoIterator<Item = &'a str>, id_of_0_1: &str) -> Result<bool, Refusal> {
        for taken in taken {
            if taken == id_of_0_1 {
                return Ok(true);
            }
            match taken.split_once('.') {
                Some((name, content)) if name == self.name && content == self.content => return Ok(true),
                Some((name, _)) if name == self.name => return Err(reused()),
                _ => {}
            }
        }
        Ok(false)
    }
}

impl fmt::Display for ActionMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name, self.content)
    }
}

/// A digest of an action's content beside its kind and texts, in the form that messages carry: 16 hex digits.
pub fn content_of(value: &serde_json::Value) -> String {
    digest(value)
}

/// The refusal of an id that was given to another action.
pub(crate) fn reused() -> Refusal {
    Refusal::new(
        ErrorCode::ActionIdReused,
        "This action id was already used for another action: use a new id for an action with other content.",
    )
}

fn digest(value: &serde_json::Value) -> String {
    hex::encode(&Sha256::digest(value.to_string().as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(actor: &str, action_id: &str, content: &str) -> ActionMark {
        ActionMark::of(actor, action_id, &content)
    }

    #[test]
    fn an_action_is_known_again_by_its_caller_its_id_and_what_it_says() {
        let taken = [mark("ann", "x", "retry").to_string()];
        let is_among = |mark: ActionMark| mark.is_among(taken.iter().map(String::as_str), "x of 0.1.0");
        assert_eq!(is_among(mark("ann", "x", "retry")), Ok(true));
        assert_eq!(is_among(mark("ann", "y", "retry")), Ok(false));
        assert_eq!(is_among(mark("bob", "x", "retry")), Ok(false), "another caller's is another action");
        assert_eq!(is_among(mark("bob", "x", "skip")), Ok(false));
        assert_eq!(is_among(mark("ann", "x", "skip")).unwrap_err().code, ErrorCode::ActionIdReused);
        let on_behalf = is_among(mark("ann on behalf of bob", "x", "retry"));
        assert_eq!(on_behalf.unwrap_err().code, ErrorCode::ActionIdReused, "the caller is the same, the actor is not");
    }

    #[test]
    fn what_0_1_0_remembered_is_recognised_by_its_id_alone() {
        let taken = ["other", "x"];
        assert_eq!(mark("ann", "x", "retry").is_among(taken, "x"), Ok(true));
        assert_eq!(mark("ann", "z", "retry").is_among(taken, "z"), Ok(false));
    }

    #[test]
    fn nothing_can_be_read_from_a_mark_and_callers_and_ids_are_told_apart() {
        let text = mark("ann", "call 12065551234", "retry").to_string();
        assert_eq!(text.len(), 33);
        assert!(!text.contains("1206"), "{text}");
        assert_ne!(mark("a", "bc", "retry"), mark("ab", "c", "retry"));
        assert_eq!(caller_of("gateway on behalf of ann on behalf of bob"), "gateway");
        assert_eq!(caller_of("ann"), "ann");
    }
}
