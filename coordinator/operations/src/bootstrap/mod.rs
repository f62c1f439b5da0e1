//! Preparing a Temporal cluster: namespaces, search attributes, the record of the installation, schedules, the rates of
//! targets' queues, and the change of the count of shards. All of it can be repeated.
//!
//! On Temporal Cloud namespaces and search attributes are created elsewhere: refusals are reported, and the rest is done.

mod changeover;
mod namespace;
mod report;

use std::time::Duration;

use interlock_connection::{CallRetries, Connecting, ConnectionFlags, Installation, STARTUP_LIMIT, record};
use interlock_domain::catalog::Catalog;
use interlock_domain::routing::{InstallationRecord, Records, ShardCount, to_record};
use interlock_fault::Fault;
use interlock_settings::Settings;
use temporalio_client::{Client, NamespacedClient};

pub use changeover::Changeover;
pub use report::{BootstrapReport, Deed, DeedOutcome, Thing};

use crate::schedules;
use crate::targets::Targets;

/// The retention of a namespace that is created here: as long as duplicates are recognised. For unordered events,
/// recognising duplicates depends on it.
pub const RETENTION_DEFAULT: Duration = Duration::from_hours(30 * 24);

/// What to prepare, and how.
#[derive(Debug, Clone)]
pub struct BootstrapOptions {
    /// The count of shards from now on; if none, the recorded one stays.
    pub shards: Option<ShardCount>,
    /// The count of a new installation if neither this nor the settings name one.
    pub usual_shards: ShardCount,
    /// The retention of namespaces that are created.
    pub retention: Duration,
    /// How long to wait for entities to move while the count changes.
    pub wait: Duration,
    /// Whether to only look.
    pub dry_run: bool,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self {
            shards: None,
            usual_shards: ShardCount::default(),
            retention: RETENTION_DEFAULT,
            wait: Duration::from_secs(30),
            dry_run: false,
        }
    }
}

/// Prepares the namespaces of the installation with these settings, and reports what it did and found. Refusals by Temporal do
/// not stop it.
///
/// # Errors
/// [`Fault`] `prefix_disagrees` or `shard_count_disagrees` if another installation, or another count, is recorded; those
/// of the settings; `record_unreadable`.
pub async fn bootstrap(
    flags: &ConnectionFlags,
    settings: &Settings,
    catalog: &Catalog,
    options: &BootstrapOptions,
) -> Result<BootstrapReport, Fault> {
    let connecting = Connecting::new(flags, CallRetries::Sdk, settings)?;
    let client = &connecting.client(STARTUP_LIMIT).await?;
    let mut done = Vec::new();
    let mut usable = Vec::new();
    for name in settings.namespaces(&client.namespace()) {
        let deed = namespace::ensure(client, &name, options).await;
        if matches!(deed.outcome, DeedOutcome::Found | DeedOutcome::Made) {
            usable.push(name);
        }
        done.push(deed);
    }
    let records = record::read_all(client, usable.iter().cloned()).await?;
    let wanted = to_record(&records, &settings.prefix, options.shards, settings.queue_shards, options.usual_shards)
        .map_err(|disagreement| record::disagreement_fault(&disagreement))?;
    // Settings that do not fit the count are reported before anything is written.
    let _fits = settings.routing_as_recorded(catalog, &client.namespace(), &wanted)?;
    for name in &usable {
        done.extend(namespace::ensure_search_attributes(client, name, options.dry_run).await);
        done.push(ensure_record(client, name, &records, &wanted, options.dry_run).await);
    }
    let installation =
        Installation::as_recorded(client.clone(), connecting, settings.clone(), catalog.clone(), &wanted)?;
    for name in &usable {
        done.push(ensure_sweep(&installation, name, wanted.is_changing(), options.dry_run).await);
    }
    done.extend(ensure_rates(&installation, options.dry_run).await);
    let mut report = BootstrapReport::new(&wanted, options.dry_run, done);
    if wanted.is_changing() && !options.dry_run && report.is_complete() {
        let changeover = changeover::carry_on(&installation, options.wait).await?;
        if changeover.is_over() {
            let settled = wanted.settled();
            for name in &usable {
                record::write(client, name, &settled).await?;
            }
            report.settle(&settled);
        }
        report.changeover = Some(changeover);
    }
    Ok(report)
}

async fn ensure_record(
    client: &Client,
    namespace: &str,
    records: &Records,
    wanted: &InstallationRecord,
    dry_run: bool,
) -> Deed {
    let deed = Deed::of(namespace, Thing::Record, wanted.words());
    let recorded = records.get(namespace).and_then(Option::as_ref);
    let outcome = match recorded {
        Some(recorded) if recorded == wanted => return deed,
        Some(recorded) => {
            let deed = deed.with_detail(format!("it was {}", recorded.words()));
            return finish_record(client, namespace, wanted, deed, DeedOutcome::changed(dry_run)).await;
        }
        None => DeedOutcome::made(dry_run),
    };
    finish_record(client, namespace, wanted, deed, outcome).await
}

async fn finish_record(
    client: &Client,
    namespace: &str,
    wanted: &InstallationRecord,
    deed: Deed,
    outcome: DeedOutcome,
) -> Deed {
    if outcome.is_intention() {
        return deed.with(outcome);
    }
    match record::write(client, namespace, wanted).await {
        Ok(()) => deed.with(outcome),
        Err(fault) => deed.failed(fault.message, "Fix the access to the namespace, then run it again."),
    }
}

/// An existing schedule stays unchanged while the count changes: the jobs workers move it when they start
/// again, and until then the old queue is certainly served.
async fn ensure_sweep(installation: &Installation, namespace: &str, is_changing: bool, dry_run: bool) -> Deed {
    let deed = Deed::of(namespace, Thing::Schedule, schedules::sweep_id(installation));
    if dry_run {
        return match schedules::has_sweep(installation, namespace).await {
            Ok(true) => deed,
            Ok(false) => deed.with(DeedOutcome::WouldMake),
            // The namespace does not exist yet.
            Err(error) => deed.with(DeedOutcome::WouldMake).with_detail(error.message().into_owned()),
        };
    }
    match schedules::make_sweep(installation, namespace).await {
        Ok(true) => deed.with(DeedOutcome::Made),
        Ok(false) if is_changing => deed,
        Ok(false) => match schedules::update_sweep(installation, namespace).await {
            Ok(false) => deed,
            Ok(true) => deed.with_detail(
                "it is paused, and stays so: 'temporal schedule toggle --unpause' continues it".to_owned(),
            ),
            Err(error) => deed.refused(&error, "Allow this client to change schedules, then run it again."),
        },
        Err(error) => deed.refused(&error, "Allow this client to create schedules, then run it again."),
    }
}

/// The rates of the targets' queues: the target entities set them, when they get the configuration.
async fn ensure_rates(installation: &Installation, dry_run: bool) -> Vec<Deed> {
    let targets = Targets::new(installation.clone());
    let namespace = &installation.routing.settings().namespace;
    let mut done = Vec::new();
    let rated = installation.settings.targets.iter().filter_map(|(target, of)| Some((target, of.rate_per_second?)));
    for (target, rate) in rated {
        let queue = installation.routing.provisioning_queue(target);
        let deed = Deed::of(namespace, Thing::Queue, queue).with_detail(format!("{} requests per second", rate.get()));
        done.push(if dry_run {
            deed.with(DeedOutcome::WouldChange)
        } else {
            match targets.client().configure(target).await {
                Ok(()) => deed.with(DeedOutcome::Told),
                Err(error) => deed.failed(error.to_string(), "A jobs worker sets it again when it starts."),
            }
        });
    }
    done
}
