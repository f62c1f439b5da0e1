//! The workflow of one sweep over a namespace: it looks, compares with the previous state, and reports what is new. A schedule starts
//! one sweep after the other. What a sweep remembers is its result, which the server passes to the next.
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
    /// A sweep ignores its argument.
    #[init]
    pub fn new(_view: &WorkflowContextView, _argument: RawValue) -> Self {
        Self
    }

    /// One sweep. If it could not look at anything, it fails, and the next sweep finds what it missed. It always remembers what it saw,
    /// even if not everything could be reported, so that nothing is reported twice.
    #[run]
    pub async fn run(context: &mut WorkflowContext<Self>) -> WorkflowResult<Ledger> {
        let seen = context.execute_activity(Sweeping::look, (), activity_options::sweeping()).await?;
        if !seen.targets_not_running.is_empty() {
            let revived =
                context.execute_activity(Sweeping::revive, seen.targets_not_running, activity_options::sweeping());
            // The next sweep also finds an entity that could not be restarted, so other findings do not wait for it.
            // The failure itself is in the history, and in the worker's log.
            drop(revived.await);
        }
        let mut ledger = seen.ledger;
        let leases = seen.leases.map(|leases| {
            ledger.leases = leases.ledger;
            leases.news
        });
        let misplaced = ledger.misplaced.take(seen.misplaced);
        let news = News {
            left_out: seen.left_out,
            customers_unseen: seen.customers_unseen,
            leases: leases.unwrap_or_default(),
            misplaced,
            ..ledger.take(seen.found, seen.tally, &seen.unanswered, seen.cursor)
        };
        // The activity counts and logs what it cannot report. If even that fails, on several workers, the failure is in the history,
        // and the lasting findings are in the numbers of the next sweep.
        drop(context.execute_activity(Sweeping::announce, news, activity_options::announcing()).await);
        Ok(ledger)
    }
}
