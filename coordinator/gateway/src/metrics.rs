//! Filters the gateway's metrics by the caller's token. A series without a target is shown to everyone; a series labelled with a target is
//! shown to tokens that may read that target; a series labelled with a task queue, which may be a target's, only to tokens that may read
//! every target.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use interlock_domain::ids::TargetId;
use regex::Regex;

use super::Gateway;
use super::access::Need;
use super::targets;

/// The labels of a series that name a target.
static OF_TARGET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[{,](?<label>target|task_queue)="(?<value>(?:[^"\\]|\\.)*)""#).expect("a constant that is a pattern")
});

impl Gateway {
    /// The lines of metrics (Prometheus' text format) that a caller may see. Without tokens everyone sees all of them.
    pub(super) fn metrics_for(&self, headers: &HeaderMap, text: &str) -> String {
        if self.access.sees_every_target(headers) {
            return text.to_owned();
        }
        shown(text, |target| targets::allowed(self, headers, target, Need::Read).is_ok())
    }
}

fn shown(text: &str, may_see: impl Fn(&TargetId) -> bool) -> String {
    let is_shown = |line: &&str| {
        line.starts_with('#')
            || OF_TARGET.captures_iter(line).all(|found| {
                // A queue may belong to a target, and then its name contains the target's.
                &found["label"] == "target" && found["value"].parse().is_ok_and(|target| may_see(&target))
            })
    };
    text.lines().filter(is_shown).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_targets_that_are_not_the_callers_are_left_out() {
        let text = "# TYPE state gauge\n\
                    state{target=\"hss-east\",state=\"open\"} 1\n\
                    state{state=\"open\",target=\"hss-west\"} 1\n\
                    slots{namespace=\"default\",task_queue=\"provision/hss-west\"} 4\n\
                    events{off_target=\"hss-west\"} 3\n\
                    up 1\n";
        let seen = shown(text, |target| target.as_str() == "hss-east");
        assert_eq!(
            seen,
            "# TYPE state gauge\nstate{target=\"hss-east\",state=\"open\"} 1\nevents{off_target=\"hss-west\"} 3\nup 1\n"
        );
        assert_eq!(shown(text, |_| false).matches("hss-").count(), 1, "only what is no label of a target");
    }
}
