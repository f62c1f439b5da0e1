//! What all activities work with.

use std::collections::BTreeSet;
use std::sync::Arc;

use interlock_adapters::AdapterRegistry;
use interlock_client::{EntityClient, TargetClient};
use interlock_domain::catalog::Catalog;
use interlock_domain::ids::TargetId;
use interlock_domain::limits::EntityLimits;
use interlock_domain::observation::{NobodyWatches, Observer};

use crate::answer_memory::AnswerMemory;
use crate::breakers::Breakers;
use crate::report::Reporter;

/// What all activities of a process work with. It is made once, by whoever starts the workers.
#[derive(Clone)]
pub struct WorkerContext {
    /// How entities are reached.
    pub entities: EntityClient,
    /// What events become.
    pub catalog: Arc<Catalog>,
    /// How the entities of targets are reached.
    pub targets: TargetClient,
    /// How targets are reached; nothing in a process that calls none.
    pub adapters: AdapterRegistry,
    /// The targets that workers of Interlock's own serve: they repeat proofs in their answers. What others serve answers as they
    /// like.
    pub proving: Arc<BTreeSet<TargetId>>,
    /// The limits that entities get with their admissions.
    pub limits: EntityLimits,
    /// Whether plans keep their claims. Without them every order goes ahead at once: that is what a demonstration of
    /// the harm, and a test of the tests, want to see.
    pub leases: bool,
    /// Which resource queues lately left a claim without an answer.
    pub(crate) answers: Arc<AnswerMemory>,
    /// Who is told what happens, for metrics.
    pub(crate) observer: Arc<dyn Observer>,
    /// Which targets are called just now.
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
            answers: Arc::default(),
            observer,
            breakers,
        }
    }

    /// The same, with somebody who is told what happens. To be said before anything does.
    #[must_use]
    pub fn watched_by(self, observer: Arc<dyn Observer>) -> Self {
        let breakers = Arc::new(Breakers::new(Reporter::new(self.targets.clone(), Arc::clone(&observer))));
        Self { observer, breakers, ..self }
    }

    /// The same with the leases off.
    #[must_use]
    pub fn without_leases(self) -> Self {
        Self { leases: false, ..self }
    }
}
