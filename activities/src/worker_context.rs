//! What all activities work with.

use std::sync::Arc;

use interlock_adapters::AdapterRegistry;
use interlock_domain::catalog::Catalog;
use interlock_domain::limits::EntityLimits;

use crate::answer_memory::AnswerMemory;
use crate::entity_client::EntityClient;

/// What all activities of a process work with. It is made once, by whoever starts the workers.
#[derive(Clone)]
pub struct WorkerContext {
    /// How entities are reached.
    pub entities: EntityClient,
    /// What events become.
    pub catalog: Arc<Catalog>,
    /// How targets are reached.
    pub adapters: AdapterRegistry,
    /// The limits that entities get with their admissions.
    pub limits: EntityLimits,
    /// Whether plans keep their claims. Without them every order goes ahead at once: that is what a demonstration of
    /// the harm, and a test of the tests, want to see.
    pub leases: bool,
    /// Which resource queues lately left a claim without an answer.
    pub(crate) answers: Arc<AnswerMemory>,
}

impl WorkerContext {
    /// A context with leases on.
    pub fn new(entities: EntityClient, catalog: Arc<Catalog>, adapters: AdapterRegistry, limits: EntityLimits) -> Self {
        Self { entities, catalog, adapters, limits, leases: true, answers: Arc::default() }
    }

    /// The same with the leases off.
    #[must_use]
    pub fn without_leases(self) -> Self {
        Self { leases: false, ..self }
    }
}
