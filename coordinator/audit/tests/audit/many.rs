//! Many hand-overs, and the limits.

use interlock_audit::{Options, Promise};

use crate::recorded::{HandOver, broken, cut, judged, words};

/// How many hand-overs, unless the variable says otherwise: a history takes some 10 ms without optimisation.
fn hand_overs() -> usize {
    std::env::var("INTERLOCK_AUDIT_HAND_OVERS").ok().and_then(|text| text.parse().ok()).unwrap_or(HAND_OVERS)
}

const HAND_OVERS: usize = 1_000;

#[tokio::test]
async fn one_violation_among_many_hand_overs_is_found_and_named() {
    let recorded = HandOver::recorded();
    let (all, guilty) = (hand_overs(), hand_overs() / 3);
    let histories = (0..all).flat_map(|index| {
        let mut copy = recorded.other(index);
        if index == guilty {
            // Its giving customer never released the number.
            copy.giving = cut(copy.giving, 24);
        }
        copy.all()
    });
    let verdict = judged(histories, Options::default()).await;
    println!("{} histories", verdict.histories);
    let hand_over = verdict.of(Promise::HandOver).unwrap();
    assert_eq!((hand_over.checked, hand_over.violations), (u64::try_from(all).unwrap(), 1), "{}", words(&verdict));
    let named = verdict.violations.iter().find(|violation| violation.promise == Promise::HandOver).unwrap();
    assert_eq!(named.workflow_id, format!("tenant-1/customer/R{guilty:03X}"));
    assert_eq!(named.resource.as_ref().unwrap().to_string(), format!("msisdn/1207{guilty:07}"));
    assert_eq!(verdict.left_out, 0);
}

/// Each hand-over has a known number of facts.
#[tokio::test]
async fn histories_beyond_the_limit_on_memory_are_left_out_and_the_verdict_is_not_clean() {
    let whole = judged(HandOver::recorded().all(), Options::default()).await;
    assert!(whole.clean);
    let kept = |facts_max| judged(HandOver::recorded().all(), Options { facts_max, ..Options::default() });
    let mut edge = 0;
    while kept(edge).await.left_out > 0 {
        edge += 1;
    }
    let (below, at) = (kept(edge - 1).await, kept(edge).await);
    assert_eq!((below.left_out, below.clean), (1, false));
    assert_eq!((at.left_out, at.clean), (0, true));
    assert_eq!(broken(&below), [], "{}", words(&below));
}
