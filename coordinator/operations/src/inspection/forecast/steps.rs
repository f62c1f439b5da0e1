//! The steps of a planned order, with the requests that they would make.

use std::collections::BTreeMap;
use std::time::Duration;

use interlock_adapters::rehearsal::Registered;
use interlock_adapters::{Call, rehearsal};
use interlock_domain::catalog::Holdings;
use interlock_domain::customer::ForeseenCall;
use interlock_domain::ids::TargetId;
use interlock_domain::message::ProvisionRequest;
use interlock_domain::order::{Plan, PlannedStep};
use interlock_domain::target_entity::TargetStateName;
use interlock_domain::views::{PlannedStepView, RequestView};
use interlock_domain::wire::WireName;

use super::Forecast;

/// The numbers among what a customer has, each with its subscription, as far as that is known.
pub(super) fn registered(holdings: &Holdings) -> Vec<Registered> {
    let numbers = holdings.iter().filter(|(resource, _)| resource.kind().as_str() == "msisdn");
    let known = numbers.filter_map(|(resource, imsi)| Some((resource.id().to_owned(), imsi.clone()?)));
    known.map(|(msisdn, imsi)| Registered { imsi, msisdn }).collect()
}

/// The requests of a call, or why they are not known.
type Requests = Result<Vec<RequestView>, String>;

impl Forecast<'_> {
    /// The steps of a plan: those that are called in the order of their calls, then the others.
    pub(super) async fn steps(
        &self,
        plan: &Plan,
        registered: &[Registered],
        calls: &[ForeseenCall],
    ) -> Vec<PlannedStepView> {
        let requests = self.requests(registered, calls).await;
        let states = self.states(plan).await;
        let step_of = |call: &ForeseenCall| plan.steps.iter().find(|step| step.name == call.request.step);
        let mut views = Vec::with_capacity(plan.steps.len());
        for (call, requests) in calls.iter().zip(requests) {
            let Some(step) = step_of(call) else { continue };
            let idempotency_key = Some(call.request.idempotency_key);
            let (requests, requests_unknown) = match requests {
                Ok(requests) => (requests, None),
                Err(why) => (Vec::new(), Some(why)),
            };
            let view = blank(plan, step, &states);
            let at_once = call.at_once;
            views.push(PlannedStepView { called: true, at_once, idempotency_key, requests, requests_unknown, ..view });
        }
        let is_called = |step: &PlannedStep| calls.iter().any(|call| call.request.step == step.name);
        views.extend(plan.steps.iter().filter(|step| !is_called(step)).map(|step| blank(plan, step, &states)));
        views
    }

    /// What the targets would be asked, one entry for each call.
    async fn requests(&self, registered: &[Registered], calls: &[ForeseenCall]) -> Vec<Requests> {
        let mut by_target: BTreeMap<&TargetId, Vec<usize>> = BTreeMap::new();
        for (index, call) in calls.iter().enumerate() {
            by_target.entry(&call.request.target).or_default().push(index);
        }
        let mut all: Vec<Requests> = calls.iter().map(|_| Err("not asked".to_owned())).collect();
        for (target, indices) in by_target {
            let of_target: Vec<Call> = indices.iter().map(|index| call_of(&calls[*index].request)).collect();
            for (index, requests) in indices.into_iter().zip(self.requests_to(target, registered, &of_target).await) {
                all[index] = requests;
            }
        }
        all
    }

    async fn requests_to(&self, target: &TargetId, registered: &[Registered], calls: &[Call]) -> Vec<Requests> {
        let all = |why: &str| calls.iter().map(|_| Err(why.to_owned())).collect();
        if !self.sees.sees_target(target) {
            return all("you may not read this target");
        }
        match self.inspection.installation.settings.targets.get(target) {
            Some(settings) => rehearsal::requests(target, settings, registered, calls).await,
            None => all("this process has no settings of the target"),
        }
    }

    async fn states(&self, plan: &Plan) -> BTreeMap<TargetId, WireName<TargetStateName>> {
        let mut states = BTreeMap::new();
        for step in &plan.steps {
            if !states.contains_key(&step.target)
                && let Ok(view) = self.inspection.target_of(self.tenant, &step.target).await
            {
                states.insert(step.target.clone(), view.state);
            }
        }
        states
    }
}

fn blank(plan: &Plan, step: &PlannedStep, states: &BTreeMap<TargetId, WireName<TargetStateName>>) -> PlannedStepView {
    let name_of = |index: &usize| plan.steps.get(*index).map(|step| step.name.clone());
    PlannedStepView {
        name: step.name.clone(),
        target: step.target.clone(),
        target_state: states.get(&step.target).cloned(),
        operation: step.operation.clone(),
        after: step.after.iter().filter_map(name_of).collect(),
        resources: step.resources.clone(),
        at_once: false,
        called: false,
        idempotency_key: None,
        on_failure: step.on_failure.into(),
        compensation: step.compensation.clone(),
        requests: Vec::new(),
        requests_unknown: None,
    }
}

/// The first attempt of a call.
fn call_of(request: &ProvisionRequest) -> Call {
    Call {
        tenant: request.tenant.clone(),
        order: request.order.clone(),
        target: request.target.clone(),
        operation: request.operation.clone(),
        data: request.data.clone(),
        idempotency_key: request.idempotency_key,
        epoch: request.epoch,
        epochs: request.epochs.clone(),
        attempt: 1,
        // Only a target with call backs is told one; it is made for each call.
        callback_url: Some("{callback_url}".to_owned()),
        timeout: Duration::from_millis(request.attempt_timeout_ms),
    }
}
