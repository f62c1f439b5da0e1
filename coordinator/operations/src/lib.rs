//! The operations on an installation: one module for each thing that a person, the gateway or a schedule requests.
//!
//! Each takes a connected installation, calls entities and Temporal, and returns values and its own errors. None knows its caller:
//! the gateway and the command line turn the results into responses and output.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod actions;
pub mod bootstrap;
pub mod callbacks;
pub mod confirmations;
pub mod doctor;
pub mod import;
pub mod ingest;
pub mod inspection;
pub mod intake;
pub mod misplaced;
pub mod recovery;
pub mod schedules;
pub mod strict_json;
pub mod subscriptions;
pub mod sweep;
pub mod targets;
pub mod tenants;
