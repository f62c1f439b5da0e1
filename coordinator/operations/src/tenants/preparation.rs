//! Prepares what a tenant needs before it sends its first event: each thing is checked, and created if it is missing. It can be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use interlock_adapters::AdapterRegistry;
use interlock_client::task_queues::{self, TenantShares};
use interlock_client::{ServerError, namespaces};
use interlock_connection::{Installation, record};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{TargetId, TenantId};
use interlock_domain::outcome::Outcome;
use interlock_domain::tenant::{Step, StepFault, TenantOutlook};
use interlock_workflows::names::SEARCH_ATTRIBUTES;

use super::shares::{of_server, targets_of};
use crate::inspection::Inspection;
use crate::schedules;

/// The retention of a namespace that is registered here: as long as duplicates are recognised.
const RETENTION: Duration = Duration::from_hours(30 * 24);
/// How long a target may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Prepares tenants.
#[derive(Clone)]
pub struct Preparation {
    installation: Installation,
    adapters: AdapterRegistry,
}

impl Preparation {
    /// Prepares tenants of this installation; targets are called by these adapters.
    pub fn new(installation: Installation, adapters: AdapterRegistry) -> Self {
        Self { installation, adapters }
    }

    /// Prepares one thing, and returns in a sentence what was found or done. `wanted` are the settings for the tenant of the process that
    /// on-boards it, if it sent them.
    ///
    /// # Errors
    /// [`StepFault`]; it may be retried. `tenant_settings_differ` if this process has other settings.
    pub async fn prepare(
        &self,
        tenant: &TenantId,
        step: Step,
        wanted: Option<&TenantOutlook>,
    ) -> Result<String, StepFault> {
        if let Some(wanted) = wanted {
            TenantOutlook::of(&self.installation.routing, tenant).agrees_with(wanted)?;
        }
        let namespace = self.installation.routing.namespace(tenant).to_owned();
        match step {
            Step::Namespace => {
                let detail = self.namespace(&namespace).await?;
                self.recorded(&namespace).await?;
                Ok(detail)
            }
            Step::SearchAttributes => self.search_attributes(&namespace).await,
            Step::Schedules => {
                let ensured = schedules::ensure_in(&self.installation, &namespace).await;
                let failed = |error: ServerError| StepFault::strange(error.message());
                ensured.map(|()| format!("the sweep of '{namespace}' is scheduled")).map_err(failed)
            }
            Step::Queues => self.queues(tenant, &namespace).await,
            Step::Targets => self.targets(tenant).await,
        }
    }

    /// How many customers of a tenant have open orders.
    ///
    /// # Errors
    /// [`StepFault`].
    pub async fn count(&self, tenant: &TenantId) -> Result<u64, StepFault> {
        let counted = Inspection::new(self.installation.clone()).customers_with_open_orders(tenant).await;
        counted.map_err(|error| fault(error.code(), format!("{error}")))
    }

    /// Ensures that the namespace exists; registers it if it does not.
    async fn namespace(&self, namespace: &str) -> Result<String, StepFault> {
        let client = &self.installation.client;
        let failed = |error: ServerError| fault(ErrorCode::NamespaceMissing, error.message());
        match namespaces::retention(client, namespace).await {
            Ok(_) => return Ok(format!("the namespace '{namespace}' exists")),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(failed(error)),
        }
        if namespaces::register(client, namespace, RETENTION).await.map_err(failed)? {
            Ok(format!("the namespace '{namespace}' was registered; restart the workers so that they serve it"))
        } else {
            Ok(format!("the namespace '{namespace}' exists"))
        }
    }

    /// Ensures that this installation is recorded there: otherwise no process would work there.
    async fn recorded(&self, namespace: &str) -> Result<(), StepFault> {
        let records = record::read_all(&self.installation.client, [namespace.to_owned()]).await;
        let records = records.map_err(|unreadable| fault(unreadable.code, unreadable.message))?;
        let prefix = &self.installation.routing.settings().prefix;
        // The count of shards may be changing, and the namespaces may differ meanwhile.
        let agreed = interlock_domain::routing::agreed(&records, prefix, None);
        agreed.map(|_| ()).map_err(|disagreement| fault(disagreement.code(), disagreement.to_string()))
    }

    /// Ensures that the search attributes are registered there; missing ones are added.
    async fn search_attributes(&self, namespace: &str) -> Result<String, StepFault> {
        let missing = |known: &BTreeSet<String>| -> Vec<&'static str> {
            SEARCH_ATTRIBUTES.into_iter().filter(|name| !known.contains(*name)).collect()
        };
        let failed = |error: ServerError| fault(ErrorCode::SearchAttributesMissing, error.message());
        let client = &self.installation.client;
        let wanted = missing(&namespaces::search_attributes(client, namespace).await.map_err(failed)?);
        if wanted.is_empty() {
            return Ok("all are registered".to_owned());
        }
        namespaces::add_search_attributes(client, namespace, &wanted).await.map_err(failed)?;
        let missing = missing(&namespaces::search_attributes(client, namespace).await.map_err(failed)?);
        if missing.is_empty() {
            Ok(format!("{} were registered", wanted.join(", ")))
        } else {
            Err(fault(ErrorCode::SearchAttributesMissing, format!("{} are not visible yet", missing.join(", "))))
        }
    }

    /// Ensures that the queues of its targets have the weight of its plan, whatever a task says: also for workers in other languages.
    async fn queues(&self, tenant: &TenantId, namespace: &str) -> Result<String, StepFault> {
        let priority = self.installation.routing.priority(tenant);
        let targets = self.targets_of(tenant);
        for target in &targets {
            let queue = self.installation.routing.provisioning_queue(target);
            let weights = BTreeMap::from([(priority.fairness_key.clone(), priority.fairness_weight)]);
            let of_target = self.installation.settings.targets.get(target);
            let rate = of_target.and_then(|of| of.rate_per_tenant);
            let shares = TenantShares { weights, requests_per_second: rate.map(of_server) };
            let set = task_queues::set_tenant_shares(&self.installation.client, namespace, &queue, &shares).await;
            let is_reported = set.map_err(|error| {
                fault(ErrorCode::QueueNotConfigured, format!("the queue {queue}: {}", error.message()))
            })?;
            if !is_reported {
                let detail = format!("the queue {queue} does not report the weight");
                return Err(fault(ErrorCode::QueueNotConfigured, detail));
            }
        }
        Ok(format!("the weight {} is set on {} queues", priority.fairness_weight, targets.len()))
    }

    /// Checks that its targets answer. Targets that are called by separate programs are not asked.
    async fn targets(&self, tenant: &TenantId) -> Result<String, StepFault> {
        let mut answered = Vec::new();
        for target in self.targets_of(tenant) {
            let unanswered = |detail: String| fault(ErrorCode::TargetUnanswered, format!("{target}: {detail}"));
            let external = self.installation.settings.targets.get(&target);
            if external.is_some_and(|of| of.adapter == interlock_adapters::AdapterKind::External) {
                continue;
            }
            let adapter = self.adapters.get(&target).map_err(|error| unanswered(error.to_string()))?;
            let asked = tokio::time::timeout(ANSWER_LIMIT, adapter.health()).await;
            let slow = || unanswered(format!("no response within {} s", ANSWER_LIMIT.as_secs()));
            match asked.map_err(|_| slow())? {
                // A target that rejects the probe is reachable.
                Ok(())
                | Err(
                    Outcome::Done
                    | Outcome::AlreadyDone
                    | Outcome::Accepted { .. }
                    | Outcome::InUse { .. }
                    | Outcome::Throttled { .. },
                ) => {
                    answered.push(target.to_string());
                }
                Err(
                    Outcome::Unavailable { detail, .. }
                    | Outcome::Transient { detail }
                    | Outcome::Ambiguous { detail }
                    | Outcome::Permanent { detail, .. },
                ) => return Err(unanswered(detail)),
            }
        }
        Ok(format!("{} answered", answered.join(", ")))
    }

    /// The targets that are called for it.
    fn targets_of(&self, tenant: &TenantId) -> BTreeSet<TargetId> {
        targets_of(&self.installation.routing, &self.installation.catalog, tenant)
    }
}

fn fault(code: ErrorCode, detail: impl Into<String>) -> StepFault {
    StepFault { code: code.into(), detail: detail.into() }
}
