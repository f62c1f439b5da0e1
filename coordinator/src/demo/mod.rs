//! The demo: a number moves to another customer on a real Temporal server, with the events in the wrong order and a slow HSS.

mod stage;
mod story;
mod story_event;
mod verdict;
mod watch;

pub use stage::{Demo, Stage};
pub use story::{HSS_LATENCY, NUMBER};
pub use story_event::{StoryEvent, Voice};
pub use verdict::{Check, Verdict};
pub use watch::sentence;
