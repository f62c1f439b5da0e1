//! Why an order waits: asks the entities the questions of the chain.

use chrono::Utc;
use interlock_client::{EntityHandle, EntityRun, Paused};
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::customer::{self, Keeping, PausedWhat};
use interlock_domain::ids::{OrderId, TargetId, TenantId};
use interlock_domain::resource::ResourceView;
use interlock_domain::views::Why;
use interlock_workflows::names;
use serde_json::json;

use super::chain::{Chain, ChainAnswer, ChainQuestion, OrderLink, PausedCall};
use super::{Inspection, InspectionError};

/// What a question of the chain is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Entities of this tenant.
    Tenant(&'a TenantId),
    /// Who stopped or limited this target, and why; its state may be known to everyone who waits for it.
    Target(&'a TargetId),
}

impl Inspection {
    /// Why an order waits: the body of `GET …/orders/{order_id}/why`. Entities of tenants for which `may_ask` returns false are
    /// not asked; the chain ends there, and says so. What persons wrote about targets for which it returns false is left out.
    ///
    /// The chain is built from answers that entities give one after the other. So a ring is believed only if it is
    /// seen twice.
    ///
    /// # Errors
    /// [`InspectionError`] if the order itself cannot be shown. If a later question fails, that becomes a link of its own.
    pub async fn why(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        may_ask: impl Fn(Asked<'_>) -> bool,
    ) -> Result<Why, InspectionError> {
        let first = self.why_once(tenant, order, &may_ask).await?;
        if first.ring { self.why_once(tenant, order, &may_ask).await } else { Ok(first) }
    }

    async fn why_once(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        may_ask: &impl Fn(Asked<'_>) -> bool,
    ) -> Result<Why, InspectionError> {
        let mut chain = Chain::of(tenant.clone(), order.clone());
        let links = match self.own_chain(tenant, order).await? {
            Some(answer) => answer,
            // It is standalone, or was never seen.
            None => ChainAnswer::Order(vec![OrderLink::from(self.order(tenant, order).await?)]),
        };
        chain.hear(links);
        while let Some(question) = chain.question() {
            let answer = match &question {
                question if !may_ask(Asked::Tenant(question.tenant())) => ChainAnswer::Forbidden,
                ChainQuestion::Target { target, .. } if !may_ask(Asked::Target(target)) => {
                    self.answer(&question).await.without_persons()
                }
                question => self.answer(question).await.without_names_of(|tenant| !may_ask(Asked::Tenant(tenant))),
            };
            chain.hear(answer);
        }
        Ok(chain.done())
    }

    async fn answer(&self, question: &ChainQuestion) -> ChainAnswer {
        let answered = match question {
            ChainQuestion::Order { tenant, order } => {
                self.own_chain(tenant, order).await.map(|answer| answer.unwrap_or(ChainAnswer::NeverSeen))
            }
            ChainQuestion::Resource { tenant, resource } => {
                let what = format!("The resource {resource}");
                let entity = self.installation.entities.resource(tenant, resource);
                let answered = self.ask::<ResourceView>(&what, &entity, names::STATE, &()).await;
                answered.map(|(view, run)| {
                    let paused =
                        run.paused_activity().map(|(activity, call)| of_paused_call(&entity, tenant, activity, call));
                    unless_ended(&run, ChainAnswer::Resource(Box::new(view), paused))
                })
            }
            ChainQuestion::Keeps { tenant, customer, resource } => {
                let what = format!("The customer {customer}");
                let entity = self.installation.entities.customer(tenant, customer);
                let argument = json!({ "resource": resource });
                let answered = self.ask::<Keeping>(&what, &entity, names::KEEPS, &argument).await;
                answered.map(|(keeping, run)| unless_ended(&run, ChainAnswer::Keeps(keeping)))
            }
            ChainQuestion::Target { tenant, target } => {
                self.target_of(tenant, target).await.map(|view| ChainAnswer::Target(Box::new(view)))
            }
        };
        match answered {
            Ok(answer) => answer,
            Err(InspectionError::NeverSeen(_)) => ChainAnswer::NeverSeen,
            Err(error) => ChainAnswer::Unanswered { code: error.code(), detail: format!("{error}.") },
        }
    }

    /// An order's chain within its customer; none if the customer does not know the order.
    async fn own_chain(&self, tenant: &TenantId, order: &OrderId) -> Result<Option<ChainAnswer>, InspectionError> {
        let what = format!("The order {order}");
        let entity = self.installation.entities.customer(tenant, &order.customer());
        let argument = json!({ "order_id": order });
        let asked = self.ask::<Option<customer::WaitChain>>(&what, &entity, names::WHY, &argument);
        let (chain, run) = match asked.await {
            Ok((Some(chain), run)) => (chain, run),
            Ok((None, _)) | Err(InspectionError::NeverSeen(_)) => return Ok(None),
            Err(InspectionError::Paused { paused, .. }) => {
                return Ok(Some(ChainAnswer::Order(vec![of_paused(order, paused)])));
            }
            Err(error) => return Err(error),
        };
        let mut links: Vec<OrderLink> = chain.links.into_iter().map(OrderLink::from).collect();
        if let Some(ended) = run.ended() {
            return Ok(Some(ChainAnswer::Ended { ended, links }));
        }
        for link in links.iter_mut().filter(|link| link.waits_for_call()) {
            let Some(target) = &link.target else { continue };
            let Some(call) = self.call_at(&run, target).await else { continue };
            link.paused = call.paused().map(Paused::what);
            if let Some(sentence) = call.sentence(Utc::now()) {
                link.tell(&sentence);
            }
        }
        if let Some(paused) = run.paused() {
            for link in &mut links {
                link.paused = Some(paused.what());
                link.tell(&paused.sentence());
            }
        }
        Ok(Some(ChainAnswer::Order(links)))
    }
}

/// The link of an order whose customer cannot be asked, because an operator paused its workflow.
fn of_paused(order: &OrderId, paused: String) -> OrderLink {
    OrderLink {
        order_id: Some(order.clone()),
        waits_for: Some(WaitKind::Person.into()),
        paused: Some(PausedWhat::Workflow),
        detail: Some(paused),
        ..OrderLink::default()
    }
}

/// A call of the resource itself that an operator paused. Who paused it is shown only to a tenant that does not share the resource.
fn of_paused_call(entity: &EntityHandle, tenant: &TenantId, activity: &str, call: &Paused) -> PausedCall {
    let workflow_id = &entity.route.workflow_id;
    let is_own = workflow_id.starts_with(&format!("{}/", tenant.encoded()));
    let sentence = if is_own { call.sentence() } else { call.clone().without_persons().sentence() };
    let unpause = format!("temporal activity unpause --workflow-id {workflow_id} --activity-id {activity}");
    PausedCall { sentence, unpause }
}

/// An entity's answer, or that the entity has ended.
fn unless_ended(run: &EntityRun, answered: ChainAnswer) -> ChainAnswer {
    match run.ended() {
        Some(ended) => ChainAnswer::Ended { ended, links: Vec::new() },
        None => answered,
    }
}
