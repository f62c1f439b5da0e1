//! What the server is configured to allow. It does not say its dynamic configuration; what can be found out by asking is asked, and the rest
//! is named.

use interlock_client::namespaces::NamespaceAbilities;
use interlock_client::{ServerError, namespaces, server, task_queues};
use interlock_settings::Settings;
use temporalio_client::Client;

use super::report::{Check, Finding};

/// Where the settings of a server are that Interlock needs.
const WHERE: &str = "deploy/temporal/dynamicconfig.yaml has the settings that Interlock needs";

/// What a namespace allows.
pub(super) async fn examine(client: &Client, settings: &Settings, namespace: &str) -> Vec<Finding> {
    let queue = format!("{}.doctor", settings.prefix.as_str());
    let (multi, limits, abilities) = tokio::join!(
        server::takes_update_with_start(client, namespace),
        task_queues::check_limits(client, namespace, &queue),
        namespaces::abilities(client, namespace),
    );
    let findings = [of_update_with_start(namespace, multi), of_limits(namespace, limits)];
    findings.into_iter().chain(of_abilities(namespace, abilities)).collect()
}

fn of_update_with_start(namespace: &str, taken: Result<bool, ServerError>) -> Finding {
    match taken {
        Ok(true) => {
            Finding::ok(Check::DynamicConfiguration, format!("'{namespace}' takes updates together with a start."))
        }
        Ok(false) => Finding::error(
            Check::DynamicConfiguration,
            format!("'{namespace}' does not take updates together with a start: claims get no answer at once."),
            format!(
                "Allow ExecuteMultiOperation to this client, and set frontend.enableExecuteMultiOperation to true where the server has it; {WHERE}."
            ),
        ),
        Err(error) => Finding::unknown(
            Check::DynamicConfiguration,
            &format!("Whether '{namespace}' takes updates together with a start"),
            &error.message(),
        ),
    }
}

fn of_limits(namespace: &str, allowed: Result<(), ServerError>) -> Finding {
    match allowed {
        Ok(()) => {
            Finding::ok(Check::DynamicConfiguration, format!("Limits of the queues in '{namespace}' can be set."))
        }
        Err(error) if error.is_temporary() => Finding::unknown(
            Check::DynamicConfiguration,
            &format!("The limits of queues in '{namespace}'"),
            &error.message(),
        ),
        Err(error) => Finding::error(
            Check::DynamicConfiguration,
            format!(
                "This client may not set limits of queues in '{namespace}', so targets that are down are not parked: {}.",
                error.message().trim_end_matches('.')
            ),
            "Allow UpdateTaskQueueConfig to the clients of Interlock's workers.",
        ),
    }
}

fn of_abilities(namespace: &str, abilities: Result<Option<NamespaceAbilities>, ServerError>) -> Vec<Finding> {
    let NamespaceAbilities { updates, standalone_activities } = match abilities {
        Ok(Some(abilities)) => abilities,
        Ok(None) => {
            let what = format!("What the namespace '{namespace}' allows");
            return vec![Finding::unknown(Check::DynamicConfiguration, &what, "the server does not say it")];
        }
        Err(error) => {
            let what = format!("What the namespace '{namespace}' allows");
            return vec![Finding::unknown(Check::DynamicConfiguration, &what, &error.message())];
        }
    };
    let mut findings = Vec::new();
    if !updates {
        findings.push(Finding::error(
            Check::DynamicConfiguration,
            format!("'{namespace}' does not allow updates: claims and a person's actions get no answer."),
            format!("Set frontend.enableUpdateWorkflowExecution to true; {WHERE}."),
        ));
    }
    if standalone_activities {
        let detail = format!("'{namespace}' allows standalone activities.");
        findings.push(Finding::ok(Check::DynamicConfiguration, detail));
    } else {
        findings.push(Finding::error(
            Check::DynamicConfiguration,
            format!("'{namespace}' does not allow standalone activities: events of unordered types are not accepted."),
            format!("Set activity.enableStandalone to true; {WHERE}."),
        ));
    }
    findings
}

/// What no call tells.
pub(super) fn unreadable() -> Finding {
    Finding::warning(
        Check::DynamicConfiguration,
        "The server does not say whether fairness is on (matching.enableFairness), how many partitions its queues have, and how \
         many calls a second it takes.",
        format!("Compare them once by hand: {WHERE}; deploy/docs/sizing.md has the arithmetic."),
    )
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::super::report::Level;
    use super::*;

    fn refused(status: Status) -> ServerError {
        status.into()
    }

    #[test]
    fn what_the_server_does_not_allow_is_an_error_and_what_it_does_not_say_a_warning() {
        assert_eq!(of_update_with_start("n", Ok(true)).level, Level::Ok);
        assert_eq!(of_update_with_start("n", Ok(false)).level, Level::Error);
        assert_eq!(of_update_with_start("n", Err(refused(Status::unavailable("away")))).level, Level::Warning);
        assert_eq!(of_limits("n", Ok(())).level, Level::Ok);
        assert_eq!(of_limits("n", Err(refused(Status::permission_denied("no")))).level, Level::Error);
        assert_eq!(of_limits("n", Err(refused(Status::unavailable("away")))).level, Level::Warning);
        let levels = |updates, standalone_activities| -> Vec<Level> {
            let found = of_abilities("n", Ok(Some(NamespaceAbilities { updates, standalone_activities })));
            found.iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels(true, true), [Level::Ok]);
        assert_eq!(levels(false, false), [Level::Error, Level::Error]);
        assert_eq!(of_abilities("n", Ok(None))[0].level, Level::Warning);
        assert_eq!(unreadable().level, Level::Warning);
    }
}
