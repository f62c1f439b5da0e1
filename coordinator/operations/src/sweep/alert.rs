//! Reports what is new: a log line, a count, and a CloudEvent to the webhook if one is configured.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::sweep::{Finding, News};
use interlock_domain::views::FindingView;
use interlock_observability::metrics::MetricName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temporalio_common::data_converters::PayloadConversionError;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use uuid::Uuid;

use super::activities::interrupted;
use super::webhook::{NotTaken, Webhook};
use super::{Sweeper, gauges};

/// For how long alerts are posted: half of the time of an attempt. Alerts that are not posted by then are only in the log.
const POSTING_TIME: Duration = Duration::from_mins(1);
/// How often an attempt reports its progress.
const SIGN_EVERY: Duration = Duration::from_secs(2);

/// The progress of reporting; the next attempt continues there.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Told {
    /// Whether everything was logged and counted.
    logged: bool,
    /// How many alerts were posted, or given up, from the first.
    posted: usize,
}

/// Whether a finding is new or over.
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
    /// Reports what is new, and how many findings there are of each cause. If the webhook does not accept alerts, the sweep
    /// continues: they are logged, and counted as undelivered.
    ///
    /// # Errors
    /// A retryable failure if this worker is stopped before all were posted: the next attempt continues there.
    pub(super) async fn announce(&self, context: &ActivityContext, news: &News) -> Result<(), ActivityError> {
        gauges::show(&self.metrics, &self.namespace, news);
        let raised = news.raised.iter().map(|finding| (Change::Raised, finding));
        let cleared = news.cleared.iter().map(|finding| (Change::Cleared, finding));
        let of_leases = [(Change::Raised, &news.leases.raised), (Change::Cleared, &news.leases.cleared)];
        let of_leases: Vec<(Change, Finding)> = of_leases
            .into_iter()
            .flat_map(|(change, suspects)| suspects.iter().map(move |suspect| (change, suspect.finding())))
            .collect();
        let of_leases = of_leases.iter().map(|(change, finding)| (*change, finding));
        let misplaced = [(Change::Raised, &news.misplaced.raised), (Change::Cleared, &news.misplaced.cleared)];
        let misplaced: Vec<(Change, Finding)> = misplaced
            .into_iter()
            .flat_map(|(change, runs)| runs.iter().map(move |run| (change, run.finding())))
            .collect();
        let misplaced = misplaced.iter().map(|(change, finding)| (*change, finding));
        let alerts: Vec<(Change, &Finding)> = raised.chain(cleared).chain(of_leases).chain(misplaced).collect();
        let mut told = told_before(context);
        if !told.logged {
            for (change, finding) in &alerts {
                self.note(*change, finding);
            }
            if !news.left_out.is_empty() {
                tracing::warn!(left_out = ?news.left_out, "a sweep found more than it can remember");
            }
            self.count_differences(&news.leases);
            told.logged = true;
            say(context, told).await;
        }
        match &self.webhook {
            Some(webhook) => self.post(context, webhook, &alerts, told).await,
            None => Ok(()),
        }
    }

    /// Logs and counts an alert.
    fn note(&self, change: Change, finding: &Finding) {
        let name = match change {
            Change::Raised => MetricName::AlertsRaised,
            Change::Cleared => MetricName::AlertsCleared,
        };
        self.metrics.count(name, &[("cause", finding.cause.code().as_str())]);
        log(change, finding);
    }

    /// Posts the alerts that were not posted yet.
    async fn post(
        &self,
        context: &ActivityContext,
        webhook: &Webhook,
        alerts: &[(Change, &Finding)],
        mut told: Told,
    ) -> Result<(), ActivityError> {
        let until = Instant::now() + POSTING_TIME;
        let left = alerts.get(told.posted..).unwrap_or_default();
        let events: Vec<Value> =
            left.iter().map(|(change, finding)| cloud_event(&self.namespace, *change, finding)).collect();
        let mut posted = std::pin::pin!(webhook.post_all(events, until, context.cancelled()));
        let mut signs = tokio::time::interval(SIGN_EVERY);
        loop {
            tokio::select! {
                taken = posted.next() => match (taken, alerts.get(told.posted)) {
                    (Some(taken), Some((_, finding))) => {
                        taken.unwrap_or_else(|why| self.not_taken(finding, &why));
                        told.posted += 1;
                    }
                    _ => break,
                },
                _ = signs.tick() => say(context, told).await,
            }
        }
        say(context, told).await;
        if told.posted < alerts.len() {
            return Err(interrupted("The worker is shutting down, and not all alerts were posted."));
        }
        Ok(())
    }

    fn not_taken(&self, finding: &Finding, why: &NotTaken) {
        self.metrics.count(MetricName::AlertsUndelivered, &[("cause", finding.cause.code().as_str())]);
        tracing::warn!(code = %ErrorCode::AlertUndelivered, alert = %finding.key(), error = %why, "the webhook did not accept an alert");
    }
}

/// Reports that the attempt is alive, and its progress.
async fn say(context: &ActivityContext, told: Told) {
    let said: Result<(), PayloadConversionError> = context.record_heartbeat(Some(told)).await;
    if let Err(error) = said {
        tracing::error!(%error, "cannot write a heartbeat");
    }
}

/// The progress of earlier attempts.
fn told_before(context: &ActivityContext) -> Told {
    match context.heartbeat_details().deserialize::<Option<Told>>() {
        Ok(told) => told.flatten().unwrap_or_default(),
        Err(error) => {
            // All may be reported again.
            tracing::warn!(%error, "cannot read the heartbeat of the previous attempt");
            Told::default()
        }
    }
}

/// An alert as a CloudEvent: repeating it gives the same id.
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
        "data": FindingView::from(finding),
    })
}

fn log(change: Change, finding: &Finding) {
    let code = finding.cause.code();
    let text = |value: Option<String>| value.unwrap_or_default();
    let tenant = text(finding.tenant.as_ref().map(ToString::to_string));
    let customer = text(finding.customer.as_ref().map(ToString::to_string));
    let order = text(finding.order.as_ref().map(ToString::to_string));
    let resource = text(finding.resource.as_ref().map(ToString::to_string));
    let target = text(finding.target.as_ref().map(ToString::to_string));
    let (since, detail) = (finding.since.to_rfc3339(), &finding.detail);
    match change {
        Change::Raised => {
            tracing::warn!(%code, tenant, customer, order, resource, target, since, detail, "alert raised");
        }
        Change::Cleared => {
            tracing::info!(%code, tenant, customer, order, resource, target, since, "alert cleared");
        }
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::ids::Timestamp;
    use interlock_domain::sweep::Cause;

    use super::*;

    #[test]
    fn an_alert_is_a_cloud_event_with_the_same_id_each_time_it_is_posted() {
        let finding = Finding {
            cause: Cause::TargetParked,
            tenant: None,
            customer: None,
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
