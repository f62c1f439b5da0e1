//! The view of a target: what queries return.

use serde::{Deserialize, Serialize};

use super::{Limit, Rate, Target, TargetState, TargetStateName};
use crate::ids::{TargetId, Timestamp};
use crate::wire::WireName;

/// The body of `GET /v1/targets/{name}`. Rates are in requests per second, times in RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetView {
    /// The target.
    pub target: TargetId,
    /// Whether it is called.
    #[cfg_attr(feature = "openapi", schema(value_type = TargetStateName))]
    pub state: WireName<TargetStateName>,
    /// Since when. If it is down, since the outage began, over all its probes.
    pub since: String,
    /// Since when it counts as down, until it is called as often as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_since: Option<String>,
    /// Why it is not called, or less than configured: a person's reason, the reason of the maintenance window, or the failure because of
    /// which it counts as down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who said so, if it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Until when it is paused or in maintenance, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it is probed next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_probe_at: Option<String>,
    /// The limit that the server was last told; null if there is none.
    #[serde(default)]
    pub limit: Limit,
    /// Whether the limit that the state requires still has to reach the server.
    #[serde(default)]
    pub limit_pending: bool,
    /// Why the server could not be told, if the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_fault: Option<String>,
    /// The configured rate; null if there is none.
    #[serde(default)]
    pub configured_rate: Option<Rate>,
    /// The rate that a person set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_to: Option<Rate>,
    /// The result of the last probe.
    #[serde(default)]
    pub last_probe: Option<ProbeView>,
    /// How often in a row a probe found it down, or a ramp failed.
    #[serde(default)]
    pub failures_in_a_row: u32,
    /// The worker processes whose breakers are open.
    #[serde(default)]
    pub breakers: Vec<BreakerView>,
    /// When the next maintenance window begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_maintenance_at: Option<String>,
    /// What happened, oldest first.
    #[serde(default)]
    pub history: Vec<TargetHistoryView>,
    /// Whether no worker polls its queue in a namespace in which it is called, so that calls to it do not start. The workers are those of
    /// its own program if it is external, else Interlock's. Whoever shows the target asks the server for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unserved: bool,
    /// Messages that could not be read since the present run of its entity started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undecodable_messages: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A probe, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProbeView {
    /// When.
    pub at: String,
    /// Whether the target answered.
    pub up: bool,
    /// A sentence for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// An open breaker, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BreakerView {
    /// The worker process.
    pub process: String,
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
}

/// A line of the history, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetHistoryView {
    /// When.
    pub at: String,
    /// What.
    pub what: String,
    /// Who, if it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// A sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Target {
    /// The state of the target, as queries return it.
    pub fn view(&self) -> TargetView {
        let (until, next_probe_at) = match &self.state {
            TargetState::Open { probe_at } => (None, Some(*probe_at)),
            TargetState::Maintenance { until } => (Some(*until), None),
            TargetState::Paused { until, .. } => (*until, None),
            TargetState::Closed | TargetState::Probing | TargetState::Ramping { .. } => (None, None),
        };
        let probe = |probe: &super::LastProbe| ProbeView {
            at: probe.at.to_rfc3339(),
            up: probe.up,
            detail: probe.detail.clone(),
        };
        let (reason, actor) = self.because();
        let since = match self.state {
            TargetState::Open { .. } | TargetState::Probing => self.down_since.unwrap_or(self.since),
            _ => self.since,
        };
        TargetView {
            target: self.name.clone(),
            state: self.state.name().into(),
            since: since.to_rfc3339(),
            down_since: self.down_since.map(Timestamp::to_rfc3339),
            reason: reason.filter(|reason| !reason.is_empty()),
            actor,
            until: until.map(Timestamp::to_rfc3339),
            next_probe_at: next_probe_at.map(Timestamp::to_rfc3339),
            limit: self.told.unwrap_or(Limit::NONE),
            limit_pending: self.told != self.wanted() || self.telling.is_some() || self.tell_anew,
            limit_fault: self.told_in_vain.clone(),
            configured_rate: self.rules.rate,
            limited_to: self.limited.as_ref().map(|limited| limited.rate),
            last_probe: self.last_probe.as_ref().map(probe),
            failures_in_a_row: self.failures_in_a_row,
            breakers: self
                .open_breakers
                .iter()
                .map(|(process, breaker)| BreakerView {
                    process: process.clone(),
                    since: breaker.since.to_rfc3339(),
                    reason: breaker.reason.clone(),
                })
                .collect(),
            next_maintenance_at: self.next_maintenance(self.seen_at).map(Timestamp::to_rfc3339),
            history: self
                .history
                .iter()
                .map(|entry| TargetHistoryView {
                    at: entry.at.to_rfc3339(),
                    what: entry.what.clone(),
                    who: entry.who.clone(),
                    detail: entry.detail.clone(),
                })
                .collect(),
            unserved: false,
            undecodable_messages: 0,
        }
    }

    /// Why it is in its state, and who caused that.
    fn because(&self) -> (Option<String>, Option<String>) {
        match &self.state {
            TargetState::Paused { actor, reason, .. } => (Some(reason.clone()), Some(actor.clone())),
            TargetState::Maintenance { .. } => (self.maintenance_now(self.seen_at).map(|(_, reason)| reason), None),
            TargetState::Open { .. } | TargetState::Probing | TargetState::Ramping { .. } => (self.failure(), None),
            TargetState::Closed => {
                let limited = self.limited.as_ref();
                (limited.map(|limited| limited.reason.clone()), limited.map(|limited| limited.actor.clone()))
            }
        }
    }

    /// The failure because of which it counts as down, or is still in a ramp.
    fn failure(&self) -> Option<String> {
        let since_it_was_well = self.history.iter().rev().take_while(|entry| {
            !matches!(entry.what.as_str(), "closed" | "began" | "resumed" | "pause_over" | "maintenance_over")
        });
        let mut failures = since_it_was_well.filter(|entry| matches!(entry.what.as_str(), "opened" | "reopened"));
        let probed = self.last_probe.as_ref().filter(|probe| !probe.up).map(|probe| probe.detail.clone());
        failures.next().and_then(|entry| entry.detail.clone()).or(probed)
    }
}
