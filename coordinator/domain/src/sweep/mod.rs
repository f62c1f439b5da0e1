//! The sweep: once a minute it looks at everything that waits, and reports what an operator should know. Pure: [`findings`] judges what
//! was seen, and a [`Ledger`] remembers the findings, so that each is reported once when it starts and once when it is over.
//!
//! A sweep changes no order. If a resource's entity forgot its tickets, the customers are asked to repeat them
//! ([`to_reassert`]), which changes nothing if they are known.

mod bounds;
mod finding;
mod leases;
#[cfg(test)]
mod leases_tests;
mod ledger;
mod misplaced;
mod rings;
mod seen;
mod tally;
#[cfg(test)]
mod tests;

pub use bounds::Bounded;
pub use finding::{Cause, Finding};
pub use leases::{
    Compared, CustomerSaid, Difference, DifferenceKind, HolderSaid, LeaseLedger, LeaseNews, SUSPECTS_MAX, Side,
    Suspect, difference,
};
pub use ledger::{FINDINGS_BYTES_MAX, FINDINGS_MAX, FINDINGS_OF_CAUSE_BYTES_MAX, FINDINGS_OF_CAUSE_MAX, Ledger, News};
pub use misplaced::{MISPLACED_MAX, MisplacedLedger, MisplacedNews, MisplacedRun};
pub use rings::{RING_PLACES_MAX, RingSearch};
pub use seen::{
    LeaseWait, ResourceSeen, RingSeen, Seen, SweepRules, TargetSeen, TerminatedResource, Wait, WaitingOrder, findings,
    to_reassert,
};
pub use tally::{OldestWait, Tally};
