//! The activities of target entities, as the SDK wants them.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_domain::target::ProbeAnswer;
use interlock_workflows::{LimitSetting, ProbeActivity, SetLimitActivity, TargetProbe};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

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
        _context: ActivityContext,
        setting: LimitSetting,
    ) -> Result<(), ActivityError> {
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
