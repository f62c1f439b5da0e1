//! Which run has which task inside the SDK's core.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// After this time a task is taken for one whose end was missed: the server itself gives up a workflow task after ten seconds.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);

/// What kind of task wants in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A workflow task. It goes before questions, and is let in at last whatever is inside: the server counts on it.
    WorkflowTask,
    /// A question by itself, which can be asked again.
    Question,
}

/// The tasks inside, at most one for each run.
#[derive(Debug, Default)]
pub(super) struct Turns {
    table: Mutex<Table>,
    /// Told whenever a task leaves or stops waiting.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    runs: BTreeMap<String, Run>,
    /// Whose each token is.
    run_of: BTreeMap<Vec<u8>, String>,
}

#[derive(Debug, Default)]
struct Run {
    inside: Option<Inside>,
    /// Workflow tasks that wait for their turn.
    waiting: usize,
}

#[derive(Debug)]
struct Inside {
    token: Vec<u8>,
    since: Instant,
}

impl Turns {
    /// Waits for the turn of the task with this token, for as long as `patience`. Whether it may go in: a workflow task always
    /// may in the end, a question only if nothing else is inside.
    pub(super) async fn enter(&self, run: &str, token: &[u8], kind: Kind, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let _waiting = (kind == Kind::WorkflowTask).then(|| Waiting::begin(self, run));
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on nothing is missed.
            changed.as_mut().enable();
            if self.table().take_turn(run, token, kind, Instant::now()) {
                return true;
            }
            if tokio::time::timeout_at(until, changed).await.is_err() {
                break;
            }
        }
        if kind == Kind::WorkflowTask {
            self.table().put(run, token, Instant::now());
        }
        kind == Kind::WorkflowTask
    }

    /// The core is done with a task, and has the next one of the same run at once where the server's answer brought it.
    pub(super) fn leave(&self, token: &[u8], next: Option<&[u8]>) {
        self.table().leave(token, next, Instant::now());
        self.changed.notify_waiters();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn take_turn(&mut self, run: &str, token: &[u8], kind: Kind, now: Instant) -> bool {
        self.forget(now);
        let free = self
            .runs
            .get(run)
            .is_none_or(|run| run.inside.is_none() && (kind == Kind::WorkflowTask || run.waiting == 0));
        if free {
            self.put(run, token, now);
        }
        free
    }

    /// Puts a task inside, in the place of the one that is there.
    fn put(&mut self, run: &str, token: &[u8], now: Instant) {
        let inside = Inside { token: token.to_vec(), since: now };
        let before = self.runs.entry(run.to_owned()).or_default().inside.replace(inside);
        if let Some(before) = before {
            self.run_of.remove(&before.token);
        }
        self.run_of.insert(token.to_vec(), run.to_owned());
    }

    fn leave(&mut self, token: &[u8], next: Option<&[u8]>, now: Instant) {
        // One that is not known was forgotten, or another one took its place.
        let Some(run) = self.run_of.remove(token) else { return };
        if let Some(of_run) = self.runs.get_mut(&run) {
            of_run.inside = None;
        }
        match next {
            Some(next) => self.put(&run, next, now),
            None => self.tidy(&run),
        }
    }

    /// Forgets tasks of which nobody heard any more.
    fn forget(&mut self, now: Instant) {
        let is_old = |inside: &Inside| now.duration_since(inside.since) >= FORGOTTEN_AFTER;
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

/// A workflow task that waits, also one whose poll is given up meanwhile.
struct Waiting<'a> {
    turns: &'a Turns,
    run: String,
}

impl<'a> Waiting<'a> {
    fn begin(turns: &'a Turns, run: &str) -> Self {
        turns.table().runs.entry(run.to_owned()).or_default().waiting += 1;
        Self { turns, run: run.to_owned() }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut table = self.turns.table();
        if let Some(run) = table.runs.get_mut(&self.run) {
            run.waiting = run.waiting.saturating_sub(1);
        }
        table.tidy(&self.run);
        drop(table);
        self.turns.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(5);
    const NOT_AT_ALL: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn a_question_waits_for_the_workflow_task_of_its_run() {
        let turns = Arc::new(Turns::default());
        assert!(turns.enter("run", b"task", Kind::WorkflowTask, NOT_AT_ALL).await);
        let asking = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.enter("run", b"question", Kind::Question, LONG).await }
        });
        tokio::time::sleep(LONG / 2).await;
        assert!(!asking.is_finished());
        assert!(turns.enter("another run", b"other question", Kind::Question, NOT_AT_ALL).await);

        turns.leave(b"task", None);
        assert!(asking.await.unwrap());
        turns.leave(b"question", None);
        turns.leave(b"other question", None);
        assert!(turns.table().runs.is_empty() && turns.table().run_of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_sent_away_when_its_time_is_up_and_leaves_nothing_behind() {
        let turns = Turns::default();
        assert!(turns.enter("run", b"task", Kind::WorkflowTask, NOT_AT_ALL).await);
        assert!(!turns.enter("run", b"question", Kind::Question, LONG).await);
        turns.leave(b"question", None);
        assert!(!turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await, "the task is still inside");
        turns.leave(b"task", None);
        assert!(turns.table().runs.is_empty() && turns.table().run_of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_that_an_answer_brings_is_inside_before_any_question() {
        let turns = Turns::default();
        assert!(turns.enter("run", b"task", Kind::WorkflowTask, NOT_AT_ALL).await);
        turns.leave(b"task", Some(b"next"));
        assert!(!turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await);
        turns.leave(b"next", None);
        assert!(turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_workflow_task_waits_for_a_question_goes_before_the_next_one_and_is_let_in_at_last() {
        let turns = Arc::new(Turns::default());
        assert!(turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await);
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.enter("run", b"task", Kind::WorkflowTask, LONG).await }
        });
        tokio::time::sleep(LONG / 2).await;
        assert!(!waiting.is_finished());
        let next = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.enter("run", b"next question", Kind::Question, LONG).await }
        });
        tokio::time::sleep(LONG / 10).await;
        turns.leave(b"question", None);
        assert!(waiting.await.unwrap());
        assert!(!next.await.unwrap(), "the workflow task went before it and is inside");

        assert!(turns.enter("run", b"task at last", Kind::WorkflowTask, LONG).await, "whatever is inside");
        turns.leave(b"task", None);
        assert!(!turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await, "another task took its place");
        turns.leave(b"task at last", None);
        assert!(turns.table().runs.is_empty() && turns.table().run_of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_is_given_up_waits_no_more() {
        let turns = Turns::default();
        assert!(turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await);
        let entering = turns.enter("run", b"task", Kind::WorkflowTask, LONG);
        assert!(tokio::time::timeout(LONG / 2, entering).await.is_err());
        turns.leave(b"question", None);
        assert!(turns.table().runs.is_empty());
        assert!(turns.enter("run", b"next question", Kind::Question, NOT_AT_ALL).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_whose_end_was_missed_is_forgotten_at_its_time_and_not_before() {
        let turns = Turns::default();
        assert!(turns.enter("run", b"task", Kind::WorkflowTask, NOT_AT_ALL).await);
        tokio::time::sleep(FORGOTTEN_AFTER.checked_sub(Duration::from_millis(2)).unwrap()).await;
        assert!(!turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(turns.enter("run", b"question", Kind::Question, NOT_AT_ALL).await);
        turns.leave(b"task", None);
        assert!(!turns.enter("run", b"next question", Kind::Question, NOT_AT_ALL).await);
    }
}
