//! The workflow of one sweep over a namespace: looks, compares with what was known, tells what is new. A schedule starts one
//! after the other; what each remembers is its result, which the server hands to the next.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::sweep::Ledger;
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::activity_options;
use crate::definitions::Sweeping;

/// The workflow `Sweep`.
#[workflow]
pub struct Sweep;

#[workflow_methods]
#[allow(clippy::needless_pass_by_value, reason = "the SDK hands arguments over by value")]
impl Sweep {
    /// Whatever the argument says, a sweep is the same.
    #[init]
    pub fn new(_view: &WorkflowContextView, _argument: RawValue) -> Self {
        Self
    }

    /// One sweep. What could not be told is tried again; in the end it fails, and the next sweep finds the same again.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<Ledger> {
        let seen = context.execute_activity(Sweeping::look, (), activity_options::sweeping()).await?;
        let mut ledger = seen.ledger;
        let news = ledger.take(seen.found, seen.tally, &seen.unanswered, seen.cursor);
        context.execute_activity(Sweeping::announce, news, activity_options::sweeping()).await?;
        Ok(ledger)
    }
}
