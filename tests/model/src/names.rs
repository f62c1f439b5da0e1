//! Resources and targets of a world, by their short names.

use interlock_domain::ids::{ResourceId, TargetId};

/// A resource by its short name: a number, or with its kind before it (`sim/A-2`).
///
/// # Panics
/// Where the name is none that an id can have.
pub fn resource(name: &str) -> ResourceId {
    let id = if name.contains('/') { name.to_owned() } else { format!("n/{name}") };
    id.parse().expect("a short name")
}

/// A target by its name.
///
/// # Panics
/// Where the name is none that an id can have.
pub fn target(name: &str) -> TargetId {
    name.parse().expect("a short name")
}
