//! Failure knobs: what goes wrong at a sandbox target, for which requests, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All knobs of a target.
///
/// ```json
/// {"latency_ms": 0, "rules": [
///   {"match": {"method": "PUT", "path_contains": "ims_subscriber"}, "action": {"action": "fail_after"}, "times": 1}]}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knobs {
    /// The delay before each request is performed, in milliseconds.
    #[serde(default)]
    pub latency_ms: u64,
    /// The rules. The first rule that matches is used first.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// A rule: one failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The requests that it applies to.
    #[serde(default, rename = "match")]
    pub pattern: Pattern,
    /// The failure.
    pub action: Action,
    /// How often the rule applies before it is used up.
    #[serde(default)]
    pub times: Times,
}

impl Rule {
    /// A rule that applies for ever.
    pub fn always(pattern: Pattern, action: Action) -> Self {
        Self { pattern, action, times: Times::Forever }
    }

    /// A rule that applies once.
    pub fn once(pattern: Pattern, action: Action) -> Self {
        Self { pattern, action, times: Times::Count(1) }
    }
}

/// The requests that a rule applies to. All given conditions must hold. Without conditions, it applies to every request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// The operation: the path for a JSON target, `put_ims_subscriber` and so on for the HSS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// A part of the body, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// The request is not applied, and this is the answer.
    Refuse {
        /// The status.
        status: u16,
        /// The body.
        #[serde(default)]
        body: Value,
        /// The header `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// The request is applied and answered later, even if the caller no longer waits. Can be combined with another rule.
    Delay {
        /// The delay, in milliseconds.
        ms: u64,
    },
    /// The request waits until this many of the rule's requests wait together. Then all of them are performed: they were there at the
    /// same time. Can be combined with another rule.
    Gather {
        /// How many.
        requests: usize,
    },
    /// The request is not applied, and the connection is cut without an answer.
    FailBefore,
    /// The request is applied, and the connection is cut without an answer.
    FailAfter,
    /// The request is applied, and there is no answer, although the connection stays open for a minute.
    LoseAnswer,
    /// The request is applied twice, and the first answer is returned.
    Duplicate,
    /// The request becomes a job: the answer is 202 with its name, and it is applied later. `GET jobs/{job}` tells how it stands. A
    /// request with the same idempotency key is the same job.
    AsJob {
        /// The delay, in milliseconds.
        ms: u64,
        /// Whether the job fails, without an effect.
        #[serde(default)]
        fails: bool,
        /// Whether the end of the job is reported to the URL in the request's header `X-Interlock-Callback`.
        #[serde(default)]
        calls_back: bool,
        /// The header `Retry-After` of the answers while it runs, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask_after_s: Option<u64>,
    },
    /// The connection is cut at once without an answer, and the request is applied later.
    ApplyLate {
        /// The delay, in milliseconds.
        ms: u64,
    },
}

/// How often a rule applies: a number, or `"forever"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Times {
    /// This many more times.
    Count(u64),
    /// Always.
    #[default]
    #[serde(with = "forever")]
    Forever,
}

/// The word `"forever"`.
mod forever {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("forever")
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "forever" => Ok(()),
            other => Err(D::Error::custom(format!("'{other}' is neither a number nor \"forever\""))),
        }
    }
}

/// The faults that the knobs inject into one request.
#[derive(Debug, Default)]
pub(super) struct Injection {
    /// The delay.
    pub(super) delay: Duration,
    /// The requests to wait for after it: how many, and which.
    pub(super) gather: Option<(usize, Pattern)>,
    /// The failure after that.
    pub(super) action: Option<Action>,
}

impl Knobs {
    /// Returns the faults for a request, and counts down the rules that apply.
    pub(super) fn decide(&mut self, method: &str, path: &str, operation: &str, body: &str) -> Injection {
        let mut injection = Injection { delay: Duration::from_millis(self.latency_ms), ..Injection::default() };
        for rule in &mut self.rules {
            let is_wait = matches!(rule.action, Action::Delay { .. } | Action::Gather { .. });
            if (!is_wait && injection.action.is_some()) || !rule.pattern.matches(method, path, operation, body) {
                continue;
            }
            if let Times::Count(left) = &mut rule.times {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            match &rule.action {
                Action::Delay { ms } => injection.delay += Duration::from_millis(*ms),
                Action::Gather { requests } => injection.gather = Some((*requests, rule.pattern.clone())),
                action => injection.action = Some(action.clone()),
            }
        }
        self.rules.retain(|rule| rule.times != Times::Count(0));
        injection
    }
}

impl Pattern {
    fn matches(&self, method: &str, path: &str, operation: &str, body: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_ref().is_none_or(|part| path.contains(part.as_str()))
            && self.operation.as_ref().is_none_or(|wanted| wanted == operation)
            && self.body_contains.as_ref().is_none_or(|part| body.contains(part.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_used_up_after_its_times() {
        let mut knobs = Knobs { latency_ms: 0, rules: vec![Rule::once(Pattern::default(), Action::FailBefore)] };
        assert_eq!(knobs.decide("GET", "/", "", "").action, Some(Action::FailBefore));
        assert_eq!(knobs.decide("GET", "/", "", "").action, None);
        assert!(knobs.rules.is_empty());
    }

    #[test]
    fn every_condition_of_a_rule_must_hold() {
        let pattern = Pattern {
            method: Some("put".to_owned()),
            path_contains: Some("ims".to_owned()),
            operation: None,
            body_contains: Some("1206".to_owned()),
        };
        assert!(pattern.matches("PUT", "/ims_subscriber/", "", "{\"msisdn\":\"1206\"}"));
        assert!(!pattern.matches("PATCH", "/ims_subscriber/", "", "1206"));
        assert!(!pattern.matches("PUT", "/subscriber/", "", "1206"));
        assert!(!pattern.matches("PUT", "/ims_subscriber/", "", "1207"));
    }

    #[test]
    fn delays_add_up_and_go_with_one_other_rule() {
        let mut knobs = Knobs {
            latency_ms: 1,
            rules: vec![
                Rule::always(Pattern::default(), Action::Delay { ms: 2 }),
                Rule::always(Pattern::default(), Action::FailAfter),
                Rule::always(Pattern::default(), Action::FailBefore),
                Rule::always(Pattern::default(), Action::Delay { ms: 4 }),
            ],
        };
        let injection = knobs.decide("GET", "/", "", "");
        assert_eq!((injection.delay, injection.action), (Duration::from_millis(7), Some(Action::FailAfter)));
    }

    #[test]
    fn times_is_a_number_or_forever() {
        let read = |json: Value| serde_json::from_value::<Times>(json);
        assert_eq!(read(3.into()).unwrap(), Times::Count(3));
        assert_eq!(read("forever".into()).unwrap(), Times::Forever);
        assert!(read("always".into()).is_err());
        assert_eq!(serde_json::to_value(Times::Forever).unwrap(), Value::from("forever"));
    }
}
