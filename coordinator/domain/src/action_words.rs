//! What every action of a person has: an id, an actor and a reason; and how a refusal looks.

use serde::{Deserialize, Serialize};

use crate::error_code::{ErrorCode, ReasonCode};

/// Why an action is refused; nothing is changed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// A stable code.
    pub code: ReasonCode,
    /// A sentence for a person.
    pub detail: String,
}

impl Refusal {
    /// A refusal with this code and sentence.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

/// Checks the parts that every action has: id, actor and reason.
///
/// # Errors
/// `bad_action`, with what is wrong.
pub fn check_action_words(action_id: &str, actor: &str, reason: &str) -> Result<(), Refusal> {
    let words = [
        ("action id", action_id, ACTION_ID_BYTES_MAX),
        ("actor", actor, REASON_BYTES_MAX),
        ("reason", reason, REASON_BYTES_MAX),
    ];
    for (what, text, bytes_max) in words {
        if text.trim().is_empty() {
            return Err(Refusal::new(ErrorCode::BadAction, format!("The {what} is empty.")));
        }
        if text.len() > bytes_max {
            let detail = format!("The {what} has {} bytes; the limit is {bytes_max}.", text.len());
            return Err(Refusal::new(ErrorCode::BadAction, detail));
        }
    }
    Ok(())
}

/// The longest action id, in bytes.
pub const ACTION_ID_BYTES_MAX: usize = 450;

/// The longest reason, and the longest name of an actor, in bytes.
pub const REASON_BYTES_MAX: usize = 1_000;
