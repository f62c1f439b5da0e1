//! How values are written in what Interlock shows, so that programs of different builds can read each other.
//!
//! Gateway, command line and workers may be of different builds. So whoever reads a view takes what it does not know: fields are
//! ignored, fields that are missing have a default, and a word that it does not know is a [`WireName::Unknown`] that is shown, and
//! written again, as it came. A decision is made on the enum of known words: renaming one of its variants breaks the build.

mod hideable;
mod wire_name;

pub use hideable::Hideable;
pub(crate) use wire_name::wire_words;
pub use wire_name::{WireName, WireWord};
