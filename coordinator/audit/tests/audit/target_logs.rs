//! A target's own log beside the histories.

use interlock_audit::{Audit, Options, Promise, TargetLog, TargetLogKind, Verdict};
use serde_json::{Value, json};

use crate::recorded::{HandOver, NUMBER, broken, words};

const A1: &str = "001010000000003";
const A2: &str = "001010000000005";
const ASSIGN_A1: (&str, u64) = ("b0d7b932-139f-502f-b55c-ad3b8697f74f", 1_795_184_155_856);
const RELEASE_A1: (&str, u64) = ("76cc4b9d-a72e-5609-b6a0-79a93429aadf", 1_795_184_155_856);
const ASSIGN_A2: (&str, u64) = ("25ca8941-26b2-531a-acfa-1e00d8cb1c8e", 1_795_184_156_174);

fn write(effect: &str, imsi: &str, (key, epoch): (&str, u64)) -> Value {
    json!({
        "at": "2026-11-20T14:15:56.000Z", "target": "hss", "request": 1, "method": "PUT", "path": "", "operation": "",
        "effect": effect, "msisdn": NUMBER, "imsi": imsi, "idempotency_key": key, "epoch": epoch,
    })
}

fn log_of(mut entries: Vec<Value>) -> TargetLog {
    for (index, entry) in entries.iter_mut().enumerate() {
        entry["seq"] = json!(index + 1);
    }
    TargetLog::from_json(TargetLogKind::Sandbox, "hss", json!(entries).to_string().as_bytes()).unwrap()
}

/// What the target of the recorded hand-over applied.
fn right() -> Vec<Value> {
    vec![
        write("primary_number_set", A1, ASSIGN_A1),
        write("number_assigned", A1, ASSIGN_A1),
        write("number_released", A1, RELEASE_A1),
        write("primary_number_cleared", A1, RELEASE_A1),
        write("primary_number_set", A2, ASSIGN_A2),
        write("number_assigned", A2, ASSIGN_A2),
    ]
}

async fn judged(log: TargetLog) -> Verdict {
    let mut audit = Audit::new(Options { settled: true, all_entities: true, ..Options::default() }).unwrap();
    for history in HandOver::recorded().all() {
        audit.add_history(history.events).await.unwrap();
    }
    audit.add_target_log(log);
    audit.verdict()
}

#[tokio::test]
async fn the_log_of_a_right_hand_over_is_clean() {
    let verdict = judged(log_of(right())).await;
    assert_eq!(broken(&verdict), [], "{}", words(&verdict));
    let checked = |promise| verdict.of(promise).unwrap().checked;
    assert_eq!(checked(Promise::TargetOneHolder), 6);
    assert_eq!(checked(Promise::TargetCallsAreLeased), 6);
    assert_eq!(checked(Promise::LedgerIsNetwork), 1);
}

#[tokio::test]
async fn two_holders_at_once_in_the_target_are_found() {
    let mut entries = right();
    // A1 keeps its primary number.
    entries.remove(3);
    let verdict = judged(log_of(entries)).await;
    assert!(broken(&verdict).contains(&Promise::TargetOneHolder), "{}", words(&verdict));
    assert_eq!(verdict.violations[0].event_id, 4);
}

#[tokio::test]
async fn a_write_that_no_call_sent_is_found() {
    let mut entries = right();
    entries.push(write("number_assigned", A2, ("00000000-0000-5000-8000-000000000000", ASSIGN_A2.1)));
    let verdict = judged(log_of(entries)).await;
    assert_eq!(broken(&verdict), [Promise::TargetCallsAreLeased], "{}", words(&verdict));
    assert_eq!(verdict.violations[0].event_id, 7);
}

/// What a target without fencing accepts from a holder that was stopped, and continues.
#[tokio::test]
async fn a_write_with_an_older_epoch_is_found() {
    let mut entries = right();
    entries.push(write("number_released", A1, RELEASE_A1));
    let verdict = judged(log_of(entries)).await;
    assert_eq!(broken(&verdict), [Promise::TargetCallsAreLeased], "{}", words(&verdict));
    assert!(verdict.violations[0].detail.contains("older epoch"));
}

#[tokio::test]
async fn a_target_that_differs_from_the_ledger_in_the_end_is_found() {
    let verdict = judged(log_of(right()[..4].to_vec())).await;
    assert_eq!(broken(&verdict), [Promise::LedgerIsNetwork], "{}", words(&verdict));
    assert!(verdict.violations[0].detail.contains("for nobody"), "{}", verdict.violations[0]);
}

/// The same as PyHSS logs it.
#[tokio::test]
async fn the_operation_log_of_pyhss_is_read() {
    let entry = |id: i64, table: &str, item: i64, operation: &str, changes: &[(&str, &str, &str)]| {
        let changes: Vec<String> =
            changes.iter().map(|(name, before, after)| format!("{name}: {before} ----> {after}")).collect();
        json!({
            "id": id, "item_id": item, "table_name": table, "operation": operation, "operation_id": "x",
            "changes": changes.join("\r\n\r\n"), "last_modified": "2026-11-20 14:15:56.000000+00:00",
        })
    };
    let subscriber = |id, item, imsi: &str| {
        entry(id, "subscriber", item, "INSERT", &[("imsi", "None", imsi), ("msisdn", "None", imsi)])
    };
    let registered = |id, item, imsi: &str| {
        entry(id, "ims_subscriber", item, "INSERT", &[("imsi", "None", imsi), ("msisdn", "None", NUMBER)])
    };
    let entries = [
        subscriber(1, 1, A1),
        subscriber(2, 2, A2),
        entry(3, "subscriber", 1, "UPDATE", &[("msisdn", A1, NUMBER)]),
        registered(4, 1, A1),
        entry(5, "ims_subscriber", 1, "DELETE", &[("imsi", A1, "None"), ("msisdn", NUMBER, "None")]),
        entry(6, "subscriber", 1, "UPDATE", &[("msisdn", NUMBER, A1)]),
        entry(7, "subscriber", 2, "UPDATE", &[("msisdn", A2, NUMBER)]),
        registered(8, 2, A2),
    ];
    let log = |entries: &[Value]| {
        // The latest first, as PyHSS lists them.
        let listed: Vec<&Value> = entries.iter().rev().collect();
        TargetLog::from_json(TargetLogKind::Pyhss, "pyhss", json!(listed).to_string().as_bytes()).unwrap()
    };
    let verdict = judged(log(&entries)).await;
    assert_eq!(broken(&verdict), [], "{}", words(&verdict));
    assert_eq!(verdict.of(Promise::LedgerIsNetwork).unwrap().checked, 1);
    let early: Vec<Value> = entries.iter().filter(|entry| entry["id"] != 6).cloned().collect();
    assert_eq!(broken(&judged(log(&early)).await)[0], Promise::TargetOneHolder);
}

#[tokio::test]
async fn what_is_not_a_log_is_an_error_that_names_it() {
    let error = TargetLog::from_json(TargetLogKind::Sandbox, "hss.json", b"{\"a\": 1}").unwrap_err();
    assert!(error.to_string().contains("hss.json") && error.to_string().contains("sandbox"), "{error}");
    assert!("other".parse::<TargetLogKind>().is_err());
}
