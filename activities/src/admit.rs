//! Admission: plans events, and puts their tickets into the queues of the resources.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use interlock_client::{EntityCallError, Registration, request_id};
use interlock_domain::catalog::Forward;
use interlock_domain::customer::{Admission, AdmissionAnswer, Admitted};
use interlock_domain::ids::{ResourceId, TenantId};
use interlock_domain::message::{ClaimAnswer, Ticket};
use interlock_domain::planning::{Planner, reject_batch_of_off_boarded_tenant};
use interlock_domain::tenant::as_known;
use interlock_workflows::names;
use temporalio_sdk::activities::ActivityContext;

use crate::activity_request_id;
use crate::clock;
use crate::worker_context::WorkerContext;

/// How long to wait for the answers to all claims of a batch together.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How much earlier than that a resource considers its answer too late: a margin for the network and for clock differences.
const HEARD_MARGIN: Duration = Duration::from_secs(1);

/// Plans each event, forwards the second half of each event that makes two orders, and claims what the plans need.
///
/// # Errors
/// If Temporal did not accept a message. The whole call is safe to repeat.
pub(crate) async fn admit(
    worker: &WorkerContext,
    context: &ActivityContext,
    admission: Admission,
) -> Result<AdmissionAnswer, EntityCallError> {
    let tenant = &admission.customer.tenant;
    let news = worker.entities.tenant_news(tenant).await;
    let planned = if news.is_closed {
        reject_batch_of_off_boarded_tenant(&admission)
    } else {
        let planner = Planner {
            catalog: &worker.catalog,
            targets: &worker.entities.routing().tenant(tenant).targets,
            limits: &worker.limits,
            proving: &worker.proving,
            leases: worker.leases,
        };
        planner.plan_batch(&admission)
    };
    // The receiving customer must have its half before the giving half is recorded and thereby done.
    let forwards = planned.iter().flatten().filter_map(|planned| planned.forward.as_ref());
    try_join_all(forwards.map(|forward| pass_on(worker, tenant, forward))).await?;
    let deadline = Instant::now() + ANSWER_WITHIN;
    let admitted = admission.events.iter().zip(planned).map(|(waiting, planned)| {
        let admission = &admission;
        async move {
            let plan = match planned {
                Ok(planned) => planned.plan,
                Err(rejection) => return Ok(Admitted::Rejected { rejection }),
            };
            let tickets = admission.tickets(&waiting.key, &plan).into_iter();
            let claims = tickets.map(|ticket| claim(worker, context, tenant, ticket, deadline));
            let answers = try_join_all(claims).await?;
            Ok(Admitted::Planned { plan, answers })
        }
    });
    let admitted: Result<Vec<_>, EntityCallError> = join_all(admitted).await.into_iter().collect();
    let route = worker.entities.customer(tenant, &admission.customer.customer).route;
    // If the server does not answer, assume that they are registered: `bootstrap` registers them, and a server that answers rejects
    // unknown names. Without them, waiting orders would not be found.
    let attributes_registered = worker.entities.search_attributes().of(&route.namespace).await != Registration::Missing;
    let queue_assignment = worker.entities.routing().queue_assignment(&route);
    let configured = worker.entities.routing().tenant(tenant).subscribers();
    let subscriptions = Some(configured.into_iter().chain(as_known(&news.subscriptions)).collect());
    let (admitted, limits) = (admitted?, worker.limits);
    Ok(AdmissionAnswer { admitted, limits, attributes_registered, subscriptions, queue_assignment })
}

async fn pass_on(worker: &WorkerContext, tenant: &TenantId, forward: &Forward) -> Result<(), EntityCallError> {
    let receiving = worker.entities.customer(tenant, &forward.customer);
    let request_id = request_id::of_message(&["forward", forward.order.as_str()], &receiving, &forward.event)?;
    worker.entities.signal_with_start(&receiving, names::SUBMIT, &forward.event, &request_id).await
}

/// Claims one resource, by an update that the resource answers. If no answer comes, sends the same ticket as a message.
async fn claim(
    worker: &WorkerContext,
    context: &ActivityContext,
    tenant: &TenantId,
    (resource, ticket): (ResourceId, Ticket),
    deadline: Instant,
) -> Result<(ResourceId, ClaimAnswer), EntityCallError> {
    let entity = worker.entities.resource(tenant, &resource);
    let queue = &entity.route.task_queue;
    let now = Instant::now();
    if now < deadline && worker.answers.may_ask(queue, now) {
        let update_id = activity_request_id::of_part(context, ticket.id.as_str(), &entity, &ticket)?;
        let heard_for = deadline.saturating_duration_since(now).saturating_sub(HEARD_MARGIN);
        let asking = Ticket { answer_by: Some(clock::now().plus_ms(clock::millis(heard_for))), ..ticket.clone() };
        let asked = worker.entities.claim(&entity, &asking, &update_id);
        match tokio::time::timeout_at(deadline.into(), asked).await {
            Ok(Ok(answer)) => return Ok((resource, answer)),
            Ok(Err(error)) => tracing::warn!(code = %error.code(), %error, "a claim was not answered"),
            Err(_) => tracing::warn!(task_queue = %queue, "a claim was not answered in time"),
        }
        worker.answers.not_answered(queue, Instant::now());
    }
    let request_id = activity_request_id::of_part(context, &format!("message {}", ticket.id), &entity, &ticket)?;
    let message = worker.entities.envelope(&entity, &ticket).sent_at(clock::now());
    worker.entities.signal_with_start(&entity, names::CLAIM, &message, &request_id).await?;
    Ok((resource, ClaimAnswer::NotAnswered))
}
