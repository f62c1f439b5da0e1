//! A lease held, and a grant whose ticket is not known yet.

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, ResourceId, TicketId, Timestamp};
use crate::message::{Asker, GiveBack, LeaseProof};
use crate::order::OrderKey;

/// A lease held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Its fencing token.
    pub epoch: Epoch,
    /// The ticket it was granted for.
    pub ticket: TicketId,
    /// The key of that ticket's order.
    pub key: OrderKey,
    /// Since when.
    pub since: Timestamp,
    /// Whether the target accepted an assign under it: it outlives its order.
    pub kept: bool,
    /// When a step that assigns was last recorded as done under this lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Set if it must be given back as soon as no started order needs it.
    pub due: Option<GiveBack>,
    /// Set if it must be given back as soon as no call that it protects is running: no step starts under it.
    pub leaving: Option<GiveBack>,
    /// Who asks for it back.
    pub recall: Option<Asker>,
    /// The name under which the targets know this customer there.
    #[serde(rename = "party")]
    pub target_identity: Option<String>,
    /// Earlier names under which they knew it there, under this lease, oldest first; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "parties_before")]
    pub target_identities_before: Vec<String>,
    /// The evidence for giving it back, once it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<LeaseProof>,
    /// To whom a release found the resource registered, if that was another customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_to: Option<String>,
    /// Whether the workflow was reset since it was granted, and its resource has not confirmed it yet: no call starts under it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
    /// Whether an order that takes or gives up the resource ended while the lease was in doubt, and its calls were not read back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
}

/// A grant whose ticket is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnjudgedGrant {
    /// The resource.
    pub resource: ResourceId,
    /// The ticket.
    pub ticket: TicketId,
    /// The epoch.
    pub epoch: Epoch,
    /// Whether the target is known to have it registered to this customer already.
    pub registered: bool,
    /// Who asks for it back already.
    pub recall: Option<Asker>,
}
