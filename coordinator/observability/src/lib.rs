//! The observability of a process: its metrics, its logs and traces, the health calls, and the rule for what
//! may be written to a terminal. It knows settings and faults, and nothing about orders, entities or the process's purpose.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod health;
pub mod metrics;
pub mod telemetry;
pub mod terminal;
