//! A gRPC proxy between worker processes and the Temporal server. It loses the completion of a chosen workflow task.
//!
//! A local activity runs before its workflow task is recorded. If the completion of the task is lost (the worker dies, or the server's
//! store is unavailable), the messages of the activity have been sent, and the server retries the task: later, and with everything that
//! arrived meanwhile. The proxy causes this at a chosen point, on a real server and with real workers.
//!
//! It forwards all other calls unchanged, and reads the messages to entities that the server accepts.

mod gate;
mod loss;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use interlock_battery::proxy::{Answered, Interceptor, Proxy, Verdict, messages, wire};

use crate::waiting::until;
use gate::Gates;
pub use gate::{Gate, Stopped};
pub use loss::{Fate, Loss, Moment, Way};
use loss::{Losses, Sentence};

/// The proxy. Dropping it closes every connection through it.
pub struct LossyProxy {
    proxy: Proxy,
    shared: Arc<Shared>,
}

struct Shared {
    /// The workflow task time-out of entities that are started through the proxy.
    task_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    losses: Losses,
    gates: Gates,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl LossyProxy {
    /// A proxy on a free port of this machine for the server at `upstream`, `HOST:PORT`. Entities that are started through it get this
    /// workflow task time-out, after which the server retries a lost task.
    pub async fn before(upstream: &str, task_timeout: Duration) -> Self {
        let shared = Arc::new(Shared { task_timeout, state: Mutex::default() });
        let interceptor: Arc<dyn Interceptor> = shared.clone();
        let proxy = Proxy::before(upstream, vec![interceptor]).await.unwrap();
        Self { proxy, shared }
    }

    /// The address of the proxy for workers, `HOST:PORT`.
    pub fn address(&self) -> String {
        self.proxy.address()
    }

    /// Requests the loss of a completion. Returns its number, for [`LossyProxy::until_lost`].
    pub fn lose(&self, loss: Loss) -> usize {
        self.shared.state().losses.add(loss)
    }

    /// Waits until the completion was lost for the first time. From here on, the server does not know what the worker did. Returns how
    /// the awaited effect left.
    ///
    /// # Panics
    /// If the worker did not complete such a task in time.
    pub async fn until_lost(&self, loss: usize) -> Way {
        let what = format!("the lost completion: {}", self.shared.state().losses.described(loss));
        until(what, || std::future::ready(self.shared.state().losses.lost(loss))).await
    }

    /// Makes such messages wait at a gate, which is closed.
    pub fn stop(&self, which: Stopped) -> Gate {
        self.shared.state().gates.add(which)
    }
}

#[async_trait]
impl Interceptor for Shared {
    async fn before(&self, call: &str, body: Bytes) -> Verdict {
        let body = messages::with_task_timeout(call, body, self.task_timeout);
        let sentence = match wire::completion(call, &body) {
            Some(completion) => self.state().losses.judge(&completion.token, &completion.said),
            None => Sentence::Pass,
        };
        for message in &messages::read(call, &body) {
            let gate = self.state().gates.before(message);
            if let Some(gate) = gate
                && !gate.passed().await
            {
                return Verdict::Refuse("the message does not get through");
            }
        }
        match sentence {
            Sentence::Pass => Verdict::Forward(body),
            Sentence::Refuse => Verdict::Refuse("the completion is lost"),
            Sentence::LoseTheAnswer => Verdict::LoseTheAnswer(body, "the answer is lost"),
            Sentence::Hold(pause) => {
                tokio::time::sleep(pause).await;
                Verdict::Forward(body)
            }
        }
    }

    async fn after(&self, answered: &Answered<'_>) -> Option<Bytes> {
        let mut state = self.state();
        if let Some((token, workflow_id)) = wire::tasks(answered.call, answered.answer) {
            state.losses.learn(token, workflow_id);
        }
        if answered.is_ok {
            for message in messages::read(answered.call, answered.request) {
                state.losses.heard(&message);
            }
        }
        None
    }
}
