//! What a chain asks, and what it is answered.

use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TargetId, TenantId};
use serde::Deserialize;

use super::ANOTHER_TENANT;

/// What the chain wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inspection) enum Question {
    /// What an order waits for within its customer.
    Order { tenant: TenantId, order: OrderId },
    /// Who holds a resource, as this tenant means it.
    Resource { tenant: TenantId, resource: ResourceId },
    /// Why a customer keeps a lease.
    Keeps { tenant: TenantId, customer: CustomerId, resource: ResourceId },
    /// Whether a target is called, for which an order of this tenant waits.
    Target { tenant: TenantId, target: TargetId },
}

impl Question {
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

/// What was answered.
#[derive(Debug, Clone)]
pub(in crate::inspection) enum Answer {
    /// The order's chain within its customer, itself first.
    Order(Vec<OrderLink>),
    /// The resource's state.
    Resource(ResourceState),
    /// Whether and why the customer keeps the lease.
    Keeps(Keeping),
    /// How the target stands.
    Target(TargetStands),
    /// The entity that was asked has ended and nothing of it goes on: how, and what it knew of the order that was asked
    /// about.
    Ended { ended: &'static str, links: Vec<OrderLink> },
    /// Whoever was asked does not know, or is not there.
    NeverSeen,
    /// Nobody answered: a stable code and a sentence.
    Unanswered { code: String, detail: String },
    /// Whoever asks may not ask that tenant.
    Forbidden,
}

impl Answer {
    /// The same without the name of a holder whose tenant whoever asks may not look at, where the chain ends there. Where it goes on, it is
    /// forbidden to ask that holder.
    pub(in crate::inspection) fn without_names_of(mut self, is_foreign: impl Fn(&TenantId) -> bool) -> Self {
        if let Self::Resource(ResourceState { holder: Some(holder), waiting_for: Some(kind), .. }) = &mut self
            && kind != "holder"
            && holder.tenant_id.as_ref().is_some_and(is_foreign)
        {
            holder.customer_id = None;
            holder.target_identity = Some(ANOTHER_TENANT.to_owned());
        }
        self
    }

    /// The same without what persons said.
    pub(in crate::inspection) fn without_persons(self) -> Self {
        match self {
            Self::Target(stands) => Self::Target(TargetStands { reason: None, actor: None, ..stands }),
            other => other,
        }
    }
}

/// One link of an order's chain within its customer, as the entity says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct OrderLink {
    pub order_id: Option<OrderId>,
    pub state: Option<String>,
    pub step: Option<String>,
    pub waits_for: Option<String>,
    pub resource: Option<ResourceId>,
    pub resources: Vec<ResourceId>,
    pub target: Option<String>,
    pub behind: Option<OrderId>,
    pub since: Option<String>,
    pub code: Option<String>,
    pub detail: Option<String>,
    pub reset_at: Option<String>,
    #[serde(skip)]
    pub paused: Option<String>,
}

impl OrderLink {
    /// Whether it waits for a call at its target.
    pub(in crate::inspection) fn waits_for_call(&self) -> bool {
        matches!(self.waits_for.as_deref(), Some("target" | "settling"))
    }

    /// Says one thing more.
    pub(in crate::inspection) fn tell(&mut self, sentence: &str) {
        self.detail = Some(match self.detail.take() {
            Some(detail) => format!("{detail} {sentence}"),
            None => sentence.to_owned(),
        });
    }
}

/// What of a resource's state matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct ResourceState {
    pub holder: Option<HolderState>,
    pub waiting_for: Option<String>,
    pub waiting_since: Option<String>,
    pub look_up_by_hand: Option<ByHand>,
    #[serde(skip)]
    pub paused: Option<PausedCall>,
}

impl ResourceState {
    /// What is to be told of its look-up, beside that it is made; it begins with a space.
    pub(in crate::inspection) fn of_look_up(&self) -> String {
        let Some(by_hand) = &self.look_up_by_hand else { return String::new() };
        let times = match by_hand.times {
            1 => "once".to_owned(),
            times => format!("{times} times in a row"),
        };
        let again = by_hand.again_at.as_ref().map(|at| format!(", not before {at}")).unwrap_or_default();
        format!(" The look-up was ended by hand in Temporal {times}, which does not settle it; it is repeated{again}.")
    }
}

/// Look-ups that were ended by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct ByHand {
    pub times: u32,
    pub again_at: Option<String>,
}

/// A call of a resource's own that an operator paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inspection) struct PausedCall {
    /// It, in a sentence.
    pub sentence: String,
    /// The command that lets it go on.
    pub unpause: String,
}

/// Who holds a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct HolderState {
    pub customer_id: Option<CustomerId>,
    pub tenant_id: Option<TenantId>,
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    pub since: Option<String>,
    pub orphaned_at: Option<String>,
}

/// Why a customer keeps a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct Keeping {
    pub holds: bool,
    pub since: Option<String>,
    pub order_id: Option<OrderId>,
    pub detail: Option<String>,
}

/// Whether a target is called, of what its entity shows.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(in crate::inspection) struct TargetStands {
    pub state: String,
    pub since: Option<String>,
    pub until: Option<String>,
    pub next_probe_at: Option<String>,
    pub limit: Option<f64>,
    pub reason: Option<String>,
    pub actor: Option<String>,
}

impl TargetStands {
    /// Whether it is called as often as there are calls: there is nothing to say of it then.
    pub(super) fn is_free(&self) -> bool {
        self.state == "closed" && self.limit.is_none()
    }

    /// How it stands, in a sentence.
    pub(super) fn sentence(&self, target: &str) -> String {
        let mut sentence = match (self.state.as_str(), self.limit) {
            ("closed", Some(limit)) => format!("{target} is limited to {limit} requests per second"),
            ("open" | "probing", _) => format!("{target} is down and is not called"),
            ("ramping", Some(limit)) => {
                format!("{target} was down and is called again step by step, currently {limit} per second")
            }
            ("ramping", None) => format!("{target} was down and is called again step by step"),
            ("maintenance", _) => format!("{target} is in maintenance and is not called"),
            ("paused", _) => format!("{target} is paused and is not called"),
            (state, _) => format!("{target} is {state}"),
        };
        let told = [
            ("since", self.since.as_ref().filter(|_| self.state != "closed")),
            ("until", self.until.as_ref()),
            ("by", self.actor.as_ref()),
        ];
        for (word, what) in told {
            sentence.extend(what.map(|what| format!(", {word} {what}")));
        }
        sentence.extend(self.next_probe_at.as_ref().map(|at| format!("; the next probe is at {at}")));
        sentence.extend(self.reason.as_ref().map(|reason| format!(": {reason}")));
        if !sentence.ends_with('.') {
            sentence.push('.');
        }
        sentence
    }
}
