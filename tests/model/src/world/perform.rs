//! Performs one action.

use interlock_domain::ids::{CustomerRef, ResourceId};
use interlock_domain::message::{Ticket, ToCustomer, ToResource};

use super::{Action, World};
use crate::sighting::{Sighting, Sightings};
use crate::violation::Violation;

/// A delayed message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stray {
    /// To a customer.
    ToCustomer(CustomerRef, ToCustomer),
    /// To a resource.
    ToResource(ResourceId, ToResource),
    /// A claim by update whose caller no longer waits.
    Claim(ResourceId, Ticket),
}

/// The result of an action.
pub(super) type Checked = Result<(), Violation>;

impl World {
    pub(super) fn act(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match action {
            Action::Submit(event) => self.submit(*event, seen),
            Action::SubmitAgain(event) => {
                self.left.resubmitted -= 1;
                seen.see(Sighting::DuplicateEvent);
                self.submit(*event, seen)
            }
            Action::PassOn(customer, event) => self.pass_on(*customer, *event, seen),
            Action::Claim(..) | Action::ClaimAnswerLost(..) | Action::ClaimLate(..) => self.act_claim(action, seen),
            Action::Send(_)
            | Action::SendWithCopy(_)
            | Action::SendLate(_)
            | Action::LocalDone(_)
            | Action::LocalAgain(_) => self.act_local(action, seen),
            Action::Notify(_)
            | Action::NotifyWithCopy(_)
            | Action::NotifyLate(_)
            | Action::NotifyDone(_)
            | Action::NotifyAgain(_)
            | Action::LookUpRead(_)
            | Action::LookUpDone(_)
            | Action::EndLookUpByHand(_)
            | Action::Wake(_) => self.act_resource(action, seen),
            Action::Deliver(_) | Action::DeliverAgain(_) | Action::DeliveryDone(_) | Action::EndDeliveryByHand(_) => {
                self.act_delivery(action, seen)
            }
            Action::StrayArrives(_) | Action::StrayClaimLost(_) => self.act_stray(action, seen),
            Action::CallReadsBack(_)
            | Action::CallSends(_)
            | Action::CallUnanswered(_)
            | Action::CallDone(_)
            | Action::CallInterrupted(_)
            | Action::ResetCall(_)
            | Action::EndCallByHand(_)
            | Action::Lands(_)
            | Action::Refused(_)
            | Action::Lost(_) => self.act_call(action, seen),
            Action::GhostSends(_)
            | Action::GhostStops(_)
            | Action::ContinueCustomer(_)
            | Action::ContinueResource(_)
            | Action::TerminateCustomer(_)
            | Action::TerminateResource(_) => self.act_death(action, seen),
            Action::RememberCustomer(_)
            | Action::RememberResource(_)
            | Action::ResetCustomer(..)
            | Action::ResetResource(..) => self.act_reset(action, seen),
            Action::LoseCustomerTask(customer) => self.lose_customer_task(*customer, seen),
            Action::LoseResourceTask(resource) => self.lose_resource_task(*resource, seen),
            Action::LoseResource(resource) => self.lose_resource(*resource, seen),
            Action::ForgetLease(resource, customer) => {
                self.forget_lease(*resource, *customer, seen);
                Ok(())
            }
            Action::SettleDifference(resource, customer) => self.settle_difference(*resource, *customer, seen),
            Action::LookAround(resource, customer) => self.look_around(*resource, *customer, seen),
            Action::Person(customer, order, choice) => self.person_decides(*customer, order, *choice, seen),
            Action::Force(resource, insists) => self.force(*resource, *insists, seen),
        }
    }

    /// The actions on delayed messages.
    fn act_stray(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match action {
            Action::StrayArrives(index) => self.stray_arrives(*index, seen),
            Action::StrayClaimLost(index) => {
                self.strays.remove(*index);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The actions on calls and their requests.
    fn act_call(&mut self, action: &Action, seen: &mut Sightings) -> Checked {
        match action {
            Action::CallReadsBack(call) => {
                self.call_reads_back(call, seen);
                Ok(())
            }
            Action::CallSends(call) => self.call_sends(call),
            Action::CallUnanswered(call) => {
                self.call_unanswered(call, seen);
                Ok(())
            }
            Action::CallDone(call) => self.call_done(call, seen),
            Action::CallInterrupted(call) => self.call_interrupted(call, seen),
            Action::EndCallByHand(call) => self.end_call_by_hand(call, seen),
            Action::ResetCall(call) => {
                self.reset_call(call, seen);
                Ok(())
            }
            Action::Lands(id) => self.lands(id, seen),
            Action::Refused(id) => {
                self.refused(id, seen);
                Ok(())
            }
            Action::Lost(id) => {
                self.targets.flying.remove(id);
                seen.see(Sighting::LostRequest);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn stray_arrives(&mut self, index: usize, seen: &mut Sightings) -> Checked {
        seen.see(Sighting::StrayMessage);
        match self.strays.remove(index) {
            Stray::ToCustomer(customer, message) => self.deliver_to_customer(&customer, message, seen).map(|_| ()),
            Stray::ToResource(resource, message) => self.deliver_to_resource(&resource, message, seen),
            Stray::Claim(resource, mut ticket) => {
                ticket.answer_by = Some(interlock_domain::ids::Timestamp(self.now - 1));
                self.claim_at(&resource, ticket, seen).map(|_| ())
            }
        }
    }
}
