//! Recorded histories: what entities did on a real server, path by path and release by release, replays with this build. A
//! build whose commands differ from what was recorded would wedge the entities that live.
//!
//! They are in `tests/histories/RELEASE/`. Those of a release are recorded once, when it is made, and never again:
//!
//! ```text
//! INTERLOCK_RECORD_HISTORIES=1 cargo test -p interlock-tests --test end_to_end histories::record
//! ```
//!
//! Paths that no release has yet are recorded beforehand, until the release is made:
//!
//! ```text
//! INTERLOCK_RECORD_NEXT_HISTORIES=1 cargo test -p interlock-tests --test end_to_end histories::record
//! ```

mod corpus;
mod recorder;
mod stories;

use std::collections::BTreeSet;

use interlock_workflows::{
    CustomerEntity, ResourceEntity, ResourceImport, ResourceImportPart, Sweep, TargetEntity, TenantEntity,
};
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions, WorkflowReplayerOptionsBuilder};

use self::corpus::{NEXT_RELEASE, RELEASE, Recorded, all, is_next_to_be_recorded, is_to_be_recorded, of_release};
use self::recorder::Recorder;
use crate::testbed::run;

/// What is recorded of each release.
const PATHS: [&str; 30] = [
    "handed-over.giving",
    "handed-over.receiving",
    "handed-over.number",
    "recalled.yielding",
    "recalled.older",
    "recalled.number",
    "swapped.one",
    "swapped.other",
    "swapped.number",
    "moved.giving",
    "moved.receiving",
    "held.customer",
    "aborted.customer",
    "aborted.number",
    "released-first.customer",
    "forced.number",
    "unordered.customer",
    "rejected.customer",
    "terminated.customer",
    "reborn.customer",
    "reborn.number",
    "reasserted.customer",
    "swept.sweep",
    "on-boarded.tenant",
    "imported.list",
    "imported.part",
    "continued.customer",
    "continued.number",
    "continued-in-doubt.customer",
    "target-down.target",
];

/// What is recorded before the next release is made.
const NEXT_PATHS: [&str; 2] = ["reset.customer", "reset.number"];

fn replayer() -> WorkflowReplayer {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<CustomerEntity>()
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<TargetEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<Sweep>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<TenantEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImport>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImportPart>)
        .unwrap();
    WorkflowReplayer::new(options.build()).unwrap()
}

/// Why histories do not replay, by name.
async fn faults(histories: &[Recorded]) -> Vec<String> {
    let replayed = histories.iter().map(|recorded| WorkflowHistory::from(recorded.history.clone()));
    let results = replayer().replay_workflows(replayed).await.unwrap();
    assert_eq!(results.len(), histories.len());
    let failed = histories.iter().zip(results).filter_map(|(recorded, result)| {
        result.replay_failure.map(|failure| format!("{}/{}: {failure}", recorded.release, recorded.name))
    });
    failed.collect()
}

#[test]
fn every_recorded_history_of_every_release_replays() {
    run(async {
        let histories = all();
        assert!(!histories.is_empty());
        let faults = faults(&histories).await;
        println!("{} histories were replayed", histories.len());
        assert!(faults.is_empty(), "entities that live would not go on:\n{}", faults.join("\n"));
    });
}

#[test]
fn every_entity_and_every_path_is_recorded() {
    if is_to_be_recorded() {
        return;
    }
    let recorded: BTreeSet<String> =
        of_release(RELEASE).into_iter().map(|recorded| recorded.path().to_owned()).collect();
    assert_eq!(recorded, PATHS.map(str::to_owned).into());
}

#[test]
fn a_shell_whose_commands_are_others_than_recorded_does_not_replay() {
    run(async {
        let mut histories: Vec<Recorded> = of_release(RELEASE);
        histories.retain(|recorded| recorded.name.starts_with("handed-over."));
        let mut changed = 0;
        for event in histories.iter_mut().flat_map(|recorded| &mut recorded.history.events) {
            match &mut event.attributes {
                Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => {
                    scheduled.activity_type.as_mut().unwrap().name.push_str("_of_another_build");
                    changed += 1;
                }
                Some(Attributes::MarkerRecordedEventAttributes(marker)) => {
                    // The local activity of a resource: what was recorded is not what the shell begins.
                    marker.marker_name.push_str("_of_another_build");
                    changed += 1;
                }
                _ => {}
            }
        }
        assert!(changed > 0);
        let faults = faults(&histories).await;
        assert_eq!(faults.len(), histories.len(), "{faults:#?}");
    });
}

/// Records the histories of this release, where it is asked for.
#[test]
fn record() {
    if !is_to_be_recorded() {
        return;
    }
    run(async {
        let recorder = Recorder::of(RELEASE);
        Box::pin(stories::tell(&recorder)).await;
        let recorded: BTreeSet<String> = recorder.paths();
        assert_eq!(recorded, PATHS.map(str::to_owned).into());
    });
}

/// Records what no release has yet, where it is asked for.
#[test]
fn record_next() {
    if !is_next_to_be_recorded() {
        return;
    }
    run(async {
        let recorder = Recorder::of(NEXT_RELEASE);
        Box::pin(stories::tell_of_resets(&recorder)).await;
        assert_eq!(recorder.paths(), NEXT_PATHS.map(str::to_owned).into());
    });
}
