//! With histories that a real server recorded (`histories/`, written by `tests/tests/end_to_end/recovered.rs`), and with some
//! that are constructed here.

use std::collections::BTreeSet;

use interlock_domain::customer::{Customer, Input};
use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerRef, Incarnation, OrderId, Timestamp};
use interlock_domain::order::OrderState;
use interlock_domain::routing::QueueMove;
use interlock_workflows::StartArgument;
use prost::Message;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::ActivityType;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowType};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    ActivityTaskCompletedEventAttributes, ActivityTaskScheduledEventAttributes, History, HistoryEvent,
    MarkerRecordedEventAttributes, WorkflowExecutionSignaledEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowExecutionTerminatedEventAttributes, WorkflowTaskCompletedEventAttributes,
    WorkflowTaskStartedEventAttributes,
};

use super::open_events::{OpenEvents, is_dead, open_events};
use super::recorded::{RecordedRun, RunEnd, UnreadableHistory};
use super::replay::replay;

mod asked;
mod exact;
mod reset;

/// The runs of a recorded entity, the first one first, and their customer.
fn recorded(mut written: &[u8]) -> (CustomerRef, Vec<RecordedRun>) {
    let mut histories = Vec::new();
    while !written.is_empty() {
        histories.push(History::decode_length_delimited(&mut written).unwrap());
    }
    let read = |(number, history): (usize, &History)| RecordedRun::read(&number.to_string(), &history.events).unwrap();
    let runs: Vec<RecordedRun> = histories.iter().enumerate().map(read).collect();
    let start = runs[0].start.clone().unwrap();
    let me = CustomerRef { tenant: start.tenant_id.parse().unwrap(), customer: start.entity_id.parse().unwrap() };
    (me, runs)
}

fn in_the_middle() -> (CustomerRef, Vec<RecordedRun>) {
    recorded(include_bytes!("histories/in_the_middle.binpb"))
}

fn unserved() -> (CustomerRef, Vec<RecordedRun>) {
    recorded(include_bytes!("histories/unserved.binpb"))
}

fn open_in(me: &CustomerRef, runs: &[RecordedRun]) -> OpenEvents {
    let dead: BTreeSet<String> = runs.iter().filter(|run| is_dead(run)).map(|run| run.run_id.clone()).collect();
    open_events(me, runs, &dead)
}

/// Removes what the build that recorded the runs did not write.
fn strip(state: &mut Value, names: &[&str]) {
    match state {
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|field| strip(field, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| strip(value, names)),
        _ => {}
    }
}

#[test]
fn the_machine_comes_to_the_very_state_that_the_run_handed_over() {
    let (me, runs) = in_the_middle();
    assert!(runs.len() > 1);
    for pair in runs.windows(2) {
        let replayed = replay(&me, &pair[0]);
        assert_eq!(replayed.diverged, None);
        let (mut came_to, handed_over) = (json!(replayed.customer), json!(pair[1].carried.as_deref().unwrap()));
        strip(&mut came_to, &["arrival", "used_at", "digests", "calls", "subscribers"]);
        // The build that made the history did not record in which life an admission started.
        came_to["basis"].as_object_mut().map(|basis| basis.remove("incarnation"));
        assert_eq!(came_to, handed_over, "run {}", pair[0].run_id);
    }
}

#[test]
fn what_was_over_is_left_out_and_what_was_open_comes_in_the_order_of_its_keys() {
    let (me, runs) = in_the_middle();
    let open = open_in(&me, &runs);
    let found: Vec<(&str, OrderState)> = open.events.iter().map(|event| (&*event.event_type, event.state)).collect();
    let held = ("service.updated", OrderState::Held);
    let begun = |event_type| (event_type, OrderState::InProgress);
    assert_eq!(found, [held, begun("service.updated"), begun("number.unassigned"), begun("number.assigned")]);
    assert_eq!((open.lost.len(), open.unreadable.len(), open.told_again, open.doubts.len()), (0, 0, 0, 0));
}

#[test]
fn an_event_is_the_same_order_again_and_is_numbered_in_its_place() {
    let (me, runs) = in_the_middle();
    for (number, found) in open_in(&me, &runs).events.into_iter().enumerate() {
        let event = Event::from_value(&found.event, usize::MAX).unwrap();
        assert_eq!(event.order_id(&me.tenant, event.half), found.order_id);
        assert_eq!((event.sequence, found.event["time"].clone()), (Some(number.to_string()), found.occurred_at.into()));
    }
}

#[test]
fn what_no_worker_took_in_is_open_each_event_once_and_what_is_no_event_is_named() {
    let (me, runs) = unserved();
    let open = open_in(&me, &runs);
    let found: Vec<(&str, OrderState)> = open.events.iter().map(|event| (&*event.event_type, event.state)).collect();
    let came = |event_type| (event_type, OrderState::Acknowledged);
    assert_eq!(found, [came("number.assigned"), came("service.updated"), came("service.updated")]);
    assert_eq!(open.unreadable.iter().map(|event| &*event.code).collect::<Vec<_>>(), ["not_json"]);
}

#[test]
fn a_run_that_goes_on_has_nothing_to_bring_back() {
    let (me, runs) = in_the_middle();
    assert_eq!(open_in(&me, &runs[..runs.len() - 1]), OpenEvents::default());
}

// Constructed.

fn me() -> CustomerRef {
    CustomerRef { tenant: "t".parse().unwrap(), customer: "A".parse().unwrap() }
}

fn event(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/s", "type": "service.updated", "subject": "A", "data": {}})
}

fn order(id: &str) -> OrderId {
    let event = Event::from_value(&event(id), usize::MAX).unwrap();
    event.order_id(&me().tenant, None)
}

fn payloads(value: &Value) -> Payloads {
    Payloads { payloads: vec![Payload { data: value.to_string().into_bytes(), ..Payload::default() }] }
}

/// A history, event by event, one per second.
#[derive(Default)]
struct Told {
    events: Vec<HistoryEvent>,
    began_s: i64,
}

impl Told {
    fn start(began_s: i64, continues: &str, carried: Option<&Customer>) -> Self {
        let mut argument = json!({"tenant_id": "t", "entity_id": "A"});
        if let Some(carried) = carried {
            argument["carried"] = json!(carried);
        }
        Self { events: Vec::new(), began_s }.and(Attributes::WorkflowExecutionStartedEventAttributes(
            WorkflowExecutionStartedEventAttributes {
                input: Some(payloads(&argument)),
                continued_execution_run_id: continues.to_owned(),
                ..Default::default()
            },
        ))
    }

    fn and(mut self, attributes: Attributes) -> Self {
        let count = i64::try_from(self.events.len()).unwrap();
        let time = prost_wkt_types::Timestamp { seconds: self.began_s + count, nanos: 0 };
        self.events.push(HistoryEvent {
            event_id: count + 1,
            event_time: Some(time),
            attributes: Some(attributes),
            ..Default::default()
        });
        self
    }

    fn signal(self, name: &str, value: &Value) -> Self {
        self.and(Attributes::WorkflowExecutionSignaledEventAttributes(WorkflowExecutionSignaledEventAttributes {
            signal_name: name.to_owned(),
            input: Some(payloads(value)),
            ..Default::default()
        }))
    }

    /// A workflow task that processes everything that is there.
    fn task(self) -> Self {
        let began =
            self.and(Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes::default()));
        let started_event_id = began.events.last().unwrap().event_id;
        let attributes = WorkflowTaskCompletedEventAttributes { started_event_id, ..Default::default() };
        began.and(Attributes::WorkflowTaskCompletedEventAttributes(attributes))
    }

    fn terminated(self, run_id: &str) -> RecordedRun {
        let attributes =
            WorkflowExecutionTerminatedEventAttributes { reason: "by mistake".to_owned(), ..Default::default() };
        self.and(Attributes::WorkflowExecutionTerminatedEventAttributes(attributes)).open(run_id)
    }

    fn open(self, run_id: &str) -> RecordedRun {
        RecordedRun::read(run_id, &self.events).unwrap()
    }
}

fn ids(open: &OpenEvents) -> Vec<&str> {
    open.events.iter().map(|event| &*event.event_id).collect()
}

#[test]
fn what_waited_for_its_plan_is_open_too() {
    let run = Told::start(100, "", None).signal("submit", &event("1")).task().signal("submit", &event("2"));
    assert_eq!(ids(&open_in(&me(), &[run.terminated("first")])), ["1", "2"]);
}

#[test]
fn an_event_that_a_later_run_was_told_again_is_left_out() {
    let dead =
        Told::start(100, "", None).signal("submit", &event("1")).signal("submit", &event("2")).terminated("dead");
    let living = Told::start(200, "", None).signal("submit", &event("2")).open("living");
    let open = open_in(&me(), &[dead, living]);
    assert_eq!((ids(&open), open.told_again), (vec!["1"], 1));
}

#[test]
fn an_event_that_was_told_again_to_a_run_that_died_as_well_is_brought_back_once() {
    let first = Told::start(100, "", None).signal("submit", &event("1")).terminated("first");
    let second = Told::start(200, "", None).signal("submit", &event("1")).terminated("second");
    let open = open_in(&me(), &[first, second]);
    assert_eq!((ids(&open), open.told_again), (vec!["1"], 0));
    assert_eq!(open.events[0].run_id, "second");
}

#[test]
fn an_event_is_found_in_the_state_that_was_carried_or_in_an_earlier_run_or_its_order_is_lost() {
    let mut customer = Customer::new(me(), Incarnation(100_000));
    for id in ["1", "2"] {
        let event = Event::from_value(&event(id), usize::MAX);
        customer.step(Timestamp(100_000), Input::Submitted(event));
    }
    let dead = || Told::start(200, "before", Some(&customer)).terminated("dead");
    // Both wait for their plans, and so are completely in the state.
    assert_eq!(ids(&open_in(&me(), &[dead()])), ["1", "2"]);

    let (_, recorded) = in_the_middle();
    let last = recorded.last().unwrap();
    let customer = replay(&in_the_middle().0, last).customer;
    let died_again = |runs: &[RecordedRun]| {
        let me = customer.me().clone();
        let argument = json!({"tenant_id": me.tenant, "entity_id": me.customer, "carried": customer});
        let started = WorkflowExecutionStartedEventAttributes {
            input: Some(payloads(&argument)),
            continued_execution_run_id: last.run_id.clone(),
            ..Default::default()
        };
        let told = Told { events: Vec::new(), began_s: last.ended_at.0 / 1_000 + 1 };
        let dead = told.and(Attributes::WorkflowExecutionStartedEventAttributes(started)).terminated("dead");
        open_events(&me, &[runs, &[dead]].concat(), &["dead".to_owned()].into())
    };
    let (without, with) = (died_again(&[]), died_again(&recorded));
    assert_eq!((without.events.len(), without.lost.len()), (0, 4));
    assert_eq!((with.events.len(), with.lost.len()), (4, 0));
    assert_eq!(without.lost[0].order_id, with.events[0].order_id);
}

#[test]
fn a_large_state_that_was_carried_in_a_payload_of_its_own_is_read() {
    let mut customer = Customer::new(me(), Incarnation(100_000));
    for id in 0..200 {
        let mut event = event(&id.to_string());
        event["data"] = json!({"filler": "x".repeat(1_000)});
        customer.step(Timestamp(100_000), Input::Submitted(Event::from_value(&event, usize::MAX)));
    }
    let start = StartArgument { tenant_id: "t".to_owned(), entity_id: "A".to_owned() };
    let argument = interlock_workflows::carry(&start, &QueueMove::default(), &customer).unwrap();
    assert_eq!(argument.payloads.len(), 2, "else it is not large");
    let mut told = Told::start(200, "before", Some(&customer));
    let started = WorkflowExecutionStartedEventAttributes {
        input: Some(Payloads { payloads: argument.payloads }),
        continued_execution_run_id: "before".to_owned(),
        ..Default::default()
    };
    told.events[0].attributes = Some(Attributes::WorkflowExecutionStartedEventAttributes(started));
    assert_eq!(open_in(&me(), &[told.terminated("dead")]).events.len(), 200);
}

#[test]
fn what_a_run_received_that_no_worker_executed_is_open_whatever_its_start_argument() {
    let mut told = Told::start(100, "", None);
    let started =
        WorkflowExecutionStartedEventAttributes { input: Some(payloads(&json!(["B"]))), ..Default::default() };
    told.events[0].attributes = Some(Attributes::WorkflowExecutionStartedEventAttributes(started));
    let run = told.signal("submit", &event("1")).terminated("dead");
    assert_eq!(ids(&open_in(&me(), &[run])), ["1"]);
}

#[test]
fn a_run_counts_as_executed_only_if_workers_took_its_events_in() {
    let run = |workflow_type: &str| {
        let mut told = Told::start(100, "", None);
        let started = WorkflowExecutionStartedEventAttributes {
            workflow_type: Some(WorkflowType { name: workflow_type.to_owned() }),
            ..Default::default()
        };
        told.events[0].attributes = Some(Attributes::WorkflowExecutionStartedEventAttributes(started));
        told.signal("submit", &event("1"))
    };
    assert!(run("CustomerEntity").task().open("run").was_executed_as("CustomerEntity"));
    assert!(!run("CustomerEntity").open("run").was_executed_as("CustomerEntity"));
    assert!(!run("ResourceEntity").task().open("run").was_executed_as("CustomerEntity"));
}

#[test]
fn where_the_history_went_another_way_than_the_machine_it_is_said_and_nothing_counts_as_over() {
    let (me, mut runs) = in_the_middle();
    runs.truncate(1);
    runs[0].end = RunEnd::Dead { how: "terminated", reason: String::new() };
    let sure = open_in(&me, &runs);
    assert_eq!(sure.doubts, [""; 0]);
    // As if another version had planned the events differently.
    for task in &mut runs[0].tasks {
        task.locals.clear();
    }
    let doubtful = open_in(&me, &runs);
    let submitted = runs[0].submitted().count();
    assert!(sure.events.len() < submitted, "some were over");
    assert_eq!((doubtful.events.len(), doubtful.doubts.len()), (submitted, 1));
}

#[test]
fn a_rejected_event_is_over() {
    let mut stranger = event("1");
    stranger["subject"] = "B".into();
    let run = Told::start(100, "", None).signal("submit", &stranger).task();
    assert_eq!(ids(&open_in(&me(), &[run.terminated("dead")])), [""; 0]);
}

#[test]
fn a_half_that_was_passed_on_is_submitted_as_such() {
    let mut half = event("1");
    half["interlockrole"] = "to".into();
    let open = open_in(&me(), &[Told::start(100, "", None).signal("submit", &half).terminated("dead")]);
    assert_eq!(open.events[0].event["interlockrole"], "to");
    assert_ne!(open.events[0].order_id, order("1"));
}

#[test]
fn an_entity_that_was_started_as_somebody_else_had_rejected_all() {
    let mut told = Told::start(100, "", None);
    let started = WorkflowExecutionStartedEventAttributes {
        input: Some(payloads(&json!({"tenant_id": "t", "entity_id": "B"}))),
        ..Default::default()
    };
    told.events[0].attributes = Some(Attributes::WorkflowExecutionStartedEventAttributes(started));
    let run = told.signal("submit", &event("1")).task().terminated("dead");
    assert_eq!(ids(&open_in(&me(), &[run])), [""; 0]);
}

#[test]
fn a_history_that_cannot_be_gone_by_is_an_error_and_no_panic() {
    assert_eq!(RecordedRun::read("run", &[]).unwrap_err(), UnreadableHistory::NoStart);
    let mut told = Told::start(100, "before", None);
    assert!(matches!(RecordedRun::read("run", &told.events).unwrap_err(), UnreadableHistory::Carried(_)));
    told.events[0].attributes = None;
    assert_eq!(RecordedRun::read("run", &told.events).unwrap_err(), UnreadableHistory::NoStart);
}

/// A run of this build in which a separate activity planned an event and answered with this receipt.
fn planned_by_an_activity(receipt: &str) -> RecordedRun {
    let request = json!({"receipt": "request 1 of the run", "input": {}});
    let rejected =
        json!({"admitted": "rejected", "rejection": {"code": "unknown_event_type", "detail": "No such type."}});
    let answer = json!({"receipt": receipt, "output": {"admitted": [rejected], "limits": {}}});
    let begun = Told::start(100, "", None).signal("submit", &event("1")).task();
    let patched = begun.and(Attributes::MarkerRecordedEventAttributes(MarkerRecordedEventAttributes {
        marker_name: "core_patch".to_owned(),
        ..Default::default()
    }));
    let scheduled_event_id = i64::try_from(patched.events.len()).unwrap() + 1;
    let scheduled =
        patched.and(Attributes::ActivityTaskScheduledEventAttributes(ActivityTaskScheduledEventAttributes {
            activity_type: Some(ActivityType { name: "admit_recorded".to_owned() }),
            input: Some(payloads(&request)),
            ..Default::default()
        }));
    let attributes = ActivityTaskCompletedEventAttributes {
        scheduled_event_id,
        result: Some(payloads(&answer)),
        ..Default::default()
    };
    scheduled.and(Attributes::ActivityTaskCompletedEventAttributes(attributes)).task().terminated("dead")
}

#[test]
fn what_an_activity_planned_is_known_unless_a_person_answered_for_it() {
    assert_eq!(ids(&open_in(&me(), &[planned_by_an_activity("request 1 of the run")])), [""; 0]);
    assert_eq!(ids(&open_in(&me(), &[planned_by_an_activity("done by hand")])), ["1"]);
}

#[test]
fn what_is_brought_back_keeps_its_stamp_or_gets_the_time_at_which_it_arrived() {
    let mut stamped = event("1");
    stamped["acceptedat"] = "1970-01-01T00:01:39.500Z".into();
    let mut timed = event("2");
    timed["time"] = "1970-01-01T00:01:00Z".into();
    for taken in [true, false] {
        let told = Told::start(100, "", None).signal("submit", &stamped).signal("submit", &timed);
        let told = told.signal("submit", &event("3"));
        let run = if taken { told.task() } else { told };
        let open = open_in(&me(), &[run.terminated("dead")]);
        let written: std::collections::BTreeMap<&str, Event> = open
            .events
            .iter()
            .map(|found| (&*found.event_id, Event::from_value(&found.event, usize::MAX).unwrap()))
            .collect();
        assert_eq!(written["1"].accepted_at, Some(Timestamp(99_500)), "taken in: {taken}");
        for id in ["2", "3"] {
            assert!(written[id].accepted_at.is_some_and(|at| at >= Timestamp(100_000)), "{id}, taken in: {taken}");
        }
        assert_eq!(written["2"].time, Some(Timestamp(60_000)));
    }
}
