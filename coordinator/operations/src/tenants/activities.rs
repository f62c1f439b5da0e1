//! The activity of tenants' workflows, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_workflows::{TenantStep, TenantStepActivity, TenantStepAnswer};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use super::Preparation;

/// Implements [`interlock_workflows::TenantUpkeep`].
pub struct TenantActivities(pub Preparation);

#[activities]
impl TenantActivities {
    /// Prepares or checks what a tenant needs, or counts its open orders. A failure is an answer: the tenant's workflow
    /// decides when to retry.
    #[activity(definition = TenantStepActivity)]
    pub async fn tenant_step(
        self: Arc<Self>,
        _context: ActivityContext,
        step: TenantStep,
    ) -> Result<TenantStepAnswer, ActivityError> {
        Ok(match step.step {
            Some(wanted) => match self.0.prepare(&step.tenant, wanted, step.outlook.as_ref()).await {
                Ok(detail) => TenantStepAnswer::Done { detail },
                Err(fault) => TenantStepAnswer::Failed { fault },
            },
            None => match self.0.count(&step.tenant).await {
                Ok(customers) => TenantStepAnswer::Counted { customers },
                Err(fault) => TenantStepAnswer::Failed { fault },
            },
        })
    }
}
