//! The holder's entity may refuse a forced release; if there is no entity to ask, the lease is taken.

use super::{FORCE_HOLDER_WAIT_MS, ForceAnswer, ForceStage, LeaseEvent, Resource, Vacancy};
use crate::error_code::ErrorCode;
use crate::ids::{CustomerRef, Epoch, OrderId, Timestamp};
use crate::message::Notice;

impl Resource {
    /// Asks a living holder, which refuses while it has open orders on the resource, and if it used the lease after the
    /// target was asked. No other entity is asked.
    pub(super) fn ask_the_holder(&mut self, now: Timestamp, unused_since: Option<Timestamp>) {
        let living = self.holder.as_ref().filter(|_| self.holder_lives());
        let Some((customer, epoch)) = living.and_then(|holder| Some((holder.customer()?.clone(), holder.epoch))) else {
            self.free(now);
            return;
        };
        if let Some(forcing) = &mut self.forcing {
            forcing.stage = ForceStage::Holder;
            forcing.answer_by = now.plus_ms(FORCE_HOLDER_WAIT_MS);
        }
        let by = self.forcing.as_ref().map(|forcing| forcing.release.words());
        self.tell_holder(customer, Notice::Forced { epoch, unused_since, by });
    }

    /// The holder reported that it is dead, or has no use for the lease: there is no one left to ask.
    pub(in crate::resource) fn force_the_dead(&mut self, now: Timestamp) {
        let asks_holder = self.forcing.as_ref().is_some_and(|forcing| forcing.stage == ForceStage::Holder);
        if asks_holder && self.holder.is_some() && !self.holder_lives() {
            self.free(now);
        }
    }

    pub(super) fn holder_lives(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| {
            holder.customer().is_some() && holder.orphaned_at.is_none() && holder.incarnation.is_some()
        })
    }

    /// Takes the lease from a holder that cannot be asked.
    pub(super) fn free(&mut self, now: Timestamp) {
        let Some(forcing) = &self.forcing else { return };
        let (detail, other) = (forcing.detail(), forcing.other_target_identity.clone());
        let who = self.holder_name();
        self.holder = None;
        self.vacancy = Vacancy::Known;
        self.contested_in_a_row = 0;
        // The answer to the ledger's own question describes the state before this.
        self.look_up.mark_stale_for_ledger();
        self.note(now, LeaseEvent::Forced, who, None, Some(detail));
        self.answer_force(ForceAnswer::Released);
        if let Some(target_identity) = other {
            self.registered(now, &target_identity);
        }
    }

    /// The holder has open orders on the resource, or used its lease after the target was asked.
    pub(in crate::resource) fn force_refused(
        &mut self,
        now: Timestamp,
        from: &CustomerRef,
        epoch: Epoch,
        orders: &[OrderId],
        used_at: Option<Timestamp>,
    ) {
        if !self.holder.as_ref().is_some_and(|holder| holder.is(from) && holder.epoch == epoch) {
            return;
        }
        let named: Vec<&str> = orders.iter().map(OrderId::as_str).collect();
        let (code, detail) = match used_at.filter(|_| orders.is_empty()) {
            Some(_) => (
                ErrorCode::UsedSinceAsked,
                "The holder was registered at about the time when the target was asked and reported that it is not."
                    .to_owned(),
            ),
            None => (
                ErrorCode::HolderHasOpenOrders,
                format!("The holder has open orders on the resource: {}.", named.join(", ")),
            ),
        };
        if self.forcing.as_ref().is_some_and(|forcing| forcing.stage == ForceStage::Holder) {
            self.refuse_force(now, code, detail);
        } else {
            self.note(now, LeaseEvent::ForceRefused, Some(from.to_string()), orders.first().cloned(), Some(detail));
        }
    }
}
