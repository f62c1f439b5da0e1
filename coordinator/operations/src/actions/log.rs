//! The logs of persons' actions: who did what. An action is noted before it is sent, and again with what became of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use interlock_connection::Installation;
use interlock_domain::action_log::{
    ActionEnd, ActionFilter, ActionList, ActionNote, ActionObject, ActionOutcome, ActionSubject, LogAnswer, LogRequest,
    LoggedAction, LoggedWords, ProposedAction,
};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{TargetId, TenantId, Timestamp};
use interlock_workflows::names;
use serde_json::Value;
use uuid::Uuid;

use super::{ActionError, ActionWords};
use crate::inspection::{Inspection, InspectionError};

/// What stands before the number of an action on a target.
const OF_TARGETS: &str = "targets-";
/// How long a log may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How many actions a list has if it is not told.
pub const ACTIONS_LISTED_DEFAULT: usize = 100;
/// The most actions that a list can have: as many as a log keeps.
pub const ACTIONS_LISTED_MAX: usize = interlock_domain::action_log::LOGGED_ACTIONS_MAX;

/// What a log is called in errors.
const LOG: &str = "The log of actions";

/// Notes actions, and lists them.
#[derive(Clone)]
pub struct ActionLogs {
    installation: Arc<Installation>,
}

/// An action to be noted.
pub(crate) struct Noted<'a> {
    /// The tenant in whose log it is; none for an action on a target, which tenants share.
    pub(crate) tenant: Option<&'a TenantId>,
    /// The kind of thing that it is on.
    pub(crate) on: ActionObject,
    /// The thing.
    pub(crate) id: String,
    /// The action.
    pub(crate) action: &'static str,
    /// What it consists of besides: all that is needed to take it once a second person has confirmed it.
    pub(crate) content: Value,
    /// Who, and why.
    pub(crate) words: &'a ActionWords,
}

impl ActionLogs {
    /// The logs of this installation.
    pub fn new(installation: Installation) -> Self {
        Self { installation: Arc::new(installation) }
    }

    /// Takes an action, and notes it; one that needs a second person is only proposed, unless it is confirmed. `state` says in a few words what is shown of one that was taken.
    ///
    /// # Errors
    /// [`ActionError`]: `bad_action` for invalid words, which are not noted; `second_person_needed` and the refusals of a proposal; those of
    /// `act`; those of the log, if the action cannot be noted before it is sent: then it is not sent.
    pub(crate) async fn noted<T>(
        &self,
        noted: Noted<'_>,
        state: impl FnOnce(&T) -> String,
        act: impl Future<Output = Result<T, ActionError>>,
    ) -> Result<T, ActionError> {
        noted.words.check_parts()?;
        if noted.words.confirmed_by.is_none() {
            self.propose_if_needed(&noted).await?;
            self.note(&noted, None).await?;
        }
        let result = act.await;
        let outcome = outcome(&result, state);
        if let Err(error) = self.note(&noted, Some(outcome)).await {
            // The action itself has its answer. In the log it stays one of which the outcome is not known.
            tracing::warn!(%error, "the outcome of an action cannot be noted in the log of actions");
        }
        result
    }

    /// Proposes an action that needs a second person.
    async fn propose_if_needed(&self, noted: &Noted<'_>) -> Result<(), ActionError> {
        let settings = &self.installation.settings.second_person;
        if !settings.rule().needs(noted.tenant, noted.action) {
            return Ok(());
        }
        let within_ms = u64::try_from(settings.within.as_millis()).unwrap_or(u64::MAX);
        let (subject, words) = (noted.subject(), noted.words.logged());
        let request = LogRequest::Propose(ProposedAction { subject, words, content: noted.content.clone(), within_ms });
        match self.ask(noted.tenant, &request).await? {
            LogAnswer::Proposed { number, until } => {
                let entry = entry(noted.tenant, number);
                let until = until.to_rfc3339();
                let detail =
                    format!("The action is proposed as {entry}: another person must confirm it before {until}.");
                Err(ActionError::Refused { code: ErrorCode::SecondPersonNeeded, detail })
            }
            LogAnswer::Refused(refusal) => Err(refusal.into()),
            LogAnswer::Confirmed { .. } => Err(ActionError::bad("The log confirmed an action that was only proposed.")),
        }
    }

    /// Confirms a proposal. Returns the answer that has all that is needed to take the action.
    ///
    /// # Errors
    /// [`ActionError`]: `same_person`, `proposal_unknown`, `proposal_expired`, `proposal_decided`.
    pub(crate) async fn confirm(&self, tenant: &TenantId, entry: &str, by: &str) -> Result<LogAnswer, ActionError> {
        let (tenant, number) = place(tenant, entry)?;
        match self.ask(tenant, &LogRequest::Confirm { number, by: by.to_owned() }).await? {
            LogAnswer::Refused(refusal) => Err(refusal.into()),
            answer => Ok(answer),
        }
    }

    /// One action of a log, by the name of its entry.
    ///
    /// # Errors
    /// [`ActionError`]: `proposal_unknown` if there is none.
    pub(crate) async fn one(&self, tenant: &TenantId, entry: &str) -> Result<LoggedAction, ActionError> {
        let (tenant, number) = place(tenant, entry)?;
        let filter = ActionFilter { number: Some(number), ..ActionFilter::default() };
        let found = self.inspection().actions(tenant, &filter).await?.actions.into_iter().next();
        found.ok_or_else(|| unknown(entry))
    }

    fn inspection(&self) -> Inspection {
        Inspection::new((*self.installation).clone())
    }

    async fn ask(&self, tenant: Option<&TenantId>, request: &LogRequest) -> Result<LogAnswer, ActionError> {
        let entities = &self.installation.entities;
        let log = entities.action_log(tenant);
        let id = Uuid::new_v4().to_string();
        let asked = entities.update_with_start(&log, names::ACT, request, &id);
        match tokio::time::timeout(ANSWER_LIMIT, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(InspectionError::of_call(LOG, error).into()),
            Err(_) => Err(InspectionError::NoWorker(LOG.to_owned()).into()),
        }
    }

    async fn note(&self, noted: &Noted<'_>, outcome: Option<ActionOutcome>) -> Result<(), InspectionError> {
        let note = ActionNote { subject: noted.subject(), words: noted.words.logged(), outcome };
        let entities = &self.installation.entities;
        let log = entities.action_log(noted.tenant);
        let sent = entities.signal_with_start(&log, names::NOTE, &note, &Uuid::new_v4().to_string()).await;
        sent.map_err(|error| InspectionError::of_call(LOG, error))
    }

    /// The actions of a tenant that a filter selects, and those on the targets for which `sees` holds; newest first.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn list(
        &self,
        tenant: &TenantId,
        filter: &ActionFilter,
        sees: impl Fn(&TargetId) -> bool,
    ) -> Result<ActionList, InspectionError> {
        let limit = filter.limit.unwrap_or(ACTIONS_LISTED_DEFAULT).min(ACTIONS_LISTED_MAX);
        let now = Some(Timestamp(Utc::now().timestamp_millis()));
        let filter = &ActionFilter { now, ..filter.clone() };
        // Which of those on targets are seen is decided here, so all of them are read.
        let of_targets = ActionFilter { limit: None, ..filter.clone() };
        let inspection = self.inspection();
        let own = inspection.actions(Some(tenant), filter);
        let (own, mut of_targets) = tokio::try_join!(own, inspection.actions(None, &of_targets))?;
        of_targets.actions.retain(|action| action.id.parse().is_ok_and(|target| sees(&target)));
        for action in &mut of_targets.actions {
            action.entry.insert_str(0, OF_TARGETS);
        }
        // How many actions on other tenants' targets there were is not the tenant's business.
        of_targets.no_longer_kept = 0;
        Ok(own.with(of_targets, limit))
    }
}

impl Noted<'_> {
    fn subject(&self) -> ActionSubject {
        ActionSubject { on: self.on.into(), id: self.id.clone(), action: self.action.to_owned() }
    }
}

impl ActionWords {
    fn logged(&self) -> LoggedWords {
        LoggedWords {
            action_id: self.action_id.clone(),
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
        }
    }
}

/// The name of an entry of a tenant's log, or of that of the targets.
fn entry(tenant: Option<&TenantId>, number: u64) -> String {
    let before = if tenant.is_some() { "" } else { OF_TARGETS };
    format!("{before}{number}")
}

/// The log and the number that an entry's name means.
fn place<'a>(tenant: &'a TenantId, entry: &str) -> Result<(Option<&'a TenantId>, u64), ActionError> {
    let (tenant, number) = entry.strip_prefix(OF_TARGETS).map_or((Some(tenant), entry), |number| (None, number));
    number.parse().map(|number| (tenant, number)).map_err(|_| unknown(entry))
}

fn unknown(entry: &str) -> ActionError {
    let detail = format!("The log of actions has no proposal '{entry}'.");
    ActionError::Refused { code: ErrorCode::ProposalUnknown, detail }
}

/// What became of an action.
fn outcome<T>(result: &Result<T, ActionError>, state: impl FnOnce(&T) -> String) -> ActionOutcome {
    let error = match result {
        Ok(taken) => return ActionOutcome { end: ActionEnd::Done.into(), code: None, detail: state(taken) },
        Err(error) => error,
    };
    let nothing_changed = match error {
        ActionError::Refused { .. } => true,
        ActionError::Unreached(error) => matches!(error.code(), ErrorCode::NeverSeen | ErrorCode::NoLongerKept),
    };
    let end = if nothing_changed { ActionEnd::Refused } else { ActionEnd::Unclear };
    ActionOutcome { end: end.into(), code: Some(error.code().into()), detail: error.sentence() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_its_log_and_its_number() {
        let blue: TenantId = "blue".parse().unwrap();
        assert_eq!((entry(Some(&blue), 7), entry(None, 7)), ("7".to_owned(), "targets-7".to_owned()));
        assert_eq!(place(&blue, "7").unwrap(), (Some(&blue), 7));
        assert_eq!(place(&blue, "targets-7").unwrap(), (None, 7));
        for wrong in ["", "x", "-1", "targets-", "7 ", "targets-targets-7"] {
            assert_eq!(place(&blue, wrong).unwrap_err().code(), ErrorCode::ProposalUnknown, "{wrong}");
        }
    }

    #[test]
    fn what_became_of_an_action_is_told_as_far_as_it_is_known() {
        let end = |result: Result<u8, ActionError>| {
            let outcome = outcome(&result, ToString::to_string);
            (outcome.end.as_str().to_owned(), outcome.code.map(|code| code.to_string()), outcome.detail)
        };
        assert_eq!(end(Ok(7)), ("done".to_owned(), None, "7".to_owned()));
        let refused = ActionError::Refused { code: ErrorCode::NothingHeld, detail: "No.".to_owned() };
        assert_eq!(end(Err(refused)), ("refused".to_owned(), Some("nothing_held".to_owned()), "No.".to_owned()));
        let never_seen = InspectionError::NeverSeen("It".to_owned());
        assert_eq!(end(Err(never_seen.into())).0, "refused", "there is nothing that could have changed");
        for error in [InspectionError::NoWorker("It".to_owned()), InspectionError::Away("gone".to_owned())] {
            assert_eq!(end(Err(error.into())).0, "unclear");
        }
    }
}
