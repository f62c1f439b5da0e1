//! Finds the events that a customer's dead runs had not finished.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use interlock_domain::customer::Customer;
use interlock_domain::event::{ACCEPTED_AT_ATTRIBUTE, Event, ROLE_ATTRIBUTE};
use interlock_domain::ids::{CustomerRef, OrderId, Timestamp};
use interlock_domain::order::{OrderKey, OrderState};
use interlock_domain::recording::said_at;
use serde::Serialize;
use serde_json::{Value, json};

use super::recorded::{RecordedRun, RunEnd};
use super::replay::replay;

/// An event whose order was open when its entity died.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenEvent {
    /// Its order.
    pub order_id: OrderId,
    /// The event's id.
    pub event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The order's state then; `acknowledged` if no worker had processed the event.
    pub state: OrderState,
    /// When it happened, which is the sort order of orders, RFC 3339.
    pub occurred_at: String,
    /// The run that had it.
    pub run_id: String,
    /// When it was accepted: by its stamp, or else when it arrived, RFC 3339.
    pub accepted_at: String,
    /// The event to submit.
    #[serde(skip)]
    pub event: Value,
}

/// An order that was open and whose event is in no remaining history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostOrder {
    /// The order.
    pub order_id: OrderId,
    /// The event's id.
    pub event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The order's state then.
    pub state: OrderState,
    /// The run that had it.
    pub run_id: String,
}

/// An event that no worker had processed, and that would be rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// When it came, RFC 3339.
    pub at: String,
    /// The code of its rejection.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// What the dead runs of a customer had not finished.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OpenEvents {
    /// The events to submit again, in the order of their keys.
    pub events: Vec<OpenEvent>,
    /// Orders whose events are gone: their sources must send them again. In the order of their keys.
    pub lost: Vec<LostOrder>,
    /// Invalid events.
    pub unreadable: Vec<Unreadable>,
    /// How many are left out because a later run received them again.
    pub told_again: usize,
    /// Uncertainties: some of the events may belong to orders that had ended.
    pub doubts: Vec<String>,
}

/// Finds the events that `dead`, runs of this customer, had not finished. `runs` are all of its runs whose histories
/// exist, in any order, including the dead ones; events are searched in each of them.
///
/// The events get the time at which they happened according to the dead entity, and are numbered (`sequence`) in the order
/// of their keys: otherwise the order of events older than a day, whose time 0.1.0 limited to a day ago, would be lost. They
/// keep the stamp of their acceptance, or get one: an event that was accepted in time is not `too_old` when it is recovered.
pub fn open_events(me: &CustomerRef, runs: &[RecordedRun], dead: &BTreeSet<String>) -> OpenEvents {
    let sources = sources(me, runs);
    let mut found = OpenEvents::default();
    let mut open: BTreeMap<OrderKey, OpenEvent> = BTreeMap::new();
    let mut lost: BTreeMap<OrderKey, LostOrder> = BTreeMap::new();
    let mut told_again: BTreeSet<OrderId> = BTreeSet::new();
    let mut seen: BTreeSet<OrderId> = BTreeSet::new();
    for run in runs.iter().filter(|run| dead.contains(&run.run_id)) {
        let told_later = told_after(me, runs, run);
        let replayed = replay(me, run);
        if let Some(why) = &replayed.diverged {
            found.doubts.push(format!("run {}: {why}", run.run_id));
        }
        for order in open_orders(me, run, &replayed.customer, &mut found.unreadable) {
            let id = order.key.order.clone();
            if told_later.contains(&id) {
                told_again.insert(id);
            } else if seen.insert(id) {
                match order.event.or_else(|| sources.get(&order.key.order).copied()) {
                    Some(event) => drop(open.insert(order.key.clone(), order.open(event, run))),
                    None => drop(lost.insert(order.key.clone(), order.lost(run))),
                }
            }
        }
    }
    // The later run may also be dead.
    found.told_again = told_again.difference(&seen).count();
    found.events = open.into_values().collect();
    found.lost = lost.into_values().collect();
    for (number, event) in found.events.iter_mut().enumerate() {
        event.event["sequence"] = json!(number.to_string());
        if event.event.get(ACCEPTED_AT_ATTRIBUTE).is_none() {
            event.event[ACCEPTED_AT_ATTRIBUTE] = json!(event.accepted_at);
        }
    }
    found
}

/// An order that a dead run had not finished.
struct OpenOrder<'a> {
    key: OrderKey,
    accepted_at: Timestamp,
    event_id: String,
    event_type: String,
    state: OrderState,
    /// Its event, if the run has it in its state.
    event: Option<&'a Event>,
}

impl OpenOrder<'_> {
    fn open(&self, event: &Event, run: &RecordedRun) -> OpenEvent {
        OpenEvent {
            order_id: self.key.order.clone(),
            event_id: self.event_id.clone(),
            event_type: self.event_type.clone(),
            state: self.state,
            occurred_at: rfc3339(self.key.occurred_at),
            run_id: run.run_id.clone(),
            accepted_at: rfc3339(self.accepted_at),
            event: cloud_event(event, self.key.occurred_at),
        }
    }

    fn lost(self, run: &RecordedRun) -> LostOrder {
        LostOrder {
            order_id: self.key.order,
            event_id: self.event_id,
            event_type: self.event_type,
            state: self.state,
            run_id: run.run_id.clone(),
        }
    }
}

/// The orders that the machine has open at the end of a run, and events that it had not processed.
fn open_orders<'a>(
    me: &CustomerRef,
    run: &'a RecordedRun,
    customer: &'a Customer,
    unreadable: &mut Vec<Unreadable>,
) -> Vec<OpenOrder<'a>> {
    let orders = customer.orders().iter().map(|(id, order)| OpenOrder {
        key: order.key.clone(),
        accepted_at: order.accepted_at(),
        event_id: order.event_id.clone(),
        event_type: order.event_type.clone(),
        state: customer.state_of(id).unwrap_or(OrderState::Pending),
        event: None,
    });
    let acknowledged = |key: OrderKey, accepted_at: Timestamp, event: &'a Event| OpenOrder {
        key,
        accepted_at,
        event_id: event.id.clone(),
        event_type: event.event_type.clone(),
        state: OrderState::Acknowledged,
        event: Some(event),
    };
    let waiting =
        customer.inbox().iter().map(|waiting| acknowledged(waiting.key.clone(), waiting.accepted_at(), &waiting.event));
    let mut open: Vec<OpenOrder<'a>> = orders.chain(waiting).collect();
    for (arrival, submitted) in (customer.counts().accepted + 1..).zip(&run.untaken) {
        match &submitted.event {
            Ok(event) => {
                let order = event.order_id(&me.tenant, event.half);
                if customer.state_of(&order).is_none() {
                    let accepted_at = said_at(submitted.at, event.accepted_at).unwrap_or(submitted.at);
                    let key = OrderKey::new(event.time, event.sequence.as_deref(), accepted_at, order).arrived(arrival);
                    open.push(acknowledged(key, accepted_at, event));
                }
            }
            Err(rejection) => unreadable.push(Unreadable {
                at: rfc3339(submitted.at),
                code: rejection.code.to_string(),
                detail: rejection.detail.clone(),
            }),
        }
    }
    open
}

/// The events of all runs, by order.
fn sources<'a>(me: &CustomerRef, runs: &'a [RecordedRun]) -> BTreeMap<OrderId, &'a Event> {
    let submitted = runs.iter().flat_map(RecordedRun::submitted).filter_map(|submitted| submitted.event.as_ref().ok());
    let mut sources: BTreeMap<OrderId, &Event> =
        submitted.map(|event| (event.order_id(&me.tenant, event.half), event)).collect();
    for carried in runs.iter().filter_map(|run| run.carried.as_ref()) {
        sources.extend(carried.inbox().iter().map(|waiting| (waiting.key.order.clone(), &waiting.event)));
    }
    sources
}

/// The orders whose events later runs received, or knew.
fn told_after(me: &CustomerRef, runs: &[RecordedRun], dead: &RecordedRun) -> BTreeSet<OrderId> {
    let later = || runs.iter().filter(|run| run.began > dead.began);
    let submitted = later().flat_map(RecordedRun::submitted).filter_map(|submitted| submitted.event.as_ref().ok());
    let mut told: BTreeSet<OrderId> = submitted.map(|event| event.order_id(&me.tenant, event.half)).collect();
    for carried in later().filter_map(|run| run.carried.as_ref()) {
        told.extend(carried.orders().keys().cloned());
        told.extend(carried.inbox().iter().map(|waiting| waiting.key.order.clone()));
        told.extend(carried.remembered().iter().map(|remembered| remembered.order.clone()));
    }
    told
}

/// Whether a run ended abnormally.
pub(super) fn is_dead(run: &RecordedRun) -> bool {
    matches!(run.end, RunEnd::Dead { .. })
}

/// The event in the form in which a producer sends it.
fn cloud_event(event: &Event, occurred_at: Timestamp) -> Value {
    let mut written = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.event_type,
        "subject": event.subject,
        "time": rfc3339(occurred_at),
        "data": event.data,
    });
    if let Some(accepted_at) = event.accepted_at {
        written[ACCEPTED_AT_ATTRIBUTE] = json!(rfc3339(accepted_at));
    }
    if let Some(half) = event.half {
        written[ROLE_ATTRIBUTE] = json!(half.as_str());
    }
    written
}

fn rfc3339(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
