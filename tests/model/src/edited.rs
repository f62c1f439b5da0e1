//! States edited from outside, as no machine would change its own. Their fields are private: what is edited is the form in which
//! they travel through continue-as-new.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Edits a machine's state in its JSON form.
///
/// # Panics
/// Where the state has no JSON form, or is none any more: the fault of whoever wrote `change`.
pub(crate) fn edit<M: Serialize + DeserializeOwned>(machine: &mut M, change: impl FnOnce(&mut Value)) {
    let mut state = serde_json::to_value(&*machine).expect("every state has a JSON form");
    change(&mut state);
    *machine = serde_json::from_value(state).expect("an edited state is a state");
}

/// Sets a field of each entry of a map of the state, which has it already or takes it.
pub(crate) fn edit_each(entries: &mut Value, field: &str, value: &Value) {
    for entry in entries.as_object_mut().into_iter().flat_map(|entries| entries.values_mut()) {
        entry[field] = value.clone();
    }
}
