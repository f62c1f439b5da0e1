//! Worlds in which Interlock's real machines run: an exhaustive explorer, and a seeded simulator.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod broken;
pub mod budget;
pub mod deed;
pub mod explorer;
pub mod fingerprint;
pub mod scenario;
pub mod sighting;
pub mod simulator;
pub mod target;
pub mod trace;
pub mod violation;
pub mod world;
pub mod worlds;
