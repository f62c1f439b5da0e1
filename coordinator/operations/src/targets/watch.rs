//! What a jobs worker does for targets besides running their entities: it sends them the configuration, and shows their states as
//! metrics. The sweep ensures that the entities run.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::target_entity::TargetStateName;
use interlock_domain::views::TargetListed;
use interlock_observability::metrics::{MetricName, Metrics};

use super::Targets;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(15);
/// The value of the limit's metric for no limit.
const NO_LIMIT: f64 = -1.0;

/// Watches all targets, until it is dropped. Failures are logged, and retried at the next look.
pub async fn watch_over(targets: Targets, metrics: Metrics) {
    let configured = (|| targets.configure()).retry(ExponentialBuilder::default().without_max_times());
    let told =
        configured.notify(|error, _| tracing::warn!(%error, "cannot send the configuration to the entity of a target"));
    if let Err(error) = told.await {
        tracing::error!(%error, "the configuration was not sent to the entities of targets in time");
    }
    loop {
        match targets.list().await {
            Ok(views) => views.iter().for_each(|view| show(&metrics, view)),
            Err(error) => tracing::warn!(%error, "cannot read the states of the targets"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Shows the state of a target; for one that does not answer, the metrics keep their last values.
fn show(metrics: &Metrics, listed: &TargetListed) {
    let TargetListed::Answered(view) = listed else { return };
    let target = view.target.as_str();
    for state in TargetStateName::ALL {
        let value = if view.state == *state { 1.0 } else { 0.0 };
        metrics.gauge(MetricName::TargetState, value, &[("target", target), ("state", state.as_str())]);
    }
    let cannot_be_told = view.limit_fault.is_some();
    // No limit and an unknown limit are both null in a view; it is unknown while the server is being told, or cannot be told.
    let is_unknown = cannot_be_told || view.limit_pending;
    let unlimited = if is_unknown { f64::NAN } else { NO_LIMIT };
    metrics.gauge(MetricName::TargetLimit, view.limit.0.map_or(unlimited, f64::from), &[("target", target)]);
    metrics.gauge(MetricName::TargetLimitFault, f64::from(u8::from(cannot_be_told)), &[("target", target)]);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn how_a_target_stands_is_shown_as_metrics() {
        let metrics = Metrics::start().unwrap();
        let show = |view: Value| show(&metrics, &serde_json::from_value(view).unwrap());
        show(json!({"target": "hss", "state": "open", "since": "", "limit": 0.0}));
        show(json!({"target": "crm", "state": "closed", "since": "", "limit": null}));
        let fault = "deadline exceeded";
        let pending = json!({"limit": null, "limit_pending": true, "limit_fault": fault});
        let mut mail = json!({"target": "mail", "state": "open", "since": ""});
        mail.as_object_mut().unwrap().extend(pending.as_object().unwrap().clone());
        show(mail);
        show(json!({"target": "sms", "state": null, "unanswered": {"code": "no_worker", "detail": ""}}));
        let text = metrics.text().await.unwrap();
        let has = |name: &str, labels: [&str; 2], value: &str| {
            text.lines().any(|line| {
                line.starts_with(name) && labels.iter().all(|label| line.contains(label)) && line.ends_with(value)
            })
        };
        assert!(has("interlock_target_state{", ["target=\"hss\"", "state=\"open\""], "} 1"), "{text}");
        assert!(has("interlock_target_state{", ["target=\"hss\"", "state=\"closed\""], "} 0"), "{text}");
        assert!(has("interlock_target_limit{", ["target=\"hss\"", ""], "} 0"), "{text}");
        assert!(has("interlock_target_limit{", ["target=\"crm\"", ""], "} -1"), "{text}");
        assert!(has("interlock_target_limit_fault{", ["target=\"crm\"", ""], "} 0"), "{text}");
        assert!(has("interlock_target_limit_fault{", ["target=\"mail\"", ""], "} 1"), "{text}");
        assert!(has("interlock_target_limit{", ["target=\"mail\"", ""], "} NaN"), "what was told is not known: {text}");
        assert!(!text.contains("target=\"sms\""), "{text}");
    }
}
