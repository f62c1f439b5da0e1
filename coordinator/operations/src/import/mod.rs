//! Imports of leases: a list of who has what, for the day on which Interlock is switched on. The list is read here, in parts;
//! the workflow `ResourceImport` has them imported.

mod dry_run;
mod from_target;
mod list;
mod runner;

pub use dry_run::DryRun;
pub use from_target::{TargetList, read_customers, read_target};
pub use list::{ListFile, ListPart};
pub use runner::ImportRunner;

use interlock_domain::import::{ImportTally, LineProblem};

/// Is told what becomes of an import, as it goes.
pub trait ImportTold {
    /// A line was not taken.
    fn problem(&mut self, problem: &LineProblem);
    /// So many lines are done by now, and what became of them.
    fn reached(&mut self, lines: u64, tally: &ImportTally);
    /// Something that a person should know.
    fn notice(&mut self, sentence: &str);
}
