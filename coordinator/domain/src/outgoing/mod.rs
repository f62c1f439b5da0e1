//! What subscribers are told: how orders stand and end, and who holds which resource.
//!
//! A customer's entity makes an [`OutgoingEvent`] when something happens that a [`Subscription`](crate::subscription::Subscription) of its tenant wants, and keeps it
//! until the receiver has taken it. It sends the events of one subscription in [`OutgoingBatch`]es, one after the other.

mod batch;
mod event;

pub use batch::{DeliveryAnswer, OutgoingBatch, TellAgain};
pub use event::{About, LeaseChange, LostEvents, OrderReport, OutgoingEvent, ReportedStep};
