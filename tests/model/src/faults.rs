//! The faults that may happen in a world, and how often.

/// How often each fault may happen in one run of a world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Events submitted twice.
    pub resubmitted: u8,
    /// Messages that are delivered twice, the second time later.
    pub copied: u8,
    /// Messages that are delayed, so that others overtake them.
    pub delayed: u8,
    /// Local activities that run again after they had outside effects.
    pub rerun: u8,
    /// Claims whose answer came too late.
    pub unanswered: u8,
    /// Requests to a target whose answer is lost.
    pub ambiguous: u8,
    /// Requests that the target refuses permanently.
    pub refused: u8,
    /// Actions of a person on held orders.
    pub person: u8,
    /// Cancellations by a person of orders that are not held.
    pub cancelled: u8,
    /// Forced releases by a person.
    pub forced: u8,
    /// Terminations of customer entities. Their events are submitted again.
    pub customers_terminated: u8,
    /// Terminations of resource entities.
    pub resources_terminated: u8,
    /// Terminations of resource entities at any time. Customers are then asked to repeat what they have.
    pub resources_lost: u8,
    /// Resets of customer entities to an earlier moment, with or without the signals since then.
    pub customers_reset: u8,
    /// Resets of resource entities to an earlier moment, with or without the signals since then.
    pub resources_reset: u8,
    /// Activities of calls that an operator resets.
    pub activities_reset: u8,
    /// Activities of calls that an operator completes or fails.
    pub by_hand: u8,
    /// Workflow tasks that are not recorded although effects of them were sent, and that are retried.
    pub tasks_lost: u8,
    /// Leases that a customer forgets, which no known path causes. The sweep sees that its resource contradicts it.
    pub leases_forgotten: u8,
    /// Runs that continue as new at any time, even with work in flight.
    pub continued: u8,
}
