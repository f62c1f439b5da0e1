//! Namespaces and their search attributes.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use interlock_client::{ServerError, namespaces};
use interlock_workflows::names::SEARCH_ATTRIBUTES;
use temporalio_client::Client;

use super::report::{Deed, DeedOutcome, Thing};
use super::{BootstrapOptions, RETENTION_DEFAULT};

/// How long all parts of a server may take to know a new namespace: the pause between checks, and their number.
const KNOWN_WITHIN: (Duration, usize) = (Duration::from_millis(500), 60);

/// Finds a namespace, or creates it.
pub(super) async fn ensure(client: &Client, namespace: &str, options: &BootstrapOptions) -> Deed {
    let deed = Deed::of(namespace, Thing::Namespace, namespace.to_owned());
    match namespaces::retention(client, namespace).await {
        Ok(retention) => return of_its_retention(deed, namespace, retention),
        Err(error) if error.is_not_found() => {}
        // A client that may not describe namespaces may still be allowed to use this one, as on Temporal Cloud: its use shows that.
        Err(error) if error.is_denied() => return of_its_use(client, namespace, deed, &error).await,
        Err(error) => return deed.refused(&error, "Check the connection to Temporal, then run it again."),
    }
    if options.dry_run {
        return deed.with(DeedOutcome::WouldMake);
    }
    // Another process may have registered it in the meantime.
    if let Err(error) = namespaces::register(client, namespace, options.retention).await {
        return deed.refused(
            &error,
            "Create the namespace with the tool that manages your namespaces (on Temporal Cloud: its console, tcld or \
             Terraform), then run it again.",
        );
    }
    let (pause, times) = KNOWN_WITHIN;
    let pauses = ConstantBuilder::default().with_delay(pause).with_max_times(times);
    match (|| namespaces::check_use(client, namespace)).retry(pauses).await {
        Ok(()) => of_its_retention(deed.with(DeedOutcome::Made), namespace, Some(options.retention)),
        Err(error) => deed.refused(&error, "Wait until the server knows the new namespace, then run it again."),
    }
}

/// Warns of a retention that is shorter than the time for which duplicates must be recognised.
fn of_its_retention(deed: Deed, namespace: &str, retention: Option<Duration>) -> Deed {
    let Some(retention) = retention.filter(|retention| *retention < RETENTION_DEFAULT) else { return deed };
    let hours = retention.as_secs() / 3_600;
    deed.with_warning(
        format!(
            "it keeps closed workflows for {hours} hours: duplicates of unordered events are recognised only within \
             that time"
        ),
        &format!("For 30 days: temporal operator namespace update --namespace {namespace} --retention 720h"),
    )
}

async fn of_its_use(client: &Client, namespace: &str, deed: Deed, denied: &ServerError) -> Deed {
    match namespaces::check_use(client, namespace).await {
        Ok(()) => deed.with_detail(format!("it can be used, but not described: {}", denied.message())),
        Err(error) => deed.refused(&error, "Give this client access to the namespace, then run it again."),
    }
}

/// Finds the search attributes of a namespace, or registers those that are missing.
pub(super) async fn ensure_search_attributes(client: &Client, namespace: &str, dry_run: bool) -> Vec<Deed> {
    const BY_HAND: &str = "Register it as a Keyword with the tool that manages your search attributes (on Temporal \
                           Cloud: its console, tcld or Terraform), then restart the workers; without it, lists are \
                           empty.";
    let deed = |attribute: &str| Deed::of(namespace, Thing::SearchAttribute, attribute.to_owned());
    let known = match namespaces::search_attributes(client, namespace).await {
        Ok(known) => known,
        Err(error) => return SEARCH_ATTRIBUTES.map(|attribute| deed(attribute).refused(&error, BY_HAND)).into(),
    };
    let (found, missing): (Vec<&str>, Vec<&str>) =
        SEARCH_ATTRIBUTES.into_iter().partition(|attribute| known.contains(*attribute));
    let mut done: Vec<Deed> = found.into_iter().map(deed).collect();
    if missing.is_empty() {
        return done;
    }
    if dry_run {
        done.extend(missing.into_iter().map(|attribute| deed(attribute).with(DeedOutcome::WouldMake)));
        return done;
    }
    let added = namespaces::add_search_attributes(client, namespace, &missing).await;
    done.extend(missing.into_iter().map(|attribute| match &added {
        Ok(()) => deed(attribute).with(DeedOutcome::Made),
        Err(error) => deed(attribute).refused(error, BY_HAND),
    }));
    done
}

#[cfg(test)]
mod tests {
    use super::super::report::BootstrapReport;
    use super::*;

    #[test]
    fn a_retention_shorter_than_30_days_is_warned_of_and_is_no_failure() {
        let judged = |days: Option<u64>| {
            let retention = days.map(|days| Duration::from_hours(24 * days));
            of_its_retention(Deed::of("blue", Thing::Namespace, "blue".to_owned()), "blue", retention)
        };
        for days in [None, Some(30), Some(90)] {
            assert_eq!((judged(days).detail, judged(days).next), (None, None), "{days:?}");
        }
        let short = judged(Some(29));
        assert_eq!(short.outcome, DeedOutcome::Found);
        assert!(short.detail.as_ref().is_some_and(|detail| detail.contains("696 hours")), "{short:?}");
        assert!(
            short.next.as_ref().is_some_and(|next| next.contains("--namespace blue --retention 720h")),
            "{short:?}"
        );
        let record = interlock_domain::routing::InstallationRecord::new(
            interlock_domain::routing::QueuePrefix::default(),
            interlock_domain::routing::ShardCount::ONE,
        );
        assert!(BootstrapReport::new(&record, false, vec![short]).is_complete());
    }
}
