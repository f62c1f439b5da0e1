//! What is done with an installation: one module for each thing that a person, the gateway or a schedule asks for.
//!
//! Each takes a connected installation, calls entities and Temporal, and returns values and errors of its own. None knows who asks:
//! the gateway and the command line turn them into answers and pages.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod actions;
pub mod bootstrap;
pub mod import;
pub mod ingest;
pub mod inspection;
pub mod recovery;
pub mod schedules;
pub mod strict_json;
pub mod sweep;
pub mod targets;
pub mod tenants;
