//! Telling what is new: a log line, a count, and a CloudEvent to the webhook where one is configured.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::Timestamp;
use interlock_domain::sweep::{Cause, Finding, News};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::{Sweeper, gauges};
use crate::fault::with_causes;
use crate::metrics::MetricName;

/// How long the webhook may take to take an alert.
const WEBHOOK_LIMIT: Duration = Duration::from_secs(5);
/// How often an alert is posted until it is taken.
const POSTED_MAX: usize = 3;

/// Whether something began or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Raised,
    Cleared,
}

impl Change {
    /// The CloudEvents type.
    fn event_type(self) -> &'static str {
        match self {
            Self::Raised => "interlock.alert.raised",
            Self::Cleared => "interlock.alert.cleared",
        }
    }
}

impl Sweeper {
    /// Tells what is new, and how many there are of each cause.
    pub async fn announce(&self, news: &News) {
        for cause in Cause::ALL {
            let standing = u32::try_from(news.standing.get(&cause).copied().unwrap_or(0)).unwrap_or(u32::MAX);
            let labels = [("cause", cause.code().as_str()), ("namespace", self.namespace.as_str())];
            self.metrics.gauge(MetricName::SweepFindings, f64::from(standing), &labels);
        }
        if let Some(tally) = &news.tally {
            gauges::show(&self.metrics, &self.namespace, tally);
        }
        let now = Timestamp(chrono::Utc::now().timestamp_millis());
        let namespace = [("namespace", self.namespace.as_str())];
        self.metrics.gauge(MetricName::SweepTime, gauges::seconds(now), &namespace);
        for finding in &news.raised {
            self.metrics.count(MetricName::AlertsRaised, &[("cause", finding.cause.code().as_str())]);
            log(Change::Raised, finding);
            self.post(Change::Raised, finding).await;
        }
        for finding in &news.cleared {
            self.metrics.count(MetricName::AlertsCleared, &[("cause", finding.cause.code().as_str())]);
            log(Change::Cleared, finding);
            self.post(Change::Cleared, finding).await;
        }
    }

    /// Posts an alert, where there is somebody to post to. One that is not taken is in the log.
    async fn post(&self, change: Change, finding: &Finding) {
        let Some(webhook) = &self.installation.settings.alerts.webhook else { return };
        let event = cloud_event(&self.namespace, change, finding);
        let posted = (|| post(webhook, &event)).retry(ExponentialBuilder::default().with_max_times(POSTED_MAX - 1));
        if let Err(error) = posted.await {
            let code = ErrorCode::AlertUndelivered;
            tracing::warn!(%code, alert = %finding.key(), error = %with_causes(&error), "an alert was not taken");
        }
    }
}

async fn post(webhook: &Url, event: &Value) -> Result<(), reqwest::Error> {
    interlock_adapters::install_crypto_provider();
    let client = reqwest::Client::builder().timeout(WEBHOOK_LIMIT).build()?;
    let request = client.post(webhook.clone()).header("content-type", "application/cloudevents+json");
    request.body(event.to_string()).send().await?.error_for_status().map(|_| ())
}

/// What people and programs are told of a finding.
pub(crate) fn told(finding: &Finding) -> Value {
    json!({
        "code": finding.cause.code(),
        "tenant_id": finding.tenant,
        "order_id": finding.order,
        "resource": finding.resource,
        "target": finding.target,
        "since": finding.since.to_rfc3339(),
        "detail": finding.detail,
        "next": finding.cause.code().next(),
    })
}

/// An alert as a CloudEvent: the same again has the same id.
fn cloud_event(namespace: &str, change: Change, finding: &Finding) -> Value {
    let name = format!("{} {} {}", change.event_type(), finding.key(), finding.since.0);
    json!({
        "specversion": "1.0",
        "id": Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        "source": format!("/interlock/{namespace}/sweep"),
        "type": change.event_type(),
        "subject": finding.key(),
        "time": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "datacontenttype": "application/json",
        "data": told(finding),
    })
}

fn log(change: Change, finding: &Finding) {
    let code = finding.cause.code();
    let text = |value: Option<String>| value.unwrap_or_default();
    let tenant = text(finding.tenant.as_ref().map(ToString::to_string));
    let order = text(finding.order.as_ref().map(ToString::to_string));
    let resource = text(finding.resource.as_ref().map(ToString::to_string));
    let target = text(finding.target.as_ref().map(ToString::to_string));
    let (since, detail) = (finding.since.to_rfc3339(), &finding.detail);
    match change {
        Change::Raised => tracing::warn!(%code, tenant, order, resource, target, since, detail, "alert raised"),
        Change::Cleared => tracing::info!(%code, tenant, order, resource, target, since, "alert cleared"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_a_cloud_event_with_the_same_id_each_time_it_is_posted() {
        let finding = Finding {
            cause: Cause::TargetParked,
            tenant: None,
            order: None,
            resource: None,
            target: Some("hss".parse().unwrap()),
            since: Timestamp(1_795_000_000_000),
            detail: "It is down.".to_owned(),
        };
        let event = cloud_event("default", Change::Raised, &finding);
        assert_eq!(event["type"], "interlock.alert.raised");
        assert_eq!((&event["data"]["code"], &event["data"]["target"]), (&"target_parked".into(), &"hss".into()));
        assert_eq!(event["id"], cloud_event("default", Change::Raised, &finding)["id"]);
        assert_ne!(event["id"], cloud_event("default", Change::Cleared, &finding)["id"]);
    }
}
