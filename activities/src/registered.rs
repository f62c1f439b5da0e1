//! Compares the types that a worker has registered with those that its queue needs.

use interlock_workflows::Needs;
use temporalio_sdk::WorkerOptions;

/// The needed types that are not registered, each with its kind.
pub(crate) fn missing(options: &WorkerOptions, needs: &Needs) -> Vec<String> {
    // The SDK shows what is registered in one way only: the `Debug` form of its tables prints their names. If that form changes, all
    // types count as missing and no worker starts, so the change cannot go unnoticed.
    let (workflows, activities) = (format!("{:?}", options.workflows()), format!("{:?}", options.activities()));
    let not_in = |names: &[String], registered: &str, what: &str| -> Vec<String> {
        let unknown = names.iter().filter(|name| !registered.contains(&format!("{name:?}")));
        unknown.map(|name| format!("the {what} {name}")).collect()
    };
    let mut missing = not_in(&needs.workflows, &workflows, "workflow");
    missing.extend(not_in(&needs.activities, &activities, "activity"));
    missing
}

#[cfg(test)]
#[allow(dead_code, reason = "an activity of the test is registered, and never called")]
mod tests {
    use interlock_domain::message::ProvisionRequest;
    use interlock_domain::outcome::{Outcome, ProvenOutcome};
    use interlock_workflows::{ProvisionActivity, Served, Sweep};
    use temporalio_macros::activities;
    use temporalio_sdk::activities::{ActivityContext, ActivityError};

    use super::*;

    /// Half of the types that a target's queue needs.
    pub struct Half;

    #[activities]
    #[allow(missing_docs, clippy::unused_async, reason = "only its registration is looked at")]
    impl Half {
        #[activity(definition = ProvisionActivity)]
        pub async fn provision(
            _context: ActivityContext,
            _request: ProvisionRequest,
        ) -> Result<ProvenOutcome, ActivityError> {
            Ok(ProvenOutcome { outcome: Outcome::Done, proof: None, calls: None })
        }
    }

    #[test]
    fn an_unregistered_activity_is_reported_by_name() {
        let options = WorkerOptions::new("a queue").register_activities(Half).build();
        assert_eq!(missing(&options, &Served::Target.needs()), ["the activity look_up", "the activity deliver"]);
    }

    #[test]
    fn an_unregistered_workflow_is_reported_by_name() {
        let options = WorkerOptions::new("a queue").register_workflow::<Sweep>().unwrap().register_activities(Half);
        let missing = missing(&options.build(), &Served::Jobs.needs());
        assert_eq!(missing[0], "the workflow TargetEntity");
        assert!(!missing.iter().any(|name| name.ends_with("Sweep") || name.ends_with("provision")), "{missing:?}");
    }
}
