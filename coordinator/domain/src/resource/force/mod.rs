//! A person takes the lease from its holder: the target is asked first, then the holder, and each for a limited time.
//!
//! A running forced release is part of the state, and so are the answers of the last ones: a caller that repeats the
//! same action id finds its answer, in any later run.

mod ask_authority;
mod ask_holder;
mod release;

pub use release::*;

use super::{Holder, HolderName, LeaseEvent, Resource, Vacancy};
use crate::action_mark::reused;
use crate::action_words::Refusal;
use crate::error_code::ErrorCode;
use crate::ids::Timestamp;
use crate::message::GiveBack;

/// How long to wait for the authority to say who is registered, in milliseconds.
pub const FORCE_LOOK_UP_WAIT_MS: u64 = 8_000;

/// How long to wait for the holder's entity, in milliseconds.
pub const FORCE_HOLDER_WAIT_MS: u64 = 5_000;

/// How many answers of forced releases are kept.
pub const FORCES_REMEMBERED_MAX: usize = 16;

impl Resource {
    /// The answer to a forced release; none while it is running, or if it is unknown. An id that the same caller already used for
    /// another forced release is refused (`action_id_reused`).
    pub fn force_answer(&self, release: &ForceRelease) -> Option<ForceAnswer> {
        let is_reused =
            |forcing: &Forcing| forcing.release.is_named_as(release) && forcing.release.mark() != release.mark();
        if self.forcing.as_ref().is_some_and(is_reused) {
            let Refusal { code, detail } = reused();
            return Some(ForceAnswer::Refused { code, detail });
        }
        let of_tenant = self.forces.iter().filter(|force| force.tenant.as_ref().is_none_or(|of| *of == release.tenant));
        for force in of_tenant {
            let is_it = match &force.mark {
                None => Ok(force.action_id == release.action_id),
                Some(mark) => release.mark().is_among([mark.as_str()], ""),
            };
            match is_it {
                Ok(true) => return Some(force.answer.clone()),
                Ok(false) => {}
                Err(Refusal { code, detail }) => return Some(ForceAnswer::Refused { code, detail }),
            }
        }
        None
    }

    /// Whether a forced release is known: it is running, or was answered.
    pub fn knows_force(&self, release: &ForceRelease) -> bool {
        let under_way = self.forcing.as_ref().is_some_and(|forcing| forcing.release.is_named_as(release));
        under_way || self.force_answer(release).is_some()
    }

    /// A person forces the release.
    pub(super) fn forced(&mut self, now: Timestamp, release: ForceRelease) {
        // Workers use the policy that tickets carry; the settings of the person who forces may differ.
        let policy = if self.policy.authority.is_some() { self.policy.clone() } else { release.policy.clone() };
        self.begin(now, &policy);
        if self.force_answer(&release).is_some() {
            return;
        }
        if let Some(forcing) = &self.forcing {
            if !forcing.release.is_named_as(&release) {
                let detail = format!("The forced release {} is in progress.", forcing.release.action_id);
                self.remember_force(release, refused(ErrorCode::ForceUnderWay, detail));
            }
            return;
        }
        if self.holder.is_none() && self.vacancy == Vacancy::Known {
            let detail = "The resource has no holder: there is nothing to release.";
            self.remember_force(release, refused(ErrorCode::NobodyHolds, detail));
            return;
        }
        let of_own = |holder: &Holder| holder.customer().is_some_and(|customer| customer.tenant == release.tenant);
        if release.own_only && !self.holder.as_ref().is_some_and(of_own) {
            let detail =
                "Another tenant holds it, or its holder is unknown: a forced release needs access to the realm.";
            self.remember_force(release, refused(ErrorCode::ForeignHolder, detail));
            return;
        }
        let forcing = Forcing {
            release,
            epoch: self.holder.as_ref().map(|holder| holder.epoch),
            stage: ForceStage::Authority,
            answer_by: now.plus_ms(FORCE_LOOK_UP_WAIT_MS),
            other_target_identity: None,
            marks: Vec::new(),
            asked_at: Some(now),
        };
        let detail = forcing.detail();
        self.forcing = Some(forcing);
        self.note(now, LeaseEvent::ForceAsked, self.holder_name(), None, Some(detail));
        if self.policy.authority.is_none() {
            self.mark("no target is configured that can tell who is registered");
            self.ask_the_holder(now, None);
        }
    }

    /// Makes all possible progress with a running forced release.
    pub(super) fn pursue_force(&mut self, now: Timestamp) {
        let Some(forcing) = &self.forcing else { return };
        let (stage, is_late) = (forcing.stage, now >= forcing.answer_by);
        if self.holder.as_ref().map(|holder| holder.epoch) != forcing.epoch {
            self.lease_came_back(now);
            return;
        }
        match stage {
            ForceStage::Authority if is_late => {
                self.insist_or_refuse(
                    now,
                    ErrorCode::AuthorityUnanswered,
                    "the authority target did not answer in time",
                );
            }
            // If the holder was found dead only just now, the wait continues: a shell learns of deliveries from a local activity's
            // result, and the caller must not get the answer in the same moment.
            ForceStage::Holder if is_late && !self.holder_lives() => self.free(now),
            ForceStage::Holder if is_late => {
                let detail = "The holder's entity did not answer in time; it may still release the resource.";
                self.refuse_force(now, ErrorCode::HolderUnanswered, detail.to_owned());
            }
            ForceStage::Authority | ForceStage::Holder => {}
        }
    }

    /// The lease that was to be forced back now belongs to another customer, or to none.
    fn lease_came_back(&mut self, now: Timestamp) {
        let Some(forcing) = &mut self.forcing else { return };
        if forcing.stage == ForceStage::Authority && self.holder.is_none() && self.vacancy != Vacancy::Known {
            // It has no known holder, and the target is still being asked.
            forcing.epoch = None;
            return;
        }
        let other = forcing.other_target_identity.take().filter(|_| self.holder.is_none());
        self.answer_force(ForceAnswer::Released);
        if let Some(target_identity) = other {
            self.registered(now, &target_identity);
        }
    }

    /// Actor and reason, if a lease comes back because a person forced it.
    pub(super) fn why_forced(&self, how: GiveBack) -> Option<String> {
        self.forcing.as_ref().filter(|_| how == GiveBack::Forced).map(Forcing::detail)
    }

    fn refuse_force(&mut self, now: Timestamp, code: ErrorCode, detail: String) {
        let Some(forcing) = &self.forcing else { return };
        let told = format!("{}; {detail}", forcing.detail());
        self.note(now, LeaseEvent::ForceRefused, self.holder_name(), None, Some(told));
        self.answer_force(refused(code, detail));
    }

    fn answer_force(&mut self, answer: ForceAnswer) {
        if let Some(forcing) = self.forcing.take() {
            self.remember_force(forcing.release, answer);
        }
    }

    fn remember_force(&mut self, release: ForceRelease, answer: ForceAnswer) {
        let mark = Some(release.mark().to_string());
        let (action_id, tenant) = (release.action_id, Some(release.tenant));
        self.forces.push_back(AnsweredForce { action_id, tenant, mark, answer });
        while self.forces.len() > FORCES_REMEMBERED_MAX {
            self.forces.pop_front();
        }
    }

    fn mark(&mut self, what: &str) {
        if let Some(forcing) = &mut self.forcing {
            forcing.marks.push(what.to_owned());
        }
    }

    /// The holder, as the history names it.
    fn holder_name(&self) -> Option<String> {
        self.holder.as_ref().map(|holder| match &holder.who {
            HolderName::Customer(customer) => customer.to_string(),
            HolderName::TargetIdentity(target_identity) => target_identity.clone(),
        })
    }
}

fn refused(code: ErrorCode, detail: impl Into<String>) -> ForceAnswer {
    ForceAnswer::Refused { code: code.into(), detail: detail.into() }
}
