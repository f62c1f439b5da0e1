//! Leases that come from an import, for the day on which Interlock goes live: numbers were assigned before.

use serde::{Deserialize, Serialize};

use super::{Holder, HolderName, LeaseEvent, Resource};
use crate::ids::{CustomerRef, Epoch, Incarnation, Timestamp};
use crate::message::Notice;
use crate::order::ResourcePolicy;

/// One line of an import: who has the resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The customer that has the resource.
    pub holder: CustomerRef,
    /// What the entity needs to know of its kind.
    #[serde(default)]
    pub policy: ResourcePolicy,
}

/// A resource's answer to a line of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "import", rename_all = "snake_case")]
pub enum ImportAnswer {
    /// The customer has the lease now.
    Seeded {
        /// Its fencing token.
        epoch: Epoch,
    },
    /// The customer had it already.
    Unchanged {
        /// Its fencing token.
        epoch: Epoch,
        /// Whether the customer's entity must still be told.
        #[serde(default)]
        untold: bool,
    },
    /// Another customer has it; nothing was changed.
    Held {
        /// Who.
        by: CustomerRef,
    },
    /// It has no holder, and the ledger is newer than the list: it was given back since, or the entity was terminated and
    /// waits for its holder's report. Nothing was changed.
    MovedOn,
}

impl Resource {
    /// Takes the holder from an import. Only a ledger without knowledge accepts it: if a lease was granted
    /// before, the list is out of date.
    pub(super) fn imported(&mut self, now: Timestamp, import: &Import) -> ImportAnswer {
        let Import { holder, policy } = import;
        let known = self.holder.as_ref().and_then(|known| Some((known.customer()?, known.epoch)));
        match known {
            Some((customer, epoch)) if customer == holder => {
                return ImportAnswer::Unchanged { epoch, untold: self.untold == Some(epoch) };
            }
            Some((customer, _)) => return ImportAnswer::Held { by: customer.clone() },
            None if self.life.is_again() || self.settled > Epoch(0) => return ImportAnswer::MovedOn,
            None => {}
        }
        self.begin(now, policy);
        self.raise_epoch(now);
        self.settled = self.epoch;
        self.note(now, LeaseEvent::Imported, Some(holder.to_string()), None, None);
        // If the target named a party, that is the name under which it knows the customer.
        let target_identity = self.holder.take().and_then(|named| named.target_identity);
        let epoch = self.epoch;
        self.holder = Some(Holder::registered(HolderName::Customer(holder.clone()), target_identity, epoch, now));
        self.untold = Some(epoch);
        self.adopt_waiting(now);
        self.answer_releases();
        ImportAnswer::Seeded { epoch: self.epoch }
    }

    /// The entity of a customer that has an imported lease was asked what it has, and did not mention it: it is told. A lease
    /// that a person is just taking back by force is not announced.
    pub(super) fn tell_of_import(&mut self, now: Timestamp, from: &CustomerRef, incarnation: Incarnation) {
        let untold = |holder: &Holder| {
            holder.is(from)
                && holder.incarnation.is_none()
                && self.untold == Some(holder.epoch)
                && self.forcing.is_none()
        };
        if !self.holder.as_ref().is_some_and(untold) {
            return;
        }
        self.untold = None;
        self.raise_epoch(now);
        self.settled = self.epoch;
        self.note(now, LeaseEvent::Told, Some(from.to_string()), None, None);
        let epoch = self.epoch;
        let Some(holder) = &mut self.holder else { return };
        holder.incarnation = Some(incarnation);
        holder.epoch = epoch;
        let target_identity = holder.target_identity.clone();
        self.tell_holder(from.clone(), Notice::LeaseImported { epoch, target_identity, unused: false });
    }

    /// Seeds a holder if there is none.
    pub(super) fn seeded(
        &mut self,
        now: Timestamp,
        holder: &CustomerRef,
        target_identity: Option<String>,
        policy: &ResourcePolicy,
    ) {
        self.begin(now, policy);
        let replaceable = match &self.holder {
            None => true,
            Some(known) => known.customer().is_none(),
        };
        if !replaceable {
            return;
        }
        self.raise_epoch(now);
        self.note(now, LeaseEvent::Seeded, Some(holder.to_string()), None, None);
        let who = HolderName::Customer(holder.clone());
        self.holder = Some(Holder::registered(who, target_identity, self.epoch, now));
        self.adopt_waiting(now);
        self.answer_releases();
    }
}
