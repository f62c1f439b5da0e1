//! The questions of a chain, and their answers.

use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::customer::{self, Keeping, OrderView, PausedWhat};
use interlock_domain::entity_end::EntityEnd;
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId};
use interlock_domain::order::OrderState;
use interlock_domain::resource::{QueueWait, ResourceView};
use interlock_domain::target_entity::{TargetStateName, TargetView};
use interlock_domain::wire::{Hideable, WireName};

use super::ANOTHER_TENANT;

/// A question of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inspection) enum ChainQuestion {
    /// What an order waits for within its customer.
    Order { tenant: TenantId, order: OrderId },
    /// Who holds a resource, as this tenant refers to it.
    Resource { tenant: TenantId, resource: ResourceId },
    /// Why a customer keeps a lease.
    Keeps { tenant: TenantId, customer: CustomerId, resource: ResourceId },
    /// Whether a target is called for which an order of this tenant waits.
    Target { tenant: TenantId, target: TargetId },
}

impl ChainQuestion {
    /// The tenant whose entity would answer, or whose order asks.
    pub(in crate::inspection) fn tenant(&self) -> &TenantId {
        match self {
            Self::Order { tenant, .. }
            | Self::Resource { tenant, .. }
            | Self::Keeps { tenant, .. }
            | Self::Target { tenant, .. } => tenant,
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(in crate::inspection) enum ChainAnswer {
    /// The order's chain within its customer, starting with the order.
    Order(Vec<OrderLink>),
    /// The resource, and a call of the resource itself that an operator paused.
    Resource(Box<ResourceView>, Option<PausedCall>),
    /// Whether and why the customer keeps the lease.
    Keeps(Keeping),
    /// The target.
    Target(Box<TargetView>),
    /// The entity has ended: how, and what it knew about the order in
    /// question.
    Ended { ended: EntityEnd, links: Vec<OrderLink> },
    /// The entity does not know it, or does not exist.
    NeverSeen,
    /// There was no answer: a stable code and a sentence.
    Unanswered { code: ErrorCode, detail: String },
    /// The caller may not ask that tenant.
    Forbidden,
}

impl ChainAnswer {
    /// The same without the name of a holder whose tenant the caller may not read, if the chain ends there. If it continues, the caller may
    /// not ask that holder.
    pub(in crate::inspection) fn without_names_of(mut self, is_foreign: impl Fn(&TenantId) -> bool) -> Self {
        if let Self::Resource(view, _) = &mut self
            && let ResourceView { holder: Some(holder), waiting_for: Some(waits), .. } = view.as_mut()
            && *waits != QueueWait::Holder
            && holder.tenant_id.as_ref().is_some_and(is_foreign)
        {
            holder.customer_id = None;
            holder.target_identity = Some(Hideable::Shown(ANOTHER_TENANT.to_owned()));
        }
        self
    }

    /// The same without what persons wrote.
    pub(in crate::inspection) fn without_persons(mut self) -> Self {
        if let Self::Target(view) = &mut self {
            (view.reason, view.actor) = (None, None);
        }
        self
    }
}

/// What is known about one order of a chain within its customer: the entity's answer, and what Temporal says about its call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::inspection) struct OrderLink {
    pub order_id: Option<OrderId>,
    pub state: Option<WireName<OrderState>>,
    pub step: Option<String>,
    pub waits_for: Option<WireName<WaitKind>>,
    pub resource: Option<ResourceId>,
    pub resources: Vec<ResourceId>,
    pub target: Option<TargetId>,
    pub behind: Option<OrderId>,
    pub since: Option<String>,
    pub code: Option<ReasonCode>,
    pub detail: Option<String>,
    pub reset_at: Option<String>,
    pub paused: Option<PausedWhat>,
}

impl From<customer::WaitLink> for OrderLink {
    fn from(said: customer::WaitLink) -> Self {
        let told = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            order_id: Some(said.order_id),
            state: Some(said.state),
            step: said.step,
            waits_for: said.waits_for,
            resource: said.resource,
            resources: said.resources,
            target: said.target,
            behind: said.behind,
            since: told(said.since),
            code: said.code.map(ReasonCode::of_target),
            detail: told(said.detail),
            reset_at: said.reset_at,
            paused: None,
        }
    }
}

impl From<OrderView> for OrderLink {
    /// The link of a standalone order: it only waits for its target.
    fn from(view: OrderView) -> Self {
        let waiting = view.waiting_for.as_ref();
        Self {
            order_id: Some(view.order_id),
            state: Some(view.state),
            step: waiting.and_then(|waiting| waiting.step()).map(str::to_owned),
            waits_for: waiting.map(customer::WaitView::kind),
            target: waiting.and_then(|waiting| waiting.target()).cloned(),
            since: waiting.map(|waiting| waiting.since().to_owned()),
            code: view.code.map(ReasonCode::of_target),
            detail: view.detail,
            ..Self::default()
        }
    }
}

impl OrderLink {
    /// The kind of wait, if this build knows it; none also if it has ended.
    pub(in crate::inspection) fn wait(&self) -> Option<WaitKind> {
        self.waits_for.as_ref().and_then(WireName::known)
    }

    /// Whether it waits for a call at its target.
    pub(in crate::inspection) fn waits_for_call(&self) -> bool {
        matches!(self.wait(), Some(WaitKind::Target | WaitKind::Settling))
    }

    /// Adds a sentence.
    pub(in crate::inspection) fn tell(&mut self, sentence: &str) {
        self.detail = Some(match self.detail.take() {
            Some(detail) => format!("{detail} {sentence}"),
            None => sentence.to_owned(),
        });
    }
}

/// An additional sentence about a resource's look-up; it starts with a space.
pub(super) fn of_look_up(resource: &ResourceView) -> String {
    let Some(by_hand) = &resource.look_up_by_hand else { return String::new() };
    let times = match by_hand.times {
        1 => "once".to_owned(),
        times => format!("{times} times in a row"),
    };
    let again = by_hand.again_at.as_ref().map(|at| format!(", not before {at}")).unwrap_or_default();
    format!(" The look-up was ended by hand in Temporal {times}, which does not settle it; it is repeated{again}.")
}

/// A call of the resource itself that an operator paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inspection) struct PausedCall {
    /// The fact, as a sentence.
    pub sentence: String,
    /// The command that lets it continue.
    pub unpause: String,
}

/// Whether a target is called without a limit: then there is nothing to report about it.
pub(super) fn is_free(target: &TargetView) -> bool {
    target.state == TargetStateName::Closed && target.limit.0.is_none()
}

/// That no worker polls the queue of a target, in a sentence.
pub(super) fn unserved(view: &TargetView) -> String {
    format!("No worker polls the task queue of {}, so no call to it starts.", view.target)
}

/// The state of a target, in a sentence.
pub(super) fn stands(view: &TargetView) -> String {
    let (target, limit) = (&view.target, view.limit.0.map(f64::from));
    let mut sentence = match (view.state.known(), limit) {
        (Some(TargetStateName::Closed), Some(limit)) => format!("{target} is limited to {limit} requests per second"),
        (Some(TargetStateName::Open | TargetStateName::Probing), _) => format!("{target} is down and is not called"),
        (Some(TargetStateName::Ramping), Some(limit)) => {
            format!("{target} was down and is called again step by step, currently {limit} per second")
        }
        (Some(TargetStateName::Ramping), None) => format!("{target} was down and is called again step by step"),
        (Some(TargetStateName::Maintenance), _) => format!("{target} is in maintenance and is not called"),
        (Some(TargetStateName::Paused), _) => format!("{target} is paused and is not called"),
        (Some(TargetStateName::Closed) | None, _) => format!("{target} is {}", view.state),
    };
    let told = [
        ("since", Some(&view.since).filter(|since| !since.is_empty() && view.state != TargetStateName::Closed)),
        ("until", view.until.as_ref()),
        ("by", view.actor.as_ref()),
    ];
    for (word, what) in told {
        sentence.extend(what.map(|what| format!(", {word} {what}")));
    }
    sentence.extend(view.next_probe_at.as_ref().map(|at| format!("; the next probe is at {at}")));
    sentence.extend(view.reason.as_ref().map(|reason| format!(": {reason}")));
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
/// Whether the customer that a resource names as its holder knows nothing of it, neither a lease nor a message under way. (A worker of
/// 0.1.0 does not say whether one is.)
pub(super) fn is_contradiction(keeping: &Keeping) -> bool {
    !keeping.holds && keeping.order_id.is_none() && keeping.under_way == Some(false)
}

/// The same for a person.
pub(super) fn contradiction(customer: &CustomerId) -> String {
    format!(
        "The resource names {customer} as its holder, but {customer} does not hold it, has no order that names it, and no \
         message about it is in flight. This cannot be right, unless it has just changed."
    )
}
