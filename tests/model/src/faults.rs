//! What may go wrong in a world, and how often.

/// How often each fault may happen in one run of a world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Events submitted twice.
    pub resubmitted: u8,
    /// Messages of which a copy comes later.
    pub copied: u8,
    /// Messages that come later, after others.
    pub delayed: u8,
    /// Local activities executed again after they had outside effects.
    pub rerun: u8,
    /// Claims whose answer came too late.
    pub unanswered: u8,
    /// Requests to a target whose answer is lost.
    pub ambiguous: u8,
    /// Requests that the target refuses for good.
    pub refused: u8,
    /// Actions of a person on held orders.
    pub person: u8,
    /// Cancellations by a person of orders that are not held.
    pub cancelled: u8,
    /// Forced releases by a person.
    pub forced: u8,
    /// Customer entities that are terminated; their events are submitted again.
    pub customers_terminated: u8,
    /// Resource entities that are terminated.
    pub resources_terminated: u8,
    /// Resource entities that are terminated whatever goes on; customers are then asked to say again what they have.
    pub resources_lost: u8,
    /// Customer entities that are reset to an earlier moment, with the signals since applied again or not.
    pub customers_reset: u8,
    /// Resource entities that are reset to an earlier moment, with the signals since applied again or not.
    pub resources_reset: u8,
    /// Activities of calls that an operator resets.
    pub activities_reset: u8,
    /// Activities of calls that an operator completes or fails.
    pub by_hand: u8,
    /// Workflow tasks that are not recorded though effects of them left, and are attempted again.
    pub tasks_lost: u8,
    /// Leases that a customer forgets, as no known way makes it; the sweep sees that its resource contradicts it.
    pub leases_forgotten: u8,
    /// Runs that continue as new, whatever is under way.
    pub continued: u8,
}
