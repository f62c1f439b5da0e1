//! The view of a resource: what queries return.

use serde::{Deserialize, Serialize};

use super::{HolderName, LeaseEvent, Resource, Vacancy};
use crate::entity_end::EntityEnd;
use crate::ids::{CustomerId, CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TenantId, Timestamp};
use crate::message::{LeaseProof, StepProof};
use crate::order::Authority;
use crate::wire::{Hideable, WireName, wire_words};

wire_words! {
    /// What the tickets in the queue of a resource wait for.
    QueueWait {
        /// That the holder gives the lease back.
        Holder = "holder",
        /// The target's answer about who is registered.
        LookUp = "look_up",
        /// A wait because clocks differ, or after contests.
        Clock = "clock",
        /// The time after which requests of the holder's dead entity can no longer arrive.
        Orphan = "orphan",
        /// A person: it is unknown who is registered.
        Person = "person",
    }
}

/// The body of `GET …/resources/{kind}/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResourceView {
    /// The resource.
    pub resource: ResourceId,
    /// Who has it.
    #[serde(default)]
    pub holder: Option<HolderView>,
    /// The tickets that wait, next first.
    #[serde(default)]
    pub queue: Vec<WaiterView>,
    /// The highest epoch granted.
    pub epoch: Epoch,
    /// What the queue waits for; absent if it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<QueueWait>))]
    pub waiting_for: Option<WireName<QueueWait>>,
    /// Since when it waits for that, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<String>,
    /// The look-ups that were ended by hand since the authority's last answer; absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_up_by_hand: Option<ByHandView>,
    /// Another customer that claims to hold it; it is granted to no other customer meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also_held_by: Option<RivalView>,
    /// Whether messages to customers are under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// What happened, oldest first.
    #[serde(default)]
    pub history: Vec<HistoryView>,
    /// Messages that could not be read since the present run of the entity started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undecodable_messages: u32,
    /// How its entity ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<EntityEnd>))]
    pub entity_ended: Option<WireName<EntityEnd>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Look-ups that persons completed or failed in Temporal, which settles nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ByHandView {
    /// How many in a row.
    pub times: u32,
    /// When the authority is asked again, or was, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<String>,
}

/// A customer that claims to hold a resource that another customer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RivalView {
    /// The customer.
    pub customer_id: CustomerId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The epoch of the lease that it claims to hold.
    pub epoch: Epoch,
}

/// The holder of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolderView {
    /// The customer; none if only the target knows the holder.
    #[serde(default)]
    pub customer_id: Option<CustomerId>,
    /// Its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The name under which the targets know it; null if the caller may not see it.
    #[serde(rename = "party", default, skip_serializing_if = "Option::is_none", deserialize_with = "Hideable::there")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub target_identity: Option<Hideable<String>>,
    /// The order it was granted for.
    #[serde(default)]
    pub order_id: Option<OrderId>,
    /// The epoch of its lease.
    pub epoch: Epoch,
    /// Since when, RFC 3339.
    pub since: String,
    /// Since when the holder's entity is dead, or does not know of the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_at: Option<String>,
    /// The incarnation of the customer that has the lease; absent if its entity was never told of it, null if the caller may not
    /// see it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Hideable::there")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Incarnation>))]
    pub incarnation: Option<Hideable<Incarnation>>,
}

impl HolderView {
    /// The customer; none if only the target knows the holder.
    pub fn customer(&self) -> Option<CustomerRef> {
        let (tenant, customer) = self.tenant_id.clone().zip(self.customer_id.clone())?;
        Some(CustomerRef { tenant, customer })
    }

    /// Its name: the customer, or the name under which the target knows it.
    pub fn name(&self) -> Option<String> {
        let target_identity = || self.target_identity.as_ref().and_then(Hideable::shown).cloned();
        self.customer_id.as_ref().map(ToString::to_string).or_else(target_identity)
    }
}

/// A ticket that waits for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaiterView {
    /// The customer.
    pub customer_id: CustomerId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The order; null if the caller may not see it.
    #[serde(default)]
    pub order_id: Option<OrderId>,
    /// Its place, from 1.
    pub position: usize,
    /// Since when, RFC 3339.
    pub since: String,
}

/// One line of a resource's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryView {
    /// When, RFC 3339.
    pub at: String,
    /// What happened.
    #[cfg_attr(feature = "openapi", schema(value_type = LeaseEvent))]
    pub what: WireName<LeaseEvent>,
    /// To whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The epoch.
    pub epoch: Epoch,
    /// More details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The evidence, for a lease that came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofView>,
    /// The authority that was asked, for what its answer changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// The person who did it, for a forced release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// That person's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The evidence for a change of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofView {
    /// The order that caused it.
    pub order_id: OrderId,
    /// The call that proves it; absent if none was needed.
    #[serde(flatten)]
    pub step: Option<StepProof>,
    /// When that was recorded, RFC 3339.
    pub at: String,
    /// The person who decided it instead of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// That person's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&LeaseProof> for ProofView {
    fn from(proof: &LeaseProof) -> Self {
        Self {
            order_id: proof.order.clone(),
            step: proof.step.clone(),
            at: proof.at.to_rfc3339(),
            actor: proof.actor.clone(),
            reason: proof.reason.clone(),
        }
    }
}

impl Resource {
    /// The state of this resource, as queries return it.
    pub fn view(&self) -> ResourceView {
        let holder = self.holder.as_ref().map(|holder| HolderView {
            customer_id: holder.customer().map(|customer| customer.customer.clone()),
            tenant_id: holder.customer().map(|customer| customer.tenant.clone()),
            target_identity: match &holder.who {
                HolderName::TargetIdentity(target_identity) => Some(target_identity.clone()),
                HolderName::Customer(_) => holder.target_identity.clone(),
            }
            .map(Hideable::Shown),
            order_id: holder.ticket.as_ref().map(|ticket| ticket.key.order.clone()),
            epoch: holder.epoch,
            since: holder.since.to_rfc3339(),
            orphaned_at: holder.orphaned_at.map(Timestamp::to_rfc3339),
            incarnation: holder.incarnation.map(Hideable::Shown),
        });
        let queue = self.queue.values().zip(1..).map(|(queued, position)| WaiterView {
            customer_id: queued.ticket.claimant.customer.clone(),
            tenant_id: queued.ticket.claimant.tenant.clone(),
            order_id: Some(queued.ticket.order.clone()),
            position,
            since: queued.since.to_rfc3339(),
        });
        let history = self.history.iter().map(|entry| HistoryView {
            at: entry.at.to_rfc3339(),
            what: entry.what.clone(),
            who: entry.who.clone(),
            order_id: entry.order.clone(),
            epoch: entry.epoch,
            detail: entry.detail.clone(),
            proof: entry.proof.as_ref().map(ProofView::from),
            authority: entry.authority.clone(),
            actor: entry.by.as_ref().map(|(actor, _)| actor.clone()),
            reason: entry.by.as_ref().map(|(_, reason)| reason.clone()),
        });
        ResourceView {
            resource: self.id.clone(),
            holder,
            queue: queue.collect(),
            epoch: self.epoch,
            waiting_for: self.waiting_for().map(WireName::from),
            waiting_since: self.waiting_since().map(Timestamp::to_rfc3339),
            look_up_by_hand: (self.asking.by_hand > 0).then(|| ByHandView {
                times: self.asking.by_hand,
                again_at: self.asking.again_at.map(Timestamp::to_rfc3339),
            }),
            also_held_by: self.rival.as_ref().map(|rival| RivalView {
                customer_id: rival.who.customer.clone(),
                tenant_id: rival.who.tenant.clone(),
                epoch: rival.lease.epoch,
            }),
            under_way: !self.outbox.is_empty(),
            history: history.collect(),
            undecodable_messages: 0,
            entity_ended: None,
        }
    }

    fn waiting_for(&self) -> Option<QueueWait> {
        match (&self.holder, self.vacancy) {
            _ if self.queue.is_empty() => None,
            (Some(holder), _) if holder.orphaned_at.is_some() => Some(QueueWait::Orphan),
            (Some(_), _) => Some(QueueWait::Holder),
            (None, _) if self.look_up.is_for_ledger() => Some(QueueWait::LookUp),
            (None, Vacancy::ToLookUp) => Some(QueueWait::LookUp),
            (None, Vacancy::Unclear) => Some(QueueWait::Person),
            (None, Vacancy::Known) => Some(QueueWait::Clock),
        }
    }

    /// Since when the queue waits for its present cause: the later of the first ticket's arrival and the start of the cause.
    fn waiting_since(&self) -> Option<Timestamp> {
        let first = self.queue.values().map(|queued| queued.since).min()?;
        let became_so = match &self.holder {
            Some(holder) => Some(holder.orphaned_at.unwrap_or(holder.since)),
            None => self.history.back().map(|entry| entry.at),
        };
        Some(became_so.map_or(first, |at| at.max(first)))
    }
}
