//! The sweep: what a tireless operator would notice who looked at all that waits, once a minute. Pure: [`findings`] judges what
//! was seen, and a [`Ledger`] remembers what was found, so that each thing is told once when it begins and once when it is over.
//!
//! A sweep changes no order. Where a resource's entity forgot who waits there, the customers are asked to say it again
//! ([`to_reassert`]), which changes nothing where it is known.

mod bounds;
mod finding;
mod leases;
#[cfg(test)]
mod leases_tests;
mod ledger;
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
pub use seen::{
    LeaseWait, ResourceSeen, RingSeen, Seen, SweepRules, TargetSeen, TerminatedResource, Wait, WaitingOrder, findings,
    to_reassert,
};
pub use tally::{OldestWait, Tally};
