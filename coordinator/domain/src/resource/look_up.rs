//! Asking the authority who is registered, and what follows from its answer.

use uuid::Uuid;

use super::granting::contested_wait_ms;
use super::{AskedFor, Effect, LeaseEvent, LookUp, Resource, Vacancy};
use crate::ids::Timestamp;
use crate::outcome::HolderAnswer;
use crate::recording::Edition;

impl Resource {
    /// Starts a look-up if one is due: for a forced release, or for those who wait.
    pub(super) fn start_look_up(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.look_up.is_under_way() {
            return;
        }
        let waits = self.asking.again_at.is_some_and(|at| now < at);
        if !waits && self.is_look_up_due(now) {
            let asked_for = if self.force_asks_authority() { AskedFor::Force } else { AskedFor::Ledger };
            if let Some(look_up) = self.look_up_effect(asked_for) {
                self.look_up.begin(asked_for);
                effects.push(look_up);
            }
        }
    }

    fn is_look_up_due(&self, now: Timestamp) -> bool {
        let due = match &self.holder {
            // Until then requests of a forgotten holder may still arrive.
            None => self.vacancy == Vacancy::ToLookUp && !(self.life.is_again() && now < self.not_before),
            Some(_) => self.orphan_is_to_be_looked_up(now),
        };
        self.force_asks_authority() || (due && (!self.queue.is_empty() || self.is_to_be_confirmed()))
    }

    /// When a look-up that was ended by hand is made again, if the resource waits for that.
    pub(super) fn asks_again_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.asking.again_at.filter(|at| *at > now && !self.look_up.is_under_way() && self.is_look_up_due(now))
    }

    /// The look-up that is due, or running.
    pub(super) fn look_up_effect(&mut self, asked_for: AskedFor) -> Option<Effect> {
        let authority = self.policy.authority.clone()?;
        let tenant = match asked_for {
            AskedFor::Force => self.forcing.as_ref().filter(|_| self.force_asks_authority())?.release.tenant.clone(),
            AskedFor::Ledger => {
                let waits = self.queue.values().next().map(|queued| &queued.ticket.claimant);
                waits.or_else(|| self.holder.as_ref()?.customer())?.tenant.clone()
            }
        };
        let proves = self.policy.authority_proves && self.edition >= Edition::V0_2;
        let proof = proves.then(|| self.next_proof());
        Some(Effect::LookUp { authority, resource: self.id.clone(), tenant, proof })
    }

    /// The proof that the answer to the next question must repeat: a new one for each question.
    fn next_proof(&mut self) -> Uuid {
        self.asking.asked = self.asking.asked.saturating_add(1);
        let question = format!("interlock:look-up:{}/{}/{}", self.asking.asked, self.realm, self.id);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, question.as_bytes())
    }

    /// Handles the authority's answer about who is registered.
    pub(super) fn looked_up(&mut self, now: Timestamp, answer: HolderAnswer) {
        let LookUp::UnderWay { asked_for, is_stale } = std::mem::take(&mut self.look_up) else { return };
        (self.asking.by_hand, self.asking.again_at) = (0, None);
        if is_stale {
            return;
        }
        if asked_for == AskedFor::Force {
            self.force_looked_up(now, answer);
            return;
        }
        let orphan = self.holder.as_ref().is_some_and(|holder| holder.orphaned_at.is_some());
        if self.holder.is_some() && !orphan {
            return;
        }
        match answer {
            HolderAnswer::Nobody => {
                self.nobody_is_registered(now);
            }
            HolderAnswer::TargetIdentity { target_identity } => {
                self.unsure = false;
                self.registered(now, &target_identity);
            }
            HolderAnswer::Unclear { detail } => {
                self.note(now, LeaseEvent::LookedUp, None, None, Some(detail));
                if let Some(holder) = &mut self.holder {
                    holder.looked_up = true;
                } else {
                    self.unsure = false;
                    self.vacancy = Vacancy::Unclear;
                }
            }
        }
    }

    /// A person completed or failed the look-up in Temporal. That does not tell who is registered: the authority is asked again,
    /// after growing waits, and nothing is granted before it has answered.
    pub(super) fn look_up_ended_by_hand(&mut self, now: Timestamp, said: &str) {
        let LookUp::UnderWay { asked_for, is_stale } = std::mem::take(&mut self.look_up) else { return };
        let again_at = now.plus_ms(contested_wait_ms(self.asking.by_hand));
        self.asking.by_hand = self.asking.by_hand.saturating_add(1);
        self.asking.again_at = Some(again_at);
        let detail = format!(
            "the look-up was ended by hand ({said}), which does not settle it: the authority is asked again at {}",
            again_at.to_rfc3339()
        );
        self.note(now, LeaseEvent::LookUpByHand, None, None, Some(detail));
        if !is_stale && asked_for == AskedFor::Ledger && self.holder.is_none() && self.vacancy == Vacancy::Known {
            // The lease came back while the authority was asked; the next ticket waited for the answer.
            self.vacancy = Vacancy::ToLookUp;
        }
    }
}
