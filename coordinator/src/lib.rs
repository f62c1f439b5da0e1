//! Interlock's program: settings, the Temporal client, worker pools, the gateway, the command line and the embedded
//! Temporal server. The binary `interlock` is [`cli::run`] and nothing else.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod codec_server;
pub mod demo;
pub mod error_reference;
pub mod gateway;
pub mod local;
pub mod shutdown;
