//! What an event would do: `interlock plan` and `POST …/plan`.
//!
//! The customer's and the resources' entities run their machines on copies of their present state, as answers to queries. The catalog plans
//! in between, as an admission does. Nothing is sent to a target, no entity is started, and nothing changes. What is not started yet runs
//! here, in the same way.

mod claims;
mod steps;

use chrono::Utc;
use interlock_adapters::rehearsal::Registered;
use interlock_client::EntityHandle;
use interlock_domain::catalog::{Forward, Ordering, Planned};
use interlock_domain::customer::{Admission, Admitted, Customer, ForeseenEvent, ForeseenOrder, Foresight, Reception};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::event::{self, Event};
use interlock_domain::ids::{CustomerId, CustomerRef, Incarnation, OrderId, ResourceId, TargetId, TenantId, Timestamp};
use interlock_domain::order::{Plan, Rejection};
use interlock_domain::planning::Planner;
use interlock_domain::recording::Edition;
use interlock_domain::resource::ResourceView;
use interlock_domain::views::{PlanView, PlannedEnd, Verdict};
use interlock_workflows::names;
use serde_json::Value;

use super::{Inspection, InspectionError};

/// Why there is no forecast.
#[derive(Debug)]
pub enum NotPlanned {
    /// It is not a valid event.
    NotAnEvent(Rejection),
    /// The customer's entity cannot be asked.
    NotAsked(InspectionError),
}

/// What the caller of a forecast may see.
pub trait Sees: Sync {
    /// Removes from a resource's view what belongs to tenants that the caller may not read.
    fn mask(&self, tenant: &TenantId, resource: &ResourceId, view: &mut ResourceView);

    /// Whether the caller may see the requests to a target.
    fn sees_target(&self, target: &TargetId) -> bool;
}

/// Sees everything: whoever reaches Temporal does.
pub struct SeesAll;

impl Sees for SeesAll {
    fn mask(&self, _tenant: &TenantId, _resource: &ResourceId, _view: &mut ResourceView) {}

    fn sees_target(&self, _target: &TargetId) -> bool {
        true
    }
}

impl Inspection {
    /// What an event would do if it came now. Nothing is sent, and nothing changes.
    ///
    /// # Errors
    /// [`NotPlanned`].
    pub async fn plan(&self, tenant: &TenantId, event: Value, sees: &dyn Sees) -> Result<PlanView, NotPlanned> {
        let now = Timestamp(Utc::now().timestamp_millis());
        let forecast = Forecast { inspection: self, tenant, sees, now };
        let (mut view, forward) = forecast.of_event(event).await?;
        if let Some(forward) = forward {
            // The event of the receiving customer makes no third order.
            let (passed_on, _) = forecast.of_event(forward.event).await?;
            view.passed_on = Some(Box::new(passed_on));
        }
        Ok(view)
    }
}

/// One forecast.
struct Forecast<'a> {
    inspection: &'a Inspection,
    tenant: &'a TenantId,
    sees: &'a dyn Sees,
    now: Timestamp,
}

/// A customer's entity, or its machine where it does not run.
enum Asked {
    Entity(EntityHandle),
    Here(Box<Customer>),
}

impl Forecast<'_> {
    /// The forecast for one customer, and the event that it would pass on.
    async fn of_event(&self, mut event: Value) -> Result<(PlanView, Option<Forward>), NotPlanned> {
        let installation = &self.inspection.installation;
        let bytes_max = installation.settings.limits.event_bytes_max;
        let read = Event::from_value(&event, bytes_max).map_err(NotPlanned::NotAnEvent)?;
        let order = installation.catalog.order_id(self.tenant, &read);
        let blank = self.blank(&read, order);
        if let Err(rejection) = installation.catalog.validate(&read) {
            return Ok((rejected(blank, rejection), None));
        }
        if installation.entities.tenant_news(self.tenant).await.is_closed {
            let detail = format!("The tenant '{}' was off-boarded.", self.tenant);
            return Ok((rejected(blank, Rejection::new(ErrorCode::TenantClosed, detail)), None));
        }
        event::stamp(&mut event, self.now, bytes_max);
        let (asked, reception) = self.received(&read, &blank.order_id, event).await.map_err(NotPlanned::NotAsked)?;
        match reception {
            Reception::Duplicate { state } => {
                let state = state.map_or_else(String::new, |state| format!(" Its order is {}.", state.as_str()));
                let detail = format!("The customer has had this event: nothing would happen.{state}");
                Ok((PlanView { verdict: Verdict::Duplicate.into(), detail: Some(detail), ..blank }, None))
            }
            Reception::Rejected { rejection } => Ok((rejected(blank, rejection), None)),
            Reception::ToAdmit { admission, behind } => self.admitted(blank, &asked, *admission, behind).await,
        }
    }

    fn blank(&self, event: &Event, order_id: OrderId) -> PlanView {
        let catalog = &self.inspection.installation.catalog;
        PlanView {
            event_id: event.id.clone(),
            event_type: event.event_type.clone(),
            customer_id: event.subject.clone(),
            order_id,
            verdict: Verdict::Accepted.into(),
            code: None,
            detail: None,
            stands_alone: false,
            catalog_digest: catalog.digest().to_owned(),
            claims: Vec::new(),
            requires: Vec::new(),
            waits_for: None,
            steps: Vec::new(),
            end: None,
            passed_on: None,
            unknown: Vec::new(),
        }
    }

    /// What the customer's entity says of the event. If it does not run, what its machine would say.
    async fn received(
        &self,
        event: &Event,
        order: &OrderId,
        value: Value,
    ) -> Result<(Asked, Reception), InspectionError> {
        let customer = &event.subject;
        let here = || {
            let machine = self.machine_of(customer);
            let reception = machine.foresee_event(self.now, event.clone());
            (Asked::Here(Box::new(machine)), reception)
        };
        let installation = &self.inspection.installation;
        let is_unordered = installation.catalog.ordering(&event.event_type) == Some(Ordering::None);
        if is_unordered && self.inspection.standing_alone(self.tenant, order).await?.is_some() {
            return Ok((here().0, Reception::Duplicate { state: None }));
        }
        let entity = installation.entities.customer(self.tenant, customer);
        let what = format!("The customer {customer}");
        let argument = ForeseenEvent { now: self.now, event: value };
        match self.inspection.ask::<Reception>(&what, &entity, names::FORESEE_EVENT, &argument).await {
            Ok((reception, run)) if run.ended().is_none() => Ok((Asked::Entity(entity), reception)),
            // A new run would be started, which knows nothing.
            Ok(_) | Err(InspectionError::NeverSeen(_)) => Ok(here()),
            Err(error) => Err(error),
        }
    }

    fn machine_of(&self, customer: &CustomerId) -> Customer {
        let me = CustomerRef { tenant: self.tenant.clone(), customer: customer.clone() };
        let mut machine = Customer::new(me, Incarnation(self.now.0));
        machine.begin_run(Edition::default());
        machine
    }

    /// Plans the event, asks the resources, and runs the order forward.
    async fn admitted(
        &self,
        mut view: PlanView,
        asked: &Asked,
        admission: Admission,
        behind: usize,
    ) -> Result<(PlanView, Option<Forward>), NotPlanned> {
        if behind > 0 {
            let waiting = format!(
                "{behind} older event(s) of the customer are not planned yet: what they claim is not considered."
            );
            view.unknown.push(waiting);
        }
        let Planned { plan, forward, .. } = match self.planned(&admission) {
            Ok(planned) => planned,
            Err(rejection) => return Ok((rejected(view, rejection), None)),
        };
        let foreseen = self.claims(&admission, &plan).await;
        let admitted = Admitted::Planned { plan: plan.clone(), answers: foreseen.answers };
        view.claims = foreseen.views;
        view.requires.clone_from(&plan.requires);
        view.stands_alone = plan.unordered && plan.claims.is_empty() && plan.steps.len() == 1;
        let registered = steps::registered(&admission.holdings);
        let foresight = self.run_forward(asked, admission, admitted).await.map_err(NotPlanned::NotAsked)?;
        self.show(&mut view, &plan, &registered, foresight).await;
        Ok((view, forward))
    }

    fn planned(&self, admission: &Admission) -> Result<Planned, Rejection> {
        let installation = &self.inspection.installation;
        let planner = Planner {
            catalog: &installation.catalog,
            targets: &installation.routing.tenant(self.tenant).targets,
            limits: &installation.settings.limits,
            proving: &installation.settings.proving_targets(),
            leases: true,
        };
        let nothing = || Err(Rejection::new(ErrorCode::PlanTooLarge, "The plan of the order is too large."));
        planner.plan_batch(admission).into_iter().next().unwrap_or_else(nothing)
    }

    async fn run_forward(
        &self,
        asked: &Asked,
        admission: Admission,
        admitted: Admitted,
    ) -> Result<Option<Foresight>, InspectionError> {
        match asked {
            Asked::Here(machine) => Ok(machine.foresee_order(self.now, admission, admitted)),
            Asked::Entity(entity) => {
                let what = format!("The customer {}", admission.customer.customer);
                let argument = ForeseenOrder { now: self.now, admission, admitted };
                self.inspection.query(&what, entity, names::FORESEE_ORDER, &argument).await
            }
        }
    }

    async fn show(&self, view: &mut PlanView, plan: &Plan, registered: &[Registered], foresight: Option<Foresight>) {
        let Some(Foresight { admitted, calls, end }) = foresight else {
            view.unknown.push("The order could not be run forward.".to_owned());
            return;
        };
        view.waits_for = admitted.waiting_for;
        view.steps = self.steps(plan, registered, &calls).await;
        view.end = Some(PlannedEnd {
            state: end.state,
            code: end.code,
            detail: end.detail,
            waits_for: end.waiting_for,
            claims: end.claims.into_iter().map(|claim| (claim.resource, claim.state)).collect(),
        });
    }
}

fn rejected(view: PlanView, rejection: Rejection) -> PlanView {
    let Rejection { code, detail, .. } = rejection;
    PlanView { verdict: Verdict::Rejected.into(), code: Some(code), detail: Some(detail), ..view }
}
