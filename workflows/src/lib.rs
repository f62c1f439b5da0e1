//! The entity workflows: thin shells around the machines of `interlock-domain`, and the definitions of the activities that they use.
//!
//! A shell decides nothing. Its handlers receive raw JSON, never panic, and only append their input; its main routine feeds the
//! machine, performs the effects that it wants, and feeds back their results (`life.rs`). `shell.rs` has what all shells keep.
//! `clippy.toml` next to this crate's `Cargo.toml` has the rules for replayable code, as far as a tool can check them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action_log;
pub mod activity_options;
mod customer_entity;
pub mod customer_messages;
mod definitions;
mod identity;
#[cfg(test)]
mod largest_states;
mod life;
mod needs;
mod patience;
mod queue_move;
mod raw_json;
mod reset;
mod resource_entity;
mod resource_import;
mod search_attributes;
mod shell;
mod start_argument;
mod sweep;
mod target_entity;
mod task_cuts;
mod tenant;
mod unanswered;
mod watched;
mod witness;

pub use action_log::ActionLogEntity;
pub use customer_entity::CustomerEntity;
pub use definitions::{
    AdmitActivity, AdmitRecordedActivity, AnnounceActivity, DeliverActivity, ImportPartActivity, Importing, LeasesSeen,
    LimitSetting, LocalActivities, LookActivity, LookUp, LookUpActivity, Notification, NotifyActivity,
    NotifyRecordedActivity, PartInput, ProbeActivity, ProvisionActivity, RecordedActivities, ReviveActivity,
    SendActivity, SendRecordedActivity, Sending, SetLimitActivity, SweepSeen, Sweeping, TargetActivities, TargetProbe,
    TargetUpkeep, TenantStep, TenantStepActivity, TenantStepAnswer, TenantUpkeep,
};
pub use life::edition_of_patch;
pub use needs::{Needs, Served};
pub use resource_entity::{ResourceAction, ResourceEntity};
pub use resource_import::{LinesUnreadable, ResourceImport, ResourceImportPart, pack, part_workflow_id, unpack};
pub use start_argument::{StartArgument, carried, carry};
pub use sweep::Sweep;
pub use target_entity::{TargetEntity, TargetStart};
pub use task_cuts::task_before;
pub use tenant::TenantEntity;
pub use unanswered::{COMPLETED_BY_HAND, FAILED_BY_HAND, unanswered};
pub use watched::watch_on_this_thread;
pub use witness::{Machine, Moment, Witness, witness_on_this_thread};

/// Names on the wire: workflow types, signals, queries and updates.
pub mod names {
    /// The search attributes that Interlock writes. All are of type Keyword and hold no personal data.
    pub const SEARCH_ATTRIBUTES: [&str; 3] = ["InterlockTenant", "InterlockEntityKind", "InterlockState"];
    /// Workflow type of a customer entity.
    pub const CUSTOMER_ENTITY: &str = "CustomerEntity";
    /// Workflow type of a resource entity.
    pub const RESOURCE_ENTITY: &str = "ResourceEntity";
    /// Workflow type of a target entity.
    pub const TARGET_ENTITY: &str = "TargetEntity";
    /// Workflow type of a tenant.
    pub const TENANT_ENTITY: &str = "TenantEntity";
    /// Workflow type of a log of persons' actions.
    pub const ACTION_LOG: &str = "ActionLogEntity";
    /// Signal to a log of actions: an [`ActionNote`](interlock_domain::action_log::ActionNote).
    pub const NOTE: &str = "note";
    /// Query to a log of actions: those that an [`ActionFilter`](interlock_domain::action_log::ActionFilter) selects.
    pub const ACTIONS: &str = "actions";
    /// Memo of a tenant: whether its new events are rejected.
    pub const MEMO_REFUSES_EVENTS: &str = "interlock_closed";
    /// Signal of a customer: a person has a subscription's receiver told again how orders ended.
    pub const TELL_AGAIN: &str = "tell_again";
    /// The field of a tenant's memo with the subscriptions that it made itself.
    pub const MEMO_SUBSCRIPTIONS: &str = "interlock_subscriptions";
    /// Workflow type of an import of leases.
    pub const RESOURCE_IMPORT: &str = "ResourceImport";
    /// Workflow type of a part of an import.
    pub const RESOURCE_IMPORT_PART: &str = "ResourceImportPart";
    /// Update to an import: a client brings its list.
    pub const BEGIN: &str = "begin";
    /// Update to an import: a part of its list.
    pub const PART: &str = "part";
    /// Update to an import: the list is complete.
    pub const COMPLETE: &str = "complete";
    /// Workflow type of a sweep.
    pub const SWEEP: &str = "Sweep";
    /// Signal to a customer: one CloudEvent in structured JSON.
    pub const SUBMIT: &str = "submit";
    /// Signal to a customer: an envelope with a resource's message.
    pub const FROM_RESOURCE: &str = "from_resource";
    /// Update and signal to a resource: an envelope with a ticket.
    pub const CLAIM: &str = "claim";
    /// Signal to a resource: an envelope with a customer's message.
    pub const FROM_CUSTOMER: &str = "from_customer";
    /// Signal to a target: an envelope with a worker process's report about its breaker.
    pub const REPORT: &str = "report";
    /// Signal to a target: an envelope with its rules, as configured.
    pub const CONFIGURE: &str = "configure";
    /// Query: the whole state that an entity shows to users.
    pub const STATE: &str = "state";
    /// Query to a customer: one order.
    pub const ORDER: &str = "order";
    /// Query to a customer: what it knows of an order that it does not show.
    pub const REMEMBERS: &str = "remembers";
    /// Query to a customer: its open orders, filtered, in pages.
    pub const ORDERS: &str = "orders";
    /// Query to a customer: the chain of what an order waits for within it.
    pub const WHY: &str = "why";
    /// Query to a customer: why it still has a lease.
    pub const KEEPS: &str = "keeps";
    /// Query to a customer: all its leases.
    pub const LEASES: &str = "leases";
    /// Query to a customer: what would become of an event that came now.
    pub const FORESEE_EVENT: &str = "foresee_event";
    /// Query to a customer: what the order of a planned event would do.
    pub const FORESEE_ORDER: &str = "foresee_order";
    /// Query to a resource: what a claim would be answered.
    pub const FORESEE_CLAIM: &str = "foresee_claim";
    /// Query to a customer, a resource or a target: the state of its machine, which a forecast runs forward on a copy.
    pub const MACHINE: &str = "machine";
    /// Signal to a customer: repeat what it has and wants of a resource, `{"resource":"KIND/ID"}`, or of all, `{}`. For callers that
    /// notice that a resource's entity was terminated. `"lasting":true` means that the sweep saw the two disagree for longer than
    /// messages take; `"above"` is then the epoch by which the resource says that it is held.
    pub const REASSERT: &str = "reassert";
    /// Signal to an entity: move to this task queue as soon as nothing is in flight; a [`QueueAssignment`](interlock_domain::routing::QueueAssignment).
    pub const MOVE_TO: &str = "move_to";
    /// Update: an operator's action.
    pub const ACT: &str = "act";
}
