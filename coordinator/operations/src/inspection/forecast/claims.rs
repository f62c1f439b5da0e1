//! What the claims of a planned order would find.

use futures_util::future::join_all;
use interlock_domain::customer::{Admission, FORESEEN_EPOCH};
use interlock_domain::ids::{OrderId, ResourceId};
use interlock_domain::message::{ClaimAnswer, Ticket};
use interlock_domain::order::{Claim, Plan};
use interlock_domain::recording::Edition;
use interlock_domain::resource::{ClaimToForesee, ForeseenClaim, HolderView, Resource, ResourceView, WaiterView};
use interlock_domain::views::{AheadView, ClaimOutlook, PlannedClaimView};
use interlock_workflows::names;

use super::{Forecast, InspectionError};

/// The claims of a plan.
pub(super) struct ForeseenClaims {
    /// What the resources would answer, as an admission gets it.
    pub(super) answers: Vec<(ResourceId, ClaimAnswer)>,
    /// The same, as it is shown.
    pub(super) views: Vec<PlannedClaimView>,
}

impl Forecast<'_> {
    /// Asks the resources of a plan what they would answer.
    pub(super) async fn claims(&self, admission: &Admission, plan: &Plan) -> ForeseenClaims {
        let tickets = admission.events.first().map(|waiting| admission.tickets(&waiting.key, plan)).unwrap_or_default();
        let asked = tickets.iter().map(|(resource, ticket)| self.claim(resource, ticket));
        let answered: Vec<_> = join_all(asked).await;
        let mut claims = ForeseenClaims { answers: Vec::new(), views: Vec::new() };
        for claim in &plan.claims {
            let at = tickets.iter().position(|(resource, _)| *resource == claim.resource);
            match at.and_then(|at| Some((&tickets[at].1, answered.get(at)?))) {
                // A release of a lease that the customer holds asks nobody.
                None => claims.views.push(blank(claim, ClaimOutlook::Held)),
                Some((_, Err(error))) => {
                    let detail = Some(format!("{error}."));
                    claims.views.push(PlannedClaimView { detail, ..blank(claim, ClaimOutlook::Unanswered) });
                    claims.answers.push((claim.resource.clone(), ClaimAnswer::NotAnswered));
                }
                Some((ticket, Ok(foreseen))) => {
                    claims.views.push(self.shown(claim, &ticket.order, foreseen, admission));
                    claims.answers.push((claim.resource.clone(), not_dated(foreseen.answer.clone())));
                }
            }
        }
        claims
    }

    async fn claim(&self, resource: &ResourceId, ticket: &Ticket) -> Result<ForeseenClaim, InspectionError> {
        let installation = &self.inspection.installation;
        let entity = installation.entities.resource(self.tenant, resource);
        let argument = ClaimToForesee { now: self.now, ticket: ticket.clone() };
        let what = format!("The resource {resource}");
        let realm = installation.routing.realm(self.tenant, resource.kind());
        let here = |mut machine: Resource| {
            machine.begin_run(Edition::default());
            machine.foresee_claim(self.now, ticket.clone())
        };
        match self.inspection.ask::<ForeseenClaim>(&what, &entity, names::FORESEE_CLAIM, &argument).await {
            Ok((foreseen, run)) if run.ended().is_none() => Ok(foreseen),
            Ok(_) => Ok(here(Resource::recreated(realm, resource.clone()))),
            Err(InspectionError::NeverSeen(_)) => Ok(here(Resource::new(realm, resource.clone()))),
            Err(error) => Err(error),
        }
    }

    fn shown(
        &self,
        claim: &Claim,
        order: &OrderId,
        foreseen: &ForeseenClaim,
        admission: &Admission,
    ) -> PlannedClaimView {
        let mut view = foreseen.after.clone();
        // Its own place is found by the order, which a mask would remove for another tenant only.
        self.sees.mask(self.tenant, &claim.resource, &mut view);
        let ResourceView { holder, queue, .. } = view;
        let is_own = |waiter: &&WaiterView| waiter.order_id.as_ref() != Some(order);
        let ahead = queue.iter().take_while(is_own).map(ahead).collect();
        let is_held = admission.held.contains(&claim.resource);
        let outlook = outlook(foreseen, is_held);
        // The holder after an immediate grant is this order.
        let holder = holder.filter(|_| outlook != ClaimOutlook::Granted).map(holding);
        PlannedClaimView { holder, ahead, ..blank(claim, outlook) }
    }
}

fn blank(claim: &Claim, outlook: ClaimOutlook) -> PlannedClaimView {
    PlannedClaimView {
        resource: claim.resource.clone(),
        mode: claim.mode.into(),
        outlook: outlook.into(),
        holder: None,
        ahead: Vec::new(),
        detail: None,
    }
}

fn outlook(foreseen: &ForeseenClaim, is_held: bool) -> ClaimOutlook {
    match foreseen.answer {
        _ if is_held => ClaimOutlook::Held,
        ClaimAnswer::Granted { .. } => ClaimOutlook::Granted,
        ClaimAnswer::Queued | ClaimAnswer::Finished if foreseen.asks_authority => ClaimOutlook::LookUp,
        ClaimAnswer::Queued | ClaimAnswer::Finished => ClaimOutlook::Queued,
        ClaimAnswer::NotHolder => ClaimOutlook::NotHolder,
        ClaimAnswer::QueueFull { .. } => ClaimOutlook::QueueFull,
        ClaimAnswer::NotAnswered => ClaimOutlook::Unanswered,
    }
}

/// The epoch of a grant that has not been made is not known: epochs grow with the time.
fn not_dated(answer: ClaimAnswer) -> ClaimAnswer {
    match answer {
        ClaimAnswer::Granted { registered, recall, .. } => {
            ClaimAnswer::Granted { epoch: FORESEEN_EPOCH, registered, recall }
        }
        other => other,
    }
}

fn ahead(waiter: &WaiterView) -> AheadView {
    AheadView {
        tenant_id: Some(waiter.tenant_id.clone()),
        customer_id: Some(waiter.customer_id.clone()),
        order_id: waiter.order_id.clone(),
        since: waiter.since.clone(),
    }
}

fn holding(holder: HolderView) -> AheadView {
    let HolderView { customer_id, tenant_id, order_id, since, .. } = holder;
    AheadView { tenant_id, customer_id, order_id, since }
}
