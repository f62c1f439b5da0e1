//! One sandbox target: its model, its knobs and its log, behind one lock, so that the log has the order of the effects.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::applied::{Applied, Effect};
use super::jobs::Jobs;
use super::knobs::{Action, Knobs, Pattern, Rule};
use super::model::{Change, Model, Reply, Request};
use super::received::Received;
use super::seeds::{Seed, SeedError, Seeded};

/// How long a connection without an answer stays open.
const ANSWER_LOST_FOR: Duration = Duration::from_mins(1);
/// The time limit for reporting the end of a job.
const REPORT_LIMIT: Duration = Duration::from_secs(30);
/// How many of the last requests are remembered.
const REQUESTS_MAX: usize = 100_000;

struct State {
    model: Box<dyn Model>,
    knobs: Knobs,
    log: Vec<Applied>,
    requests: u64,
    received: VecDeque<Received>,
    /// The requests whose callers left before the answer, as `GET /path`.
    abandoned: VecDeque<String>,
    jobs: Jobs,
    /// Where the requests of each rule with [`Action::Gather`] wait for each other.
    gatherings: Vec<(Pattern, Arc<Barrier>)>,
}

/// A sandbox target.
pub(super) struct Target {
    name: &'static str,
    state: Mutex<State>,
    /// The requests that outlive their connection.
    late: TaskTracker,
    stopped: CancellationToken,
}

impl Target {
    pub(super) fn new(name: &'static str, model: Box<dyn Model>, latency: Duration) -> Self {
        let latency_ms = latency.as_millis().try_into().unwrap_or(u64::MAX);
        let knobs = Knobs { latency_ms, rules: Vec::new() };
        Self {
            name,
            state: Mutex::new(State {
                model,
                knobs,
                log: Vec::new(),
                requests: 0,
                received: VecDeque::new(),
                abandoned: VecDeque::new(),
                jobs: Jobs::default(),
                gatherings: Vec::new(),
            }),
            late: TaskTracker::new(),
            stopped: CancellationToken::new(),
        }
    }

    /// Performs a request as the knobs say. `None` if the connection must be cut.
    ///
    /// A target continues a request after its caller has left, so this runs in a task of its own.
    pub(super) async fn handle(self: Arc<Self>, request: Request) -> Option<Reply> {
        let target = Arc::clone(&self);
        let mut caller =
            Caller { target: &self, waits_for: Some(format!("{} /{}", request.method, request.path.join("/"))) };
        let reply = self.late.spawn(async move { target.handle_to_the_end(request).await }).await.ok().flatten();
        caller.waits_for = None;
        reply
    }

    pub(super) fn abandoned(&self) -> Vec<String> {
        self.lock().abandoned.iter().cloned().collect()
    }

    async fn handle_to_the_end(self: Arc<Self>, request: Request) -> Option<Reply> {
        let injection = {
            let State { model, knobs, received, .. } = &mut *self.lock();
            let operation = model.operation(&request);
            let path = format!("/{}", request.path.join("/"));
            let injection = knobs.decide(request.method.as_str(), &path, &operation, &request.text);
            push_bounded(received, Received::of(&request, path, operation));
            injection
        };
        if !self.wait(injection.delay).await || !self.gather(injection.gather).await {
            return None;
        }
        match injection.action {
            None | Some(Action::Delay { .. } | Action::Gather { .. }) => {
                let told = self.lock().jobs.tell(&request);
                Some(told.unwrap_or_else(|| self.apply(&request)))
            }
            Some(Action::AsJob { ms, fails, calls_back, ask_after_s }) => {
                let callback_url = request.header("x-interlock-callback").filter(|_| calls_back).map(str::to_owned);
                let work = Work { delay: Duration::from_millis(ms), fails, callback_url };
                Some(self.begin_job(request, work, ask_after_s))
            }
            Some(Action::Refuse { status, body, retry_after_s }) => {
                let mut reply = Reply::new(status, body);
                reply.headers.extend(retry_after_s.map(|seconds| ("retry-after", seconds.to_string())));
                Some(reply)
            }
            Some(Action::FailBefore) => None,
            Some(Action::FailAfter) => {
                self.apply(&request);
                None
            }
            Some(Action::LoseAnswer) => {
                self.apply(&request);
                self.wait(ANSWER_LOST_FOR).await;
                None
            }
            Some(Action::Duplicate) => {
                let reply = self.apply(&request);
                self.apply(&request);
                Some(reply)
            }
            Some(Action::ApplyLate { ms }) => {
                let target = Arc::clone(&self);
                self.late.spawn(async move {
                    if target.wait(Duration::from_millis(ms)).await {
                        target.apply(&request);
                    }
                });
                None
            }
        }
    }

    /// Makes a job of a request, unless it is one already.
    fn begin_job(self: &Arc<Self>, request: Request, work: Work, ask_after_s: Option<u64>) -> Reply {
        let (reply, name, is_new) = self.lock().jobs.begin(&request, ask_after_s);
        if is_new {
            let target = Arc::clone(self);
            self.late.spawn(async move {
                if target.wait(work.delay).await {
                    let ended = if work.fails { None } else { Some(target.apply(&request)) };
                    target.lock().jobs.end(&name, ended);
                    if let Some(url) = work.callback_url {
                        report(&url, &name).await;
                    }
                }
            });
        }
        reply
    }

    /// Waits. Returns `false` if the target was stopped meanwhile.
    async fn wait(&self, delay: Duration) -> bool {
        if delay.is_zero() {
            return true;
        }
        self.stopped.run_until_cancelled(tokio::time::sleep(delay)).await.is_some()
    }

    /// Waits for other requests. Returns `false` if the target was stopped meanwhile.
    async fn gather(&self, gather: Option<(usize, Pattern)>) -> bool {
        let Some((requests, pattern)) = gather else { return true };
        let barrier = {
            let gatherings = &mut self.lock().gatherings;
            let there = gatherings.iter().position(|(of, _)| *of == pattern).unwrap_or_else(|| {
                gatherings.push((pattern, Arc::new(Barrier::new(requests))));
                gatherings.len() - 1
            });
            Arc::clone(&gatherings[there].1)
        };
        self.stopped.run_until_cancelled(barrier.wait()).await.is_some()
    }

    fn apply(&self, request: &Request) -> Reply {
        let state = &mut *self.lock();
        state.requests += 1;
        let (reply, changes) = state.model.handle(request);
        let entry = Applied {
            request: state.requests,
            method: request.method.to_string(),
            path: format!("/{}", request.path.join("/")),
            operation: state.model.operation(request),
            idempotency_key: request.header("idempotency-key").map(str::to_owned),
            epoch: request.header("x-interlock-epoch").and_then(|epoch| epoch.parse().ok()),
            ..self.blank_entry()
        };
        state.record(&entry, changes);
        reply
    }

    fn blank_entry(&self) -> Applied {
        Applied {
            seq: 0,
            at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            target: self.name.to_owned(),
            request: 0,
            method: "SEED".to_owned(),
            path: "/__sandbox/subscribers".to_owned(),
            operation: "seed".to_owned(),
            // Each entry gets its own.
            effect: Effect::Unchanged { table: String::new(), id: 0 },
            change: None,
            idempotency_key: None,
            epoch: None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn log_after(&self, seq: u64) -> Vec<Applied> {
        let skipped = usize::try_from(seq).unwrap_or(usize::MAX);
        self.lock().log.iter().skip(skipped).cloned().collect()
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.lock().received.iter().cloned().collect()
    }

    pub(super) fn knobs(&self) -> Knobs {
        self.lock().knobs.clone()
    }

    pub(super) fn set_knobs(&self, knobs: Knobs) {
        self.lock().knobs = knobs;
    }

    pub(super) fn add_rules(&self, rules: Vec<Rule>) {
        self.lock().knobs.rules.extend(rules);
    }

    pub(super) fn state(&self) -> Value {
        let state = self.lock();
        json!({"target": self.name, "requests": state.requests, "tables": state.model.state()})
    }

    pub(super) fn seed(&self, seeds: &[Seed]) -> Result<Seeded, SeedError> {
        let state = &mut *self.lock();
        let entry = self.blank_entry();
        let mut seeded = Seeded::default();
        for seed in seeds {
            match state.model.seed(seed)? {
                Some(changes) => {
                    seeded.created += 1;
                    // A judge needs the holders of numbers, but not thousands of SIMs.
                    state.record(&entry, changes);
                }
                None => seeded.existing += 1,
            }
        }
        Ok(seeded)
    }

    /// Drops the changes that are to be applied later, and waits for the requests in progress.
    pub(super) async fn stop(&self) {
        self.stopped.cancel();
        self.late.close();
        self.late.wait().await;
    }

    /// Drops the changes that are to be applied later.
    pub(super) fn cancel(&self) {
        self.stopped.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a model is a bug, which its own request has shown. Other requests continue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a job.
struct Work {
    delay: Duration,
    fails: bool,
    /// Where to report its end.
    callback_url: Option<String>,
}

/// Reports the end of a job, once, as a target does that does not care whether the report arrives.
async fn report(url: &str, job: &str) {
    let client = reqwest::Client::builder().no_proxy().timeout(REPORT_LIMIT).build();
    let posted = match client {
        Ok(client) => client.post(url).json(&json!({"job": job})).send().await,
        Err(error) => Err(error),
    };
    match posted.map_err(reqwest::Error::without_url) {
        Ok(answer) => tracing::debug!(status = answer.status().as_u16(), job, "reported the end of a job"),
        Err(error) => tracing::warn!(%error, job, "cannot report the end of a job"),
    }
}

/// Keeps the last [`REQUESTS_MAX`].
fn push_bounded<T>(kept: &mut VecDeque<T>, new: T) {
    if kept.len() == REQUESTS_MAX {
        kept.pop_front();
    }
    kept.push_back(new);
}

/// A caller that waits for an answer. If its connection is cut, the server drops this before there is an answer.
struct Caller<'a> {
    target: &'a Target,
    waits_for: Option<String>,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.waits_for.take() {
            push_bounded(&mut self.target.lock().abandoned, request);
        }
    }
}

impl State {
    fn record(&mut self, entry: &Applied, changes: Vec<Change>) {
        for Change { effect, columns } in changes {
            let seq = self.log.len() as u64 + 1;
            self.log.push(Applied { seq, effect, change: columns, ..entry.clone() });
        }
    }
}
