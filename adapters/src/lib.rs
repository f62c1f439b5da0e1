//! Adapters: how Interlock calls the outside systems.
//!
//! An [`Adapter`] performs the operations of one target and returns an outcome class. [`AdapterRegistry`] creates adapters from
//! settings. Four come with the crate: [`PyhssAdapter`] for the HSS, [`JsonHttpAdapter`] for plain JSON over HTTP (CRM, SMS gateway,
//! …), [`DeclarativeAdapter`] for any HTTP API that a file describes, and [`WebhookAdapter`] for those who are told of outcomes. [`sandbox`] has stand-in targets that behave like the real
//! ones, with failure knobs and a log of the changes they applied.
//!
//! This crate does not depend on Temporal.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adapter;
mod address_rule;
pub mod content;
pub mod declarative;
mod durations;
mod error;
mod exchange;
pub mod front_door;
mod ignored;
mod json_http;
pub mod mapping;
mod protection;
mod pyhss;
mod recognition;
mod redaction;
mod registry;
pub mod rehearsal;
mod release;
mod retry_after;
pub mod sandbox;
pub mod secret;
mod settings;
mod stage;
pub mod trace_context;
mod webhook;
mod webhook_format;

pub use adapter::{Adapter, Call, Capabilities, Fence, HolderPage, ListedHolder, OnAmbiguous, Verification};
pub use address_rule::AddressRule;
pub use declarative::DeclarativeAdapter;
pub use durations::duration;
pub use error::RegistryError;
pub use exchange::install_crypto_provider;
pub use json_http::JsonHttpAdapter;
pub use protection::{MaintenanceSettings, OutageSettings};
pub use pyhss::PyhssAdapter;
pub use registry::AdapterRegistry;
pub use secret::Secret;
pub use settings::{AdapterKind, Authentication, TargetSettings};
pub use webhook::{WebhookAdapter, receiver_key};
pub use webhook_format::EspfAccount;
