//! The targets: whether they answer this machine, and whether they are called.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::AdapterKind;
use interlock_connection::Installation;
use interlock_domain::ids::TargetId;
use interlock_domain::outcome::Outcome;
use interlock_domain::target_entity::{TargetStateName, TargetView};
use interlock_domain::views::TargetListed;
use interlock_settings::Settings;

use super::report::{Check, Finding};
use crate::targets::Targets;

/// How long a target may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Asks each target that has an adapter here whether it is up.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    if settings.targets.is_empty() {
        return vec![Finding::warning(
            Check::Targets,
            "These settings have no target.",
            "Add [targets.NAME] to the settings, or run the doctor with those of the workers.",
        )];
    }
    let adapters = match settings.adapters() {
        Ok(adapters) => adapters,
        Err(fault) => return vec![Finding::fault(Check::Targets, fault)],
    };
    let asked = settings.targets.iter().map(|(target, of)| {
        let adapter = adapters.get(target);
        async move {
            if of.adapter == AdapterKind::External {
                let detail = format!("{target} is external: its own program calls it.");
                return Finding::ok(Check::Targets, detail);
            }
            if of.adapter == AdapterKind::Intake {
                return Finding::ok(Check::Targets, format!("{target} translates events: Interlock itself does so."));
            }
            match adapter {
                Ok(adapter) => match tokio::time::timeout(ANSWER_LIMIT, adapter.health()).await {
                    Ok(answer) => judged(target, answer),
                    Err(_) => silent(target, &format!("it did not answer within {} s", ANSWER_LIMIT.as_secs())),
                },
                Err(error) => silent(target, &error.to_string()),
            }
        }
    });
    join_all(asked).await
}

/// A target that refuses the question is up.
fn judged(target: &TargetId, answer: Result<(), Outcome>) -> Finding {
    match answer {
        Ok(()) | Err(Outcome::Done | Outcome::AlreadyDone | Outcome::InUse { .. } | Outcome::Throttled { .. }) => {
            Finding::ok(Check::Targets, format!("{target} answers this machine."))
        }
        Err(Outcome::Permanent { code, detail }) => Finding::warning(
            Check::Targets,
            format!(
                "{target} answers this machine, but refuses the question ({code}): {}.",
                detail.trim_end_matches('.')
            ),
            "Check its credentials and base_url in [targets.NAME].",
        ),
        Err(other) => silent(target, other.detail().unwrap_or("it did not answer")),
    }
}

fn silent(target: &TargetId, reason: &str) -> Finding {
    Finding::error(
        Check::Targets,
        format!("{target} does not answer this machine: {}.", reason.trim_end_matches('.')),
        format!(
            "Check base_url, TLS and network of [targets.{target}]; run the doctor where the provisioning workers run."
        ),
    )
}

/// Whether the targets are called.
pub(super) async fn examine_entities(installation: &Installation) -> Vec<Finding> {
    let targets = Targets::new(installation.clone());
    targets.show_all(&targets.configured()).await.iter().filter_map(of_entity).collect()
}

fn of_entity(listed: &TargetListed) -> Option<Finding> {
    let view = match listed {
        TargetListed::Answered(view) => view,
        TargetListed::Unanswered(unanswered) => {
            let what = format!("Whether {} is called", unanswered.target);
            return Some(Finding::unknown(Check::Targets, &what, &unanswered.unanswered.detail));
        }
    };
    let TargetView { target, state, since, .. } = view.as_ref();
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match state.known() {
        Some(TargetStateName::Closed) => None,
        Some(TargetStateName::Paused | TargetStateName::Maintenance) => Some(Finding::warning(
            Check::Targets,
            format!("{target} is {state} since {since} and is not called{reason}."),
            format!("When it may be called again: interlock target resume {target} --reason …"),
        )),
        _ => Some(Finding::warning(
            Check::Targets,
            format!("{target} is {state} since {since}, so it is not called, or less than usual{reason}."),
            format!("See 'interlock target show {target}'."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::error_code::ErrorCode;
    use serde_json::json;

    use super::super::report::Level;
    use super::*;

    #[test]
    fn a_target_that_does_not_answer_is_an_error_and_one_that_refuses_a_warning() {
        let target: TargetId = "hss".parse().unwrap();
        assert_eq!(judged(&target, Ok(())).level, Level::Ok);
        let refused = Outcome::Permanent { code: ErrorCode::Expired.into(), detail: "401".to_owned() };
        assert_eq!(judged(&target, Err(refused)).level, Level::Warning);
        let down = judged(&target, Err(Outcome::unavailable("connection refused")));
        assert!(down.level == Level::Error && down.detail.contains("connection refused"), "{down:?}");
    }

    #[test]
    fn a_target_that_is_not_called_is_a_warning_with_the_reason() {
        let listed = |state: &str| -> TargetListed {
            serde_json::from_value(
                json!({"target": "hss", "state": state, "since": "2026-01-01T00:00:00Z", "reason": "x"}),
            )
            .unwrap()
        };
        assert_eq!(of_entity(&listed("closed")), None);
        for state in ["paused", "maintenance", "open", "probing", "ramping"] {
            let finding = of_entity(&listed(state)).unwrap();
            assert!(finding.level == Level::Warning && finding.detail.contains(state), "{finding:?}");
        }
        let unanswered =
            json!({"target": "sms", "state": null, "unanswered": {"code": "no_worker", "detail": "silent"}});
        let finding = of_entity(&serde_json::from_value(unanswered).unwrap()).unwrap();
        assert!(finding.detail.contains("silent"), "{finding:?}");
    }
}
