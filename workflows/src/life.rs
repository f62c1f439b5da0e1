//! The life of any entity in one run: inputs are processed in an order that replay repeats.
//!
//! The result of a local activity is recorded in the workflow task in which the activity ran. In the first execution, though, a
//! workflow may see it only in the next task, together with that task's signals (this happens if a query is answered while the activity
//! runs). In replay it sees the result alone, and earlier. So nothing that the shell does may depend on the difference:
//!
//! 1. Handlers only append their input. The main routine processes local results first, then inputs, then results of calls, then the
//!    timer.
//! 2. A local result is fed with the time of the previous input.
//! 3. The decision to end the run is made only when an input other than a local result arrives.
//!
//! A local activity also runs before its workflow task is recorded, and the task may have to be retried. So the machine's effects run
//! as local activities only if messages alone caused them. Other effects run as normal activities on the entity's own queue, which the
//! server starts after the task that decided them is recorded ([`Recording`],
//! `coordinator/docs/inside/effects.md`). Runs of 0.1.0 do not have this until they continue as new ([`Edition`]).
//!
//! If an operator reset the workflow, the machine learns this before any other input ([`ResetWatch`]), and continues in another run.
//!
//! A workflow task must stay short, however much there is to do. The server keeps at most 100 signals that arrive during a task, and
//! then fails the task, which starts again. For an entity with a long inbox and a steady stream of signals, no task would ever end. So
//! after some consecutive local activities the task ends, and their results are recorded.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use interlock_domain::ids::Timestamp;
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::observation::Observation;
use interlock_domain::recording::{Cause, Edition, Recording};
use temporalio_common::data_converters::RawValue;
use temporalio_workflow::{ContinueAsNewOptions, TimerOptions, WorkflowCancellationToken, WorkflowContext};

use crate::reset::ResetWatch;
use crate::shell::{Ended, Entity, Leaves, Started, Taken, regardless};
use crate::task_cuts::TaskCuts;
use crate::watched::Observed;
use crate::{identity, queue_move, witness};

/// What wakes a run.
enum Wakeup<I> {
    /// The local activity ended.
    Local(Option<I>),
    /// An input arrived.
    Incoming,
    /// A call ended.
    Ended(Option<I>),
    /// The timer fired.
    Rang,
    /// The results of local activities are recorded.
    Recorded,
    /// The run was reset to this point of its history.
    WasReset,
}

/// The wait that only ends the workflow task: the shortest possible timer.
const MOMENT: Duration = Duration::from_millis(1);

/// The timer of a run.
struct Alarm {
    at: Timestamp,
    stop: WorkflowCancellationToken,
    timer: Pin<Box<dyn Future<Output = ()>>>,
}

/// Something in flight, or finished and not processed yet.
enum Task<I> {
    UnderWay(Ended<I>),
    Over(Option<I>),
}

impl<I> Task<I> {
    /// Polls the future at once, so that its command is issued in the order that the machine wants.
    async fn begin(mut future: Ended<I>) -> Self {
        let first = std::future::poll_fn(|waker| Poll::Ready(future.as_mut().poll(waker))).await;
        match first {
            Poll::Ready(ended) => Self::Over(ended),
            Poll::Pending => Self::UnderWay(future),
        }
    }

    fn poll(&mut self, waker: &mut Context<'_>) -> Poll<Option<I>> {
        match self {
            Self::UnderWay(future) => future.as_mut().poll(waker),
            Self::Over(ended) => Poll::Ready(ended.take()),
        }
    }
}

/// A call in flight.
struct Call<I> {
    task: Task<I>,
    /// Whether it may be interrupted and made again at any time.
    is_repeatable: bool,
}

impl<I> Call<I> {
    async fn begin(future: Ended<I>, is_repeatable: bool) -> Self {
        Self { task: Task::begin(future).await, is_repeatable }
    }
}

struct Life<'a, E: Entity> {
    context: &'a WorkflowContext<E>,
    /// The time of the last input that was not a local result.
    clock: Timestamp,
    local: Option<Task<E::Incoming>>,
    calls: Vec<Call<E::Incoming>>,
    alarm: Option<Alarm>,
    /// The behaviour that the run began with.
    edition: Edition,
    /// Detects where the run was reset. `None` in runs of 0.1.0, which are not told.
    reset: Option<ResetWatch>,
    /// Notes the workflow tasks of the run.
    cuts: TaskCuts,
    /// The number of local activities that ended since something else happened. Only runs of 0.1.0 use it.
    locals_in_a_row: u32,
    /// Whether local activities may start in the current workflow task.
    recording: Recording,
    /// The number of effects of this run that waited for the record of their task.
    recorded: u32,
    /// In runs of 0.1.0, active while the server must record the results of consecutive local activities. Nothing starts meanwhile. It
    /// is never stopped early, so that a run depends only on the order of its inputs.
    moment: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// What its machine observed so far.
    observed: Observed,
    /// Cancelled when the run must end.
    interrupt: WorkflowCancellationToken,
    ending: bool,
}

/// The patch marker of runs that began with [`Edition::V0_2`].
const PATCH: &str = "0.2.0";
/// The patch marker of runs that began with [`Edition::V0_2Tells`]. They have no other.
const PATCH_TELLS: &str = "0.2.0-tells";

/// The behaviour of runs with this patch marker. `None` if it is not one of ours.
pub fn edition_of_patch(patch: &str) -> Option<Edition> {
    match patch {
        PATCH => Some(Edition::V0_2),
        PATCH_TELLS => Some(Edition::V0_2Tells),
        _ => None,
    }
}

/// The behaviour of this run: that of the worker that began it.
fn edition_of<E: Entity>(context: &WorkflowContext<E>) -> Edition {
    if !E::HAS_LOCAL_ACTIVITIES || context.patched(PATCH_TELLS) {
        Edition::V0_2Tells
    } else if context.patched(PATCH) {
        Edition::V0_2
    } else {
        Edition::V0_1
    }
}

/// Performs what the machine wants, until the run has become long and nothing is in flight.
pub(crate) async fn live<E: Entity>(context: &WorkflowContext<E>) {
    if let Some(fault) = context.state(|entity| entity.shell().unreadable.clone()) {
        fail::<E, ()>(context, fault).await;
    }
    let edition = edition_of(context);
    context.state_mut(|entity| entity.begin_run(edition));
    witness::show(context, E::shown_to_witness);
    let reset = (edition >= Edition::V0_2)
        .then(|| ResetWatch::new(context, context.state(|entity| entity.shell().began_with())));
    let mut life = Life {
        context,
        clock: identity::now(context.workflow_time()),
        local: None,
        calls: Vec::new(),
        alarm: None,
        edition,
        reset,
        cuts: TaskCuts::of(context),
        locals_in_a_row: 0,
        recording: Recording::default(),
        recorded: 0,
        moment: None,
        observed: Observed::default(),
        interrupt: WorkflowCancellationToken::new(),
        ending: false,
    };
    loop {
        life.begin_effects().await;
        life.set_alarm();
        let wakeup = life.next().await;
        if life.take(wakeup) {
            break;
        }
    }
    // Callers that wait for an answer get it from this run, even if the answer is that the next run has it.
    context.state_mut(E::closing);
    loop {
        life.take_in_all();
        let handlers = context.clone();
        let answered = context.wait_condition_with_options(move |_| handlers.all_handlers_finished(), regardless());
        // Otherwise only a cancelled token ends the wait, and this one is never cancelled.
        let _never_cancelled = answered.await;
        if !context.state(|entity| entity.shell().has_taken()) {
            let history_events = context.history_length();
            life.observed.tell(context, &[Observation::RunEnded { entity: E::WORKFLOW_TYPE, history_events }]);
            return;
        }
    }
}

/// The start argument and the place of the next run.
pub(crate) async fn next_run<E: Entity>(context: &WorkflowContext<E>) -> (RawValue, ContinueAsNewOptions) {
    match context.state(E::carry) {
        Ok(argument) => (argument, context.state(|entity| queue_move::next_run(&entity.shell().queue_move))),
        Err(fault) => fail(context, format!("the state cannot be serialized: {fault}")).await,
    }
}

/// Fails this workflow task, now and in every retry. Nothing is lost, and another version of the code may continue.
async fn fail<E: Entity, T>(context: &WorkflowContext<E>, fault: String) -> T {
    context.force_task_fail(fault);
    std::future::pending().await
}

impl<E: Entity> Life<'_, E> {
    /// Starts the wanted effects, in the machine's order. A run that must end starts nothing: the next run starts them, without any
    /// doubt.
    async fn begin_effects(&mut self) {
        if self.ending || self.context.state(|entity| entity.shell().effects.is_empty()) {
            return;
        }
        if self.edition == Edition::V0_1 {
            if self.moment.is_some() {
                return;
            }
            if self.is_row_to_record() {
                self.record().await;
                return;
            }
        }
        for effect in self.context.state_mut(|entity| std::mem::take(&mut entity.shell_mut().effects)) {
            let leaves = self.leaves(&effect);
            match E::begin(self.context, effect, &self.interrupt, leaves) {
                Started::Local(future) => self.local = Some(Task::begin(future).await),
                Started::Call(future) => self.calls.push(Call::begin(future, false).await),
                Started::Repeatable(future) => self.calls.push(Call::begin(future, true).await),
                Started::Done => {}
            }
        }
    }

    /// Whether this may be sent before the decision is recorded. All effects except local activities are commands, which the server
    /// accepts together with the record of the task.
    fn leaves(&mut self, effect: &E::Effect) -> Leaves {
        let is_stable = self.recording.may_leave() && !E::rests_on_clock(effect);
        if self.edition == Edition::V0_1 || is_stable {
            return Leaves::Within;
        }
        self.recorded = self.recorded.saturating_add(1);
        Leaves::Recorded(self.recorded)
    }

    /// Whether a run of 0.1.0 must have the results of consecutive local activities recorded.
    fn is_row_to_record(&self) -> bool {
        let in_a_row = self.locals_in_a_row;
        self.context.state(|entity| entity.wants_local() && entity.is_to_record(in_a_row))
    }

    /// Ends the workflow task for a moment, so that its results are recorded.
    async fn record(&mut self) {
        let mut moment = self.ring_in(self.clock, MOMENT).timer;
        // Polled at once, so that the timer is set now.
        let _pending = std::future::poll_fn(|waker| Poll::Ready(moment.as_mut().poll(waker))).await;
        self.moment = Some(moment);
    }

    fn is_nothing_under_way(&self) -> bool {
        self.local.is_none() && self.calls.is_empty()
    }

    /// Sets the timer to the time that the machine wants now, and stops a timer that is no longer wanted.
    fn set_alarm(&mut self) {
        if self.ending {
            return;
        }
        let clock = self.clock;
        let wanted = self.context.state(|entity| entity.wake_at(clock));
        if self.alarm.as_ref().map(|alarm| alarm.at) == wanted {
            return;
        }
        self.stop_alarm();
        if let Some(at) = wanted {
            let wait_ms = u64::try_from(at.0.saturating_sub(clock.0)).unwrap_or(0).max(1);
            self.alarm = Some(self.ring_in(at, Duration::from_millis(wait_ms)));
        }
    }

    fn stop_alarm(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            alarm.stop.cancel();
        }
    }

    fn ring_in(&self, at: Timestamp, wait: Duration) -> Alarm {
        let stop = WorkflowCancellationToken::new();
        let options = TimerOptions::builder(wait).cancellation_token(stop.clone()).build();
        let context = self.context.clone();
        let timer = Box::pin(async move {
            context.timer(options).await;
        });
        Alarm { at, stop, timer }
    }

    /// Waits for the next thing that happens. If there are several, the order is that of the module's first rule.
    async fn next(&mut self) -> Wakeup<E::Incoming> {
        let context = self.context;
        let has_taken = |entity: &E| entity.shell().has_taken();
        let mut incoming = pin!(context.wait_condition_with_options(has_taken, regardless()));
        std::future::poll_fn(|waker| {
            self.cuts.reached(context.history_length());
            // Before anything else, since the meaning of what follows depends on it.
            if self.reset.as_mut().is_some_and(ResetWatch::sees_reset) {
                return Poll::Ready(Wakeup::WasReset);
            }
            if let Some(local) = &mut self.local
                && let Poll::Ready(ended) = local.poll(waker)
            {
                return Poll::Ready(Wakeup::Local(ended));
            }
            if incoming.as_mut().poll(waker).is_ready() {
                return Poll::Ready(Wakeup::Incoming);
            }
            for index in 0..self.calls.len() {
                if let Poll::Ready(ended) = self.calls[index].task.poll(waker) {
                    drop(self.calls.remove(index));
                    return Poll::Ready(Wakeup::Ended(ended));
                }
            }
            if let Some(alarm) = &mut self.alarm
                && alarm.timer.as_mut().poll(waker).is_ready()
            {
                self.alarm = None;
                return Poll::Ready(Wakeup::Rang);
            }
            if let Some(moment) = &mut self.moment
                && moment.as_mut().poll(waker).is_ready()
            {
                self.moment = None;
                return Poll::Ready(Wakeup::Recorded);
            }
            Poll::Pending
        })
        .await
    }

    /// Processes what happened. Returns whether the run may end now.
    fn take(&mut self, wakeup: Wakeup<E::Incoming>) -> bool {
        let taken = match wakeup {
            Wakeup::Local(result) => {
                self.local = None;
                self.locals_in_a_row += 1;
                self.recording.local_ended();
                self.feed(result.map(Taken::Incoming));
                if self.ending && self.is_nothing_under_way() {
                    // The run does not end on a local result, but a moment later.
                    self.stop_alarm();
                    self.alarm = Some(self.ring_in(self.clock, MOMENT));
                }
                return false;
            }
            Wakeup::Incoming => self.context.state_mut(|entity| entity.shell_mut().next_taken()),
            Wakeup::Ended(result) => result.map(Taken::Incoming),
            Wakeup::Rang => E::woke().map(Taken::Incoming),
            Wakeup::WasReset => {
                // The run that was reset started what is in flight. The next run starts it again, knowing that.
                self.end();
                E::was_reset().map(Taken::Incoming)
            }
            Wakeup::Recorded => None,
        };
        self.locals_in_a_row = 0;
        self.clock = identity::now(self.context.workflow_time());
        self.rest_on(taken.as_ref());
        self.judge();
        self.feed(taken);
        self.judge();
        self.ending && self.is_nothing_under_way()
    }

    /// Records what this workflow task depends on so far.
    fn rest_on(&mut self, taken: Option<&Taken<E::Incoming>>) {
        let task = self.context.history_length();
        let cause = taken.map(|taken| match taken {
            Taken::Incoming(incoming) => self.context.state(|entity| entity.cause(self.clock, incoming)),
            // The machine does nothing with it.
            Taken::QueueAssignment(_) => Cause::Message,
        });
        match cause {
            Some(cause) => self.recording.took(task, cause),
            None => self.recording.reached(task),
        }
    }

    fn feed(&mut self, taken: Option<Taken<E::Incoming>>) {
        match taken {
            Some(Taken::Incoming(incoming)) => {
                let seen = self.context.state_mut(|entity| {
                    let effects = entity.feed(self.clock, incoming);
                    entity.shell_mut().effects.extend(effects);
                    entity.take_observations()
                });
                self.observed.tell(self.context, &seen);
                witness::show(self.context, E::shown_to_witness);
            }
            Some(Taken::QueueAssignment(told)) => self.context.state_mut(|entity| entity.shell_mut().told_queue(told)),
            None => {}
        }
    }

    /// Ends the run if it has become long.
    fn judge(&mut self) {
        let length = RunLength {
            history_events: self.context.history_length(),
            signals: self.context.state(|entity| entity.shell().signals()),
            suggested: self.context.continue_as_new_suggested(),
        };
        let is_free = self.local.is_none() && self.calls.iter().all(|call| call.is_repeatable);
        let idle = is_free && self.context.state(E::is_idle);
        let ends = match self.context.state(|entity| entity.shell().queue_move.judge(entity.ends_after(length))) {
            ContinueAsNew::Now => true,
            ContinueAsNew::WhenIdle => idle,
            ContinueAsNew::No => false,
        };
        if ends {
            self.end();
        }
    }

    /// Interrupts what is in flight. The run ends as soon as that is over.
    fn end(&mut self) {
        if !self.ending {
            self.ending = true;
            self.interrupt.cancel();
        }
    }

    fn take_in_all(&mut self) {
        self.cuts.reached(self.context.history_length());
        self.clock = identity::now(self.context.workflow_time());
        while let Some(taken) = self.context.state_mut(|entity| entity.shell_mut().next_taken()) {
            self.feed(Some(taken));
        }
    }
}
