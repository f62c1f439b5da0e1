//! Action id, actor, reason and ticket: the arguments of all commands that change something.

use clap::Args;
use interlock_fault::Fault;
use interlock_operations::actions::ActionWords;
use uuid::Uuid;

/// The environment variables with the user's name.
const USER_VARIABLES: [&str; 3] = ["USER", "LOGNAME", "USERNAME"];

/// Action id, actor, reason and ticket.
#[derive(Debug, Args)]
pub(super) struct WordsArguments {
    /// Reason for the action; it is kept in the journal
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// Person who acts [default: the name of the user]
    #[arg(long, value_name = "NAME")]
    pub(super) actor: Option<String>,
    /// Ticket of another system that the action belongs to; it is kept in the log of actions
    #[arg(long, value_name = "TICKET")]
    pub(super) ticket: Option<String>,
    /// Id of the action; repeating an action with the same id changes nothing [default: a new id]
    #[arg(long, value_name = "ID")]
    pub(super) action_id: Option<String>,
}

/// Who acts: the person that was named, or the user.
pub(super) fn actor(named: Option<&String>) -> String {
    let user = || USER_VARIABLES.iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    named.cloned().or_else(user).unwrap_or_else(|| "command line".to_owned())
}

impl WordsArguments {
    /// The same, checked.
    ///
    /// # Errors
    /// [`Fault`] `bad_action`.
    pub(super) fn words(&self) -> Result<ActionWords, Fault> {
        let words = ActionWords {
            action_id: self.action_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
            actor: actor(self.actor.as_ref()),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            confirmed_by: None,
        };
        words.check().map_err(|error| Fault::wrong_use(error.code(), error.sentence()))?;
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_is_not_named_gets_a_name_of_its_own() {
        let arguments = |reason: &str| WordsArguments {
            reason: reason.to_owned(),
            actor: Some("ann".to_owned()),
            ticket: None,
            action_id: None,
        };
        let (one, other) = (arguments("typo").words().unwrap(), arguments("typo").words().unwrap());
        assert_ne!(one.action_id, other.action_id);
        assert_eq!(arguments(" ").words().unwrap_err().exit_code(), 2);
    }
}
