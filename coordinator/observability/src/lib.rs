//! What one sees of a process of Interlock: its metrics, its logs and traces, the calls that say how it is, and the rule of what
//! may reach a terminal. It knows settings and faults, and nothing of orders, entities or what a process is for.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod health;
pub mod metrics;
pub mod telemetry;
pub mod terminal;
