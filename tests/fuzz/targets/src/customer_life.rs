//! A customer whose resources are free and whose targets do everything that they are asked.

use std::collections::VecDeque;

use interlock_domain::catalog::Catalog;
use interlock_domain::customer::{Customer, Effect, Input};
use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerId, CustomerRef, Incarnation, TenantId, Timestamp};
use interlock_domain::order::Rejection;
use interlock_domain::outcome::Outcome;

use crate::plans;

/// When it all happens.
pub(crate) const NOW: Timestamp = Timestamp(1_795_184_160_000);
/// More effects than any order has: 500 steps, and for each claim a message.
const EFFECTS_MAX: usize = 4_000;

/// A customer in a world without trouble.
pub(crate) struct CustomerLife<'a> {
    pub(crate) customer: Customer,
    catalog: &'a Catalog,
    now: Timestamp,
}

impl<'a> CustomerLife<'a> {
    pub(crate) fn new(tenant: TenantId, customer: CustomerId, catalog: &'a Catalog) -> Self {
        let customer = Customer::new(CustomerRef { tenant, customer }, Incarnation(NOW.0));
        Self { customer, catalog, now: NOW }
    }

    /// Submits an event, and does what the machine wants until it wants nothing more.
    pub(crate) fn submit(&mut self, event: Result<Event, Rejection>) {
        self.now = self.now.plus_ms(1_000);
        let mut effects = VecDeque::from(self.customer.step(self.now, Input::Submitted(event)));
        let mut performed = 0;
        while let Some(effect) = effects.pop_front() {
            performed += 1;
            assert!(performed <= EFFECTS_MAX, "an order has more than {EFFECTS_MAX} effects");
            if let Some(input) = self.perform(effect) {
                effects.extend(self.customer.step(self.now, input));
            }
        }
    }

    fn perform(&self, effect: Effect) -> Option<Input> {
        let epoch = u64::try_from(self.now.0).unwrap_or_default();
        match effect {
            Effect::Admit(admission) => {
                Some(Input::Admitted(plans::admit(self.catalog, &admission, |_| plans::granted(epoch))))
            }
            Effect::Send(_) => Some(Input::Sent),
            Effect::Provision { order, step, .. } => Some(Input::StepEnded { order, step, outcome: Outcome::Done }),
            Effect::Deliver(batch) => Some(Input::Delivered { subscription: batch.subscription }),
            Effect::Show { .. } => None,
        }
    }
}
