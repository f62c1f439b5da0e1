//! Worker versioning, set as everywhere in Temporal's world.

use temporalio_common::worker::{VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion};

/// The deployment that `TEMPORAL_DEPLOYMENT_NAME` and `TEMPORAL_WORKER_BUILD_ID` name; none unless both are set. Entities
/// live for years, so they move on to each new version by themselves.
pub fn deployment_from_environment() -> Option<WorkerDeploymentOptions> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let version = WorkerDeploymentVersion::builder()
        .deployment_name(set("TEMPORAL_DEPLOYMENT_NAME")?)
        .build_id(set("TEMPORAL_WORKER_BUILD_ID")?)
        .build();
    let options = WorkerDeploymentOptions::new(version).use_worker_versioning(true);
    Some(options.default_versioning_behavior(VersioningBehavior::AutoUpgrade).build())
}
