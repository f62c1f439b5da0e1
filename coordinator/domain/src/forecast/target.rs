//! What a person's action on a target would do.

use super::AHEAD_MS_MAX;
use crate::action_words::Refusal;
use crate::ids::Timestamp;
use crate::target_entity::{Effect, Finding, Input, ProbeAnswer, Target, TargetAction, TargetStateName};
use crate::views::{ActionForecast, ForecastEvent, ForecastTarget, ForecastWhat};

/// The most inputs that a target is run forward by: its probe, its ramp, and the end of a pause or a maintenance window.
const INPUTS_MAX: usize = 200;

/// What an action on a target would do: the server accepts each limit, and every probe finds that the target answers.
///
/// # Errors
/// The [`Refusal`] with which the target's entity would refuse it.
pub fn forecast_target(target: &Target, now: Timestamp, action: &TargetAction) -> Result<ActionForecast, Refusal> {
    let mut run = Run { machine: target.clone(), began: now, now, next: Vec::new() };
    let mut open = run.machine.step(now, Input::Resumed);
    let before = run.machine.view().state;
    let (answer, effects) = run.machine.act(now, action);
    let done = answer?;
    open.extend(effects);
    let mut forecast = ActionForecast::of_nothing(action.kind.as_str(), done.repeated);
    run.note();
    run.forward(open);
    let view = run.machine.view();
    forecast.next = run.next;
    forecast.target = Some(ForecastTarget {
        target: view.target,
        now: before,
        then: view.state,
        limit: view.limit,
        until: view.until,
    });
    forecast.assumes = vec![
        "Temporal accepts each limit, and the target answers each probe.".to_owned(),
        "No worker reports that calls to it fail.".to_owned(),
    ];
    Ok(forecast)
}

/// A target that runs forward.
struct Run {
    machine: Target,
    began: Timestamp,
    now: Timestamp,
    next: Vec<ForecastEvent>,
}

impl Run {
    fn forward(&mut self, mut open: Vec<Effect>) {
        for _ in 0..INPUTS_MAX {
            let input = match open.pop() {
                Some(Effect::SetLimit { .. }) => Input::LimitSet(Ok(())),
                Some(Effect::Probe) => Input::Probed(ProbeAnswer { finding: Finding::Up, stands: None }),
                None => match self.machine.wake_at(self.now).filter(|at| *at <= self.began.plus_ms(AHEAD_MS_MAX)) {
                    Some(at) => {
                        self.now = self.now.max(at);
                        Input::Woke
                    }
                    None => return,
                },
            };
            open.extend(self.machine.step(self.now, input));
            self.note();
        }
    }

    /// Notes a new state.
    fn note(&mut self) {
        let view = self.machine.view();
        let state = view.state.as_str();
        if self.next.last().is_some_and(|last| last.state.as_deref() == Some(state)) {
            return;
        }
        let after_ms = u64::try_from(self.now.0.saturating_sub(self.began.0)).unwrap_or_default();
        self.next.push(ForecastEvent {
            what: ForecastWhat::Target.into(),
            after_ms,
            customer_id: None,
            order_id: None,
            resource: None,
            step: None,
            target: Some(view.target.clone()),
            operation: None,
            state: Some(state.to_owned()),
        });
    }
}

impl ForecastTarget {
    /// Whether the target would be called.
    pub fn is_called(&self) -> bool {
        matches!(self.then.known(), Some(TargetStateName::Closed | TargetStateName::Ramping))
    }
}
