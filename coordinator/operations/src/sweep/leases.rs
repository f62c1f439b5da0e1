//! Compares what resources say about their holders with what those customers say that they hold, in both directions. What a
//! difference is, and when it lasts, is decided in [`interlock_domain::sweep`].
//!
//! A sweep asks at most 50 resources and their holders, 50 customers and the resources of at most 100 of their leases, and those
//! with a suspected difference: some 250 queries a sweep, 8 at a time, for at most 20 s. The next one continues with the next page.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use interlock_domain::customer::{Keeping, LeasesHeld};
use interlock_domain::ids::{CustomerId, CustomerRef, ResourceId, ResourceKind, TenantId};
use interlock_domain::resource::ResourceView;
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, EntityAddress, RESOURCE_WORKFLOW_TYPE};
use interlock_domain::sweep::{
    Compared, CustomerSaid, DifferenceKind, HolderSaid, LeaseLedger, LeaseNews, Side, Suspect,
};
use interlock_domain::wire::Hideable;
use interlock_observability::metrics::MetricName;
use interlock_observability::metrics::counts::DifferenceOutcome;
use interlock_workflows::{LeasesSeen, names};
use serde_json::json;

use super::Sweeper;
use super::look::{ASKED_AT_A_TIME, now};
use crate::inspection::{Inspection, InspectionError};

/// The most resources that one sweep asks for their holders; it then asks those.
pub const RESOURCES_COMPARED_MAX: i32 = 50;
/// The most customers that one sweep asks for their leases.
pub const CUSTOMERS_COMPARED_MAX: i32 = 50;
/// For how many of these leases one sweep asks the resources; the next one continues there.
pub const LEASES_COMPARED_MAX: usize = 100;
/// After this time no further entity is asked: the rest is asked when the circle comes round again.
const COMPARING_TIME: Duration = Duration::from_secs(20);

/// A customer, by its tenant.
type Who = (TenantId, CustomerId);

/// One resource to compare, and which customers to ask about it.
#[derive(Default)]
struct ToCompare {
    namespace: String,
    /// The resource, if it is known before it answers.
    resource: Option<ResourceId>,
    /// The answers of customers so far.
    said: BTreeMap<Who, Option<CustomerSaid>>,
    /// Customers to ask, in addition to the holder.
    to_ask: BTreeSet<Who>,
}

/// A comparison in progress.
struct Comparison<'a> {
    sweeper: &'a Sweeper,
    inspection: Inspection,
    until: Instant,
    /// By the workflow id of the resource's entity.
    resources: BTreeMap<String, ToCompare>,
}

impl Sweeper {
    /// Compares the next page of resources and of customers, and earlier suspicions; asks customers that contradict a resource
    /// for longer than messages take to tell the resource what they hold.
    pub(super) async fn compare_leases(&self, mut ledger: LeaseLedger) -> LeasesSeen {
        let inspection = Inspection::new(self.installation.clone());
        let until = Instant::now() + COMPARING_TIME;
        let mut comparison = Comparison { sweeper: self, inspection, until, resources: BTreeMap::new() };
        comparison.add_suspects(&ledger);
        comparison.add_resources(&mut ledger).await;
        comparison.add_customers(&mut ledger).await;
        let said = comparison.ask_all().await;
        self.begin_counts(said.values().flatten().map(|compared| compared.resource.kind()));
        let now = now();
        let news = ledger.judge(&self.rules(), now, &said);
        let asked = ledger.to_settle(&self.rules(), now).into_iter().map(|(asked, above)| (asked, Some(above)));
        self.ask_to_reassert(asked.collect()).await;
        LeasesSeen { ledger, news }
    }

    /// Shows the counts of differences as 0 before there is one, so that an alert notices the first; also of kinds that an earlier catalog had.
    fn begin_counts<'a>(&self, kinds: impl Iterator<Item = &'a ResourceKind>) {
        for kind in kinds.collect::<BTreeSet<_>>() {
            for difference in DifferenceKind::ALL {
                for outcome in DifferenceOutcome::ALL {
                    self.metrics.begin(MetricName::LeaseDifferences, &labels(kind, difference, outcome));
                }
            }
        }
    }

    /// Counts new differences that last, and settled ones.
    pub(super) fn count_differences(&self, news: &LeaseNews) {
        for (suspects, outcome) in
            [(&news.raised, DifferenceOutcome::Found), (&news.cleared, DifferenceOutcome::Settled)]
        {
            for Suspect { difference, .. } in suspects {
                let labels = labels(difference.resource.kind(), difference.kind, outcome);
                self.metrics.count(MetricName::LeaseDifferences, &labels);
            }
        }
        if news.left_out > 0 {
            tracing::warn!(
                left_out = news.left_out,
                "there are more differences between resources and customers than can be remembered"
            );
        }
    }

    /// A page of the running entities of a type, and where the next one starts.
    async fn page_of(
        &self,
        workflow_type: &str,
        size: i32,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), InspectionError> {
        let query = format!("WorkflowType = '{workflow_type}' AND ExecutionStatus = 'Running'");
        let page = self.page(&query, size, cursor).await;
        let page = page.map_err(|error| InspectionError::of_server("The list of entities", &error))?;
        Ok((page.workflow_ids, page.cursor))
    }
}

impl Comparison<'_> {
    fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    /// The entry of a resource, as a tenant refers to it.
    fn entry(&mut self, tenant: &TenantId, resource: &ResourceId) -> &mut ToCompare {
        let route = self.sweeper.installation.entities.resource(tenant, resource).route;
        let entry = self.resources.entry(route.workflow_id).or_default();
        entry.namespace = route.namespace;
        entry.resource = Some(resource.clone());
        entry
    }

    /// Differences that the previous sweep saw are checked first.
    fn add_suspects(&mut self, ledger: &LeaseLedger) {
        for Suspect { difference, .. } in ledger.suspects.values() {
            let sides: Vec<&Side> = difference.holder.iter().chain(&difference.held).collect();
            let Some(first) = sides.first() else { continue };
            let to_ask = sides.iter().map(|side| (side.tenant.clone(), side.customer.clone()));
            self.entry(&first.tenant, &difference.resource).to_ask.extend(to_ask);
        }
    }

    /// The next page of resources. If the visibility store does not answer, the next sweep continues at the same place.
    async fn add_resources(&mut self, ledger: &mut LeaseLedger) {
        let page = self.sweeper.page_of(RESOURCE_WORKFLOW_TYPE, RESOURCES_COMPARED_MAX, ledger.resources.as_deref());
        match page.await {
            Ok((ids, next)) => {
                ledger.resources = next;
                for id in ids {
                    self.resources.entry(id).or_default().namespace.clone_from(&self.sweeper.namespace);
                }
            }
            Err(error) => tracing::warn!(code = %error.code(), %error, "a sweep cannot list the resources"),
        }
    }

    /// The leases of the next page of customers, or the next ones of the same page if it has more than one sweep compares.
    async fn add_customers(&mut self, ledger: &mut LeaseLedger) {
        let page = self.sweeper.page_of(CUSTOMER_WORKFLOW_TYPE, CUSTOMERS_COMPARED_MAX, ledger.customers.as_deref());
        let (ids, next) = match page.await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(code = %error.code(), %error, "a sweep cannot list the customers");
                return;
            }
        };
        let customers = ids.into_iter().filter_map(|id| match id.parse() {
            Ok(EntityAddress::Customer(customer)) => Some((id, customer)),
            _ => None,
        });
        let this = &*self;
        let asked = futures_util::stream::iter(customers).map(|(id, customer)| async move {
            let answer = if this.is_over() { None } else { this.leases_of(&id).await };
            (customer, answer)
        });
        let answers: Vec<(CustomerRef, Option<LeasesHeld>)> = asked.buffered(ASKED_AT_A_TIME).collect().await;
        let held = answers.into_iter().filter_map(|(customer, held)| Some((customer, held?)));
        let pairs: Vec<_> = held
            .flat_map(|(customer, LeasesHeld { incarnation, leases })| {
                leases.into_iter().map(move |lease| (customer.clone(), incarnation, lease))
            })
            .collect();
        let is_more = pairs.len() > ledger.leases.saturating_add(LEASES_COMPARED_MAX);
        for (customer, incarnation, lease) in pairs.into_iter().skip(ledger.leases).take(LEASES_COMPARED_MAX) {
            let said = CustomerSaid { incarnation, epoch: Some(lease.epoch), under_way: lease.under_way };
            let entry = self.entry(&customer.tenant, &lease.resource);
            entry.said.insert((customer.tenant, customer.customer), Some(said));
        }
        if is_more {
            ledger.leases += LEASES_COMPARED_MAX;
        } else {
            (ledger.customers, ledger.leases) = (next, 0);
        }
    }

    async fn leases_of(&self, workflow_id: &str) -> Option<LeasesHeld> {
        let namespace = &self.sweeper.namespace;
        // A worker of an earlier build does not know the query: its customers are compared from the side of their resources.
        self.inspection.ask_running(namespace, workflow_id, names::LEASES, &()).await.ok()?
    }

    /// The answers about each resource; none if an entity did not answer.
    async fn ask_all(self) -> BTreeMap<String, Option<Compared>> {
        let Self { sweeper, inspection, until, resources } = self;
        let this = &Comparison { sweeper, inspection, until, resources: BTreeMap::new() };
        let asked = futures_util::stream::iter(resources).map(|(id, to_compare)| async move {
            let said = if this.is_over() { None } else { this.ask(&id, to_compare).await };
            (id, said)
        });
        let said: BTreeMap<_, _> = asked.buffer_unordered(ASKED_AT_A_TIME).collect().await;
        let left_out = said.values().filter(|said| said.is_none()).count();
        if this.is_over() && left_out > 0 {
            tracing::warn!(left_out, "not all leases could be compared in time");
        }
        said
    }

    async fn ask(&self, workflow_id: &str, to_compare: ToCompare) -> Option<Compared> {
        let ToCompare { namespace, resource, said, mut to_ask } = to_compare;
        let asked = self.inspection.ask_running::<ResourceView>(&namespace, workflow_id, names::STATE, &());
        let shown = asked.await.ok()?;
        let under_way = shown.as_ref().is_some_and(|shown| shown.under_way);
        let resource = shown.as_ref().map(|shown| shown.resource.clone()).or(resource)?;
        let holder = shown.and_then(|shown| shown.holder).and_then(|holder| {
            let CustomerRef { tenant, customer } = holder.customer()?;
            let side = Side { tenant, customer, epoch: holder.epoch };
            let incarnation = holder.incarnation.as_ref().and_then(Hideable::shown).copied();
            Some(HolderSaid { side, incarnation, is_orphan: holder.orphaned_at.is_some() })
        });
        to_ask.extend(holder.iter().map(|holder| (holder.side.tenant.clone(), holder.side.customer.clone())));
        let mut customers = said;
        for who in to_ask {
            if let Entry::Vacant(unheard) = customers.entry(who) {
                let answer = self.keeps(unheard.key(), &resource).await.ok()?;
                unheard.insert(answer);
            }
        }
        Some(Compared { resource, holder, under_way, customers })
    }

    /// A customer's answer about a resource; none if the customer's entity does not run.
    ///
    /// # Errors
    /// [`InspectionError`] if it does not answer, or its answer is not sufficient for a comparison.
    async fn keeps(
        &self,
        (tenant, customer): &Who,
        resource: &ResourceId,
    ) -> Result<Option<CustomerSaid>, InspectionError> {
        let route = self.sweeper.installation.routing.customer(tenant, customer);
        let argument = json!({ "resource": resource });
        let asked = self.inspection.ask_running(&route.namespace, &route.workflow_id, names::KEEPS, &argument);
        let Some(Keeping { epoch, incarnation, under_way, .. }) = asked.await? else { return Ok(None) };
        let Some((incarnation, under_way)) = incarnation.zip(under_way) else {
            let reason = "its worker is of an earlier build, which says less than can be compared".to_owned();
            return Err(InspectionError::Refused { what: format!("The customer {customer}"), reason });
        };
        Ok(Some(CustomerSaid { incarnation, epoch, under_way }))
    }
}

fn labels(kind: &ResourceKind, difference: DifferenceKind, outcome: DifferenceOutcome) -> [(&'static str, &str); 3] {
    [("resource_kind", kind.as_str()), ("difference", difference.as_str()), ("outcome", outcome.as_str())]
}
