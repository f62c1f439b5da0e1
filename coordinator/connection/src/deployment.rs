//! Worker versioning, configured as for other Temporal workers.

use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use temporalio_common::worker::{VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion};

/// The variable that names the deployment.
const NAME: &str = "TEMPORAL_DEPLOYMENT_NAME";
/// The variable that names the build.
const BUILD_ID: &str = "TEMPORAL_WORKER_BUILD_ID";

/// The deployment that `TEMPORAL_DEPLOYMENT_NAME` and `TEMPORAL_WORKER_BUILD_ID` name; none if neither is set: then workers
/// are unversioned. Entities live for years, so they move to each new version automatically.
///
/// # Errors
/// [`Fault`] `deployment_incomplete` if only one of them is set: setting one means versioned workers, and unversioned
/// ones would take tasks of other versions.
pub fn deployment_from_environment() -> Result<Option<WorkerDeploymentOptions>, Fault> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    deployment(set(NAME), set(BUILD_ID))
}

/// The build id in the environment, for people; none if it is not set.
pub fn build_id_from_environment() -> Option<String> {
    std::env::var(BUILD_ID).ok().filter(|build_id| !build_id.is_empty())
}

fn deployment(name: Option<String>, build_id: Option<String>) -> Result<Option<WorkerDeploymentOptions>, Fault> {
    let (name, build_id) = match (name, build_id) {
        (None, None) => return Ok(None),
        (Some(name), Some(build_id)) => (name, build_id),
        (Some(_), None) => return Err(incomplete(NAME, BUILD_ID)),
        (None, Some(_)) => return Err(incomplete(BUILD_ID, NAME)),
    };
    let version = WorkerDeploymentVersion::builder().deployment_name(name).build_id(build_id).build();
    let options = WorkerDeploymentOptions::new(version).use_worker_versioning(true);
    Ok(Some(options.default_versioning_behavior(VersioningBehavior::AutoUpgrade).build()))
}

fn incomplete(set: &str, not_set: &str) -> Fault {
    Fault::wrong_use(ErrorCode::DeploymentIncomplete, format!("{set} is set and {not_set} is not."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_versioned_by_both_variables_and_not_by_one() {
        let text = |text: &str| Some(text.to_owned());
        assert!(deployment(None, None).unwrap().is_none());
        let options = deployment(text("interlock"), text("7")).unwrap().unwrap();
        assert_eq!((options.version.build_id.as_str(), options.use_worker_versioning), ("7", true));
        assert_eq!(options.default_versioning_behavior, Some(VersioningBehavior::AutoUpgrade));
        for (name, build_id) in [(text("interlock"), None), (None, text("7"))] {
            let fault = deployment(name, build_id).unwrap_err();
            assert_eq!((fault.code, fault.exit_code()), (ErrorCode::DeploymentIncomplete, 2));
            assert!(fault.message.contains(NAME) && fault.message.contains(BUILD_ID), "{fault}");
        }
    }
}
