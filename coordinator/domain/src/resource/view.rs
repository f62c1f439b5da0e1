//! What one may ask a resource.

use serde::Serialize;

use super::{HolderName, Resource, Vacancy};
use crate::ids::{Epoch, Incarnation, ResourceId, Timestamp};
use crate::message::{LeaseProof, StepProof};

/// The body of `GET …/resources/{kind}/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceView {
    /// The resource.
    pub resource: ResourceId,
    /// Who has it.
    pub holder: Option<HolderView>,
    /// Who waits, next first.
    pub queue: Vec<WaiterView>,
    /// The highest epoch granted.
    pub epoch: Epoch,
    /// What those who wait wait for: `holder` (that it gives the lease back), `look_up` (what the target says of who is
    /// registered), `clock` (a wait for clocks, or after contests), `orphan` (the holder's entity is dead, and what it
    /// sent may still land) or `person` (nobody knows who is registered); none where nobody waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<&'static str>,
    /// Since when they wait for that, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<String>,
    /// The look-ups that were ended by hand since the authority answered last; none where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_up_by_hand: Option<ByHandView>,
    /// Another customer that says to hold it; it is granted to nobody else meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also_held_by: Option<RivalView>,
    /// Whether messages to customers are under way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// What happened, oldest first.
    pub history: Vec<HistoryView>,
}

/// Look-ups that persons completed or failed in Temporal, which settles nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByHandView {
    /// How many in a row.
    pub times: u32,
    /// When the authority is asked again, or was, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_at: Option<String>,
}

/// A customer that says to hold a resource that another customer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RivalView {
    /// The customer.
    pub customer_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// The epoch of the lease that it says to hold.
    pub epoch: Epoch,
}

/// The holder of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HolderView {
    /// The customer; none where only the target knows the holder.
    pub customer_id: Option<String>,
    /// Its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The name under which the targets know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// The order it was granted for.
    pub order_id: Option<String>,
    /// The epoch of its lease.
    pub epoch: Epoch,
    /// Since when, RFC 3339.
    pub since: String,
    /// Whether the holder's entity is dead, or does not know of the lease, since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphaned_at: Option<String>,
    /// Which life of the customer has the lease; none where its entity was never told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
}

/// Somebody who waits for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaiterView {
    /// The customer.
    pub customer_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// The order.
    pub order_id: String,
    /// Its place, from 1.
    pub position: usize,
    /// Since when, RFC 3339.
    pub since: String,
}

/// One line of a resource's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryView {
    /// When, RFC 3339.
    pub at: String,
    /// What happened.
    pub what: String,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The epoch.
    pub epoch: Epoch,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it rests on, for a lease that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofView>,
}

/// What a change of a lease rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProofView {
    /// The order that caused it.
    pub order_id: String,
    /// The call on which it rests; absent where none was needed.
    #[serde(flatten)]
    pub step: Option<StepProof>,
    /// When that was recorded, RFC 3339.
    pub at: String,
    /// The person who decided it instead of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// That person's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&LeaseProof> for ProofView {
    fn from(proof: &LeaseProof) -> Self {
        Self {
            order_id: proof.order.to_string(),
            step: proof.step.clone(),
            at: proof.at.to_rfc3339(),
            actor: proof.actor.clone(),
            reason: proof.reason.clone(),
        }
    }
}

impl Resource {
    /// The state of this resource, for those who ask.
    pub fn view(&self) -> ResourceView {
        let holder = self.holder.as_ref().map(|holder| HolderView {
            customer_id: holder.customer().map(|customer| customer.customer.to_string()),
            tenant_id: holder.customer().map(|customer| customer.tenant.to_string()),
            target_identity: match &holder.who {
                HolderName::TargetIdentity(target_identity) => Some(target_identity.clone()),
                HolderName::Customer(_) => holder.target_identity.clone(),
            },
            order_id: holder.ticket.as_ref().map(|ticket| ticket.key.order.to_string()),
            epoch: holder.epoch,
            since: holder.since.to_rfc3339(),
            orphaned_at: holder.orphaned_at.map(Timestamp::to_rfc3339),
            incarnation: holder.incarnation,
        });
        let queue = self.queue.values().zip(1..).map(|(queued, position)| WaiterView {
            customer_id: queued.ticket.claimant.customer.to_string(),
            tenant_id: queued.ticket.claimant.tenant.to_string(),
            order_id: queued.ticket.order.to_string(),
            position,
            since: queued.since.to_rfc3339(),
        });
        let history = self.history.iter().map(|entry| HistoryView {
            at: entry.at.to_rfc3339(),
            what: entry.what.clone(),
            who: entry.who.clone(),
            order_id: entry.order.as_ref().map(ToString::to_string),
            epoch: entry.epoch,
            detail: entry.detail.clone(),
            proof: entry.proof.as_ref().map(ProofView::from),
        });
        ResourceView {
            resource: self.id.clone(),
            holder,
            queue: queue.collect(),
            epoch: self.epoch,
            waiting_for: self.waiting_for(),
            waiting_since: self.waiting_since().map(Timestamp::to_rfc3339),
            look_up_by_hand: (self.asking.by_hand > 0).then(|| ByHandView {
                times: self.asking.by_hand,
                again_at: self.asking.again_at.map(Timestamp::to_rfc3339),
            }),
            also_held_by: self.rival.as_ref().map(|rival| RivalView {
                customer_id: rival.who.customer.to_string(),
                tenant_id: rival.who.tenant.to_string(),
                epoch: rival.lease.epoch,
            }),
            under_way: !self.outbox.is_empty(),
            history: history.collect(),
        }
    }

    fn waiting_for(&self) -> Option<&'static str> {
        match (&self.holder, self.vacancy) {
            _ if self.queue.is_empty() => None,
            (Some(holder), _) if holder.orphaned_at.is_some() => Some("orphan"),
            (Some(_), _) => Some("holder"),
            (None, _) if self.look_up.is_for_ledger() => Some("look_up"),
            (None, Vacancy::ToLookUp) => Some("look_up"),
            (None, Vacancy::Unclear) => Some("person"),
            (None, Vacancy::Known) => Some("clock"),
        }
    }

    /// Since when those who wait wait for what they wait for now: the first of them came, and then it became so.
    fn waiting_since(&self) -> Option<Timestamp> {
        let first = self.queue.values().map(|queued| queued.since).min()?;
        let became_so = match &self.holder {
            Some(holder) => Some(holder.orphaned_at.unwrap_or(holder.since)),
            None => self.history.back().map(|entry| entry.at),
        };
        Some(became_so.map_or(first, |at| at.max(first)))
    }
}
