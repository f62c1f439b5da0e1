//! The receivers of the subscriptions that tenants made themselves: they come and go while the pool runs. Each has an adapter, and, in a pool
//! that calls targets, a worker for its queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use interlock_activities::{WorkerContext, WorkerTuning};
use interlock_adapters::AdapterRegistry;
use interlock_connection::Installation;
use interlock_domain::ids::{SubscriptionId, TargetId, TenantId};
use interlock_domain::tenant::OwnSubscription;
use interlock_fault::{Fault, with_causes};
use interlock_operations::subscriptions::{Subscriptions, receiver};
use interlock_operations::sweep::Sweeper;
use interlock_workflows::Served;
use temporalio_client::Connection;
use temporalio_sdk::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{QueueToServe, run_until, start_worker};

/// How often the pool looks for new subscriptions, and for those that are gone.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The most receivers of tenants' own subscriptions that one process serves: each has a thread and keeps polls open.
const RECEIVERS_MAX: usize = 200;

/// What the workers of receivers need.
pub(crate) struct Receivers {
    pub(crate) installation: Installation,
    pub(crate) context: Arc<WorkerContext>,
    pub(crate) adapters: AdapterRegistry,
    /// How to start workers. `None` in a pool that does not call targets, but asks whether they are up.
    pub(crate) workers: Option<ReceiverWorkers>,
}

/// How to start the worker of a receiver.
pub(crate) struct ReceiverWorkers {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) connection: Connection,
    pub(crate) tuning: WorkerTuning,
    pub(crate) sweeper: Sweeper,
    /// Cancelled when the pool stops.
    pub(crate) stop: CancellationToken,
    /// Workers that run. The pool waits for them.
    pub(crate) running: TaskTracker,
}

impl Receivers {
    /// Serves the receivers of all subscriptions that tenants made, for as long as it runs.
    pub(crate) async fn keep(self) {
        let subscriptions = Subscriptions::new(self.installation.clone());
        // By receiver: what stops its worker, and is cancelled when that has ended.
        let mut served: BTreeMap<TargetId, CancellationToken> = BTreeMap::new();
        loop {
            match subscriptions.own_of_all().await {
                Ok(wanted) => self.serve(&mut served, wanted).await,
                Err(error) => tracing::warn!(%error, "cannot list the subscriptions that tenants made"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn serve(
        &self,
        served: &mut BTreeMap<TargetId, CancellationToken>,
        wanted: Vec<(TenantId, SubscriptionId, OwnSubscription)>,
    ) {
        let names: BTreeSet<&TargetId> = wanted.iter().map(|(.., own)| &own.settings.target).collect();
        served.retain(|target, stop| {
            // A worker that ended by itself is started again.
            let stays = names.contains(target) && !stop.is_cancelled();
            if !stays {
                stop.cancel();
                self.adapters.remove(target);
            }
            stays
        });
        for (tenant, id, own) in wanted {
            if served.contains_key(&own.settings.target) {
                continue;
            }
            if served.len() >= RECEIVERS_MAX {
                tracing::error!(
                    %tenant, subscription = %id,
                    "this process serves {RECEIVERS_MAX} receivers of tenants' own subscriptions, and no more"
                );
                continue;
            }
            match self.begin(&tenant, &id, &own).await {
                Ok(stop) => {
                    served.insert(own.settings.target.clone(), stop);
                }
                Err(fault) => {
                    tracing::error!(%tenant, subscription = %id, code = %fault.code, "a receiver cannot be served: {}", fault.message);
                }
            }
        }
    }

    async fn begin(
        &self,
        tenant: &TenantId,
        id: &SubscriptionId,
        own: &OwnSubscription,
    ) -> Result<CancellationToken, Fault> {
        let target = &own.settings.target;
        let adapter = receiver(&self.installation, tenant, id, own)?;
        self.adapters.insert(target.clone(), Arc::new(adapter));
        let Some(workers) = &self.workers else { return Ok(CancellationToken::new()) };
        let queue = QueueToServe {
            namespace: self.installation.routing.namespace(tenant).to_owned(),
            task_queue: self.installation.routing.provisioning_queue(target),
            by: Served::Target,
            calls_max: None,
        };
        let client = self.installation.client_on(&workers.connection, &queue.namespace)?;
        let (tuning, sweeper) = (workers.tuning.clone(), workers.sweeper.clone());
        let thread = start_worker(&workers.runtime, client, &self.context, &queue, tuning, sweeper).await?;
        // Its entity shows it among the targets, and parks it while it is away.
        if let Err(error) = self.context.targets.configure(target).await {
            tracing::warn!(%target, %error, "cannot start the entity of a receiver");
        }
        let stop = workers.stop.child_token();
        let ended = stop.clone();
        workers.running.spawn(async move {
            let (queue, result) = run_until(thread, queue.task_queue, ended.clone()).await;
            if let Err(error) = result {
                tracing::error!(queue, error = %with_causes(&error), "the worker of a receiver ended with an error");
            }
            ended.cancel();
        });
        Ok(stop)
    }
}
