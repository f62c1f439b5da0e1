//! How attempts begin, by the domain's own rule which attempt is the first, and what an operator does to a call: a reset of its
//! activity, or a result by hand (`deploy/docs/temporal-buttons.md`).

use interlock_domain::attempt::{Capabilities, Move, OnAmbiguous, Situation, first_move};
use interlock_domain::customer::Input;
use interlock_domain::ids::Timestamp;
use interlock_domain::message::ProvisionRequest;
use interlock_domain::outcome::Outcome;

use super::perform::Checked;
use super::{Action, Call, CallRun, Ghost, Phase, World};
use crate::broken::Broken;
use crate::scenario::{APPLY_MS_MAX, BEGINNING_MS, GHOST_MS_MAX};
use crate::sighting::{Sighting, Sightings};

/// The origin of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// Its workflow scheduled the call.
    Scheduled,
    /// The previous attempt was not answered.
    AfterUnanswered,
    /// An operator reset the activity or its workflow, so its number is 1 again.
    AfterReset,
}

impl World {
    /// The first thing that an attempt does.
    pub(super) fn begins(&self, request: &ProvisionRequest, begins: Begins) -> Phase {
        let scheduled = Timestamp(BEGINNING_MS);
        let (attempt, scheduled_at) = match begins {
            Begins::Scheduled => (1, scheduled),
            Begins::AfterUnanswered => (2, scheduled.plus_ms(1)),
            Begins::AfterReset => (1, scheduled.plus_ms(1)),
        };
        let by_number_alone = self.scenario.broken == Some(Broken::GoesByTheAttemptNumber);
        let situation = Situation {
            attempt,
            maybe_sent: request.maybe_sent,
            has_details: false,
            left: None,
            first_scheduled_at: Some(if by_number_alone { scheduled_at } else { scheduled }),
            scheduled_at,
            started_at: scheduled_at,
            attempt_timeout_ms: request.attempt_timeout_ms,
            expires_at: None,
            now: scheduled_at,
        };
        // If a target cannot be read back, the outcome is reported only after the request has arrived: the person who decides waits for
        // that.
        let capabilities = Capabilities {
            verify: true,
            idempotency_keys: false,
            on_ambiguous: OnAmbiguous::Verify,
            max_apply_delay_ms: u64::try_from(APPLY_MS_MAX).unwrap_or(u64::MAX),
        };
        match first_move(&situation, &capabilities) {
            Move::Send => Phase::ToSend,
            _ => Phase::Settling,
        }
    }

    /// What an operator may do to calls that are not complete.
    pub(super) fn operators(&self, call: &Call, actions: &mut Vec<Action>) {
        if self.customers[call.customer].is_ending {
            return;
        }
        if self.left.activities_reset > 0 {
            actions.push(Action::ResetCall(call.clone()));
        }
        if self.left.by_hand > 0 {
            actions.push(Action::EndCallByHand(call.clone()));
        }
    }

    /// An operator resets the activity. Another attempt begins, and the current one does not know.
    pub(super) fn reset_call(&mut self, call: &Call, seen: &mut Sightings) {
        self.left.activities_reset -= 1;
        seen.see(Sighting::ActivityReset);
        let key = (call.order.clone(), call.step);
        let Some(run) = self.customers[call.customer].calls.get(&key).cloned() else { return };
        let phase = self.begins(&run.request, Begins::AfterReset);
        if let Some(run) = self.customers[call.customer].calls.get_mut(&key) {
            // Here the number of the attempt only identifies its request.
            run.attempt += 1;
            run.phase = phase;
        }
        self.leave_attempt(call, run);
    }

    /// An operator completes or fails the activity. Its attempt does not know.
    pub(super) fn end_call_by_hand(&mut self, call: &Call, seen: &mut Sightings) -> Checked {
        self.left.by_hand -= 1;
        seen.see(Sighting::ResultByHand);
        let key = (call.order.clone(), call.step);
        let Some(run) = self.customers[call.customer].calls.remove(&key) else { return Ok(()) };
        self.truth.interrupted.insert(key);
        self.leave_attempt(call, run);
        let (order, step) = (call.order.clone(), call.step);
        let input = if self.scenario.broken == Some(Broken::TakesResultsByHand) {
            Input::StepEnded { order, step, outcome: Outcome::Done }
        } else {
            Input::StepEndedByHand { order, step, said: "completed as done".to_owned() }
        };
        self.tell_customer(call.customer, input, seen)
    }

    /// A run that is to end cancels a call, which stops before it sends anything.
    pub(super) fn call_interrupted(&mut self, call: &Call, seen: &mut Sightings) -> Checked {
        let key = (call.order.clone(), call.step);
        self.customers[call.customer].calls.remove(&key);
        self.truth.interrupted.insert(key);
        let input = Input::StepInterrupted { order: call.order.clone(), step: call.step };
        self.tell_customer(call.customer, input, seen)?;
        self.end_customer_run(call.customer, seen)
    }

    /// An attempt that is about to send continues for a while, although no entity waits for it.
    fn leave_attempt(&mut self, call: &Call, run: CallRun) {
        if run.phase == Phase::ToSend {
            let (customer, step) = (call.customer, call.step);
            let life = self.customers[customer].life;
            self.ghosts.push(Ghost { customer, life, call: run, step, until: self.now + GHOST_MS_MAX });
        }
    }

    /// Whether requests of a call's earlier attempts can no longer arrive.
    pub(super) fn is_settled(&self, request: &ProvisionRequest) -> bool {
        let key = request.idempotency_key;
        !self.targets.is_flying(key) && !self.ghosts.iter().any(|ghost| ghost.call.request.idempotency_key == key)
    }
}
