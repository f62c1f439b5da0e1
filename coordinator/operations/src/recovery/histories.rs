//! Fetches the histories of a customer's runs.

use std::collections::{BTreeMap, BTreeSet};

use interlock_client::{RunInfo, ServerError, histories, runs, visibility};
use interlock_connection::Installation;
use interlock_domain::ids::{CustomerId, CustomerRef, TenantId, Timestamp};
use interlock_domain::routing::EntityRoute;
use interlock_domain::sweep::MisplacedRun;
use interlock_replay::Replayer;
use serde::Serialize;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

use super::error::RecoveryError;
use super::exact::{LastCustomer, last_customer};
use super::open_events::{OpenEvents, is_dead, open_events};
use super::recorded::{RecordedRun, RunEnd};
use crate::misplaced::misplaced_run;

/// The reason that is recorded for ending a run that no worker executes.
const END_REASON: &str = "no worker executes it: interlock customer recover --misplaced";

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
    /// The present run, if it is to be ended because no worker executes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misplaced: Option<MisplacedRun>,
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
    /// [`RecoveryError`]; [`RecoveryError::Misplaced`] if no worker executes the present run, which would get the events.
    pub async fn find(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        only: Option<&str>,
    ) -> Result<Found, RecoveryError> {
        let mut histories = self.histories(tenant, customer)?;
        if let Some(run) = histories.misplaced(&self.installation).await? {
            return Err(RecoveryError::Misplaced { detail: run.detail });
        }
        histories.fetch_since_the_first_death().await?;
        self.open_events(histories, tenant, customer, only, None).await
    }

    /// The same for a customer whose present run no worker executes, with the events of that run; for other customers the same as
    /// [`Recovery::find`].
    ///
    /// # Errors
    /// [`RecoveryError`]; [`RecoveryError::Executed`] if somebody else's workers execute that run.
    pub async fn find_misplaced(&self, tenant: &TenantId, customer: &CustomerId) -> Result<Found, RecoveryError> {
        let mut histories = self.histories(tenant, customer)?;
        let Some(run) = histories.misplaced(&self.installation).await? else {
            return self.find(tenant, customer, None).await;
        };
        histories.fetch_since_the_first_death().await?;
        histories.fetch(&run.run_id).await?;
        histories.check_not_executed(&run)?;
        self.open_events(histories, tenant, customer, None, Some(run)).await
    }

    /// Ends a run that no worker executes, and finds what can be recovered then: also what it received meanwhile.
    ///
    /// # Errors
    /// [`RecoveryError`]. If it fails after the run has ended, `customer recover` without `--misplaced` goes on.
    pub async fn end_misplaced(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        run: &MisplacedRun,
    ) -> Result<Found, RecoveryError> {
        let mut histories = self.histories(tenant, customer)?;
        let execution = histories.execution(&run.run_id);
        let namespace = &histories.route.namespace;
        let ended = runs::terminate(&histories.client, namespace, execution, END_REASON).await;
        ended.map_err(RecoveryError::Temporal)?;
        histories.fetch_since_the_first_death().await?;
        // The list may not know yet that it has ended.
        histories.fetch(&run.run_id).await?;
        self.open_events(histories, tenant, customer, None, None).await
    }

    fn histories(&self, tenant: &TenantId, customer: &CustomerId) -> Result<Histories, RecoveryError> {
        let route = self.installation.entities.customer(tenant, customer).route;
        let client = self.installation.client_for(&route.namespace);
        let client = client.map_err(|fault| RecoveryError::Connection(fault.message))?;
        Ok(Histories { client, route, replayer: Replayer::start()?, runs: BTreeMap::new() })
    }

    /// The open events of the dead runs, and of one that is to be ended.
    async fn open_events(
        &self,
        mut histories: Histories,
        tenant: &TenantId,
        customer: &CustomerId,
        only: Option<&str>,
        misplaced: Option<MisplacedRun>,
    ) -> Result<Found, RecoveryError> {
        let me = CustomerRef { tenant: tenant.clone(), customer: customer.clone() };
        let mut dead = histories.dead(&me, only)?;
        dead.extend(misplaced.as_ref().map(|run| run.run_id.clone()));
        loop {
            let runs: Vec<RecordedRun> = histories.runs.values().cloned().collect();
            let open = open_events(&me, &runs, &dead);
            // The event of an order may be in an earlier run: go back as long as something can be found.
            if open.lost.is_empty() || !histories.fetch_before(&dead).await? {
                let runs = runs.iter().filter(|run| dead.contains(&run.run_id)).filter_map(dead_run).collect();
                return Ok(Found { runs, misplaced, open });
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
    replayer: Replayer<LastCustomer>,
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
        let is_dead = |run: &RunInfo| {
            !matches!(run.status, WorkflowExecutionStatus::Running | WorkflowExecutionStatus::ContinuedAsNew)
        };
        let Some(first) = listed.iter().filter(|run| is_dead(run)).map(|run| run.started_at).min() else {
            return Ok(());
        };
        for run in listed.iter().filter(|run| run.started_at >= first) {
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
        let mut recorded = recorded.map_err(|fault| RecoveryError::Unreadable { run: run.to_owned(), fault })?;
        if is_dead(&recorded) && recorded.was_executed_as(self.route.workflow_type) {
            recorded.replayed = last_customer(&self.replayer, run, history).await?;
        }
        self.runs.insert(run.to_owned(), recorded);
        Ok(true)
    }

    /// The present run, if no worker executes it.
    async fn misplaced(&self, installation: &Installation) -> Result<Option<MisplacedRun>, RecoveryError> {
        let found = misplaced_run(installation, &self.route).await.map_err(RecoveryError::Temporal)?;
        Ok(found.map(|(run, misplacement)| {
            MisplacedRun::of(&misplacement, run.run_id, Timestamp(run.started_at.timestamp_millis()))
        }))
    }

    /// Checks that no worker of another installation executes the run.
    fn check_not_executed(&self, run: &MisplacedRun) -> Result<(), RecoveryError> {
        match self.runs.get(&run.run_id) {
            Some(recorded) if recorded.was_executed_as(self.route.workflow_type) => {
                Err(RecoveryError::Executed { detail: run.detail.clone() })
            }
            _ => Ok(()),
        }
    }

    fn execution(&self, run: &str) -> WorkflowExecution {
        WorkflowExecution { workflow_id: self.route.workflow_id.clone(), run_id: run.to_owned() }
    }

    async fn history(&self, run: &str) -> Result<Option<Vec<HistoryEvent>>, RecoveryError> {
        let execution = self.execution(run);
        let history = histories::history(&self.client, &self.route.namespace, execution).await;
        history.map_err(|error| match error {
            ServerError::Payload(fault) => RecoveryError::Encrypted { run: run.to_owned(), reason: fault.to_string() },
            error => RecoveryError::Temporal(error),
        })
    }

    /// The run that was started last. `None` if there is none.
    async fn current(&self) -> Result<Option<RunInfo>, RecoveryError> {
        let described = runs::describe(&self.client, &self.route.namespace, &self.route.workflow_id).await;
        Ok(described.map_err(RecoveryError::Temporal)?.map(|described| described.run))
    }

    /// All runs in the list.
    async fn list(&self) -> Result<Vec<RunInfo>, RecoveryError> {
        // An id's parts are percent-encoded: there is no quote in it.
        let query = format!("WorkflowId = '{}'", self.route.workflow_id);
        visibility::all(&self.client, &self.route.namespace, &query).await.map_err(RecoveryError::Temporal)
    }
}
