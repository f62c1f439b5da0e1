//! A person's actions on orders and resources, for the gateway and the command line alike.

mod bulk;
mod log;
mod order;
mod preview;
mod resource;
mod unpause;
mod update;

pub(crate) use log::Noted;
pub use log::{ACTIONS_LISTED_DEFAULT, ACTIONS_LISTED_MAX, ActionLogs};
pub use order::{OrderAction, OrderRequest};
pub use resource::ForceRequest;
pub(crate) use update::Update;

use interlock_connection::Installation;
use interlock_domain::action_log::TICKET_BYTES_MAX;
use interlock_domain::customer::{Refusal, check_action_words};
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::order::Rejection;
use interlock_fault::Fault;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::inspection::{Inspection, InspectionError};

/// The longest action id from a person, in bytes: for an action by filter the order's id is added.
pub const ACTION_ID_BYTES_MAX: usize = 128;

/// Why an action was not taken.
#[derive(Debug, Error)]
pub enum ActionError {
    /// Its object cannot be reached.
    #[error(transparent)]
    Unreached(#[from] InspectionError),
    /// It was refused; nothing was changed.
    #[error("{detail}")]
    Refused {
        /// Its stable code.
        code: ErrorCode,
        /// A sentence for a person.
        detail: String,
    },
}

impl ActionError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unreached(error) => error.code(),
            Self::Refused { code, .. } => *code,
        }
    }

    /// A sentence for a person.
    pub fn sentence(&self) -> String {
        match self {
            Self::Unreached(error) => format!("{error}."),
            Self::Refused { detail, .. } => detail.clone(),
        }
    }

    /// A request that is not a valid action.
    fn bad(detail: impl Into<String>) -> Self {
        Self::Refused { code: ErrorCode::BadAction, detail: detail.into() }
    }

    /// An entity's refusal; a code that this build does not know goes into the sentence.
    fn of_entity(code: &ReasonCode, detail: String) -> Self {
        match code.known() {
            Some(code) => Self::Refused { code, detail },
            None => Self::Refused { code: ErrorCode::ActionRefused, detail: format!("{code}: {detail}") },
        }
    }
}

impl From<Refusal> for ActionError {
    fn from(refusal: Refusal) -> Self {
        Self::of_entity(&refusal.code, refusal.detail)
    }
}

impl From<Rejection> for ActionError {
    fn from(rejection: Rejection) -> Self {
        Self::of_entity(&rejection.code, rejection.detail)
    }
}

impl From<ActionError> for Fault {
    fn from(error: ActionError) -> Self {
        Fault::failed(error.code(), error.sentence())
    }
}

/// The action id, the actor, the reason, and the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionWords {
    /// Identifies the action: repeating it changes nothing.
    pub action_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The ticket of another system that the action belongs to. Only the log of actions has it.
    pub ticket: Option<String>,
    /// The second person, if the action was proposed and that person has confirmed it.
    pub confirmed_by: Option<String>,
}

impl ActionWords {
    /// Who acts, for the journals of entities: both persons, if there were two.
    pub(crate) fn signed(&self) -> String {
        match &self.confirmed_by {
            None => self.actor.clone(),
            Some(by) => format!("{}, confirmed by {by}", self.actor),
        }
    }

    /// The same words, with who acts as journals show it.
    #[must_use]
    pub(crate) fn for_entity(&self) -> Self {
        Self { actor: self.signed(), ..self.clone() }
    }

    /// Checks that these are valid.
    ///
    /// # Errors
    /// `bad_action`.
    pub fn check(&self) -> Result<(), ActionError> {
        self.check_parts()?;
        if self.action_id.len() > ACTION_ID_BYTES_MAX {
            let bytes = self.action_id.len();
            return Err(ActionError::bad(format!(
                "The action id has {bytes} bytes; the limit is {ACTION_ID_BYTES_MAX}."
            )));
        }
        if self.action_id.chars().any(char::is_control) {
            return Err(ActionError::bad("The action id contains control characters."));
        }
        Ok(())
    }

    /// Checks the parts of an action that may be one of many, whose id also has the order's id.
    ///
    /// # Errors
    /// `bad_action`.
    pub(crate) fn check_parts(&self) -> Result<(), ActionError> {
        check_action_words(&self.action_id, &self.signed(), &self.reason)?;
        let Some(ticket) = &self.ticket else { return Ok(()) };
        if ticket.trim().is_empty() || ticket.chars().any(char::is_control) {
            return Err(ActionError::bad("The ticket is empty or contains control characters."));
        }
        if ticket.len() > TICKET_BYTES_MAX {
            let bytes = ticket.len();
            return Err(ActionError::bad(format!("The ticket has {bytes} bytes; the limit is {TICKET_BYTES_MAX}.")));
        }
        Ok(())
    }
}

/// What an action consists of, as a proposal keeps it.
pub(crate) fn json(content: &impl Serialize) -> Value {
    // What cannot be written as JSON cannot be sent to an entity either.
    serde_json::to_value(content).unwrap_or_default()
}

/// Sends persons' actions to the entities.
#[derive(Clone)]
pub struct Actions {
    installation: Installation,
    inspection: Inspection,
    logs: ActionLogs,
}

impl Actions {
    /// Acts through this installation's connection.
    pub fn new(installation: Installation) -> Self {
        let (inspection, logs) = (Inspection::new(installation.clone()), ActionLogs::new(installation.clone()));
        Self { installation, inspection, logs }
    }

    /// The logs of actions of the same installation.
    pub fn logs(&self) -> &ActionLogs {
        &self.logs
    }

    /// The inspection of the same installation.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(action_id: &str, actor: &str, reason: &str) -> Result<(), ErrorCode> {
        words_with(action_id, actor, reason, None)
    }

    fn words_with(action_id: &str, actor: &str, reason: &str, ticket: Option<&str>) -> Result<(), ErrorCode> {
        let words = ActionWords {
            action_id: action_id.to_owned(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            ticket: ticket.map(str::to_owned),
            confirmed_by: None,
        };
        words.check().map_err(|error| error.code())
    }

    #[test]
    fn a_ticket_is_a_short_text_or_absent() {
        let ticket = |ticket: &str| words_with("x", "ann", "typo", Some(ticket));
        assert_eq!(ticket("INC-7"), Ok(()));
        assert_eq!(ticket(&"x".repeat(TICKET_BYTES_MAX)), Ok(()));
        for wrong in ["", " ", "a\nb", &"x".repeat(TICKET_BYTES_MAX + 1)] {
            assert_eq!(ticket(wrong), Err(ErrorCode::BadAction), "{wrong:?}");
        }
    }

    #[test]
    fn an_action_has_an_id_an_actor_and_a_reason() {
        assert_eq!(words("x", "ann", "typo"), Ok(()));
        assert_eq!(words(&"x".repeat(ACTION_ID_BYTES_MAX), "ann", "typo"), Ok(()));
        assert_eq!(words(&"x".repeat(ACTION_ID_BYTES_MAX + 1), "ann", "typo"), Err(ErrorCode::BadAction));
        for (action_id, actor, reason) in [("", "ann", "typo"), ("x", "", "typo"), ("x", "ann", " "), ("\n", "a", "b")]
        {
            assert_eq!(words(action_id, actor, reason), Err(ErrorCode::BadAction));
        }
        assert_eq!(words("a\u{0}b", "ann", "typo"), Err(ErrorCode::BadAction));
    }

    #[test]
    fn a_code_of_another_build_is_told_in_the_sentence() {
        let refusal = Refusal { code: ReasonCode::of_target("of_the_future"), detail: "No.".to_owned() };
        let error = ActionError::from(refusal);
        assert_eq!((error.code(), error.sentence()), (ErrorCode::ActionRefused, "of_the_future: No.".to_owned()));
    }
}
