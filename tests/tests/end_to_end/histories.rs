//! Recorded histories, which entities made on a real server, for each path and each release: this build must be able to replay them. A
//! build whose commands differ from the recorded ones would block the existing entities.
//!
//! They are in `tests/histories/RELEASE/`. The histories of a release are recorded once, when the release is made, and never again:
//!
//! ```text
//! INTERLOCK_RECORD_HISTORIES=1 cargo test -p interlock-tests --test end_to_end histories::record
//! ```
//!
//! Paths that no release has yet are recorded in advance, until the release is made:
//!
//! ```text
//! INTERLOCK_RECORD_NEXT_HISTORIES=1 cargo test -p interlock-tests --test end_to_end histories::record
//! ```

mod corpus;
mod recorder;
mod stories;

use std::collections::BTreeSet;

use interlock_workflows::{
    ActionLogEntity, CustomerEntity, ResourceEntity, ResourceImport, ResourceImportPart, Sweep, TargetEntity,
    TenantEntity,
};
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions, WorkflowReplayerOptionsBuilder};

use self::corpus::{NEXT_RELEASE, RELEASE, Recorded, all, is_next_to_be_recorded, is_to_be_recorded, of_release};
use self::recorder::Recorder;
use crate::testbed::run;

/// The paths that are recorded for each release.
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

/// The paths that are recorded before the next release.
const NEXT_PATHS: [&str; 2] = ["reset.customer", "reset.number"];

fn replayer() -> WorkflowReplayer {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<CustomerEntity>()
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<TargetEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<Sweep>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<TenantEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ActionLogEntity>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImport>)
        .and_then(WorkflowReplayerOptionsBuilder::register_workflow::<ResourceImportPart>)
        .unwrap();
    WorkflowReplayer::new(options.build()).unwrap()
}

/// Why histories cannot be replayed, by name.
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
                    // The local activity of a resource: the recorded one is not the one that the shell starts.
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

/// Records the histories of this release, if this is requested.
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

/// Records the paths that no release has yet, if this is requested.
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
