//! Replays recorded histories through the unchanged workflows: what the machines did in production, they do here again.
//!
//! [`Replayer`] runs the SDK's own replayer and shows each machine to a [`Watch`]; the audit and the recovery of customers use it.
//! [`settle`] leaves out of a history what no workflow task has given to the run.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod replayer;
mod settled;

pub use replayer::{Replayed, Replayer, ReplayerEnded, Watch};
pub use settled::settle;
