//! Which task of each run is inside the SDK's core.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How many queries may wait at a time, of all workers on a connection. Each holds one poll of its worker, all may belong to
/// the same worker, and an idle worker has few polls.
const QUERIES_WAITING_MAX: usize = 2;

/// The kind of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A workflow task. It waits only for a running query, goes before other queries, and always gets in eventually: the server relies on
    /// it, and if the server sends another task of the run, the one inside no longer counts.
    WorkflowTask,
    /// A separate query, which can be asked again.
    Query,
}

impl Kind {
    /// How long a task waits for the slot of its run: much longer than a task takes, but short enough that neither polls are blocked
    /// by queries to a run whose local activity keeps being retried, nor a workflow task comes too late to ask the server
    /// for more time (the core does so after 8 of its 10 s).
    fn wait_max(self) -> Duration {
        match self {
            Self::WorkflowTask => Duration::from_millis(1_500),
            Self::Query => Duration::from_secs(1),
        }
    }

    /// After this time a task is assumed to have ended unnoticed: the server itself gives up a workflow task after 10 s, and
    /// the core does not answer queries that it cannot replay for.
    fn forgotten_after(self) -> Duration {
        match self {
            Self::WorkflowTask => Duration::from_secs(15),
            Self::Query => Duration::from_secs(5),
        }
    }
}

/// One slot for each run: the task of the run that is inside the core.
#[derive(Debug, Default)]
pub(super) struct RunSlots {
    table: Mutex<Table>,
    /// Notified when a task leaves or stops waiting.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    runs: BTreeMap<String, Run>,
    /// The run of each token.
    run_of: BTreeMap<Vec<u8>, String>,
    /// Queries that wait for a slot, of any run.
    queries_waiting: usize,
}

#[derive(Debug, Default)]
struct Run {
    inside: Option<Inside>,
    /// Workflow tasks that wait for the slot.
    waiting: usize,
}

#[derive(Debug)]
struct Inside {
    token: Vec<u8>,
    kind: Kind,
    since: Instant,
}

impl RunSlots {
    /// Waits until the slot of the run is free for the task with this token. Returns whether it may enter: a workflow task always may in
    /// the end, a query only if no other task is inside by then.
    pub(super) async fn enter(&self, run: &str, token: &[u8], kind: Kind) -> bool {
        if self.table().take_slot(run, token, kind, Instant::now()) {
            return true;
        }
        let until = Instant::now() + kind.wait_max();
        let Some(_waiting) = Waiting::begin(self, run, kind) else { return false };
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no notification is missed.
            changed.as_mut().enable();
            if self.table().take_slot(run, token, kind, Instant::now()) {
                return true;
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                break;
            }
        }
        if kind == Kind::WorkflowTask {
            self.table().put(run, token, kind, Instant::now());
        }
        kind == Kind::WorkflowTask
    }

    /// The core has finished a task. If the server's answer contained a workflow task (its run and its token), the core has that one
    /// at once.
    pub(super) fn leave(&self, token: &[u8], next: Option<(&str, &[u8])>) {
        {
            let mut table = self.table();
            table.leave(token);
            if let Some((run, token)) = next {
                table.put(run, token, Kind::WorkflowTask, Instant::now());
            }
        }
        self.changed.notify_waiters();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn take_slot(&mut self, run: &str, token: &[u8], kind: Kind, now: Instant) -> bool {
        self.forget(now);
        let free = self.runs.get(run).is_none_or(|run| match kind {
            Kind::WorkflowTask => run.inside.as_ref().is_none_or(|inside| inside.kind == Kind::WorkflowTask),
            Kind::Query => run.inside.is_none() && run.waiting == 0,
        });
        if free {
            self.put(run, token, kind, now);
        }
        free
    }

    /// Puts a task inside, replacing the one that is there.
    fn put(&mut self, run: &str, token: &[u8], kind: Kind, now: Instant) {
        let inside = Inside { token: token.to_vec(), kind, since: now };
        let before = self.runs.entry(run.to_owned()).or_default().inside.replace(inside);
        if let Some(before) = before {
            self.run_of.remove(&before.token);
        }
        self.run_of.insert(token.to_vec(), run.to_owned());
    }

    fn leave(&mut self, token: &[u8]) {
        // An unknown token was forgotten, or another task replaced it.
        let Some(run) = self.run_of.remove(token) else { return };
        if let Some(of_run) = self.runs.get_mut(&run) {
            of_run.inside = None;
        }
        self.tidy(&run);
    }

    /// Forgets tasks that have been inside for too long.
    fn forget(&mut self, now: Instant) {
        let is_old = |inside: &Inside| now.duration_since(inside.since) >= inside.kind.forgotten_after();
        for run in self.runs.values_mut() {
            if let Some(old) = run.inside.take_if(|inside| is_old(inside)) {
                self.run_of.remove(&old.token);
            }
        }
        self.runs.retain(|_, run| run.is_of_use());
    }

    fn tidy(&mut self, run: &str) {
        if self.runs.get(run).is_some_and(|run| !run.is_of_use()) {
            self.runs.remove(run);
        }
    }
}

impl Run {
    fn is_of_use(&self) -> bool {
        self.inside.is_some() || self.waiting > 0
    }
}

/// A waiting task, until it stops waiting or its poll is given up.
struct Waiting<'a> {
    slots: &'a RunSlots,
    run: &'a str,
    kind: Kind,
}

impl<'a> Waiting<'a> {
    /// None if too many queries wait.
    fn begin(slots: &'a RunSlots, run: &'a str, kind: Kind) -> Option<Self> {
        let mut table = slots.table();
        match kind {
            Kind::WorkflowTask => table.runs.entry(run.to_owned()).or_default().waiting += 1,
            Kind::Query if table.queries_waiting < QUERIES_WAITING_MAX => table.queries_waiting += 1,
            Kind::Query => return None,
        }
        Some(Self { slots, run, kind })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut table = self.slots.table();
        match self.kind {
            Kind::WorkflowTask => {
                if let Some(run) = table.runs.get_mut(self.run) {
                    run.waiting = run.waiting.saturating_sub(1);
                }
                table.tidy(self.run);
            }
            Kind::Query => table.queries_waiting = table.queries_waiting.saturating_sub(1),
        }
        drop(table);
        self.slots.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinHandle;

    use super::*;

    /// Longer than the inaccuracy of a timer.
    const MOMENT: Duration = Duration::from_millis(4);

    fn entering(slots: &Arc<RunSlots>, run: &'static str, token: &'static str, kind: Kind) -> JoinHandle<bool> {
        let slots = Arc::clone(slots);
        tokio::spawn(async move { slots.enter(run, token.as_bytes(), kind).await })
    }

    fn assert_nothing_is_kept(slots: &RunSlots) {
        let table = slots.table();
        assert!(table.runs.is_empty() && table.run_of.is_empty() && table.queries_waiting == 0, "{table:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_waits_for_the_workflow_task_of_its_run() {
        let slots = Arc::new(RunSlots::default());
        assert!(slots.enter("run", b"task", Kind::WorkflowTask).await);
        let asking = entering(&slots, "run", "query", Kind::Query);
        tokio::time::sleep(Kind::Query.wait_max().saturating_sub(MOMENT)).await;
        assert!(!asking.is_finished());
        let began = Instant::now();
        assert!(slots.enter("another run", b"other query", Kind::Query).await);
        assert_eq!(began.elapsed(), Duration::ZERO, "of another run");

        slots.leave(b"task", None);
        assert!(asking.await.unwrap());
        slots.leave(b"query", None);
        slots.leave(b"other query", None);
        assert_nothing_is_kept(&slots);
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_is_sent_away_when_its_time_is_up_and_leaves_nothing_behind() {
        let slots = RunSlots::default();
        assert!(slots.enter("run", b"task", Kind::WorkflowTask).await);
        let began = Instant::now();
        assert!(!slots.enter("run", b"query", Kind::Query).await);
        assert!(began.elapsed() >= Kind::Query.wait_max() && began.elapsed() < Kind::Query.wait_max() + MOMENT);
        slots.leave(b"query", None);
        assert!(!slots.enter("run", b"query", Kind::Query).await, "the task is still inside");
        slots.leave(b"task", None);
        assert_nothing_is_kept(&slots);
    }

    #[tokio::test(start_paused = true)]
    async fn more_queries_than_may_wait_are_sent_away_at_once() {
        let slots = Arc::new(RunSlots::default());
        assert!(slots.enter("run", b"task", Kind::WorkflowTask).await);
        assert!(slots.enter("another run", b"other task", Kind::WorkflowTask).await);
        let first = entering(&slots, "run", "first", Kind::Query);
        let second = entering(&slots, "another run", "second", Kind::Query);
        tokio::time::sleep(MOMENT).await;
        assert_eq!(slots.table().queries_waiting, QUERIES_WAITING_MAX);
        let began = Instant::now();
        assert!(!slots.enter("run", b"third", Kind::Query).await);
        assert!(slots.enter("a third run", b"fourth", Kind::Query).await, "it need not wait");
        assert_eq!(began.elapsed(), Duration::ZERO);

        slots.leave(b"task", None);
        assert!(first.await.unwrap());
        let third = entering(&slots, "run", "third", Kind::Query);
        tokio::time::sleep(MOMENT).await;
        slots.leave(b"first", None);
        assert!(third.await.unwrap(), "there was a place to wait again");
        assert!(!second.await.unwrap());
        for token in ["third", "fourth", "other task"] {
            slots.leave(token.as_bytes(), None);
        }
        assert_nothing_is_kept(&slots);
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_that_an_answer_brings_is_inside_before_any_query_whoever_was_inside_before() {
        let slots = RunSlots::default();
        assert!(slots.enter("run", b"task", Kind::WorkflowTask).await);
        slots.leave(b"task", Some(("run", b"next")));
        assert!(!slots.enter("run", b"query", Kind::Query).await);
        // An answer that did not arrive, and one that did.
        slots.leave(b"next", None);
        slots.leave(b"next", Some(("run", b"the one after")));
        assert!(!slots.enter("run", b"query", Kind::Query).await);
        slots.leave(b"the one after", None);
        assert!(slots.enter("run", b"query", Kind::Query).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_workflow_task_waits_for_a_query_goes_before_the_next_one_and_is_let_in_at_last() {
        let slots = Arc::new(RunSlots::default());
        assert!(slots.enter("run", b"query", Kind::Query).await);
        let waiting = entering(&slots, "run", "task", Kind::WorkflowTask);
        tokio::time::sleep(Kind::WorkflowTask.wait_max().saturating_sub(MOMENT)).await;
        assert!(!waiting.is_finished());
        let next = entering(&slots, "run", "next query", Kind::Query);
        tokio::time::sleep(MOMENT / 2).await;
        slots.leave(b"query", None);
        assert!(waiting.await.unwrap());
        assert!(!next.await.unwrap(), "the workflow task went before it and is inside");
        slots.leave(b"task", None);

        assert!(slots.enter("run", b"query", Kind::Query).await);
        let began = Instant::now();
        assert!(slots.enter("run", b"task at last", Kind::WorkflowTask).await);
        assert!(began.elapsed() >= Kind::WorkflowTask.wait_max());
        slots.leave(b"query", None);
        assert!(!slots.enter("run", b"query again", Kind::Query).await, "the task took its place");
        slots.leave(b"task at last", None);
        assert_nothing_is_kept(&slots);
    }

    #[tokio::test(start_paused = true)]
    async fn a_workflow_task_does_not_wait_for_one_that_the_server_has_given_up() {
        let slots = RunSlots::default();
        assert!(slots.enter("run", b"task", Kind::WorkflowTask).await);
        let began = Instant::now();
        assert!(slots.enter("run", b"next attempt", Kind::WorkflowTask).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
        slots.leave(b"task", None);
        assert!(!slots.enter("run", b"query", Kind::Query).await, "the next attempt is inside");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_is_given_up_waits_no_more() {
        let slots = RunSlots::default();
        assert!(slots.enter("run", b"query", Kind::Query).await);
        let entering = slots.enter("run", b"task", Kind::WorkflowTask);
        assert!(tokio::time::timeout(MOMENT, entering).await.is_err());
        let entering = slots.enter("run", b"next query", Kind::Query);
        assert!(tokio::time::timeout(MOMENT, entering).await.is_err());
        slots.leave(b"query", None);
        assert_nothing_is_kept(&slots);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_whose_end_was_missed_is_forgotten_at_its_time_and_not_before() {
        for kind in [Kind::WorkflowTask, Kind::Query] {
            let slots = RunSlots::default();
            assert!(slots.enter("run", b"task", kind).await);
            let before = kind.forgotten_after().saturating_sub(Kind::Query.wait_max() + MOMENT * 2);
            tokio::time::sleep(before).await;
            assert!(!slots.enter("run", b"query", Kind::Query).await, "{kind:?}");
            tokio::time::sleep(MOMENT * 2).await;
            assert!(slots.enter("run", b"query", Kind::Query).await, "{kind:?}");
            slots.leave(b"task", None);
            assert!(!slots.enter("run", b"next query", Kind::Query).await, "{kind:?}");
        }
    }
}
