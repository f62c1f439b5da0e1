//! Interlock's program: the command line, the demonstration, and all of Interlock on one machine ([`local`]). The binary `interlock`
//! is [`cli::run`] and nothing else.
//!
//! What the commands do is in crates of their own, below `coordinator/`: here is only how they are called, and what they print.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod demo;
pub mod error_reference;
pub mod local;
pub mod shutdown;
