//! The import activity of leases, in the form that the SDK needs.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use std::sync::Arc;

use interlock_domain::import::PartReport;
use interlock_workflows::{ImportPartActivity, PartInput};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::import_part;
use crate::worker_context::WorkerContext;

/// Implements [`interlock_workflows::Importing`].
pub struct ImportsLeases(pub(crate) Arc<WorkerContext>);

#[activities]
impl ImportsLeases {
    /// Writes the holders of a list to the ledger.
    #[activity(definition = ImportPartActivity)]
    pub async fn import_part(
        self: Arc<Self>,
        context: ActivityContext,
        input: PartInput,
    ) -> Result<PartReport, ActivityError> {
        import_part::import_part(&self.0, &context, input).await
    }
}
