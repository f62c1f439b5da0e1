//! Bringing back what a terminated customer entity had not ended: `interlock customer recover ID`.
//!
//! Nobody should terminate an entity; somebody will, or the server does (a history that is too large). Its open orders are
//! gone with it, and everything that it was ever told is in its history: the last run's start argument has the state of the
//! run before, and what came since are its events.
//!
//! 1. [`RecordedRun`] reads a history as what the customer machine took in (`recorded.rs`, `reader.rs`; pure).
//! 2. The machine itself takes it in again, and so says which orders were over (`replay.rs`; pure).
//! 3. [`open_events`] finds the events of those that were not, and of those that no worker had taken in yet; it leaves out
//!    what a later run was told again (`open_events.rs`; pure).
//! 4. [`Recovery`] fetches the histories and sends the events by signal-with-start (`histories.rs`, `submission.rs`).
//!
//! What may be done twice, and why it does no harm: an order that had begun is submitted again from its first step. It is the
//! same order with the same idempotency keys: adapters answer that the target is as it should be (`already_done`), targets
//! that know keys do nothing. A target that can do neither gets the call again; what the README's table says of a crash holds
//! here too. An order that is over is left out.
//!
//! What cannot be brought back: an order that was open for longer than the namespace keeps the histories of closed runs, and
//! whose event came in one that is gone. It is named, so that its source can send it again. Leases are no events: a
//! terminated customer's are settled by their resources.

#[cfg(test)]
mod tests;

mod error;
mod histories;
mod open_events;
mod reader;
mod recorded;
mod replay;
mod submission;

pub use error::RecoveryError;
pub use histories::{DeadRun, Found, Recovery};
pub use open_events::{LostOrder, OpenEvent, OpenEvents, Unreadable, open_events};
pub use recorded::{RecordedRun, RunEnd, UnreadableHistory};
