//! The links of a chain that is being built.

use std::ops::{Deref, DerefMut};

use interlock_domain::customer::PausedWhat;
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::views::Link;

use super::answers::{ChainQuestion, OrderLink, PausedCall};

/// A link, with what the chain needs in addition to what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainLink {
    /// The link as it is shown.
    pub(super) shown: Link,
    /// The command that resumes what an operator paused, if it does not belong to an order.
    pub(super) unpause: Option<String>,
    /// The link that waits for it.
    pub(super) parent: Option<usize>,
    /// Whether no worker polls the queue of the target for which it waits.
    pub(super) is_unserved: bool,
}

impl Deref for ChainLink {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.shown
    }
}

impl DerefMut for ChainLink {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.shown
    }
}

impl ChainLink {
    /// The link of an order, as its customer reports it.
    pub(super) fn of_order(tenant: &TenantId, said: &OrderLink) -> Self {
        let shown = Link {
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
            paused: said.paused.map(Into::into),
            reset_at: said.reset_at.clone(),
            since: said.since.clone(),
            code: said.code.clone(),
            detail: said.detail.clone(),
            next: None,
            in_ring: false,
        };
        Self { shown, unpause: None, parent: None, is_unserved: false }
    }

    /// A link that is not an order.
    pub(super) fn new(tenant: &TenantId, waits_for: WaitKind, since: Option<String>, detail: String) -> Self {
        let waits_for = Some(waits_for.into());
        Self::of_order(tenant, &OrderLink { waits_for, since, detail: Some(detail), ..OrderLink::default() })
    }

    /// The same, with a call that an operator paused.
    pub(super) fn with_paused(mut self, call: &PausedCall) -> Self {
        let PausedCall { sentence, unpause } = call;
        self.detail = self.detail.take().map(|detail| format!("{detail} {sentence}"));
        self.paused = Some(PausedWhat::Call.into());
        self.unpause = Some(unpause.clone());
        self
    }

    /// A link that replaces the answer to a question.
    pub(super) fn of_question(question: &ChainQuestion, waits_for: WaitKind, detail: &str) -> Self {
        let mut link = Self::new(question.tenant(), waits_for, None, detail.to_owned());
        match question {
            ChainQuestion::Order { order, .. } => {
                link.customer_id = Some(order.customer());
                link.order_id = Some(order.clone());
            }
            ChainQuestion::Resource { resource, .. } => link.resource = Some(resource.clone()),
            ChainQuestion::Keeps { customer, resource, .. } => {
                link.customer_id = Some(customer.clone());
                link.holder = Some(customer.to_string());
                link.resource = Some(resource.clone());
            }
            ChainQuestion::Target { target, .. } => link.target = Some(target.clone()),
        }
        link
    }
}
