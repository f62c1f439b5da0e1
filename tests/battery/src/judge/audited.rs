//! What `interlock audit` says of the histories and the logs: the machines run once more over all that Temporal recorded.

use std::collections::BTreeMap;

use interlock_audit::{Audit, Options, Promise, TargetLog, TargetLogKind, Violation};
use interlock_workflows::names;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::histories::Recorded;
use super::{Evidence, Verdict};
use crate::error::BatteryError;

/// The workflows of which the audit judges histories.
const AUDITED: [&str; 8] = [
    names::CUSTOMER_ENTITY,
    names::RESOURCE_ENTITY,
    names::TARGET_ENTITY,
    names::TENANT_ENTITY,
    names::ACTION_LOG,
    names::RESOURCE_IMPORT,
    names::RESOURCE_IMPORT_PART,
    names::SWEEP,
];

/// Whether the audit judges it. The server has workflows of its own in each namespace.
fn is_audited(recorded: &Recorded) -> bool {
    let started = recorded.history.events.first().and_then(|event| event.attributes.as_ref());
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = started else { return false };
    started.workflow_type.as_ref().is_some_and(|kind| AUDITED.contains(&kind.name.as_str()))
}

/// A verdict for each promise that the audit checks.
pub(super) async fn all(evidence: &Evidence<'_>) -> Result<Vec<Verdict>, BatteryError> {
    let fault = |error: interlock_audit::AuditError| BatteryError::Unjudged {
        what: "auditing the histories",
        reason: error.to_string(),
    };
    let installation = &evidence.stage.platform.installation;
    let options = Options {
        routing: installation.routing.clone(),
        settled: evidence.drained.is_some(),
        all_entities: true,
        ..Options::default()
    };
    let mut audit = Audit::new(options).map_err(fault)?;
    for recorded in evidence.recorded.iter().filter(|recorded| is_audited(recorded)) {
        audit.add_history(recorded.history.events.clone()).await.map_err(fault)?;
    }
    for (name, log) in [("hss-east", &evidence.logs.hss[0]), ("hss-west", &evidence.logs.hss[1])] {
        let unread = |reason: String| BatteryError::Unjudged { what: "reading a target's log", reason };
        let json = serde_json::to_vec(log).map_err(|error| unread(error.to_string()))?;
        let log =
            TargetLog::from_json(TargetLogKind::Sandbox, name, &json).map_err(|error| unread(error.to_string()))?;
        audit.add_target_log(log);
    }
    let verdict = audit.verdict();
    if verdict.left_out > 0 {
        let reason = format!("{} histories do not fit into memory", verdict.left_out);
        return Err(BatteryError::Unjudged { what: "auditing the histories", reason });
    }
    let mut told: BTreeMap<Promise, Vec<&Violation>> = BTreeMap::new();
    for violation in &verdict.violations {
        told.entry(violation.promise).or_default().push(violation);
    }
    let of = |promise: &interlock_audit::PromiseVerdict| {
        let checked = format!("{} checked in {} histories", promise.checked, verdict.histories);
        let told = told.get(&promise.promise).into_iter().flatten();
        let violations = told.map(ToString::to_string).collect();
        Verdict { violations, ..Verdict::new(promise.promise.sentence(), checked) }
    };
    Ok(verdict.promises.iter().map(of).collect())
}
