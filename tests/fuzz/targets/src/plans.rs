//! Planning as the activity `admit` does it, and what every plan promises.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::catalog::{Catalog, PLAN_PARTS_MAX, Planned};
use interlock_domain::customer::{Admission, AdmissionAnswer, Admitted};
use interlock_domain::event::{EVENT_BYTES_MAX, Event};
use interlock_domain::ids::{Epoch, ResourceId};
use interlock_domain::limits::EntityLimits;
use interlock_domain::message::{ClaimAnswer, Ticket};
use interlock_domain::order::{Plan, Rejection};
use interlock_domain::planning::Planner;
use interlock_domain::subscription::{Subscription, SubscriptionSettings};

use crate::explained;

/// The most that an activity may answer, in bytes of JSON: Temporal refuses payloads above 2 MiB, and there is more in the answer.
const ANSWER_BYTES_MAX: usize = 3 * 512 * 1024;

/// Plans a batch, and checks each plan.
pub(crate) fn plan_batch(catalog: &Catalog, admission: &Admission) -> Vec<Result<Planned, Rejection>> {
    let (targets, limits, proving) = (BTreeMap::new(), EntityLimits::default(), BTreeSet::new());
    let planner = Planner { catalog, targets: &targets, limits: &limits, proving: &proving, leases: true };
    let planned = planner.plan_batch(admission);
    assert!(planned.len() <= admission.events.len() && (!planned.is_empty() || admission.events.is_empty()));
    let mut bytes = 0;
    for (waiting, planned) in admission.events.iter().zip(&planned) {
        match planned {
            Ok(planned) => {
                bytes += sound(&planned.plan);
                if let Some(forward) = &planned.forward {
                    // The receiving customer's entity reads it as it reads any event.
                    let other = Event::from_value(&forward.event, EVENT_BYTES_MAX).unwrap_or_else(|rejection| {
                        panic!("what is passed on is rejected: {rejection}");
                    });
                    assert_eq!(other.subject, forward.customer);
                    assert_eq!(catalog.order_id(&admission.customer.tenant, &other), forward.order);
                    assert_ne!(other.subject, waiting.event.subject);
                }
            }
            Err(rejection) => explained::rejected(rejection),
        }
    }
    assert!(bytes <= ANSWER_BYTES_MAX, "the plans of a batch have {bytes} bytes");
    planned
}

/// What [`Planned::plan`] promises. Returns its size in bytes of JSON.
fn sound(plan: &Plan) -> usize {
    let claimed: BTreeSet<&ResourceId> = plan.claims.iter().map(|claim| &claim.resource).collect();
    assert_eq!(claimed.len(), plan.claims.len(), "a resource is claimed twice");
    let names: BTreeSet<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names.len(), plan.steps.len(), "two steps have the same name");
    assert!(plan.claims.len() <= PLAN_PARTS_MAX && plan.steps.len() <= PLAN_PARTS_MAX);
    for (index, step) in plan.steps.iter().enumerate() {
        assert!(step.after.iter().all(|before| *before < index), "{} comes before a step that it is after", step.name);
        assert!(step.resources.iter().all(|resource| claimed.contains(resource)), "{} acts without a claim", step.name);
    }
    let json = serde_json::to_vec(plan).unwrap_or_else(|fault| panic!("a plan cannot be written: {fault}"));
    let read: Plan = serde_json::from_slice(&json).unwrap_or_else(|fault| panic!("a plan cannot be read: {fault}"));
    assert_eq!(read, *plan, "a plan reads otherwise than it was written");
    json.len()
}

/// The answer to an admission; `answer` says what the resources answer to its tickets.
pub(crate) fn admit(
    catalog: &Catalog,
    admission: &Admission,
    mut answer: impl FnMut(&Ticket) -> ClaimAnswer,
) -> AdmissionAnswer {
    let planned = plan_batch(catalog, admission);
    let admitted = admission.events.iter().zip(planned).map(|(waiting, planned)| match planned {
        Ok(Planned { plan, .. }) => {
            let tickets = admission.tickets(&waiting.key, &plan);
            let answers = tickets.into_iter().map(|(resource, ticket)| (resource, answer(&ticket))).collect();
            Admitted::Planned { plan, answers }
        }
        Err(rejection) => Admitted::Rejected { rejection },
    });
    AdmissionAnswer {
        admitted: admitted.collect(),
        limits: EntityLimits::default(),
        attributes_registered: true,
        subscriptions: Some(vec![receiver()]),
        queue_assignment: None,
    }
}

/// A subscription to everything about orders.
fn receiver() -> Subscription {
    let settings = SubscriptionSettings {
        target: "hook".parse().expect("a constant that is a target"),
        types: BTreeSet::new(),
        event_types: BTreeSet::new(),
        step_targets: BTreeSet::new(),
        customers: BTreeSet::new(),
    };
    Subscription { id: "crm".parse().expect("a constant that is an id"), settings }
}

/// The answer of a resource that nobody else wants.
pub(crate) fn granted(epoch: u64) -> ClaimAnswer {
    ClaimAnswer::Granted { epoch: Epoch(epoch), registered: false, recall: None }
}
