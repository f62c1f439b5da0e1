//! What the completed workflow tasks made of a run, and no more.

use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

/// Removes from a history all that follows the last completed workflow task and its commands. On a page without such a task, that task is on an earlier
/// page: the commands with which the page begins are its.
pub fn settle(events: &mut Vec<HistoryEvent>) {
    let completed = events.iter().rposition(|event| event.event_type() == EventType::WorkflowTaskCompleted);
    let begin = completed.map_or(0, |at| at + 1);
    let commands = events[begin..].iter().take_while(|event| event.is_command_event()).count();
    // A history of which nothing is left would be no history at all.
    if begin + commands > 0 {
        events.truncate(begin + commands);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(types: &[EventType]) -> Vec<HistoryEvent> {
        let event = |(at, kind): (usize, &EventType)| HistoryEvent {
            event_id: 1 + i64::try_from(at).unwrap(),
            event_type: (*kind).into(),
            ..HistoryEvent::default()
        };
        types.iter().enumerate().map(event).collect()
    }

    fn left(types: &[EventType]) -> usize {
        let mut events = events(types);
        settle(&mut events);
        events.len()
    }

    #[test]
    fn a_query_sees_what_the_completed_tasks_made_of_the_run_and_no_more() {
        use EventType::{
            ActivityTaskCompleted, ActivityTaskScheduled, ActivityTaskStarted, MarkerRecorded,
            WorkflowExecutionSignaled, WorkflowExecutionStarted, WorkflowExecutionTerminated,
            WorkflowExecutionUpdateAccepted, WorkflowExecutionUpdateCompleted, WorkflowTaskCompleted,
            WorkflowTaskScheduled, WorkflowTaskStarted, WorkflowTaskTimedOut,
        };
        let first = [WorkflowExecutionStarted, WorkflowTaskScheduled, WorkflowTaskStarted, WorkflowTaskCompleted];
        let after = |more: &[EventType]| left(&[&first, more].concat());
        assert_eq!(after(&[]), 4);
        let commands =
            [WorkflowExecutionUpdateAccepted, WorkflowExecutionUpdateCompleted, MarkerRecorded, ActivityTaskScheduled];
        assert_eq!(after(&commands), 8, "an idle run");
        let came = [WorkflowExecutionSignaled, WorkflowTaskScheduled, WorkflowTaskStarted, WorkflowTaskTimedOut];
        assert_eq!(after(&[&commands[..], &came].concat()), 8);
        assert_eq!(
            after(&[ActivityTaskScheduled, ActivityTaskStarted, ActivityTaskCompleted, WorkflowTaskScheduled]),
            5
        );
        assert_eq!(after(&[WorkflowTaskScheduled, WorkflowExecutionTerminated]), 4);
        // Nobody has answered anything yet: the server asks nothing then.
        assert_eq!(left(&first[..2]), 2);
        // The last page of a long history.
        assert_eq!(left(&[MarkerRecorded, WorkflowExecutionSignaled, WorkflowTaskScheduled]), 1);
    }
}
