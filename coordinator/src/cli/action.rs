//! `action`: who did what.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use interlock_connection::ConnectionFlags;
use interlock_domain::action_log::{ActionFilter, ActionList, LoggedAction, ProposalState};
use interlock_domain::views::ActionConfirmed;
use interlock_fault::Fault;
use interlock_operations::actions::{ACTIONS_LISTED_DEFAULT, ACTIONS_LISTED_MAX, ActionLogs};
use interlock_operations::confirmations::Confirmations;
use interlock_settings::Settings;

use super::output::{Output, OutputFormat, tell};
use super::show::installation;
use super::tables::{cell, prose, table, text};
use super::words::actor;

/// `action`.
#[derive(Debug, Subcommand)]
pub(super) enum ActionCommand {
    /// List persons' actions on orders, resources, targets and the tenant, newest first
    List(ListArguments),
    /// Confirm an action that another person proposed, and carry it out
    Confirm(ConfirmArguments),
}

/// `action confirm`.
#[derive(Debug, Args)]
pub(super) struct ConfirmArguments {
    /// The action: 'entry' in the list
    #[arg(value_name = "ENTRY")]
    entry: String,
    /// Person who confirms [default: the name of the user]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// `action list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only actions whose actor contains this, in upper or lower case
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Only actions whose reason contains this, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only actions with this ticket
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// Only this action: retry, force_release, pause, …
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only actions on things whose id contains this
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Only actions that wait for a second person
    #[arg(long)]
    waiting: bool,
    /// At most this many, 1 to 1,000
    #[arg(long, value_name = "N", default_value_t = ACTIONS_LISTED_DEFAULT, value_parser = limit)]
    limit: usize,
    #[command(flatten)]
    connection: ConnectionFlags,
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=ACTIONS_LISTED_MAX).contains(limit));
    limit.ok_or_else(|| format!("not a number from 1 to {ACTIONS_LISTED_MAX}"))
}

/// Runs `action …`.
pub(super) async fn run(command: &ActionCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        ActionCommand::List(arguments) => list(arguments, settings, output).await,
        ActionCommand::Confirm(arguments) => confirm(arguments, settings, output).await,
    }
}

async fn confirm(arguments: &ConfirmArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = settings.tenant.clone();
    let by = actor(arguments.actor.as_ref());
    let confirmations = Confirmations::new(&installation(&arguments.connection, settings).await?);
    let confirmed = confirmations.confirm(&tenant, &arguments.entry, &by, |_| false).await?;
    output.one(&confirmed, |confirmed| {
        let ActionConfirmed { on, id, action, actor, confirmed_by, state, .. } = confirmed;
        format!("{on} {id}: {action} by {actor}, confirmed by {confirmed_by}: {state}")
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(arguments: &ListArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ListArguments { person, reason, ticket, action, object, waiting, limit, connection } = arguments;
    let filter = ActionFilter {
        person: person.clone(),
        reason: reason.clone(),
        ticket: ticket.clone(),
        action: action.clone(),
        object: object.clone(),
        waiting: *waiting,
        limit: Some(*limit),
        ..ActionFilter::default()
    };
    let tenant = settings.tenant.clone();
    let logs = ActionLogs::new(installation(connection, settings).await?);
    let list = logs.list(&tenant, &filter, |_| true).await?;
    match output.format() {
        OutputFormat::Jsonl => output.list(&list.actions, |_| String::new())?,
        OutputFormat::Text | OutputFormat::Json => output.one(&list, list_text)?,
    }
    if list.no_longer_kept > 0 {
        tell(&format!("{} older actions are no longer kept.", list.no_longer_kept));
    }
    Ok(ExitCode::SUCCESS)
}

fn list_text(list: &ActionList) -> String {
    if list.actions.is_empty() {
        return "no actions".to_owned();
    }
    let mut table = table(&["entry", "at", "who", "what", "on", "reason", "ticket", "outcome"]);
    for action in &list.actions {
        table.add_row([
            text(&action.entry),
            text(&action.at),
            text(&who(action)),
            text(&action.action),
            format!("{} {}", text(action.on.as_str()), text(&action.id)),
            prose(&action.reason),
            cell(action.ticket.as_ref()),
            prose(&outcome(action)),
        ]);
    }
    table.to_string()
}

/// Who acted, and who confirmed it.
fn who(action: &LoggedAction) -> String {
    let confirmed_by = action.second_person.as_ref().and_then(|second| second.confirmed_by.as_ref());
    let confirmed_by = confirmed_by.map(|by| format!(", confirmed by {by}")).unwrap_or_default();
    format!("{}{confirmed_by}", action.actor)
}

/// What became of an action, in words.
fn outcome(action: &LoggedAction) -> String {
    let proposal = action.second_person.as_ref();
    let Some(end) = &action.outcome else {
        return match proposal.and_then(|proposal| Some((proposal.state.known()?, &proposal.until))) {
            Some((ProposalState::Open, until)) => format!("waits for a second person until {until}"),
            Some((ProposalState::Expired, _)) => "expired: no second person confirmed it".to_owned(),
            Some((ProposalState::Confirmed, _)) | None => "unknown: it was sent, and no more was noted".to_owned(),
        };
    };
    let code = action.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let detail = action.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{end}{code}{detail}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_says_who_did_what_why_and_what_became_of_it() {
        let action = |more: serde_json::Value| {
            let mut action = json!({"at": "2026-01-01T00:00:00Z", "on": "order", "id": "A~1", "action": "retry", "action_id": "x",
                                    "actor": "ann", "reason": "typo"});
            action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            action
        };
        let list = json!({"actions": [
            action(json!({"ticket": "INC-7", "outcome": "refused", "code": "nothing_held", "detail": "No."})),
            action(json!({"outcome": "done", "detail": "pending"})),
            action(json!({})),
            action(json!({"entry": "7", "second_person": {"state": "open", "until": "2026-01-01T01:00:00Z"}})),
            action(json!({"outcome": "done", "second_person": {"state": "confirmed", "until": "", "confirmed_by": "bob"}})),
        ]});
        let shown = list_text(&serde_json::from_value(list).unwrap());
        for part in [
            "ann",
            "order A~1",
            "typo",
            "INC-7",
            "refused [nothing_held]: No.",
            "done: pending",
            "unknown: it was sent",
            "2026-01-01T01:00:00Z",
            "confirmed by bob",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert_eq!(list_text(&ActionList::default()), "no actions");
    }
}
