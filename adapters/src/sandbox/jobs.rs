//! The jobs that a sandbox target accepted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::{Reply, Request};

/// The jobs by name.
#[derive(Debug, Default)]
pub(super) struct Jobs(BTreeMap<String, Job>);

#[derive(Debug)]
struct Job {
    /// How it stands.
    state: Value,
    /// When to ask again while it runs, in seconds.
    ask_after_s: Option<u64>,
}

impl Job {
    fn is_running(&self) -> bool {
        self.state["state"] == "running"
    }

    /// An answer about it.
    fn reply(&self, status: u16, body: Value) -> Reply {
        let mut reply = Reply::new(status, body);
        let ask_after_s = self.ask_after_s.filter(|_| self.is_running());
        reply.headers.extend(ask_after_s.map(|seconds| ("retry-after", seconds.to_string())));
        reply
    }
}

impl Jobs {
    /// Begins the job of a request, which is named after its idempotency key. Returns the answer, the name, and whether it is new.
    pub(super) fn begin(&mut self, request: &Request, ask_after_s: Option<u64>) -> (Reply, String, bool) {
        let key = request.header("idempotency-key");
        let name = key.map_or_else(|| format!("job-{}", self.0.len() + 1), |key| format!("job-{key}"));
        let is_new = !self.0.contains_key(&name);
        let new = || Job { state: json!({"state": "running"}), ask_after_s };
        let reply = self.0.entry(name.clone()).or_insert_with(new).reply(202, json!({"job": name}));
        (reply, name, is_new)
    }

    /// Ends a job with the reply to its request; `None` if it failed by itself.
    pub(super) fn end(&mut self, name: &str, reply: Option<Reply>) {
        let failed = |code: &str, body: &Value| {
            let code = body.get("code").and_then(Value::as_str).unwrap_or(code);
            json!({"state": "failed", "code": code, "holder": body.get("holder"), "detail": body.get("detail")})
        };
        let state = match reply {
            Some(reply) if reply.status.is_success() => json!({"state": "done"}),
            Some(reply) => failed("rejected", &reply.body),
            None => failed("job_failed", &json!({"detail": "the job failed"})),
        };
        if let Some(job) = self.0.get_mut(name) {
            job.state = state;
        }
    }

    /// The answer to `GET jobs/{job}`, and to `GET operations/{idempotency_key}` while its job runs. `None` if it is another request.
    pub(super) fn tell(&self, request: &Request) -> Option<Reply> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["jobs", name]) => Some(match self.0.get(*name) {
                Some(job) => job.reply(200, job.state.clone()),
                None => Reply::new(404, json!({"code": "unknown_job", "detail": "there is no such job"})),
            }),
            ("GET", ["operations", key]) => {
                let name = format!("job-{key}");
                let job = self.0.get(&name).filter(|job| job.is_running())?;
                Some(job.reply(200, json!({"applied": false, "job": name})))
            }
            _ => None,
        }
    }
}
