//! What an entity is started with: by a producer, in any language, or by its own run before.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use temporalio_common::data_converters::RawValue;

use crate::raw_json;

/// The start argument of an entity: one JSON object. Fields that are not known are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartArgument {
    /// The tenant; for a resource its realm.
    pub tenant_id: String,
    /// The customer's id; for a resource `KIND/ID`.
    pub entity_id: String,
}

/// What a run hands to the next one: the start argument with the whole machine beside it.
#[derive(Serialize)]
struct Carried<'a, M> {
    #[serde(flatten)]
    start: &'a StartArgument,
    carried: &'a M,
}

impl StartArgument {
    /// Reads what a producer started the entity with; none where it is no such object.
    pub(crate) fn read(argument: &RawValue) -> Option<Self> {
        raw_json::read(argument).ok()
    }

    /// What it says, for a person.
    pub(crate) fn claimed(argument: &RawValue) -> String {
        /// The most of a strange argument that is worth keeping, in characters.
        const SHOWN_MAX: usize = 200;
        match Self::read(argument) {
            Some(start) => format!("{}/{}", start.tenant_id, start.entity_id),
            None => String::from_utf8_lossy(raw_json::bytes(argument)).chars().take(SHOWN_MAX).collect(),
        }
    }
}

/// The argument for the next run.
///
/// # Errors
/// Where the machine cannot be written as JSON.
pub(crate) fn carry<M: Serialize>(start: &StartArgument, machine: &M) -> Result<RawValue, serde_json::Error> {
    raw_json::write(&Carried { start, carried: machine })
}

/// The machine that the run before handed over.
///
/// # Errors
/// Where this version of the code cannot read it: nothing may go on then, since leases would be lost.
pub(crate) fn carried<M: DeserializeOwned>(argument: &RawValue) -> Result<M, serde_json::Error> {
    #[derive(Deserialize)]
    struct Read<M> {
        carried: M,
    }
    raw_json::read::<Read<M>>(argument).map(|read| read.carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producers_argument_needs_two_fields_and_may_have_more() {
        let argument = raw_json::write(&serde_json::json!({"tenant_id": "t", "entity_id": "c", "x": 1})).unwrap();
        let start = StartArgument::read(&argument).unwrap();
        assert_eq!((start.tenant_id.as_str(), start.entity_id.as_str()), ("t", "c"));
    }

    #[test]
    fn what_is_carried_arrives() {
        let start = StartArgument { tenant_id: "t".to_owned(), entity_id: "c".to_owned() };
        let argument = carry(&start, &vec![1, 2, 3]).unwrap();
        assert_eq!(carried::<Vec<u8>>(&argument).unwrap(), [1, 2, 3]);
        assert_eq!(StartArgument::read(&argument), Some(start));
    }

    #[test]
    fn a_strange_argument_is_shown_in_part() {
        let strange = raw_json::write(&"x".repeat(1_000)).unwrap();
        assert_eq!(StartArgument::read(&strange), None);
        assert_eq!(StartArgument::claimed(&strange).len(), 200);
    }
}
