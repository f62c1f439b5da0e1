//! Calls to target entities: signal-with-start, and update-with-start for a person's action.

use std::collections::BTreeMap;
use std::sync::Arc;

use backon::Retryable;
use interlock_domain::ids::TargetId;
use interlock_domain::message::Envelope;
use interlock_domain::routing::{EntityRoute, Routing, target_of_workflow};
use interlock_domain::target_entity::{BreakerReport, TargetAction, TargetRules};
use interlock_domain::views::TargetActionAnswer;
use interlock_workflows::{TargetStart, names};
use serde::Serialize;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowIdReusePolicy;

use crate::entity_call_error::EntityCallError;
use crate::entity_calls::{EntityCalls, Repeats, Start, busy_waits};
use crate::request_id;
use crate::visibility;

/// Calls the entities of targets. [`EntityClient::targets`](crate::EntityClient::targets) creates it.
#[derive(Clone)]
pub struct TargetClient {
    calls: EntityCalls,
    routing: Arc<Routing>,
    rules: Arc<BTreeMap<TargetId, TargetRules>>,
}

impl TargetClient {
    /// Uses these calls. Entities that do not run are started with these rules.
    pub(crate) fn new(calls: EntityCalls, routing: Arc<Routing>, rules: BTreeMap<TargetId, TargetRules>) -> Self {
        Self { calls, routing, rules: Arc::new(rules) }
    }

    /// The targets whose rules are known, sorted.
    pub fn targets(&self) -> impl Iterator<Item = &TargetId> {
        self.rules.keys()
    }

    /// The identity of this process at Temporal.
    pub fn identity(&self) -> String {
        self.client().identity()
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        self.calls.client()
    }

    /// The routing: the place of each entity.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The configured rules of a target, or the defaults.
    pub fn rules(&self, target: &TargetId) -> TargetRules {
        self.rules.get(target).cloned().unwrap_or_default()
    }

    /// The targets whose entities run, according to Temporal's visibility store, which may lag.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn running(&self) -> Result<Vec<TargetId>, EntityCallError> {
        let prefix = format!("{}/target/", self.routing.settings().prefix.as_str());
        let namespace = &self.routing.settings().namespace;
        let query = format!("WorkflowType = '{}' AND ExecutionStatus = 'Running'", names::TARGET_ENTITY);
        let runs = visibility::all(self.client(), namespace, &query).await;
        let ids =
            runs.map_err(|error| EntityCallError::of_server(&prefix, error))?.into_iter().map(|run| run.workflow_id);
        Ok(ids.filter(|id| id.starts_with(&prefix)).filter_map(|id| target_of_workflow(&id)).collect())
    }

    /// Sends a target's entity its configured rules. Starts it if it does not run.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn configure(&self, target: &TargetId) -> Result<(), EntityCallError> {
        self.signal(target, names::CONFIGURE, self.rules(target)).await
    }

    /// Whether a target's entity runs.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn runs(&self, target: &TargetId) -> Result<bool, EntityCallError> {
        self.calls.runs(&self.routing.target(target)).await
    }

    /// Restarts a target's entity if somebody terminated it. Returns whether it did not run. The new entity reads the state of target
    /// and queue, and opens the queue if the old entity left it closed.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn revive(&self, target: &TargetId) -> Result<bool, EntityCallError> {
        let is_running = self.runs(target).await?;
        if !is_running {
            self.configure(target).await?;
        }
        Ok(!is_running)
    }

    /// Reports a breaker's transition to a target's entity. Starts it if it does not run.
    ///
    /// # Errors
    /// [`EntityCallError`].
    pub async fn report(&self, target: &TargetId, report: &BreakerReport) -> Result<(), EntityCallError> {
        self.signal(target, names::REPORT, report).await
    }

    async fn signal<M: Serialize + Sync>(
        &self,
        target: &TargetId,
        signal: &str,
        message: M,
    ) -> Result<(), EntityCallError> {
        let route = self.routing.target(target);
        let message = Envelope::new(message).with_queue_assignment(self.routing.queue_assignment(&route));
        let start = self.start(target, &route).await?;
        let request_id = uuid::Uuid::new_v4().to_string();
        self.calls.signal_with_start(&route, start, signal, &message, &request_id, Repeats::Sdks).await
    }

    /// Performs an operator's action and returns the entity's answer. Starts the entity if it does not run.
    ///
    /// # Errors
    /// [`EntityCallError`]. The action may have been accepted anyway, and it is safe to send it again with its id.
    pub async fn act(&self, target: &TargetId, action: &TargetAction) -> Result<TargetActionAnswer, EntityCallError> {
        let route = self.routing.target(target);
        let update_id = request_id::of(&[&route.workflow_id, &action.mark().to_string()]);
        let start = self.start(target, &route).await?;
        let answer = (|| self.calls.update_with_start(&route, start.clone(), names::ACT, action, &update_id))
            .retry(busy_waits())
            .when(EntityCallError::will_pass)
            .await?;
        serde_json::from_value(answer).map_err(|fault| EntityCallError::payload(&route.workflow_id, &fault))
    }

    async fn start(&self, target: &TargetId, route: &EntityRoute) -> Result<Start, EntityCallError> {
        let argument = TargetStart { target: target.to_string(), rules: self.rules(target) };
        Ok(Start {
            input: self.calls.payloads(&route.workflow_id, &argument).await?,
            reuse_policy: WorkflowIdReusePolicy::AllowDuplicate,
            search_attributes: None,
        })
    }
}
