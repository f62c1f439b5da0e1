//! Fetches the histories of a customer's runs.

use std::collections::{BTreeMap, BTreeSet};

use interlock_connection::Installation;
use interlock_domain::ids::{CustomerId, CustomerRef, TenantId};
use interlock_domain::routing::EntityRoute;
use serde::Serialize;
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::data_converters::SerializationContextData;
use temporalio_common::payload_visitor::decode_payloads;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest, ListWorkflowExecutionsRequest,
};
use tonic::{Code, IntoRequest};

use super::error::RecoveryError;
use super::open_events::{OpenEvents, is_dead, open_events};
use super::recorded::{RecordedRun, RunEnd};

/// Runs in one page of a list.
const PAGE_RUNS: i32 = 1_000;

/// A run that ended abnormally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadRun {
    /// Its id.
    pub run_id: String,
    /// `terminated`, `timed out`, …
    pub how: String,
    /// Why, if it is known.
    pub reason: String,
}

/// What can be recovered of a customer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Found {
    /// The runs that ended abnormally.
    pub runs: Vec<DeadRun>,
    /// Their open events.
    #[serde(flatten)]
    pub open: OpenEvents,
}

/// Recovers the open events of dead customer entities.
#[derive(Clone)]
pub struct Recovery {
    pub(super) installation: Installation,
}

impl Recovery {
    /// For this installation.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// What can be recovered of a customer: from all its dead runs whose histories exist, or from one. Changes
    /// nothing.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn find(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        only: Option<&str>,
    ) -> Result<Found, RecoveryError> {
        let me = CustomerRef { tenant: tenant.clone(), customer: customer.clone() };
        let route = self.installation.entities.customer(tenant, customer).route;
        let client = self.installation.client_for(&route.namespace);
        let client = client.map_err(|fault| RecoveryError::Connection(fault.message))?;
        let mut histories = Histories { client, route, runs: BTreeMap::new() };
        histories.fetch_since_the_first_death().await?;
        let dead = histories.dead(&me, only)?;
        loop {
            let runs: Vec<RecordedRun> = histories.runs.values().cloned().collect();
            let open = open_events(&me, &runs, &dead);
            // The event of an order may be in an earlier run: go back as long as something can be found.
            if open.lost.is_empty() || !histories.fetch_before(&dead).await? {
                let runs = runs.iter().filter(|run| dead.contains(&run.run_id)).filter_map(dead_run).collect();
                return Ok(Found { runs, open });
            }
        }
    }
}

fn dead_run(run: &RecordedRun) -> Option<DeadRun> {
    match &run.end {
        RunEnd::Dead { how, reason } => {
            Some(DeadRun { run_id: run.run_id.clone(), how: (*how).to_owned(), reason: reason.clone() })
        }
        RunEnd::Open | RunEnd::ContinuedAsNew => None,
    }
}

/// The fetched histories of one entity's runs, by run.
struct Histories {
    client: Client,
    route: EntityRoute,
    runs: BTreeMap<String, RecordedRun>,
}

impl Histories {
    /// Fetches the dead runs, and all that started after the first of them. The current run is queried separately: lists
    /// are eventually consistent, and it may have been terminated just now.
    async fn fetch_since_the_first_death(&mut self) -> Result<(), RecoveryError> {
        let mut listed = self.list().await?;
        let current = self.current().await?;
        if current.is_none() && listed.is_empty() {
            return Err(RecoveryError::NeverSeen(self.route.workflow_id.clone()));
        }
        if let Some(current) = current {
            listed.retain(|run| run.run_id != current.run_id);
            listed.push(current);
        }
        let is_dead = |run: &ListedRun| {
            !matches!(run.status, WorkflowExecutionStatus::Running | WorkflowExecutionStatus::ContinuedAsNew)
        };
        let Some(first) = listed.iter().filter(|run| is_dead(run)).map(|run| run.began).min() else { return Ok(()) };
        for run in listed.iter().filter(|run| run.began >= first) {
            self.fetch(&run.run_id).await?;
        }
        Ok(())
    }

    /// The dead runs to use.
    fn dead(&self, me: &CustomerRef, only: Option<&str>) -> Result<BTreeSet<String>, RecoveryError> {
        if let Some(only) = only {
            let not_dead = |why| RecoveryError::NotDead { customer: me.to_string(), run: only.to_owned(), why };
            let run = self.runs.get(only).ok_or_else(|| not_dead("is not among the runs that ended abnormally"))?;
            return if is_dead(run) { Ok([only.to_owned()].into()) } else { Err(not_dead("did not end abnormally")) };
        }
        Ok(self.runs.values().filter(|run| is_dead(run)).map(|run| run.run_id.clone()).collect())
    }

    /// Fetches the run before the first one of each chain that ends in one of these. Returns whether there was any.
    async fn fetch_before(&mut self, dead: &BTreeSet<String>) -> Result<bool, RecoveryError> {
        let mut before = BTreeSet::new();
        for run in dead {
            let mut run = self.runs.get(run);
            while let Some(continues) = run.and_then(|run| run.continues.as_ref()) {
                run = self.runs.get(continues);
                if run.is_none() {
                    before.insert(continues.clone());
                }
            }
        }
        let mut fetched = false;
        for run in before {
            fetched |= self.fetch(&run).await?;
        }
        Ok(fetched)
    }

    /// Fetches the history of one run. Returns whether it still exists.
    async fn fetch(&mut self, run: &str) -> Result<bool, RecoveryError> {
        let Some(history) = self.history(run).await? else { return Ok(false) };
        let recorded = RecordedRun::read(run, &history);
        let recorded = recorded.map_err(|fault| RecoveryError::Unreadable { run: run.to_owned(), fault })?;
        self.runs.insert(run.to_owned(), recorded);
        Ok(true)
    }

    async fn history(&self, run: &str) -> Result<Option<Vec<HistoryEvent>>, RecoveryError> {
        let mut events = Vec::new();
        let mut next_page_token = Vec::new();
        loop {
            let execution = WorkflowExecution { workflow_id: self.route.workflow_id.clone(), run_id: run.to_owned() };
            let request = GetWorkflowExecutionHistoryRequest {
                namespace: self.route.namespace.clone(),
                execution: Some(execution),
                next_page_token,
                ..Default::default()
            };
            let answer = match self.client.clone().get_workflow_execution_history(request.into_request()).await {
                Ok(answer) => answer.into_inner(),
                Err(status) if status.code() == Code::NotFound => return Ok(None),
                Err(status) => return Err(RecoveryError::Temporal(Box::new(status))),
            };
            let mut history = answer.history.unwrap_or_default();
            let codec = self.client.options().data_converter.codec();
            let decrypted = decode_payloads(&mut history, codec, &SerializationContextData::None).await;
            decrypted.map_err(|error| RecoveryError::Encrypted { run: run.to_owned(), reason: error.to_string() })?;
            events.extend(history.events);
            next_page_token = answer.next_page_token;
            if next_page_token.is_empty() {
                return Ok(Some(events));
            }
        }
    }

    /// The run that was started last, if there is one.
    async fn current(&self) -> Result<Option<ListedRun>, RecoveryError> {
        let execution = WorkflowExecution { workflow_id: self.route.workflow_id.clone(), run_id: String::new() };
        let request =
            DescribeWorkflowExecutionRequest { namespace: self.route.namespace.clone(), execution: Some(execution) };
        match self.client.clone().describe_workflow_execution(request.into_request()).await {
            Ok(answer) => Ok(answer.into_inner().workflow_execution_info.and_then(ListedRun::of)),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(RecoveryError::Temporal(Box::new(status))),
        }
    }

    /// All runs in the list.
    async fn list(&self) -> Result<Vec<ListedRun>, RecoveryError> {
        let mut listed = Vec::new();
        let mut next_page_token = Vec::new();
        loop {
            let request = ListWorkflowExecutionsRequest {
                namespace: self.route.namespace.clone(),
                page_size: PAGE_RUNS,
                next_page_token,
                // An id's parts are percent-encoded, so it contains no quote.
                query: format!("WorkflowId = '{}'", self.route.workflow_id),
            };
            let answer = self.client.clone().list_workflow_executions(request.into_request()).await;
            let answer = answer.map_err(|status| RecoveryError::Temporal(Box::new(status)))?.into_inner();
            listed.extend(answer.executions.into_iter().filter_map(ListedRun::of));
            next_page_token = answer.next_page_token;
            if next_page_token.is_empty() {
                return Ok(listed);
            }
        }
    }
}

/// A run in the list.
struct ListedRun {
    run_id: String,
    status: WorkflowExecutionStatus,
    /// Seconds and nanoseconds since 1970.
    began: (i64, i32),
}

impl ListedRun {
    fn of(info: temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo) -> Option<Self> {
        let status = info.status();
        let began = info.start_time.map_or((0, 0), |time| (time.seconds, time.nanos));
        Some(Self { run_id: info.execution?.run_id, status, began })
    }
}
