//! Worlds that run Interlock's real machines: an exhaustive explorer, and a seeded simulator.
//!
//! A [`scenario`] defines who has what, which events come (each a [`deed`]) and what may go wrong ([`faults`]). A [`world`] contains
//! the unchanged machines of that scenario's customers and resources, [`target`]s that behave like an HSS, and everything in flight
//! between them. It lists what may happen next and performs it; the [`explorer`] tries every order, the [`simulator`] random ones. The
//! checks do not ask the machines but look at what really happened: what was sent, what took effect, what is registered. A red check is
//! a [`violation`]; the [`trace`] that led to it is shortened and described in words. [`sighting`]s prove that a model is not empty,
//! and [`broken`] rules prove that its checks detect something.
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
