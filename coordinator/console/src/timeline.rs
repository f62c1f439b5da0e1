//! What happened to an order, as a line of time: what its customer and its resources have kept, oldest first, with idle time collapsed.

use chrono::{DateTime, Utc};
use interlock_domain::customer::{JournalView, OrderView};
use interlock_domain::ids::ResourceId;
use interlock_domain::resource::HistoryView;
use maud::{Markup, html};

use crate::page::Visit;
use crate::show::{ago, duration, resource_link, state};

/// Idle time from this length on is shown as one line, in seconds.
const IDLE_S: u64 = 60;

/// One thing that happened.
struct Happened {
    at: String,
    shown: Markup,
}

/// What is kept about an order: lines of its customer's journal, and of the histories of the resources that it claims.
pub(crate) struct Kept<'a> {
    /// The order.
    pub(crate) order: &'a OrderView,
    /// The journal of its customer.
    pub(crate) journal: &'a [JournalView],
    /// The histories of its resources.
    pub(crate) histories: &'a [(ResourceId, Vec<HistoryView>)],
}

/// The line of time.
pub(crate) fn shown(visit: &Visit, kept: &Kept<'_>) -> Markup {
    let mut happened: Vec<Happened> = Vec::new();
    let of_order = kept.journal.iter().filter(|line| line.entry.order_id.as_ref() == Some(&kept.order.order_id));
    happened.extend(of_order.map(|line| Happened { at: line.at.clone(), shown: of_journal(line) }));
    for (resource, history) in kept.histories {
        let caused = |line: &&HistoryView| {
            let proven = line.proof.as_ref().map(|proof| &proof.order_id);
            line.order_id.as_ref().or(proven) == Some(&kept.order.order_id)
        };
        let lines = history.iter().filter(caused);
        happened.extend(lines.map(|line| Happened { at: line.at.clone(), shown: of_history(visit, resource, line) }));
    }
    if let Some(wait) = kept.order.waiting_for.as_ref().filter(|wait| !wait.since().is_empty()) {
        let shown = html! { "since then it waits for " strong { (wait.kind()) } @if let Some(step) = wait.step() { " in " (step) } };
        happened.push(Happened { at: wait.since().to_owned(), shown });
    }
    // Texts of RFC 3339 in UTC sort as the times do.
    happened.sort_by(|one, other| one.at.cmp(&other.at));
    html! {
        @if happened.is_empty() { p { "Nothing that is kept." } } @else { ol.line {
            @for (place, line) in happened.iter().enumerate() {
                @let idle = place.checked_sub(1).and_then(|before| idle(&happened[before].at, &line.at));
                @if let Some(idle) = idle { li.idle { p.note { (duration(idle)) " in which nothing happened" } } }
                li { p { (ago(&line.at)) " " (line.shown) } }
            }
        } }
    }
}

/// The idle time between two lines, in seconds, if it is long.
fn idle(before: &str, after: &str) -> Option<u64> {
    let read = |time: &str| DateTime::parse_from_rfc3339(time).ok().map(|at| at.with_timezone(&Utc));
    let seconds = (read(after)? - read(before)?).num_seconds();
    u64::try_from(seconds).ok().filter(|seconds| *seconds >= IDLE_S)
}

fn of_journal(line: &JournalView) -> Markup {
    let entry = &line.entry;
    html! {
        strong { (entry.what) }
        @if let Some(code) = &entry.code { " " code { (code) } }
        @if let Some(detail) = &entry.detail { br; (detail) }
        @if let Some(actor) = &entry.actor { br; "By " (actor) @if let Some(reason) = &entry.reason { ": " (reason) } }
    }
}

fn of_history(visit: &Visit, resource: &ResourceId, line: &HistoryView) -> Markup {
    html! {
        (resource_link(visit, resource)) " " (state(line.what.as_str())) ", epoch " (line.epoch)
        @if let Some(step) = line.proof.as_ref().and_then(|proof| proof.step.as_ref()) {
            br; span.note { "Proof: " (step.target) " answered " (step.operation) " with " (step.outcome) }
        }
        @if let Some(detail) = &line.detail { br; (detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_idle_time_is_a_line_of_its_own() {
        let at = |time: &str| format!("2026-01-01T{time}Z");
        assert_eq!(idle(&at("00:00:00"), &at("00:00:59")), None);
        assert_eq!(idle(&at("00:00:00"), &at("02:00:00")), Some(7_200));
        assert_eq!(idle(&at("00:00:10"), &at("00:00:00")), None);
        assert_eq!(idle("", &at("00:00:00")), None);
    }
}
