//! Negative controls: a rule that is broken on purpose. A judge that then finds nothing checks nothing.
//!
//! Production code has no switch for this. A rule is broken from outside: by a setting that no operator would choose, by a message that
//! no entity sent, or by a proxy that tells workers and server something else than the other one said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use clap::ValueEnum;
use interlock_client::{EntityClient, names};
use interlock_connection::Installation;
use interlock_coordinator::local::LocalOptions;
use interlock_domain::callback::{CallPlace, WorkflowRun};
use interlock_domain::ids::{CustomerRef, Epoch, ResourceId};
use interlock_domain::message::{GiveBack, ProvisionRequest, ToResource};
use interlock_domain::recording::Requested;
use interlock_workflows::Notification;
use serde::de::DeserializeOwned;
use serde_json::Value;
use temporalio_common::protos::temporal::api::command::v1::command::Attributes;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PollActivityTaskQueueResponse, RespondActivityTaskFailedRequest, RespondWorkflowTaskCompletedRequest,
    SignalWithStartWorkflowExecutionRequest,
};
use uuid::Uuid;

use crate::proxy::wire::{decode, encode};
use crate::proxy::{Answered, Interceptor, Verdict};
use crate::tally::Tally;

/// After this time the control "expiry" takes a lease away.
const EXPIRES_AFTER: Duration = Duration::from_secs(2);

/// After this time the control "first-attempt" resets a call whose attempt failed.
const RESET_AFTER: Duration = Duration::from_millis(100);

/// One of this many tasks with messages sends them early, in the control "early-effect".
const ONE_EARLY_OF: u64 = 4;

/// A rule that a run breaks on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Control {
    /// After an unanswered request the next one does not wait until the first can no longer arrive.
    Fence,
    /// Duplicates of an event are new events.
    Duplicates,
    /// A lease goes back when its release is sent, not when it is confirmed.
    EarlyGrant,
    /// A lease expires while its holder may still write.
    Expiry,
    /// An attempt that an operator or a time-out made the next one is taken for the first.
    FirstAttempt,
    /// A grant leaves before its cause is recorded, and the recording is lost.
    EarlyEffect,
}

impl Control {
    /// What breaks the rule on the way between workers and server. `None` if a setting does it. `tally` counts how often it was broken.
    pub fn interceptor(self, installation: &Installation, tally: &Tally) -> Option<Arc<dyn Interceptor>> {
        let (entities, tally) = (installation.entities.clone(), tally.clone());
        match self {
            Self::Fence => None,
            Self::Duplicates => Some(Arc::new(NewDuplicates { seen: Mutex::default(), tally })),
            Self::EarlyGrant | Self::Expiry => Some(Arc::new(ForgedGiveBacks { control: self, entities, tally })),
            Self::FirstAttempt => Some(Arc::new(FirstAttempts { entities, calls: Mutex::default(), tally })),
            Self::EarlyEffect => {
                Some(Arc::new(EarlyEffects { entities, lost: Mutex::default(), seen: AtomicU64::new(0), tally }))
            }
        }
    }

    /// The settings of [`Control::Fence`]: requests are said to arrive at once or never.
    pub fn without_fence(local: &mut LocalOptions) {
        for target in local.settings.targets.values_mut() {
            target.max_apply_delay = Some(Duration::from_millis(1));
        }
    }
}

/// The name under which a control's deeds are counted.
const BROKEN: &str = "rule-broken";

fn first<T: DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    serde_json::from_slice(&payloads?.payloads.first()?.data).ok()
}

/// Gives each copy of an event a new id.
struct NewDuplicates {
    seen: Mutex<BTreeSet<String>>,
    tally: Tally,
}

#[async_trait]
impl Interceptor for NewDuplicates {
    async fn before(&self, call: &str, body: Bytes) -> Verdict {
        if call != "SignalWithStartWorkflowExecution" {
            return Verdict::Forward(body);
        }
        let Some(mut request) = decode::<SignalWithStartWorkflowExecutionRequest>(&body) else {
            return Verdict::Forward(body);
        };
        let Some(mut event) =
            first::<Value>(request.signal_input.as_ref()).filter(|_| request.signal_name == names::SUBMIT)
        else {
            return Verdict::Forward(body);
        };
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        let is_new = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        if is_new {
            return Verdict::Forward(body);
        }
        self.tally.hit(BROKEN, 1);
        event["id"] = format!("{id}-{}", Uuid::new_v4()).into();
        request.request_id = Uuid::new_v4().to_string();
        if let Some(payload) = request.signal_input.as_mut().and_then(|input| input.payloads.first_mut()) {
            payload.data = event.to_string().into_bytes();
        }
        Verdict::Forward(encode(&request))
    }
}

/// Gives leases back in the name of their holders: when a release is sent, or when a write has had them for a while.
struct ForgedGiveBacks {
    control: Control,
    entities: EntityClient,
    tally: Tally,
}

impl ForgedGiveBacks {
    async fn give_back(&self, request: ProvisionRequest) {
        for (resource, epoch) in &request.epochs {
            let from = CustomerRef { tenant: request.tenant.clone(), customer: request.customer.clone() };
            if self.tell(&request, resource, from, *epoch).await {
                self.tally.hit(BROKEN, 1);
            }
        }
    }

    async fn tell(&self, request: &ProvisionRequest, resource: &ResourceId, from: CustomerRef, epoch: Epoch) -> bool {
        let entity = self.entities.resource(&request.tenant, resource);
        let (how, tickets, finished) = (GiveBack::Released, Vec::new(), Vec::new());
        let message = ToResource::GiveBack { from, epoch, how, tickets, finished, proof: None, registered_to: None };
        let envelope = self.entities.envelope(&entity, message);
        let id = Uuid::new_v4().to_string();
        self.entities.signal_with_start(&entity, names::FROM_CUSTOMER, &envelope, &id).await.is_ok()
    }
}

#[async_trait]
impl Interceptor for ForgedGiveBacks {
    async fn after(&self, answered: &Answered<'_>) -> Option<Bytes> {
        if answered.call != "PollActivityTaskQueue" || !answered.is_ok {
            return None;
        }
        let task = decode::<PollActivityTaskQueueResponse>(answered.answer)?;
        let request = first::<ProvisionRequest>(task.input.as_ref())?;
        let is_release = request.operation.contains("release") || request.operation.contains("remove");
        match self.control {
            Control::EarlyGrant if is_release => self.give_back(request).await,
            Control::Expiry if !is_release => {
                let forged = Self { control: self.control, entities: self.entities.clone(), tally: self.tally.clone() };
                tokio::spawn(async move {
                    tokio::time::sleep(EXPIRES_AFTER).await;
                    forged.give_back(request).await;
                });
            }
            _ => {}
        }
        None
    }
}

/// Resets each call whose attempt failed, as an operator would, and tells workers that each attempt is the first one.
struct FirstAttempts {
    entities: EntityClient,
    /// The places of the calls, by the tokens of their attempts.
    calls: Mutex<BTreeMap<Vec<u8>, CallPlace>>,
    tally: Tally,
}

/// The call of an attempt.
fn place_of(task: &PollActivityTaskQueueResponse) -> CallPlace {
    let run = task.workflow_execution.clone().filter(|run| !run.workflow_id.is_empty());
    CallPlace {
        namespace: task.workflow_namespace.clone(),
        workflow: run.map(|run| WorkflowRun { workflow_id: run.workflow_id, run_id: run.run_id }),
        activity_id: task.activity_id.clone(),
    }
}

#[async_trait]
impl Interceptor for FirstAttempts {
    async fn before(&self, call: &str, body: Bytes) -> Verdict {
        if call == "RespondActivityTaskFailed"
            && let Some(failed) = decode::<RespondActivityTaskFailedRequest>(&body)
            && let Some(place) = self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&failed.task_token)
        {
            let entities = self.entities.clone();
            tokio::spawn(async move {
                tokio::time::sleep(RESET_AFTER).await;
                if let Err(error) = entities.bring_forward(&place).await {
                    eprintln!("a call could not be reset: {error}");
                }
            });
        }
        Verdict::Forward(body)
    }

    async fn after(&self, answered: &Answered<'_>) -> Option<Bytes> {
        if answered.call != "PollActivityTaskQueue" || !answered.is_ok {
            return None;
        }
        let mut task = decode::<PollActivityTaskQueueResponse>(answered.answer)?;
        let mut request = first::<ProvisionRequest>(task.input.as_ref())?;
        let token = task.task_token.clone();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(token, place_of(&task));
        if task.attempt == 1 && task.current_attempt_scheduled_time == task.scheduled_time && !request.maybe_sent {
            return None;
        }
        self.tally.hit(BROKEN, 1);
        task.attempt = 1;
        task.heartbeat_details = None;
        task.scheduled_time = task.current_attempt_scheduled_time;
        request.maybe_sent = false;
        if let Some(payload) = task.input.as_mut().and_then(|input| input.payloads.first_mut()) {
            payload.data = serde_json::to_vec(&request).ok()?;
        }
        Some(encode(&task))
    }
}

/// Sends a resource's messages before the task that decides them is recorded, and loses that recording. It does so with one of several such
/// tasks: a lost task is tried again after 10 s, and a run in which each one is lost does not come to an end.
struct EarlyEffects {
    entities: EntityClient,
    lost: Mutex<BTreeSet<Vec<u8>>>,
    /// How many tasks with messages there were.
    seen: AtomicU64,
    tally: Tally,
}

impl EarlyEffects {
    async fn send(&self, notification: Notification) {
        for (customer, message) in notification.messages {
            let entity = self.entities.customer(&customer.tenant, &customer.customer);
            let envelope = self.entities.envelope(&entity, message);
            let id = Uuid::new_v4().to_string();
            if self.entities.signal_with_start(&entity, names::FROM_RESOURCE, &envelope, &id).await.is_ok() {
                self.tally.hit(BROKEN, 1);
            }
        }
    }
}

#[async_trait]
impl Interceptor for EarlyEffects {
    async fn before(&self, call: &str, body: Bytes) -> Verdict {
        if call != "RespondWorkflowTaskCompleted" {
            return Verdict::Forward(body);
        }
        let Some(completion) = decode::<RespondWorkflowTaskCompletedRequest>(&body) else {
            return Verdict::Forward(body);
        };
        if self.lost.lock().unwrap_or_else(PoisonError::into_inner).contains(&completion.task_token) {
            return Verdict::Refuse("the completion is lost");
        }
        let notifications = completion.commands.iter().filter_map(|command| match command.attributes.as_ref()? {
            Attributes::ScheduleActivityTaskCommandAttributes(scheduled) => {
                first::<Requested<Notification>>(scheduled.input.as_ref()).map(|requested| requested.input)
            }
            _ => None,
        });
        let notifications: Vec<Notification> = notifications.collect();
        if notifications.is_empty() || !self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(ONE_EARLY_OF) {
            return Verdict::Forward(body);
        }
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(completion.task_token);
        for notification in notifications {
            self.send(notification).await;
        }
        Verdict::Refuse("the completion is lost")
    }
}
