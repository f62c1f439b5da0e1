//! The identity that a release uses, and what happens if the target has the resource under another one.
//!
//! A release is confirmed only when the target has the resource for nobody. An event may name an old or a mistyped identity,
//! and a customer may have several. So a release uses the identity that is kept with the lease. If the target has the
//! resource under another identity of this customer, that one is released; if under another customer's, the lease goes back;
//! if it is unclear whose it is, a person decides.

use serde_json::Value;
use uuid::Uuid;

use super::journal::JournalEntry;
use super::{Customer, OrderStep, StepIdentity, TicketState};
use crate::error_code::ErrorCode;
use crate::ids::{OrderId, ResourceId, Timestamp};
use crate::message::ToResource;

/// The most identities that one release is sent under, one after the other. After that a person decides.
const IDENTITIES_TRIED_MAX: usize = 8;

/// The most former names that are kept with a lease.
const TARGET_IDENTITIES_BEFORE_MAX: usize = 8;

/// Who has the resource at the target, as far as it is known.
enum Registered {
    /// This customer, under another identity than the release named.
    Own(String),
    /// Another customer.
    Another(String),
    /// It is unclear who.
    Unclear,
}

/// The key under which a step is sent.
pub(super) fn step_key(order: &OrderId, step: &OrderStep) -> Uuid {
    order.key_by(step.key_rule, &step.key_name())
}

impl OrderStep {
    /// The name in its idempotency key: an amended step, or one under another identity, is another request.
    fn key_name(&self) -> String {
        let amended = match self.amendments {
            0 => self.planned.name.clone(),
            times => format!("{}~{times}", self.planned.name),
        };
        match &self.identity {
            Some(identity) if identity.sent != identity.named => format!("{amended}@{}", identity.sent),
            _ => amended,
        }
    }

    /// The identity in its arguments, if they carry one.
    fn target_identity(&self) -> Option<&str> {
        let argument = self.planned.target_identity_arguments.as_ref()?.first()?;
        self.planned.data.get(argument)?.as_str()
    }

    /// Makes it another request, under this identity.
    fn go_by(&mut self, target_identity: &str) {
        let Some(sent) = self.target_identity().map(str::to_owned) else { return };
        let identity =
            self.identity.get_or_insert_with(|| StepIdentity { named: sent.clone(), sent, refused: Vec::new() });
        target_identity.clone_into(&mut identity.sent);
        for argument in self.planned.target_identity_arguments.iter().flatten() {
            self.planned.data.insert(argument.clone(), Value::from(target_identity));
        }
    }

    /// The sentence for a person if the target has the resource under an identity that the step does not use.
    pub(super) fn under_another_identity(&self, holder: &str) -> String {
        let resources: Vec<String> = self.planned.resources.iter().map(ToString::to_string).collect();
        let (target, what) = (&self.planned.target, resources.join(", "));
        let asked = self.target_identity().map_or_else(String::new, |asked| format!(", not under {asked}"));
        let named = self.identity.as_ref().filter(|identity| Some(identity.named.as_str()) != self.target_identity());
        let named = named.map_or_else(String::new, |identity| format!(" (the event named {})", identity.named));
        format!("The target {target} has {what} registered to {holder}{asked}{named}.")
    }
}

impl Customer {
    /// Before a release is sent for the first time: use the identity kept with the lease instead of the one in the event,
    /// which may be old or mistyped.
    pub(super) fn go_by_the_identity_of_the_lease(&mut self, now: Timestamp, id: &OrderId, index: usize) {
        let Some(order) = self.orders.get(id) else { return };
        let step = &order.steps[index];
        let is_new = step.dispatches == 0 && step.amendments == 0 && !step.state.maybe_sent();
        if !is_new || !order.is_release_step(step) {
            return;
        }
        let mut known =
            step.planned.resources.iter().filter_map(|resource| self.leases.get(resource)?.target_identity.clone());
        let (Some(named), Some(kept)) = (step.target_identity().map(str::to_owned), known.next()) else { return };
        if kept == named || known.any(|other| other != kept) {
            return;
        }
        let detail = format!(
            "{} uses {kept}, the identity that is stored with the lease; the event named {named}.",
            step.planned.name
        );
        self.send_under(id, index, &kept);
        self.note_identity(now, id, detail);
    }

    fn send_under(&mut self, id: &OrderId, index: usize, target_identity: &str) {
        if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index)) {
            step.go_by(target_identity);
            self.changed();
        }
    }

    /// The target has the resource of a release, or of a compensation of an assign, under another identity.
    pub(super) fn release_in_use(&mut self, now: Timestamp, id: &OrderId, index: usize, holder: Option<String>) {
        let whom = holder.clone().unwrap_or_else(|| "an identity that it does not report".to_owned());
        let found = self.orders[id].steps[index].under_another_identity(&whom);
        let unconfirmed = ErrorCode::ReleaseUnconfirmed;
        if self.orders[id].ending.is_some() || self.orders[id].steps[index].compensates.is_some() {
            self.step_failed(now, id, index, unconfirmed.into(), found);
            return;
        }
        match self.who_is_registered(id, index, holder) {
            Registered::Own(target_identity) => {
                if let Some(step) = self.orders.get_mut(id).and_then(|order| order.steps.get_mut(index)) {
                    let refused = step.target_identity().map(str::to_owned);
                    step.go_by(&target_identity);
                    if let Some(identity) = &mut step.identity {
                        identity.refused.extend(refused);
                    }
                }
                self.reopen_step(id, index);
                self.note_identity(
                    now,
                    id,
                    format!("{found} That is also this customer: the resource is released there."),
                );
            }
            Registered::Another(target_identity) => {
                let resources = self.orders[id].steps[index].planned.resources.clone();
                self.leave_to_its_holder(id, index, &resources, Some(&target_identity));
                let detail =
                    format!("{found} According to the ledger that is not this customer: the resource is left there.");
                self.note_identity(now, id, detail);
            }
            Registered::Unclear => {
                self.hold_step(id, index, unconfirmed.into(), found);
            }
        }
    }

    fn who_is_registered(&self, id: &OrderId, index: usize, holder: Option<String>) -> Registered {
        let step = &self.orders[id].steps[index];
        let Some(target_identity) = holder else { return Registered::Unclear };
        let refused = step.identity.as_ref().map_or(&[][..], |identity| &identity.refused);
        let carries = step.target_identity().is_some();
        if step.target_identity() == Some(&target_identity)
            || refused.contains(&target_identity)
            || refused.len() >= IDENTITIES_TRIED_MAX
        {
            return Registered::Unclear;
        }
        if self.is_registered_to_us(id, index, Some(&target_identity)) {
            return if carries { Registered::Own(target_identity) } else { Registered::Unclear };
        }
        // If a customer is known to have the resource, under a name that is not known, any name may be its own.
        let leases = step.planned.resources.iter().filter_map(|resource| self.leases.get(resource));
        let may_be_ours = leases.into_iter().any(|lease| lease.kept && lease.target_identity.is_none());
        if may_be_ours { Registered::Unclear } else { Registered::Another(target_identity) }
    }

    /// Whether a name is one of this customer's, as far as the ledger knows: kept with one of its leases (now, or earlier for this
    /// resource), named by the order itself, or the id of another resource that it holds (a SIM).
    pub(super) fn is_registered_to_us(&self, id: &OrderId, index: usize, holder: Option<&str>) -> bool {
        let order = &self.orders[id];
        let step = &order.steps[index];
        let Some(target_identity) = holder.filter(|_| step.planned.target_identity_arguments.is_some()) else {
            return false;
        };
        let named = &step.planned.resources;
        let by_lease = |(resource, lease): (&ResourceId, &super::Lease)| {
            lease.target_identity.as_deref() == Some(target_identity)
                || (named.contains(resource)
                    && lease.target_identities_before.iter().any(|before| before == target_identity))
                || (resource.id() == target_identity && named.iter().all(|named| named.kind() != resource.kind()))
        };
        let by_event = step.identity.as_ref().is_some_and(|identity| identity.named == target_identity)
            || order.claims.iter().any(|claim| claim.claim.target_identity.as_deref() == Some(target_identity));
        by_event || self.leases.iter().any(by_lease)
    }

    /// The target knows this customer by a name that the order did not give, and the resource refused the ticket: the resource is
    /// claimed again by that name. Returns whether it is.
    pub(super) fn claims_by_another_name(
        &mut self,
        now: Timestamp,
        id: &OrderId,
        index: usize,
        target_identity: String,
    ) -> bool {
        let order = &self.orders[id];
        let resource = order.claims[index].claim.resource.clone();
        let step = order.steps.iter().position(|step| step.planned.resources.contains(&resource));
        let Some(step) = step.filter(|step| self.is_registered_to_us(id, *step, Some(&target_identity))) else {
            return false;
        };
        let was = order.claims[index].claim.target_identity.clone();
        if was.as_ref() == Some(&target_identity) {
            return false;
        }
        let found = order.steps[step].under_another_identity(&target_identity);
        if let Some(claim) = self.orders.get_mut(id).and_then(|order| order.claims.get_mut(index)) {
            claim.claim.target_identity = Some(target_identity);
            claim.ticket = TicketState::None;
        }
        self.note_identity(now, id, format!("{found} That is also this customer: it is claimed under that name."));
        self.changed();
        true
    }

    /// From now on the targets know the customer by another name there: the one under which the claim was made, or the one that
    /// it has once the order is done.
    pub(super) fn rename_target_identity(&mut self, now: Timestamp, id: &OrderId, index: usize, assigns: bool) {
        let Some(order) = self.orders.get(id) else { return };
        let Some(claim) = order.claims.get(index) else { return };
        let resource = claim.claim.resource.clone();
        let by_claim = claim.claim.target_identity.clone().filter(|_| assigns);
        let Some(target_identity) = claim.claim.target_identity_after.clone().or(by_claim) else { return };
        let is_said_on = order.steps_naming(&resource).any(|step| step.planned.target_identity_arguments.is_some());
        let Some(lease) = self.leases.get_mut(&resource) else { return };
        let before = lease.target_identity.replace(target_identity.clone()).filter(|before| *before != target_identity);
        let Some(before) = before else { return };
        lease.target_identities_before.retain(|known| *known != before && *known != target_identity);
        lease.target_identities_before.push(before);
        let too_many = lease.target_identities_before.len().saturating_sub(TARGET_IDENTITIES_BEFORE_MAX);
        lease.target_identities_before.drain(..too_many);
        let (kept, epoch) = (lease.kept, lease.epoch);
        if kept && is_said_on {
            let message =
                ToResource::Used { from: self.me.clone(), epoch, target_identity: Some(target_identity.clone()) };
            self.outbox.push_back((resource.clone(), message));
        }
        self.note_identity(now, id, format!("{resource} is stored under {target_identity} from now on."));
        self.changed();
    }

    /// A resource that this customer gave up no longer identifies it.
    pub(super) fn forget_identity(&mut self, released: &ResourceId) {
        for (_, lease) in self.leases.iter_mut().filter(|(resource, _)| resource.kind() != released.kind()) {
            lease.target_identities_before.retain(|before| before != released.id());
        }
    }

    fn note_identity(&mut self, now: Timestamp, id: &OrderId, detail: String) {
        self.note(JournalEntry {
            at: now,
            key: None,
            order: Some(id.clone()),
            event: None,
            what: "identity".to_owned(),
            code: None,
            detail: Some(detail),
            by: None,
            steps: Vec::new(),
            claims: Vec::new(),
            parts_dropped: false,
        });
    }
}
