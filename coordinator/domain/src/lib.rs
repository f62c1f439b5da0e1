//! Ids, events, orders, the catalog, routing, and the two pure state machines of Interlock.
//!
//! Nothing here reads a clock, does I/O or knows Temporal: the same code runs in production, in the simulator and in
//! the explorer.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action_log;
pub mod action_mark;
pub mod action_words;
pub mod attempt;
pub mod callback;
pub mod catalog;
pub mod customer;
pub mod entity_end;
pub mod error_code;
pub mod event;
pub mod event_result;
pub mod forecast;
pub mod ids;
pub mod import;
pub mod kept_text;
pub mod limits;
pub mod message;
pub mod observation;
#[cfg(feature = "openapi")]
mod openapi;
pub mod order;
pub mod order_parts;
pub mod outcome;
pub mod outgoing;
pub mod planning;
pub mod recording;
pub mod resource;
pub mod retry;
pub mod routing;
pub mod subscription;
pub mod sweep;
pub mod target_entity;
pub mod tenant;
pub mod toml_text;
pub mod trace_parent;
pub mod views;
pub mod wire;

#[cfg(test)]
mod vectors;
