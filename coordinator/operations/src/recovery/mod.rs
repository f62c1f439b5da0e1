//! Recovers the unfinished orders of a terminated customer entity: `interlock customer recover ID`.
//!
//! No one should terminate an entity, but it happens, or the server does it (if a history is too large). Its open orders are
//! then gone, but all its inputs are in its history: the last run's start argument has the state of the
//! previous run, and the inputs since then are its events.
//!
//! 1. [`RecordedRun`] reads a history as inputs of the customer machine (`recorded.rs`, `reader.rs`; pure).
//! 2. The unchanged workflow replays the history, which shows which orders had ended (`exact.rs`). If that cannot be done (a run that cannot be
//!    replayed stands still, and somebody terminated it), the machine processes the inputs again, as well as they can be read
//!    (`replay.rs`; pure).
//! 3. [`open_events`] finds the events of the other orders, and those that no worker had processed yet; it leaves out
//!    events that a later run received again (`open_events.rs`; pure).
//! 4. [`Recovery`] fetches the histories and sends the events by signal-with-start (`histories.rs`, `submission.rs`).
//!
//! Submitting an order twice does no harm: an order that had started is submitted again from its first step. It is the
//! same order with the same idempotency keys: adapters answer that the target already has the state (`already_done`), and targets
//! that support keys do nothing. A target that can do neither gets the call again; what the README's table says about a crash applies
//! here too. An order that had ended is left out.
//!
//! What cannot be recovered: an order that was open for longer than the namespace keeps the histories of closed runs, and
//! whose event came in a deleted one. It is reported, so that its source can send it again. Leases are not events: the
//! resources settle a terminated customer's leases.

#[cfg(test)]
mod tests;

mod error;
mod exact;
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
