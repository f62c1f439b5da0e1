//! What the fuzz targets of `tests/fuzz` do with their input, as plain functions: each takes any bytes, and panics only if a promise about
//! them is broken. `tests/corpus.rs` runs them over their corpus and over deterministic changes of it, in every test run; cargo-fuzz runs
//! them for as long as there is time (see CONTRIBUTING.md).
//!
//! | target | input | what must hold, besides "no panic" |
//! | --- | --- | --- |
//! | [`adapter_files`] | an adapter file | each fault has a place and a code; a valid file makes requests and outcomes of bounded size |
//! | [`answers`] | a call to a target, and the target's answers, a line each | a bounded outcome without credentials; nothing is done that no answer confirmed |
//! | [`bodies`] | a call to the gateway: a line, headers, a body | a problem has a status and a code; what is accepted is accepted again after it was written |
//! | [`catalogs`] | a catalog; after a line `#---`, an event | each fault has a place and a code; plans are sound |
//! | [`events`] | an event | it ends once; it reads the same after it was written or stamped; a rejected or repeated one changes nothing |
//! | [`ids`] | texts, a line each | an id reads the same after it was written, within its limits |
//! | [`messages`] | a workflow id, then what reaches the entity, a line each | the state reads the same after it was written; epochs grow; texts are bounded |
//! | [`states`] | the same, after a line `carried STATE` | the same, but for what a state that no entity wrote cannot promise |
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adapter_files;
mod answers;
mod bodies;
mod catalogs;
mod customer_life;
mod entity;
mod events;
mod explained;
mod ids;
mod messages;
mod plans;
mod target_stub;

pub use adapter_files::adapter_files;
pub use answers::answers;
pub use bodies::bodies;
pub use catalogs::catalogs;
pub use events::events;
pub use ids::ids;
pub use messages::{messages, states};

/// A target: its name, and what it does with an input.
pub type FuzzTarget = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const TARGETS: [FuzzTarget; 8] = [
    ("adapter_files", adapter_files),
    ("answers", answers),
    ("bodies", bodies),
    ("catalogs", catalogs),
    ("events", events),
    ("ids", ids),
    ("messages", messages),
    ("states", states),
];
