//! Watches targets and entities, and reports what happened since the last look.

use std::collections::{BTreeMap, BTreeSet};

use interlock_adapters::sandbox::{Applied, Effect};
use interlock_domain::customer::{OrderView, WaitView};
use interlock_domain::ids::{OrderId, ResourceId, TenantId};
use interlock_domain::order::OrderState;
use interlock_domain::resource::{HistoryView, LeaseEvent, ResourceView};
use interlock_domain::wire::WireName;

use super::story::{NUMBER, Subscriber};
use super::story_event::{StoryClock, StoryEvent, Voice};
use crate::local::LocalPlatform;

/// How long an event is held back, so that later reports about earlier times can be sorted before it, in milliseconds.
const HOLD_BACK_MS: i64 = 150;

/// What was seen so far.
pub(super) struct Watch {
    clock: StoryClock,
    tenant: TenantId,
    resource: ResourceId,
    /// The orders that are watched: their events' types, and the state in which each was last seen.
    orders: BTreeMap<OrderId, (String, Option<WireName<OrderState>>)>,
    seen_in_history: usize,
    queued: BTreeSet<String>,
    seen_in_logs: BTreeMap<&'static str, u64>,
    /// Events that were not reported yet.
    waiting: Vec<StoryEvent>,
}

impl Watch {
    pub(super) fn new(clock: StoryClock, tenant: TenantId, resource: ResourceId) -> Self {
        Self {
            clock,
            tenant,
            resource,
            orders: BTreeMap::new(),
            seen_in_history: 0,
            queued: BTreeSet::new(),
            seen_in_logs: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Watches the order of this event from now on.
    pub(super) fn follow(&mut self, order: OrderId, event_type: &str) {
        self.orders.insert(order, (event_type.to_owned(), None));
    }

    /// The last seen state of an order, if it was seen.
    pub(super) fn state_of(&self, order: &OrderId) -> Option<&WireName<OrderState>> {
        self.orders.get(order).and_then(|(_, state)| state.as_ref())
    }

    /// Whether a customer was seen waiting for the lease.
    pub(super) fn has_waited(&self, customer: &str) -> bool {
        self.queued.contains(customer)
    }

    /// Adds an event that is known from elsewhere.
    pub(super) fn note(&mut self, voice: Voice, what: String) {
        self.waiting.push(StoryEvent { at_ms: self.clock.now_ms(), voice, what });
    }

    /// Looks at everything once. An entity that does not answer is asked again at the next look.
    pub(super) async fn look(&mut self, platform: &LocalPlatform) {
        // Entities first: their answers depend on what the targets logged before.
        let inspection = platform.inspection();
        if let Ok(view) = inspection.resource(&self.tenant, &self.resource).await {
            self.take_resource(&view);
        }
        for order in self.orders.keys().cloned().collect::<Vec<_>>() {
            if let Ok(view) = inspection.order(&self.tenant, &order).await {
                self.take_order(&order, &view);
            }
        }
        for (target, voice) in [("hss", Voice::Hss), ("crm", Voice::Crm)] {
            if let Some(sandbox) = platform.sandboxes.get(target) {
                self.take_log(target, voice, &sandbox.log());
            }
        }
    }

    /// The events that can be reported: those that were not just now, or all.
    pub(super) fn told(&mut self, all: bool) -> Vec<StoryEvent> {
        self.waiting.sort_by_key(|event| event.at_ms);
        let until = self.clock.now_ms() - HOLD_BACK_MS;
        let ready = self.waiting.iter().take_while(|event| all || event.at_ms <= until).count();
        self.waiting.drain(..ready).collect()
    }

    fn take_resource(&mut self, view: &ResourceView) {
        for entry in view.history.iter().skip(self.seen_in_history) {
            let who = entry.who.as_ref().map(|who| Subscriber::name_of(who.rsplit('/').next().unwrap_or(who)));
            let what = lease_sentence(entry, who.as_deref());
            self.waiting.push(StoryEvent { at_ms: self.clock.at_ms(&entry.at), voice: Voice::Lease, what });
        }
        self.seen_in_history = self.seen_in_history.max(view.history.len());
        let holder = view.holder.as_ref().and_then(|holder| holder.customer_id.as_ref());
        let Some(holder) = holder.map(|holder| Subscriber::name_of(holder.as_str())) else { return };
        for waiter in &view.queue {
            let customer = waiter.customer_id.to_string();
            if customer != holder && self.queued.insert(customer.clone()) {
                let at_ms = self.clock.at_ms(&waiter.since);
                let what = format!("{customer} waits: {holder} holds {NUMBER}");
                self.waiting.push(StoryEvent { at_ms, voice: Voice::Lease, what });
            }
        }
    }

    fn take_order(&mut self, order: &OrderId, view: &OrderView) {
        let Some((event_type, last)) = self.orders.get_mut(order) else { return };
        let state = &view.state;
        if last.as_ref() == Some(state) {
            return;
        }
        *last = Some(state.clone());
        let customer = order.customer();
        let ended = match state.known() {
            Some(OrderState::Completed) => Some(format!("{customer}: {event_type} is completed")),
            Some(OrderState::Held) => Some(format!("{customer}: {event_type} is held for a person: {}", reason(view))),
            Some(OrderState::Acknowledged | OrderState::Pending | OrderState::InProgress) => None,
            _ => Some(format!("{customer}: {event_type} ended as {state}: {}", reason(view))),
        };
        if let Some(what) = ended {
            self.note(Voice::Order, what);
        }
    }

    fn take_log(&mut self, target: &'static str, voice: Voice, log: &[Applied]) {
        let seen = self.seen_in_logs.entry(target).or_default();
        for entry in log.iter().filter(|entry| entry.seq > *seen) {
            if entry.method != "SEED"
                && let Some(what) = sentence(&entry.effect)
            {
                self.waiting.push(StoryEvent { at_ms: self.clock.at_ms(&entry.at), voice, what });
            }
        }
        *seen = log.last().map_or(*seen, |entry| entry.seq);
    }
}

fn lease_sentence(entry: &HistoryView, who: Option<&str>) -> String {
    let who = who.unwrap_or("nobody");
    match entry.what.known() {
        Some(LeaseEvent::LookedUp) => {
            format!("asked the HSS who has {NUMBER}: {}", entry.detail.as_deref().unwrap_or(who))
        }
        Some(LeaseEvent::Granted) => format!("{NUMBER} granted to {who}, epoch {}", entry.epoch),
        Some(LeaseEvent::Released) => format!("{who} released {NUMBER}: the HSS confirmed the release"),
        _ => format!("{who}: {}", entry.what),
    }
}

/// Why an order is held or how it ended: its code and detail.
fn reason(view: &OrderView) -> String {
    let waiting = view.waiting_for.as_ref().and_then(WaitView::detail);
    let text = waiting.or(view.detail.as_deref()).or(view.code.as_deref());
    text.map_or_else(String::new, |text| match text.rsplit_once(' ') {
        Some((rest, name)) => format!("{rest} {}", Subscriber::name_of(name)),
        None => text.to_owned(),
    })
}

/// What a target applied, in a sentence; none if it does not matter here.
pub fn sentence(effect: &Effect) -> Option<String> {
    let name = |imsi: &str| Subscriber::name_of(imsi);
    Some(match effect {
        Effect::PrimaryNumberSet { msisdn, imsi } => format!("{} gets {msisdn}  (subscriber)", name(imsi)),
        Effect::NumberAssigned { msisdn, imsi } => format!("{} gets {msisdn}  (ims_subscriber)", name(imsi)),
        Effect::NumberReleased { msisdn, imsi } => format!("{} loses {msisdn} (ims_subscriber)", name(imsi)),
        Effect::PrimaryNumberCleared { msisdn, imsi } => format!("{} loses {msisdn} (subscriber)", name(imsi)),
        Effect::NumberAdded { account, msisdn } => format!("{account}'s account gets {msisdn}"),
        Effect::NumberRemoved { account, msisdn } => format!("{account}'s account loses {msisdn}"),
        _ => return None,
    })
}
