//! Reads the histories of a namespace: gently, one after the other, and so that it can go on after an interruption.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use interlock_client::{ServerError, histories, visibility};
use interlock_workflows::names;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

use crate::audit::{Audit, Unused};
use crate::error::AuditError;
use crate::facts::{HistoryFacts, RunEnd};
use crate::state_file::StateFile;

/// How many calls a second an audit makes by default: a hundredth of what a small server takes.
pub const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("a constant that is not 0");

/// Reads the histories of namespaces for an audit.
pub struct NamespaceReader {
    limiter: DefaultDirectRateLimiter,
    since: Option<String>,
    state: Option<StateFile>,
    /// The runs that were read, by namespace and run.
    read: BTreeSet<(String, String)>,
}

/// How far the reading of a namespace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Histories read, those of an earlier process included.
    pub read: u64,
    /// Histories in the namespace, as far as the server's count is up to date.
    pub all: u64,
}

impl NamespaceReader {
    /// A reader that makes at most so many calls a second.
    pub fn new(calls_per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(calls_per_second).allow_burst(NonZeroU32::MIN);
        Self { limiter: RateLimiter::direct(quota), since: None, state: None, read: BTreeSet::new() }
    }

    /// Reads only the runs that have not ended before this time, RFC 3339.
    #[must_use]
    pub fn since(self, since: Option<String>) -> Self {
        Self { since, ..self }
    }

    /// Goes on where an earlier process stopped, and keeps what is read in the file.
    ///
    /// # Errors
    /// [`AuditError::StateFile`].
    pub fn resume(mut self, state: StateFile, audit: &mut Audit) -> Result<Self, AuditError> {
        for (namespace, facts) in state.facts()? {
            self.read.insert((namespace, facts.run_id.clone()));
            audit.keep(facts);
        }
        self.state = Some(state);
        Ok(self)
    }

    /// Reads the histories of all customers, resources, targets and tenants of a namespace, and takes them in.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn read(
        &mut self,
        audit: &mut Audit,
        client: &Client,
        namespace: &str,
        mut progress: impl FnMut(Progress),
    ) -> Result<(), AuditError> {
        let query = self.query();
        self.limiter.until_ready().await;
        let all = visibility::count(client, namespace, &query).await.unwrap_or(0);
        let (mut read, mut token) = (0, Vec::new());
        let mut next_runs: Vec<WorkflowExecution> = Vec::new();
        loop {
            self.limiter.until_ready().await;
            let page = visibility::page(client, namespace, &query, visibility::ENTITIES_PER_PAGE, token).await;
            let page = page.map_err(AuditError::Temporal)?;
            for run in page.runs {
                let run = WorkflowExecution { workflow_id: run.workflow_id, run_id: run.run_id };
                next_runs.extend(self.read_run(audit, client, namespace, run).await?);
                read += 1;
                progress(Progress { read, all: all.max(read) });
            }
            if page.next.is_empty() {
                break;
            }
            token = page.next;
        }
        // Lists are eventually consistent: a run that was just continued may lack its next run.
        while let Some(run) = next_runs.pop() {
            next_runs.extend(self.read_run(audit, client, namespace, run).await?);
        }
        Ok(())
    }

    fn query(&self) -> String {
        let types = [
            names::CUSTOMER_ENTITY,
            names::RESOURCE_ENTITY,
            names::TARGET_ENTITY,
            names::TENANT_ENTITY,
            names::ACTION_LOG,
        ];
        let types = types.map(|name| format!("'{name}'")).join(", ");
        let since =
            self.since.as_ref().map(|since| format!(" AND (CloseTime >= '{since}' OR ExecutionStatus = 'Running')"));
        format!("WorkflowType IN ({types}){}", since.unwrap_or_default())
    }

    /// Reads one run, unless it was read. Returns the run that continues it.
    async fn read_run(
        &mut self,
        audit: &mut Audit,
        client: &Client,
        namespace: &str,
        run: WorkflowExecution,
    ) -> Result<Option<WorkflowExecution>, AuditError> {
        if !self.read.insert((namespace.to_owned(), run.run_id.clone())) {
            return Ok(None);
        }
        let workflow_id = run.workflow_id.clone();
        // Deleted since it was listed.
        let Some(events) = self.history(client, namespace, run).await? else { return Ok(None) };
        let named = |unused: Unused| unused.into_error(&workflow_id);
        let facts = audit.facts_of(events).await.map_err(named)?;
        if let Some(state) = &mut self.state {
            state.keep(namespace, &facts)?;
        }
        let next = next_of(&facts).filter(|next| !self.read.contains(&(namespace.to_owned(), next.run_id.clone())));
        audit.keep(facts);
        Ok(next)
    }

    async fn history(
        &self,
        client: &Client,
        namespace: &str,
        run: WorkflowExecution,
    ) -> Result<Option<Vec<HistoryEvent>>, AuditError> {
        let failed = |error: ServerError| match error {
            ServerError::Payload(fault) => AuditError::Encrypted(run.workflow_id.clone(), fault.to_string()),
            error => AuditError::Temporal(error),
        };
        let (mut events, mut token) = (Vec::new(), Vec::new());
        loop {
            self.limiter.until_ready().await;
            let page = histories::history_page(client, namespace, run.clone(), token).await.map_err(failed)?;
            let Some(page) = page else { return Ok(None) };
            events.extend(page.events);
            if page.next.is_empty() {
                return Ok(Some(events));
            }
            token = page.next;
        }
    }
}

fn next_of(facts: &HistoryFacts) -> Option<WorkflowExecution> {
    match &facts.end {
        RunEnd::ContinuedAsNew { next } => {
            Some(WorkflowExecution { workflow_id: facts.workflow_id.clone(), run_id: next.clone() })
        }
        RunEnd::Open | RunEnd::Dead { .. } => None,
    }
}
