//! Worlds in which Interlock's real machines run: an exhaustive explorer, and a seeded simulator.
//!
//! A [`scenario`] says who has what, which events come (each a [`deed`]) and what may go wrong ([`faults`]). A [`world`] is
//! the machines of that scenario's customers and resources, unchanged, with [`target`]s that behave as an HSS does, and
//! everything that is on its way between them. It says what may happen next and lets it happen; the [`explorer`] tries
//! every order of it, the [`simulator`] random ones. Checks ask what really happened, not the machines: what was sent,
//! what landed, what is registered; a red one is a [`violation`], and the [`trace`] that led to it is made short and put
//! into words. [`sighting`]s prove that a model is not empty, and [`broken`] rules prove that its checks see.
//!
//! ```text
//! cargo test -p interlock-model                                     every build
//! INTERLOCK_MODEL_STATES=100000 INTERLOCK_MODEL_RUNS=500000 cargo test -p interlock-model     a long night
//! INTERLOCK_SEED=… cargo test -p interlock-model --test simulator    one run again
//! cargo run -p interlock-model --example explore 50000 chain         one world, with its numbers
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod broken;
pub mod budget;
pub mod deed;
mod edited;
pub mod explorer;
pub mod faults;
pub mod fingerprint;
pub mod names;
pub mod scenario;
pub mod sighting;
pub mod simulator;
pub mod target;
pub mod trace;
pub mod violation;
pub mod world;
pub mod worlds;
