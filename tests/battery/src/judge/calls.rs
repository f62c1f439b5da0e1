//! P4 to P6: what the targets were asked, and how often.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use interlock_adapters::sandbox::{Applied, Effect};

use super::turns::services;
use super::{Evidence, Verdict};
use crate::faults::Away;

/// Windows that are shorter prove nothing.
const WINDOW_SECONDS_MIN: i64 = 15;
/// The most requests that a target gets in the second half of its absence: those are probes, and the first calls of new workers.
const PROBES_MAX: usize = 40;

/// Each recognisable change took effect once, and no account got a number that it had.
pub(super) fn once(evidence: &Evidence<'_>) -> Verdict {
    let mut changes = 0;
    let mut violations = Vec::new();
    let logs = [("hss-east", &evidence.logs.hss[0]), ("hss-west", &evidence.logs.hss[1]), ("crm", &evidence.logs.crm)];
    for (target, log) in logs {
        for (token, places) in services(log) {
            changes += 1;
            if places.len() > 1 {
                violations.push(format!("{target}: change {} took effect in entries {places:?}", token.0));
            }
        }
    }
    let mut sent: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in &evidence.logs.sms {
        if let Effect::SmsSent { message, .. } = &entry.effect
            && let Some(kind) = message.get("kind").and_then(serde_json::Value::as_str)
            && kind.starts_with("token-")
        {
            sent.entry(kind).or_default().push(entry.seq);
        }
    }
    for (kind, places) in sent {
        changes += 1;
        if places.len() > 1 {
            violations.push(format!("notify: text message {kind} was sent in entries {places:?}"));
        }
    }
    let mut accounts: BTreeSet<(&str, &str)> = BTreeSet::new();
    for entry in &evidence.logs.crm {
        match &entry.effect {
            Effect::NumberAdded { account, msisdn } => {
                changes += 1;
                if !accounts.insert((account, msisdn)) {
                    violations.push(format!("crm: entry {} adds {msisdn} to {account}, which has it", entry.seq));
                }
            }
            Effect::NumberRemoved { account, msisdn } => {
                accounts.remove(&(account.as_str(), msisdn.as_str()));
            }
            Effect::NumberChanged { account, old_msisdn, new_msisdn } => {
                accounts.remove(&(account.as_str(), old_msisdn.as_str()));
                accounts.insert((account, new_msisdn));
            }
            _ => {}
        }
    }
    Verdict { violations, ..Verdict::new("P4 once", format!("{changes} changes that can be recognised")) }
}

fn windows<'e>(evidence: &'e Evidence<'_>) -> Vec<&'e Away> {
    let is_long = |away: &&Away| away.was_alone && (away.to - away.from).num_seconds() >= WINDOW_SECONDS_MIN;
    evidence.done.away.iter().filter(is_long).collect()
}

fn is_within(at: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    DateTime::parse_from_rfc3339(at).is_ok_and(|at| from <= at && at <= to)
}

/// While one target is away and nothing else is disturbed, the other tenant's HSS, or both, go on.
pub(super) fn isolation(evidence: &Evidence<'_>) -> Verdict {
    let windows = windows(evidence);
    let mut verdict = Verdict::new("P5 isolation", format!("{} absences of a target", windows.len()));
    for away in windows {
        for (name, log) in [("hss-east", &evidence.logs.hss[0]), ("hss-west", &evidence.logs.hss[1])] {
            let goes_on = |entry: &&Applied| is_within(&entry.at, away.from, away.to);
            if name != away.target && !log.iter().any(|entry| goes_on(&entry)) {
                verdict.violated(format!(
                    "nothing happened at {name} while {} was away, {} to {}",
                    away.target, away.from, away.to
                ));
            }
        }
    }
    verdict
}

/// A target that is away is only probed.
pub(super) fn waiting_is_free(evidence: &Evidence<'_>) -> Verdict {
    let windows = windows(evidence);
    let mut verdict = Verdict::new("P6 waiting is free", format!("{} absences of a target", windows.len()));
    for away in windows {
        let half = away.from + (away.to - away.from) / 2;
        let of_target = evidence.stage.targets.all().into_iter().find(|(name, _)| *name == away.target);
        let received = of_target.map(|(_, sandbox)| sandbox.received()).unwrap_or_default();
        let asked = received.iter().filter(|request| is_within(&request.at, half, away.to)).count();
        if asked > PROBES_MAX {
            verdict.violated(format!(
                "{} was asked {asked} times between {half} and {} while it was away",
                away.target, away.to
            ));
        }
    }
    verdict
}
