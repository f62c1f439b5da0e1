//! Calls of steps: the activity `provision`, its attempts, and their requests.

use std::sync::Arc;

use interlock_domain::customer::{Input, StepState};
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::outcome::Outcome;

use super::attempts::Begins;
use super::perform::Checked;
use super::{Call, CallRun, Phase, World};
use crate::broken::Broken;
use crate::scenario::APPLY_MS_MAX;
use crate::sighting::{Sighting, Sightings};
use crate::target::{Request, RequestId, target_identity_after_of, target_identity_of, writes_of};
use crate::violation::{Check, Violation};

impl World {
    fn run_mut(&mut self, call: &Call) -> Option<&mut CallRun> {
        self.customers[call.customer].calls.get_mut(&(call.order.clone(), call.step))
    }

    /// The earlier request was settled. Now the target reports whether it took effect.
    pub(super) fn call_reads_back(&mut self, call: &Call, seen: &mut Sightings) {
        let verifies = self.scenario.verifies;
        let Some(run) = self.run_mut(call) else { return };
        let request = Arc::clone(&run.request);
        seen.see(Sighting::ReadBack);
        let phase = if verifies {
            self.targets.verify(&request).map_or(Phase::ToSend, Phase::Answered)
        } else {
            Phase::Answered(Outcome::Ambiguous { detail: "sent, and not answered".to_owned() })
        };
        if let Some(run) = self.run_mut(call) {
            run.phase = phase;
        }
    }

    pub(super) fn call_sends(&mut self, call: &Call) -> Checked {
        let life = self.customers[call.customer].life;
        let Some(run) = self.run_mut(call) else { return Ok(()) };
        run.attempt += 1;
        let sent = run.clone();
        let id = self.send(call, life, &sent)?;
        if let Some(run) = self.run_mut(call) {
            run.phase = Phase::Waiting(id);
        }
        Ok(())
    }

    /// Sends the request of a call, of a living or a dead entity.
    pub(super) fn send(&mut self, call: &Call, life: u8, run: &CallRun) -> Result<RequestId, Violation> {
        let id = RequestId {
            order: call.order.clone(),
            step: call.step,
            life,
            dispatch: run.request.dispatch,
            attempt: run.attempt,
        };
        let request = Request {
            customer: call.customer,
            target_identity: target_identity_of(&run.request),
            target_identity_after: target_identity_after_of(&run.request),
            target: run.request.target.clone(),
            writes: writes_of(&run.request),
            key: run.request.idempotency_key,
            epochs: run.request.epochs.clone(),
            lands_by: self.now + APPLY_MS_MAX,
        };
        self.check_request(life, &request)?;
        self.targets.flying.insert(id.clone(), request);
        Ok(id)
    }

    pub(super) fn call_unanswered(&mut self, call: &Call, seen: &mut Sightings) {
        self.left.ambiguous -= 1;
        seen.see(Sighting::AmbiguousAttempt);
        let sends_at_once = self.scenario.broken == Some(Broken::SendsWithoutSettling);
        let Some(request) = self.run_mut(call).map(|run| Arc::clone(&run.request)) else { return };
        let next = self.begins(&request, Begins::AfterUnanswered);
        if let Some(run) = self.run_mut(call) {
            run.phase = if sends_at_once { Phase::ToSend } else { next };
        }
    }

    pub(super) fn call_done(&mut self, call: &Call, seen: &mut Sightings) -> Checked {
        let run = self.customers[call.customer].calls.remove(&(call.order.clone(), call.step));
        let Some(CallRun { phase: Phase::Answered(outcome), .. }) = run else { return Ok(()) };
        if matches!(outcome, Outcome::InUse { .. }) {
            seen.see(Sighting::Contested);
            let order = self.machine(call.customer).and_then(|machine| machine.orders().get(&call.order));
            let changed_nothing =
                order.is_some_and(|order| order.steps.iter().all(|step| step.state != StepState::Done));
            // A skipped release does not make its order wait again.
            if changed_nothing && self.begun(call.customer, &call.order) == Some(true) {
                // Nothing changed, so the order counts as not begun.
                let life = self.customers[call.customer].life;
                self.truth.begun.remove(&(call.order.clone(), life));
            }
        }
        let input = Input::StepEnded { order: call.order.clone(), step: call.step, outcome };
        self.tell_customer(call.customer, input, seen)?;
        let order = self.machine(call.customer).and_then(|machine| machine.orders().get(&call.order));
        if let Some(StepState::Held { code, .. }) = order.and_then(|order| Some(&order.steps.get(call.step)?.state))
            && *code == ErrorCode::ReleaseUnconfirmed
        {
            seen.see(Sighting::Unconfirmed);
        }
        self.end_customer_run(call.customer, seen)
    }

    fn answer(&mut self, id: &RequestId, outcome: &Outcome) {
        for run in self.customers.iter_mut().flat_map(|customer| customer.calls.values_mut()) {
            if matches!(&run.phase, Phase::Waiting(waited) if waited == id) {
                run.phase = Phase::Answered(outcome.clone());
            }
        }
    }

    /// A request arrives at its target.
    pub(super) fn lands(&mut self, id: &RequestId, _seen: &mut Sightings) -> Checked {
        let Some(request) = self.targets.flying.remove(id) else { return Ok(()) };
        let landing = self.targets.land(&request);
        self.answer(id, &landing.outcome);
        for (resource, target_identity) in &landing.overwritten {
            let Some(resource) = self.scenario.resource_index(resource) else { continue };
            if !self.truth.is_excused(resource) {
                let detail =
                    format!("{}'s request wrote over {target_identity}'s registration", request.target_identity);
                return Err(Violation::new(Check::Overwritten, detail));
            }
        }
        if landing.outcome == Outcome::Done {
            for (_, resource) in &request.writes {
                let resource = self.scenario.resource_index(resource);
                if let Some(resource) = resource {
                    self.truth.unledgered.remove(&resource);
                }
            }
            let recreated = self.customers[request.customer].life > 0;
            if self.scenario.verifies && !recreated && self.targets.applied.get(&request.key) > Some(&1) {
                return Err(Violation::new(Check::OneEffect, format!("a step of {} took effect twice", id.order)));
            }
        }
        Ok(())
    }

    pub(super) fn refused(&mut self, id: &RequestId, seen: &mut Sightings) {
        self.left.refused -= 1;
        seen.see(Sighting::Refusal);
        self.targets.flying.remove(id);
        let detail = "the target will never take it".to_owned();
        self.answer(id, &Outcome::Permanent { code: ReasonCode::of_target("refused"), detail });
    }
}
