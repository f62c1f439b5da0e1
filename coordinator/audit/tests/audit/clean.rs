//! Histories in which no promise was broken.

use interlock_audit::{Audit, Options, Promise};
use temporalio_common::protos::temporal::api::history::v1::History;

use crate::recorded::{HandOver, broken, cut, folder, judged, lost_once, moved, words};

/// The workflow task in which A1 sends its release, by the event that schedules it in A1's recorded history.
const SENDS_THE_RELEASE: i64 = 34;

/// The releases were recorded on different servers, with the same names.
#[tokio::test]
async fn the_recorded_histories_of_each_release_are_clean() {
    for release in std::fs::read_dir(folder()).unwrap() {
        let release = release.unwrap().path();
        let mut audit = Audit::new(Options::default()).unwrap();
        let files = audit.add_folder(&release).await.unwrap();
        let verdict = audit.verdict();
        assert_eq!(broken(&verdict), [], "{}: {}", release.display(), words(&verdict));
        assert!(verdict.clean && files > 3, "{}: {files} files", release.display());
        assert_eq!((verdict.histories, verdict.left_out), (files, 0));
        let checked = |promise| verdict.of(promise).unwrap().checked;
        assert_eq!(checked(Promise::Replays), files);
        let of_entities = [
            Promise::OneHolder,
            Promise::EpochsGrow,
            Promise::CallsAreLeased,
            Promise::NoLeaseLost,
            Promise::EndsOnce,
            Promise::InTurn,
        ];
        // The histories of resets end without a holder.
        for promise in of_entities.into_iter().filter(|promise| files > 4 || *promise != Promise::NoLeaseLost) {
            assert!(checked(promise) > 0, "{}: {promise:?}: {verdict:#?}", release.display());
        }
    }
}

#[tokio::test]
async fn a_hand_over_is_clean_and_everything_about_it_is_checked() {
    let verdict = judged(HandOver::recorded().all(), Options { settled: true, ..Options::default() }).await;
    assert_eq!(broken(&verdict), [], "{}", words(&verdict));
    let of = |promise| {
        let verdict = verdict.of(promise).unwrap();
        (verdict.checked, verdict.excused, verdict.unchecked)
    };
    assert_eq!(of(Promise::Replays), (3, 0, 0));
    assert_eq!(of(Promise::HandOver), (1, 0, 0));
    assert_eq!((verdict.customers, verdict.resources, verdict.open_orders), (2, 1, 0));
    assert_eq!(verdict.promises.iter().map(|promise| promise.unchecked).sum::<u64>(), 0, "{verdict:#?}");
}

#[tokio::test]
async fn a_copy_of_a_hand_over_with_other_names_is_clean() {
    let verdict = judged(HandOver::recorded().other(7).all(), Options { settled: true, ..Options::default() }).await;
    assert_eq!(broken(&verdict), [], "{}", words(&verdict));
    assert_eq!(verdict.of(Promise::HandOver).unwrap().checked, 1);
}

/// A workflow task sends the release, and is lost. The task that repeats it records that the lease ended, when the next holder has
/// long had it.
#[tokio::test]
async fn what_a_repeated_workflow_task_records_late_is_clean() {
    let recorded = HandOver::recorded();
    let repeated = lost_once(recorded.giving.clone(), SENDS_THE_RELEASE, 10_000);
    let verdict = judged(HandOver { giving: repeated, ..recorded.clone() }.all(), Options::default()).await;
    assert_eq!(broken(&verdict), [], "{}", words(&verdict));
    assert_eq!(verdict.of(Promise::HandOver).unwrap().checked, 1);
    // Without a task that was lost, the same times are a violation.
    let late = moved(recorded.giving.clone(), SENDS_THE_RELEASE, 10_000);
    let verdict = judged(HandOver { giving: late, ..recorded }.all(), Options::default()).await;
    assert_eq!(broken(&verdict), [Promise::OneHolder], "{}", words(&verdict));
}

#[tokio::test]
async fn a_history_that_no_worker_has_seen_is_clean_and_its_events_are_not_lost() {
    let HandOver { receiving, .. } = HandOver::recorded();
    for last in [2, 3, 4] {
        let verdict = judged([cut(receiving.clone(), last)], Options::default()).await;
        assert_eq!(broken(&verdict), [], "{last}: {}", words(&verdict));
        assert_eq!(verdict.customers, 1);
    }
}

#[tokio::test]
async fn whatever_the_moment_at_which_a_history_was_read_it_is_clean() {
    let whole = HandOver::recorded();
    for history in whole.all() {
        for last in 1..=history.events.len() {
            let last = i64::try_from(last).unwrap();
            let part: History = cut(history.clone(), last);
            let verdict = judged([part], Options::default()).await;
            assert_eq!(broken(&verdict), [], "{last}: {}", words(&verdict));
        }
    }
}

#[tokio::test]
async fn what_is_not_a_history_is_an_error() {
    let HandOver { giving, .. } = HandOver::recorded();
    let mut audit = Audit::new(Options::default()).unwrap();
    assert!(audit.add_history(Vec::new()).await.is_err());
    assert!(audit.add_history(giving.events[1..].to_vec()).await.is_err());
    let mut gap = giving.events;
    gap.remove(5);
    assert!(audit.add_history(gap).await.is_err());
}
