//! What an action would do: `?preview=true` and `--preview`. The states of the entities' machines are read by queries, and run forward
//! here ([`interlock_domain::forecast`]). Nothing is sent to an entity or a target, and nothing changes.

use chrono::Utc;
use interlock_domain::catalog::Planned;
use interlock_domain::customer::{Admission, Customer};
use interlock_domain::forecast::{Forecast, Party, Plans};
use interlock_domain::ids::{CustomerId, ResourceId, TargetId, TenantId, Timestamp};
use interlock_domain::order::Rejection;
use interlock_domain::planning::Planner;
use interlock_domain::resource::{ForceAnswer, Resource};
use interlock_domain::target_entity::{TargetStateName, TargetView};
use interlock_domain::views::ActionForecast;

use super::order::{Prepared, of_customer, of_no_entity};
use super::{ActionError, Actions, ForceRequest, OrderRequest};
use crate::inspection::InspectionError;

/// Plans as the tenant's workers do.
struct OfTenant<'a> {
    actions: &'a Actions,
    tenant: &'a TenantId,
}

impl Plans for OfTenant<'_> {
    fn plan(&self, admission: &Admission) -> Vec<Result<Planned, Rejection>> {
        let installation = &self.actions.installation;
        let planner = Planner {
            catalog: &installation.catalog,
            targets: &installation.routing.tenant(self.tenant).targets,
            limits: &installation.settings.limits,
            proving: &installation.settings.proving_targets(),
            leases: true,
        };
        planner.plan_batch(admission)
    }
}

fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_millis())
}

impl Actions {
    /// What an action on an order would do.
    ///
    /// # Errors
    /// As [`Actions::on_order`]: what would be refused is refused here with the same code.
    pub async fn preview_on_order(
        &self,
        tenant: &TenantId,
        request: &OrderRequest,
    ) -> Result<ActionForecast, ActionError> {
        let name = request.action.name();
        let Prepared { action, .. } = self.prepared(tenant, request).await?;
        let Some(action) = action else { return Ok(ActionForecast::of_nothing(name, true)) };
        let plans = OfTenant { actions: self, tenant };
        let mut forecast = Forecast::new(tenant.clone(), now(), &plans);
        let customer = request.order_id.customer();
        let machine = self.customer_machine(tenant, &customer).await?.ok_or_else(of_no_entity)?;
        forecast.follow_customer(machine);
        let done = forecast.act(&action).ok_or_else(of_no_entity)?.map_err(of_customer)?;
        if done.repeated {
            return Ok(ActionForecast::of_nothing(name, true));
        }
        self.run_forward(tenant, &mut forecast).await;
        Ok(forecast.view(name))
    }

    /// What a forced release would do, if the target says that the resource is registered to nobody.
    ///
    /// # Errors
    /// As [`Actions::force_release`]: what would be refused is refused here with the same code.
    pub async fn preview_force_release(
        &self,
        tenant: &TenantId,
        request: &ForceRequest,
    ) -> Result<ActionForecast, ActionError> {
        request.words.check()?;
        let name = "force_release";
        let release = self.force_of(tenant, request);
        let resource = &request.resource;
        let machine = self.resource_machine(tenant, resource).await?;
        let machine = machine.ok_or_else(|| InspectionError::NeverSeen(format!("The resource {resource}")))?;
        if let Some(answer) = machine.force_answer(&release) {
            return of_answer(answer).map(|()| ActionForecast::of_nothing(name, true));
        }
        let plans = OfTenant { actions: self, tenant };
        let mut forecast = Forecast::new(tenant.clone(), now(), &plans);
        forecast.follow_resource(machine);
        forecast.force(resource, release.clone());
        self.run_forward(tenant, &mut forecast).await;
        if let Some(answer) = forecast.force_answer(resource, &release) {
            of_answer(answer)?;
        }
        Ok(forecast.view(name))
    }

    /// Runs a forecast forward, and reads the entities that it needs.
    async fn run_forward(&self, tenant: &TenantId, forecast: &mut Forecast<'_>) {
        while let Some(party) = forecast.run() {
            if let Err(error) = self.follow(tenant, forecast, &party).await {
                forecast.leave_out(party, format!("{error}."));
            }
        }
    }

    async fn follow(
        &self,
        tenant: &TenantId,
        forecast: &mut Forecast<'_>,
        party: &Party,
    ) -> Result<(), InspectionError> {
        match party {
            Party::Customer(customer) => match self.customer_machine(tenant, customer).await? {
                Some(machine) => forecast.follow_customer(machine),
                None => forecast.absent_customer(customer.clone()),
            },
            Party::Resource(resource) => {
                let realm = self.installation.routing.realm(tenant, resource.kind());
                let machine = self.resource_machine(tenant, resource).await?;
                // A message to a resource starts its entity.
                forecast.follow_resource(machine.unwrap_or_else(|| Resource::new(realm, resource.clone())));
            }
            Party::Target(target) => {
                let why_not = self.why_not_called(tenant, target).await?;
                forecast.know_target(target.clone(), why_not);
            }
        }
        Ok(())
    }

    /// The machine of a customer; none if no entity of it runs.
    async fn customer_machine(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
    ) -> Result<Option<Customer>, InspectionError> {
        let entity = self.installation.entities.customer(tenant, customer);
        self.inspection.machine(&format!("The customer {customer}"), &entity).await
    }

    /// The machine of a resource; none if no entity of it runs.
    async fn resource_machine(
        &self,
        tenant: &TenantId,
        resource: &ResourceId,
    ) -> Result<Option<Resource>, InspectionError> {
        let entity = self.installation.entities.resource(tenant, resource);
        self.inspection.machine(&format!("The resource {resource}"), &entity).await
    }

    /// Why a target is not called, if it is not.
    async fn why_not_called(&self, tenant: &TenantId, target: &TargetId) -> Result<Option<String>, InspectionError> {
        match self.inspection.target_of(tenant, target).await {
            Ok(view) => Ok(why_not(&view)),
            // Nobody has told it anything: calls to it start.
            Err(InspectionError::NeverSeen(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn of_answer(answer: ForceAnswer) -> Result<(), ActionError> {
    match answer {
        ForceAnswer::Released => Ok(()),
        ForceAnswer::Refused { code, detail } => Err(ActionError::of_entity(&code, detail)),
    }
}

/// Why calls to a target do not start, if they do not.
fn why_not(view: &TargetView) -> Option<String> {
    let is_called = matches!(view.state.known(), None | Some(TargetStateName::Closed | TargetStateName::Ramping));
    match (is_called, view.unserved) {
        (false, _) => Some(format!("it is {}, and stays so", view.state)),
        (true, true) => Some("no worker polls its queue".to_owned()),
        (true, false) => None,
    }
}
