//! The links of a chain, as they are shown.

use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use serde::{Deserialize, Serialize};

use super::answers::{OrderLink, Question};

/// One link of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Link {
    /// Distance from the requested order; a link waits for the links below it that are one level deeper.
    pub depth: usize,
    /// The tenant of the order, or of the customer.
    #[schema(value_type = String)]
    pub tenant_id: TenantId,
    /// The customer.
    #[schema(value_type = Option<String>)]
    pub customer_id: Option<CustomerId>,
    /// The order that waits; null if the waiting party is not an order.
    #[schema(value_type = Option<String>)]
    pub order_id: Option<OrderId>,
    /// The order's state.
    pub state: Option<String>,
    /// The step that waits.
    pub step: Option<String>,
    /// `lease`, `turn`, `target`, `person`, `window`, `settling`, `admission`, `event` (an event that has not arrived),
    /// `unanswered` or `forbidden` (what it waits for could not be queried); null if the order has ended.
    pub waits_for: Option<String>,
    /// The resource whose lease is waited for.
    #[schema(value_type = Option<String>)]
    pub resource: Option<ResourceId>,
    /// The holder of that resource: a customer, or the name under which a target knows the holder.
    pub holder: Option<String>,
    /// The target.
    pub target: Option<String>,
    /// If it waits for the target, the target's state: `closed` (it is called), `open` or `probing` (it is down),
    /// `ramping`, `maintenance` or `paused`; null if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_state: Option<String>,
    /// `call` or `workflow`, if an operator paused it in Temporal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// When the customer's workflow was reset, if it waits for a lease that is in doubt because of the reset, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<String>,
    /// Start of the wait, RFC 3339.
    pub since: Option<String>,
    /// A stable code, if it is held or was not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// An explanation in one or more sentences.
    pub detail: Option<String>,
    /// What to do next, if all links above wait for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether it is part of a cycle of orders that wait for each other.
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
    /// The chain, starting with the order itself.
    pub chain: Vec<Link>,
    /// Whether the chain contains a cycle.
    pub ring: bool,
    /// Whether the chain was too long to be followed to its end.
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
