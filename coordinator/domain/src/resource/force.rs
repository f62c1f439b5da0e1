//! A person takes the lease from its holder: the target is asked first, then the holder, and each for a limited time.
//!
//! A forced release under way is part of the state, and so is the answer of the last ones: whoever asks again with the
//! same action id finds it, in whichever run.

use serde::{Deserialize, Serialize};

use super::{Holder, HolderName, Resource, Vacancy};
use crate::action_mark::{ActionMark, caller_of, reused};
use crate::customer::Refusal;
use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::{CustomerRef, Epoch, OrderId, TenantId, Timestamp};
use crate::message::{ForcedBy, GiveBack, Notice};
use crate::order::ResourcePolicy;
use crate::outcome::HolderAnswer;

/// How long the authority may take to say who is registered, in milliseconds.
pub const FORCE_LOOK_UP_WAIT_MS: u64 = 8_000;
/// How long the holder's entity may take to answer, in milliseconds.
pub const FORCE_HOLDER_WAIT_MS: u64 = 5_000;
/// Answers of forced releases that are kept.
pub const FORCES_REMEMBERED_MAX: usize = 16;

/// A person's forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceRelease {
    /// Names it: the same id again changes nothing.
    pub action_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether to go on where the target has it registered to the holder still, or does not say; it is marked in the
    /// history.
    #[serde(default)]
    pub even_if_registered: bool,
    /// Whether it is only for what the tenant's own customers have: whoever asks has no right over the realm that tenants share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_only: bool,
    /// The tenant in whose name the target is asked.
    pub tenant: TenantId,
    /// What the entity needs to know of its kind, where no ticket told it of an authority.
    #[serde(default)]
    pub policy: ResourcePolicy,
}

impl ForceRelease {
    /// Who asks, and why, for the journal of whoever loses the resource.
    fn words(&self) -> ForcedBy {
        ForcedBy { tenant: self.tenant.clone(), actor: self.actor.clone(), reason: self.reason.clone() }
    }

    /// Whether the two are of one caller, and have one id.
    fn is_named_as(&self, other: &Self) -> bool {
        self.tenant == other.tenant
            && caller_of(&self.actor) == caller_of(&other.actor)
            && self.action_id == other.action_id
    }

    /// How it is remembered.
    pub fn mark(&self) -> ActionMark {
        ActionMark::of(&self.actor, &self.action_id, &(&self.reason, self.even_if_registered))
    }
}

/// What became of a forced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ForceAnswer {
    /// The holder does not have it any more.
    Released,
    /// It is as it was.
    Refused {
        /// A stable code.
        code: ReasonCode,
        /// A sentence for a person.
        detail: String,
    },
}

/// A forced release under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forcing {
    /// What was asked for.
    pub release: ForceRelease,
    /// The epoch of the lease that is to come back; none where nobody is known to have it.
    pub epoch: Option<Epoch>,
    /// Who is being asked.
    pub stage: ForceStage,
    /// Until when.
    pub answer_by: Timestamp,
    /// Who else is registered, as the target says.
    pub other_party: Option<String>,
    /// What is to be marked in the history.
    pub marks: Vec<String>,
    /// When the authority was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
}

/// Who is being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForceStage {
    /// The authority.
    Authority,
    /// The holder's entity.
    Holder,
}

/// A forced release that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredForce {
    /// Its action id.
    pub action_id: String,
    /// Whose it is: tenants that share a realm may give the same id. None where 0.1.0 answered it, which did not tell them
    /// apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Of which caller it was, and what it said ([`ActionMark`]). Absent where an earlier build answered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The answer.
    pub answer: ForceAnswer,
}

impl Forcing {
    fn detail(&self) -> String {
        let said = format!("{}: {}", self.release.actor, self.release.reason);
        std::iter::once(said).chain(self.marks.iter().cloned()).collect::<Vec<_>>().join("; ")
    }
}

impl Resource {
    /// The answer to a forced release; none while it is under way, or where it was never heard of. One whose id was given to
    /// another one of the same caller before is refused (`action_id_reused`).
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

    /// Whether a forced release was heard of: it is under way, or was answered.
    pub fn knows_force(&self, release: &ForceRelease) -> bool {
        let under_way = self.forcing.as_ref().is_some_and(|forcing| forcing.release.is_named_as(release));
        under_way || self.force_answer(release).is_some()
    }

    /// A person forces the release.
    pub(super) fn forced(&mut self, now: Timestamp, release: ForceRelease) {
        // What tickets say of the kind is what workers go by; whoever forces may have other settings.
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
            let detail = "Another tenant holds it, or its holder is unknown: a forced release needs access to the \
                          realm.";
            self.remember_force(release, refused(ErrorCode::ForeignHolder, detail));
            return;
        }
        let forcing = Forcing {
            release,
            epoch: self.holder.as_ref().map(|holder| holder.epoch),
            stage: ForceStage::Authority,
            answer_by: now.plus_ms(FORCE_LOOK_UP_WAIT_MS),
            other_party: None,
            marks: Vec::new(),
            asked_at: Some(now),
        };
        self.note(now, "force_asked", self.holder_name(), None, Some(forcing.detail()));
        self.forcing = Some(forcing);
        if self.policy.authority.is_none() {
            self.mark("no target is configured that can tell who is registered");
            self.ask_the_holder(now, None);
        }
    }

    /// Whether the authority is to be asked for a forced release.
    pub(super) fn force_asks_authority(&self) -> bool {
        self.forcing.as_ref().is_some_and(|forcing| forcing.stage == ForceStage::Authority)
    }

    /// Brings a forced release under way as far as it goes.
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
            // Where it was only heard just now that the holder is dead, the wait goes on: a shell hears of deliveries by a local
            // result, and whoever waits for the answer must not hear of it in the same moment.
            ForceStage::Holder if is_late && !self.holder_lives() => self.free(now),
            ForceStage::Holder if is_late => {
                let detail = "The holder's entity did not answer in time; it may still release the resource.";
                self.refuse_force(now, ErrorCode::HolderUnanswered, detail.to_owned());
            }
            ForceStage::Authority | ForceStage::Holder => {}
        }
    }

    /// The lease that was to be forced back is another's now, or nobody's.
    fn lease_came_back(&mut self, now: Timestamp) {
        let Some(forcing) = &mut self.forcing else { return };
        if forcing.stage == ForceStage::Authority && self.holder.is_none() && self.vacancy != Vacancy::Known {
            // Nobody is known to have it, and the target is being asked still.
            forcing.epoch = None;
            return;
        }
        let other = forcing.other_party.take().filter(|_| self.holder.is_none());
        self.answer_force(ForceAnswer::Released);
        if let Some(party) = other {
            self.registered(now, &party);
        }
    }

    /// Takes what the authority says of who is registered.
    pub(super) fn force_looked_up(&mut self, now: Timestamp, answer: HolderAnswer) {
        if !self.force_asks_authority() {
            return;
        }
        match answer {
            HolderAnswer::Nobody => {
                self.mark("the target reports no registration");
                self.ask_the_holder(now, self.authority_asked_at());
            }
            HolderAnswer::Party { party } => {
                let own = self.holder.as_ref().and_then(|holder| holder.party.as_deref());
                if own.is_some_and(|own| own != party) {
                    self.mark(&format!("the target has it registered to another party, {party}"));
                    if let Some(forcing) = &mut self.forcing {
                        forcing.other_party = Some(party);
                    }
                    self.ask_the_holder(now, self.authority_asked_at());
                } else {
                    let what = format!("the target has it registered to {party}");
                    self.insist_or_refuse(now, ErrorCode::StillRegistered, &what);
                }
            }
            HolderAnswer::Unclear { detail } => {
                let what = format!("the target cannot tell who is registered: {detail}");
                self.insist_or_refuse(now, ErrorCode::AuthorityUnclear, &what);
            }
        }
    }

    /// What the authority says, or does not say, speaks against it: only a person who insists goes on.
    fn insist_or_refuse(&mut self, now: Timestamp, code: ErrorCode, what: &str) {
        if self.forcing.as_ref().is_some_and(|forcing| forcing.release.even_if_registered) {
            self.mark(what);
            self.ask_the_holder(now, None);
        } else {
            let mut sentence = what.to_owned();
            if let Some(first) = sentence.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            self.refuse_force(now, code, format!("{}.", sentence.trim_end_matches('.')));
        }
    }

    fn authority_asked_at(&self) -> Option<Timestamp> {
        self.forcing.as_ref().and_then(|forcing| forcing.asked_at)
    }

    /// Asks a living holder, which refuses while it has open orders on the resource, and where it used the lease since what the
    /// target said may be out of date; nobody else is asked.
    fn ask_the_holder(&mut self, now: Timestamp, unused_since: Option<Timestamp>) {
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

    /// The holder said that it is dead, or has no use for the lease: there is nobody left to ask.
    pub(super) fn force_the_dead(&mut self, now: Timestamp) {
        let asks_holder = self.forcing.as_ref().is_some_and(|forcing| forcing.stage == ForceStage::Holder);
        if asks_holder && self.holder.is_some() && !self.holder_lives() {
            self.free(now);
        }
    }

    fn holder_lives(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| {
            holder.customer().is_some() && holder.orphaned_at.is_none() && holder.incarnation.is_some()
        })
    }

    /// Takes the lease from a holder that nobody can ask.
    fn free(&mut self, now: Timestamp) {
        let Some(forcing) = &self.forcing else { return };
        let (detail, other) = (forcing.detail(), forcing.other_party.clone());
        let who = self.holder_name();
        self.holder = None;
        self.vacancy = Vacancy::Known;
        self.contested_in_a_row = 0;
        // What the ledger's own question is answered was so before.
        self.look_up_is_stale |= self.looking_up && !self.look_up_is_for_force;
        self.note(now, "forced", who, None, Some(detail));
        self.answer_force(ForceAnswer::Released);
        if let Some(party) = other {
            self.registered(now, &party);
        }
    }

    /// Who and why, where a lease comes back because a person forced it.
    pub(super) fn why_forced(&self, how: GiveBack) -> Option<String> {
        self.forcing.as_ref().filter(|_| how == GiveBack::Forced).map(Forcing::detail)
    }

    /// The holder has open orders on the resource, or used its lease since the target was asked.
    pub(super) fn force_refused(
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
            self.note(now, "force_refused", Some(from.to_string()), orders.first().cloned(), Some(detail));
        }
    }

    fn refuse_force(&mut self, now: Timestamp, code: ErrorCode, detail: String) {
        let Some(forcing) = &self.forcing else { return };
        let told = format!("{}; {detail}", forcing.detail());
        self.note(now, "force_refused", self.holder_name(), None, Some(told));
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

    /// The holder, as the history says it.
    fn holder_name(&self) -> Option<String> {
        self.holder.as_ref().map(|holder| match &holder.who {
            HolderName::Customer(customer) => customer.to_string(),
            HolderName::Party(party) => party.clone(),
        })
    }
}

fn refused(code: ErrorCode, detail: impl Into<String>) -> ForceAnswer {
    ForceAnswer::Refused { code: code.into(), detail: detail.into() }
}
