//! Takes from the history of a separate query what no workflow task has given to the run yet.
//!
//! The server dispatches such a query only while the run has no workflow task. If no worker polls just then (they are suspended, or the sticky
//! one has died), the query waits, and the server reads the history when a worker takes it: it may then end with signals, results and a
//! scheduled workflow task that came meanwhile. The SDK's core (0.10.1, `WorkflowMachines::apply_next_wft_from_history`) gives all of it to the
//! run, at once and with the time of the task before, for the sake of the query. It keeps the run, and what the run then
//! decided is recorded with the next workflow task. Replay gives the run the same inputs in that task, with its time: it may decide
//! otherwise, and every later task of the run fails. So a query sees what the completed tasks made of the run, as it should, and
//! no more.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use interlock_replay::settle;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryResponse, PollWorkflowTaskQueueResponse,
};

/// If more pages than this are awaited, the core has given up most of them.
const PAGES_AWAITED_MAX: usize = 1_024;

/// The histories of queries that the core has begun to read: the tokens of their next pages.
#[derive(Debug, Default)]
pub(super) struct QueryHistories(Mutex<BTreeSet<Vec<u8>>>);

impl QueryHistories {
    /// The core gets this query, with the first page of its history.
    pub(super) fn begin(&self, query: &mut PollWorkflowTaskQueueResponse) {
        let next = query.next_page_token.clone();
        if let Some(history) = &mut query.history {
            self.read(&mut history.events, next);
        }
    }

    /// The core gets a further page, for which it asked with this token.
    pub(super) fn go_on(&self, token: &[u8], page: &mut GetWorkflowExecutionHistoryResponse) {
        if !self.awaited().remove(token) {
            return;
        }
        let next = page.next_page_token.clone();
        if let Some(history) = &mut page.history {
            self.read(&mut history.events, next);
        }
    }

    fn read(&self, events: &mut Vec<HistoryEvent>, next: Vec<u8>) {
        if next.is_empty() {
            settle(events);
            return;
        }
        let mut awaited = self.awaited();
        if awaited.len() >= PAGES_AWAITED_MAX {
            awaited.clear();
        }
        awaited.insert(next);
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeSet<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::enums::v1::EventType;
    use temporalio_common::protos::temporal::api::history::v1::History;

    use super::*;

    fn events(types: &[EventType]) -> Vec<HistoryEvent> {
        let event = |(at, kind): (usize, &EventType)| HistoryEvent {
            event_id: 1 + i64::try_from(at).unwrap(),
            event_type: (*kind).into(),
            ..HistoryEvent::default()
        };
        types.iter().enumerate().map(event).collect()
    }

    #[test]
    fn only_the_last_page_of_a_query_is_cut() {
        use EventType::{WorkflowExecutionSignaled, WorkflowTaskCompleted, WorkflowTaskScheduled, WorkflowTaskStarted};
        let types = [WorkflowTaskStarted, WorkflowTaskCompleted, WorkflowExecutionSignaled, WorkflowTaskScheduled];
        let history = || Some(History { events: events(&types) });
        let page = |token: &[u8]| GetWorkflowExecutionHistoryResponse {
            history: history(),
            next_page_token: token.to_vec(),
            ..Default::default()
        };
        let histories = QueryHistories::default();
        let mut query = PollWorkflowTaskQueueResponse {
            history: history(),
            next_page_token: b"second".to_vec(),
            ..Default::default()
        };
        histories.begin(&mut query);
        let [mut second, mut third, mut of_a_task] = [page(b"third"), page(b""), page(b"")];
        histories.go_on(b"second", &mut second);
        histories.go_on(b"third", &mut third);
        histories.go_on(b"another", &mut of_a_task);
        let kept = |history: Option<History>| history.unwrap().events.len();
        assert_eq!(
            [kept(query.history), kept(second.history), kept(third.history), kept(of_a_task.history)],
            [4, 4, 2, 4]
        );
        assert!(histories.awaited().is_empty());
    }
}
