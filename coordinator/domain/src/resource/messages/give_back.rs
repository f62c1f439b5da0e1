//! A lease comes back, with the tickets that still want it.

use super::{Holder, LeaseEvent, Resource, Vacancy};
use crate::ids::{CustomerRef, Epoch, TicketId, Timestamp};
use crate::message::{GiveBack, LeaseProof, Ticket};
use crate::recording::Edition;
use crate::resource::LookUp;
use crate::resource::granting::contested_wait_ms;

impl Resource {
    /// Takes a lease back, with the tickets that still want it and those that have ended. Returns whether it was the current
    /// lease.
    pub(super) fn given_back(
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
            self.vacate_because(now, event_of(how), self.why_forced(how));
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

    /// The holder declined a copy of its grant before its confirmed release arrived. The lease was not granted since, so the resource is free.
    fn released_after_it_was_declined(&mut self, epoch: Epoch, how: GiveBack) {
        let is_last = self.edition >= Edition::V0_2 && self.holder.is_none() && epoch == self.epoch;
        if is_last && how == GiveBack::Released && self.vacancy == Vacancy::Unclear {
            self.vacancy = Vacancy::Known;
        }
    }

    /// The holder gives back an older lease than the one it has: perhaps it never received the younger grant. It is told
    /// again, and keeps the lease or gives it back.
    fn remind_of_younger_grant(&mut self, from: &CustomerRef, given_back: Epoch) {
        let is_younger = |holder: &Holder| holder.is(from) && holder.epoch > given_back && holder.orphaned_at.is_none();
        if self.edition >= Edition::V0_2 && self.holder.as_ref().is_some_and(is_younger) {
            self.tell_granted();
        }
    }

    /// A lease comes back that this entity did not grant, or a copy of one that came back before. If the entity was
    /// terminated meanwhile, a look-up made since then is outdated.
    fn given_back_of_an_earlier_life(&mut self, epoch: Epoch) {
        let unknown = epoch > self.epoch;
        self.epoch = self.epoch.max(epoch);
        self.settled = self.settled.max(epoch);
        let only_the_target_says = match &self.holder {
            None => unknown || self.look_up.is_under_way(),
            Some(holder) => holder.customer().is_none(),
        };
        if only_the_target_says {
            self.holder = None;
            if self.look_up.is_under_way() {
                self.look_up.mark_stale();
            } else {
                self.look_up = LookUp::None;
            }
            self.vacancy = if self.policy.authority.is_some() { Vacancy::ToLookUp } else { Vacancy::Known };
        }
    }

    /// Sets what is known of the resource after a lease came back; `looked_up` says whether the authority had named its holder.
    fn settle_vacancy(&mut self, now: Timestamp, how: GiveBack, looked_up: bool) {
        match how {
            // The authority and another target contradict each other: asking again would continue forever.
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
}

/// How a lease came back, as an event of the history.
fn event_of(how: GiveBack) -> LeaseEvent {
    match how {
        GiveBack::Released => LeaseEvent::Released,
        GiveBack::Yielded => LeaseEvent::Yielded,
        GiveBack::Unused => LeaseEvent::Unused,
        GiveBack::Contested => LeaseEvent::Contested,
        GiveBack::Forced => LeaseEvent::Forced,
    }
}
