//! The breakers of a process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use interlock_domain::ids::TargetId;

use crate::breaker::Breaker;
use crate::report::Reporter;

/// The breakers of a process, one for each target that it calls.
pub(crate) struct Breakers {
    reporter: Reporter,
    by_target: Mutex<BTreeMap<TargetId, Breaker>>,
}

impl Breakers {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self { reporter, by_target: Mutex::default() }
    }

    /// The breaker of a target. Call this inside a Tokio runtime: the breaker sends its reports from there.
    pub(crate) fn of(&self, target: &TargetId) -> Breaker {
        let mut by_target = self.by_target.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = by_target.entry(target.clone()).or_insert_with(|| self.reporter.breaker(target));
        breaker.clone()
    }
}
