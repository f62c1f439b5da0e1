//! What a resource's machine shows: who held the resource, and why that ended.

use interlock_domain::resource::{HistoryEntry, LeaseEvent, Resource};

use crate::facts::{At, HolderEnd, ResourceEnd, ResourceFacts, Tenure, TenureEnd};

/// What was seen of a resource.
#[derive(Debug)]
pub(crate) struct SeenResource {
    pub(crate) facts: ResourceFacts,
    last_entry: Option<HistoryEntry>,
}

impl SeenResource {
    pub(super) fn begin(at: At, machine: &Resource) -> Self {
        let carried = machine.holder().map(|holder| Tenure {
            epoch: holder.epoch,
            who: holder.who.clone(),
            began: At::new(0, holder.since),
            carried: true,
            ended: None,
        });
        let facts = ResourceFacts {
            realm: machine.realm().clone(),
            resource: machine.id().clone(),
            floor: machine.epoch(),
            tenures: carried.into_iter().collect(),
            state: ResourceEnd::default(),
        };
        let mut begun = Self { facts, last_entry: machine.history().back().cloned() };
        begun.saw(at, machine);
        begun
    }

    pub(super) fn saw(&mut self, at: At, machine: &Resource) {
        let held = machine.holder().map(|holder| (holder.epoch, &holder.who));
        let open = self.facts.tenures.last_mut().filter(|tenure| tenure.ended.is_none());
        let was = open.as_ref().map(|tenure| (tenure.epoch, &tenure.who));
        if was != held {
            if let Some(tenure) = open {
                let was_orphan = self.facts.state.holder.as_ref().is_some_and(|holder| holder.orphaned);
                tenure.ended = Some(end_of(at, tenure, self.last_entry.as_ref(), machine, was_orphan));
            }
            if let Some((epoch, who)) = held {
                let (who, ended) = (who.clone(), None);
                self.facts.tenures.push(Tenure { epoch, who, began: at, carried: false, ended });
            }
        }
        self.last_entry = machine.history().back().cloned();
        self.facts.state = state_of(machine);
    }
}

/// What the machine noted since its last input about the end of a tenure.
fn end_of(at: At, tenure: &Tenure, last: Option<&HistoryEntry>, machine: &Resource, was_orphan: bool) -> TenureEnd {
    let history = machine.history();
    let known = last.and_then(|last| history.iter().rposition(|entry| entry == last)).map_or(0, |index| index + 1);
    let is_end = |entry: &&HistoryEntry| {
        [
            LeaseEvent::Released,
            LeaseEvent::Yielded,
            LeaseEvent::Unused,
            LeaseEvent::Contested,
            LeaseEvent::Declined,
            LeaseEvent::Forced,
            LeaseEvent::Orphaned,
            LeaseEvent::Seeded,
            LeaseEvent::LookedUp,
            LeaseEvent::Imported,
            LeaseEvent::Reasserted,
            LeaseEvent::Disowned,
            LeaseEvent::Reset,
            LeaseEvent::Confirmed,
            LeaseEvent::Unsure,
            LeaseEvent::Registered,
        ]
        .iter()
        .any(|end| entry.what == *end)
    };
    // The machine notes the end of a lease before the next grant.
    let noted = history.iter().skip(known).find(|entry| is_end(entry) && entry.epoch <= machine.epoch());
    let proof = noted.and_then(|entry| entry.proof.as_ref());
    TenureEnd {
        at,
        how: noted.map(|entry| entry.what.as_str().to_owned()).unwrap_or_default(),
        proof: proof.and_then(|proof| proof.step.as_ref()).map(|step| step.idempotency_key),
        without_call: proof.is_some_and(|proof| proof.step.is_none()),
        by_person: proof.is_some_and(|proof| proof.actor.is_some()),
        was_orphan: was_orphan || machine.holder().is_some_and(|holder| holder.who == tenure.who),
    }
}

fn state_of(machine: &Resource) -> ResourceEnd {
    let holder = machine.holder().map(|holder| HolderEnd {
        who: holder.who.clone(),
        epoch: holder.epoch,
        incarnation: holder.incarnation.map(|incarnation| incarnation.0),
        orphaned: holder.orphaned_at.is_some() || holder.disowned,
        used: holder.used,
        target_identity: holder.target_identity.clone(),
    });
    ResourceEnd { holder, busy: !machine.is_idle() || !machine.outbox().is_empty(), waiting: machine.queue().len() }
}
