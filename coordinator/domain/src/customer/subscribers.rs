//! The subscribers of a customer's tenant, and the events that wait for them. A tenant without subscriptions has none of it.
//!
//! An event waits until each receiver that wants it has taken it. The events of one subscription are delivered in their order, a batch
//! at a time. What waits is bounded: first the oldest events lose their details, then the oldest are dropped, and the receiver is told how
//! many.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{CustomerId, CustomerRef, SubscriptionId, Timestamp};
use crate::limits::{OUTGOING_BATCH_MAX, OUTGOING_BYTES_MAX, OUTGOING_EVENTS_MAX, OUTGOING_UNADDRESSED_MAX};
use crate::outgoing::{About, LostEvents, OutgoingBatch, OutgoingEvent};
use crate::subscription::{OutgoingType, Subscription};

/// The subscribers, and what they are still to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscribers {
    /// The subscriptions, as the last admission named them. `None` until one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Vec<Known>>,
    /// The events that a receiver has not taken yet, oldest first.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    waiting: VecDeque<Waiting>,
    /// The batches under way, at most one for each subscription.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    deliveries: BTreeMap<SubscriptionId, Delivery>,
    /// The events that were dropped, and whose receivers do not know that yet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lost: BTreeMap<SubscriptionId, LostEvents>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    #[serde(flatten)]
    subscription: Subscription,
    /// Whether the last admission did not name it. It gets what waits for it, and nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    was_removed: bool,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    event: OutgoingEvent,
    /// Who has not taken it.
    to: BTreeSet<SubscriptionId>,
    /// Its size as JSON.
    bytes: usize,
    /// Whether it is not known who is subscribed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_unaddressed: bool,
}

/// A batch under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Delivery {
    /// The events.
    events: Vec<Uuid>,
    /// How many dropped events it reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<LostEvents>,
    /// How often it was scheduled before.
    dispatch: u32,
}

/// The events that wait for one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitingFor<'a> {
    pub(super) subscription: &'a SubscriptionId,
    pub(super) events: usize,
    pub(super) since: Timestamp,
    pub(super) lost: u64,
}

impl Subscribers {
    /// Whether there is nothing to keep.
    pub(super) fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event may have a receiver.
    pub(super) fn may_want(&self) -> bool {
        self.known.as_ref().is_none_or(|known| known.iter().any(|known| !known.was_removed))
    }

    /// Whether a subscription has events of this type.
    pub(super) fn have(&self, event_type: OutgoingType) -> bool {
        self.active().any(|subscription| subscription.settings.has_type(event_type))
    }

    /// Whether an admission has said who is subscribed.
    pub(super) fn are_known(&self) -> bool {
        self.known.is_some()
    }

    /// Whether events wait whose receivers are not known.
    pub(super) fn are_to_be_asked_for(&self) -> bool {
        self.known.is_none() && !self.waiting.is_empty()
    }

    fn active(&self) -> impl Iterator<Item = &Subscription> {
        let known = self.known.iter().flatten().filter(|known| !known.was_removed);
        known.map(|known| &known.subscription)
    }

    /// An admission named the subscriptions. What waits for one that is gone is still delivered: during a change of settings some workers
    /// know it and others do not.
    pub(super) fn learn(&mut self, me: &CustomerId, subscriptions: Vec<Subscription>) {
        let before = self.known.take().unwrap_or_default();
        let is_new = |known: &Known| subscriptions.iter().all(|new| new.id != known.subscription.id);
        let gone = before.into_iter().filter(is_new).map(|known| Known { was_removed: true, ..known });
        let gone: Vec<Known> = gone.filter(|known| self.has_anything_for(&known.subscription.id)).collect();
        let new = subscriptions.into_iter().map(|subscription| Known { subscription, was_removed: false });
        self.known = Some(new.chain(gone).collect());
        for mut waiting in std::mem::take(&mut self.waiting) {
            if waiting.is_unaddressed {
                waiting.to = self.receivers(me, &waiting.event);
                waiting.is_unaddressed = false;
            }
            if !waiting.to.is_empty() {
                self.waiting.push_back(waiting);
            }
        }
    }

    fn has_anything_for(&self, subscription: &SubscriptionId) -> bool {
        self.waiting.iter().any(|waiting| waiting.to.contains(subscription))
            || self.deliveries.contains_key(subscription)
            || self.lost.contains_key(subscription)
    }

    fn receivers(&self, me: &CustomerId, event: &OutgoingEvent) -> BTreeSet<SubscriptionId> {
        let (made_by, targets) = match &event.about {
            About::Order(report) => (
                Some(report.event_type.as_deref()),
                report.steps.iter().map(|step| &step.step.target).collect::<BTreeSet<_>>(),
            ),
            About::Lease(_) | About::Lost(_) | About::Test => (None, BTreeSet::new()),
        };
        let order = made_by.map(|made_by| (made_by, &targets));
        let wants = |subscription: &&Subscription| subscription.settings.wants(me, event.event_type, order);
        self.active().filter(wants).map(|subscription| subscription.id.clone()).collect()
    }

    /// Keeps an event for those who want it. Returns how many events were dropped for want of room.
    pub(super) fn tell(&mut self, me: &CustomerId, event: OutgoingEvent) -> usize {
        let is_unaddressed = self.known.is_none();
        let to = self.receivers(me, &event);
        if to.is_empty() && !is_unaddressed {
            return 0;
        }
        let bytes = event.bytes();
        self.waiting.push_back(Waiting { event, to, bytes, is_unaddressed });
        let mut dropped = 0;
        while is_unaddressed && self.waiting.len() > OUTGOING_UNADDRESSED_MAX {
            self.waiting.pop_front();
            dropped += 1;
        }
        dropped + self.make_room()
    }

    /// Keeps an event for this subscription, if it wants it and it does not wait for it already. Returns whether it does.
    pub(super) fn tell_again(&mut self, me: &CustomerId, subscription: &SubscriptionId, event: OutgoingEvent) -> bool {
        let waits = |waiting: &Waiting| waiting.event.id == event.id && waiting.to.contains(subscription);
        if !self.receivers(me, &event).contains(subscription) || self.waiting.iter().any(waits) {
            return false;
        }
        let bytes = event.bytes();
        self.waiting.push_back(Waiting { event, to: [subscription.clone()].into(), bytes, is_unaddressed: false });
        self.make_room();
        true
    }

    /// Keeps within the limits. Returns how many events were dropped.
    fn make_room(&mut self) -> usize {
        let mut bytes: usize = self.waiting.iter().map(|waiting| waiting.bytes).sum();
        for waiting in &mut self.waiting {
            if bytes <= OUTGOING_BYTES_MAX {
                break;
            }
            if waiting.event.drop_parts() {
                bytes = bytes.saturating_sub(waiting.bytes);
                waiting.bytes = waiting.event.bytes();
                bytes = bytes.saturating_add(waiting.bytes);
            }
        }
        let mut dropped = 0;
        while bytes > OUTGOING_BYTES_MAX || self.waiting.len() > OUTGOING_EVENTS_MAX {
            // Those under way may be with the receiver already.
            let under_way: BTreeSet<Uuid> = self.deliveries.values().flat_map(|of| of.events.clone()).collect();
            let oldest = self.waiting.iter().position(|waiting| !under_way.contains(&waiting.event.id));
            let Some(waiting) = oldest.and_then(|oldest| self.waiting.remove(oldest)) else { break };
            bytes = bytes.saturating_sub(waiting.bytes);
            dropped += 1;
            for subscription in waiting.to {
                let lost = self.lost.entry(subscription).or_insert(LostEvents { count: 0, since: waiting.event.at });
                lost.count = lost.count.saturating_add(1);
            }
        }
        dropped
    }

    /// Begins the delivery of what waits, for each subscription without one under way.
    pub(super) fn start(&mut self, me: &CustomerRef) -> Vec<OutgoingBatch> {
        let idle = self.known.iter().flatten().map(|known| known.subscription.id.clone());
        let idle: Vec<SubscriptionId> = idle.filter(|id| !self.deliveries.contains_key(id)).collect();
        idle.iter().filter_map(|id| self.start_one(me, id)).collect()
    }

    fn start_one(&mut self, me: &CustomerRef, id: &SubscriptionId) -> Option<OutgoingBatch> {
        let mine = self.waiting.iter().filter(|waiting| waiting.to.contains(id));
        let events: Vec<Uuid> = mine.map(|waiting| waiting.event.id).take(OUTGOING_BATCH_MAX).collect();
        let lost = self.lost.get(id).copied();
        if events.is_empty() && lost.is_none() {
            return None;
        }
        self.deliveries.insert(id.clone(), Delivery { events, lost, dispatch: 0 });
        self.batch(me, id)
    }

    /// The batches under way, to be scheduled again by a new run.
    pub(super) fn under_way_again(&mut self, me: &CustomerRef) -> Vec<OutgoingBatch> {
        let ids: Vec<SubscriptionId> = self.deliveries.keys().cloned().collect();
        ids.into_iter().filter_map(|id| self.again(me, &id)).collect()
    }

    /// The receiver has taken the batch under way.
    pub(super) fn delivered(&mut self, id: &SubscriptionId) {
        let Some(delivery) = self.deliveries.remove(id) else { return };
        for waiting in self.waiting.iter_mut().filter(|waiting| delivery.events.contains(&waiting.event.id)) {
            waiting.to.remove(id);
        }
        self.waiting.retain(|waiting| waiting.is_unaddressed || !waiting.to.is_empty());
        if let (Some(reported), Some(lost)) = (delivery.lost, self.lost.get_mut(id)) {
            lost.count = lost.count.saturating_sub(reported.count);
            if lost.count == 0 {
                self.lost.remove(id);
            }
        }
        self.forget_if_done(id);
    }

    /// The batch under way ended, and it is not known that the receiver has taken it. Returns the batch to be scheduled again; `None` if the
    /// subscription was removed: then nothing more is sent. The second result is how many events are not delivered because of that.
    pub(super) fn not_delivered(&mut self, me: &CustomerRef, id: &SubscriptionId) -> (Option<OutgoingBatch>, usize) {
        if !self.deliveries.contains_key(id) {
            return (None, 0);
        }
        if self.active().any(|subscription| subscription.id == *id) {
            return (self.again(me, id), 0);
        }
        self.deliveries.remove(id);
        self.lost.remove(id);
        let mut left = 0;
        for waiting in &mut self.waiting {
            left += usize::from(waiting.to.remove(id));
        }
        self.waiting.retain(|waiting| waiting.is_unaddressed || !waiting.to.is_empty());
        self.forget_if_done(id);
        (None, left)
    }

    /// A removed subscription for which nothing waits is forgotten.
    fn forget_if_done(&mut self, id: &SubscriptionId) {
        if !self.has_anything_for(id)
            && let Some(known) = &mut self.known
        {
            known.retain(|known| !known.was_removed || known.subscription.id != *id);
        }
    }

    fn again(&mut self, me: &CustomerRef, id: &SubscriptionId) -> Option<OutgoingBatch> {
        let delivery = self.deliveries.get_mut(id)?;
        delivery.dispatch = delivery.dispatch.saturating_add(1);
        self.batch(me, id)
    }

    fn batch(&self, me: &CustomerRef, id: &SubscriptionId) -> Option<OutgoingBatch> {
        let delivery = self.deliveries.get(id)?;
        let subscription = &self.known.iter().flatten().find(|known| known.subscription.id == *id)?.subscription;
        let waiting = self.waiting.iter().filter(|waiting| delivery.events.contains(&waiting.event.id));
        let lost = delivery.lost.map(|lost| OutgoingEvent {
            id: outgoing_id(me, &format!("lost {id} {} {}", lost.since.0, lost.count)),
            event_type: OutgoingType::EventsLost,
            at: lost.since,
            about: About::Lost(lost),
        });
        let events: Vec<OutgoingEvent> = lost.into_iter().chain(waiting.map(|waiting| waiting.event.clone())).collect();
        let first = events.first()?.id;
        Some(OutgoingBatch {
            tenant: me.tenant.clone(),
            customer: me.customer.clone(),
            subscription: id.clone(),
            target: subscription.settings.target.clone(),
            events,
            dispatch: delivery.dispatch,
            proof: Uuid::new_v5(&first, format!("delivery {id} {}", delivery.dispatch).as_bytes()),
        })
    }

    /// What waits for whom.
    pub(super) fn waiting(&self) -> impl Iterator<Item = WaitingFor<'_>> {
        self.known.iter().flatten().filter_map(|known| {
            let subscription = &known.subscription.id;
            let mut mine = self.waiting.iter().filter(|waiting| waiting.to.contains(subscription)).peekable();
            let lost = self.lost.get(subscription);
            let since = mine.peek().map(|first| first.event.at).or(lost.map(|lost| lost.since))?;
            Some(WaitingFor { subscription, events: mine.count(), since, lost: lost.map_or(0, |lost| lost.count) })
        })
    }
}

/// The id of an event for subscribers: always the same for the same customer and the same words.
pub(super) fn outgoing_id(me: &CustomerRef, words: &str) -> Uuid {
    let name = format!("interlock:outgoing:{}/{}:{words}", me.tenant.encoded(), me.customer.encoded());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}
