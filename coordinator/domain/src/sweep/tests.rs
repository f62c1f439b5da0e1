//! Which findings follow from what was seen, and that each is reported once.

use super::*;
use crate::customer::waiting::WaitKind;
use crate::ids::{OrderId, ResourceId, TenantId, Timestamp};
use crate::order::OrderState;
use crate::target_entity::TargetStateName;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const RULES: SweepRules = SweepRules { patience_ms: 30_000, parked_ms: 900_000 };

fn tenant() -> TenantId {
    "t".parse().unwrap()
}

fn order(customer: &str) -> OrderId {
    OrderId::derive(&tenant(), &customer.parse().unwrap(), "/crm", "1", None)
}

fn number() -> ResourceId {
    "msisdn/1206".parse().unwrap()
}

fn ago(ms: i64) -> Timestamp {
    Timestamp(NOW.0 - ms)
}

/// An order that has waited for the number for this long.
fn waiting(customer: &str, for_ms: i64) -> WaitingOrder {
    let lease = Some(LeaseWait { resources: vec![number()], since: ago(for_ms) });
    WaitingOrder {
        tenant: tenant(),
        order: order(customer),
        due_at: None,
        state: OrderState::Pending.into(),
        waits_for: "lease".to_owned(),
        wait: None,
        lease,
    }
}

fn seen(orders: Vec<WaitingOrder>, number_is: ResourceSeen) -> Seen {
    Seen { orders, resources: [((tenant(), number()), number_is)].into(), ..Seen::default() }
}

fn running(queue: &[&str], holder: Option<(&str, bool)>) -> ResourceSeen {
    let holder = holder.map(|(customer, runs)| (tenant(), customer.parse().unwrap(), runs));
    ResourceSeen::Running { queue: queue.iter().map(|customer| order(customer)).collect(), holder }
}

fn causes(seen: &Seen) -> Vec<Cause> {
    findings(&RULES, NOW, seen).into_iter().map(|finding| finding.cause).collect()
}

#[test]
fn an_order_past_its_time_is_found_and_one_before_it_is_not() {
    let due = |due_at| WaitingOrder { due_at: Some(due_at), lease: None, ..waiting("A", 0) };
    let orders = vec![due(ago(1))];
    let found = findings(&RULES, NOW, &Seen { orders, ..Seen::default() });
    assert_eq!(
        (found[0].cause, found[0].since, found[0].order.clone()),
        (Cause::OrderOverdue, ago(1), Some(order("A")))
    );
    assert_eq!(causes(&Seen { orders: vec![due(NOW)], ..Seen::default() }), []);
}

#[test]
fn a_wait_that_its_resource_knows_of_is_nothing_to_tell() {
    assert_eq!(causes(&seen(vec![waiting("A", 60_000)], running(&["A"], Some(("B", true))))), []);
}

#[test]
fn a_wait_that_nobody_knows_of_is_found_and_is_said_again() {
    for (number_is, cause) in [
        (running(&[], Some(("B", true))), Cause::TicketForgotten),
        (ResourceSeen::NotRunning, Cause::ResourceNotRunning),
    ] {
        let seen = seen(vec![waiting("A", 60_000)], number_is);
        assert_eq!(causes(&seen), [cause]);
        let expected = (tenant(), "A".parse().unwrap(), number());
        assert_eq!(to_reassert(&RULES, NOW, &seen), [expected].into());
    }
}

#[test]
fn a_wait_whose_messages_may_be_under_way_is_left_alone() {
    let seen = seen(vec![waiting("A", 30_000)], ResourceSeen::NotRunning);
    assert_eq!(causes(&seen), []);
    assert_eq!(to_reassert(&RULES, NOW, &seen), [].into());
}

#[test]
fn a_holder_that_does_not_run_is_found_once_however_many_wait() {
    let orders = vec![waiting("A", 60_000), waiting("C", 90_000)];
    let seen = seen(orders, running(&["A", "C"], Some(("B", false))));
    let found = findings(&RULES, NOW, &seen);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].cause, found[0].since), (Cause::HolderNotRunning, ago(90_000)));
    assert_eq!(to_reassert(&RULES, NOW, &seen), [].into());
}

#[test]
fn a_ring_is_found_once_from_whichever_order_it_was_seen() {
    let ring = |since| RingSeen { orders: [(tenant(), order("A")), (tenant(), order("B"))].into(), since };
    let rings = vec![ring(ago(60_000)), ring(ago(60_000))];
    assert_eq!(causes(&Seen { rings, ..Seen::default() }), [Cause::RingOfWaits]);
    // The ring may be about to break by itself.
    assert_eq!(causes(&Seen { rings: vec![ring(ago(1_000))], ..Seen::default() }), []);
}

#[test]
fn a_target_that_has_not_been_called_for_long_is_found() {
    let target = |is_called, for_ms| TargetSeen {
        target: "hss".parse().unwrap(),
        state: TargetStateName::Open.into(),
        since: ago(for_ms),
        is_called,
    };
    let targets = |targets| Seen { targets, ..Seen::default() };
    assert_eq!(causes(&targets(vec![target(false, 900_001)])), [Cause::TargetParked]);
    assert_eq!(causes(&targets(vec![target(false, 900_000), target(true, 9_000_000)])), []);
}

#[test]
fn findings_of_tenants_whatever_they_are_called_are_told_apart() {
    let of = |tenant: &str, target: &str| Finding {
        tenant: Some(tenant.parse().unwrap()),
        customer: None,
        order: None,
        resource: None,
        target: Some(target.parse().unwrap()),
        ..found("A")
    };
    assert_eq!(of("blue", "hss").key(), of("blue", "hss").key());
    assert_ne!(of("blue", "green hss").key(), of("blue green", "hss").key());
}

fn found(customer: &str) -> Finding {
    let seen = Seen { orders: vec![WaitingOrder { due_at: Some(ago(1)), ..waiting(customer, 0) }], ..Seen::default() };
    findings(&RULES, NOW, &seen).remove(0)
}

fn keys(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| finding.order.as_ref().unwrap().customer().to_string()).collect()
}

#[test]
fn what_was_told_is_not_told_again_and_what_is_gone_is_cleared_once() {
    let mut ledger = Ledger::default();
    let mut sweep = |customers: &[&str]| {
        let news =
            ledger.take(customers.iter().map(|customer| found(customer)).collect(), Tally::default(), &[].into(), None);
        // It travels from sweep to sweep as JSON.
        ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
        (keys(&news.raised), keys(&news.cleared), news.standing.values().sum::<u64>())
    };
    let none = Vec::<String>::new;
    assert_eq!(sweep(&["A"]), (vec!["A".to_owned()], none(), 1));
    assert_eq!(sweep(&["A"]), (none(), none(), 1));
    assert_eq!(sweep(&["A", "B"]), (vec!["B".to_owned()], none(), 2));
    assert_eq!(sweep(&["B"]), (none(), vec!["A".to_owned()], 1));
    assert_eq!(sweep(&["B"]), (none(), none(), 1));
    // It comes back: that is a new finding.
    assert_eq!(sweep(&["A"]), (vec!["A".to_owned()], vec!["B".to_owned()], 1));
}

#[test]
fn what_was_not_looked_at_in_this_sweep_is_not_over() {
    let mut ledger = Ledger::default();
    ledger.take(vec![found("A"), found("B")], Tally::default(), &[].into(), None);
    let part = ledger.take(vec![found("A")], Tally::default(), &[].into(), Some("page 2".to_owned()));
    assert_eq!((part.cleared.len(), ledger.cursor.as_deref()), (0, Some("page 2")));
    let rest = ledger.take(Vec::new(), Tally::default(), &[].into(), None);
    assert_eq!(keys(&rest.cleared), ["B"]);
    assert_eq!(ledger.cursor, None);
}

#[test]
fn what_did_not_answer_is_not_over() {
    let mut ledger = Ledger::default();
    ledger.take(vec![found("A"), found("B")], Tally::default(), &[].into(), None);
    let news = ledger.take(Vec::new(), Tally::default(), &["t A".to_owned()].into(), None);
    assert_eq!((keys(&news.cleared), news.standing.values().sum::<u64>()), (vec!["B".to_owned()], 1));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut ledger = Ledger::default();
    let many: Vec<Finding> = (0..=FINDINGS_MAX).map(|number| found(&format!("C{number}"))).collect();
    let news = ledger.take(many, Tally::default(), &[].into(), None);
    assert_eq!((news.raised.len(), news.standing.values().sum::<u64>()), (FINDINGS_MAX, FINDINGS_MAX as u64));
    // It is the result of a sweep, and the argument of an activity.
    assert!(serde_json::to_vec(&(&ledger, &news)).unwrap().len() < 1024 * 1024);
}

#[test]
fn what_waits_is_counted_over_a_whole_circle_and_told_at_its_end() {
    let wait =
        |at: &str, ms| Wait { cause: WaitKind::Target.into(), target: Some(at.parse().unwrap()), since: ago(ms) };
    let at = |customer, at: &str, ms| WaitingOrder { wait: Some(wait(at, ms)), ..waiting(customer, 0) };
    let counted = |orders: Vec<WaitingOrder>| {
        let mut tally = Tally::default();
        for order in &orders {
            tally.add(order);
        }
        tally
    };
    let mut ledger = Ledger::default();
    let first = counted(vec![at("A", "hss", 10), at("B", "crm", 5)]);
    assert_eq!(ledger.take(Vec::new(), first, &[].into(), Some("page 2".to_owned())).tally, None);
    let rest = counted(vec![at("C", "hss", 20), waiting("D", 0)]);
    let told = ledger.take(Vec::new(), rest, &[].into(), None).tally.unwrap();
    assert_eq!((told.by_state["pending"], told.by_cause["target"]), (4, 3));
    let oldest = |target: &str| told.oldest.iter().find(|wait| wait.target.as_str() == target).unwrap().since;
    assert_eq!((oldest("hss"), oldest("crm")), (ago(20), ago(5)));
    // The next circle counts from 0.
    let next = ledger.take(Vec::new(), Tally::default(), &[].into(), None).tally.unwrap();
    assert_eq!(next, Tally::default());
}

#[test]
fn who_had_the_lease_of_a_terminated_entity_says_so_again_until_somebody_is_known_to_have_it() {
    let terminated =
        |now| TerminatedResource { tenant: tenant(), customer: "A".parse().unwrap(), resource: number(), now };
    let asked = |now| {
        let seen = Seen { terminated: vec![terminated(now)], ..Seen::default() };
        to_reassert(&RULES, NOW, &seen).into_iter().collect::<Vec<_>>()
    };
    let holder = vec![(tenant(), "A".parse().unwrap(), number())];
    assert_eq!(asked(ResourceSeen::NotRunning), holder);
    assert_eq!(asked(running(&["B"], None)), holder);
    assert_eq!(asked(running(&[], Some(("A", true)))), []);
    assert_eq!(asked(running(&[], Some(("B", true)))), []);
}

#[test]
fn a_target_that_fails_again_in_each_ramp_is_in_one_outage() {
    let (outage, since) = (Timestamp(1_000), Timestamp(9_000));
    let seen = |state: TargetStateName, down_since| {
        let seen = TargetSeen::of("hss".parse().unwrap(), state.into(), since, down_since);
        (seen.since, seen.is_called)
    };
    for state in [TargetStateName::Open, TargetStateName::Probing, TargetStateName::Ramping] {
        assert_eq!(seen(state, Some(outage)), (outage, false), "{state:?}");
    }
    assert_eq!(seen(TargetStateName::Ramping, None), (since, true), "after a pause");
    assert_eq!(seen(TargetStateName::Closed, None), (since, true));
    for state in [TargetStateName::Paused, TargetStateName::Maintenance] {
        assert_eq!(seen(state, Some(outage)), (since, false), "{state:?}");
    }
}
