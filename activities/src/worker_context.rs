//! The context that all activities share.

use std::collections::BTreeSet;
use std::sync::Arc;

use interlock_adapters::AdapterRegistry;
use interlock_client::{EntityClient, TargetClient};
use interlock_domain::callback::CallbackUrls;
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TargetId;
use interlock_domain::limits::EntityLimits;
use interlock_domain::observation::{NobodyWatches, Observer};

use crate::answer_memory::AnswerMemory;
use crate::breakers::Breakers;
use crate::report::Reporter;

/// The context of all activities of a process. The code that starts the workers creates it once.
#[derive(Clone)]
pub struct WorkerContext {
    /// Reaches entities.
    pub entities: EntityClient,
    /// The catalog, which turns events into plans.
    pub catalog: Arc<Catalog>,
    /// Reaches the entities of targets.
    pub targets: TargetClient,
    /// The adapters. Empty in a process that calls no targets.
    pub adapters: AdapterRegistry,
    /// The targets that Interlock's own workers serve. These workers repeat proofs in their answers; the answers of other workers may
    /// lack them.
    pub proving: Arc<BTreeSet<TargetId>>,
    /// The limits that entities receive with their admissions.
    pub limits: EntityLimits,
    /// Whether plans keep their claims. Without them every order proceeds at once. A demonstration uses this to show the harm, and a
    /// test uses it to test the tests.
    pub leases: bool,
    /// Where targets can report the end of a job; none if they are only asked.
    pub callbacks: Option<Arc<CallbackUrls>>,
    /// Which resource queues recently left a claim without an answer.
    pub(crate) answers: Arc<AnswerMemory>,
    /// Receives observations, for metrics.
    pub(crate) observer: Arc<dyn Observer>,
    /// Which targets are being called at the moment.
    pub(crate) breakers: Arc<Breakers>,
}

impl WorkerContext {
    /// A context with leases on.
    pub fn new(
        entities: EntityClient,
        targets: TargetClient,
        catalog: Arc<Catalog>,
        adapters: AdapterRegistry,
        limits: EntityLimits,
        proving: BTreeSet<TargetId>,
    ) -> Self {
        let observer: Arc<dyn Observer> = Arc::new(NobodyWatches);
        let breakers = Arc::new(Breakers::new(Reporter::new(targets.clone(), Arc::clone(&observer))));
        Self {
            entities,
            targets,
            catalog,
            adapters,
            proving: Arc::new(proving),
            limits,
            leases: true,
            callbacks: None,
            answers: Arc::default(),
            observer,
            breakers,
        }
    }

    /// The same, with an observer. Set it before the context is used.
    #[must_use]
    pub fn watched_by(self, observer: Arc<dyn Observer>) -> Self {
        let breakers = Arc::new(Breakers::new(Reporter::new(self.targets.clone(), Arc::clone(&observer))));
        Self { observer, breakers, ..self }
    }

    /// The same; targets can report the end of a job to these URLs.
    #[must_use]
    pub fn with_callbacks(self, callbacks: Option<CallbackUrls>) -> Self {
        Self { callbacks: callbacks.map(Arc::new), ..self }
    }

    /// The same, without leases.
    #[must_use]
    pub fn without_leases(self) -> Self {
        Self { leases: false, ..self }
    }
}
