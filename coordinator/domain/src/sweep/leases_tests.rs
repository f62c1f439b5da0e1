//! Which answers are a difference, and when it lasts.

use super::leases::*;
use super::{Cause, SweepRules};
use crate::ids::{CustomerId, Epoch, Incarnation, TenantId, Timestamp};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const RULES: SweepRules = SweepRules { patience_ms: 30_000, parked_ms: 900_000 };
const KEY: &str = "t/resource/msisdn/1206";

fn who(customer: &str) -> (TenantId, CustomerId) {
    ("t".parse().unwrap(), customer.parse().unwrap())
}

fn side(customer: &str, epoch: u64) -> Side {
    let (tenant, customer) = who(customer);
    Side { tenant, customer, epoch: Epoch(epoch) }
}

#[allow(clippy::unnecessary_wraps, reason = "the comparison takes a side that may not have answered")]
fn holder(customer: &str, epoch: u64) -> Option<HolderSaid> {
    Some(HolderSaid { side: side(customer, epoch), incarnation: Some(Incarnation(1)), is_orphan: false })
}

#[allow(clippy::unnecessary_wraps, reason = "the comparison takes a side that may not have answered")]
fn said(epoch: Option<u64>) -> Option<CustomerSaid> {
    Some(CustomerSaid { incarnation: Incarnation(1), epoch: epoch.map(Epoch), under_way: false })
}

fn compared(holder: Option<HolderSaid>, customers: &[(&str, Option<CustomerSaid>)]) -> Compared {
    let customers = customers.iter().map(|(customer, said)| (who(customer), *said)).collect();
    Compared { resource: "msisdn/1206".parse().unwrap(), holder, under_way: false, customers }
}

fn kind(holder: Option<HolderSaid>, customers: &[(&str, Option<CustomerSaid>)]) -> Option<DifferenceKind> {
    difference(&compared(holder, customers)).map(|difference| difference.kind)
}

fn asked(holder: Option<HolderSaid>, customers: &[(&str, Option<CustomerSaid>)]) -> Vec<String> {
    let difference = difference(&compared(holder, customers)).unwrap();
    let mut asked: Vec<String> = difference.to_ask().map(|(_, customer)| customer.to_string()).collect();
    asked.sort();
    asked.dedup();
    asked
}

#[test]
fn nothing_differs_where_both_say_the_same_or_nobody_says_anything() {
    assert_eq!(kind(holder("A", 7), &[("A", said(Some(7)))]), None);
    assert_eq!(kind(None, &[]), None);
    assert_eq!(kind(None, &[("A", said(None))]), None);
    assert_eq!(kind(holder("A", 7), &[]), None, "A did not answer");
    assert_eq!(kind(holder("A", 7), &[("B", said(Some(6)))]), None, "A did not answer");
}

#[test]
fn each_way_in_which_the_two_differ_has_its_name_and_those_who_are_asked() {
    use DifferenceKind::{EpochDiffers, HeldTwice, HolderUnaware, LeaseUnknown, OtherHolder};
    let all = [
        (holder("A", 7), vec![("A", said(None))], HolderUnaware, vec!["A"]),
        (holder("A", 7), vec![("A", said(Some(6)))], EpochDiffers, vec!["A"]),
        (holder("A", 7), vec![("A", said(Some(8)))], EpochDiffers, vec!["A"]),
        (None, vec![("A", said(Some(7)))], LeaseUnknown, vec!["A"]),
        (holder("A", 7), vec![("A", said(None)), ("B", said(Some(8)))], OtherHolder, vec!["A", "B"]),
        (holder("A", 7), vec![("A", said(None)), ("B", said(Some(6)))], OtherHolder, vec!["A", "B"]),
        (holder("A", 7), vec![("A", said(Some(7))), ("B", said(Some(6)))], HeldTwice, vec!["B"]),
        (None, vec![("A", said(Some(7))), ("B", said(Some(6)))], HeldTwice, vec!["A", "B"]),
    ];
    for (holder, customers, expected, to_ask) in all {
        assert_eq!(kind(holder.clone(), &customers), Some(expected), "{holder:?} {customers:?}");
        assert_eq!(asked(holder, &customers), to_ask, "{expected:?}");
    }
}

#[test]
fn what_is_under_way_is_no_difference() {
    let mut resource_sends = compared(holder("A", 7), &[("A", said(None))]);
    resource_sends.under_way = true;
    assert_eq!(difference(&resource_sends), None);
    let sends = said(None).map(|said| CustomerSaid { under_way: true, ..said });
    assert_eq!(kind(holder("A", 7), &[("A", sends)]), None);
}

#[test]
fn a_holder_that_is_dead_or_was_never_told_is_left_to_those_who_ask_for_the_lease() {
    assert_eq!(kind(holder("A", 7), &[("A", None)]), None);
    let lives_again = said(None).map(|said| CustomerSaid { incarnation: Incarnation(2), ..said });
    assert_eq!(kind(holder("A", 7), &[("A", lives_again)]), None);
    let never_told = holder("A", 7).map(|holder| HolderSaid { incarnation: None, ..holder });
    assert_eq!(kind(never_told, &[("A", said(None))]), None);
    let orphan = || holder("A", 7).map(|holder| HolderSaid { is_orphan: true, ..holder });
    assert_eq!(kind(orphan(), &[("A", said(None))]), None, "it is being settled");
    // If a customer holds what a dead holder is said to hold, the resource does not know that lease.
    let holds = |customer| [(customer, said(Some(7)))];
    assert_eq!(kind(orphan(), &holds("A")), Some(DifferenceKind::LeaseUnknown));
    let beside_the_dead = [("A", None), ("B", said(Some(8)))];
    assert_eq!(kind(holder("A", 7), &beside_the_dead), Some(DifferenceKind::LeaseUnknown));
}

/// The result of a sweep: how many findings are new, how many are over, and which customers are asked.
fn sweep(ledger: &mut LeaseLedger, at: Timestamp, compared: Option<Compared>) -> (usize, usize, usize) {
    let news = ledger.judge(&RULES, at, &[(KEY.to_owned(), compared)].into());
    // It travels from sweep to sweep as JSON.
    *ledger = serde_json::from_str(&serde_json::to_string(ledger).unwrap()).unwrap();
    (news.raised.len(), news.cleared.len(), ledger.to_settle(&RULES, at).len())
}

#[test]
fn a_difference_is_told_and_settled_only_when_it_is_the_same_in_a_later_sweep() {
    let mut ledger = LeaseLedger::default();
    let unaware = |epoch| Some(compared(holder("A", epoch), &[("A", said(None))]));
    assert_eq!(sweep(&mut ledger, NOW, unaware(7)), (0, 0, 0), "one look proves nothing");
    assert_eq!(sweep(&mut ledger, NOW.plus_ms(30_000), unaware(7)), (0, 0, 0), "messages may take so long");
    assert_eq!(sweep(&mut ledger, NOW.plus_ms(40_000), unaware(8)), (0, 0, 0), "another epoch: it moves");
    assert_eq!(sweep(&mut ledger, NOW.plus_ms(70_001), unaware(8)), (1, 0, 1));
    assert_eq!(sweep(&mut ledger, NOW.plus_ms(80_000), unaware(8)), (0, 0, 1), "told once, asked again");
    assert_eq!(sweep(&mut ledger, NOW.plus_ms(90_000), None), (0, 0, 1), "somebody did not answer");
    let settled = Some(compared(holder("B", 9), &[("B", said(Some(9)))]));
    assert_eq!(sweep(&mut ledger, NOW.plus_ms(99_000), settled), (0, 1, 0));
    assert_eq!(ledger, LeaseLedger::default());
}

#[test]
fn what_was_a_difference_in_one_look_only_is_never_told() {
    let mut ledger = LeaseLedger::default();
    let unaware = Some(compared(holder("A", 7), &[("A", said(None))]));
    let aware = Some(compared(holder("A", 7), &[("A", said(Some(7)))]));
    for round in 0..4 {
        let at = NOW.plus_ms(round * 60_000);
        let said = if round % 2 == 0 { unaware.clone() } else { aware.clone() };
        assert_eq!(sweep(&mut ledger, at, said), (0, 0, 0), "{round}");
    }
}

#[test]
fn a_resource_held_twice_is_the_worst_finding_and_names_all_sides_by_their_customers() {
    let mut ledger = LeaseLedger::default();
    let twice = Some(compared(holder("A", 7), &[("A", said(Some(7))), ("B", said(Some(6)))]));
    sweep(&mut ledger, NOW, twice.clone());
    let news = ledger.judge(&RULES, NOW.plus_ms(30_001), &[(KEY.to_owned(), twice)].into());
    assert_eq!(news.standing, [(Cause::ResourceHeldTwice, 1)].into());
    let finding = news.raised[0].finding();
    assert_eq!((finding.cause, finding.since), (Cause::ResourceHeldTwice, NOW));
    assert_eq!(
        finding.detail,
        "The resource reports that t/A holds it with epoch 7; customers report: t/A holds it with epoch 7, t/B holds it with epoch 6."
    );
}

#[test]
fn what_is_remembered_of_leases_is_bounded() {
    let mut ledger = LeaseLedger::default();
    let unaware = || Some(compared(holder("A", 7), &[("A", said(None))]));
    let all = (0..SUSPECTS_MAX + 5).map(|number| (format!("{KEY}{number:05}"), unaware())).collect();
    let news = ledger.judge(&RULES, NOW, &all);
    assert_eq!((ledger.suspects.len(), news.left_out), (SUSPECTS_MAX, 5));
    assert!(serde_json::to_vec(&ledger).unwrap().len() < 64 * 1024);
}
