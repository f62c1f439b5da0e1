//! The load: who there is, what happens to them, and the producers that send it.

pub mod population;
pub mod producers;
pub mod stories;
