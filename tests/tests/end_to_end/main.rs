//! The promises of Interlock, on a real Temporal server, with real workers, and judged from what the targets applied.
//!
//! Most tests share one [`testbed`]: a server, workers, a gateway and sandbox targets in this process. Each has a tenant,
//! customers and numbers of its own there. Tests that kill or reconfigure something have a testbed of their own.
#![allow(clippy::unwrap_used)]

mod applied_log;
mod command;
mod doubtful_targets;
mod events;
mod lossy_proxy;
mod outage;
mod python_sdk;
mod replayed;
mod scene;
mod seen_from_outside;
mod stored;
mod temporal_buttons;
mod temporal_calls;
mod testbed;
mod waiting;

mod asked_under_load;
mod at_rest;
mod bootstrapped;
mod buttons;
mod calls_under_way;
mod catalog_events;
mod changeover;
mod continue_as_new;
mod contradictions;
mod control;
mod deploy;
mod doubt;
mod entity_terminated;
mod error_codes;
mod explained;
mod gateway;
mod hand_over;
mod histories;
mod history_events;
mod hostile_events;
mod house;
mod identities;
mod imported;
mod killed_in_doubt;
mod killed_under_load;
mod limits;
mod logs;
mod lost_completions;
mod mended;
mod monitoring_files;
mod order_of_events;
mod paused;
mod permanent;
mod python;
mod python_adapter;
mod recovered;
mod resets;
mod resource_terminated;
mod retried;
mod rolling_restart;
mod routed;
mod scraped;
mod server_killed;
mod several_numbers;
mod shared_target;
mod swept;
mod target_buttons;
mod target_down;
mod target_entity;
mod tenants;
mod traces;
mod unordered;
mod versioned;
mod visible;
mod worker_killed;
