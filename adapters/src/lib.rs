//! Adapters: how Interlock calls the outside systems.
//!
//! An [`Adapter`] performs the operations of one target and returns an outcome class. [`AdapterRegistry`] creates adapters from
//! settings. Three come with the crate: [`PyhssAdapter`] for the HSS, [`JsonHttpAdapter`] for plain JSON over HTTP (CRM, SMS gateway,
//! …), and [`DeclarativeAdapter`] for any HTTP API that a file describes. [`sandbox`] has stand-in targets that behave like the real
//! ones, with failure knobs and a log of the changes they applied.
//!
//! This crate does not depend on Temporal.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adapter;
pub mod content;
pub mod declarative;
mod durations;
mod error;
mod exchange;
pub mod front_door;
mod ignored;
mod json_http;
mod protection;
mod pyhss;
mod recognition;
mod redaction;
mod registry;
mod release;
mod retry_after;
pub mod sandbox;
pub mod secret;
mod settings;
pub mod trace_context;

pub use adapter::{Adapter, Call, Capabilities, Fence, HolderPage, ListedHolder, OnAmbiguous, Verification};
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
