//! The targets: their registrations, and the requests in flight to them.

use std::collections::BTreeMap;

use interlock_domain::ids::{Epoch, OrderId, ResourceId, TargetId};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::outcome::{HolderAnswer, Outcome};
use uuid::Uuid;

use crate::deed::Write;

/// Identifies one request to a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The order whose step it is.
    pub order: OrderId,
    /// The step's index.
    pub step: usize,
    /// The life of the customer that sent it.
    pub life: u8,
    /// The schedule of the step.
    pub dispatch: u32,
    /// The attempt of that schedule.
    pub attempt: u8,
}

/// A request in flight.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// The customer that sent it, by index.
    pub customer: usize,
    /// The party that it writes for.
    pub target_identity: String,
    /// The identity that the party gets instead.
    pub target_identity_after: Option<String>,
    /// The target.
    pub target: TargetId,
    /// What it writes.
    pub writes: Vec<(Write, ResourceId)>,
    /// The step's idempotency key.
    pub key: Uuid,
    /// Its epochs.
    pub epochs: BTreeMap<ResourceId, Epoch>,
    /// The latest time at which it takes effect.
    pub lands_by: i64,
}

/// All targets together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Targets {
    /// Whether a second holder is silently accepted.
    pub overwrites: bool,
    /// Whether a release is confirmed if the identity that it names does not have the resource, whoever has it.
    pub confirms_blindly: bool,
    /// Whether the target does not report who has a resource.
    pub is_discreet: bool,
    /// The registrations, by target and resource.
    pub registered: BTreeMap<(TargetId, ResourceId), String>,
    /// Requests that have not arrived.
    pub flying: BTreeMap<RequestId, Request>,
    /// How often a request of a step took effect, by idempotency key.
    pub applied: BTreeMap<Uuid, u8>,
}

/// The result of a request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The target's answer.
    pub outcome: Outcome,
    /// The registrations of other parties that it overwrote.
    pub overwritten: Vec<(ResourceId, String)>,
}

/// What a request of the machines writes at the target. A compensation writes the reverse.
pub fn writes_of(request: &ProvisionRequest) -> Vec<(Write, ResourceId)> {
    let undo = request.operation == "undo";
    let listed = request.data.get("writes").and_then(|writes| writes.as_array()).cloned().unwrap_or_default();
    let read = |pair: &serde_json::Value| {
        let write = match (pair.get(0)?.as_str()?, undo) {
            ("assign", false) | ("release", true) => Write::Assign,
            ("release", false) | ("assign", true) => Write::Release,
            ("rename", false) => Write::Rename,
            _ => Write::Touch,
        };
        Some((write, pair.get(1)?.as_str()?.parse().ok()?))
    };
    listed.iter().filter_map(read).collect()
}

/// The party that a request writes for.
pub fn target_identity_of(request: &ProvisionRequest) -> String {
    request.data.get("party").and_then(|target_identity| target_identity.as_str()).unwrap_or_default().to_owned()
}

/// The identity that a request gives the party instead.
pub fn target_identity_after_of(request: &ProvisionRequest) -> Option<String> {
    request.data.get("party_after").and_then(|target_identity| target_identity.as_str()).map(str::to_owned)
}

/// The customer of a party, by its name: `A` and `A-2` both belong to A.
pub fn owner_of(target_identity: &str) -> &str {
    target_identity.split_once('-').map_or(target_identity, |(owner, _)| owner)
}

impl Targets {
    fn in_use(&self, holder: &str) -> Outcome {
        Outcome::InUse { holder: (!self.is_discreet).then(|| holder.to_owned()) }
    }

    /// Whether another party's registration is in the way of a write.
    fn is_in_the_way(
        &self,
        write: Write,
        holder: &str,
        target_identity: &str,
        target_identity_after: Option<&str>,
    ) -> bool {
        match write {
            Write::Assign => holder != target_identity,
            Write::Release => holder != target_identity && !self.confirms_blindly,
            Write::Rename => holder != target_identity && Some(holder) != target_identity_after,
            Write::Touch => false,
        }
    }

    /// A request arrives, is checked, and takes effect.
    pub fn land(&mut self, request: &Request) -> Landing {
        let mut overwritten = Vec::new();
        for (write, resource) in &request.writes {
            let holder = self.registered.get(&(request.target.clone(), resource.clone()));
            let after = request.target_identity_after.as_deref();
            if let Some(holder) =
                holder.filter(|holder| self.is_in_the_way(*write, holder, &request.target_identity, after))
            {
                if !self.overwrites || *write != Write::Assign {
                    return Landing { outcome: self.in_use(holder), overwritten: Vec::new() };
                }
                overwritten.push((resource.clone(), holder.clone()));
            }
        }
        let before = self.registered.clone();
        for (write, resource) in &request.writes {
            let place = (request.target.clone(), resource.clone());
            match write {
                Write::Assign => {
                    self.registered.insert(place, request.target_identity.clone());
                }
                Write::Release if self.registered.get(&place) == Some(&request.target_identity) => {
                    self.registered.remove(&place);
                }
                Write::Rename => {
                    if let (Some(holder), Some(after)) =
                        (self.registered.get_mut(&place), &request.target_identity_after)
                    {
                        holder.clone_from(after);
                    }
                }
                Write::Release | Write::Touch => {}
            }
        }
        let registers = request.writes.iter().any(|(write, _)| *write != Write::Touch);
        let outcome = if registers && self.registered == before {
            Outcome::AlreadyDone
        } else {
            *self.applied.entry(request.key).or_default() += 1;
            Outcome::Done
        };
        Landing { outcome, overwritten }
    }

    /// Reads back whether a step's writes are in place. `None` if they are not and no other party is in the way.
    pub fn verify(&self, request: &ProvisionRequest) -> Option<Outcome> {
        let (target_identity, after) = (target_identity_of(request), target_identity_after_of(request));
        let writes = writes_of(request);
        let mut in_place = true;
        for (write, resource) in &writes {
            let holder = self.registered.get(&(request.target.clone(), resource.clone()));
            match (write, holder) {
                (write, Some(holder)) if self.is_in_the_way(*write, holder, &target_identity, after.as_deref()) => {
                    return (!self.overwrites || *write != Write::Assign).then(|| self.in_use(holder));
                }
                (Write::Rename, Some(holder)) if Some(holder) != after.as_ref() => in_place = false,
                (Write::Assign, None) => in_place = false,
                (Write::Release, Some(holder)) if *holder == target_identity => in_place = false,
                _ => {}
            }
        }
        if writes.iter().all(|(write, _)| *write == Write::Touch) {
            in_place = self.applied.contains_key(&request.idempotency_key);
        }
        in_place.then_some(Outcome::AlreadyDone)
    }

    /// The party registered for a resource, as a look-up reports it.
    pub fn find_holder(&self, target: &TargetId, resource: &ResourceId) -> HolderAnswer {
        match self.registered.get(&(target.clone(), resource.clone())) {
            Some(target_identity) => HolderAnswer::TargetIdentity { target_identity: target_identity.clone() },
            None => HolderAnswer::Nobody,
        }
    }

    /// The parties registered for a resource at any target.
    pub fn target_identities<'a>(&'a self, resource: &'a ResourceId) -> impl Iterator<Item = &'a String> + 'a {
        self.registered
            .iter()
            .filter(move |((_, known), _)| known == resource)
            .map(|(_, target_identity)| target_identity)
    }

    /// Whether a request of this step is still in flight.
    pub fn is_flying(&self, key: Uuid) -> bool {
        self.flying.values().any(|request| request.key == key)
    }
}
