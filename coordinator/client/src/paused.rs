//! Pauses by an operator in Temporal: of a call, or of a customer's workflow. No history event records them.

use interlock_domain::customer::{PausedView, PausedWhat};
use interlock_domain::ids::Timestamp;
use temporalio_common::protos::temporal::api::workflow::v1::pending_activity_info::PauseInfo;
use temporalio_common::protos::temporal::api::workflow::v1::pending_activity_info::pause_info::PausedBy;
use temporalio_common::protos::temporal::api::workflow::v1::{PendingActivityInfo, WorkflowExecutionPauseInfo};

/// A pause by an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    what: PausedWhat,
    /// The identity of the operator's client, if the server reports it.
    by: Option<String>,
    reason: Option<String>,
    at: Option<Timestamp>,
}

impl Paused {
    /// The pause of an activity. `None` if it is not paused.
    pub fn call(activity: &PendingActivityInfo) -> Option<Self> {
        let info = activity.pause_info.clone().unwrap_or_default();
        activity.paused.then(|| Self::of_call(info))
    }

    fn of_call(info: PauseInfo) -> Self {
        let (by, reason) = match info.paused_by {
            Some(PausedBy::Manual(manual)) => (manual.identity, manual.reason),
            Some(PausedBy::Rule(rule)) => (rule.identity, rule.reason),
            None => (String::new(), String::new()),
        };
        let at = info.pause_time.map(|at| (at.seconds, at.nanos));
        Self::new(PausedWhat::Call, by, reason, at)
    }

    /// Of a workflow that the server says is paused.
    pub fn workflow(info: Option<WorkflowExecutionPauseInfo>) -> Self {
        let info = info.unwrap_or_default();
        let at = info.paused_time.map(|at| (at.seconds, at.nanos));
        Self::new(PausedWhat::Workflow, info.identity, info.reason, at)
    }

    fn new(what: PausedWhat, by: String, reason: String, at: Option<(i64, i32)>) -> Self {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        let at = at.map(|(seconds, nanos)| Timestamp(seconds * 1_000 + i64::from(nanos) / 1_000_000));
        Self { what, by: said(by), reason: said(reason), at }
    }

    /// The same without the operator and the reason.
    #[must_use]
    pub fn without_persons(self) -> Self {
        Self { by: None, reason: None, ..self }
    }

    /// The pause, in a sentence.
    pub fn sentence(&self) -> String {
        let by = self.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
        let at = self.at.map(|at| format!(" at {}", at.to_rfc3339())).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(", because: {}", reason.trim_end_matches('.')));
        let reason = reason.unwrap_or_default();
        let (what, follows) = match self.what {
            PausedWhat::Call => ("this call", "no attempt is made until it is unpaused"),
            PausedWhat::Workflow => ("the customer's workflow", "it does not continue until it is unpaused"),
        };
        format!("Paused by an operator{by}: {what} was paused in Temporal{at}{reason}; {follows}.")
    }

    /// The paused thing.
    pub fn what(&self) -> PausedWhat {
        self.what
    }

    /// The pause as shown next to what an order waits for.
    pub fn view(&self) -> PausedView {
        PausedView {
            what: self.what.into(),
            by: self.by.clone(),
            reason: self.reason.clone(),
            at: self.at.map(Timestamp::to_rfc3339),
        }
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::workflow::v1::pending_activity_info::pause_info::Manual;

    use super::*;

    #[test]
    fn a_paused_call_says_who_paused_it_and_why() {
        let manual = Manual { identity: "ann".to_owned(), reason: "the HSS is moved.".to_owned() };
        let mut info = PauseInfo { paused_by: Some(PausedBy::Manual(manual)), ..PauseInfo::default() };
        info.pause_time.get_or_insert_default().seconds = 1;
        let call = PendingActivityInfo { paused: true, pause_info: Some(info), ..PendingActivityInfo::default() };
        let paused = Paused::call(&call).unwrap();
        assert_eq!(
            paused.sentence(),
            "Paused by an operator (ann): this call was paused in Temporal at 1970-01-01T00:00:01.000Z, because: the HSS is \
             moved; no attempt is made until it is unpaused."
        );
        let view = paused.view();
        assert_eq!((view.what, view.by.as_deref()), (PausedWhat::Call.into(), Some("ann")));
        assert_eq!(Paused::call(&PendingActivityInfo::default()), None);
    }

    #[test]
    fn a_pause_without_a_known_operator_counts_as_a_pause() {
        let paused = Paused::workflow(None);
        assert!(
            paused.sentence().starts_with("Paused by an operator: the customer's workflow was paused in Temporal;")
        );
        let nothing_more = PausedView { what: PausedWhat::Workflow.into(), by: None, reason: None, at: None };
        assert_eq!(paused.view(), nothing_more);
    }
}
