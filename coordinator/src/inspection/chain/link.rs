//! The links of a chain, as they are shown.

use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use serde::{Deserialize, Serialize};

use super::answers::{OrderLink, Question};

/// One link of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Link {
    /// How far it is from the order that was asked about; a link waits for those below it that are one deeper.
    pub depth: usize,
    /// The tenant of the order, or of the customer.
    #[schema(value_type = String)]
    pub tenant_id: TenantId,
    /// The customer.
    #[schema(value_type = Option<String>)]
    pub customer_id: Option<CustomerId>,
    /// The order that waits; null where it is no order that does.
    #[schema(value_type = Option<String>)]
    pub order_id: Option<OrderId>,
    /// The order's state.
    pub state: Option<String>,
    /// The step that waits.
    pub step: Option<String>,
    /// `lease`, `turn`, `target`, `person`, `window`, `settling`, `admission`, `event` (one that has not come in),
    /// `unanswered` or `forbidden` (what it waits for could not be asked); null where the order is over.
    pub waits_for: Option<String>,
    /// The resource whose lease it waits for, or that is waited for.
    #[schema(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    /// Who holds that: a customer, or the name under which a target knows the holder.
    pub holder: Option<String>,
    /// The target.
    pub target: Option<String>,
    /// Whether that is called, where it waits for it: `closed` (it is), `open` or `probing` (it is down), `ramping`,
    /// `maintenance` or `paused`; null where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_state: Option<String>,
    /// `call` or `workflow`, where an operator paused that in Temporal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// When the customer's workflow was reset, where it waits for a lease that is in doubt for that, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<String>,
    /// Since when it waits for that, RFC 3339.
    pub since: Option<String>,
    /// A stable code, where it is held or was not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence.
    pub detail: Option<String>,
    /// What to do next, where this is what all above it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether it is part of a ring of orders that wait for each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_ring: bool,
    /// The command that lets go on what an operator paused, where that is no order's.
    #[serde(skip)]
    #[schema(ignore)]
    pub(in crate::inspection) unpause: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    pub(super) parent: Option<usize>,
}

/// Why an order waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Why {
    /// The chain, the order itself first.
    pub chain: Vec<Link>,
    /// Whether there is a ring in it.
    pub ring: bool,
    /// Whether it was too long to be followed to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
}

/// The link of an order, as its customer says it.
pub(super) fn of_order(tenant: &TenantId, said: &OrderLink) -> Link {
    Link {
        depth: 0,
        tenant_id: tenant.clone(),
        customer_id: said.order_id.as_ref().map(OrderId::customer),
        order_id: said.order_id.clone(),
        state: said.state.clone(),
        step: said.step.clone(),
        waits_for: said.waits_for.clone(),
        resource: said.resource.clone(),
        holder: None,
        target: said.target.clone(),
        target_state: None,
        paused: said.paused.clone(),
        reset_at: said.reset_at.clone(),
        since: said.since.clone(),
        code: said.code.clone(),
        detail: said.detail.clone(),
        next: None,
        in_ring: false,
        unpause: None,
        parent: None,
    }
}

impl Link {
    /// A link that is no order.
    pub(super) fn new(tenant: &TenantId, waits_for: &str, since: Option<String>, detail: String) -> Self {
        let said =
            OrderLink { waits_for: Some(waits_for.to_owned()), since, detail: Some(detail), ..OrderLink::default() };
        of_order(tenant, &said)
    }

    /// A link in place of the answer to a question.
    pub(super) fn of_question(question: &Question, waits_for: &str, detail: &str) -> Self {
        let mut link = Self::new(question.tenant(), waits_for, None, detail.to_owned());
        match question {
            Question::Order { order, .. } => {
                link.customer_id = Some(order.customer());
                link.order_id = Some(order.clone());
            }
            Question::Resource { resource, .. } => link.resource = Some(resource.clone()),
            Question::Keeps { customer, resource, .. } => {
                link.customer_id = Some(customer.clone());
                link.holder = Some(customer.to_string());
                link.resource = Some(resource.clone());
            }
            Question::Target { target, .. } => link.target = Some(target.to_string()),
        }
        link
    }
}
