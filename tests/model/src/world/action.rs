//! One thing that may happen next in a world.

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

/// What a person may do with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonsChoice {
    /// Try the held step again.
    Retry,
    /// Replace an argument of the held step, and try it again.
    Amend,
    /// Leave the held step out.
    Skip,
    /// End the order.
    Cancel,
    /// Let its release go before its assign is granted.
    ReleaseFirst,
}

/// How an entity is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reset {
    /// Whether the signals since are applied again.
    pub hears_again: bool,
    /// Whether what its local activity had not sent yet is sent all the same, later.
    pub is_sent_late: bool,
}

/// One thing that may happen next. Customers, resources and events are named by their index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// An event is signalled to its customer's entity.
    Submit(usize),
    /// It is signalled again, by mistake.
    SubmitAgain(usize),
    /// The admission under way passes on the other half of an event of its batch.
    PassOn(usize, usize),
    /// The admission under way claims a ticket: customer, event of the batch, ticket of the event.
    Claim(usize, usize, usize),
    /// The same, but the answer is lost, and the claim is sent as a message too.
    ClaimAnswerLost(usize, usize, usize),
    /// The same, but the update is still on its way when the claim is sent as a message.
    ClaimLate(usize, usize, usize),
    /// The customer's sending under way delivers its next message.
    Send(usize),
    /// A copy of that message comes later, too.
    SendWithCopy(usize),
    /// That message comes later than others.
    SendLate(usize),
    /// The customer's local activity is over, and its answer is recorded.
    LocalDone(usize),
    /// The worker died during the customer's local activity: it runs again.
    LocalAgain(usize),
    /// The resource's notifying under way delivers its next message.
    Notify(usize),
    /// A copy of that message comes later, too.
    NotifyWithCopy(usize),
    /// That message comes later than others.
    NotifyLate(usize),
    /// The resource's notifying is over, and its answer is recorded.
    NotifyDone(usize),
    /// The worker died during the resource's notifying: it runs again.
    NotifyAgain(usize),
    /// The look-up under way reads the target.
    LookUpRead(usize),
    /// What it read is recorded.
    LookUpDone(usize),
    /// A message that was on its way for long arrives.
    StrayArrives(usize),
    /// A claim whose caller gave up is never executed.
    StrayClaimLost(usize),
    /// A call reads back whether its earlier request had its effect.
    CallReadsBack(Call),
    /// A call sends its request.
    CallSends(Call),
    /// A call gets no answer in time.
    CallUnanswered(Call),
    /// A call's outcome is recorded.
    CallDone(Call),
    /// A call is cancelled by a run that is to end, and sent nothing.
    CallInterrupted(Call),
    /// An operator resets the activity of a call.
    ResetCall(Call),
    /// An operator completes or fails the activity of a call.
    EndCallByHand(Call),
    /// An operator completes or fails the look-up of a resource.
    EndLookUpByHand(usize),
    /// A request arrives at the target and has its effect.
    Lands(RequestId),
    /// A request arrives at the target and is refused for good.
    Refused(RequestId),
    /// A request that nobody waits for any more is lost on its way.
    Lost(RequestId),
    /// A call of a dead entity sends its request: its index among the ghosts.
    GhostSends(usize),
    /// A call of a dead entity notices that nobody waits for it.
    GhostStops(usize),
    /// The time that a resource waits for has come.
    Wake(usize),
    /// A customer's workflow task is not recorded, and attempted again.
    LoseCustomerTask(usize),
    /// A resource's workflow task is not recorded, and attempted again.
    LoseResourceTask(usize),
    /// A customer's run continues as new.
    ContinueCustomer(usize),
    /// A resource's run continues as new.
    ContinueResource(usize),
    /// A customer's entity is terminated, and its events will be submitted again.
    TerminateCustomer(usize),
    /// A resource's entity is terminated.
    TerminateResource(usize),
    /// This is the moment to which a customer may be reset.
    RememberCustomer(usize),
    /// This is the moment to which a resource may be reset.
    RememberResource(usize),
    /// A customer's workflow is reset to the moment remembered.
    ResetCustomer(usize, Reset),
    /// A resource's workflow is reset to the moment remembered.
    ResetResource(usize, Reset),
    /// A resource's entity is terminated whatever goes on, and it will be noticed.
    LoseResource(usize),
    /// A customer is asked to say again what it has and wants of a resource: resource, customer.
    LookAround(usize, usize),
    /// A customer forgets that it has the lease of a resource, and the sweep will see it: resource, customer.
    ForgetLease(usize, usize),
    /// The sweep has a customer tell a resource what it holds, which is to believe it: resource, customer.
    SettleDifference(usize, usize),
    /// A person decides about an order: customer, order, choice.
    Person(usize, OrderId, PersonsChoice),
    /// A person forces a resource free; true where the person insists, whatever the target says.
    Force(usize, bool),
}

impl Action {
    /// Whether it may just as well never happen: faults, and what persons do.
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
