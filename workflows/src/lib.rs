//! The entity workflows: thin shells around the machines of `interlock-domain`, and the definitions of the activities
//! that they use.
//!
//! A shell decides nothing. Its handlers take raw JSON, never panic, and only append what came; its main routine
//! feeds the machine, carries out what it wants done, and feeds back what became of it (`life.rs`). The rules that such code must keep to be
//! replayed are in `clippy.toml` beside this crate's `Cargo.toml`, as far as a tool can check them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod activity_options;
mod customer_entity;
mod definitions;
mod identity;
mod life;
mod patience;
mod raw_json;
mod resource_entity;
mod start_argument;

pub use customer_entity::CustomerEntity;
pub use definitions::{
    AdmitActivity, LocalActivities, LookUp, LookUpActivity, Notification, NotifyActivity, ProvisionActivity,
    SendActivity, Sending, TargetActivities,
};
pub use resource_entity::{ResourceAction, ResourceEntity};
pub use start_argument::StartArgument;

/// Names on the wire: workflow types, and their signals, queries and updates.
pub mod names {
    /// Workflow type of a customer entity.
    pub const CUSTOMER_ENTITY: &str = "CustomerEntity";
    /// Workflow type of a resource entity.
    pub const RESOURCE_ENTITY: &str = "ResourceEntity";
    /// Signal to a customer: one CloudEvent in structured JSON.
    pub const SUBMIT: &str = "submit";
    /// Signal to a customer: an envelope with a resource's message.
    pub const FROM_RESOURCE: &str = "from_resource";
    /// Update and signal to a resource: an envelope with a ticket.
    pub const CLAIM: &str = "claim";
    /// Signal to a resource: an envelope with a customer's message.
    pub const FROM_CUSTOMER: &str = "from_customer";
    /// Query: all that an entity shows of itself.
    pub const STATE: &str = "state";
    /// Query to a customer: one order.
    pub const ORDER: &str = "order";
    /// Update: a person's action.
    pub const ACT: &str = "act";
}
