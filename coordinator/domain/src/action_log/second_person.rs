//! The four-eyes rule: an action that needs a second person is proposed, and taken when another person confirms it in time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ActionLog, ActionSubject, LogEntry, LoggedWords};
use crate::action_mark::{ON_BEHALF_OF, reused};
use crate::action_words::Refusal;
use crate::error_code::ErrorCode;
use crate::ids::{TenantId, Timestamp};
use crate::wire::wire_words;

/// How many proposals may wait in one log. Further ones are refused.
pub const PROPOSALS_OPEN_MAX: usize = 32;
/// The largest content of a proposal, in bytes of JSON: the fields of an amendment, or a subscription.
pub const PROPOSAL_BYTES_MAX: usize = 8 * 1024;

wire_words! {
    /// An action for which a second person can be required.
    GuardedAction {
        /// Run the held steps of an order again.
        Retry = "retry",
        /// Skip the held steps of an order.
        Skip = "skip",
        /// Correct fields of an order's event.
        Amend = "amend",
        /// End an order.
        Cancel = "cancel",
        /// Let an order's release run first.
        ReleaseFirst = "release_first",
        /// Take a resource from its holder.
        ForceRelease = "force_release",
        /// Stop the calls to a target.
        Pause = "pause",
        /// Resume the calls to a target.
        Resume = "resume",
        /// Limit the calls to a target.
        Limit = "limit",
        /// On-board a tenant.
        Onboard = "onboard",
        /// Off-board a tenant.
        Offboard = "offboard",
        /// Make a subscription.
        Subscribe = "subscribe",
        /// Remove a subscription.
        Unsubscribe = "unsubscribe",
    }
}

/// Which actions need a second person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecondPersonRule {
    /// The actions, for targets and for all tenants that are not named below.
    pub actions: BTreeSet<GuardedAction>,
    /// The actions of single tenants, instead of those above.
    pub tenants: BTreeMap<TenantId, BTreeSet<GuardedAction>>,
}

impl SecondPersonRule {
    /// Whether an action of a tenant needs a second person; an action on a target, if no tenant is named.
    pub fn needs(&self, tenant: Option<&TenantId>, action: &str) -> bool {
        let of_tenant = tenant.and_then(|tenant| self.tenants.get(tenant));
        of_tenant.unwrap_or(&self.actions).iter().any(|guarded| guarded.as_str() == action)
    }
}

/// The argument of the update `act` of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum LogRequest {
    /// Somebody wants to act, and needs a second person.
    Propose(ProposedAction),
    /// Somebody confirms a proposal.
    Confirm {
        /// Its number.
        number: u64,
        /// Who confirms.
        by: String,
    },
}

/// An action, with all that is needed to take it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProposedAction {
    /// The action.
    pub subject: ActionSubject,
    /// Who proposes it, and why.
    pub words: LoggedWords,
    /// What it consists of besides.
    #[serde(default)]
    pub content: Value,
    /// How long it may wait for the second person, in milliseconds.
    pub within_ms: u64,
}

/// The answer of a log to a [`LogRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogAnswer {
    /// The action waits for a second person.
    Proposed {
        /// Its number in the log.
        number: u64,
        /// Until when.
        until: Timestamp,
    },
    /// The action may be taken.
    Confirmed {
        /// Who proposed it, and why.
        words: LoggedWords,
        /// The action.
        subject: ActionSubject,
        /// What it consists of besides.
        content: Value,
    },
    /// Nothing was changed.
    Refused(Refusal),
}

/// What the log keeps of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Until when it can be confirmed.
    pub until: Timestamp,
    /// What the action consists of besides its name; none once it is no longer needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Who confirmed it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<(String, Timestamp)>,
}

impl Proposal {
    /// Whether it waits for a second person.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        self.confirmed.is_none() && now < self.until
    }
}

impl ActionLog {
    /// Proposes or confirms an action.
    pub fn act(&mut self, now: Timestamp, request: LogRequest) -> LogAnswer {
        self.drop_contents(now);
        let answer = match request {
            LogRequest::Propose(proposed) => self.propose(now, proposed),
            LogRequest::Confirm { number, by } => self.confirm(now, number, &by),
        };
        answer.unwrap_or_else(LogAnswer::Refused)
    }

    fn propose(&mut self, now: Timestamp, proposed: ProposedAction) -> Result<LogAnswer, Refusal> {
        let ProposedAction { subject, words, content, within_ms } = proposed;
        if let Some(entry) = self.entries.iter().rev().find(|entry| entry.is_of(&subject, &words)) {
            return again(entry, now, &words, &content);
        }
        let bytes = content.to_string().len();
        if bytes > PROPOSAL_BYTES_MAX {
            let detail = format!("The action has {bytes} bytes; a proposal may have {PROPOSAL_BYTES_MAX}.");
            return Err(Refusal::new(ErrorCode::BadAction, detail));
        }
        let kept = self.entries.iter().filter(|entry| entry.content().is_some()).count();
        if kept >= PROPOSALS_OPEN_MAX {
            let detail = format!("{kept} proposals wait for a second person; the limit is {PROPOSALS_OPEN_MAX}.");
            return Err(Refusal::new(ErrorCode::ProposalsFull, detail));
        }
        let until = now.plus_ms(within_ms);
        let proposal = Some(Proposal { until, content: Some(content), confirmed: None });
        let number = self.add(now, LogEntry { number: 0, at: now, subject, words, outcome: None, proposal });
        Ok(LogAnswer::Proposed { number, until })
    }

    fn confirm(&mut self, now: Timestamp, number: u64, by: &str) -> Result<LogAnswer, Refusal> {
        let unknown = || Refusal::new(ErrorCode::ProposalUnknown, format!("The log has no proposal {number}."));
        let entry = self.entries.iter_mut().find(|entry| entry.number == number).ok_or_else(unknown)?;
        let proposal = entry.proposal.as_mut().ok_or_else(unknown)?;
        if is_same_person(&entry.words.actor, by) {
            let detail = format!("'{by}' proposed the action, and cannot confirm it: another person must.");
            return Err(Refusal::new(ErrorCode::SamePerson, detail));
        }
        match &proposal.confirmed {
            Some((who, _)) if who != by => return Err(decided(who)),
            Some(_) => {}
            None if now >= proposal.until => return Err(expired(proposal.until)),
            None => proposal.confirmed = Some((by.to_owned(), now)),
        }
        // Confirming again is for a caller that did not learn what became of the action.
        let Some(content) = proposal.content.clone() else { return Err(decided(by)) };
        Ok(LogAnswer::Confirmed { words: entry.words.clone(), subject: entry.subject.clone(), content })
    }

    /// Drops what is no longer needed to take an action: of one that was taken or refused, and of one whose time is over.
    fn drop_contents(&mut self, now: Timestamp) {
        for entry in &mut self.entries {
            let is_over = entry.outcome.as_ref().is_some_and(|outcome| !outcome.is_unclear());
            if let Some(proposal) = entry.proposal.as_mut().filter(|proposal| is_over || now >= proposal.until) {
                proposal.content = None;
            }
        }
    }
}

impl LogEntry {
    fn content(&self) -> Option<&Value> {
        self.proposal.as_ref()?.content.as_ref()
    }
}

/// The answer to an action that is proposed again.
fn again(entry: &LogEntry, now: Timestamp, words: &LoggedWords, content: &Value) -> Result<LogAnswer, Refusal> {
    let Some(proposal) = &entry.proposal else { return Err(reused()) };
    if let Some((who, _)) = &proposal.confirmed {
        return Err(decided(who));
    }
    if !proposal.is_open(now) {
        return Err(expired(proposal.until));
    }
    if entry.words != *words || proposal.content.as_ref() != Some(content) {
        return Err(reused());
    }
    Ok(LogAnswer::Proposed { number: entry.number, until: proposal.until })
}

fn decided(who: &str) -> Refusal {
    Refusal::new(ErrorCode::ProposalDecided, format!("The proposal was already confirmed by '{who}'."))
}

fn expired(until: Timestamp) -> Refusal {
    let detail = format!("Nobody confirmed the proposal until {}.", until.to_rfc3339());
    Refusal::new(ErrorCode::ProposalExpired, detail)
}

/// Whether two actors have a person in common: the caller, or the one on whose behalf the caller acts. Upper and lower case and spaces around
/// a name make no other person.
pub fn is_same_person(one: &str, other: &str) -> bool {
    let names = |actor: &str| -> BTreeSet<String> {
        actor.split(ON_BEHALF_OF).map(|name| name.trim().to_lowercase()).collect()
    };
    !names(one).is_disjoint(&names(other))
}
