//! The life of an entity in one run, whatever entity it is: what comes in is taken in an order that replay repeats.
//!
//! A local activity's result is recorded in the workflow task in which the activity ran. The first time, though, a workflow
//! may hear of it only in the next task, together with that task's signals (it happens where a query is answered while the
//! activity is under way); in replay it hears of it alone, and earlier. So nothing that the shell does may depend on
//! which of the two it was:
//!
//! 1. Handlers only append what comes in. The main routine takes local results first, then what came in, then results of
//!    calls, then the timer.
//! 2. A local result is fed with the time of the input before it.
//! 3. Whether the run is to end is judged only when something else than a local result came in.
//!
//! A local activity also runs before its workflow task is recorded, and the task may have to be attempted again. So the machine's
//! effects run as local activities only if messages alone caused them; else they run as normal activities of the entity's own
//! queue, which the server starts once the task that decided them is recorded ([`Recording`], design §4.15). Runs of 0.1.0 do
//! without it until they continue as new ([`Edition`]).
//!
//! Where an operator reset the workflow, the machine is told before it hears of anything else ([`ResetWatch`]), and goes on in
//! another run.
//!
//! And a workflow task stays short, however much there is to do: the server keeps at most 100 signals that come while one is
//! under way, and then has it done again from the start. Of an entity with a long inbox that is sent more all the time no task
//! would ever end. So after some local activities in a row the task is left, and what they did is recorded.

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
use crate::{identity, queue_move, watched};

/// What wakes a run.
enum Wakeup<I> {
    /// The local activity ended.
    Local(Option<I>),
    /// Something came in.
    Incoming,
    /// A call ended.
    Ended(Option<I>),
    /// The timer went off.
    Rang,
    /// What local activities did is recorded.
    Recorded,
    /// The run was reset to this point of its history.
    WasReset,
}

/// How long a run waits for nothing but the end of its workflow task: as short as a timer can be.
const MOMENT: Duration = Duration::from_millis(1);

/// The timer of a run.
struct Alarm {
    at: Timestamp,
    stop: WorkflowCancellationToken,
    timer: Pin<Box<dyn Future<Output = ()>>>,
}

/// Something that is under way, or is over and not taken in yet.
enum Task<I> {
    UnderWay(Ended<I>),
    Over(Option<I>),
}

impl<I> Task<I> {
    /// Polls the future at once, so that its command is issued in the order in which the machine wanted it.
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

struct Life<'a, E: Entity> {
    context: &'a WorkflowContext<E>,
    /// The time of the last input that was not a local result.
    clock: Timestamp,
    local: Option<Task<E::Incoming>>,
    calls: Vec<Task<E::Incoming>>,
    alarm: Option<Alarm>,
    /// Which behaviour the run began with.
    edition: Edition,
    /// Sees where the run was reset; none in runs of 0.1.0, which were not told.
    reset: Option<ResetWatch>,
    /// Local activities that ended since something else happened: only runs of 0.1.0 go by it.
    locals_in_a_row: u32,
    /// Whether local activities may begin in the present workflow task.
    recording: Recording,
    /// Effects of this run that waited for the record of their task.
    recorded: u32,
    /// Under way while the server is to record what local activities in a row did, in runs of 0.1.0: nothing is begun meanwhile.
    /// It is never stopped early, so that what a run does depends on the order alone in which it hears of things.
    moment: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Cancelled once the run is to end.
    interrupt: WorkflowCancellationToken,
    ending: bool,
}

/// The patch marker of runs that began with [`Edition::V0_2`].
const PATCH: &str = "0.2.0";

/// Which behaviour this run goes by: that of the worker that began it.
fn edition_of<E: Entity>(context: &WorkflowContext<E>) -> Edition {
    if !E::HAS_LOCAL_ACTIVITIES || context.patched(PATCH) { Edition::V0_2 } else { Edition::V0_1 }
}

/// Carries out what the machine wants done, until the run has become long and nothing is under way.
pub(crate) async fn live<E: Entity>(context: &WorkflowContext<E>) {
    if let Some(fault) = context.state(|entity| entity.shell().unreadable.clone()) {
        fail::<E, ()>(context, fault).await;
    }
    let edition = edition_of(context);
    context.state_mut(|entity| entity.begin_run(edition));
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
        locals_in_a_row: 0,
        recording: Recording::default(),
        recorded: 0,
        moment: None,
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
    // Whoever waits for an answer gets it from this run, be it that the next one has it.
    context.state_mut(E::closing);
    loop {
        life.take_in_all();
        let handlers = context.clone();
        let answered = context.wait_condition_with_options(move |_| handlers.all_handlers_finished(), regardless());
        // Only a cancelled token ends the wait otherwise, and this one is never cancelled.
        let _never_cancelled = answered.await;
        if !context.state(|entity| entity.shell().has_taken()) {
            let history_events = context.history_length();
            watched::tell(context, &[Observation::RunEnded { entity: E::WORKFLOW_TYPE, history_events }]);
            return;
        }
    }
}

/// What the next run begins with, and where it is.
pub(crate) async fn next_run<E: Entity>(context: &WorkflowContext<E>) -> (RawValue, ContinueAsNewOptions) {
    match context.state(E::carry) {
        Ok(argument) => (argument, context.state(|entity| queue_move::next_run(&entity.shell().queue_move))),
        Err(fault) => fail(context, format!("the state cannot be serialized: {fault}")).await,
    }
}

/// Fails this workflow task, now and whenever it is tried again: nothing is lost, and another version of the code may go on.
async fn fail<E: Entity, T>(context: &WorkflowContext<E>, fault: String) -> T {
    context.force_task_fail(fault);
    std::future::pending().await
}

impl<E: Entity> Life<'_, E> {
    /// Begins what the machine wants done, in its order. A run that is to end begins nothing: the next one does, and
    /// nobody doubts it.
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
                Started::Call(future) => self.calls.push(Task::begin(future).await),
                Started::Done => {}
            }
        }
    }

    /// Whether this may leave before the decision is recorded. What is no local activity is a command, which the server takes
    /// together with the record of the task.
    fn leaves(&mut self, effect: &E::Effect) -> Leaves {
        let is_stable = self.recording.may_leave() && !E::rests_on_clock(effect);
        if self.edition == Edition::V0_1 || is_stable {
            return Leaves::Within;
        }
        self.recorded = self.recorded.saturating_add(1);
        Leaves::Recorded(self.recorded)
    }

    /// Whether a run of 0.1.0 is to have recorded what local activities in a row did.
    fn is_row_to_record(&self) -> bool {
        let in_a_row = self.locals_in_a_row;
        self.context.state(|entity| entity.wants_local() && entity.is_to_record(in_a_row))
    }

    /// Leaves the workflow task for a moment: what was done in it is recorded then.
    async fn record(&mut self) {
        let mut moment = self.ring_in(self.clock, MOMENT).timer;
        // Polled at once, so that the timer is set now.
        let _pending = std::future::poll_fn(|waker| Poll::Ready(moment.as_mut().poll(waker))).await;
        self.moment = Some(moment);
    }

    fn is_nothing_under_way(&self) -> bool {
        self.local.is_none() && self.calls.is_empty()
    }

    /// Sets the timer to what the machine wants now; a timer that is not wanted any more is stopped.
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

    /// Waits for what happens next. Of several things, in the order of the module's first rule.
    async fn next(&mut self) -> Wakeup<E::Incoming> {
        let context = self.context;
        let has_taken = |entity: &E| entity.shell().has_taken();
        let mut incoming = pin!(context.wait_condition_with_options(has_taken, regardless()));
        std::future::poll_fn(|waker| {
            // Before anything else: what it says of what comes next depends on it.
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
                if let Poll::Ready(ended) = self.calls[index].poll(waker) {
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

    /// Takes in what happened. Whether the run may be left.
    fn take(&mut self, wakeup: Wakeup<E::Incoming>) -> bool {
        let taken = match wakeup {
            Wakeup::Local(result) => {
                self.local = None;
                self.locals_in_a_row += 1;
                self.recording.local_ended();
                self.feed(result.map(Taken::Incoming));
                if self.ending && self.is_nothing_under_way() {
                    // The run is not left on a local result: a moment later it is.
                    self.stop_alarm();
                    self.alarm = Some(self.ring_in(self.clock, MOMENT));
                }
                return false;
            }
            Wakeup::Incoming => self.context.state_mut(|entity| entity.shell_mut().next_taken()),
            Wakeup::Ended(result) => result.map(Taken::Incoming),
            Wakeup::Rang => E::woke().map(Taken::Incoming),
            Wakeup::WasReset => {
                // What is under way was begun by the run that was reset: the next one begins it again, knowing that.
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

    /// Notes what this workflow task rests on so far.
    fn rest_on(&mut self, taken: Option<&Taken<E::Incoming>>) {
        let task = self.context.history_length();
        let cause = taken.map(|taken| match taken {
            Taken::Incoming(incoming) => self.context.state(|entity| entity.cause(self.clock, incoming)),
            // It makes the machine do nothing.
            Taken::QueueAssignment(_) => Cause::Message,
        });
        match cause {
            Some(cause) => self.recording.took(task, cause),
            None => self.recording.reached(task),
        }
    }

    fn feed(&self, taken: Option<Taken<E::Incoming>>) {
        match taken {
            Some(Taken::Incoming(incoming)) => {
                let seen = self.context.state_mut(|entity| {
                    let effects = entity.feed(self.clock, incoming);
                    entity.shell_mut().effects.extend(effects);
                    entity.take_observations()
                });
                watched::tell(self.context, &seen);
            }
            Some(Taken::QueueAssignment(told)) => self.context.state_mut(|entity| entity.shell_mut().told_queue(told)),
            None => {}
        }
    }

    /// Ends the run where it has become long.
    fn judge(&mut self) {
        let length = RunLength {
            history_events: self.context.history_length(),
            signals: self.context.state(|entity| entity.shell().signals()),
            suggested: self.context.continue_as_new_suggested(),
        };
        let idle = self.is_nothing_under_way() && self.context.state(E::is_idle);
        let ends = match self.context.state(|entity| entity.shell().queue_move.judge(entity.ends_after(length))) {
            ContinueAsNew::Now => true,
            ContinueAsNew::WhenIdle => idle,
            ContinueAsNew::No => false,
        };
        if ends {
            self.end();
        }
    }

    /// What is under way is interrupted; the run is left as soon as it is over.
    fn end(&mut self) {
        if !self.ending {
            self.ending = true;
            self.interrupt.cancel();
        }
    }

    fn take_in_all(&mut self) {
        self.clock = identity::now(self.context.workflow_time());
        while let Some(taken) = self.context.state_mut(|entity| entity.shell_mut().next_taken()) {
            self.feed(Some(taken));
        }
    }
}
