//! Why an order waits: asks the entities what the chain wants to know.

use interlock_domain::ids::{OrderId, TenantId};
use interlock_workflows::names;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use super::chain::{Link, Why};

use super::chain::{Answer, Chain, OrderLink, Question};
use super::{Inspection, InspectionError};

/// What a customer entity says of one of its orders.
#[derive(Deserialize)]
struct OwnChain {
    links: Vec<OrderLink>,
}

impl Inspection {
    /// Why an order waits: the body of `GET …/orders/{order_id}/why`. Entities of tenants that `may_ask` says no to are
    /// not asked; the chain ends there, and says so.
    ///
    /// The chain is put together of answers that entities give one after the other. So a ring is believed only where it is
    /// seen twice.
    ///
    /// # Errors
    /// [`InspectionError`] where the order itself cannot be shown. What cannot be asked further on is a link of its own.
    pub async fn why(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        may_ask: impl Fn(&TenantId) -> bool,
    ) -> Result<Why, InspectionError> {
        let first = self.why_once(tenant, order, &may_ask).await?;
        if first.ring { self.why_once(tenant, order, &may_ask).await } else { Ok(first) }
    }

    async fn why_once(
        &self,
        tenant: &TenantId,
        order: &OrderId,
        may_ask: &impl Fn(&TenantId) -> bool,
    ) -> Result<Why, InspectionError> {
        let mut chain = Chain::of(tenant.clone(), order.clone());
        let links = match self.own_chain(tenant, order).await? {
            Some(links) => links,
            // It stands alone, or was never seen.
            None => vec![alone(&self.order(tenant, order).await?)],
        };
        chain.hear(Answer::Order(links));
        while let Some(question) = chain.question() {
            let answer = if may_ask(question.tenant()) { self.answer(&question).await } else { Answer::Forbidden };
            chain.hear(answer);
        }
        Ok(chain.done())
    }

    async fn answer(&self, question: &Question) -> Answer {
        let answered = match question {
            Question::Order { tenant, order } => {
                self.own_chain(tenant, order).await.map(|links| links.map_or(Answer::NeverSeen, Answer::Order))
            }
            Question::Resource { tenant, resource } => self
                .resource(tenant, resource)
                .await
                .and_then(|state| read(&format!("The resource {resource}"), state))
                .map(Answer::Resource),
            Question::Keeps { tenant, customer, resource } => {
                let what = format!("The customer {customer}");
                let entity = self.installation.entities.customer(tenant, customer);
                let argument = json!({ "resource": resource });
                let answer = self.query(&what, &entity, names::KEEPS, &argument).await;
                answer.and_then(|keeping| read(&what, keeping)).map(Answer::Keeps)
            }
            Question::Target { target, .. } => self
                .target(target)
                .await
                .and_then(|state| read(&format!("The target {target}"), state))
                .map(Answer::Target),
        };
        match answered {
            Ok(answer) => answer,
            Err(InspectionError::NeverSeen(_)) => Answer::NeverSeen,
            Err(error) => Answer::Unanswered { code: error.code().into(), detail: format!("{error}.") },
        }
    }

    /// An order's chain within its customer; none where the customer does not know it.
    async fn own_chain(&self, tenant: &TenantId, order: &OrderId) -> Result<Option<Vec<OrderLink>>, InspectionError> {
        let what = format!("The order {order}");
        let entity = self.installation.entities.customer(tenant, &order.customer());
        match self.query(&what, &entity, names::WHY, &json!({ "order_id": order })).await {
            Ok(answer) => Ok(read::<Option<OwnChain>>(&what, answer)?.map(|own| own.links)),
            Err(InspectionError::NeverSeen(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The link of an order that stands alone, made of its view: it waits for nothing but its target.
fn alone(view: &Value) -> OrderLink {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let waiting = &view["waiting_for"];
    OrderLink {
        order_id: text(&view["order_id"]).and_then(|id| id.parse().ok()),
        state: text(&view["state"]),
        step: text(&waiting["step"]),
        waits_for: text(&waiting["waits_for"]),
        target: text(&waiting["target"]),
        since: text(&waiting["since"]),
        code: text(&view["code"]),
        detail: text(&view["detail"]),
        ..OrderLink::default()
    }
}

fn read<T: DeserializeOwned>(what: &str, answer: Value) -> Result<T, InspectionError> {
    serde_json::from_value(answer).map_err(|error| InspectionError::Refused {
        what: what.to_owned(),
        reason: format!("its answer cannot be read: {error}"),
    })
}
