//! Imports of leases: a list of who has what, for the day on which Interlock goes live. The list is read here, in parts;
//! the workflow `ResourceImport` imports them.

mod dry_run;
mod from_target;
mod list;
mod runner;

pub use dry_run::DryRun;
pub use from_target::{TargetList, read_customers, read_target};
pub use list::{ListFile, ListPart};
pub use runner::ImportRunner;

use interlock_domain::import::{ImportTally, LineProblem};

/// Receives the progress of an import.
pub trait ImportTold {
    /// A line was not imported.
    fn problem(&mut self, problem: &LineProblem);
    /// This many lines are done, with these results.
    fn reached(&mut self, lines: u64, tally: &ImportTally);
    /// A sentence for a person.
    fn notice(&mut self, sentence: &str);
}
