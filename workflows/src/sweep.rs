//! The workflow of one sweep over a namespace: looks, compares with what was known, tells what is new. A schedule starts one
//! after the other; what each remembers is its result, which the server hands to the next.
#![allow(missing_docs, reason = "the items that the SDK's macros generate beside these have no documentation")]

use interlock_domain::sweep::{Ledger, News};
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

    /// One sweep. Where nothing could be looked at it fails, and the next one finds what it did not. What was seen is remembered
    /// in any case, also where not all of it could be told: nothing is told twice.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<Ledger> {
        let seen = context.execute_activity(Sweeping::look, (), activity_options::sweeping()).await?;
        if !seen.targets_not_running.is_empty() {
            let revived =
                context.execute_activity(Sweeping::revive, seen.targets_not_running, activity_options::sweeping());
            // One that could not be started is found by the next sweep as well: what else there is to tell does not wait for it.
            // The failure itself is in the history, and in the worker's log.
            drop(revived.await);
        }
        let mut ledger = seen.ledger;
        let leases = seen.leases.map(|leases| {
            ledger.leases = leases.ledger;
            leases.news
        });
        let news = News {
            left_out: seen.left_out,
            customers_unseen: seen.customers_unseen,
            leases: leases.unwrap_or_default(),
            ..ledger.take(seen.found, seen.tally, &seen.unanswered, seen.cursor)
        };
        // The activity counts and logs what it cannot tell. Where even that fails, worker after worker, the failure is in the
        // history, and what stands is in the next sweep's numbers.
        drop(context.execute_activity(Sweeping::announce, news, activity_options::announcing()).await);
        Ok(ledger)
    }
}
