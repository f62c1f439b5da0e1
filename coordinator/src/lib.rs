//! Interlock's program: the command line, the demo, and all of Interlock on one machine ([`local`]). The binary `interlock`
//! only calls [`cli::run`].
//!
//! What the commands do is in separate crates below `coordinator/`; this crate only parses command lines and prints results.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod demo;
pub mod error_reference;
pub mod local;
pub mod shutdown;
