//! The start argument of an entity, from a producer in any language or from its own previous run.
//!
//! A large machine is compressed, in a payload of its own after the start argument. Entities at their limits would otherwise exceed the
//! size limit of a payload, and their state is repetitive.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::Payload;

use interlock_domain::routing::QueueMove;

use crate::raw_json;

/// The largest machine that is not compressed, in bytes of JSON. Up to this size people can read it in Temporal's UI.
const PLAIN_BYTES_MAX: usize = 128 * 1024;
/// The largest machine that is read, in bytes of JSON: many times what the limits allow.
const INFLATED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The start argument of an entity: one JSON object. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartArgument {
    /// The tenant; for a resource its realm.
    pub tenant_id: String,
    /// The customer's id; for a resource `KIND/ID`.
    pub entity_id: String,
}

/// The start argument of a later run. It also has what the entity was told about its task queue.
#[derive(Serialize)]
struct StartOfRun<'a, S> {
    #[serde(flatten)]
    start: &'a S,
    #[serde(skip_serializing_if = "QueueMove::is_unknown")]
    #[serde(rename = "residence")]
    queue_move: QueueMove,
}

/// What a run passes to the next one: the start argument with the whole machine.
#[derive(Serialize)]
struct Carried<'a, S, M> {
    #[serde(flatten)]
    start_of_run: &'a StartOfRun<'a, S>,
    carried: &'a M,
}

impl StartArgument {
    /// Parses a producer's start argument. `None` if it is not such an object.
    pub(crate) fn read(argument: &RawValue) -> Option<Self> {
        raw_json::read(argument).ok()
    }

    /// The argument's content, for a person.
    pub(crate) fn claimed(argument: &RawValue) -> String {
        /// The most of an invalid argument that is kept, in characters.
        const SHOWN_MAX: usize = 200;
        match Self::read(argument) {
            Some(start) => format!("{}/{}", start.tenant_id, start.entity_id),
            None => String::from_utf8_lossy(raw_json::bytes(argument)).chars().take(SHOWN_MAX).collect(),
        }
    }
}

/// Whether the starter of the entity found that an earlier life of it was terminated.
pub(crate) fn had_earlier_life(argument: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Recreated {
        #[serde(default)]
        earlier_life: bool,
    }
    raw_json::read::<Recreated>(argument).is_ok_and(|recreated| recreated.earlier_life)
}

/// What the entity was told about the task queue that it must be on. Empty if this is its first run, or if the previous build did not
/// know about moves.
pub(crate) fn queue_move(argument: &RawValue) -> QueueMove {
    #[derive(Deserialize)]
    struct Moving {
        #[serde(default, rename = "residence")]
        queue_move: QueueMove,
    }
    raw_json::read::<Moving>(argument).map(|moving| moving.queue_move).unwrap_or_default()
}

/// The argument for the next run.
///
/// # Errors
/// If the machine cannot be written as JSON.
pub fn carry<S: Serialize, M: Serialize>(
    start: &S,
    queue_move: &QueueMove,
    machine: &M,
) -> Result<RawValue, serde_json::Error> {
    let start_of_run = StartOfRun { start, queue_move: queue_move.of_next_run() };
    let json = serde_json::to_vec(machine)?;
    if json.len() <= PLAIN_BYTES_MAX {
        return raw_json::write(&Carried { start_of_run: &start_of_run, carried: machine });
    }
    // Written in one piece, since the entity can do nothing else meanwhile.
    let mut deflated = ZlibEncoder::new(Vec::with_capacity(json.len() / 8), Compression::fast());
    let data = deflated.write_all(&json).and_then(|()| deflated.finish()).map_err(serde_json::Error::io)?;
    let mut machine = Payload { data, ..Payload::default() };
    machine.metadata.insert("encoding".to_owned(), b"binary/plain".to_vec());
    machine.metadata.insert("compression".to_owned(), b"zlib".to_vec());
    let mut argument = raw_json::write(&start_of_run)?;
    argument.payloads.push(machine);
    Ok(argument)
}

/// The machine of a run: the one that the previous run passed on, or a new one. If this version of the code cannot read the former,
/// also the reason: the run must then not continue, since leases would be lost.
pub(crate) fn machine<M: DeserializeOwned>(
    continued: bool,
    argument: &RawValue,
    blank: impl FnOnce() -> M,
) -> (M, Option<String>) {
    if !continued {
        return (blank(), None);
    }
    match carried(argument) {
        Ok(machine) => (machine, None),
        Err(fault) => (blank(), Some(unread(&fault))),
    }
}

/// The machine that a run got from the one before, in a payload of its own or within the start argument.
///
/// # Errors
/// If there is none, or if it is not such a machine.
pub fn carried<M: DeserializeOwned>(argument: &RawValue) -> Result<M, serde_json::Error> {
    #[derive(Deserialize)]
    struct Read<M> {
        carried: M,
    }
    let Some(deflated) = argument.payloads.get(1) else {
        return raw_json::read::<Read<M>>(argument).map(|read| read.carried);
    };
    let mut machine = Vec::new();
    ZlibDecoder::new(deflated.data.as_slice())
        .take(INFLATED_BYTES_MAX)
        .read_to_end(&mut machine)
        .map_err(serde_json::Error::io)?;
    serde_json::from_slice(&machine)
}

/// Why a state cannot be read, without any of its content: the failure of a workflow task is not encrypted.
fn unread(fault: &serde_json::Error) -> String {
    let (line, column) = (fault.line(), fault.column());
    format!("the state of the previous run cannot be read: {:?} error at line {line} column {column}", fault.classify())
}

#[cfg(test)]
mod tests {
    use interlock_domain::routing::QueueAssignment;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_producers_argument_needs_two_fields_and_may_have_more() {
        let argument = raw_json::write(&json!({"tenant_id": "t", "entity_id": "c", "x": 1})).unwrap();
        let start = StartArgument::read(&argument).unwrap();
        assert_eq!((start.tenant_id.as_str(), start.entity_id.as_str()), ("t", "c"));
    }

    #[test]
    fn a_carried_machine_arrives() {
        let start = StartArgument { tenant_id: "t".to_owned(), entity_id: "c".to_owned() };
        let argument = carry(&start, &QueueMove::default(), &vec![1, 2, 3]).unwrap();
        assert_eq!(carried::<Vec<u8>>(&argument).unwrap(), [1, 2, 3]);
        assert_eq!(StartArgument::read(&argument), Some(start));
    }

    #[test]
    fn a_large_machine_is_compressed_after_the_start_argument_and_arrives() {
        let start = StartArgument { tenant_id: "t".to_owned(), entity_id: "c".to_owned() };
        let machine: Vec<String> = (0..100_000).map(|number| format!("order {number}")).collect();
        let argument = carry(&start, &QueueMove::default(), &machine).unwrap();
        let bytes: usize = argument.payloads.iter().map(|payload| payload.data.len()).sum();
        assert!(bytes < 1_000_000, "{bytes} bytes");
        assert_eq!(StartArgument::read(&argument), Some(start));
        assert_eq!(carried::<Vec<String>>(&argument).unwrap(), machine);
    }

    #[test]
    fn the_queue_of_an_entity_is_carried_with_its_machine_small_or_large() {
        let start = StartArgument { tenant_id: "t".to_owned(), entity_id: "c".to_owned() };
        let mut queue_move = QueueMove::default();
        queue_move.ask_to_move(QueueAssignment { generation: 2, task_queue: "q".to_owned() });
        for machine in ["x".to_owned(), "x".repeat(PLAIN_BYTES_MAX)] {
            let argument = carry(&start, &queue_move, &machine).unwrap();
            assert_eq!(super::queue_move(&argument), queue_move.of_next_run());
            assert_eq!(carried::<String>(&argument).unwrap(), machine);
            let unknown = carry(&start, &QueueMove::default(), &machine).unwrap();
            let text = String::from_utf8_lossy(raw_json::bytes(&unknown)).into_owned();
            assert!(!text.contains("residence"), "{text}");
        }
        let first = raw_json::write(&start).unwrap();
        assert!(super::queue_move(&first).is_unknown());
    }

    #[test]
    fn a_machine_that_was_cut_off_is_an_error() {
        let mut argument = carry(&json!({}), &QueueMove::default(), &"x".repeat(PLAIN_BYTES_MAX)).unwrap();
        let half = argument.payloads[1].data.len() / 2;
        argument.payloads[1].data.truncate(half);
        assert!(carried::<String>(&argument).is_err());
    }

    #[test]
    fn the_reason_why_a_state_cannot_be_read_does_not_contain_the_state() {
        let argument = raw_json::write(&serde_json::json!({"carried": "12065551234"})).unwrap();
        let fault = carried::<Vec<u8>>(&argument).unwrap_err();
        assert!(fault.to_string().contains("12065551234"), "else there is nothing to leave out");
        assert_eq!(unread(&fault), "the state of the previous run cannot be read: Data error at line 1 column 24");
    }

    #[test]
    fn an_invalid_argument_is_shown_in_part() {
        let strange = raw_json::write(&"x".repeat(1_000)).unwrap();
        assert_eq!(StartArgument::read(&strange), None);
        assert_eq!(StartArgument::claimed(&strange).len(), 200);
    }
}
