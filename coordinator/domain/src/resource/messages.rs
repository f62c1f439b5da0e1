//! What customers tell a resource.

use super::granting::contested_wait_ms;
use super::reassert::Said;
use super::{Holder, HolderName, QueuedTicket, Resource, Vacancy};
use crate::ids::{CustomerRef, Epoch, TicketId, Timestamp};
use crate::limits::{QUEUED_NAMES_BYTES_MAX, TENANT_SHARE_OF_QUEUE};
use crate::message::{Asker, ClaimAnswer, GiveBack, LeaseProof, Notice, Probe, Ticket, ToCustomer, ToResource};
use crate::order::{ClaimMode, ResourcePolicy};
use crate::recording::Edition;

impl Resource {
    /// Takes a message from a customer.
    pub(super) fn told(&mut self, now: Timestamp, message: ToResource) {
        match message {
            ToResource::Claim { ticket } => self.claimed_by_message(now, ticket),
            ToResource::GiveBack { from, epoch, how, tickets, finished, proof, registered_to } => {
                let held = self.given_back(now, &from, epoch, how, (tickets, finished), proof);
                if let Some(party) = registered_to.filter(|_| held) {
                    self.found_registered(now, &party);
                }
            }
            ToResource::Withdraw { from, tickets } => {
                let own = |id: &TicketId| {
                    self.queue.values().all(|queued| queued.ticket.id != *id || queued.ticket.claimant == from)
                };
                let own: Vec<_> = tickets.into_iter().filter(own).collect();
                for id in own {
                    self.finish(id);
                }
            }
            ToResource::Decline { from, ticket, epoch, lost } => {
                if !self.holder.as_ref().is_some_and(|holder| holder.is(&from) && holder.epoch == epoch) {
                    return;
                }
                if lost.is_some() {
                    self.orphaned(now);
                    self.forget_dead(&from, lost.unwrap_or_default());
                } else {
                    if let Some(id) = ticket {
                        self.finish(id);
                    }
                    self.declined(now);
                }
                self.force_the_dead(now);
            }
            ToResource::Reassert { from, incarnation, lease, above, tickets, lasting, after_reset } => {
                self.reasserted(now, Said { from, incarnation, lease, above, lasting, after_reset }, tickets);
            }
            ToResource::Used { from, epoch, party } => self.used(now, &from, epoch, party),
            ToResource::Probe { ticket, from, probe } => self.probed(&ticket, &from, probe),
            ToResource::ForceRefused { from, epoch, orders, used_at } => {
                self.force_refused(now, &from, epoch, &orders, used_at);
            }
        }
    }

    /// The holder has no use for the lease. Where the target is known to have it registered to the holder, the holder
    /// has it all the same, and gets a lease with its next claim; the authority, if there is one, is asked again first.
    pub(super) fn declined(&mut self, now: Timestamp) {
        match &mut self.holder {
            Some(holder) if holder.used && self.policy.authority.is_some() => {
                self.vacate(now, "declined");
                self.vacancy = Vacancy::ToLookUp;
            }
            // After a reset of this entity it may have been released since.
            Some(holder) if holder.used && !self.unsure => {
                holder.incarnation = None;
                holder.ticket = None;
                holder.recalled = None;
                self.adopt_waiting(now);
            }
            _ => self.vacate(now, "declined"),
        }
        self.doubt_vacancy_after_reset();
    }

    /// A holder that has no lease yet gets one where a ticket of it waits already.
    pub(super) fn adopt_waiting(&mut self, now: Timestamp) {
        let Some(holder) = self.holder.as_ref().and_then(Holder::customer) else { return };
        let own = self.queue.values().map(|queued| &queued.ticket).find(|ticket| ticket.claimant == *holder).cloned();
        if let Some(ticket) = own {
            self.queue.remove(&ticket.key);
            self.adopt(now, &ticket);
        }
    }

    /// A claim that came as a message is answered by one.
    pub(super) fn claimed_by_message(&mut self, now: Timestamp, ticket: Ticket) {
        let (id, claimant, incarnation) = (ticket.id.clone(), ticket.claimant.clone(), ticket.incarnation);
        let answer = self.take_claim(now, ticket);
        let answer = answer.or_else(|| match self.answer_for(&id) {
            granted @ ClaimAnswer::Granted { .. } => {
                self.outbox_forget_grant(&id);
                Some(granted)
            }
            _ => None,
        });
        let notice = match answer {
            Some(ClaimAnswer::Granted { epoch, registered, recall }) => {
                Notice::LeaseGranted { ticket: id, epoch, registered, recall }
            }
            Some(ClaimAnswer::NotHolder) => Notice::NotHolder { ticket: id, party: None },
            Some(ClaimAnswer::QueueFull { tickets_max }) => Notice::QueueFull { ticket: id, tickets_max },
            _ => return,
        };
        self.tell(claimant, ToCustomer { resource: self.id.clone(), incarnation, notice });
    }

    /// Takes a ticket in. Answers at once where the ticket is not put into the queue; none where it waits there, or has
    /// the lease.
    pub(super) fn take_claim(&mut self, now: Timestamp, ticket: Ticket) -> Option<ClaimAnswer> {
        self.begin(now, &ticket.policy);
        self.ask_who_is_heard_again(&ticket.claimant, ticket.incarnation);
        self.claimed_for_more(&ticket);
        if self.finished.contains(&ticket.id) {
            return Some(ClaimAnswer::Finished);
        }
        if self.queue.values().any(|queued| queued.ticket.id == ticket.id) {
            return None;
        }
        if self.is_of_earlier_life(&ticket) {
            return Some(ClaimAnswer::Finished);
        }
        if let Some(holder) = &self.holder {
            if holder.ticket.as_ref().is_some_and(|held| held.id == ticket.id) {
                return None;
            }
            if holder.used
                && ticket.mode == ClaimMode::Release
                && holder.orphaned_at.is_none()
                && holder.customer().is_some_and(|customer| *customer != ticket.claimant)
            {
                return Some(ClaimAnswer::NotHolder);
            }
        }
        // Whoever lives again says by its claim that its earlier life is dead, be there room for it or not.
        let earlier = |holder: &Holder| holder.is(&ticket.claimant) && holder.incarnation < Some(ticket.incarnation);
        if self.holder.as_ref().is_some_and(|holder| holder.incarnation.is_some() && earlier(holder)) {
            self.orphaned(now);
        }
        if let Some(tickets_max) = self.full_for(&ticket.claimant) {
            return Some(ClaimAnswer::QueueFull { tickets_max });
        }
        self.enqueue(now, ticket);
        None
    }

    /// A lease belongs to its holder by whatever ticket: once the holder claims the resource for more than a lock, it may get it
    /// registered under a lease that was granted for one.
    fn claimed_for_more(&mut self, ticket: &Ticket) {
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.is(&ticket.claimant)) {
            holder.locks_only &= ticket.mode == ClaimMode::Lock;
        }
    }

    /// How many tickets wait of those among whom a customer's would, where there is no room for it: all, or, of a realm that tenants
    /// share, its tenant's.
    fn full_for(&self, claimant: &CustomerRef) -> Option<usize> {
        let is_full = |waiting: &[&CustomerRef], tickets_max: usize, names_max: usize| {
            let names: usize = waiting.iter().map(|customer| customer.customer.as_str().len()).sum();
            let is_room_for_name = names + claimant.customer.as_str().len() <= names_max;
            (waiting.len() >= tickets_max || !is_room_for_name).then_some(waiting.len())
        };
        let all: Vec<&CustomerRef> = self.queue.values().map(|queued| &queued.ticket.claimant).collect();
        let tickets_max = self.policy.limits.tickets_max;
        is_full(&all, tickets_max, QUEUED_NAMES_BYTES_MAX).or_else(|| {
            let is_shared = self.realm.as_str() != claimant.tenant.as_str();
            let own: Vec<&CustomerRef> = all.into_iter().filter(|other| other.tenant == claimant.tenant).collect();
            let (tickets_max, names_max) =
                (tickets_max / TENANT_SHARE_OF_QUEUE, QUEUED_NAMES_BYTES_MAX / TENANT_SHARE_OF_QUEUE);
            is_full(&own, tickets_max.max(1), names_max).filter(|_| is_shared)
        })
    }

    /// Whether a later life of the claimant waits here or has the lease: a claim of an earlier one was on its way for long, and its
    /// order has a ticket of the later life by the same key.
    fn is_of_earlier_life(&self, ticket: &Ticket) -> bool {
        let is_later = |queued: &QueuedTicket| {
            queued.ticket.claimant == ticket.claimant && queued.ticket.incarnation > ticket.incarnation
        };
        let is_held_by_later =
            |holder: &Holder| holder.is(&ticket.claimant) && holder.incarnation > Some(ticket.incarnation);
        self.queue.values().any(is_later) || self.holder.as_ref().is_some_and(is_held_by_later)
    }

    /// Whether a ticket is in the queue, has the lease, or is over.
    pub(super) fn knows(&self, id: &TicketId) -> bool {
        self.finished.contains(id)
            || self.queue.values().any(|queued| queued.ticket.id == *id)
            || self.holder.as_ref().and_then(|holder| holder.ticket.as_ref()).is_some_and(|held| held.id == *id)
    }

    /// What holds for a ticket that is in the queue or has the lease.
    pub(super) fn answer_for(&mut self, id: &TicketId) -> ClaimAnswer {
        let asker = self.asker();
        match &mut self.holder {
            Some(holder) if holder.ticket.as_ref().is_some_and(|held| held.id == *id) => {
                holder.recalled.clone_from(&asker);
                ClaimAnswer::Granted { epoch: holder.epoch, registered: holder.used, recall: asker }
            }
            _ => ClaimAnswer::Queued,
        }
    }

    /// Puts a ticket into the queue, whatever its length, and sees what it means for the holder.
    pub(super) fn enqueue(&mut self, now: Timestamp, mut ticket: Ticket) {
        ticket.answer_by = None;
        self.claimed_for_more(&ticket);
        let adopted = match &mut self.holder {
            None => false,
            Some(holder) => match &holder.who {
                HolderName::Party(party) if ticket.party.as_ref() == Some(party) => true,
                HolderName::Party(_) => {
                    // Somebody says to have what the target said is another's: perhaps that changed since.
                    if ticket.mode == ClaimMode::Release && self.policy.authority.is_some() {
                        self.holder = None;
                        self.vacancy = Vacancy::ToLookUp;
                    }
                    false
                }
                HolderName::Customer(customer) if *customer == ticket.claimant => match holder.incarnation {
                    None => true,
                    Some(known) if known < ticket.incarnation => {
                        self.orphaned(now);
                        false
                    }
                    Some(_) => false,
                },
                HolderName::Customer(_) => false,
            },
        };
        if adopted {
            self.adopt(now, &ticket);
            return;
        }
        // Whoever lives again has no use for the tickets of its earlier lives.
        self.queue.retain(|_, queued| {
            queued.ticket.claimant != ticket.claimant || queued.ticket.incarnation >= ticket.incarnation
        });
        if ticket.mode == ClaimMode::Release {
            self.holder.iter_mut().for_each(|holder| holder.looked_up = false);
        }
        let probe = self.probe_of(&ticket);
        self.queue.insert(ticket.key.clone(), QueuedTicket { ticket, since: now });
        if let Some((holder, probe)) = probe {
            self.tell_holder(holder, Notice::Probe { probe });
        }
    }

    /// A holder that was seeded, or that only the target knew, claims for the first time: the lease is its.
    fn adopt(&mut self, now: Timestamp, ticket: &Ticket) {
        let since = self.holder.as_ref().map_or(now, |holder| holder.since);
        self.raise_epoch(now);
        self.settled = self.epoch;
        let holder = Holder::of_ticket(ticket.clone(), self.epoch, now);
        self.holder = Some(Holder { used: true, locks_only: false, since, ..holder });
        self.note(now, "granted", Some(ticket.claimant.to_string()), Some(ticket.order.clone()), None);
        self.tell_granted();
        self.answer_releases();
        self.probe_new_holder();
    }

    /// Takes a lease back, with the tickets that still want it and those that are finished; whether it was the one that is
    /// held.
    fn given_back(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        epoch: Epoch,
        how: GiveBack,
        (tickets, finished): (Vec<Ticket>, Vec<TicketId>),
        proof: Option<LeaseProof>,
    ) -> bool {
        if let Some(first) = tickets.first() {
            self.begin(now, &first.policy);
        }
        let held = self.holder.as_ref().is_some_and(|holder| holder.is(from) && holder.epoch == epoch);
        if held {
            let looked_up = self.holder.as_ref().is_some_and(|holder| holder.looked_up);
            self.wait_for_calls_before_reset();
            self.vacate_because(now, how_name(how), self.why_forced(how));
            if let Some(entry) = self.history.back_mut() {
                entry.proof = proof;
            }
            self.settle_vacancy(now, how, looked_up);
        } else {
            self.forget_rival(from);
            self.given_back_of_an_earlier_life(epoch);
            self.released_after_it_was_declined(epoch, how);
            self.remind_of_younger_grant(from, epoch);
        }
        for id in finished {
            self.finish(id);
        }
        for ticket in tickets {
            if !self.knows(&ticket.id) && !self.is_of_earlier_life(&ticket) {
                self.enqueue(now, ticket);
            }
        }
        held
    }

    /// A copy of a grant was answered before the confirmed release of that lease came: nobody was granted it since, and nobody has it.
    fn released_after_it_was_declined(&mut self, epoch: Epoch, how: GiveBack) {
        let is_last = self.edition >= Edition::V0_2 && self.holder.is_none() && epoch == self.epoch;
        if is_last && how == GiveBack::Released && self.vacancy == Vacancy::Unclear {
            self.vacancy = Vacancy::Known;
        }
    }

    /// The holder gives back an older lease than the one it has: perhaps it never heard of the younger one. It is told
    /// again, and keeps the lease or gives it back.
    fn remind_of_younger_grant(&mut self, from: &CustomerRef, given_back: Epoch) {
        let is_younger = |holder: &Holder| holder.is(from) && holder.epoch > given_back && holder.orphaned_at.is_none();
        if self.edition >= Edition::V0_2 && self.holder.as_ref().is_some_and(is_younger) {
            self.tell_granted();
        }
    }

    /// A lease comes back that this entity did not grant, or a copy of one that came back before. Where the entity was
    /// terminated meanwhile, what the target was asked since is outdated by it.
    fn given_back_of_an_earlier_life(&mut self, epoch: Epoch) {
        let unknown = epoch > self.epoch;
        self.epoch = self.epoch.max(epoch);
        self.settled = self.settled.max(epoch);
        let only_the_target_says = match &self.holder {
            None => unknown || self.looking_up,
            Some(holder) => holder.customer().is_none(),
        };
        if only_the_target_says {
            self.holder = None;
            self.look_up_is_stale = self.looking_up;
            self.vacancy = if self.policy.authority.is_some() { Vacancy::ToLookUp } else { Vacancy::Known };
        }
    }

    /// What is known of the resource after a lease came back so; whether its holder was one whom the authority named.
    fn settle_vacancy(&mut self, now: Timestamp, how: GiveBack, looked_up: bool) {
        match how {
            // The authority and another target contradict each other: asking again would go on for ever.
            GiveBack::Contested if looked_up => self.vacancy = Vacancy::Unclear,
            GiveBack::Contested if self.policy.authority.is_some() => {
                self.vacancy = Vacancy::ToLookUp;
                let wait = contested_wait_ms(self.contested_in_a_row);
                if self.contested_in_a_row > 0 {
                    self.not_before = self.not_before.max(now.plus_ms(wait));
                }
                self.contested_in_a_row = self.contested_in_a_row.saturating_add(1);
            }
            GiveBack::Contested => self.vacancy = Vacancy::Unclear,
            GiveBack::Released | GiveBack::Forced => {
                self.vacancy = Vacancy::Known;
                self.contested_in_a_row = 0;
            }
            GiveBack::Yielded | GiveBack::Unused => {}
        }
    }

    /// The holder proved that the target accepted its assign: whoever else wants to release has nothing to release.
    fn used(&mut self, now: Timestamp, from: &CustomerRef, epoch: Epoch, party: Option<String>) {
        if let Some(holder) = &mut self.holder
            && holder.is(from)
            && holder.epoch == epoch
        {
            (holder.used, holder.locks_only) = (true, false);
            if party.is_some() && holder.party != party {
                holder.party.clone_from(&party);
                self.note(now, "renamed", party, None, None);
            }
            self.contested_in_a_row = 0;
            self.answer_releases();
        }
    }

    /// Answers the waiting releases of others than a holder who is proven.
    pub(super) fn answer_releases(&mut self) {
        let Some(holder) = &self.holder else { return };
        let Some(customer) = holder.customer().filter(|_| holder.used && holder.orphaned_at.is_none()) else { return };
        let moot: Vec<Ticket> = self
            .queue
            .values()
            .filter(|queued| queued.ticket.mode == ClaimMode::Release && queued.ticket.claimant != *customer)
            .map(|queued| queued.ticket.clone())
            .collect();
        for ticket in moot {
            self.queue.remove(&ticket.key);
            let notice = Notice::NotHolder { ticket: ticket.id, party: None };
            let message = ToCustomer { resource: self.id.clone(), incarnation: ticket.incarnation, notice };
            self.tell(ticket.claimant, message);
        }
    }

    /// Passes a probe on to the holder, while the ticket it came by waits.
    fn probed(&mut self, ticket: &TicketId, from: &CustomerRef, probe: Probe) {
        let waits = self.queue.values().any(|queued| queued.ticket.id == *ticket && queued.ticket.claimant == *from);
        if let Some(holder) = self.holder.as_ref().and_then(Holder::customer).filter(|holder| waits && *holder != from)
        {
            self.tell_holder(holder.clone(), Notice::Probe { probe });
        }
    }

    /// Seeds a holder where there is none.
    pub(super) fn seeded(
        &mut self,
        now: Timestamp,
        holder: &CustomerRef,
        party: Option<String>,
        policy: &ResourcePolicy,
    ) {
        self.begin(now, policy);
        let replaceable = match &self.holder {
            None => true,
            Some(known) => known.customer().is_none(),
        };
        if !replaceable {
            return;
        }
        self.raise_epoch(now);
        self.note(now, "seeded", Some(holder.to_string()), None, None);
        let who = HolderName::Customer(holder.clone());
        self.holder = Some(Holder::registered(who, party, self.epoch, now));
        self.adopt_waiting(now);
        self.answer_releases();
    }

    /// Who of the queue gives the holder a reason to be asked: the oldest that is older, else any release. While nobody
    /// knows who is registered, only releases go ahead, and nobody is asked to let others go first.
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
}

/// How a lease came back, as the history says it.
fn how_name(how: GiveBack) -> &'static str {
    match how {
        GiveBack::Released => "released",
        GiveBack::Yielded => "yielded",
        GiveBack::Unused => "unused",
        GiveBack::Contested => "contested",
        GiveBack::Forced => "forced",
    }
}
