//! Audits the recorded histories of entities.
//!
//! A Temporal history is the exact input of the machines. The audit replays each history with the SDK's own replayer, and watches the
//! unchanged machines while they take it (`workflows/src/witness.rs`). From what they show, and from the events themselves, it keeps a
//! few facts: who held which lease when, which calls were made under it, how orders ended. The [`Verdict`] then says for each
//! [`Promise`] how much was checked, and where it was broken: across entities, and against a target's own log.
//!
//! The audit only reads. What it checks, and what it cannot see, is on the page `coordinator/docs/audit.md`.
//!
//! ```no_run
//! # async fn audit() -> Result<(), interlock_audit::AuditError> {
//! use std::path::Path;
//!
//! use interlock_audit::{Audit, Options};
//!
//! let mut audit = Audit::new(Options { settled: true, ..Options::default() })?;
//! audit.add_folder(Path::new("histories")).await?;
//! let verdict = audit.verdict();
//! for violation in &verdict.violations {
//!     println!("{violation}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`NamespaceReader`] takes in the histories of a namespace instead.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod audit;
mod checks;
mod error;
mod facts;
mod history_file;
mod ledger;
mod namespace;
mod options;
mod state_file;
mod target_log;
mod time;
mod verdict;

pub use audit::Audit;
pub use error::AuditError;
pub use facts::HistoryUnreadable;
pub use namespace::{CALLS_PER_SECOND, NamespaceReader, Progress};
pub use options::{CLOCKS_APART, FACTS_MAX, MESSAGES_TAKE, Options, VIOLATIONS_SHOWN_MAX};
pub use state_file::StateFile;
pub use target_log::{TargetLog, TargetLogError, TargetLogKind};
pub use verdict::{Promise, PromiseVerdict, Verdict, Violation};
