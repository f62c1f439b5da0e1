//! Doing again, without end, what failed: a local activity that failed is no reason for an order to fail.

use std::time::Duration;

use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::TemporalDeserializable;
use temporalio_workflow::{TimerOptions, WorkflowCancellationToken, WorkflowContext};

use crate::activity_options;

/// The first wait; it doubles each time.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest wait: six events of history for each, so not shorter.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Runs a local activity until it succeeds. Between failures the workflow task ends, so that signals come in.
///
/// None where the run is to end meanwhile: the next one begins the activity again.
pub(crate) async fn local_until_done<W, A>(
    context: WorkflowContext<W>,
    activity: fn() -> A,
    input: A::Input,
    interrupt: WorkflowCancellationToken,
) -> Option<A::Output>
where
    A: ActivityDefinition + 'static,
    A::Input: Clone,
    A::Output: TemporalDeserializable,
{
    let mut wait = WAIT_MIN;
    loop {
        // The failure itself is in the history: the activity's marker says it.
        if let Ok(answer) = context.execute_local_activity(activity(), input.clone(), activity_options::local()).await {
            return Some(answer);
        }
        if interrupt.is_cancelled() {
            return None;
        }
        let timer = TimerOptions::builder(wait).cancellation_token(interrupt.clone()).build();
        context.timer(timer).await;
        if interrupt.is_cancelled() {
            return None;
        }
        wait = (wait * 2).min(WAIT_MAX);
    }
}
