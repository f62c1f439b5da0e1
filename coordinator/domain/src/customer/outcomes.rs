//! What follows from the outcome of a step.

use super::{Customer, Effect, Ending, JournalEntry, StepState};
use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::{OrderId, ResourceId, Timestamp};
use crate::message::GiveBack;
use crate::order::{ClaimMode, OnFailure};
use crate::outcome::Outcome;

/// How often in a row a step is called again after a person entered its result in Temporal.
const BY_HAND_MAX: u32 = 3;

impl Customer {
    /// A step's call ended, after its request was sent so many times.
    pub(super) fn step_ended(&mut self, now: Timestamp, id: &OrderId, index: usize, outcome: Outcome, calls: u32) {
        let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index)) else { return };
        if !step.state.is_running() {
            return;
        }
        let outcome = outcome.kept();
        step.since = now;
        step.state.note_outcome();
        step.by_hand = 0;
        step.calls = step.calls.saturating_add(calls);
        step.outcome = Some(outcome.clone());
        self.changed();
        match outcome {
            Outcome::Done | Outcome::AlreadyDone => self.step_done(now, id, index),
            Outcome::InUse { holder } => self.step_in_use(now, id, index, holder),
            Outcome::Permanent { code, .. } if ErrorCode::Expired == code.as_str() && self.can_expire(id) => {
                self.step_expired(id, index);
            }
            Outcome::Permanent { code, detail } => self.step_failed(now, id, index, code, detail),
            // A worker that returns it has left the job alone, which may still take effect.
            Outcome::Accepted { detail, .. } | Outcome::Ambiguous { detail } => {
                self.hold_step(id, index, ErrorCode::Ambiguous.into(), detail);
                // Its request may still arrive: it keeps its leases until a person has looked at it.
                if let Some(order) = self.orders.get_mut(id) {
                    order.steps[index].state.note_maybe_sent();
                }
            }
            Outcome::Transient { detail } => self.step_given_up(id, index, ErrorCode::Transient, &detail),
            Outcome::Throttled { detail, .. } => self.step_given_up(id, index, ErrorCode::Throttled, &detail),
            Outcome::Unavailable { detail, .. } => self.step_given_up(id, index, ErrorCode::Unavailable, &detail),
        }
    }

    /// Its worker reported an outcome that the retry policy should have retried: a person has to look.
    fn step_given_up(&mut self, id: &OrderId, index: usize, code: ErrorCode, said: &str) {
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let detail =
            format!("the worker returned the outcome {code} instead of raising it, so the call was not retried{said}");
        self.hold_step(id, index, code.into(), detail);
    }

    fn can_expire(&self, id: &OrderId) -> bool {
        self.orders.get(id).is_some_and(|order| order.expires_at.is_some())
    }

    /// A step was not sent before its order expired: the rest of the order is not sent either.
    fn step_expired(&mut self, id: &OrderId, index: usize) {
        if let Some(order) = self.orders.get_mut(id) {
            order.steps[index].give_up();
            order.ending.get_or_insert(Ending::Expired);
            self.changed();
        }
    }

    /// A step's call was cancelled and may have been sent: the next run settles that before it sends again.
    pub(super) fn step_interrupted(&mut self, id: &OrderId, index: usize) {
        if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index))
            && step.state.is_running()
        {
            step.state.note_maybe_sent();
        }
    }

    /// A person completed or failed a step's call in Temporal. That settles nothing: the request may still be in flight. The
    /// step is called again, which waits and reads back. If that happens too often, a person has to decide.
    pub(super) fn step_ended_by_hand(
        &mut self,
        now: Timestamp,
        id: &OrderId,
        index: usize,
        said: &str,
    ) -> Option<Effect> {
        let order = self.orders.get_mut(id)?;
        let event = Some((order.event_id.clone(), order.event_type.clone()));
        let step = order.steps.get_mut(index).filter(|step| step.state.is_running())?;
        step.state.note_maybe_sent();
        step.by_hand = step.by_hand.saturating_add(1);
        step.since = now;
        let asks_again = step.by_hand <= BY_HAND_MAX;
        let name = step.planned.name.clone();
        let follows = if asks_again { "it is called again, and reads back first" } else { "it waits for a person" };
        let code = ErrorCode::ResultByHand;
        self.note(JournalEntry {
            at: now,
            order: Some(id.clone()),
            event,
            key: None,
            what: "result_by_hand".to_owned(),
            code: Some(code.as_str().to_owned()),
            detail: Some(format!(
                "The call of {name} was ended by hand ({said}), which does not settle it: {follows}."
            )),
            by: None,
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
        self.changed();
        if asks_again {
            return self.dispatch(id, index);
        }
        let detail = format!("its call was ended by hand more than {BY_HAND_MAX} times ({said})");
        self.hold_step(id, index, code.into(), detail);
        None
    }

    pub(super) fn set_step(&mut self, id: &OrderId, index: usize, state: StepState) {
        if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index)) {
            step.state = state;
            self.changed();
        }
    }

    /// A step waits for a person.
    pub(super) fn hold_step(&mut self, id: &OrderId, index: usize, code: ReasonCode, detail: String) {
        if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index)) {
            step.hold(code, detail);
            self.changed();
        }
    }

    /// A step must run again.
    pub(super) fn reopen_step(&mut self, id: &OrderId, index: usize) {
        if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index)) {
            step.reopen();
            self.changed();
        }
    }

    /// The resources that a step names and its order claims in this mode.
    fn resources_in_mode(&self, id: &OrderId, index: usize, mode: ClaimMode) -> Vec<ResourceId> {
        let Some(order) = self.orders.get(id) else { return Vec::new() };
        let in_mode = |resource: &&ResourceId| order.claim_on(resource).is_some_and(|c| c.claim.mode == mode);
        order.steps[index].planned.resources.iter().filter(in_mode).cloned().collect()
    }

    fn step_done(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        self.set_step(id, index, StepState::Done);
        let compensation = self.orders[id].steps[index].compensates.is_some();
        if !compensation {
            self.keep_what_was_there(id, index);
        }
        for resource in self.resources_in_mode(id, index, ClaimMode::Assign) {
            if compensation {
                if self.orders[id].is_undone_on(&resource) {
                    let proof = self.proof_of(id, index);
                    self.give_back_later(&resource, GiveBack::Released, proof);
                }
            } else if let Some(lease) = self.leases.get_mut(&resource) {
                lease.kept = true;
                lease.used_at = Some(now);
            }
        }
        let aborted = matches!(self.orders[id].ending, Some(Ending::Aborted { .. } | Ending::Cancelled));
        if aborted && !compensation {
            self.compensate(now, id, index);
        }
    }

    /// An assign that found everything in place, under a lease that was kept before, changed nothing: it needs no
    /// compensation.
    fn keep_what_was_there(&mut self, id: &OrderId, index: usize) {
        let assigns = self.resources_in_mode(id, index, ClaimMode::Assign);
        let kept = assigns.iter().all(|resource| self.leases.get(resource).is_some_and(|lease| lease.kept));
        if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index))
            && kept
            && !assigns.is_empty()
            && step.outcome == Some(Outcome::AlreadyDone)
        {
            step.planned.compensation = None;
        }
    }

    /// The target has it registered to another customer: the lease goes back, and the resource finds out whose it is.
    fn step_in_use(&mut self, now: Timestamp, id: &OrderId, index: usize, holder: Option<String>) {
        let whom = holder.clone().unwrap_or_else(|| "another holder".to_owned());
        let compensation = self.orders[id].steps[index].compensates.is_some();
        let assigns = self.resources_in_mode(id, index, ClaimMode::Assign);
        let releases = self.resources_in_mode(id, index, ClaimMode::Release);
        if self.orders[id].steps[index].planned.target_identity_arguments.is_some()
            && (compensation || assigns.is_empty() && !releases.is_empty())
        {
            self.release_in_use(now, id, index, holder);
        } else if compensation || (assigns.is_empty() && releases.is_empty()) {
            self.step_failed(now, id, index, ErrorCode::InUse.into(), format!("registered to {whom}"));
        } else if assigns.is_empty() {
            // What we wanted to release is registered to another customer: nothing there is ours to release.
            self.leave_to_its_holder(id, index, &releases, None);
        } else if self.is_registered_to_us(id, index, holder.as_deref()) || self.takes_and_gives_up(id, index, &assigns)
        {
            // No other customer has it: the event named another identity than the target has. Or the conflict may be with what
            // the step locks or gives up, and no look-up of what it takes would find that.
            let detail = self.orders[id].steps[index].under_another_identity(&whom);
            self.hold_step(id, index, ErrorCode::InUse.into(), detail);
        } else {
            let proof = self.proof_of(id, index);
            self.reopen_step(id, index);
            for resource in &assigns {
                self.give_back_now(resource, GiveBack::Contested, proof.clone());
            }
            if let Some(order) = self.orders.get_mut(id) {
                order.started &= order.had_effect();
            }
        }
    }

    /// Whether a step that takes something also names something else: a SIM swap.
    fn takes_and_gives_up(&self, id: &OrderId, index: usize, assigns: &[ResourceId]) -> bool {
        let planned = &self.orders[id].steps[index].planned;
        planned.target_identity_arguments.is_some() && planned.resources.len() > assigns.len()
    }

    /// Skips a release because another customer has the resource: the leases go back, with the name that the target reported.
    pub(super) fn leave_to_its_holder(
        &mut self,
        id: &OrderId,
        index: usize,
        resources: &[ResourceId],
        holder: Option<&str>,
    ) {
        let proof = self.proof_of(id, index);
        self.set_step(id, index, StepState::Skipped { code: ErrorCode::NotHolder.into() });
        for resource in resources {
            self.give_back_now(resource, GiveBack::Contested, proof.clone());
            if let Some(lease) = self.leases.get_mut(resource) {
                lease.registered_to = holder.map(str::to_owned);
            }
        }
    }

    /// A step failed permanently: the catalog says what follows.
    pub(super) fn step_failed(&mut self, now: Timestamp, id: &OrderId, index: usize, code: ReasonCode, detail: String) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let step = &order.steps[index];
        // A release is never skipped by a rule: only a person may say that it counts as confirmed.
        let policy = match step.planned.on_failure {
            _ if order.ending.is_some() && step.compensates.is_none() => OnFailure::Skip,
            OnFailure::Skip if order.is_release_step(step) => OnFailure::Hold,
            policy => policy,
        };
        match policy {
            OnFailure::Hold => self.hold_step(id, index, code, detail),
            OnFailure::Skip => self.set_step(id, index, StepState::Skipped { code }),
            OnFailure::Abort => {
                self.set_step(id, index, StepState::Skipped { code: code.clone() });
                self.abort(now, id, Ending::Aborted { code });
            }
        }
    }
}
