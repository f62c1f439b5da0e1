//! TOML that people write (catalogs, adapter files), read so that *every* fault is found with its line and place.
//!
//! It is read by hand instead of by serde, which stops at the first fault. [`read`] makes a document of a text; a
//! [`Section`] is a table whose keys are taken one by one, so that those left over can be named; an [`Entry`] is a value
//! with its place. Whatever is wrong is noted in [`Faults`], and reading goes on.

mod entry;
mod fault;
mod section;

pub use entry::Entry;
pub use fault::{Faults, Spot, TomlFault};
pub use section::{Section, read};
