//! Choosing the next holder, and informing it.

use super::state::{CONTESTED_BACKOFF_MS_MAX, CONTESTED_BACKOFF_MS_MIN};
use super::{Effect, Holder, HolderName, LeaseEvent, LookUp, Resource, Vacancy};
use crate::ids::{CustomerRef, Epoch, TicketId, Timestamp};
use crate::limits::SENDING_BATCH_MAX;
use crate::message::{Asker, Delivery, Notice, Ticket, ToCustomer};
use crate::order::{ClaimMode, ResourcePolicy};

/// How long a contested resource waits before it tries again, in milliseconds, after this many contests in a row.
pub(super) fn contested_wait_ms(contested_in_a_row: u32) -> u64 {
    CONTESTED_BACKOFF_MS_MIN.saturating_mul(1 << contested_in_a_row.min(16)).min(CONTESTED_BACKOFF_MS_MAX)
}

impl Resource {
    /// Takes the policy of its kind. The first time, the first grant waits until the clocks agree, and until the authority was asked.
    pub(super) fn begin(&mut self, now: Timestamp, policy: &ResourcePolicy) {
        if self.policy != *policy {
            self.policy = policy.clone();
        }
        if self.life.is_new() {
            self.life.begin();
            let is_again = self.life.is_again();
            let wait = if is_again { policy.fresh_wait_ms.max(policy.orphan_settle_ms) } else { policy.fresh_wait_ms };
            if wait > 0 {
                self.not_before = self.not_before.max(now.plus_ms(wait));
            }
            if is_again {
                let detail = "an earlier incarnation of this entity was terminated: it waits until its holder has had \
                              time to report";
                self.note(now, LeaseEvent::Reborn, None, None, Some(detail.to_owned()));
            }
            if policy.authority.is_some() {
                self.vacancy = Vacancy::ToLookUp;
            }
        }
    }

    /// Makes all possible progress.
    pub(super) fn advance(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.grant_next(now);
        self.ask_back();
        self.start_look_up(now, effects);
        if self.sending == 0 && !self.outbox.is_empty() {
            self.sending = self.outbox.len().min(SENDING_BATCH_MAX);
            effects.push(self.notify_effect());
        }
    }

    /// Grants the lease to the next ticket, if it may be granted.
    pub(super) fn grant_next(&mut self, now: Timestamp) {
        self.look_after_reset(now);
        self.pursue_force(now);
        self.give_way_to_rival(now);
        self.settle_orphan(now);
        let asks_who_has_it = self.look_up.is_for_ledger() && !self.look_up.is_stale();
        if self.holder.is_some() || asks_who_has_it || now < self.not_before {
            return;
        }
        let next = match self.vacancy {
            Vacancy::Known => self.queue.keys().next().cloned(),
            Vacancy::Unclear => {
                let release = |queued: &&super::QueuedTicket| queued.ticket.mode == ClaimMode::Release;
                self.queue.values().find(release).map(|queued| queued.ticket.key.clone())
            }
            Vacancy::ToLookUp => None,
        };
        if let Some(queued) = next.and_then(|key| self.queue.remove(&key)) {
            self.grant(now, queued.ticket);
        }
    }

    /// Grants the lease to a ticket that was taken out of the queue.
    pub(super) fn grant(&mut self, now: Timestamp, ticket: Ticket) {
        // The message may have been sent before this entity was allowed to grant.
        self.raise_epoch_to(self.said_at.map_or(now, |said_at| said_at.max(self.not_before)));
        self.settled = self.epoch;
        self.note(now, LeaseEvent::Granted, Some(ticket.claimant.to_string()), Some(ticket.order.clone()), None);
        let mut holder = Holder::of_ticket(ticket, self.epoch, now);
        holder.locks_only &= self
            .queue
            .values()
            .all(|queued| !holder.is(&queued.ticket.claimant) || queued.ticket.mode == ClaimMode::Lock);
        self.holder = Some(holder);
        self.tell_granted();
        self.probe_new_holder();
    }

    /// The next epoch: `max(last + 1, time in ms)`, so that it grows across the lives of this entity. It is also above the
    /// highest epoch that a claimant has given back. The time is the one that the causing message carries. Without one it is
    /// workflow time, and then the grant is recorded before a customer hears of it.
    pub(super) fn raise_epoch(&mut self, now: Timestamp) {
        self.raise_epoch_to(self.said_at.unwrap_or(now));
    }

    fn raise_epoch_to(&mut self, time: Timestamp) {
        let clock = u64::try_from(time.0).unwrap_or(0);
        self.epoch = self.epoch.max(self.floor).next().max(Epoch(clock));
    }

    /// Takes the lease from its holder.
    pub(super) fn vacate(&mut self, now: Timestamp, how: LeaseEvent) {
        self.vacate_because(now, how, None);
    }

    /// The same, with a sentence for the history.
    pub(super) fn vacate_because(&mut self, now: Timestamp, how: LeaseEvent, why: Option<String>) {
        if let Some(holder) = self.holder.take() {
            self.tell_reset_holder(&holder);
            self.settled = self.settled.max(holder.epoch);
            let order = holder.ticket.map(|ticket| ticket.key.order);
            let who = match holder.who {
                HolderName::Customer(customer) => customer.to_string(),
                HolderName::TargetIdentity(target_identity) => target_identity,
            };
            self.note(now, how, Some(who), order, why);
        }
    }

    /// Informs the holder of its lease, and of a customer that already asks for it back.
    pub(super) fn tell_granted(&mut self) {
        let asker = self.asker().filter(|_| self.holder.as_ref().is_some_and(|holder| !holder.used));
        let Some(holder) = &mut self.holder else { return };
        holder.recalled.clone_from(&asker);
        if let (Some(customer), Some(ticket)) = (holder.customer().cloned(), holder.ticket.clone()) {
            let (epoch, registered) = (holder.epoch, holder.used);
            self.tell_holder(customer, Notice::LeaseGranted { ticket: ticket.id, epoch, registered, recall: asker });
        }
    }

    /// Asks the holder for the lease if the queue has a reason that the holder does not know yet.
    fn ask_back(&mut self) {
        let asker = self.asker();
        let Some(holder) = &mut self.holder else { return };
        if holder.used || holder.orphaned_at.is_some() || holder.incarnation.is_none() {
            return;
        }
        let Some(asker) = asker else { return };
        if holder.recalled.as_ref().is_some_and(|told| !gives_new_reason(told, &asker)) {
            return;
        }
        holder.recalled = Some(asker.clone());
        if let Some(customer) = holder.customer().cloned() {
            let epoch = holder.epoch;
            self.tell_holder(customer, Notice::LeaseRecalled { epoch, asker });
        }
    }

    /// The ticket in the queue that gives a reason to recall the lease: the oldest that is older than the holder's, else any release. While it
    /// is unknown who is registered, only releases run, and the holder is not asked to let others go first.
    pub(super) fn asker(&self) -> Option<Asker> {
        if self.vacancy == Vacancy::Unclear {
            return None;
        }
        let holder = self.holder.as_ref()?;
        let customer = holder.customer()?;
        let mut others = self.queue.values().map(|queued| &queued.ticket).filter(|ticket| ticket.claimant != *customer);
        let asker = |ticket: &Ticket| Asker { key: ticket.key.clone(), mode: ticket.mode };
        let first = others.next()?;
        let older = holder.ticket.as_ref().is_some_and(|held| first.key < held.key);
        if older || first.mode == ClaimMode::Release {
            return Some(asker(first));
        }
        others.find(|ticket| ticket.mode == ClaimMode::Release).map(asker)
    }

    /// Puts a message to the holder into the outbox.
    pub(super) fn tell_holder(&mut self, customer: CustomerRef, notice: Notice) {
        let incarnation = self.holder.as_ref().and_then(|holder| holder.incarnation).unwrap_or_default();
        self.tell(customer, ToCustomer { resource: self.id.clone(), incarnation, notice });
    }

    /// Puts a message into the outbox.
    pub(super) fn tell(&mut self, customer: CustomerRef, message: ToCustomer) {
        self.outbox.push_back((customer, message));
    }

    /// Drops the message of a grant that is answered directly, if it is not already being sent.
    pub(super) fn outbox_forget_grant(&mut self, granted: &TicketId) {
        let sending = self.sending;
        let mut index = 0;
        self.outbox.retain(|(_, message)| {
            index += 1;
            index <= sending || !matches!(&message.notice, Notice::LeaseGranted { ticket, .. } if ticket == granted)
        });
    }

    /// The messages under way were delivered or lost. A customer whose entity is missing is dead.
    pub(super) fn notified(&mut self, now: Timestamp, deliveries: &[Delivery]) {
        let sent = std::mem::take(&mut self.sending);
        for index in 0..sent {
            let Some((customer, message)) = self.outbox.pop_front() else { break };
            if deliveries.get(index) != Some(&Delivery::Lost) {
                continue;
            }
            self.forget_dead(&customer, message.incarnation);
            let (Notice::LeaseGranted { epoch, .. }
            | Notice::LeaseImported { epoch, .. }
            | Notice::LeaseKnown { epoch }
            | Notice::Reassert { epoch: Some(epoch), .. }
            | Notice::LeaseRecalled { epoch, .. }
            | Notice::Forced { epoch, .. }) = message.notice
            else {
                continue;
            };
            if self.holder.as_ref().is_some_and(|holder| holder.is(&customer) && holder.epoch == epoch) {
                self.orphaned(now);
            }
        }
    }

    /// Starts again what was running in the previous run.
    pub(super) fn under_way_again(&mut self, effects: &mut Vec<Effect>) {
        if self.sending > 0 {
            effects.push(self.notify_effect());
        }
        if let LookUp::UnderWay { asked_for, .. } = self.look_up {
            match self.look_up_effect(asked_for) {
                Some(look_up) => effects.push(look_up),
                None => self.look_up.drop_unanswered(),
            }
        }
    }

    fn notify_effect(&self) -> Effect {
        Effect::Notify(self.outbox.iter().take(self.sending).cloned().collect())
    }

    /// When this entity must be woken, if nothing else happens: the end of a wait that delays a ticket.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let due = match &self.holder {
            Some(holder) => holder.orphaned_at.map(|at| at.plus_ms(self.policy.orphan_settle_ms)),
            None => Some(self.not_before),
        };
        let due = due.filter(|at| *at > now && (!self.queue.is_empty() || self.is_to_be_confirmed()));
        let answer_by = self.forcing.as_ref().map(|forcing| forcing.answer_by);
        due.into_iter().chain(answer_by).chain(self.asks_again_at(now)).min()
    }
}

/// Whether this asker is a new reason to recall the lease, compared with the one that the holder knows.
fn gives_new_reason(told: &Asker, asker: &Asker) -> bool {
    asker.key < told.key || (asker.mode == ClaimMode::Release && told.mode != ClaimMode::Release)
}
