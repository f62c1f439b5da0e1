//! An action that may happen next in a world.

use interlock_domain::ids::OrderId;

use crate::target::RequestId;

/// A step of an order, by its customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The customer, by index.
    pub customer: usize,
    /// The order.
    pub order: OrderId,
    /// The step's index.
    pub step: usize,
}

/// A person's choices for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonsChoice {
    /// Retry the held step.
    Retry,
    /// Replace an argument of the held step, and retry it.
    Amend,
    /// Skip the held step.
    Skip,
    /// Cancel the order.
    Cancel,
    /// Let its release go before its assign is granted.
    ReleaseFirst,
}

/// How an entity is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reset {
    /// Whether the signals since then are applied again.
    pub hears_again: bool,
    /// Whether messages that its local activity had not sent yet are sent later anyway.
    pub is_sent_late: bool,
}

/// An action. Customers, resources and events are given by their index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// An event is signalled to its customer's entity.
    Submit(usize),
    /// The same signal arrives again, by mistake.
    SubmitAgain(usize),
    /// The admission in progress forwards the other half of an event of its batch.
    PassOn(usize, usize),
    /// The admission in progress claims a ticket: customer, event of the batch, ticket of the event.
    Claim(usize, usize, usize),
    /// The same, but the answer is lost, and the claim is also sent as a message.
    ClaimAnswerLost(usize, usize, usize),
    /// The same, but the update is still in flight when the claim is sent as a message.
    ClaimLate(usize, usize, usize),
    /// The customer's send activity delivers its next message.
    Send(usize),
    /// A copy of that message also arrives later.
    SendWithCopy(usize),
    /// That message is delayed, so that others overtake it.
    SendLate(usize),
    /// The customer's local activity ends, and its answer is recorded.
    LocalDone(usize),
    /// The worker died during the customer's local activity, which runs again.
    LocalAgain(usize),
    /// The resource's notify activity delivers its next message.
    Notify(usize),
    /// A copy of that message also arrives later.
    NotifyWithCopy(usize),
    /// That message is delayed, so that others overtake it.
    NotifyLate(usize),
    /// The resource's notify activity ends, and its answer is recorded.
    NotifyDone(usize),
    /// The worker died during the resource's notify activity, which runs again.
    NotifyAgain(usize),
    /// The look-up in progress reads the target.
    LookUpRead(usize),
    /// Its result is recorded.
    LookUpDone(usize),
    /// A delayed message arrives.
    StrayArrives(usize),
    /// A claim whose caller gave up is never executed.
    StrayClaimLost(usize),
    /// A call reads back whether its earlier request took effect.
    CallReadsBack(Call),
    /// A call sends its request.
    CallSends(Call),
    /// A call gets no answer in time.
    CallUnanswered(Call),
    /// A call's outcome is recorded.
    CallDone(Call),
    /// A run that must end cancels a call, which has sent nothing.
    CallInterrupted(Call),
    /// An operator resets the activity of a call.
    ResetCall(Call),
    /// An operator completes or fails the activity of a call.
    EndCallByHand(Call),
    /// An operator completes or fails the look-up of a resource.
    EndLookUpByHand(usize),
    /// The receiver takes the next event of a customer's delivery.
    Deliver(usize),
    /// The worker died during a customer's delivery, which begins again.
    DeliverAgain(usize),
    /// A customer's delivery ends, and its result is recorded.
    DeliveryDone(usize),
    /// An operator completes, fails or cancels a customer's delivery.
    EndDeliveryByHand(usize),
    /// A request arrives at the target and takes effect.
    Lands(RequestId),
    /// A request arrives at the target and is refused permanently.
    Refused(RequestId),
    /// A request that no call waits for any more is lost.
    Lost(RequestId),
    /// A call of a dead entity sends its request: its index among these calls.
    GhostSends(usize),
    /// A call of a dead entity notices that no entity waits for it.
    GhostStops(usize),
    /// The time that a resource waits for is reached.
    Wake(usize),
    /// A customer's workflow task is not recorded, and is retried.
    LoseCustomerTask(usize),
    /// A resource's workflow task is not recorded, and is retried.
    LoseResourceTask(usize),
    /// A customer's run continues as new.
    ContinueCustomer(usize),
    /// A resource's run continues as new.
    ContinueResource(usize),
    /// A customer's entity is terminated, and its events will be submitted again.
    TerminateCustomer(usize),
    /// A resource's entity is terminated.
    TerminateResource(usize),
    /// This becomes the moment that a customer may be reset to.
    RememberCustomer(usize),
    /// This becomes the moment that a resource may be reset to.
    RememberResource(usize),
    /// A customer's workflow is reset to the remembered moment.
    ResetCustomer(usize, Reset),
    /// A resource's workflow is reset to the remembered moment.
    ResetResource(usize, Reset),
    /// A resource's entity is terminated at any time, and this will be noticed.
    LoseResource(usize),
    /// A customer is asked to repeat what it has and wants of a resource: resource, customer.
    LookAround(usize, usize),
    /// A customer forgets its lease of a resource, and the sweep will see this: resource, customer.
    ForgetLease(usize, usize),
    /// The sweep makes a customer tell a resource what it holds, and the resource must believe it: resource, customer.
    SettleDifference(usize, usize),
    /// A person decides about an order: customer, order, choice.
    Person(usize, OrderId, PersonsChoice),
    /// A person forces a resource free; true if the person insists, whatever the target says.
    Force(usize, bool),
}

impl Action {
    /// Whether it may also never happen: faults, and persons' actions.
    pub fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::SubmitAgain(_)
                | Self::ClaimAnswerLost(..)
                | Self::ClaimLate(..)
                | Self::SendWithCopy(_)
                | Self::SendLate(_)
                | Self::LocalAgain(_)
                | Self::NotifyWithCopy(_)
                | Self::NotifyLate(_)
                | Self::NotifyAgain(_)
                | Self::CallUnanswered(_)
                | Self::Refused(_)
                | Self::LoseCustomerTask(_)
                | Self::LoseResourceTask(_)
                | Self::ContinueCustomer(_)
                | Self::ContinueResource(_)
                | Self::TerminateCustomer(_)
                | Self::TerminateResource(_)
                | Self::LoseResource(_)
                | Self::ResetCall(_)
                | Self::EndCallByHand(_)
                | Self::EndLookUpByHand(_)
                | Self::DeliverAgain(_)
                | Self::EndDeliveryByHand(_)
                | Self::RememberCustomer(_)
                | Self::RememberResource(_)
                | Self::ResetCustomer(..)
                | Self::ResetResource(..)
                | Self::ForgetLease(..)
                | Self::Person(..)
                | Self::Force(..)
        )
    }
}
