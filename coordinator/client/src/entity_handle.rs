//! The address of an entity, and its start argument.

use interlock_domain::routing::EntityRoute;
use interlock_workflows::StartArgument;

/// The address of an entity, and its start argument. [`EntityClient`](crate::EntityClient) creates handles.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityHandle {
    /// Where it is: namespace, workflow id and task queue.
    pub route: EntityRoute,
    /// The argument it is started with.
    pub start: StartArgument,
}
