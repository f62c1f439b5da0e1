//! Translating the events of a producer: the adapter of targets with `adapter = "intake"`.
//!
//! A producer's event is accepted as an *intake event*, an event of the catalog whose only step is at such a target
//! (`interlock_adapters::mapping` says how). So it is durable before anybody is asked, it has its place among the events with the same
//! subject, it waits while the producer's API is away, and a person can see, hold, retry and amend it like any order.
//!
//! The step asks what the event does not say, asks the ledger who holds the resource, and submits the events that follow. Their ids
//! follow from that of the intake event, so a repeated attempt doubles nothing. A rule with `waits = true` keeps the step open until
//! their orders have ended (a [job](Outcome::Accepted)): the next event with the same subject is then compared with what this one led to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use interlock_adapters::mapping::{IntakeEvent, Known, LedgerHolder, Mapping, NotTranslated, Translation};
use interlock_adapters::{
    Adapter, AdapterKind, AdapterRegistry, Call, Capabilities, Fence, OnAmbiguous, TargetSettings, Verification,
};
use interlock_connection::Installation;
use interlock_domain::attempt::JobAnswer;
use interlock_domain::customer::OrderView;
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::event::Event;
use interlock_domain::event_result::EventStatus;
use interlock_domain::ids::{OrderId, ResourceId, TargetId, TenantId};
use interlock_domain::order::{OrderState, Rejection};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::resource::HolderView;
use interlock_fault::Fault;
use serde_json::Value;

use crate::ingest::Ingest;
use crate::inspection::{Inspection, InspectionError};

/// The pause between two looks at the orders that an event made.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an order that an event made may wait for a lease before the event is translated again: the producer may have changed its
/// mind, and the present holder must then give the resource up. Translating again doubles nothing.
const LEASE_PATIENCE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
/// The part of an attempt's time that is kept for submitting.
const SUBMIT_RESERVE: Duration = Duration::from_secs(2);
/// The longest name of a job, in bytes.
const JOB_BYTES_MAX: usize = 500;
/// The only operation of such a target.
const TRANSLATE: &str = "translate";

/// Adds the adapters of all targets that translate events.
///
/// # Errors
/// [`Fault`] `mapping_unreadable`, `mapping_faulty`, or that of a producer without an adapter.
pub fn add_adapters(installation: &Installation, adapters: &AdapterRegistry) -> Result<(), Fault> {
    for (target, settings) in &installation.settings.targets {
        if settings.adapter == AdapterKind::Intake {
            adapters.insert(target.clone(), Arc::new(IntakeAdapter::new(installation, target, settings, adapters)?));
        }
    }
    Ok(())
}

/// The mapping of a target that translates events.
///
/// # Errors
/// [`Fault`] `mapping_unreadable` or `mapping_faulty`.
pub fn mapping_of(target: &TargetId, settings: &TargetSettings) -> Result<Mapping, Fault> {
    let file = settings.file.as_deref().ok_or_else(|| {
        let message = format!("The target '{target}' needs the file of a mapping.");
        Fault::wrong_use(ErrorCode::MappingUnreadable, message)
    })?;
    Mapping::read(file).map_err(|error| Fault::wrong_use(error.code(), format!("The target '{target}': {error}.")))
}

/// Translates the events of a producer.
pub struct IntakeAdapter {
    mapping: Mapping,
    /// Whom to ask for what the events do not say.
    producer: Option<Arc<dyn Adapter>>,
    installation: Installation,
    ingest: Ingest,
    inspection: Inspection,
}

impl IntakeAdapter {
    /// Reads the mapping; it connects to nothing.
    ///
    /// # Errors
    /// As [`add_adapters`].
    pub fn new(
        installation: &Installation,
        target: &TargetId,
        settings: &TargetSettings,
        adapters: &AdapterRegistry,
    ) -> Result<Self, Fault> {
        let producer = settings.producer.as_ref().map(|producer| adapters.get(producer)).transpose();
        let producer = producer.map_err(|error| Fault::wrong_use(error.code(), format!("{error}.")))?;
        Ok(Self {
            mapping: mapping_of(target, settings)?,
            producer,
            installation: installation.clone(),
            ingest: Ingest::new(installation.clone()),
            inspection: Inspection::new(installation.clone()),
        })
    }

    async fn translate(&self, call: &Call) -> Result<Outcome, Outcome> {
        if call.operation != TRANSLATE {
            let detail = format!("a target that translates events has the operation '{TRANSLATE}' only");
            return Err(Outcome::Permanent { code: ErrorCode::UnknownOperation.into(), detail });
        }
        let (id, event) = intake_event(call)?;
        let translation = self.mapping.translation(&event.event_type).ok_or_else(|| Outcome::Permanent {
            code: ErrorCode::EventTypeNotMapped.into(),
            detail: format!("the mapping has no rule for events of the type '{}'", event.event_type),
        })?;
        let known = self.learn(call, translation, Known::new(id, event)).await?;
        let events = translation.events(&known).map_err(not_translated)?;
        if events.is_empty() {
            return Ok(Outcome::Done);
        }
        let orders = self.submit(&call.tenant, events).await?;
        Ok(if translation.waits() { waiting_for(&orders) } else { Outcome::Done })
    }

    /// Asks the producer and the ledger.
    async fn learn(&self, call: &Call, translation: &Translation, mut known: Known) -> Result<Known, Outcome> {
        let deadline = Instant::now() + call.timeout.saturating_sub(SUBMIT_RESERVE).max(call.timeout / 2);
        for look_up in translation.look_ups() {
            let Some(arguments) = look_up.arguments(&known).map_err(not_translated)? else { continue };
            let producer = self.producer.as_ref().ok_or_else(|| Outcome::Permanent {
                code: ErrorCode::UnknownQuery.into(),
                detail: "the mapping asks the producer, but the target's settings do not name it ('producer')"
                    .to_owned(),
            })?;
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = producer.query(&call.tenant, look_up.query(), &arguments, left).await?;
            known.add_found(look_up.name(), answer);
        }
        if let Some((kind, id)) = translation.resource(&known).map_err(not_translated)? {
            let resource = self.installation.catalog.listed(&kind, &id).map_err(rejected)?;
            known.add_ledger(self.holder(&call.tenant, &resource).await?);
        }
        Ok(known)
    }

    async fn holder(&self, tenant: &TenantId, resource: &ResourceId) -> Result<LedgerHolder, Outcome> {
        match self.inspection.resource(tenant, resource).await {
            Ok(view) => {
                // Another tenant's customer is nobody here: what it holds is waited for, and cannot be taken from it.
                let is_own = |of: &HolderView| of.tenant_id.as_ref().is_none_or(|other| other == tenant);
                let known = view.holder.filter(is_own).map(|holder| LedgerHolder {
                    holder: holder.customer_id.map(|customer| customer.to_string()),
                    party: holder.target_identity.and_then(|party| party.shown().cloned()),
                });
                Ok(known.unwrap_or_default())
            }
            Err(InspectionError::NeverSeen(_)) => Ok(LedgerHolder::default()),
            Err(error) => Err(Outcome::Transient { detail: format!("the ledger cannot be asked: {error}") }),
        }
    }

    /// Submits the events, and returns the orders that they make.
    async fn submit(&self, tenant: &TenantId, events: Vec<Value>) -> Result<Vec<OrderId>, Outcome> {
        let mut orders = Vec::new();
        for event in &events {
            let read = Event::from_value(event, self.ingest.event_bytes_max()).map_err(rejected)?;
            // All of them are checked before the first is submitted.
            orders.extend(self.installation.catalog.orders_of(tenant, &read).map_err(rejected)?);
        }
        for result in self.ingest.batch(tenant, events).await.results {
            let detail = result.detail.unwrap_or_default();
            match (result.status, result.code) {
                (EventStatus::Accepted, _) => {}
                (EventStatus::Rejected, Some(code)) => return Err(Outcome::Permanent { code, detail }),
                _ => return Err(Outcome::Transient { detail: format!("an event was not accepted: {detail}") }),
            }
        }
        Ok(orders)
    }

    /// What became of the orders of a job.
    async fn look(&self, tenant: &TenantId, job: &str) -> JobAnswer {
        let (mut open, mut unseen) = (None, false);
        for name in job.split_whitespace() {
            let Ok(order) = name.parse::<OrderId>() else {
                return JobAnswer::Unknown { detail: "the orders of the event are not known any more".to_owned() };
            };
            match self.inspection.order(tenant, &order).await {
                Ok(view) => match so_far(&view) {
                    SoFar::Ended => {}
                    SoFar::Open(detail) => open = open.or(Some(detail)),
                    SoFar::Over(outcome) => return JobAnswer::Ended(outcome),
                },
                // The receiving half of an order that was not planned yet; after that it is there, or never comes.
                Err(InspectionError::NeverSeen(_)) => unseen = true,
                Err(InspectionError::NoLongerKept(_) | InspectionError::SeenOrForgotten(_)) => {}
                Err(error) => {
                    let detail = format!("the order {order} cannot be shown: {error}");
                    return JobAnswer::NotTold(Outcome::Transient { detail });
                }
            }
        }
        match open {
            Some(detail) => JobAnswer::Running { poll_after_ms: Some(look_every_ms()), detail },
            None if unseen && job.split_whitespace().count() == 1 => JobAnswer::Running {
                poll_after_ms: Some(look_every_ms()),
                detail: "its order is on its way".to_owned(),
            },
            None => JobAnswer::Ended(Outcome::Done),
        }
    }
}

/// What became of an order.
enum SoFar {
    /// It has ended, however.
    Ended,
    /// It has not.
    Open(String),
    /// The job is over with this outcome.
    Over(Outcome),
}

fn so_far(view: &OrderView) -> SoFar {
    let order = &view.order_id;
    let state = view.state.known();
    if state == Some(OrderState::Rejected) {
        let code = view.code.clone().map_or_else(|| ErrorCode::EventNotTranslated.into(), ReasonCode::of_target);
        let detail = view.detail.clone().unwrap_or_default();
        return SoFar::Over(Outcome::Permanent { code, detail: format!("the order {order} was rejected: {detail}") });
    }
    if state.is_some_and(OrderState::is_terminal) {
        return SoFar::Ended;
    }
    let Some(wait) = &view.waiting_for else { return SoFar::Open(format!("the order {order} is not done yet")) };
    let since = DateTime::parse_from_rfc3339(wait.since()).ok();
    let is_long = since.is_some_and(|since| Utc::now().signed_duration_since(since) > LEASE_PATIENCE);
    if is_long && wait.kind().known() == Some(WaitKind::Lease) {
        let detail = format!("the order {order} waits for a lease: the event is translated again");
        return SoFar::Over(Outcome::Transient { detail });
    }
    SoFar::Open(format!("the order {order} is not done yet"))
}

/// The outcome of a step that waits for these orders.
fn waiting_for(orders: &[OrderId]) -> Outcome {
    let mut job = String::new();
    for order in orders.iter().map(OrderId::as_str) {
        // Names that do not fit are those of very long customer ids: the orders that fit are waited for.
        if job.len() + order.len() + 1 < JOB_BYTES_MAX {
            job.push_str(if job.is_empty() { "" } else { " " });
            job.push_str(order);
        }
    }
    let detail = "the orders that it made have not ended yet".to_owned();
    if job.is_empty() {
        return Outcome::Done;
    }
    Outcome::Accepted { job, poll_after_ms: Some(look_every_ms()), detail }
}

fn look_every_ms() -> u64 {
    u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(u64::MAX)
}

/// The id of the intake event, and the producer's event in its data.
fn intake_event(call: &Call) -> Result<(String, IntakeEvent), Outcome> {
    let unusable = |detail: String| Outcome::Permanent { code: ErrorCode::EventNotTranslated.into(), detail };
    let argument = |name: &str| {
        let missing = || unusable(format!("the step has no argument '{name}': see the intake events of the catalog"));
        call.data.get(name).ok_or_else(missing)
    };
    let id = argument("event_id")?.as_str().unwrap_or_default().to_owned();
    let event = serde_json::from_value(argument("event")?.clone());
    Ok((id, event.map_err(|error| unusable(format!("the argument 'event' cannot be read: {error}")))?))
}

fn not_translated(error: NotTranslated) -> Outcome {
    Outcome::Permanent { code: ErrorCode::EventNotTranslated.into(), detail: error.into_reason() }
}

/// An event that follows is not one of the catalog.
fn rejected(rejection: Rejection) -> Outcome {
    let detail = format!("what the mapping makes of this event is rejected: {}", rejection.detail);
    Outcome::Permanent { code: rejection.code, detail }
}

#[async_trait]
impl Adapter for IntakeAdapter {
    fn capabilities(&self, _operation: &str) -> Capabilities {
        Capabilities {
            fence: Fence::None,
            verify: false,
            // The events that follow have ids of their own: submitting them again has no second effect.
            idempotency_keys: true,
            on_ambiguous: OnAmbiguous::Resend,
            max_apply_delay: Duration::ZERO,
        }
    }

    async fn call(&self, call: &Call) -> Outcome {
        match self.translate(call).await {
            // Nothing was changed by a look-up, and submitting is safe to repeat.
            Err(Outcome::Ambiguous { detail }) => Outcome::Transient { detail },
            Ok(outcome) | Err(outcome) => outcome,
        }
    }

    async fn verify(&self, _call: &Call) -> Verification {
        Verification::Unclear { detail: "an event is translated again instead".to_owned() }
    }

    async fn poll(&self, call: &Call, job: &str) -> JobAnswer {
        self.look(&call.tenant, job).await
    }

    async fn find_holder(&self, _tenant: &TenantId, resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        let detail = format!("a target that translates events does not know who has {}", resource.kind());
        Ok(HolderAnswer::Unclear { detail })
    }

    async fn health(&self) -> Result<(), Outcome> {
        match &self.producer {
            Some(producer) => producer.health().await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(customer: &str) -> OrderId {
        format!("{customer}~6f9619ff-8b86-5011-b42d-00cf4fc964ff").parse().unwrap()
    }

    fn view(more: &Value) -> OrderView {
        let mut view = json!({
            "order_id": order("A1"), "event_id": "1", "customer_id": "A1", "type": "number.assigned", "state": "pending",
        });
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(view).unwrap()
    }

    fn waits_since(minutes: i64) -> Value {
        let since = (Utc::now() - chrono::TimeDelta::minutes(minutes)).to_rfc3339();
        let resource = "msisdn/12065550100";
        let wait =
            json!({"waits_for": "lease", "resource": resource, "resources": [resource], "step": "hss", "since": since});
        json!({ "waiting_for": wait })
    }

    #[test]
    fn the_step_waits_for_all_orders_whose_names_fit() {
        let Outcome::Accepted { job, .. } = waiting_for(&[order("A1"), order("A2")]) else { panic!() };
        assert_eq!(job, format!("{} {}", order("A1"), order("A2")));
        let long = "a".repeat(230);
        let Outcome::Accepted { job, .. } = waiting_for(&[order(&long), order(&long), order("A2")]) else { panic!() };
        assert_eq!(job, format!("{} {}", order(&long), order("A2")), "the second long name does not fit");
        assert_eq!(waiting_for(&[]), Outcome::Done);
    }

    #[test]
    fn an_order_that_waits_long_for_a_lease_has_its_event_translated_again() {
        assert!(matches!(so_far(&view(&waits_since(0))), SoFar::Open(_)));
        assert!(matches!(so_far(&view(&waits_since(5))), SoFar::Over(Outcome::Transient { .. })));
        let turn = json!({"waiting_for": {"waits_for": "turn", "target": "hss", "ahead": 1, "step": "hss", "since": "2020-01-01T00:00:00Z"}});
        assert!(matches!(so_far(&view(&turn)), SoFar::Open(_)), "its turn comes by itself");
    }

    #[test]
    fn however_an_order_ends_its_event_is_processed_unless_it_was_rejected() {
        for state in ["completed", "partial", "failed", "cancelled", "superseded"] {
            assert!(matches!(so_far(&view(&json!({ "state": state }))), SoFar::Ended), "{state}");
        }
        let rejected = view(&json!({"state": "rejected", "code": "too_old", "detail": "it is old"}));
        let SoFar::Over(Outcome::Permanent { code, detail }) = so_far(&rejected) else { panic!() };
        assert_eq!(code, ErrorCode::TooOld);
        assert!(detail.ends_with("it is old"), "{detail}");
    }
}
