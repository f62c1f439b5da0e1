//! TOML that people write (catalogs, adapter files), read so that *every* fault is found with its line and place.
//!
//! It does not use serde, which stops at the first fault. [`read`] makes a document from a text; a
//! [`Section`] is a table whose keys are taken one by one, so that unknown keys can be reported; an [`Entry`] is a value
//! with its place. Every fault is recorded in [`Faults`], and reading continues.

mod entry;
mod fault;
mod section;

pub use entry::Entry;
pub use fault::{Faults, Spot, TomlFault};
pub use section::{Section, read};
