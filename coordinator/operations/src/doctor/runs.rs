//! Runs behind the workflow ids of entities that no worker executes.

use interlock_client::ServerError;
use interlock_connection::Installation;
use interlock_domain::sweep::MisplacedRun;

use super::report::{Check, Finding};
use crate::misplaced::misplaced_runs;

/// The most runs that are named.
const NAMED_MAX: usize = 20;

/// Those of a namespace.
pub(super) async fn examine(installation: &Installation, namespace: &str) -> Vec<Finding> {
    judged(namespace, misplaced_runs(installation, namespace).await)
}

fn judged(namespace: &str, found: Result<Vec<MisplacedRun>, ServerError>) -> Vec<Finding> {
    let runs = match found {
        Ok(runs) => runs,
        Err(error) => {
            let what = format!("Whether all entities in '{namespace}' are where workers execute them");
            return vec![Finding::unknown(Check::Runs, &what, &error.message())];
        }
    };
    if runs.is_empty() {
        let detail = format!("All entities in '{namespace}' are where workers execute them.");
        return vec![Finding::ok(Check::Runs, detail)];
    }
    let more = runs.len().saturating_sub(NAMED_MAX);
    let named = runs.into_iter().take(NAMED_MAX);
    let mut findings: Vec<Finding> = named
        .map(|run| Finding::error(Check::Runs, run.detail, format!("{}; then correct the producer.", run.remedy)))
        .collect();
    if more > 0 {
        let detail = format!("{more} more runs in '{namespace}' are not executed by any worker.");
        findings.push(Finding::error(Check::Runs, detail, "End those that are named first, and run it again."));
    }
    findings
}

#[cfg(test)]
mod tests {
    use interlock_domain::ids::Timestamp;
    use interlock_domain::routing::{Routing, RoutingSettings};

    use super::super::report::Level;
    use super::*;

    #[test]
    fn each_run_that_no_worker_executes_is_an_error_with_its_remedy() {
        assert_eq!(judged("default", Ok(Vec::new()))[0].level, Level::Ok);
        let routing = Routing::new(RoutingSettings::default()).unwrap();
        let run = |number: usize| {
            let id = format!("blue/customer/A{number}");
            let misplacement = routing.misplaced("default", &id, "CustomerEntity", "orders").unwrap();
            MisplacedRun::of(&misplacement, number.to_string(), Timestamp(0))
        };
        let findings = judged("default", Ok((0..25).map(run).collect()));
        assert_eq!(findings.len(), NAMED_MAX + 1);
        assert!(findings.iter().all(|finding| finding.level == Level::Error));
        assert!(findings[0].next.as_ref().unwrap().starts_with("interlock customer recover A0 --misplaced"));
    }
}
