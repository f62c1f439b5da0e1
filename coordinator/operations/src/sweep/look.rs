//! Looks at everything that waits in a namespace, within the limits of one sweep. The limits are declared here; the rest is
//! looked at by the next sweep, or, for a single customer, only once some of its orders have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use interlock_domain::customer::ListedOrder;
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::ids::{CustomerId, CustomerRef, OrderId, ResourceId, TargetId, TenantId, Timestamp};
use interlock_domain::resource::HolderView;
use interlock_domain::routing::{CUSTOMER_WORKFLOW_TYPE, EntityAddress, EntityRoute};
use interlock_domain::sweep::{
    Bounded, Finding, LeaseWait, Ledger, MISPLACED_MAX, MisplacedRun, ResourceSeen, RingSearch, RingSeen, Seen, Tally,
    Wait, WaitingOrder, findings, to_reassert,
};
use interlock_observability::metrics::MetricName;
use interlock_observability::metrics::counts::SweepOutcome;
use interlock_workflows::SweepSeen;

use super::Sweeper;
use crate::inspection::{Inspection, InspectionError};
use crate::misplaced::misplaced_runs;

/// The most customers that one sweep asks: a page of the server's visibility store. The next sweep continues with the next page.
pub const CUSTOMERS_MAX: i32 = 1_000;
/// The most open orders of one customer that are looked at, the oldest first.
pub const ORDERS_MAX: usize = 1_000;
/// The most resources that one sweep asks, starting with those for which an order has waited longest.
pub const RESOURCES_MAX: usize = 500;
/// For how many orders one sweep asks why they wait, to find rings. Tenants share them, and sweeps take turns ([`RingSearch`]).
pub const RINGS_ASKED_MAX: usize = 25;
/// How many entities are asked at a time.
pub(super) const ASKED_AT_A_TIME: usize = 8;
/// After this time no further entity is asked: the others count as not having answered.
const LOOK_TIME: Duration = Duration::from_secs(45);

/// A look in progress.
pub(super) struct Look<'a> {
    pub(super) sweeper: &'a Sweeper,
    pub(super) inspection: Inspection,
    until: Instant,
    pub(super) seen: Seen,
    pub(super) unanswered: BTreeSet<String>,
    /// The orders that may be part of a ring and were not asked.
    rings_left_out: Vec<(TenantId, OrderId)>,
}

/// The result of a look.
pub struct Looked {
    /// What was known before.
    ledger: Ledger,
    /// All findings.
    pub found: Vec<Finding>,
    /// Counts of what waits, as far as this look saw.
    tally: Tally,
    /// All that did not answer.
    pub unanswered: BTreeSet<String>,
    /// How many orders that may be part of a ring were not asked; the next sweeps ask them.
    pub rings_left_out: u64,
    /// The customers of these orders: findings about them stay.
    not_asked: BTreeSet<String>,
    /// Where the next look continues; none if everything was looked at.
    pub cursor: Option<String>,
    /// Targets whose entities do not run, and were not started again.
    targets_not_running: BTreeSet<TargetId>,
    /// The runs that no worker executes. `None` if they could not be listed.
    pub misplaced: Option<Vec<MisplacedRun>>,
    /// Why the customers could not be listed, if that failed: then only targets were looked at.
    pub blind: Option<InspectionError>,
}

impl Looked {
    /// The same in the form of an activity's result: limited to what can be remembered.
    pub fn bounded(mut self) -> SweepSeen {
        self.unanswered.append(&mut self.not_asked);
        let Bounded { found, left_out, unanswered } = self.ledger.bound(self.found, &self.unanswered);
        SweepSeen {
            ledger: self.ledger,
            found,
            left_out,
            tally: self.tally,
            unanswered,
            customers_unseen: self.blind.is_some(),
            cursor: self.cursor,
            targets_not_running: self.targets_not_running,
            leases: None,
            misplaced: self.misplaced,
        }
    }
}

impl Sweeper {
    /// One look: what it saw, judged together with what was known. With `asks`, customers whose tickets are unknown are asked to repeat them,
    /// and entities of targets that do not run are started again. For an entity that does not answer, the findings
    /// stay; if the customers cannot be listed, all findings stay.
    pub async fn look(&self, mut ledger: Ledger, asks: bool) -> Looked {
        let mut look = Look {
            sweeper: self,
            inspection: Inspection::new(self.installation.clone()),
            until: Instant::now() + LOOK_TIME,
            seen: Seen::default(),
            unanswered: BTreeSet::new(),
            rings_left_out: Vec::new(),
        };
        let is_home = self.namespace == self.installation.routing.settings().namespace;
        let targets_not_running = if is_home { look.at_targets(asks).await } else { BTreeSet::new() };
        let (cursor, blind) = match self.customers(ledger.cursor.as_deref()).await {
            Ok((customers, cursor)) => {
                look.at_those_who_wait(customers, &mut ledger.rings).await;
                if cursor.is_none() {
                    ledger.rings.circle_over();
                }
                (cursor, None)
            }
            // The next sweep continues at the same place: the circle is not complete, so no finding counts as over.
            Err(error) => (Some(ledger.cursor.clone().unwrap_or_default()), Some(error)),
        };
        let misplaced = self.misplaced().await;
        let now = now();
        let found = findings(&self.rules(), now, &look.seen);
        if asks {
            let asked = to_reassert(&self.rules(), now, &look.seen);
            self.ask_to_reassert(asked.into_iter().map(|asked| (asked, None)).collect()).await;
        }
        let outcome = match (&blind, &cursor) {
            (Some(_), _) => SweepOutcome::Failed,
            (None, None) if look.unanswered.is_empty() => SweepOutcome::Complete,
            (None, _) => SweepOutcome::Partial,
        };
        self.metrics.count(MetricName::SweepsRun, &[("outcome", outcome.as_str())]);
        let rings_left_out = u64::try_from(look.rings_left_out.len()).unwrap_or(u64::MAX);
        if rings_left_out > 0 {
            tracing::info!(
                rings_left_out,
                "a sweep did not ask all orders that may be part of a ring; the next ones do"
            );
        }
        let left_out = look.rings_left_out.iter();
        let not_asked = left_out.map(|(tenant, order)| format!("{tenant} {}", order.customer())).collect();
        let mut tally = Tally::default();
        look.seen.orders.iter().for_each(|order| tally.add(order));
        let unanswered = look.unanswered;
        Looked {
            ledger,
            found,
            tally,
            unanswered,
            rings_left_out,
            not_asked,
            cursor,
            targets_not_running,
            misplaced,
            blind,
        }
    }

    /// The runs in the namespace that no worker executes: as many as are remembered.
    async fn misplaced(&self) -> Option<Vec<MisplacedRun>> {
        match misplaced_runs(&self.installation, &self.namespace).await {
            Ok(mut runs) => {
                if runs.len() > MISPLACED_MAX {
                    tracing::warn!(
                        namespace = self.namespace,
                        found = runs.len(),
                        "a sweep found more runs that no worker executes than it can remember"
                    );
                }
                runs.truncate(MISPLACED_MAX);
                Some(runs)
            }
            Err(error) => {
                tracing::warn!(namespace = self.namespace, %error, "a sweep cannot list runs that no worker executes");
                None
            }
        }
    }

    /// The customers with open orders, from a cursor's position, and where the next sweep continues.
    async fn customers(&self, cursor: Option<&str>) -> Result<(Vec<CustomerRef>, Option<String>), InspectionError> {
        let query = format!(
            "WorkflowType = '{CUSTOMER_WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND InterlockState IN ('waiting', \
             'held')"
        );
        let page = self.page(&query, CUSTOMERS_MAX, cursor).await;
        let page = page.map_err(|error| InspectionError::of_server("The list of customers", &error))?;
        if page.restarted {
            // The token is from another version of the server, or another store. What this circle counted so far is counted twice, this time.
            tracing::warn!("the position of the last sweep is no longer valid; this sweep starts from the beginning");
        }
        let customers = page.workflow_ids.into_iter().filter_map(|id| match id.parse() {
            Ok(EntityAddress::Customer(customer)) => Some(customer),
            _ => None,
        });
        Ok((customers.collect(), page.cursor))
    }
}

impl Look<'_> {
    pub(super) fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    /// Looks at customers and at everything that their orders wait for.
    async fn at_those_who_wait(&mut self, customers: Vec<CustomerRef>, rings: &mut RingSearch) {
        self.at_customers(customers).await;
        self.at_resources().await;
        self.at_terminated().await;
        self.for_rings(rings).await;
    }

    async fn at_customers(&mut self, customers: Vec<CustomerRef>) {
        let (inspection, until) = (self.inspection.clone(), self.until);
        let asked = futures_util::stream::iter(customers.into_iter().map(|customer| {
            let inspection = &inspection;
            async move {
                let may_ask = Instant::now() < until;
                let orders = if may_ask { orders_of(inspection, &customer).await.ok() } else { None };
                (customer, orders)
            }
        }));
        let answers: Vec<_> = asked.buffered(ASKED_AT_A_TIME).collect().await;
        for (customer, orders) in answers {
            match orders {
                Some(orders) => self.seen.orders.extend(orders),
                None => {
                    self.unanswered.insert(format!("{} {}", customer.tenant, customer.customer));
                }
            }
        }
    }

    /// Asks the resources for whose leases orders have waited for longer than messages take.
    async fn at_resources(&mut self) {
        let patience_ms = self.sweeper.rules().patience_ms;
        let now = now();
        let mut since: BTreeMap<(TenantId, ResourceId), Timestamp> = BTreeMap::new();
        for order in &self.seen.orders {
            for wait in order.lease.iter().filter(|wait| wait.since.plus_ms(patience_ms) < now) {
                for resource in &wait.resources {
                    let first = since.entry((order.tenant.clone(), resource.clone())).or_insert(wait.since);
                    *first = (*first).min(wait.since);
                }
            }
        }
        let mut asked: Vec<_> = since.into_iter().collect();
        asked.sort_by_key(|asked| asked.1);
        for (position, ((tenant, resource), _)) in asked.into_iter().enumerate() {
            let may_ask = position < RESOURCES_MAX && !self.is_over();
            let answer = if may_ask { self.at_resource(&tenant, &resource).await.ok() } else { None };
            match answer {
                Some(state) => {
                    self.seen.resources.insert((tenant, resource), state);
                }
                None => {
                    self.unanswered.insert(format!("{tenant} {resource}"));
                }
            }
        }
    }

    /// Whether the entity runs. A terminated one still answers queries.
    async fn runs(&self, route: &EntityRoute) -> Result<bool, InspectionError> {
        let runs = self.sweeper.installation.entities.runs(route).await;
        runs.map_err(|error| InspectionError::of_call("An entity", error))
    }

    pub(super) async fn at_resource(
        &self,
        tenant: &TenantId,
        resource: &ResourceId,
    ) -> Result<ResourceSeen, InspectionError> {
        let entity = self.sweeper.installation.entities.resource(tenant, resource);
        if !self.runs(&entity.route).await? {
            return Ok(ResourceSeen::NotRunning);
        }
        let view = self.inspection.resource(tenant, resource).await?;
        let holder = match view.holder.as_ref().and_then(HolderView::customer) {
            Some(CustomerRef { tenant, customer }) => {
                let route = self.sweeper.installation.routing.customer(&tenant, &customer);
                let runs = self.runs(&route).await?;
                Some((tenant, customer, runs))
            }
            None => None,
        };
        Ok(ResourceSeen::Running {
            queue: view.queue.into_iter().filter_map(|waiter| waiter.order_id).collect(),
            holder,
        })
    }

    /// Follows the orders that wait for a lease whose holder also waits: only these can be part of a ring.
    async fn for_rings(&mut self, search: &mut RingSearch) {
        let waits: BTreeSet<(TenantId, CustomerId)> =
            self.seen.orders.iter().map(|order| (order.tenant.clone(), order.order.customer())).collect();
        let may_be_in_ring = |order: &&WaitingOrder| {
            let resources = order.lease.iter().flat_map(|wait| &wait.resources);
            let mut seen = resources.filter_map(|r| self.seen.resources.get(&(order.tenant.clone(), r.clone())));
            seen.any(|state| match state {
                ResourceSeen::Running { holder: Some((tenant, customer, true)), .. } => {
                    *customer != order.order.customer() && waits.contains(&(tenant.clone(), customer.clone()))
                }
                _ => false,
            })
        };
        let candidates = self.seen.orders.iter().filter(may_be_in_ring);
        let in_turn = search.in_turn(candidates.map(|order| (order.tenant.clone(), order.order.clone())));
        let (mut asked, mut questions) = (0, 0);
        for known in &in_turn {
            if self.seen.rings.iter().any(|ring| ring.orders.contains(known)) {
                asked += 1;
                continue;
            }
            if questions >= RINGS_ASKED_MAX || self.is_over() {
                break;
            }
            (asked, questions) = (asked + 1, questions + 1);
            let (tenant, order) = known;
            match self.inspection.why(tenant, order, |_| true).await {
                Ok(why) if why.ring => {
                    let links = || why.chain.iter().filter(|link| link.in_ring);
                    let since = links().filter_map(|link| time(link.since.as_deref()?)).max().unwrap_or_else(now);
                    let orders = links().filter_map(|link| Some((link.tenant_id.clone(), link.order_id.clone()?)));
                    self.seen.rings.push(RingSeen { orders: orders.collect(), since });
                }
                Ok(_) => {}
                Err(_) => {
                    self.unanswered.insert(format!("{tenant} {}", order.customer()));
                }
            }
        }
        search.asked(&in_turn, asked);
        let left_out = in_turn.into_iter().skip(asked);
        self.rings_left_out =
            left_out.filter(|known| !self.seen.rings.iter().any(|ring| ring.orders.contains(known))).collect();
    }
}

async fn orders_of(inspection: &Inspection, customer: &CustomerRef) -> Result<Vec<WaitingOrder>, InspectionError> {
    let page = inspection.open_orders(&customer.tenant, &customer.customer, ORDERS_MAX).await?;
    Ok(page.orders.into_iter().map(|listed| waiting_order(&customer.tenant, listed)).collect())
}

/// What a sweep needs to know about an order that an entity lists.
fn waiting_order(tenant: &TenantId, listed: ListedOrder) -> WaitingOrder {
    let waiting = listed.waiting_for.as_ref();
    let lease = waiting
        .filter(|waiting| waiting.kind() == WaitKind::Lease)
        .and_then(|waiting| Some(LeaseWait { resources: waiting.resources().to_vec(), since: time(waiting.since())? }));
    let wait = waiting.and_then(|waiting| {
        Some(Wait { cause: waiting.kind(), target: listed.target.clone(), since: time(waiting.since())? })
    });
    WaitingOrder {
        tenant: tenant.clone(),
        order: listed.order_id,
        due_at: listed.due_at.as_deref().and_then(time),
        waits_for: waiting.map_or_else(|| "its steps".to_owned(), |waiting| waiting.kind().to_string()),
        state: listed.state,
        wait,
        lease,
    }
}

pub(super) fn time(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| Timestamp(time.timestamp_millis()))
}

pub(super) fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
