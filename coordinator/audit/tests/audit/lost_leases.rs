//! The two ways in which version 0.1.0 lost leases (traces 21 and 22 of `tests/model/docs/holes.md`), as histories.
//!
//! No history of a lost lease was kept from 0.1.0. These are composed: recorded histories of 0.1.0, of which the workflow task that was
//! lost is missing, and what its attempt had sent is not. They replay.

use interlock_audit::{Options, Promise, Verdict};
use serde_json::json;

use crate::recorded::{GIVING, HandOver, NUMBER, RECEIVING, broken, cut, edited, judged, moved, words};

async fn settled(hand_over: HandOver) -> Verdict {
    judged(hand_over.all(), Options { settled: true, ..Options::default() }).await
}

/// The number's first grant rested on a look-up. The task was lost after A1 was told, and tried again 178 ms later: the same grant has
/// another epoch. The second message had the same request id, so the server dropped it. A1 gives back the epoch that it knows, which
/// the number takes for an old message: it is held by nobody, and A2 waits for ever.
fn by_another_epoch() -> HandOver {
    let recorded = HandOver::recorded();
    let mut number = recorded.number;
    // The task of the grant starts with event 11.
    number = moved(number, 11, 178);
    // Its last task, which took the give-back, decided nothing.
    number = cut(number, 22);
    HandOver { number, receiving: cut(recorded.receiving, 7), giving: recorded.giving }
}

/// The number granted A2's claim and told it; the task was lost. A1's older claim came meanwhile, and was granted in the next attempt.
/// Both have the number.
fn by_an_older_claim() -> HandOver {
    let recorded = HandOver::recorded();
    // A1 never releases it.
    let giving = cut(recorded.giving, 24);
    let number = cut(recorded.number, 18);
    let of_lost_task = |json: &mut serde_json::Value| json["message"]["notice"]["epoch"] = json!(1_795_184_155_800_u64);
    let mut receiving = edited(recorded.receiving, 8, of_lost_task);
    receiving = edited(receiving, 12, |request| {
        request["epoch"] = json!(1_795_184_155_800_u64);
        request["epochs"] = json!({format!("msisdn/{NUMBER}"): 1_795_184_155_800_u64});
    });
    HandOver { giving, receiving, number }
}

#[tokio::test]
async fn a_lease_that_is_held_by_nobody_because_its_epoch_was_granted_twice_is_found() {
    let verdict = settled(by_another_epoch()).await;
    let broken = broken(&verdict);
    assert!(!broken.contains(&Promise::Replays), "{}", words(&verdict));
    for promise in [Promise::OneHolder, Promise::CallsAreLeased, Promise::NoLeaseLost, Promise::EndsOnce] {
        assert!(broken.contains(&promise), "{promise:?}: {}", words(&verdict));
    }
    let lost = verdict.violations.iter().find(|violation| violation.promise == Promise::NoLeaseLost).unwrap();
    assert_eq!(lost.workflow_id, format!("tenant-1/resource/msisdn/{NUMBER}"));
    assert!(lost.detail.contains("held by nobody") && lost.detail.contains(GIVING), "{lost}");
    // A2 waits for ever.
    let open = verdict.violations.iter().find(|violation| violation.promise == Promise::EndsOnce).unwrap();
    assert_eq!(open.workflow_id, format!("tenant-1/customer/{RECEIVING}"));
}

#[tokio::test]
async fn a_grant_that_left_before_it_was_recorded_and_went_to_another_is_found() {
    let verdict = settled(by_an_older_claim()).await;
    let broken = broken(&verdict);
    assert!(!broken.contains(&Promise::Replays), "{}", words(&verdict));
    for promise in [Promise::OneHolder, Promise::CallsAreLeased, Promise::NoLeaseLost] {
        assert!(broken.contains(&promise), "{promise:?}: {}", words(&verdict));
    }
    let of_holders: Vec<String> = verdict
        .violations
        .iter()
        .filter(|violation| violation.promise == Promise::OneHolder)
        .map(|violation| violation.detail.clone())
        .collect();
    assert!(of_holders.iter().any(|detail| detail.contains("does not grant")), "{of_holders:?}");
    assert!(of_holders.iter().any(|detail| detail.contains("still holds")), "{of_holders:?}");
}

/// Without waiting for the system to be at rest: a difference counts once it has lasted for longer than messages take.
#[tokio::test]
async fn a_lost_lease_is_found_in_a_running_system_after_messages_have_had_time() {
    let later = |minutes: i64| {
        let at = interlock_domain::ids::Timestamp(1_795_184_156_224 + minutes * 60_000);
        Options { read_from: Some(at), ..Options::default() }
    };
    let soon = judged(by_another_epoch().all(), later(1)).await;
    assert_eq!(soon.of(Promise::NoLeaseLost).unwrap().violations, 0);
    let late = judged(by_another_epoch().all(), later(11)).await;
    assert!(late.of(Promise::NoLeaseLost).unwrap().violations > 0);
}
