//! The sweep: what a tireless operator would notice who looked at all that waits, once a minute. Pure: [`findings`] judges what
//! was seen, and a [`Ledger`] remembers what was found, so that each thing is told once when it begins and once when it is over.
//!
//! A sweep changes no order. Where a resource's entity forgot who waits there, the customers are asked to say it again
//! ([`to_say_again`]), which changes nothing where it is known.

mod finding;
mod ledger;
mod seen;
#[cfg(test)]
mod tests;

pub use finding::{Cause, Finding};
pub use ledger::{FINDINGS_MAX, Ledger, News};
pub use seen::{
    LeaseWait, ResourceSeen, RingSeen, Seen, SweepRules, TargetSeen, TerminatedResource, WaitingOrder, findings,
    to_say_again,
};
