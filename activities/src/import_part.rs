//! Writes a list of holders to the ledger, line by line. A worker that is stopping starts no more lines; another worker continues.
//!
//! Each heartbeat carries the progress, so that the next attempt continues there. Lines that were sent but not recorded are sent again
//! with the same update id and get the same answer, so the counts stay exact.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use interlock_client::EntityCallError;
use interlock_domain::attempt::INTERRUPTED;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, CustomerRef, ResourceId, TenantId};
use interlock_domain::import::{LineProblem, ListedLease, PartReport};
use interlock_domain::order::Rejection;
use interlock_domain::resource::{Import, ImportAnswer};
use interlock_workflows::{PartInput, ResourceAction, names, unpack};
use serde::{Deserialize, Serialize};
use serde_json::json;
use temporalio_common::data_converters::PayloadConversionError;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::activity_request_id;
use crate::provision::again;
use crate::worker_context::WorkerContext;

/// How many lines of a part are sent at a time. This is small compared with the hundreds of workflow tasks that a worker runs at a
/// time, so that live orders keep their share.
const LINES_AT_ONCE: usize = 16;
/// How long to wait for a resource's answer. Without a worker, no resource answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The pause before another worker continues this part.
const AT_ONCE: Duration = Duration::from_millis(100);
/// The pause between the heartbeats that report the progress.
const SIGN_EVERY: Duration = Duration::from_secs(1);

/// The progress of a part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Reached {
    /// The number of finished lines, from the first.
    lines: usize,
    /// The results of these lines.
    report: PartReport,
}

/// The result of a line.
enum Line {
    Seeded,
    Unchanged,
    Refused(Rejection),
}

/// Imports a part, starting where the previous attempt stopped.
///
/// # Errors
/// A retryable failure if Temporal or a resource does not answer, if the attempt is cancelled, or if its worker drains.
pub(crate) async fn import_part(
    worker: &WorkerContext,
    context: &ActivityContext,
    input: PartInput,
) -> Result<PartReport, ActivityError> {
    let PartInput { tenant, part } = input;
    let lines = unpack(&part.data).map_err(|fault| again("part_unreadable", fault.to_string(), None))?;
    let mut reached = reached_before(context);
    let (total, cancelled) = (lines.len(), context.cancelled());
    let told = lines.into_iter().skip(reached.lines).map(|line| {
        let tenant = &tenant;
        async move { (line.line, import_line(worker, context, tenant, &line).await) }
    });
    // In the order of the list, so that a number is enough to record the progress. Lines in flight are always awaited.
    let mut told = std::pin::pin!(stream::iter(told).take_until(cancelled).buffered(LINES_AT_ONCE));
    let mut signs = tokio::time::interval(SIGN_EVERY);
    loop {
        tokio::select! {
            line = told.next() => match line {
                None if reached.lines >= total => return Ok(reached.report),
                None => {
                    say(context, &reached).await;
                    let detail = format!("The attempt was cancelled after {} of {total} lines.", reached.lines);
                    return Err(again(INTERRUPTED, detail, Some(AT_ONCE)));
                }
                Some((number, Ok(became))) => reached.take(number, became),
                Some((_, Err(error))) => {
                    say(context, &reached).await;
                    tracing::warn!(code = %error.code(), %error, "an import waits");
                    return Err(again(error.code().as_str(), error.to_string(), None));
                }
            },
            _ = signs.tick() => say(context, &reached).await,
        }
    }
}

impl Reached {
    fn take(&mut self, line: u64, became: Line) {
        self.lines += 1;
        let tally = &mut self.report.tally;
        match became {
            Line::Seeded => tally.seeded += 1,
            Line::Unchanged => tally.unchanged += 1,
            Line::Refused(Rejection { code, detail, .. }) => {
                let is_conflict = code == ErrorCode::LeaseHeld || code == ErrorCode::LeaseMovedOn;
                *(if is_conflict { &mut tally.conflicts } else { &mut tally.bad }) += 1;
                self.report.problem(LineProblem { line, code, detail });
            }
        }
    }
}

/// Sends a heartbeat with the progress.
async fn say(context: &ActivityContext, reached: &Reached) {
    let said: Result<(), PayloadConversionError> = context.record_heartbeat(Some(reached.clone())).await;
    if let Err(error) = said {
        tracing::error!(%error, "cannot write a heartbeat");
    }
}

/// The progress of the previous attempts.
fn reached_before(context: &ActivityContext) -> Reached {
    match context.heartbeat_details().deserialize::<Option<Reached>>() {
        Ok(reached) => reached.flatten().unwrap_or_default(),
        Err(error) => {
            // All lines may be sent again.
            tracing::warn!(%error, "cannot read the heartbeat of the previous attempt");
            Reached::default()
        }
    }
}

/// Sends the line to the resource, and makes its holder ask the resource for its lease.
async fn import_line(
    worker: &WorkerContext,
    context: &ActivityContext,
    tenant: &TenantId,
    line: &ListedLease,
) -> Result<Line, EntityCallError> {
    let (resource, holder) = match understood(worker, tenant, line) {
        Ok(understood) => understood,
        Err(rejection) => return Ok(Line::Refused(rejection)),
    };
    let entities = &worker.entities;
    let entity = entities.resource(tenant, &resource);
    let policy = worker.catalog.policy(resource.kind(), &entities.routing().tenant(tenant).targets, &worker.limits);
    let policy = policy.with_proofs(|target| worker.proving.contains(target));
    let action = ResourceAction::Import(Import { holder: holder.clone(), policy });
    let update_id = activity_request_id::of_part(context, &format!("line {}", line.line), &entity, &action)?;
    let asked = entities.update_with_start::<_, ImportAnswer>(&entity, names::ACT, &action, &update_id);
    let not_answered = || EntityCallError::NotAnswered { workflow_id: entity.route.workflow_id.clone() };
    let answer = tokio::time::timeout(ANSWER_LIMIT, asked).await.map_err(|_| not_answered())??;
    let became = match answer {
        ImportAnswer::Seeded { .. } => Line::Seeded,
        ImportAnswer::Unchanged { untold: true, .. } => Line::Unchanged,
        ImportAnswer::Unchanged { untold: false, .. } => return Ok(Line::Unchanged),
        ImportAnswer::Held { by } => {
            return Ok(Line::Refused(Rejection::new(ErrorCode::LeaseHeld, format!("{by} holds it"))));
        }
        ImportAnswer::MovedOn => {
            let detail = "no one holds it according to the ledger, which is newer than the list";
            return Ok(Line::Refused(Rejection::new(ErrorCode::LeaseMovedOn, detail)));
        }
    };
    // The holder's entity asks the resource for its leases and gets the answer. Only so does the resource know that the holder was
    // informed.
    let customer = entities.customer(tenant, &holder.customer);
    let question = json!({ "resource": resource });
    let request_id = activity_request_id::of_part(context, &format!("holder {}", line.line), &customer, &question)?;
    entities.signal_with_start(&customer, names::REASSERT, &question, &request_id).await?;
    Ok(became)
}

/// The resource and the customer of a line.
fn understood(
    worker: &WorkerContext,
    tenant: &TenantId,
    line: &ListedLease,
) -> Result<(ResourceId, CustomerRef), Rejection> {
    let resource = worker.catalog.listed(&line.kind, &line.id)?;
    let customer: CustomerId = line
        .customer
        .parse()
        .map_err(|error| Rejection::new(ErrorCode::BadId, format!("the customer id is invalid: {error}")))?;
    Ok((resource, CustomerRef { tenant: tenant.clone(), customer }))
}
