//! Views that do not come from a single entity: combined from several answers, or from the results of a command or a call.
//!
//! The view of a single entity is a type beside its machine: [`CustomerView`](crate::customer::CustomerView),
//! [`OrderView`](crate::customer::OrderView), [`ResourceView`](crate::resource::ResourceView),
//! [`TargetView`](crate::target_entity::TargetView) and [`TenantView`](crate::tenant::TenantView). Together they are the one model of all
//! output: entities write it; gateway, command line, sweep and demo read it, and write it again. How builds of different versions
//! read each other is described in [`wire`](crate::wire).

mod action;
mod forecast;
mod import;
mod listing;
mod plan;
mod subscription;
mod sweep;
#[cfg(test)]
mod tests;
mod why;

pub use action::{
    ActionConfirmed, ActionTaken, AmendmentView, BulkPreview, BulkResult, ForceTaken, ForetoldAction, ForetoldOrder,
    OrderActionAnswer, ResourceActionAnswer, TargetActionAnswer, TargetActionTaken, TenantActionAnswer,
    TenantActionTaken,
};
pub use forecast::{
    ActionForecast, ForecastEvent, ForecastHolder, ForecastOrder, ForecastResource, ForecastTarget, ForecastWhat,
};
pub use import::ImportSummary;
pub use listing::{
    OrderPage, TargetList, TargetListed, TargetUnanswered, TenantList, TenantListed, TenantUnanswered, Unanswered,
    WhyUnanswered,
};
pub use plan::{
    AheadView, ClaimOutlook, PlanView, PlannedClaimView, PlannedEnd, PlannedStepView, RequestView, Verdict,
};
pub use subscription::{MadeBy, SubscriptionList, SubscriptionMade, SubscriptionView};
pub use sweep::{FindingView, SweepView};
pub use why::{Link, Why};
