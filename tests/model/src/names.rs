//! Resources and targets of a world, by their short names.

use interlock_domain::ids::{ResourceId, TargetId};

/// A resource by its short name: a number, or a name with its kind (`sim/A-2`).
///
/// # Panics
/// If the name is not valid as an id.
pub fn resource(name: &str) -> ResourceId {
    let id = if name.contains('/') { name.to_owned() } else { format!("n/{name}") };
    id.parse().expect("a short name")
}

/// A target by its name.
///
/// # Panics
/// If the name is not valid as an id.
pub fn target(name: &str) -> TargetId {
    name.parse().expect("a short name")
}
