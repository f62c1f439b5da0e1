//! `/__sandbox`: the log, the knobs, the tables and the seeds of a sandbox target.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::knobs::Knobs;
use super::model::{Reply, Request};
use super::seeds::Seed;
use super::target::Target;

/// One item or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seeds {
    Many(Vec<Seed>),
    One(Seed),
}

/// Answers a request that is for the sandbox itself. `None` if it is for the target.
pub(super) fn answer(request: &Request, target: &Arc<Target>) -> Option<Reply> {
    let segments = request.segments();
    let (first, rest) = segments.split_first()?;
    if *first != "__sandbox" {
        return None;
    }
    Some(respond(request, rest, target).unwrap_or_else(|problem| problem))
}

fn respond(request: &Request, path: &[&str], target: &Target) -> Result<Reply, Reply> {
    match (request.method.as_str(), path) {
        ("GET", ["log"]) => {
            let after = match request.query("after") {
                Some(text) => text
                    .parse()
                    .map_err(|_| problem(400, "invalid_after", "'after' must be a seq, which is a number"))?,
                None => 0,
            };
            Ok(Reply::new(200, json!(target.log_after(after))))
        }
        ("GET", ["requests"]) => Ok(Reply::new(200, json!(target.received()))),
        ("GET", ["state"]) => Ok(Reply::new(200, target.state())),
        ("GET", ["knobs"]) => Ok(knobs(target)),
        ("PUT", ["knobs"]) => {
            target.set_knobs(read(request)?);
            Ok(knobs(target))
        }
        ("POST", ["knobs"]) => {
            let added: Knobs = read(request)?;
            target.add_rules(added.rules);
            Ok(knobs(target))
        }
        ("DELETE", ["knobs"]) => {
            target.set_knobs(Knobs::default());
            Ok(knobs(target))
        }
        ("POST", ["subscribers"]) => {
            let seeds = match read(request)? {
                Seeds::Many(seeds) => seeds,
                Seeds::One(seed) => vec![seed],
            };
            target
                .seed(&seeds)
                .map(|seeded| Reply::new(200, json!(seeded)))
                .map_err(|error| problem(409, error.code().as_str(), &error.to_string()))
        }
        _ => Err(problem(404, "not_found", "/__sandbox has log, requests, knobs, state and subscribers")),
    }
}

fn knobs(target: &Target) -> Reply {
    Reply::new(200, json!(target.knobs()))
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    serde_json::from_str(&request.text).map_err(|error| problem(400, "invalid_body", &error.to_string()))
}

fn problem(status: u16, code: &str, detail: &str) -> Reply {
    Reply::new(status, Value::from_iter([("code", code), ("detail", detail)]))
}
