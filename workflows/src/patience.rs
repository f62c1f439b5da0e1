//! Retries without limit: a failed activity of an entity itself is no reason to fail an order.

use std::time::Duration;

use interlock_domain::recording::{Receipted, Requested};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::TemporalDeserializable;
use temporalio_workflow::{TimerOptions, WorkflowCancellationToken, WorkflowContext};

use crate::activity_options;

/// The first wait; it doubles each time.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest wait. Each wait costs six history events, so it is not shorter.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// The waits between failed attempts.
struct Waits {
    next: Duration,
    interrupt: WorkflowCancellationToken,
}

impl Waits {
    fn new(interrupt: WorkflowCancellationToken) -> Self {
        Self { next: WAIT_MIN, interrupt }
    }

    /// Waits. Returns false if the run must end meanwhile.
    async fn wait<W>(&mut self, context: &WorkflowContext<W>) -> bool {
        if self.interrupt.is_cancelled() {
            return false;
        }
        let timer = TimerOptions::builder(self.next).cancellation_token(self.interrupt.clone()).build();
        context.timer(timer).await;
        self.next = (self.next * 2).min(WAIT_MAX);
        !self.interrupt.is_cancelled()
    }
}

/// Runs a local activity until it succeeds. The workflow task ends between failures, so that signals are received.
///
/// `None` if the run must end meanwhile. The next run starts the activity again.
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
    let mut waits = Waits::new(interrupt);
    loop {
        // The failure itself is in the history, in the activity's marker.
        if let Ok(answer) = context.execute_local_activity(activity(), input.clone(), activity_options::local()).await {
            return Some(answer);
        }
        if !waits.wait(&context).await {
            return None;
        }
    }
}

/// Runs a normal activity on the entity's own queue, the run's `number`-th of its kind, until one of Interlock's workers has answered
/// it. An answer without the receipt comes from somebody who completed the activity by hand.
///
/// `None` if the run must end meanwhile. The next run starts the activity again.
pub(crate) async fn recorded_until_done<W, A, I, O>(
    context: WorkflowContext<W>,
    activity: fn() -> A,
    number: u32,
    input: I,
    interrupt: WorkflowCancellationToken,
) -> Option<O>
where
    A: ActivityDefinition<Input = Requested<I>, Output = Receipted<O>> + 'static,
    I: Clone,
    Receipted<O>: TemporalDeserializable,
{
    let mut waits = Waits::new(interrupt.clone());
    // The same in replay, and in a run that was reset.
    let receipt = format!("request {number} of the run");
    loop {
        let request = Requested { receipt: receipt.clone(), input: input.clone() };
        let options = activity_options::recorded(&interrupt);
        // The failure itself is in the history, in the activity's closing event.
        if let Ok(answer) = context.execute_activity(activity(), request, options).await
            && let Some(answer) = answer.of(&receipt)
        {
            return Some(answer);
        }
        if !waits.wait(&context).await {
            return None;
        }
    }
}
