//! One attempt to deliver a batch of events to a subscription's receiver.
//!
//! The events go out one after the other, and the next one only when the receiver has taken the one before. A heartbeat keeps how many were
//! taken, so that the next attempt continues there. An event may be sent twice, under the same id: if the receiver's answer or the heartbeat
//! is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use interlock_client::{EntityCallError, names};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::CustomerRef;
use interlock_domain::observation::Observation;
use interlock_domain::outcome::Outcome;
use interlock_domain::outgoing::OutgoingBatch;
use interlock_domain::retry::{RetryPolicy, Wait};
use interlock_domain::subscription::subscription_of;
use interlock_domain::target_entity::{TargetAction, TargetActionKind};
use interlock_domain::tenant::{TenantAction, TenantActionKind};
use interlock_domain::views::{TargetActionAnswer, TenantActionAnswer};
use interlock_workflows::activity_options::DELIVERY_TIMEOUT;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use uuid::Uuid;

use crate::breaker::LetsNothingThrough;
use crate::clock::millis;
use crate::heartbeat::Progress;
use crate::provision::again;
use crate::worker_context::WorkerContext;

/// Who pauses a receiver that wants no more, in the history of its target.
const ACTOR: &str = "interlock";
/// The pause before an attempt that goes on where this one stopped for want of time.
const MOMENT: Duration = Duration::from_millis(50);

/// Delivers the events of a batch.
///
/// # Errors
/// A retryable failure if the receiver has not taken all of them. Its type is the outcome class.
pub(crate) async fn deliver(
    worker: &WorkerContext,
    context: &ActivityContext,
    batch: &OutgoingBatch,
) -> Result<(), ActivityError> {
    let adapter = match worker.adapters.get(&batch.target) {
        Ok(adapter) => adapter,
        Err(error) => {
            let delay = pause(context, batch, Wait::Pause);
            return Err(again(ErrorCode::TargetUnknown.as_str(), error.to_string(), Some(delay)));
        }
    };
    let breaker = worker.breakers.of(&batch.target);
    let sender = CustomerRef { tenant: batch.tenant.clone(), customer: batch.customer.clone() };
    let began = Instant::now();
    let taken = AtomicUsize::new(taken_before(context, batch));
    let progress = Progress::new(context, &taken);
    let work = async {
        for event in batch.events.iter().skip(taken.load(Ordering::Relaxed)) {
            if began.elapsed() > DELIVERY_TIMEOUT / 2 {
                let detail = "The attempt ends, so that the next one delivers the rest.";
                return Err(again("unfinished", detail, Some(MOMENT)));
            }
            let sent = Instant::now();
            let delivered = breaker.call(&batch.customer, &adapter, adapter.deliver(&sender, event)).await;
            let outcome = delivered.map_err(|LetsNothingThrough| {
                let detail = "The receiver is not called at the moment: too many calls to it failed in a row.";
                again("unavailable", detail, Some(breaker.open_for()))
            })?;
            let (target, class, took_ms) = (batch.target.clone(), outcome.class(), millis(sent.elapsed()));
            worker.observer.observe(&Observation::StepAttempted { target, outcome: class, took_ms });
            conclude(worker, context, batch, outcome).await?;
            taken.fetch_add(1, Ordering::Relaxed);
            if context.is_cancelled() {
                return Err(again("interrupted", "The delivery was cancelled between two events.", None));
            }
        }
        Ok(())
    };
    let ended = progress.alive(work).await;
    if ended.is_err() {
        progress.beat().await;
    }
    ended
}

/// How many events of the batch earlier attempts delivered.
fn taken_before(context: &ActivityContext, batch: &OutgoingBatch) -> usize {
    let kept = context.heartbeat_details().deserialize::<Option<usize>>().ok().flatten().flatten();
    kept.unwrap_or_default().min(batch.events.len())
}

/// Fails the attempt unless the receiver has taken the event.
async fn conclude(
    worker: &WorkerContext,
    context: &ActivityContext,
    batch: &OutgoingBatch,
    outcome: Outcome,
) -> Result<(), ActivityError> {
    let wait = match &outcome {
        Outcome::Done | Outcome::AlreadyDone => return Ok(()),
        Outcome::Permanent { code, .. } if *code == ErrorCode::SubscriptionEnded => {
            stop(worker, batch).await;
            Wait::Pause
        }
        outcome => outcome.retry_after_ms().map_or(Wait::Pause, Wait::AskedFor),
    };
    tracing::info!(target = %batch.target, outcome = outcome.class(), "a receiver did not take an event");
    let detail = serde_json::to_string(&outcome).unwrap_or_else(|_| outcome.class().to_owned());
    Err(again(outcome.class(), detail, Some(pause(context, batch, wait))))
}

fn pause(context: &ActivityContext, batch: &OutgoingBatch, wait: Wait) -> Duration {
    Duration::from_millis(RetryPolicy::default().delay_ms(context.info().attempt, &batch.proof, wait))
}

/// Ends a subscription whose receiver wants no more events. One that the tenant made itself is removed. For one in the settings the receiver is
/// paused: a person removes the subscription, or resumes the target.
async fn stop(worker: &WorkerContext, batch: &OutgoingBatch) {
    // Not the same each time: a receiver that a person resumed may say it again.
    let action_id = format!("gone {}", Uuid::new_v4());
    if subscription_of(&batch.target).is_some() {
        let kind = TenantActionKind::Unsubscribe { id: batch.subscription.clone() };
        let reason = "The receiver answered 410: it wants no more events.".to_owned();
        let action = TenantAction { action_id, kind, actor: ACTOR.to_owned(), reason, outlook: None };
        let entity = worker.entities.tenant(&batch.tenant);
        let update_id = action.mark().to_string();
        let removed: Result<TenantActionAnswer, EntityCallError> =
            worker.entities.update_with_start(&entity, names::ACT, &action, &update_id).await;
        if let Err(error) = removed {
            tracing::error!(tenant = %batch.tenant, %error, "cannot remove a subscription whose receiver wants no more events");
        }
        return;
    }
    let action = TargetAction {
        action_id,
        kind: TargetActionKind::Pause { until: None },
        actor: ACTOR.to_owned(),
        reason: format!(
            "The receiver of the subscription '{}' of the tenant {} answered 410: it wants no more events. Remove the \
             subscription, or resume this target.",
            batch.subscription, batch.tenant
        ),
    };
    let paused: Result<TargetActionAnswer, EntityCallError> = worker.targets.act(&batch.target, &action).await;
    if let Err(error) = paused {
        // The next attempt asks the receiver, and then tries again.
        tracing::error!(target = %batch.target, %error, "cannot pause a receiver that wants no more events");
    }
}
