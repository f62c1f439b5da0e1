//! The environment of one test: a tenant, customers and numbers that no other test has.

use std::sync::atomic::{AtomicU64, Ordering};

use interlock_adapters::sandbox::{Applied, Pattern, Seed};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId, Timestamp};
use interlock_domain::limits::EntityLimits;
use interlock_operations::inspection::InspectionError;
use interlock_workflows::names;
use serde_json::Value;
use tonic::Code;
use uuid::Uuid;

use crate::applied_log;
use crate::events::Customer;
use crate::temporal_calls::RawEntity;
use crate::testbed::Testbed;
use crate::waiting::{until, until_or_give_up};

/// Counts everything that must differ from test to test.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A test's own part of a testbed.
pub struct Scene<'a> {
    /// The testbed.
    pub bed: &'a Testbed,
    /// The tenant.
    pub tenant: TenantId,
}

impl<'a> Scene<'a> {
    /// A new scene.
    pub fn on(bed: &'a Testbed) -> Self {
        Self { bed, tenant: format!("tenant-{}", next()).parse().unwrap() }
    }

    /// A customer whose subscription exists at the HSS.
    pub fn customer(&self, name: &str) -> Customer {
        let customer = Self::newcomer(name);
        self.bed.hss.seed(&[Seed { imsi: customer.imsi.clone(), ..Seed::default() }]).unwrap();
        customer
    }

    /// A customer that the HSS does not know.
    pub fn newcomer(name: &str) -> Customer {
        // Targets do not know tenants, so an account there is named by the customer alone.
        Customer { id: format!("{name}-{}", next()), imsi: imsi() }
    }

    /// Signals an event to its customer's entity, as any producer may (signal-with-start): again while the server does not answer.
    /// Returns the order that it makes.
    pub async fn submit(&self, event: &Value) -> OrderId {
        let read = Event::from_value(event, usize::MAX).unwrap();
        let entities = &self.bed.platform.installation.entities;
        let entity = entities.customer(&self.tenant, &read.subject);
        // Another request id each time, so that the server does not drop the duplicates.
        let request_id = Uuid::new_v4().to_string();
        let stamped = stamped(event);
        let accepted = || async {
            let answer = entities.signal_with_start(&entity, names::SUBMIT, &stamped, &request_id).await;
            match answer {
                Err(error) if error.status().is_some_and(|status| status.code() == Code::Unavailable) => None,
                answer => {
                    answer.unwrap();
                    Some(())
                }
            }
        };
        until("the server to accept an event", accepted).await;
        self.bed.platform.installation.catalog.order_id(&self.tenant, &read)
    }

    /// Signals events one after the other.
    pub async fn submit_all(&self, events: &[Value]) -> Vec<OrderId> {
        let mut orders = Vec::with_capacity(events.len());
        for event in events {
            orders.push(self.submit(event).await);
        }
        orders
    }

    /// The view of an order. `None` before its entity has received it.
    pub async fn order(&self, order: &OrderId) -> Option<Value> {
        shown(self.bed.platform.order(&self.tenant, order).await)
    }

    /// The entity of a customer.
    pub fn entity(&self, customer: &CustomerId) -> RawEntity {
        let routing = &self.bed.platform.installation.routing;
        RawEntity::new(&self.bed.platform, routing.customer(&self.tenant, customer))
    }

    /// The entity of a number.
    pub fn number_entity(&self, number: &str) -> RawEntity {
        let routing = &self.bed.platform.installation.routing;
        RawEntity::new(&self.bed.platform, routing.resource(&self.tenant, &msisdn(number)))
    }

    /// Waits until an order has ended, and returns its state.
    ///
    /// # Panics
    /// If it does not end in time, with the views of its customer and of the numbers that it claims.
    pub async fn end_of(&self, order: &OrderId) -> String {
        let ended = until_or_give_up(|| async {
            let state = self.order(order).await?["state"].as_str()?.to_owned();
            let over = ["completed", "partial", "failed", "cancelled", "rejected", "superseded"];
            over.contains(&state.as_str()).then_some(state)
        });
        if let Some(state) = ended.await {
            return state;
        }
        let shown =
            self.bed.platform.order(&self.tenant, order).await.unwrap_or_else(|error| panic!("{order}: {error}"));
        let mut text = format!("{order} does not end: {shown:#}");
        for claim in shown["claims"].as_array().into_iter().flatten() {
            let resource = claim["resource"].as_str().unwrap().parse().unwrap();
            let number = self.bed.platform.resource(&self.tenant, &resource).await.unwrap_or_default();
            text = format!("{text}\n{number:#}");
        }
        let customer = self.bed.platform.customer(&self.tenant, &order.customer()).await;
        panic!("{text}\n{:#}", customer.unwrap_or_default());
    }

    /// Waits until all these orders are completed.
    ///
    /// # Panics
    /// If one of them ends differently.
    pub async fn completed(&self, orders: &[OrderId]) {
        for order in orders {
            let state = self.end_of(order).await;
            assert_eq!(state, "completed", "{order}: {:?}", self.order(order).await);
        }
    }

    /// Signals an event, and waits until its order is completed.
    pub async fn done(&self, event: &Value) -> OrderId {
        let order = self.submit(event).await;
        self.completed(std::slice::from_ref(&order)).await;
        order
    }

    /// The state of a customer.
    pub async fn customer_state(&self, customer: &Customer) -> Value {
        let id: CustomerId = customer.id.parse().unwrap();
        until(format!("an answer of {id}"), || async { shown(self.bed.platform.customer(&self.tenant, &id).await) })
            .await
    }

    /// The state of a number. `None` before its entity exists.
    pub async fn number_state(&self, number: &str) -> Option<Value> {
        shown(self.bed.platform.resource(&self.tenant, &msisdn(number)).await)
    }

    /// Waits until this customer waits in a number's queue.
    ///
    /// # Panics
    /// If it does not in time, with the views of the number and the customer.
    pub async fn is_waiting_for(&self, customer: &Customer, number: &str) {
        let queued = until_or_give_up(|| async {
            let state = self.number_state(number).await?;
            let queue = state["queue"].as_array()?;
            queue.iter().any(|waiter| waiter["customer_id"] == *customer.id).then_some(())
        });
        if queued.await.is_none() {
            let number_state = self.bed.platform.resource(&self.tenant, &msisdn(number)).await;
            let customer_state = self.bed.platform.customer(&self.tenant, &customer.id.parse().unwrap()).await;
            panic!("{} does not wait for {number}: {number_state:#?}\n{customer_state:#?}", customer.id);
        }
    }

    /// The holder of a number according to the ledger.
    pub async fn holder(&self, number: &str) -> Option<String> {
        self.number_state(number).await?["holder"]["customer_id"].as_str().map(str::to_owned)
    }

    /// The registrations of a number at the HSS, in order.
    pub fn registrations(&self, number: &str) -> Vec<String> {
        applied_log::registrations(&self.bed.hss.log(), number)
    }

    /// Checks that no number was ever given to one party while another had it.
    ///
    /// # Panics
    /// If one was.
    pub fn judge(&self, numbers: &[&str]) {
        let log: Vec<Applied> = self.bed.hss.log();
        let faults = applied_log::faults_on(&log, numbers);
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}", told.join("\n"));
    }
}

fn shown(answer: Result<Value, InspectionError>) -> Option<Value> {
    match answer {
        Ok(state) => Some(state),
        Err(error)
            if matches!(error.code(), ErrorCode::NeverSeen | ErrorCode::NoWorker | ErrorCode::TemporalUnavailable) =>
        {
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn msisdn(number: &str) -> ResourceId {
    format!("msisdn/{number}").parse().unwrap()
}

/// An IMSI that no other test has.
pub fn imsi() -> String {
    format!("00101{:010}", next())
}

/// A number that no other test has.
pub fn number() -> String {
    format!("1206{:07}", next())
}

/// The write at the HSS that completes the assignment of a number.
pub fn write_that_assigns(number: &str) -> Pattern {
    Pattern {
        operation: Some("put_ims_subscriber".to_owned()),
        body_contains: Some(format!("\"{number}\"")),
        ..Pattern::default()
    }
}

/// The write at the HSS that begins the assignment of a number.
pub fn write_that_begins_to_assign(number: &str) -> Pattern {
    Pattern { method: Some("PATCH".to_owned()), body_contains: Some(format!("\"{number}\"")), ..Pattern::default() }
}

/// The write at the HSS that completes the release of any number of a customer.
pub fn write_that_releases(customer: &Customer) -> Pattern {
    Pattern {
        method: Some("PATCH".to_owned()),
        body_contains: Some(format!("\"{}\"", customer.imsi)),
        ..Pattern::default()
    }
}

/// The event as a gateway forwards it: with the time of acceptance, unless this would make it too large.
fn stamped(event: &Value) -> Value {
    let mut stamped = event.clone();
    let now = Timestamp(chrono::Utc::now().timestamp_millis());
    interlock_domain::event::stamp(&mut stamped, now, EntityLimits::default().event_bytes_max);
    stamped
}
