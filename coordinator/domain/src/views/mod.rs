//! What Interlock shows that no single entity says: put together of several answers, or of what a command or a call did.
//!
//! What an entity says of itself is a type beside its machine: [`CustomerView`](crate::customer::CustomerView),
//! [`OrderView`](crate::customer::OrderView), [`ResourceView`](crate::resource::ResourceView),
//! [`TargetView`](crate::target_entity::TargetView) and [`TenantView`](crate::tenant::TenantView). Together they are the one model of what
//! is shown: entities write it; gateway, command line, sweep and demo read it, and write it again. How builds of different versions
//! read each other is said in [`wire`](crate::wire).

mod action;
mod import;
mod listing;
mod sweep;
#[cfg(test)]
mod tests;
mod why;

pub use action::{
    ActionTaken, AmendmentView, BulkResult, ForceTaken, ForetoldAction, ForetoldOrder, OrderActionAnswer,
    ResourceActionAnswer, TargetActionAnswer, TargetActionTaken, TenantActionAnswer, TenantActionTaken,
};
pub use import::ImportSummary;
pub use listing::{
    OrderPage, TargetList, TargetListed, TargetUnanswered, TenantList, TenantListed, TenantUnanswered, Unanswered,
    WhyUnanswered,
};
pub use sweep::{FindingView, SweepView};
pub use why::{Link, Why};
