//! The audit over recorded histories: clean ones, and those in which one thing was made wrong.
#![allow(clippy::unwrap_used)]

mod clean;
mod guilty;
mod lost_leases;
mod many;
mod recorded;
mod target_logs;
