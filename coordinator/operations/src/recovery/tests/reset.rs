//! A run that a workflow reset created.

use temporalio_common::protos::temporal::api::enums::v1::WorkflowTaskFailedCause;
use temporalio_common::protos::temporal::api::history::v1::WorkflowTaskFailedEventAttributes;

use super::*;

/// A run that processed an event, was reset to that point, and processed another one; of this build, or of 0.1.0.
fn reset_run(is_of_0_1: bool) -> Told {
    let mut told = Told::start(100, "", None).signal("submit", &event("1")).task();
    if !is_of_0_1 {
        told = told.and(Attributes::MarkerRecordedEventAttributes(MarkerRecordedEventAttributes {
            marker_name: "core_patch".to_owned(),
            ..Default::default()
        }));
    }
    let reset = WorkflowTaskFailedEventAttributes {
        cause: WorkflowTaskFailedCause::ResetWorkflow.into(),
        base_run_id: "before".to_owned(),
        new_run_id: "after".to_owned(),
        ..Default::default()
    };
    told.and(Attributes::WorkflowTaskFailedEventAttributes(reset)).signal("submit", &event("2")).task()
}

#[test]
fn a_run_that_was_reset_is_gone_by_as_the_machine_went_that_was_told_of_it() {
    let run = reset_run(false).terminated("after");
    let replayed = replay(&me(), &run);
    assert_eq!(replayed.diverged, None);
    let customer = &replayed.customer;
    assert_eq!(customer.journal().iter().filter(|entry| entry.what == "reset").count(), 1, "{:?}", customer.journal());
    assert!(customer.incarnation() > Incarnation(run.began.0), "it lives another life: {:?}", customer.incarnation());
    assert_eq!(
        ids(&open_in(&me(), &[run])),
        ["1", "2"],
        "what was open before the reset and behind it is brought back"
    );
}

#[test]
fn a_run_of_0_1_0_that_was_reset_was_not_told() {
    let run = reset_run(true).terminated("after");
    let replayed = replay(&me(), &run);
    assert!(replayed.customer.journal().iter().all(|entry| entry.what != "reset"), "{:?}", replayed.customer.journal());
    assert_eq!(ids(&open_in(&me(), &[run])), ["1", "2"]);
}

#[test]
fn a_reset_that_nobody_heard_of_before_the_run_died_brings_back_what_was_open() {
    let mut told = Told::start(100, "", None).signal("submit", &event("1")).task();
    told = told.and(Attributes::WorkflowTaskFailedEventAttributes(WorkflowTaskFailedEventAttributes {
        cause: WorkflowTaskFailedCause::ResetWorkflow.into(),
        ..Default::default()
    }));
    let run = told.signal("submit", &event("2")).terminated("after");
    assert_eq!(ids(&open_in(&me(), &[run])), ["1", "2"]);
}
