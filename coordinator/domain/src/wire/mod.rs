//! How values are written in views, so that programs of different builds can read each other.
//!
//! Gateway, command line and workers may be of different builds. So a reader of a view accepts what it does not know: unknown fields are
//! ignored, missing fields have a default, and an unknown word is a [`WireName::Unknown`] that is shown, and
//! written again, unchanged. Decisions use the enum of known words: renaming one of its variants breaks the build.

mod hideable;
mod wire_name;

pub use hideable::Hideable;
pub(crate) use wire_name::wire_words;
pub use wire_name::{WireName, WireWord};
