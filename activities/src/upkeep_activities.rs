//! The activities of target entities, in the form that the SDK needs.
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
    /// Sets the rate limit of a target's queue on the server.
    #[activity(definition = SetLimitActivity)]
    pub async fn set_limit(
        self: Arc<Self>,
        context: ActivityContext,
        setting: LimitSetting,
    ) -> Result<(), ActivityError> {
        if has_timed_out(context.info().deadline, SystemTime::now()) {
            // A later attempt may already have set another limit.
            return Err(again("too_late", "The attempt timed out before its worker began it.", None));
        }
        set_limit::set_limit(&self.0, setting).await
    }

    /// Asks a target whether it is up.
    #[activity(definition = ProbeActivity)]
    pub async fn probe(
        self: Arc<Self>,
        _context: ActivityContext,
        question: TargetProbe,
    ) -> Result<ProbeAnswer, ActivityError> {
        Ok(probe::probe(&self.0, question).await)
    }
}

/// Whether the server has given up this attempt: the worker was suspended after the server had handed the attempt out.
fn has_timed_out(deadline: Option<SystemTime>, now: SystemTime) -> bool {
    deadline.is_some_and(|deadline| now >= deadline)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_attempt_has_timed_out_once_its_deadline_is_reached() {
        let deadline = SystemTime::now();
        assert!(has_timed_out(Some(deadline), deadline));
        assert!(!has_timed_out(Some(deadline), deadline - Duration::from_millis(1)));
        assert!(!has_timed_out(None, deadline), "it has no time-out");
    }
}
