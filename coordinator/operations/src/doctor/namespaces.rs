//! The namespaces: whether they exist, and for how long they keep closed workflows.

use std::collections::BTreeSet;
use std::time::Duration;

use interlock_client::{ServerError, namespaces};
use temporalio_client::Client;

use super::report::{Check, Finding};
use crate::bootstrap::RETENTION_DEFAULT;

/// Those that can be used, and what was found.
pub(super) async fn examine(client: &Client, names: &BTreeSet<String>) -> (Vec<String>, Vec<Finding>) {
    let (mut usable, mut findings) = (Vec::new(), Vec::new());
    for name in names {
        let described = namespaces::retention(client, name).await;
        // A client that may not describe a namespace may be allowed to use it, as on Temporal Cloud.
        let used = match &described {
            Err(error) if error.is_denied() => Some(namespaces::check_use(client, name).await),
            _ => None,
        };
        let (is_usable, finding) = judged(name, described, used);
        if is_usable {
            usable.push(name.clone());
        }
        findings.push(finding);
    }
    (usable, findings)
}

fn judged(
    name: &str,
    described: Result<Option<Duration>, ServerError>,
    used: Option<Result<(), ServerError>>,
) -> (bool, Finding) {
    const MAKE: &str = "Run 'interlock bootstrap'; on Temporal Cloud create it there.";
    match (described, used) {
        (Ok(Some(retention)), _) if retention < RETENTION_DEFAULT => {
            let hours = retention.as_secs() / 3_600;
            let detail = format!(
                "The namespace '{name}' keeps closed workflows for {hours} hours: duplicates of unordered events are \
                 recognised, and lost customers recovered, only within that time."
            );
            let next = format!("temporal operator namespace update --namespace {name} --retention 720h");
            (true, Finding::warning(Check::Namespaces, detail, next))
        }
        (Ok(_), _) => (true, Finding::ok(Check::Namespaces, format!("The namespace '{name}' exists."))),
        (Err(denied), Some(Ok(()))) => {
            let detail = format!("The namespace '{name}' can be used, but not described: {}.", denied.message());
            (true, Finding::ok(Check::Namespaces, detail))
        }
        (Err(error), _) if error.is_not_found() => {
            (false, Finding::error(Check::Namespaces, format!("The namespace '{name}' does not exist."), MAKE))
        }
        (Err(error), _) => {
            let reason = error.message().trim_end_matches('.').to_owned();
            let detail = format!("The namespace '{name}' cannot be used: {reason}.");
            (false, Finding::error(Check::Namespaces, detail, "Give this client access to the namespace."))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::super::report::Level;
    use super::*;

    #[test]
    fn a_namespace_is_usable_if_it_can_be_described_or_used() {
        let days = |days: u64| Ok(Some(Duration::from_hours(24 * days)));
        let error = |status: Status| ServerError::from(status);
        let verdict = |described, used| {
            let (usable, finding) = judged("blue", described, used);
            (usable, finding.level)
        };
        assert_eq!(verdict(days(30), None), (true, Level::Ok));
        assert_eq!(verdict(days(29), None), (true, Level::Warning));
        assert_eq!(verdict(Ok(None), None), (true, Level::Ok));
        assert_eq!(verdict(Err(error(Status::not_found("Namespace blue is not found."))), None), (false, Level::Error));
        let denied = || Err(error(Status::permission_denied("no")));
        assert_eq!(verdict(denied(), Some(Ok(()))), (true, Level::Ok));
        assert_eq!(verdict(denied(), Some(Err(error(Status::permission_denied("no"))))), (false, Level::Error));
    }
}
