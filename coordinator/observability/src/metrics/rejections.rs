//! Rejected events, counted by code. The counts start at 0 with the process: Prometheus sees no increase in a counter that
//! appears with the first burst already in it.

use interlock_domain::error_code::{ErrorCode, ErrorGroup, ReasonCode};

use super::{MetricName, Metrics};

/// The label for a code that is not in the catalogue: a target's, or another build's.
const CODE_OTHER: &str = "other";

/// Codes of other chapters of the catalogue with which an event may be rejected.
const BESIDE: [ErrorCode; 5] = [
    ErrorCode::Expired,
    ErrorCode::TemporalRefused,
    ErrorCode::TenantClosed,
    ErrorCode::EventTypeNotMapped,
    ErrorCode::EventNotMapped,
];

/// Where an event is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectedAt {
    /// At the gateway: the producer gets the reason.
    Gateway,
    /// At the customer's entity.
    Entity,
}

impl RejectedAt {
    /// The value of the label `at`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Entity => "entity",
        }
    }
}

/// Shows a count of 0 for every code with which an event can be rejected there.
pub fn begin(metrics: &Metrics, at: RejectedAt) {
    let of_chapter = ErrorCode::ALL.iter().filter(|code| code.group() == ErrorGroup::Rejection);
    let codes = of_chapter.chain(&BESIDE).map(|code| code.as_str());
    for code in codes.chain([CODE_OTHER]) {
        metrics.begin(MetricName::EventsRejected, &labels(code, at));
    }
}

/// Counts one.
pub fn count(metrics: &Metrics, code: &ReasonCode, at: RejectedAt) {
    let code = code.known().map_or(CODE_OTHER, ErrorCode::as_str);
    metrics.count(MetricName::EventsRejected, &labels(code, at));
}

fn labels(code: &'static str, at: RejectedAt) -> [(&'static str, &'static str); 2] {
    [("code", code), ("at", at.as_str())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count of a code at entities, if one is shown.
    async fn shown(metrics: &Metrics, code: &str) -> Option<String> {
        let text = metrics.text().await.unwrap();
        let is_it = |line: &&str| {
            line.starts_with("interlock_events_rejected_total{")
                && line.contains("at=\"entity\"")
                && line.contains(&format!("code=\"{code}\""))
        };
        text.lines().find(is_it)?.rsplit(' ').next().map(str::to_owned)
    }

    #[tokio::test]
    async fn what_can_be_rejected_is_shown_as_0_before_it_was() {
        let metrics = Metrics::start().unwrap();
        assert_eq!(shown(&metrics, "backlog_full").await, None);
        begin(&metrics, RejectedAt::Entity);
        for code in ["backlog_full", "queue_full", "too_old", "tenant_closed", "other"] {
            assert_eq!(shown(&metrics, code).await.as_deref(), Some("0"), "{code}");
        }
        assert_eq!(shown(&metrics, "wrong_use").await, None, "no event is rejected by it");
        let code = ReasonCode::from(ErrorCode::BacklogFull);
        count(&metrics, &code, RejectedAt::Entity);
        assert_eq!(shown(&metrics, "backlog_full").await.as_deref(), Some("1"));
    }
}
