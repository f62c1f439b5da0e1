//! What every entity's shell keeps of its run, and what it says of itself, whatever entity it is.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;

use interlock_domain::ids::Timestamp;
use interlock_domain::limits::{ContinueAsNew, RunLength};
use interlock_domain::observation::Observation;
use interlock_domain::recording::{Cause, Edition};
use interlock_domain::routing::{QueueAssignment, QueueMove};
use serde::de::DeserializeOwned;
use temporalio_common::data_converters::RawValue;
use temporalio_workflow::{WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, WorkflowContextView};

use crate::queue_move::{self, ToldQueue};
use crate::witness::Machine;
use crate::{raw_json, start_argument};

/// What the shell of an entity has and does that others do not.
pub(crate) trait Entity: Sized + 'static {
    /// The machine.
    type Machine: 'static;
    /// What comes in for the machine: messages, requests, results.
    type Incoming: 'static;
    /// An effect that the machine wants.
    type Effect: 'static;
    /// What the handler of an update waits for.
    type Answer: 'static;
    /// Its workflow type.
    const WORKFLOW_TYPE: &'static str;
    /// Whether it uses local activities.
    const HAS_LOCAL_ACTIVITIES: bool = false;

    /// What it has in common with others.
    fn shell(&self) -> &Shell<Self>;
    /// The same, to be changed.
    fn shell_mut(&mut self) -> &mut Shell<Self>;

    /// The run begins, before any input is fed.
    fn begin_run(&mut self, _edition: Edition) {}
    /// Feeds the machine, and says what it wants done.
    fn feed(&mut self, now: Timestamp, incoming: Self::Incoming) -> Vec<Self::Effect>;
    /// Starts one effect. `leaves` is for effects that are normally local activities.
    fn begin(
        context: &WorkflowContext<Self>,
        effect: Self::Effect,
        interrupt: &WorkflowCancellationToken,
        leaves: Leaves,
    ) -> Started<Self::Incoming>;
    /// The basis of an input that is fed at this time.
    fn cause(&self, _now: Timestamp, _incoming: &Self::Incoming) -> Cause {
        Cause::Other
    }
    /// Whether the content of a local activity's messages depends on the workflow time of a task that may not be recorded yet.
    fn rests_on_clock(_effect: &Self::Effect) -> bool {
        false
    }
    /// Whether a local activity is among the wanted effects.
    fn wants_local(&self) -> bool {
        false
    }
    /// Whether the server must record the results of this many consecutive local activities before the next one starts.
    fn is_to_record(&self, _locals_in_a_row: u32) -> bool {
        false
    }
    /// The start argument of the next run, with the whole state of the machine.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    fn carry(&self) -> Result<RawValue, serde_json::Error>;
    /// Whether a run of this length is to end, wherever the entity is to live.
    fn ends_after(&self, length: RunLength) -> ContinueAsNew;
    /// Whether the machine has nothing in flight.
    fn is_idle(&self) -> bool;
    /// When the machine wants to be woken.
    fn wake_at(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }
    /// The run has ended, except for callers that wait for an answer. Everything unsettled is settled in the next run.
    fn closing(&mut self) {}
    /// The machine's observations since the last call, for metrics.
    fn take_observations(&mut self) -> Vec<Observation> {
        Vec::new()
    }
    /// The machine, for a witness of a replay. `None` if none watches machines of this kind.
    fn shown_to_witness(&self) -> Option<Machine<'_>> {
        None
    }
    /// The input that reports an operator's reset of the workflow. `None` if the reset does not concern it.
    fn was_reset() -> Option<Self::Incoming> {
        None
    }
    /// The input that wakes it.
    fn woke() -> Option<Self::Incoming> {
        None
    }
}

/// The result of something in flight, for the machine. `None` if the run must end and the next one starts it again.
pub(crate) type Ended<I> = Pin<Box<dyn Future<Output = Option<I>>>>;

/// When a machine's messages to others are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Within the workflow task, by a local activity.
    Within,
    /// After the workflow task is recorded, by a normal activity. The number identifies the effect in this run. Replay gets the same
    /// number; the length of the history would differ if a local result was seen late.
    Recorded(u32),
}

/// Something that was started.
pub(crate) enum Started<I> {
    /// A local activity, at most one at a time.
    Local(Ended<I>),
    /// A call on a task queue.
    Call(Ended<I>),
    /// The same, if it may be interrupted and made again at any time. A run does not wait for it before it continues as new.
    Repeatable(Ended<I>),
    /// Something that was done by being started: nothing comes of it.
    Done,
}

/// What a handler took.
pub(crate) enum Taken<I> {
    /// For the machine.
    Incoming(I),
    /// Where the entity is to live.
    QueueAssignment(ToldQueue),
}

/// What the handler of an update gives back.
pub(crate) type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// What every shell keeps of its run.
pub(crate) struct Shell<E: Entity> {
    /// The machine.
    pub(crate) machine: E::Machine,
    /// Effects that the machine wants and that have not started yet.
    pub(crate) effects: Vec<E::Effect>,
    /// What it was told about the task queue that it must be on.
    pub(crate) queue_move: QueueMove,
    /// Why the machine cannot continue, if its state cannot be read and would be lost.
    pub(crate) unreadable: Option<String>,
    /// The random seed with which the run's history began.
    began_with: u64,
    /// Inputs that the handlers received and the main routine has not processed yet.
    inbox: VecDeque<Taken<E::Incoming>>,
    /// The number of signals received in this run.
    signals: u32,
    /// The number of updates received in this run.
    updates: u64,
    /// Answers to updates that their handlers have not returned yet.
    answers: BTreeMap<u64, E::Answer>,
}

impl<E: Entity> Shell<E> {
    /// The shell of a run: with the machine of the run before, or a new one.
    pub(crate) fn new(view: &WorkflowContextView, argument: &RawValue, blank: impl FnOnce() -> E::Machine) -> Self
    where
        E::Machine: DeserializeOwned,
    {
        let (machine, unreadable) = start_argument::machine(is_continued(view), argument, blank);
        Self {
            machine,
            effects: Vec::new(),
            // Only a run that continues another one has been told: whatever else starts an entity does not decide where it lives.
            queue_move: if is_continued(view) { start_argument::queue_move(argument) } else { QueueMove::default() },
            unreadable,
            began_with: view.raw().randomness_seed,
            inbox: VecDeque::new(),
            signals: 0,
            updates: 0,
            answers: BTreeMap::new(),
        }
    }

    /// The random seed with which the run's history began.
    pub(crate) fn began_with(&self) -> u64 {
        self.began_with
    }

    /// The number of signals received in this run.
    pub(crate) fn signals(&self) -> u32 {
        self.signals
    }

    /// Counts a signal.
    pub(crate) fn signalled(&mut self) {
        self.signals += 1;
    }

    /// Keeps something for the main routine.
    pub(crate) fn take(&mut self, incoming: E::Incoming) {
        self.inbox.push_back(Taken::Incoming(incoming));
    }

    /// Keeps for the main routine what somebody said in passing of where the entity is to live.
    pub(crate) fn take_in_passing(&mut self, queue_assignment: Option<QueueAssignment>) {
        self.inbox.extend(
            queue_assignment.map(|queue_assignment| Taken::QueueAssignment(ToldQueue::InPassing(queue_assignment))),
        );
    }

    /// Takes the signal by which the entity is to go and live elsewhere.
    ///
    /// # Errors
    /// Where that cannot be read.
    pub(crate) fn asked_to_move(&mut self, queue_assignment: &RawValue) -> Result<(), serde_json::Error> {
        self.signalled();
        let queue_assignment = raw_json::read(queue_assignment)?;
        self.inbox.push_back(Taken::QueueAssignment(ToldQueue::AskedToMove(queue_assignment)));
        Ok(())
    }

    /// Numbers an update, and keeps what it asks for the main routine.
    pub(crate) fn updated(&mut self, incoming: impl FnOnce(u64) -> E::Incoming) -> u64 {
        self.updates += 1;
        self.take(incoming(self.updates));
        self.updates
    }

    /// Gives the answer to an update.
    pub(crate) fn answer(&mut self, number: u64, answer: E::Answer) {
        self.answers.insert(number, answer);
    }

    /// Whether there is anything for the main routine.
    pub(crate) fn has_taken(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// What is next for the main routine.
    pub(crate) fn next_taken(&mut self) -> Option<Taken<E::Incoming>> {
        self.inbox.pop_front()
    }

    /// The entity is told where it is to live.
    pub(crate) fn told_queue(&mut self, told: ToldQueue) {
        queue_move::tell(&mut self.queue_move, told);
    }
}

/// Whether an earlier run went before this one.
pub(crate) fn is_continued(view: &WorkflowContextView) -> bool {
    view.continued_from_run_id().is_some()
}

/// Has the main routine take what an update asks, and waits for the answer.
pub(crate) async fn answered<E: Entity>(
    context: &mut WorkflowContext<E>,
    incoming: impl FnOnce(u64) -> E::Incoming,
) -> Result<E::Answer, HandlerError> {
    let number = context.state_mut(|entity| entity.shell_mut().updated(incoming));
    let is_answered = move |entity: &E| entity.shell().answers.contains_key(&number);
    context.wait_condition_with_options(is_answered, regardless()).await?;
    let answer = context.state_mut(|entity| entity.shell_mut().answers.remove(&number));
    answer.ok_or_else(|| "the answer was taken before".into())
}

/// A token of its own: cancelling an entity does not stop it.
pub(crate) fn regardless() -> WaitConditionOptions {
    WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build()
}
