//! Checks whether an installation can work: everything that has to be in place, from the catalog to the clocks. One file for each check; each
//! asks, and judges the answer in a function of its own.
//!
//! The doctor changes nothing, except that it starts and ends a workflow of its own to learn the server's time (`clocks.rs`).

mod catalog;
mod clocks;
mod connection;
mod dynamic_configuration;
mod namespaces;
mod report;
mod runs;
mod schedules;
mod search_attributes;
mod server_version;
mod targets;
mod tls;
mod workers;

use std::collections::BTreeMap;

use interlock_connection::{Connecting, ConnectionFlags, Installation, record};
use interlock_domain::catalog::Catalog;
use interlock_domain::routing::{InstallationRecord, agreed};
use interlock_settings::Settings;
use temporalio_client::{Client, NamespacedClient};

pub use report::{Check, Finding, Level, Report};
pub use server_version::{SERVER_VERSION_MIN, SERVER_VERSION_RECOMMENDED};

/// Checks the installation that these flags and settings describe. Whatever fails, the rest is checked as far as possible.
pub async fn examine(flags: &ConnectionFlags, settings: &Settings) -> Report {
    let (catalog, mut findings) = catalog::examine(settings);
    let (client, found) = connection::examine(flags, settings).await;
    findings.extend(found);
    findings.extend(tls::examine(flags));
    let Some((connecting, client)) = client else {
        findings.extend(targets::examine(settings).await);
        return Report::of(findings);
    };
    findings.push(server_version::examine(&client).await);
    let names = settings.namespaces(&client.namespace());
    let (usable, found) = namespaces::examine(&client, &names).await;
    findings.extend(found);
    for namespace in &usable {
        findings.extend(dynamic_configuration::examine(&client, settings, namespace).await);
        findings.extend(search_attributes::examine(&client, namespace).await);
    }
    findings.push(dynamic_configuration::unreadable());
    if usable.contains(&client.namespace()) {
        findings.push(clocks::examine(&client, settings).await);
    }
    findings.extend(targets::examine(settings).await);
    let (record, found) = recorded(&client, settings, &usable).await;
    findings.extend(found);
    match installation(client, connecting, settings, catalog, &record) {
        Ok(installation) => findings.extend(of_installation(&installation, &usable).await),
        Err(finding) => findings.push(finding),
    }
    Report::of(findings)
}

/// What depends on where everything is.
async fn of_installation(installation: &Installation, usable: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for namespace in usable {
        findings.push(schedules::examine(installation, namespace).await);
        findings.extend(workers::examine(installation, namespace).await);
        findings.extend(runs::examine(installation, namespace).await);
    }
    findings.extend(workers::examine_targets(installation, usable).await);
    findings.extend(targets::examine_entities(installation).await);
    findings
}

/// The record of the installation in the namespaces that can be used. If there is none, what the settings say.
async fn recorded(client: &Client, settings: &Settings, usable: &[String]) -> (InstallationRecord, Option<Finding>) {
    let read = record::read_all(client, usable.iter().cloned()).await;
    let recorded = read.and_then(|records| {
        let agreed = agreed(&records, &settings.prefix, settings.queue_shards);
        agreed.map_err(|disagreement| record::disagreement_fault(&disagreement))
    });
    match recorded {
        Ok(record) => {
            let detail = format!("The installation is recorded: {}.", record.words());
            (record, Some(Finding::ok(Check::Namespaces, detail)))
        }
        Err(fault) => {
            let by_settings =
                InstallationRecord::new(settings.prefix.clone(), settings.queue_shards.unwrap_or_default());
            // Namespaces that cannot be used are reported as such.
            let finding = (!usable.is_empty()).then(|| Finding::fault(Check::Namespaces, fault));
            (by_settings, finding)
        }
    }
}

fn installation(
    client: Client,
    connecting: Connecting,
    settings: &Settings,
    catalog: Option<Catalog>,
    record: &InstallationRecord,
) -> Result<Installation, Finding> {
    let catalog = catalog.unwrap_or_else(Catalog::reference);
    Installation::as_recorded(client, connecting, settings.clone(), catalog, record)
        .map_err(|fault| Finding::fault(Check::Catalog, fault))
}

/// The findings about several things of the same kind, in one line for each level: things with the same remedy are named together.
fn joined(check: Check, things: Vec<(Level, String, String, Option<String>)>) -> Vec<Finding> {
    let mut by_verdict: BTreeMap<(Level, String, Option<String>), Vec<String>> = BTreeMap::new();
    for (level, thing, verdict, next) in things {
        by_verdict.entry((level, verdict, next)).or_default().push(thing);
    }
    let finding = |((level, verdict, next), things): ((Level, String, Option<String>), Vec<String>)| Finding {
        check,
        level,
        detail: format!("{}: {verdict}", shortened(&things)),
        next,
    };
    by_verdict.into_iter().map(finding).collect()
}

/// The names, or the first of them and how many more there are.
fn shortened(names: &[String]) -> String {
    /// The most names in a line.
    const NAMED_MAX: usize = 6;
    match names.len().checked_sub(NAMED_MAX) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMED_MAX].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_with_the_same_verdict_are_in_one_line() {
        let thing = |level, name: &str, verdict: &str| (level, name.to_owned(), verdict.to_owned(), None);
        let mut things: Vec<_> = (0..10).map(|n| thing(Level::Error, &format!("q{n}"), "no worker")).collect();
        things.push(thing(Level::Ok, "a", "fine"));
        let findings = joined(Check::Workers, things);
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].detail, "a: fine");
        assert_eq!(findings[1].detail, "q0, q1, q2, q3, q4, q5 and 4 more: no worker");
    }
}
