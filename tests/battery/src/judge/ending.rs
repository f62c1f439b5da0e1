//! P3, P9 and the drain: each accepted event ends, in bounded time, and every wait can be explained.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use interlock_domain::ids::OrderId;
use interlock_operations::inspection::{Inspection, InspectionError};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::{Evidence, Verdict};
use crate::load::producers::Accepted;

/// How often an order is asked about again whose customer did not answer: thousands are asked at once.
const ASKED_AGAIN: usize = 5;
/// The pause before that.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(5);
/// How many orders are asked about at the same time.
const AT_A_TIME: usize = 8;

/// Each accepted event has reached a final state.
pub(super) async fn once(evidence: &Evidence<'_>) -> Verdict {
    let inspection = Inspection::new(evidence.stage.platform.installation.clone());
    let asked = stream::iter(evidence.accepted).map(|accepted| {
        let inspection = &inspection;
        async move { (accepted, state(evidence, inspection, accepted).await) }
    });
    let states: Vec<(&Accepted, Result<String, String>)> = asked.buffer_unordered(AT_A_TIME).collect().await;
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut violations = Vec::new();
    for (accepted, state) in states {
        match state {
            Ok(state) => *ends.entry(state).or_default() += 1,
            Err(fault) => violations.push(format!("{} ({}): {fault}", accepted.order, accepted.event_type)),
        }
    }
    let ends: Vec<String> = ends.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    let checked = format!("{} accepted events: {}", evidence.accepted.len(), ends.join(", "));
    Verdict { violations, ..Verdict::new("P3 durable", checked) }
}

async fn state(evidence: &Evidence<'_>, inspection: &Inspection, accepted: &Accepted) -> Result<String, String> {
    let order: OrderId = accepted.order.parse().map_err(|error| format!("{error}"))?;
    let mut answer = inspection.order(&evidence.tenants[accepted.tenant].id, &order).await;
    for _again in 0..ASKED_AGAIN {
        if !matches!(answer, Err(InspectionError::NoWorker(_))) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        answer = inspection.order(&evidence.tenants[accepted.tenant].id, &order).await;
    }
    let view = match answer {
        Ok(view) => view,
        // What ended in a life that was terminated is not known to the next one. What had not ended was recovered.
        Err(InspectionError::NeverSeen(_)) if was_received_before_a_termination(evidence, accepted) => {
            return Ok("ended before a termination".to_owned());
        }
        Err(error) => return Err(error.to_string()),
    };
    match view.state.known() {
        Some(state) if !state.is_terminal() => {
            Err(format!("it is {} and does not end: {:?}", state.as_str(), view.waiting_for))
        }
        _ => Ok(view.state.to_string()),
    }
}

/// Whether an event is in the history of a run that was terminated, or that continued in one.
fn was_received_before_a_termination(evidence: &Evidence<'_>, accepted: &Accepted) -> bool {
    let customer = (accepted.tenant, accepted.customer.as_str());
    let is_terminated = evidence.done.to_recover.iter().any(|(tenant, id)| (*tenant, id.as_str()) == customer);
    let tenant = evidence.tenants[accepted.tenant].id.as_str();
    let workflow_id = format!("{tenant}/customer/{}", accepted.customer);
    let id = format!("\"id\":\"{}\"", accepted.event);
    is_terminated
        && evidence.recorded.iter().filter(|recorded| recorded.run.workflow_id == workflow_id).any(|recorded| {
            recorded.history.events.iter().any(|event| match &event.attributes {
                Some(Attributes::WorkflowExecutionSignaledEventAttributes(signaled)) => {
                    let payloads = signaled.input.iter().flat_map(|input| &input.payloads);
                    payloads.into_iter().any(|payload| String::from_utf8_lossy(&payload.data).contains(&id))
                }
                _ => false,
            })
        })
}

/// Every question for the reason of a wait was answered, while the servers answered at all.
pub(super) fn explained(evidence: &Evidence<'_>) -> Verdict {
    let asked = evidence.tally.get("why");
    let mut verdict = Verdict::new("P9 explainable", format!("{} of {} questions answered", asked.hit, asked.done));
    // While the server or all workers of a pool are away, nobody can answer.
    if asked.done >= 10 && asked.hit * 2 < asked.done {
        verdict.violated(format!("only {} of {} questions why an order waits were answered", asked.hit, asked.done));
    }
    verdict
}

/// After the last event and the last fault, everything ended in time.
pub(super) fn drained(evidence: &Evidence<'_>) -> Verdict {
    let checked = match evidence.drained {
        Some(time) => format!("nothing was open after {} s", time.as_secs()),
        None => "something is still open".to_owned(),
    };
    let violations = if evidence.drained.is_some() { Vec::new() } else { evidence.left.clone() };
    Verdict { violations, ..Verdict::new("bounded drain", checked) }
}
