//! Builds the chain of what an order waits for, across customers and resources: a pure machine, which returns
//! its next question and is given the answers.
//!
//! An order's customer is asked why the order waits. If that is a lease, the resource is asked who holds it; then the holder's
//! customer, why it keeps it; if an open order keeps it, that order is asked in turn. The chain ends at something that is not
//! an order: a target (which is asked for its state), a person, a window, a delay, an event that has not
//! arrived; or at an order that is already in the chain: a ring.

mod advice;
mod answers;
mod link;

use interlock_domain::customer::Keeping;
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::entity_end::EntityEnd;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId};
use interlock_domain::resource::{HolderView, QueueWait, ResourceView};
use interlock_domain::target_entity::{TargetStateName, TargetView};
use interlock_domain::views::Why;
use interlock_domain::wire::{Hideable, WireName};

pub(super) use self::answers::{ChainAnswer, ChainQuestion, OrderLink, PausedCall};

use self::answers::{contradiction, is_contradiction, is_free, of_look_up, stands, unserved};
use self::link::ChainLink;

/// The placeholder for a customer of a tenant that the caller may not read.
pub(in crate::inspection) const ANOTHER_TENANT: &str = "another tenant";
/// The most questions for one chain. At this limit the chain is cut off and marked as such.
pub(super) const QUESTIONS_MAX: usize = 100;

/// What the chain needs to know about the holder of a resource.
struct KnownHolder {
    /// Its tenant; if the view does not say, the tenant that asks.
    tenant: TenantId,
    /// The customer, if it is known.
    customer: Option<CustomerId>,
    /// Whether the target knows it by a name.
    has_target_identity: bool,
    since: Option<String>,
    orphaned_at: Option<String>,
}

impl KnownHolder {
    fn of(asking: &TenantId, holder: Option<HolderView>) -> Self {
        let Some(holder) = holder else {
            let tenant = asking.clone();
            return Self { tenant, customer: None, has_target_identity: false, since: None, orphaned_at: None };
        };
        Self {
            tenant: holder.tenant_id.unwrap_or_else(|| asking.clone()),
            customer: holder.customer_id,
            has_target_identity: holder.target_identity.as_ref().and_then(Hideable::shown).is_some(),
            since: Some(holder.since).filter(|since| !since.is_empty()),
            orphaned_at: holder.orphaned_at,
        }
    }
}

/// A chain that is being built.
#[derive(Debug)]
pub(super) struct Chain {
    links: Vec<ChainLink>,
    /// The open questions, the next one last, each with the link under which the answer goes.
    open: Vec<(ChainQuestion, Option<usize>)>,
    asked: usize,
    ring: bool,
    cut_off: bool,
}

impl Chain {
    /// The chain of this order, still without answers.
    pub(super) fn of(tenant: TenantId, order: OrderId) -> Self {
        let open = vec![(ChainQuestion::Order { tenant, order }, None)];
        Self { links: Vec::new(), open, asked: 0, ring: false, cut_off: false }
    }

    /// Its next question; none if it is complete.
    pub(super) fn question(&mut self) -> Option<ChainQuestion> {
        if self.asked == QUESTIONS_MAX && !self.open.is_empty() {
            self.cut_off = true;
            self.open.clear();
        }
        self.open.last().map(|(question, _)| question.clone())
    }

    /// Takes the answer to its last question.
    pub(super) fn hear(&mut self, answer: ChainAnswer) {
        let Some((question, parent)) = self.open.pop() else { return };
        self.asked += 1;
        match (question, answer) {
            // The wait is already reported; this adds the target's state.
            (ChainQuestion::Target { .. }, ChainAnswer::Target(view)) => self.target(parent, &view),
            (ChainQuestion::Target { .. }, _) => {}
            (question, ChainAnswer::Forbidden) => self.forbidden(&question, parent),
            (question, ChainAnswer::Unanswered { code, detail }) => self.unanswered(&question, parent, code, &detail),
            (question, ChainAnswer::Ended { ended, links }) => self.ended(&question, parent, ended, links),
            (ChainQuestion::Order { tenant, .. }, ChainAnswer::Order(links)) => self.order(&tenant, parent, links),
            (ChainQuestion::Resource { tenant, resource }, ChainAnswer::Resource(view, paused)) => {
                self.resource(&tenant, resource, parent, *view, paused.as_ref());
            }
            (ChainQuestion::Keeps { tenant, customer, resource }, ChainAnswer::Keeps(keeping)) => {
                self.keeping(&tenant, customer, resource, parent, keeping);
            }
            (question, _) => self.never_seen(&question, parent),
        }
    }

    /// The finished chain, with what to do next at its ends.
    pub(super) fn done(mut self) -> Why {
        for index in 0..self.links.len() {
            let is_end = self.links.iter().all(|link| link.parent != Some(index));
            if is_end {
                self.links[index].next = advice::next(&self.links[index]);
            }
        }
        Why { chain: self.links.into_iter().map(|link| link.shown).collect(), ring: self.ring, cut_off: self.cut_off }
    }

    fn order(&mut self, tenant: &TenantId, mut parent: Option<usize>, links: Vec<OrderLink>) {
        let count = links.len();
        for (position, link) in links.into_iter().enumerate() {
            if let Some(seen) = link.order_id.as_ref().and_then(|order| self.ancestor(parent, tenant, order)) {
                self.close_ring(seen, parent);
                return;
            }
            let is_known = link.order_id.is_some()
                && self.links.iter().any(|known| known.tenant_id == *tenant && known.order_id == link.order_id);
            let is_last = position + 1 == count;
            let index = self.push(parent, ChainLink::of_order(tenant, &link));
            if is_known {
                // The other link already says what it waits for.
                self.links[index].detail = Some("See above.".to_owned());
                return;
            }
            if is_last {
                self.go_on(tenant, index, &link);
            }
            parent = Some(index);
        }
    }

    /// Asks the question that follows from the last link of a customer's own chain.
    fn go_on(&mut self, tenant: &TenantId, index: usize, link: &OrderLink) {
        match link.wait() {
            Some(WaitKind::Lease) => {
                let mut missing = link.resources.clone();
                if let Some(first) = link.resource.as_ref().filter(|first| !missing.contains(first)) {
                    missing.insert(0, first.clone());
                }
                let mut asked = Vec::new();
                for (position, resource) in missing.into_iter().enumerate() {
                    // One link for each missing lease, because each has its own holder.
                    let at = match position {
                        0 => index,
                        _ => self.push(self.links[index].parent, ChainLink::of_order(tenant, link)),
                    };
                    self.links[at].resource = Some(resource.clone());
                    asked.push((ChainQuestion::Resource { tenant: tenant.clone(), resource }, Some(at)));
                }
                self.open.extend(asked.into_iter().rev());
            }
            Some(WaitKind::Turn) => {
                if let Some(order) = link.behind.clone() {
                    self.open.push((ChainQuestion::Order { tenant: tenant.clone(), order }, Some(index)));
                }
            }
            Some(WaitKind::Target | WaitKind::Settling) => {
                if let Some(target) = link.target.clone() {
                    self.open.push((ChainQuestion::Target { tenant: tenant.clone(), target }, Some(index)));
                }
            }
            _ => {}
        }
    }

    /// Adds the target's state to the link that waits for it.
    fn target(&mut self, waits: Option<usize>, view: &TargetView) {
        let Some(link) = waits.map(|index| &mut self.links[index]) else { return };
        link.target_state = Some(view.state.clone());
        if view.state == TargetStateName::Maintenance {
            link.waits_for = Some(WaitKind::Window.into());
        }
        link.is_unserved = view.unserved;
        if link.is_unserved {
            let unserved = unserved(view);
            link.detail = Some(link.detail.take().map_or(unserved.clone(), |detail| format!("{detail} {unserved}")));
        }
        if !is_free(view) {
            let stands = stands(view);
            link.detail = Some(link.detail.take().map_or(stands.clone(), |detail| format!("{detail} {stands}")));
        }
    }

    fn resource(
        &mut self,
        tenant: &TenantId,
        resource: ResourceId,
        parent: Option<usize>,
        view: ResourceView,
        paused: Option<&PausedCall>,
    ) {
        let look_up = of_look_up(&view);
        let ResourceView { holder, waiting_for, waiting_since: since, .. } = view;
        let name = holder.as_ref().and_then(HolderView::name);
        if let Some(parent) = parent {
            self.links[parent].holder.clone_from(&name);
        }
        let waiter = self.customer_of(parent);
        let name = name.unwrap_or_else(|| "nobody".to_owned());
        let KnownHolder { tenant: holder_tenant, customer, has_target_identity, since: holds_since, orphaned_at } =
            KnownHolder::of(tenant, holder);
        let link = |waits_for: WaitKind, since, detail| {
            let mut link = ChainLink::new(&holder_tenant, waits_for, since, detail);
            link.customer_id.clone_from(&customer);
            (link.holder, link.resource) = (Some(name.clone()), Some(resource.clone()));
            match paused.filter(|_| waits_for == WaitKind::Settling) {
                Some(call) => link.with_paused(call),
                None => link,
            }
        };
        let ends_with = match (waiting_for.as_ref().and_then(WireName::known), &customer) {
            (Some(QueueWait::LookUp), _) => {
                link(WaitKind::Settling, since, "The target is asked who is registered there.".to_owned() + &look_up)
            }
            (Some(QueueWait::Clock), _) => {
                link(WaitKind::Settling, since, "It is granted after a short safety delay.".to_owned())
            }
            (Some(QueueWait::Orphan), _) => {
                let detail = format!(
                    "The entity of {name} is gone; its earlier requests must arrive before the lease passes \
                     on.{look_up}"
                );
                link(WaitKind::Settling, orphaned_at.or(since), detail)
            }
            (Some(QueueWait::Person), _) => {
                link(WaitKind::Person, since, "It is unknown who is registered, and no target can be asked.".to_owned())
            }
            (Some(QueueWait::Holder) | None, Some(customer))
                if waiter == Some((holder_tenant.clone(), customer.clone())) =>
            {
                link(WaitKind::Settling, holds_since, "It is already granted; the message is in flight.".to_owned())
            }
            (Some(QueueWait::Holder) | None, Some(customer)) => {
                let question = ChainQuestion::Keeps { tenant: holder_tenant, customer: customer.clone(), resource };
                self.open.push((question, parent));
                return;
            }
            (Some(QueueWait::Holder) | None, None) if has_target_identity => link(
                WaitKind::Person,
                holds_since,
                format!(
                    "The target reports that it is registered to {name}, which is not the name of any known customer."
                ),
            ),
            (Some(QueueWait::Holder) | None, None) => {
                link(WaitKind::Settling, since, "It has no holder; it is being granted.".to_owned())
            }
        };
        self.push(parent, ends_with);
    }

    /// The customer of a link.
    fn customer_of(&self, index: Option<usize>) -> Option<(TenantId, CustomerId)> {
        let link = &self.links[index?];
        Some((link.tenant_id.clone(), link.customer_id.clone()?))
    }

    fn keeping(
        &mut self,
        tenant: &TenantId,
        customer: CustomerId,
        resource: ResourceId,
        parent: Option<usize>,
        keeping: Keeping,
    ) {
        let contradicts = is_contradiction(&keeping);
        // If the customer has given the lease back, its own open order may wait to get it again: that delays no other order.
        if let Some(order) = keeping.order_id.filter(|_| keeping.holds) {
            self.open.push((ChainQuestion::Order { tenant: tenant.clone(), order }, parent));
            return;
        }
        let (waits_for, usual) = if keeping.holds {
            (
                WaitKind::Event,
                format!("No open order of {customer} releases it; the customer keeps it until an event releases it."),
            )
        } else {
            (WaitKind::Settling, format!("{customer} has released it; the message is in flight."))
        };
        let detail = if contradicts {
            contradiction(&customer)
        } else {
            Some(keeping.detail).filter(|detail| !detail.is_empty()).unwrap_or(usual)
        };
        let mut link = ChainLink::new(tenant, waits_for, keeping.since, detail);
        link.code = contradicts.then(|| ErrorCode::LeaseDiffers.into());
        link.holder = Some(customer.to_string());
        link.customer_id = Some(customer);
        link.resource = Some(resource);
        self.push(parent, link);
    }

    /// The entity that was asked has ended: its answer is its last state.
    fn ended(&mut self, question: &ChainQuestion, parent: Option<usize>, ended: EntityEnd, links: Vec<OrderLink>) {
        let ended = ended.as_str();
        let first = links.into_iter().next();
        let link = match (question, first) {
            // No order waits for an order that has ended.
            (ChainQuestion::Order { tenant, .. }, Some(first)) if first.waits_for.is_none() => {
                ChainLink::of_order(tenant, &first)
            }
            (ChainQuestion::Order { tenant, order }, first) => {
                let customer = order.customer();
                let mut link = first.map_or_else(
                    || ChainLink::of_question(question, WaitKind::Person, ""),
                    |first| ChainLink::of_order(tenant, &first),
                );
                link.waits_for = Some(WaitKind::Person.into());
                link.code = Some(ErrorCode::EntityEnded.into());
                link.detail = Some(format!("The entity of {customer} was {ended}: none of its orders continues."));
                link
            }
            (ChainQuestion::Resource { .. }, _) => {
                let detail = format!(
                    "The resource's entity was {ended}; the next sweep asks the customers that hold it or wait for it \
                     to say so again."
                );
                ChainLink::of_question(question, WaitKind::Settling, &detail)
            }
            (ChainQuestion::Keeps { customer, .. }, _) => {
                let detail = format!("The entity of {customer} was {ended} while it held the lease.");
                let mut link = ChainLink::of_question(question, WaitKind::Person, &detail);
                link.code = Some(ErrorCode::EntityEnded.into());
                link
            }
            (ChainQuestion::Target { .. }, _) => return,
        };
        self.push(parent, link);
    }

    fn never_seen(&mut self, question: &ChainQuestion, parent: Option<usize>) {
        let link = match question {
            ChainQuestion::Order { tenant, order } => {
                let mut link = ChainLink::of_question(
                    question,
                    WaitKind::Settling,
                    "Its customer no longer knows it: it has just ended.",
                );
                link.order_id = Some(order.clone());
                link.tenant_id = tenant.clone();
                link
            }
            ChainQuestion::Resource { .. } => ChainLink::of_question(
                question,
                WaitKind::Settling,
                "The resource's entity does not exist yet: the claim is in flight.",
            ),
            ChainQuestion::Keeps { .. } => ChainLink::of_question(
                question,
                WaitKind::Event,
                "The holder's entity is not running: recover it, or release its lease by force.",
            ),
            // If a target does not answer, there is nothing to add.
            ChainQuestion::Target { .. } => return,
        };
        self.push(parent, link);
    }

    fn unanswered(&mut self, question: &ChainQuestion, parent: Option<usize>, code: ErrorCode, detail: &str) {
        let mut link = ChainLink::of_question(question, WaitKind::Unanswered, detail);
        link.code = Some(code.into());
        self.push(parent, link);
    }

    fn forbidden(&mut self, question: &ChainQuestion, parent: Option<usize>) {
        // Not even the name: tenants that share a realm must not learn about each other.
        let mut link = ChainLink::of_question(
            question,
            WaitKind::Forbidden,
            "It belongs to another tenant, to which this token does not give access.",
        );
        let another = || Some(ANOTHER_TENANT.to_owned());
        (link.customer_id, link.order_id, link.holder) = (None, None, another());
        if let Some(parent) = parent {
            link.tenant_id = self.links[parent].tenant_id.clone();
            self.links[parent].holder = another();
        }
        link.code = Some(ErrorCode::TenantForbidden.into());
        self.push(parent, link);
    }

    fn push(&mut self, parent: Option<usize>, mut link: ChainLink) -> usize {
        link.depth = parent.map_or(0, |parent| self.links[parent].depth + 1);
        link.parent = parent;
        self.links.push(link);
        self.links.len() - 1
    }

    /// This link, or the nearest above it that belongs to this order.
    fn ancestor(&self, from: Option<usize>, tenant: &TenantId, order: &OrderId) -> Option<usize> {
        let mut path = std::iter::successors(from, |index| self.links[*index].parent);
        path.find(|index| {
            self.links[*index].tenant_id == *tenant && self.links[*index].order_id.as_ref() == Some(order)
        })
    }

    fn close_ring(&mut self, first: usize, last: Option<usize>) {
        self.ring = true;
        let mut at = last;
        while let Some(index) = at {
            self.links[index].in_ring = true;
            at = if index == first { None } else { self.links[index].parent };
        }
    }
}

#[cfg(test)]
mod tests;
