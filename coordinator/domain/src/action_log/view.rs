//! What the log shows, and how it is filtered.

use serde::{Deserialize, Serialize};

use super::{ActionEnd, ActionLog, ActionObject, LogEntry, Proposal};
use crate::error_code::ReasonCode;
use crate::ids::Timestamp;
use crate::wire::{WireName, wire_words};

/// Which actions to show: those that have all of this. It is the argument of the query `actions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionFilter {
    /// A part of the actor, in upper or lower case.
    pub person: Option<String>,
    /// A part of the reason, in upper or lower case.
    pub reason: Option<String>,
    /// The ticket, in upper or lower case.
    pub ticket: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// A part of the id of what it is on, in upper or lower case.
    pub object: Option<String>,
    /// The number in the log.
    pub number: Option<u64>,
    /// Only actions that wait for a second person.
    pub waiting: bool,
    /// At most this many, the newest.
    pub limit: Option<usize>,
    /// The time of the question: proposals whose time is over then have expired.
    pub now: Option<Timestamp>,
}

impl ActionFilter {
    fn selects(&self, entry: &LogEntry) -> bool {
        let words = &entry.words;
        let is_ticket = |wanted: &String| words.ticket.as_ref().is_some_and(|ticket| lower(ticket) == lower(wanted));
        let confirmed_by = entry.proposal.as_ref().and_then(|proposal| Some(&proposal.confirmed.as_ref()?.0));
        let is_person =
            has(&words.actor, self.person.as_ref()) || confirmed_by.is_some_and(|by| has(by, self.person.as_ref()));
        let is_waiting =
            || entry.proposal.as_ref().is_some_and(|proposal| self.state_of(proposal) == ProposalState::Open);
        is_person
            && self.number.is_none_or(|number| number == entry.number)
            && (!self.waiting || is_waiting())
            && has(&words.reason, self.reason.as_ref())
            && has(&entry.subject.id, self.object.as_ref())
            && self.ticket.as_ref().is_none_or(is_ticket)
            && self.action.as_ref().is_none_or(|action| *action == entry.subject.action)
    }

    fn state_of(&self, proposal: &Proposal) -> ProposalState {
        match (&proposal.confirmed, self.now) {
            (Some(_), _) => ProposalState::Confirmed,
            (None, Some(now)) if !proposal.is_open(now) => ProposalState::Expired,
            (None, _) => ProposalState::Open,
        }
    }
}

wire_words! {
    /// The state of a proposal.
    ProposalState {
        /// It waits for a second person.
        Open = "open",
        /// A second person confirmed it.
        Confirmed = "confirmed",
        /// Nobody confirmed it in time.
        Expired = "expired",
    }
}

/// An action that needs a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecondPersonView {
    /// Whether it waits.
    #[cfg_attr(feature = "openapi", schema(value_type = ProposalState))]
    pub state: WireName<ProposalState>,
    /// Until when it can be confirmed.
    pub until: String,
    /// Who confirmed it.
    #[serde(default)]
    pub confirmed_by: Option<String>,
    /// When.
    #[serde(default)]
    pub confirmed_at: Option<String>,
}

fn has(text: &str, part: Option<&String>) -> bool {
    part.is_none_or(|part| lower(text).contains(&lower(part)))
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// Persons' actions, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionList {
    /// The actions that were selected, newest first.
    #[serde(default)]
    pub actions: Vec<LoggedAction>,
    /// How many older actions the log no longer keeps.
    #[serde(default)]
    pub no_longer_kept: u64,
}

/// A person's action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoggedAction {
    /// Names it in a call that confirms it: its number, after `targets-` for an action on a target.
    #[serde(default)]
    pub entry: String,
    /// When it was sent first, RFC 3339.
    pub at: String,
    /// The kind of thing that it is on.
    #[cfg_attr(feature = "openapi", schema(value_type = ActionObject))]
    pub on: WireName<ActionObject>,
    /// The thing: an order's id, `KIND/ID` of a resource, the name of a target or a tenant.
    pub id: String,
    /// The action: `retry`, `force_release`, `pause`, …
    pub action: String,
    /// The action's id.
    pub action_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The ticket of another system that it belongs to.
    #[serde(default)]
    pub ticket: Option<String>,
    /// What became of it; null if its sender did not learn it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ActionEnd>))]
    pub outcome: Option<WireName<ActionEnd>>,
    /// When its sender learnt that.
    #[serde(default)]
    pub outcome_at: Option<String>,
    /// A stable code, unless it was taken.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Option<ReasonCode>,
    /// The state afterwards, or why it was refused.
    #[serde(default)]
    pub detail: Option<String>,
    /// If it needs a second person: whether it waits, and who confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_person: Option<SecondPersonView>,
}

impl ActionList {
    /// The actions of two lists, newest first, at most `limit`.
    #[must_use]
    pub fn with(mut self, other: Self, limit: usize) -> Self {
        self.actions.extend(other.actions);
        // Times have one form, so that their order is that of their texts. Actions of the same time stay in the order of their lists.
        self.actions.sort_by(|one, another| another.at.cmp(&one.at));
        self.actions.truncate(limit);
        Self { no_longer_kept: self.no_longer_kept + other.no_longer_kept, ..self }
    }
}

impl ActionLog {
    /// The actions that a filter selects, newest first.
    pub fn view(&self, filter: &ActionFilter) -> ActionList {
        let selected = self.entries.iter().rev().filter(|entry| filter.selects(entry));
        let actions = selected.take(filter.limit.unwrap_or(usize::MAX)).map(|entry| filter.shown(entry)).collect();
        ActionList { actions, no_longer_kept: self.dropped }
    }
}

impl ActionFilter {
    fn shown(&self, entry: &LogEntry) -> LoggedAction {
        let LogEntry { number, at, subject, words, outcome, proposal } = entry.clone();
        let noted = outcome.as_ref();
        LoggedAction {
            entry: number.to_string(),
            at: at.to_rfc3339(),
            on: subject.on,
            id: subject.id,
            action: subject.action,
            action_id: words.action_id,
            actor: words.actor,
            reason: words.reason,
            ticket: words.ticket,
            outcome: noted.map(|noted| noted.end.clone()),
            outcome_at: noted.map(|noted| Timestamp::to_rfc3339(noted.at)),
            code: noted.and_then(|noted| noted.code.clone()),
            detail: noted.map(|noted| noted.detail.clone()).filter(|detail| !detail.is_empty()),
            second_person: proposal.map(|proposal| SecondPersonView {
                state: self.state_of(&proposal).into(),
                until: proposal.until.to_rfc3339(),
                confirmed_by: proposal.confirmed.as_ref().map(|(by, _)| by.clone()),
                confirmed_at: proposal.confirmed.as_ref().map(|(_, at)| at.to_rfc3339()),
            }),
        }
    }
}
