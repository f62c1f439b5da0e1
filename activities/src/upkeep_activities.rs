//! The activities of target entities, as the SDK wants them.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;
use std::time::SystemTime;

use interlock_domain::target_entity::ProbeAnswer;
use interlock_workflows::{LimitSetting, ProbeActivity, SetLimitActivity, TargetProbe};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::provision::again;
use crate::worker_context::WorkerContext;
use crate::{probe, set_limit};

/// Implements [`interlock_workflows::TargetUpkeep`].
pub struct UpkeepOfTargets(pub(crate) Arc<WorkerContext>);

#[activities]
impl UpkeepOfTargets {
    /// Tells the server the rate limit of a target's queue.
    #[activity(definition = SetLimitActivity)]
    pub async fn set_limit(
        self: Arc<Self>,
        context: ActivityContext,
        setting: LimitSetting,
    ) -> Result<(), ActivityError> {
        if has_timed_out(context.info().deadline, SystemTime::now()) {
            // A later attempt may have set another limit since.
            return Err(again("too_late", "The attempt timed out before its worker began it.", None));
        }
        set_limit::set_limit(&self.0, setting).await
    }

    /// Asks a target whether it is there.
    #[activity(definition = ProbeActivity)]
    pub async fn probe(
        self: Arc<Self>,
        _context: ActivityContext,
        question: TargetProbe,
    ) -> Result<ProbeAnswer, ActivityError> {
        Ok(probe::probe(&self.0, question).await)
    }
}

/// Whether the server has given an attempt up: its worker was stopped after the server had handed the attempt out.
fn has_timed_out(deadline: Option<SystemTime>, now: SystemTime) -> bool {
    deadline.is_some_and(|deadline| now >= deadline)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_attempt_has_timed_out_from_its_deadline_on() {
        let deadline = SystemTime::now();
        assert!(has_timed_out(Some(deadline), deadline));
        assert!(!has_timed_out(Some(deadline), deadline - Duration::from_millis(1)));
        assert!(!has_timed_out(None, deadline), "it has no time-out");
    }
}
