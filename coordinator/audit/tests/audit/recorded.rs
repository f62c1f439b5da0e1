//! The recorded histories of `tests/histories`, and copies of them with other names, times and contents.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use interlock_audit::{Audit, Options, Promise, Verdict};
use interlock_domain::ids::OrderId;
use prost::Message as _;
use serde_json::Value;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    History, HistoryEvent, WorkflowTaskTimedOutEventAttributes,
};

/// The folder of all releases.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/histories")
}

/// A history of 0.1.0.
pub fn named(name: &str) -> History {
    let file = std::fs::File::open(folder().join("0.1.0").join(format!("{name}.json.gz"))).unwrap();
    let mut json = Vec::new();
    GzDecoder::new(file).read_to_end(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// One hand-over: A1, who gives the number, A2, who gets it, and the number.
#[derive(Debug, Clone)]
pub struct HandOver {
    pub giving: History,
    pub receiving: History,
    pub number: History,
}

/// The customers and the number of the recorded hand-over.
pub const GIVING: &str = "A1-2";
pub const RECEIVING: &str = "A2-4";
pub const NUMBER: &str = "12060000006";
/// The events of the recorded hand-over: who sent which event.
const EVENTS: [(&str, &str); 3] = [
    (GIVING, "a7bce8d9-175d-44fc-807c-36865b235042"),
    (GIVING, "b477f72a-2a9d-4b2e-99a3-fc458f09b19c"),
    (RECEIVING, "1af89a02-dd43-4a47-bf9f-df67729e6e4c"),
];

impl HandOver {
    /// As it was recorded.
    pub fn recorded() -> Self {
        Self {
            giving: named("handed-over.giving"),
            receiving: named("handed-over.receiving"),
            number: named("handed-over.number"),
        }
    }

    /// The same between other customers, of another number.
    pub fn other(&self, index: usize) -> Self {
        let (giving, receiving) = (format!("G{index:03X}"), format!("R{index:03X}"));
        assert!(giving.len() == GIVING.len() && receiving.len() == RECEIVING.len(), "{index} is too much");
        let number = format!("1207{index:07}");
        let order = |customer: &str, event: &str| {
            let id = OrderId::derive(&"tenant-1".parse().unwrap(), &customer.parse().unwrap(), "/tests", event, None);
            id.as_str().to_owned()
        };
        let renamed = |customer: &str| if customer == GIVING { giving.clone() } else { receiving.clone() };
        let mut names: Vec<(String, String)> =
            EVENTS.iter().map(|(customer, event)| (order(customer, event), order(&renamed(customer), event))).collect();
        names.push((GIVING.to_owned(), giving.clone()));
        names.push((RECEIVING.to_owned(), receiving.clone()));
        names.push((NUMBER.to_owned(), number));
        let copied = |history: &History, who: usize| {
            let mut names = names.clone();
            names.push((run_id(history), format!("00000000-0000-4000-8000-{:012}", index * 3 + who)));
            replaced(history, &names)
        };
        Self { giving: copied(&self.giving, 0), receiving: copied(&self.receiving, 1), number: copied(&self.number, 2) }
    }

    pub fn all(self) -> [History; 3] {
        [self.giving, self.receiving, self.number]
    }
}

/// The run of a history.
pub fn run_id(history: &History) -> String {
    match history.events[0].attributes.as_ref().unwrap() {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => started.original_execution_run_id.clone(),
        other => panic!("{other:?}"),
    }
}

/// A copy with other names of the same lengths.
fn replaced(history: &History, names: &[(String, String)]) -> History {
    let mut bytes = history.encode_to_vec();
    for (old, new) in names {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        assert_eq!(old.len(), new.len());
        let mut at = 0;
        while at + old.len() <= bytes.len() {
            if bytes[at] == old[0] && &bytes[at..at + old.len()] == old {
                bytes[at..at + old.len()].copy_from_slice(new);
                at += old.len();
            } else {
                at += 1;
            }
        }
    }
    History::decode(bytes.as_slice()).unwrap()
}

/// A history without what came after this event.
pub fn cut(mut history: History, last: i64) -> History {
    history.events.retain(|event| event.event_id <= last);
    history
}

/// One event of a history.
pub fn event(history: &mut History, id: i64) -> &mut HistoryEvent {
    history.events.iter_mut().find(|event| event.event_id == id).unwrap()
}

/// Moves events in time: those from `first` on, by this many milliseconds.
pub fn moved(mut history: History, first: i64, ms: i64) -> History {
    for event in history.events.iter_mut().filter(|event| event.event_id >= first) {
        let time = event.event_time.as_mut().unwrap();
        let nanos = time.seconds * 1_000_000_000 + i64::from(time.nanos) + ms * 1_000_000;
        (time.seconds, time.nanos) = (nanos / 1_000_000_000, i32::try_from(nanos % 1_000_000_000).unwrap());
    }
    history
}

/// As if the workflow task that this event schedules had been lost once: it is scheduled, starts and times out, and `ms` later it is
/// scheduled once more. All that follows is as much later.
pub fn lost_once(history: History, scheduled: i64, ms: i64) -> History {
    let task = |event: &&HistoryEvent| (scheduled..scheduled + 2).contains(&event.event_id);
    let lost: Vec<HistoryEvent> = history.events.iter().filter(task).cloned().collect();
    let mut json = serde_json::to_value(moved(history, scheduled, ms)).unwrap();
    renumber(&mut json, scheduled, 3);
    let mut history: History = serde_json::from_value(json).unwrap();
    let mut timed_out = lost[1].clone();
    timed_out.event_id = scheduled + 2;
    timed_out.set_event_type(EventType::WorkflowTaskTimedOut);
    timed_out.attributes = Some(Attributes::WorkflowTaskTimedOutEventAttributes(WorkflowTaskTimedOutEventAttributes {
        scheduled_event_id: scheduled,
        started_event_id: scheduled + 1,
        ..WorkflowTaskTimedOutEventAttributes::default()
    }));
    let place = history.events.iter().position(|event| event.event_id > scheduled).unwrap();
    history.events.splice(place..place, lost.into_iter().chain([timed_out]));
    history
}

/// Adds `by` to the ids of events from `first` on, and to whatever names them.
fn renumber(json: &mut Value, first: i64, by: i64) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64().filter(|id| name.ends_with("event_id") && *id >= first) {
                    Some(id) => *value = (id + by).into(),
                    None => renumber(value, first, by),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| renumber(value, first, by)),
        _ => {}
    }
}

/// Changes the JSON of an event: the input of a signal or of an activity, or the result of one.
pub fn edited(mut history: History, id: i64, change: impl FnOnce(&mut Value)) -> History {
    let payloads = match event(&mut history, id).attributes.as_mut().unwrap() {
        Attributes::WorkflowExecutionSignaledEventAttributes(signal) => &mut signal.input,
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => &mut scheduled.input,
        Attributes::ActivityTaskCompletedEventAttributes(completed) => &mut completed.result,
        other => panic!("{other:?}"),
    };
    let payload = &mut payloads.as_mut().unwrap().payloads[0];
    let mut json: Value = serde_json::from_slice(&payload.data).unwrap();
    change(&mut json);
    payload.data = serde_json::to_vec(&json).unwrap();
    history
}

/// Payloads with one JSON value.
pub fn payloads(json: &Value) -> Payloads {
    let mut payload = Payload { data: serde_json::to_vec(json).unwrap(), ..Payload::default() };
    payload.metadata.insert("encoding".to_owned(), b"json/plain".to_vec());
    Payloads { payloads: vec![payload] }
}

/// The verdict about these histories.
pub async fn judged(histories: impl IntoIterator<Item = History>, options: Options) -> Verdict {
    let mut audit = Audit::new(options).unwrap();
    for history in histories {
        audit.add_history(history.events).await.unwrap();
    }
    audit.verdict()
}

/// The promises that a verdict says are broken.
pub fn broken(verdict: &Verdict) -> Vec<Promise> {
    verdict.promises.iter().filter(|promise| promise.violations > 0).map(|promise| promise.promise).collect()
}

/// The violations in words, for messages of tests.
pub fn words(verdict: &Verdict) -> String {
    verdict.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
