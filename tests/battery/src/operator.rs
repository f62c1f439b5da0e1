//! A person on shift: recovers the work of terminated customers, and decides about orders that wait for a person.
//!
//! The person knows nothing of the run but what Interlock shows, and does what the runbook says: retry first; if that does not help, cancel;
//! if the order has started and cannot be cancelled, skip.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use interlock_connection::Installation;
use interlock_domain::customer::{ListedOrder, OrderView, WaitView};
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use interlock_domain::order::OrderState;
use interlock_operations::actions::{ActionWords, Actions, OrderAction, OrderRequest};
use interlock_operations::inspection::Inspection;
use interlock_operations::inspection::listing::{LIMIT_MAX, OrderFilter};
use interlock_operations::recovery::Recovery;
use tokio::sync::watch;
use uuid::Uuid;

use crate::load::population::Tenant;
use crate::load::producers::Producers;
use crate::tally::Tally;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(3);
/// How long a held order is left alone after an action.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often an order is retried before the person gives it up.
const RETRIES: usize = 3;
/// How many questions are asked at the same time.
const AT_A_TIME: usize = 4;
/// Every how many looks a CRM compares who has which number.
const COMPARED_EVERY: u32 = 7;
/// How long a holder must have had a number before a CRM takes it for forgotten. One number that nobody gives back stops half of a tenant.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// What was done about an order so far.
struct Attended {
    times: usize,
    last: Instant,
}

/// A person with Interlock's tools.
pub struct Operator {
    tenants: Vec<TenantId>,
    inspection: Inspection,
    actions: Actions,
    recovery: Recovery,
    tally: Tally,
    attended: BTreeMap<(usize, OrderId), Attended>,
}

impl Operator {
    /// For this installation.
    pub fn new(installation: &Installation, tenants: &[Tenant], tally: Tally) -> Self {
        Self {
            tenants: tenants.iter().map(|tenant| tenant.id.clone()).collect(),
            inspection: Inspection::new(installation.clone()),
            actions: Actions::new(installation.clone()),
            recovery: Recovery::new(installation.clone()),
            tally,
            attended: BTreeMap::new(),
        }
    }

    /// Attends to held orders, and asks why others wait, until the run is over.
    pub async fn attend(&mut self, mut over: watch::Receiver<bool>, tenants: &[Tenant], producers: &Producers) {
        let mut looks = 0_u32;
        while tokio::time::timeout(PAUSE, over.wait_for(|over| *over)).await.is_err() {
            looks += 1;
            for (place, tenant) in tenants.iter().enumerate() {
                self.look(place).await;
                if looks.is_multiple_of(COMPARED_EVERY) {
                    self.settle(place, tenant, producers, FORGOTTEN_AFTER).await;
                }
            }
        }
    }

    /// One look at the open orders of a tenant. Returns how many there are; `None` if Temporal does not say.
    pub async fn look(&mut self, tenant: usize) -> Option<usize> {
        let mut open = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let filter = OrderFilter::default();
            let page =
                self.inspection.orders(&self.tenants[tenant], &filter, LIMIT_MAX, cursor.as_deref()).await.ok()?;
            open.extend(page.orders);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        // A random one: whether every wait can be explained.
        if !open.is_empty() {
            let one = &open[fastrand::usize(0..open.len())];
            let explained = self.inspection.why(&self.tenants[tenant], &one.order_id, |_| true).await;
            self.tally.done("why");
            self.tally.hit("why", u64::from(explained.is_ok()));
        }
        let is_held = |order: &&ListedOrder| order.state == OrderState::Held;
        let held: Vec<OrderId> = open.iter().filter(is_held).map(|order| order.order_id.clone()).collect();
        for order in held {
            self.decide(tenant, order).await;
        }
        Some(open.len())
    }

    /// Decides about a held order.
    async fn decide(&mut self, tenant: usize, order: OrderId) {
        let attended = self.attended.entry((tenant, order.clone()));
        let attended = attended.or_insert_with(|| Attended { times: 0, last: Instant::now() });
        if attended.times > 0 && attended.last.elapsed() < PATIENCE {
            return;
        }
        attended.last = Instant::now();
        attended.times += 1;
        let times = attended.times;
        let action = match times {
            ..=RETRIES => OrderAction::Retry,
            times if times % 2 == 0 => OrderAction::Cancel,
            _ => OrderAction::Skip,
        };
        if times == 1
            && let Ok(view) = self.inspection.order(&self.tenants[tenant], &order).await
        {
            let code = view.waiting_for.as_ref().and_then(WaitView::code).unwrap_or_default();
            self.tally.done(&format!("held {code}"));
        }
        let name = action.name();
        let request = OrderRequest { order_id: order, action, words: words() };
        let taken = self.actions.on_order(&self.tenants[tenant], &request).await;
        self.tally.done(&format!("action {name}"));
        self.tally.hit(&format!("action {name}"), u64::from(taken.is_ok()));
    }

    /// Submits the open events of terminated customers again. Returns those for which Temporal gave no answer.
    pub async fn recover(&self, lost: Vec<(usize, CustomerId)>) -> Vec<(usize, CustomerId)> {
        let of = |(tenant, customer): (usize, CustomerId)| async move {
            let id = &self.tenants[tenant];
            let found = self.recovery.find(id, &customer, None).await;
            let submitted = match found {
                Ok(found) => {
                    self.tally.done("events-recovered");
                    let events = found.open.events;
                    self.tally.hit("events-recovered", events.len() as u64);
                    self.recovery.submit(id, &customer, &events, |_| {}).await
                }
                Err(error) => Err(error),
            };
            submitted.is_err().then_some((tenant, customer))
        };
        let failed = stream::iter(lost).map(of).buffer_unordered(AT_A_TIME);
        failed.filter_map(std::future::ready).collect().await
    }

    /// The open orders, each with what it waits for.
    pub async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for tenant in &self.tenants {
            let page = self.inspection.orders(tenant, &OrderFilter::default(), LIMIT_MAX, None).await;
            let orders = page.map(|page| page.orders).unwrap_or_default();
            for order in orders {
                let why = self.inspection.why(tenant, &order.order_id, |_| true).await;
                let why = why.map_or_else(|error| error.to_string(), |why| serde_json::json!(why).to_string());
                left.push(format!("{tenant}: {} is {}: {why}", order.order_id, order.state));
            }
        }
        left
    }

    /// Has each number given back that somebody waits for, and that no open order of its holder names any more: the event that released it was
    /// late, superseded, or cancelled, and a CRM that compares sends another one. The holder must have had it for this long.
    pub async fn settle(&self, tenant: usize, of: &Tenant, producers: &Producers, held_for: Duration) {
        for number in &of.numbers {
            let Ok(resource) = format!("msisdn/{number}").parse::<ResourceId>() else { continue };
            let Ok(view) = self.inspection.resource(&of.id, &resource).await else { continue };
            let Some(holder) = view.holder else { continue };
            let since = DateTime::parse_from_rfc3339(&holder.since).map(|since| since.with_timezone(&Utc));
            let is_recent = since.is_ok_and(|since| (Utc::now() - since).to_std().is_ok_and(|age| age < held_for));
            let Some(holder) = holder.customer_id.filter(|_| !is_recent) else { continue };
            let is_idle = match self.inspection.customer(&of.id, &holder).await {
                Ok(customer) => {
                    let names_it = |order: &OrderView| order.claims.iter().any(|claim| claim.resource == resource);
                    !customer.orders.iter().any(|order| order.steps.is_empty() || names_it(order))
                }
                Err(_) => false,
            };
            if view.queue.is_empty() || !is_idle {
                continue;
            }
            let place = holder.as_str().rsplit('-').next().and_then(|place| place.parse().ok());
            let Some(person) = place.map(|place| of.person(place)) else { continue };
            let event = serde_json::json!({
                "specversion": "1.0", "id": Uuid::new_v4().to_string(), "source": "/battery/settled",
                "type": "number.unassigned", "subject": person.id,
                "data": {"imsi": person.sims[0], "msisdn": number},
            });
            self.tally.done("numbers-settled");
            let sent = producers.send_raw(tenant, event.to_string()).await;
            self.tally.hit("numbers-settled", u64::from(sent.is_some()));
        }
    }
}

fn words() -> ActionWords {
    ActionWords {
        action_id: Uuid::new_v4().to_string(),
        actor: "battery".to_owned(),
        reason: "the battery's person on shift".to_owned(),
        ticket: None,
        confirmed_by: None,
    }
}
