//! What is called: an entity by its place, and what it is started with.

use interlock_domain::routing::EntityRoute;
use interlock_workflows::StartArgument;

/// Where an entity is, and what it is started with. [`EntityClient`](crate::EntityClient) makes them.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityHandle {
    /// Where it is.
    pub route: EntityRoute,
    /// What it is started with.
    pub start: StartArgument,
}
