//! Completions of workflow tasks and activities that are lost at random, while this is switched on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use super::under_way::answers;
use super::{Interceptor, Verdict};
use crate::tally::Tally;

/// How long a lost completion stays lost, however often the worker sends it: longer than the time-out of a workflow task.
const LOST_FOR: Duration = Duration::from_secs(12);

/// Loses completions.
#[derive(Debug)]
pub struct RandomLosses {
    state: Mutex<State>,
    tally: Tally,
}

#[derive(Debug)]
struct State {
    rng: fastrand::Rng,
    /// The share of completions that are lost; 0: none.
    share: f64,
    /// The lost ones, by the token of their task.
    lost: BTreeMap<Vec<u8>, Instant>,
}

impl RandomLosses {
    /// Loses none yet. `tally` counts the lost ones.
    pub fn new(seed: u64, tally: Tally) -> Self {
        let state = State { rng: fastrand::Rng::with_seed(seed), share: 0.0, lost: BTreeMap::new() };
        Self { state: Mutex::new(state), tally }
    }

    /// Loses this share of all completions from now on; 0: none.
    pub fn set_share(&self, share: f64) {
        self.lock().share = share;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Interceptor for RandomLosses {
    async fn before(&self, call: &str, body: Bytes) -> Verdict {
        let kind = match call {
            "RespondWorkflowTaskCompleted" => "workflow-completions-lost",
            "RespondActivityTaskCompleted" => "activity-completions-lost",
            _ => return Verdict::Forward(body),
        };
        let Some(token) = answers(call, &body) else { return Verdict::Forward(body) };
        let mut state = self.lock();
        state.lost.retain(|_, since| since.elapsed() < LOST_FOR);
        if state.lost.contains_key(&token) {
            return Verdict::Refuse("the completion is lost");
        }
        let share = state.share;
        if state.rng.f64() >= share {
            return Verdict::Forward(body);
        }
        self.tally.hit(kind, 1);
        // Half of them reach the server, and only its answer is lost.
        if state.rng.bool() {
            return Verdict::LoseTheAnswer(body, "the answer is lost");
        }
        state.lost.insert(token, Instant::now());
        Verdict::Refuse("the completion is lost")
    }
}
