//! The demonstration: a number changes hands on a real Temporal server, the events in the wrong order, the HSS slow.

mod happening;
mod stage;
mod story;
mod verdict;
mod watch;

pub use happening::{Happening, Voice};
pub use stage::{Demo, Stage};
pub use story::{HSS_LATENCY, NUMBER};
pub use verdict::{Check, Verdict};
pub use watch::sentence;
