//! One violation of each kind is planted, and found with its place.

use interlock_audit::{Options, Promise, Verdict, Violation};
use serde_json::json;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    ActivityTaskCompletedEventAttributes, History, HistoryEvent, WorkflowExecutionTerminatedEventAttributes,
};

use crate::recorded::{
    GIVING, HandOver, NUMBER, RECEIVING, broken, cut, edited, event, judged, moved, payloads, words,
};

/// The events of the recorded hand-over at which something is changed.
mod at {
    /// A1's order to assign the number is settled.
    pub const GIVING_HAS_IT: i64 = 24;
    /// A1's call that releases the number.
    pub const RELEASE: i64 = 31;
    /// A2 has claimed the number.
    pub const RECEIVING_WAITS: i64 = 7;
    /// A2 hears of its lease.
    pub const RECEIVING_GRANTED: i64 = 8;
    /// A2's call that assigns the number.
    pub const ASSIGN: i64 = 12;
}

fn first(verdict: &Verdict, promise: Promise) -> Violation {
    let found = verdict.violations.iter().find(|violation| violation.promise == promise);
    found.unwrap_or_else(|| panic!("{promise:?} is not broken: {}", words(verdict))).clone()
}

async fn of(hand_over: HandOver) -> Verdict {
    judged(hand_over.all(), Options::default()).await
}

#[tokio::test]
async fn a_history_whose_commands_are_others_than_the_machine_makes() {
    let mut changed = HandOver::recorded();
    match event(&mut changed.giving, at::RELEASE).attributes.as_mut().unwrap() {
        Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
            scheduled.activity_type.as_mut().unwrap().name.push_str("_of_another_build");
        }
        other => panic!("{other:?}"),
    }
    let violation = first(&of(changed).await, Promise::Replays);
    assert_eq!(violation.workflow_id, format!("tenant-1/customer/{GIVING}"));
    assert!(violation.detail.contains("nondeterministic"), "{violation}");
}

#[tokio::test]
async fn a_next_holder_that_calls_before_the_release_is_confirmed() {
    let mut early = HandOver::recorded();
    // By more than clocks may be apart.
    early.receiving = moved(early.receiving, at::RECEIVING_GRANTED, -5_000);
    let verdict = of(early).await;
    let violation = first(&verdict, Promise::HandOver);
    assert_eq!(violation.workflow_id, format!("tenant-1/customer/{RECEIVING}"));
    assert_eq!(violation.event_id, at::ASSIGN);
    assert_eq!(violation.resource.unwrap().to_string(), format!("msisdn/{NUMBER}"));
    assert!(violation.order_id.is_some() && violation.epoch.is_some());
    // The same within what clocks may be apart is not seen by times alone.
    let mut close = HandOver::recorded();
    close.receiving = moved(close.receiving, at::RECEIVING_GRANTED, -100);
    let exact = Options { clocks_apart: std::time::Duration::ZERO, ..Options::default() };
    assert_eq!(broken(&judged(close.clone().all(), Options::default()).await), []);
    assert!(broken(&judged(close.all(), exact).await).contains(&Promise::HandOver));
}

#[tokio::test]
async fn a_release_that_no_call_of_the_holder_confirmed() {
    let mut unconfirmed = HandOver::recorded();
    unconfirmed.giving = cut(unconfirmed.giving, at::GIVING_HAS_IT);
    let verdict = of(unconfirmed).await;
    let violation = first(&verdict, Promise::HandOver);
    assert_eq!(violation.event_id, at::ASSIGN);
    assert!(violation.detail.contains("confirmed the release"), "{violation}");
}

#[tokio::test]
async fn a_call_of_the_previous_holder_that_is_still_under_way() {
    let mut pending = HandOver::recorded();
    // Its release is under way for ever.
    pending.giving = cut(pending.giving, at::RELEASE + 1);
    let violation = first(&of(pending).await, Promise::HandOver);
    assert!(violation.detail.contains("under way"), "{violation}");
}

/// What a build that grants too early leaves: its number's history does not replay, or is not there.
#[tokio::test]
async fn a_number_without_a_ledger_is_judged_by_the_calls_of_its_customers() {
    let customers = |hand_over: HandOver| [hand_over.giving, hand_over.receiving];
    let clean = judged(customers(HandOver::recorded()), Options::default()).await;
    assert_eq!(broken(&clean), [], "{}", words(&clean));
    assert_eq!(clean.of(Promise::HandOver).unwrap().checked, 1);
    // A1 registered it and never released it; or its release is under way.
    for (last, why) in [(at::GIVING_HAS_IT, "no release"), (at::RELEASE + 1, "under way")] {
        let mut early = HandOver::recorded();
        early.giving = cut(early.giving, last);
        let violation = first(&judged(customers(early.clone()), Options::default()).await, Promise::HandOver);
        assert_eq!(violation.event_id, at::ASSIGN);
        assert!(violation.detail.contains(why), "{violation}");
        match event(&mut early.number, 7).attributes.as_mut().unwrap() {
            Attributes::ActivityTaskScheduledEventAttributes(scheduled) => {
                scheduled.activity_type.as_mut().unwrap().name.push_str("_of_another_build");
            }
            other => panic!("{other:?}"),
        }
        let unreplayed = of(early).await;
        assert!(broken(&unreplayed).contains(&Promise::Replays) && broken(&unreplayed).contains(&Promise::HandOver));
    }
}

#[tokio::test]
async fn a_call_with_an_older_epoch_than_an_earlier_one() {
    let mut older = HandOver::recorded();
    older.receiving = edited(older.receiving, at::ASSIGN, |request| {
        (request["epoch"], request["epochs"]) = (json!(7), json!({format!("msisdn/{NUMBER}"): 7}));
    });
    older.receiving = moved(older.receiving, at::ASSIGN, 5_000);
    let verdict = of(older).await;
    let violation = first(&verdict, Promise::EpochsGrow);
    assert_eq!((violation.event_id, violation.epoch.unwrap().0), (at::ASSIGN, 7));
    let unleased = first(&verdict, Promise::CallsAreLeased);
    assert_eq!((unleased.event_id, unleased.epoch.unwrap().0), (at::ASSIGN, 7));
}

#[tokio::test]
async fn a_call_that_names_a_resource_and_carries_no_lease() {
    let mut bare = HandOver::recorded();
    bare.receiving = edited(bare.receiving, at::ASSIGN, |request| request["epochs"] = json!({}));
    let verdict = of(bare).await;
    assert_eq!(broken(&verdict), [Promise::CallsAreLeased], "{}", words(&verdict));
    assert!(verdict.violations[0].detail.contains("carries no lease"), "{}", verdict.violations[0]);
}

fn terminated(mut history: History) -> History {
    let last = history.events.last().unwrap().clone();
    let attributes = WorkflowExecutionTerminatedEventAttributes::default();
    history.events.push(HistoryEvent {
        event_id: last.event_id + 1,
        event_type: 27,
        attributes: Some(Attributes::WorkflowExecutionTerminatedEventAttributes(attributes)),
        ..last
    });
    history
}

#[tokio::test]
async fn an_accepted_event_that_never_ends() {
    let mut lost = HandOver::recorded();
    lost.receiving = terminated(cut(lost.receiving, at::RECEIVING_WAITS));
    let verdict = of(lost).await;
    let violation = first(&verdict, Promise::EndsOnce);
    assert!(violation.detail.contains("terminated"), "{violation}");
    assert_eq!(violation.event_id, 2, "the event's signal");
    // One that is open is a violation only in a system at rest.
    let mut open = HandOver::recorded();
    open.receiving = cut(open.receiving, at::RECEIVING_WAITS);
    assert_eq!(broken(&of(open.clone()).await), []);
    let settled = judged(open.all(), Options { settled: true, ..Options::default() }).await;
    assert!(broken(&settled).contains(&Promise::EndsOnce), "{}", words(&settled));
}

/// What a build without de-duplication does with an event that comes twice.
#[tokio::test]
async fn a_step_that_is_called_again_after_it_had_its_effect() {
    let mut twice = HandOver::recorded();
    let mut again = event(&mut twice.receiving, at::ASSIGN).clone();
    let last = twice.receiving.events.last().unwrap().clone();
    (again.event_id, again.event_time) = (last.event_id + 1, last.event_time);
    let done = ActivityTaskCompletedEventAttributes {
        scheduled_event_id: last.event_id + 1,
        result: Some(payloads(&json!({"class": "done"}))),
        ..ActivityTaskCompletedEventAttributes::default()
    };
    let closed = HistoryEvent {
        event_id: last.event_id + 2,
        event_type: 12,
        attributes: Some(Attributes::ActivityTaskCompletedEventAttributes(done)),
        ..last
    };
    let event_id = again.event_id;
    twice.receiving.events.extend([again, closed]);
    let violation = first(&of(twice).await, Promise::EndsOnce);
    assert_eq!(violation.event_id, event_id);
    assert!(violation.detail.contains("called again"), "{violation}");
}
