//! The activities of Interlock, and the workers that run them and the entities.
//!
//! The activities `admit`, `send` and `notify` call Temporal: they carry messages between entities, and each call is safe to repeat.
//! They run as local activities, or as normal activities if the decision must be recorded first. The activities `provision` and
//! `look_up` call targets through adapters; [`interlock_domain::attempt`] decides what an attempt does about earlier attempts.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod activity_request_id;
mod admit;
mod answer_memory;
mod breaker;
mod breakers;
mod clock;
mod deliver;
mod heartbeat;
mod import_activities;
mod import_part;
mod local_activities;
mod look_up;
mod notify;
mod probe;
mod provision;
mod recorded_activities;
mod registered;
mod report;
mod rights;
mod send;
mod set_limit;
mod spans;
mod target_activities;
mod upkeep_activities;
mod worker_context;
mod worker_thread;
mod worker_tuning;
mod workers;

pub use import_activities::ImportsLeases;
pub use local_activities::CarriedOut;
pub use recorded_activities::CarriedOutRecorded;
pub use target_activities::AtTargets;
pub use upkeep_activities::UpkeepOfTargets;
pub use worker_context::WorkerContext;
pub use worker_thread::{WorkerThread, WorkerThreadError};
pub use worker_tuning::{Pollers, Slots, WorkerTuning};
pub use workers::{WorkerFault, entity_worker, jobs_worker, provisioning_worker, resource_worker, tenant_ops_worker};
