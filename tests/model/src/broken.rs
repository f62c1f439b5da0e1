//! Rules broken on purpose, from outside the machines: a check that does not turn red then is no check.

use interlock_domain::customer::Customer;
use interlock_domain::resource::Resource;

/// One rule of the protocol, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// 4.9: after an unanswered attempt the next one sends without settling.
    SendsWithoutSettling,
    /// 4.7: customers forget which epochs they gave back.
    ForgetsEpochsGivenBack,
    /// 4.6: customers forget recalls of epochs they have not seen.
    ForgetsEarlyRecalls,
    /// 4.1: customers forget what was settled last.
    ForgetsSettled,
    /// 4.3: resources forget finished tickets.
    ForgetsFinishedTickets,
}

impl Broken {
    pub(crate) fn forget_of_customer(self, machine: &mut Customer) {
        match self {
            Self::ForgetsEpochsGivenBack => machine.given_back.clear(),
            Self::ForgetsEarlyRecalls => machine.early_recalls.clear(),
            Self::ForgetsSettled => machine.settled.clear(),
            _ => {}
        }
    }

    pub(crate) fn forget_of_resource(self, machine: &mut Resource) {
        if self == Self::ForgetsFinishedTickets {
            machine.finished.clear();
        }
    }
}
