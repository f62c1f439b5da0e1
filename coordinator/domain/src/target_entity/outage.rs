//! Automatic changes: outages, probes, ramps and maintenance windows.

use super::limit::ramp_rate;
use super::{
    BreakerReport, BreakerTransition, Finding, LastProbe, LimitRecord, Limited, OPEN_BREAKERS_MAX, OpenBreaker,
    ProbeAnswer, ProbeCourse, Target, TargetRules, TargetState,
};
use crate::ids::Timestamp;
use crate::kept_text::kept;

/// For how many times the breaker's open time a process still counts as failing if it sends no further report.
const OPENINGS_HEARD: u64 = 12;

/// The longest name of a process, in bytes: it is kept while its breaker is open.
const PROCESS_BYTES_MAX: usize = 250;

impl Target {
    pub(super) fn configured(&mut self, now: Timestamp, rules: TargetRules) {
        if rules != self.rules {
            self.rules = rules;
            self.note(now, "configured", None, None);
        }
        self.tell_anew = true;
        self.tell_again_at = None;
    }

    pub(super) fn reported(&mut self, now: Timestamp, report: BreakerReport) {
        match report.transition {
            BreakerTransition::Opened if report.process.len() > PROCESS_BYTES_MAX => {}
            BreakerTransition::Opened => {
                let report = BreakerReport { reason: kept(report.reason), ..report };
                let opened = OpenBreaker { since: now, reason: report.reason.clone() };
                self.open_breakers.insert(report.process, opened);
                self.forget_oldest_breaker();
                self.failing(now, report.reason);
            }
            BreakerTransition::Closed => {
                self.open_breakers.remove(&report.process);
            }
        }
    }

    fn forget_oldest_breaker(&mut self) {
        if self.open_breakers.len() > OPEN_BREAKERS_MAX {
            let oldest = self.open_breakers.iter().min_by_key(|(_, breaker)| breaker.since);
            if let Some(process) = oldest.map(|(process, _)| process.clone()) {
                self.open_breakers.remove(&process);
            }
        }
    }

    /// Calls are failing.
    fn failing(&mut self, now: Timestamp, reason: String) {
        match self.state {
            // During a ramp, one failing process is enough.
            TargetState::Ramping { .. } => self.open(now, "reopened", reason),
            TargetState::Closed if self.processes_failing(now) >= self.rules.open_processes as usize => {
                self.open(now, "opened", reason);
            }
            // The running probe will show it; a parked target stays parked.
            _ => {}
        }
    }

    /// How many processes report that it fails. A breaker that keeps opening is reported each time; a process without a recent
    /// report may be gone.
    fn processes_failing(&self, now: Timestamp) -> usize {
        let heard_ms = self.rules.breaker_open_ms.saturating_mul(OPENINGS_HEARD);
        self.open_breakers.values().filter(|breaker| breaker.since.plus_ms(heard_ms) >= now).count()
    }

    fn open(&mut self, now: Timestamp, what: &str, reason: String) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.down(now);
        self.note(now, what, None, Some(reason));
    }

    /// It is down, and is probed after the back-off.
    fn down(&mut self, now: Timestamp) {
        self.down_since.get_or_insert(now);
        self.enter(now, TargetState::Open { probe_at: now.plus_ms(self.back_off_ms()) });
    }

    /// How long to wait before the next probe: it doubles with each failure in a row, up to the cap.
    fn back_off_ms(&self) -> u64 {
        let doublings = self.failures_in_a_row.saturating_sub(1).min(32);
        self.rules.probe_first_ms.saturating_mul(1 << doublings).min(self.rules.probe_cap_ms)
    }

    pub(super) fn probed(&mut self, now: Timestamp, answer: ProbeAnswer) {
        let is_of_use = std::mem::take(&mut self.probe) == ProbeCourse::UnderWay;
        let was_asked = !matches!(answer.finding, Finding::NotAsked { .. });
        let (up, detail) = match answer.finding {
            Finding::Up => (true, String::new()),
            Finding::CannotTell { detail } => (true, kept(detail)),
            Finding::Down { detail } | Finding::NotAsked { detail } => (false, kept(detail)),
        };
        self.last_probe = Some(LastProbe { at: now, up, detail: detail.clone() });
        self.read_note(answer.stands.as_ref());
        if !is_of_use || self.state != TargetState::Probing {
            return;
        }
        if self.fresh && !was_asked {
            // There is no evidence against it: its queue keeps its limit.
            self.ask_again_at = Some(now.plus_ms(self.rules.probe_first_ms));
            return;
        }
        if self.fresh {
            return self.begun(now, up, detail, answer.stands);
        }
        if up {
            self.ramp(now);
        } else {
            // An outage of days is one line in the history, not one for each probe.
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            self.down(now);
        }
    }

    /// Reads what an earlier life of this entity stored with the limit on the server: a limit that a person set still applies.
    fn read_note(&mut self, record: Option<&LimitRecord>) {
        // If nothing is known yet, it is asked again; but a person's order does not wait for that.
        if record.is_none() && self.fresh {
            return;
        }
        let unread = std::mem::take(&mut self.note_unread);
        if let (true, None, Some(record)) = (unread, &self.limited, record)
            && let Some(rate) = record.limited_to
        {
            let (actor, reason) = person_of(record);
            self.limited = Some(Limited { rate, actor, reason });
        }
    }

    /// The first thing that this life of the entity knows. What a person ordered in an earlier life still applies.
    fn begun(&mut self, now: Timestamp, up: bool, detail: String, stands: Option<LimitRecord>) {
        self.fresh = false;
        self.note(now, "began", None, None);
        if let Some(record) = stands.as_ref().filter(|record| record.state == "paused") {
            let (actor, reason) = person_of(record);
            self.note(now, "still_paused", Some(actor.clone()), Some(reason.clone()));
            self.enter(now, TargetState::Paused { until: record.until, actor, reason });
            return;
        }
        if !up {
            return self.open(now, "opened", detail);
        }
        let lets_all_through = stands.is_some_and(|record| record.limit.is_at_least(self.rate()));
        if lets_all_through && self.open_breakers.is_empty() {
            self.enter(now, TargetState::Closed);
        } else {
            self.ramp(now);
        }
    }

    pub(super) fn ramp(&mut self, now: Timestamp) {
        self.enter(now, TargetState::Ramping { stage: 0, next_at: now.plus_ms(self.rules.ramp_stage_ms) });
        self.note_stage(now);
    }

    fn note_stage(&mut self, now: Timestamp) {
        let rate = self.wanted().and_then(|limit| limit.0).map(|rate| format!("{} per second", rate.get()));
        self.note(now, "ramping", None, rate);
    }

    fn close(&mut self, now: Timestamp) {
        self.failures_in_a_row = 0;
        self.down_since = None;
        // What the breakers of ended processes reported no longer matters.
        self.open_breakers.clear();
        self.enter(now, TargetState::Closed);
        self.note(now, "closed", None, None);
    }

    pub(super) fn probe_now(&mut self, now: Timestamp) {
        self.enter(now, TargetState::Probing);
    }

    /// Applies all state changes that are due by now.
    pub(super) fn keep_time(&mut self, now: Timestamp) {
        if self.fresh {
            return;
        }
        match self.state {
            TargetState::Paused { until: Some(until), .. } if until <= now => {
                self.note(now, "pause_over", None, None);
                self.probe_now(now);
            }
            TargetState::Maintenance { until } if until <= now => {
                self.note(now, "maintenance_over", None, None);
                self.probe_now(now);
            }
            _ => {}
        }
        if let Some((until, reason)) = self.maintenance_now(now)
            && !matches!(self.state, TargetState::Paused { .. })
        {
            if !matches!(self.state, TargetState::Maintenance { .. }) {
                self.note(now, "maintenance", None, Some(reason));
            }
            self.enter(now, TargetState::Maintenance { until });
        } else if matches!(self.state, TargetState::Maintenance { .. }) {
            // The configured windows changed, or a person ended the window early.
            self.note(now, "maintenance_over", None, None);
            self.probe_now(now);
        }
        match self.state {
            TargetState::Open { probe_at } if probe_at <= now => self.probe_now(now),
            TargetState::Ramping { stage, next_at } if next_at <= now && self.told == self.wanted() => {
                if self.is_last_stage(stage) {
                    self.close(now);
                } else {
                    let next_at = now.plus_ms(self.rules.ramp_stage_ms);
                    self.enter(now, TargetState::Ramping { stage: stage.saturating_add(1), next_at });
                    self.note_stage(now);
                }
            }
            _ => {}
        }
    }

    fn is_last_stage(&self, stage: u32) -> bool {
        let top = self.rate().0.unwrap_or(self.rules.ramp_top);
        ramp_rate(stage) >= top
    }

    /// The end and reason of the maintenance window that `now` is in; the latest end if there are several.
    pub(super) fn maintenance_now(&self, now: Timestamp) -> Option<(Timestamp, String)> {
        let ends = self.rules.maintenance.iter().filter_map(|window| Some((window.ends_after(now)?, &window.reason)));
        let (until, reason) = ends.max_by_key(|(end, _)| *end)?;
        (self.maintenance_left_until != Some(until)).then(|| (until, reason.clone()))
    }

    pub(super) fn next_maintenance(&self, now: Timestamp) -> Option<Timestamp> {
        if matches!(self.state, TargetState::Paused { .. } | TargetState::Maintenance { .. }) {
            return None;
        }
        self.rules.maintenance.iter().filter_map(|window| window.begins_after(now)).min()
    }
}

/// Who set a stored limit, and why.
fn person_of(record: &LimitRecord) -> (String, String) {
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    (said(&record.actor), said(&record.reason))
}
