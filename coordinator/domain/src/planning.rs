//! Planning a batch of events: what the catalog makes of each of them, in the order in which their customer's entity accepted
//! them. It depends only on its arguments.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Holdings, PlanContext, Planned};
use crate::customer::{Admission, EventToAdmit};
use crate::error_code::ErrorCode;
use crate::ids::{Role, TargetId};
use crate::limits::{EntityLimits, LEASES_MAX};
use crate::order::{ClaimMode, Plan, Rejection};

/// What the planning of a batch needs.
#[derive(Debug, Clone, Copy)]
pub struct Planner<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The target instances that the tenant's settings map roles to; for a role that is missing, the target has the role's name.
    pub targets: &'a BTreeMap<Role, TargetId>,
    /// The limits of the entities.
    pub limits: &'a EntityLimits,
    /// The targets whose workers repeat proofs in their answers.
    pub proving: &'a BTreeSet<TargetId>,
    /// Whether plans keep their claims. Without claims every order starts at once.
    pub leases: bool,
}

impl Planner<'_> {
    /// Plans the events of a batch: one answer for each, in order, or for as many of the first ones as fit into an answer.
    pub fn plan_batch(&self, admission: &Admission) -> Vec<Result<Planned, Rejection>> {
        let customer = &admission.customer;
        plan_in_order(admission, |EventToAdmit { event, key, .. }, holdings| {
            let context = PlanContext {
                tenant: &customer.tenant,
                customer: &customer.customer,
                accepted_at: key.accepted_at,
                targets: self.targets,
                holdings,
                limits: self.limits,
            };
            let mut planned = self.catalog.plan(&context, event)?;
            if !self.leases {
                drop_claims(&mut planned.plan);
            }
            note_who_proves(&mut planned.plan, self.proving);
            Ok(planned)
        })
    }
}

/// The most bytes of JSON that the plans of a batch have together. The answer of an admission is one payload, of which Temporal takes 2 MiB,
/// and has the answers to the claims, too.
pub const PLANS_BYTES_MAX: usize = 768 * 1024;

/// Plans the events of a batch one after the other with `plan_one`: a release of all includes what an earlier event of the batch
/// assigns. If all plans together are larger than [`PLANS_BYTES_MAX`], the last events of the batch have none: they are admitted again.
pub fn plan_in_order(
    admission: &Admission,
    mut plan_one: impl FnMut(&EventToAdmit, &Holdings) -> Result<Planned, Rejection>,
) -> Vec<Result<Planned, Rejection>> {
    let mut holdings = admission.holdings.clone();
    let mut batch = Vec::with_capacity(admission.events.len());
    let mut bytes = 0;
    for waiting in &admission.events {
        let planned = plan_one(waiting, &holdings).and_then(|planned| few_enough(planned, &holdings));
        let planned = planned.and_then(small_enough);
        bytes += planned.as_ref().map_or(0, |(_, plan_bytes)| *plan_bytes);
        if bytes > PLANS_BYTES_MAX {
            break;
        }
        let planned = planned.map(|(planned, _)| planned);
        if let Ok(planned) = &planned {
            let assigns = planned.plan.claims.iter().filter(|claim| claim.mode == ClaimMode::Assign);
            holdings.extend(assigns.map(|claim| (claim.resource.clone(), claim.target_identity.clone())));
        }
        batch.push(planned);
    }
    batch
}

/// What the catalog makes of an event, unless its customer would then have more than [`LEASES_MAX`].
fn few_enough(planned: Planned, holdings: &Holdings) -> Result<Planned, Rejection> {
    let claims = planned.plan.claims.iter();
    let taken =
        claims.filter(|claim| claim.mode == ClaimMode::Assign && !holdings.contains_key(&claim.resource)).count();
    let leases = holdings.len() + taken;
    if taken > 0 && leases > LEASES_MAX {
        let detail = format!("The customer would have {leases} resources; the limit is {LEASES_MAX}.");
        return Err(Rejection::new(ErrorCode::LeasesFull, detail));
    }
    Ok(planned)
}

/// What the catalog makes of an event, and the size of the plan, unless that alone is larger than [`PLANS_BYTES_MAX`].
fn small_enough(planned: Planned) -> Result<(Planned, usize), Rejection> {
    let bytes = serde_json::to_vec(&planned.plan).map_or(usize::MAX, |json| json.len());
    if bytes > PLANS_BYTES_MAX {
        let detail = format!(
            "The plan of the order would have {bytes} bytes; the limit is {PLANS_BYTES_MAX}. Send less data, or first release some of the \
             customer's resources, one by one."
        );
        return Err(Rejection::new(ErrorCode::PlanTooLarge, detail));
    }
    Ok((planned, bytes))
}

/// The results for a batch if the tenant was off-boarded: all of it is rejected.
pub fn reject_batch_of_off_boarded_tenant(admission: &Admission) -> Vec<Result<Planned, Rejection>> {
    let detail = format!("The tenant '{}' was off-boarded.", admission.customer.tenant);
    let rejection = Rejection::new(ErrorCode::TenantClosed, detail);
    admission.events.iter().map(|_| Err(rejection.clone())).collect()
}

/// Records in a plan for which targets the workers repeat proofs.
fn note_who_proves(plan: &mut Plan, proving: &BTreeSet<TargetId>) {
    for step in &mut plan.steps {
        step.proves = proving.contains(&step.target);
    }
    for claim in &mut plan.claims {
        claim.policy = std::mem::take(&mut claim.policy).with_proofs(|target| proving.contains(target));
    }
}

/// Removes the claims of a plan, so that its steps need no lease.
fn drop_claims(plan: &mut Plan) {
    plan.claims.clear();
    plan.first_use.clear();
    plan.steps.iter_mut().for_each(|step| step.resources.clear());
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error_code::ReasonCode;
    use crate::event::Event;
    use crate::ids::{CustomerRef, Incarnation, ResourceId, Timestamp};
    use crate::order::OrderKey;

    const IMSI: &str = "001010000000001";

    fn waiting(id: &str, event_type: &str, data: &Value) -> EventToAdmit {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/crm", "type": event_type, "subject": "A1", "data": data,
        });
        let event = Event::from_value(&event, usize::MAX).unwrap();
        let order = event.order_id(&"blue".parse().unwrap(), None);
        let key = OrderKey::new(None, None, Timestamp(0), order);
        EventToAdmit { event, key, taken_at: None, clock_bound: false, after_reset: false }
    }

    fn assigned(id: &str, msisdn: &str) -> EventToAdmit {
        waiting(id, "number.assigned", &json!({ "imsi": IMSI, "msisdn": msisdn }))
    }

    fn terminated(id: &str) -> EventToAdmit {
        waiting(id, "customer.terminated", &json!({ "imsi": IMSI }))
    }

    fn admission(events: Vec<EventToAdmit>, holdings: Holdings) -> Admission {
        let customer = CustomerRef { tenant: "blue".parse().unwrap(), customer: "A1".parse().unwrap() };
        Admission { customer, incarnation: Incarnation(1), events, holdings, held: BTreeSet::new() }
    }

    fn planned(admission: &Admission, proving: &[&str], leases: bool) -> Vec<Result<Planned, Rejection>> {
        let planner = Planner {
            catalog: &Catalog::reference(),
            targets: &BTreeMap::new(),
            limits: &EntityLimits::default(),
            proving: &proving.iter().map(|target| target.parse().unwrap()).collect(),
            leases,
        };
        planner.plan_batch(admission)
    }

    fn claims(planned: &Result<Planned, Rejection>) -> Vec<(ClaimMode, String)> {
        let claims = planned.as_ref().unwrap().plan.claims.iter();
        claims.map(|claim| (claim.mode, claim.resource.to_string())).collect()
    }

    fn code(planned: &Result<Planned, Rejection>) -> ReasonCode {
        planned.as_ref().unwrap_err().code.clone()
    }

    #[test]
    fn a_plan_says_of_steps_and_of_authorities_whether_their_workers_repeat_proofs() {
        let proves = |proving: &[&str]| {
            let planned = planned(&admission(vec![assigned("1", "12065550100")], Holdings::new()), proving, true);
            let plan = &planned[0].as_ref().unwrap().plan;
            let steps = plan.steps.iter().map(|step| (step.target.to_string(), step.proves)).collect::<Vec<_>>();
            (steps, plan.claims[0].policy.authority_proves)
        };
        let steps = |hss, crm| vec![("hss".to_owned(), hss), ("crm".to_owned(), crm)];
        assert_eq!(proves(&["hss", "crm"]), (steps(true, true), true));
        assert_eq!(proves(&["crm"]), (steps(false, true), false), "another program serves the HSS");
        assert_eq!(proves(&[]), (steps(false, false), false));
    }

    #[test]
    fn an_event_that_releases_all_releases_what_an_earlier_event_of_its_batch_assigns() {
        let held: ResourceId = "msisdn/12065550199".parse().unwrap();
        let batch = vec![assigned("1", "12065550100"), terminated("2"), assigned("3", "12065550101")];
        let planned = planned(&admission(batch, Holdings::from([(held, Some(IMSI.to_owned()))])), &[], true);
        let released = claims(&planned[1]);
        assert!(released.contains(&(ClaimMode::Release, "msisdn/12065550199".to_owned())), "{released:?}");
        assert!(released.contains(&(ClaimMode::Release, "msisdn/12065550100".to_owned())), "{released:?}");
        assert!(!released.iter().any(|(_, resource)| resource.ends_with("101")), "a later event: {released:?}");
    }

    #[test]
    fn a_rejected_event_assigns_nothing_and_the_rest_of_its_batch_is_planned() {
        let strange = waiting("1", "number.assigned", &json!({ "imsi": IMSI }));
        let planned = planned(&admission(vec![strange, terminated("2")], Holdings::new()), &[], true);
        assert_eq!(code(&planned[0]), ReasonCode::from(ErrorCode::InvalidData));
        assert!(claims(&planned[1]).iter().all(|(_, resource)| !resource.starts_with("msisdn/")));
    }

    #[test]
    fn without_leases_a_plan_claims_nothing_and_its_steps_name_nothing() {
        let planned = planned(&admission(vec![assigned("1", "12065550100")], Holdings::new()), &[], false);
        let plan = &planned[0].as_ref().unwrap().plan;
        assert!(plan.claims.is_empty() && plan.first_use.is_empty());
        assert!(!plan.steps.is_empty() && plan.steps.iter().all(|step| step.resources.is_empty()));
    }

    #[test]
    fn all_events_of_a_tenant_that_was_off_boarded_are_rejected() {
        let admission = admission(vec![assigned("1", "12065550100"), terminated("2")], Holdings::new());
        let rejected = reject_batch_of_off_boarded_tenant(&admission);
        let codes: Vec<ReasonCode> = rejected.iter().map(code).collect();
        assert_eq!(codes, vec![ReasonCode::from(ErrorCode::TenantClosed); 2]);
    }

    #[test]
    fn the_plans_of_a_batch_fit_into_one_answer_and_the_rest_of_the_batch_is_left_to_the_next() {
        let number = |n| (format!("msisdn/1206{n:07}").parse().unwrap(), Some(IMSI.to_owned()));
        let held: Holdings = (0..490).map(number).collect();
        let mut left: Vec<EventToAdmit> = (0..16).map(|n| terminated(&n.to_string())).collect();
        let mut admissions = 0;
        while !left.is_empty() {
            let planned = planned(&admission(left.clone(), held.clone()), &[], true);
            let plans: Vec<&Plan> = planned.iter().map(|planned| &planned.as_ref().unwrap().plan).collect();
            let bytes = serde_json::to_vec(&plans).unwrap().len();
            assert!(
                bytes < 1024 * 1024,
                "Temporal takes no more than 2 MiB, and there are the answers to the claims: {bytes}"
            );
            assert!(!plans.is_empty(), "an admission that plans nothing would be repeated without end");
            left.drain(..plans.len());
            admissions += 1;
        }
        assert!(admissions > 1);
    }

    #[test]
    fn a_customer_takes_so_many_resources_and_not_one_more() {
        let number = |n: usize| (format!("msisdn/1206{n:07}").parse().unwrap(), Some(IMSI.to_owned()));
        let held: Holdings = (0..LEASES_MAX - 1).map(number).collect();
        let again = assigned("3", "12060000000");
        let batch = vec![assigned("1", "12075550100"), assigned("2", "12075550101"), again, terminated("4")];
        let planned = planned(&admission(batch, held), &[], true);
        assert!(planned[0].is_ok(), "the last one");
        assert_eq!(code(&planned[1]), ReasonCode::from(ErrorCode::LeasesFull));
        assert!(planned[2].is_ok(), "what it has takes no room");
        assert_eq!(code(&planned[3]), ReasonCode::from(ErrorCode::PlanTooLarge), "it releases, but too much at a time");
    }

    #[test]
    fn an_event_that_makes_a_plan_too_large_for_an_answer_is_rejected() {
        let each = "[resources.msisdn]\n[events.\"all.released\"]\nclaims = [{ mode = \"release\", resource = \"*\" }]\nsteps = [{ \
                    role = \"hss\", operation = \"release\", each = \"msisdn/*\", resources = [\"msisdn/{@held}\"], \
                    with = { settings = \"{settings}\" } }]\n[events.\"all.released\".data]\nrequired = [\"settings\"]\nproperties.settings = { type = \"object\" }\n";
        let number = |n| (format!("msisdn/1206{n:07}").parse().unwrap(), None);
        let event = waiting("1", "all.released", &json!({"settings": {"text": "x".repeat(12_000)}}));
        let catalog = Catalog::parse(each).unwrap();
        let planner = Planner {
            catalog: &catalog,
            targets: &BTreeMap::new(),
            limits: &EntityLimits::default(),
            proving: &BTreeSet::new(),
            leases: true,
        };
        let planned = planner.plan_batch(&admission(vec![event.clone(), event], (0..400).map(number).collect()));
        assert_eq!(planned.iter().map(code).collect::<Vec<_>>(), vec![ReasonCode::from(ErrorCode::PlanTooLarge); 2]);
    }

    #[test]
    fn the_party_of_a_claim_is_as_short_as_an_id() {
        let catalog = Catalog::parse(
            "[resources.n]\n[events.t]\nclaims = [{ mode = \"assign\", resource = \"n/1\", party = \"{who}\" }]\nsteps = [{ role = \
             \"a\", operation = \"x\", resources = [\"n/1\"] }]\n[events.t.data]\nrequired = [\"who\"]\nproperties.who = { type = \
             \"string\" }\n",
        );
        let planner = Planner {
            catalog: &catalog.unwrap(),
            targets: &BTreeMap::new(),
            limits: &EntityLimits::default(),
            proving: &BTreeSet::new(),
            leases: true,
        };
        let of = |bytes: usize| waiting("1", "t", &json!({"who": "w".repeat(bytes)}));
        let planned = planner.plan_batch(&admission(vec![of(250), of(251)], Holdings::new()));
        assert!(planned[0].is_ok());
        assert_eq!(code(&planned[1]), ReasonCode::from(ErrorCode::InvalidData));
    }
}
