//! Counts by name, shared by everything that runs at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by name.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<String, Count>>>);

/// How often something was done, and how often it hit what it was meant to hit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it was done.
    pub done: u64,
    /// How often it hit something.
    pub hit: u64,
}

impl Tally {
    /// Counts one that was done.
    pub fn done(&self, name: &str) {
        self.of(name, |count| count.done += 1);
    }

    /// Counts hits of what was done.
    pub fn hit(&self, name: &str, hits: u64) {
        self.of(name, |count| count.hit += hits);
    }

    /// All counts.
    pub fn all(&self) -> BTreeMap<String, Count> {
        self.lock().clone()
    }

    /// One count.
    pub fn get(&self, name: &str) -> Count {
        self.lock().get(name).copied().unwrap_or_default()
    }

    fn of(&self, name: &str, change: impl FnOnce(&mut Count)) {
        change(self.lock().entry(name.to_owned()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
