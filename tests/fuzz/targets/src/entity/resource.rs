//! A resource's shell.

use interlock_domain::ids::{Epoch, RealmId, ResourceId, ResourceKind, Timestamp};
use interlock_domain::message::{Delivery, Envelope, Ticket, ToResource};
use interlock_domain::outcome::HolderAnswer;
use interlock_domain::recording::said_at;
use interlock_domain::resource::{Effect, Input, Resource};
use interlock_domain::routing::QueueAssignment;
use interlock_workflows::ResourceAction;
use serde_json::Value;

use super::{Shell, restored, shown, stored};
use crate::explained;

pub(crate) struct ResourceShell {
    machine: Resource,
    notifying: Option<usize>,
    is_asking: bool,
    highest: Epoch,
}

impl ResourceShell {
    pub(crate) fn new(realm: RealmId, kind: ResourceKind, key: &str) -> Option<Self> {
        Some(Self::of(Resource::new(realm, ResourceId::new(kind, key).ok()?)))
    }

    pub(crate) fn of(machine: Resource) -> Self {
        Self { highest: machine.epoch(), machine, notifying: None, is_asking: false }
    }

    fn step(&mut self, now: Timestamp, input: Input) {
        let effects = self.machine.step(now, input);
        self.begin(effects);
    }

    fn begin(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Notify(messages) => {
                    assert!(serde_json::to_vec(&messages).is_ok());
                    self.notifying = Some(messages.len());
                }
                Effect::LookUp { .. } => self.is_asking = true,
            }
        }
    }

    fn told(
        &mut self,
        now: Timestamp,
        envelope: Result<Envelope<ToResource>, serde_json::Error>,
    ) -> Option<QueueAssignment> {
        let Envelope { message, sent_at, queue_assignment, .. } = envelope.ok()?;
        let input = match said_at(now, sent_at) {
            Some(said_at) => Input::Heard { said_at, message },
            None => Input::Told(message),
        };
        self.step(now, input);
        queue_assignment
    }

    fn act(&mut self, now: Timestamp, action: ResourceAction) {
        match action {
            ResourceAction::Import(import) => {
                let (answer, effects) = self.machine.import(now, &import);
                shown(&answer);
                self.begin(effects);
            }
            ResourceAction::Seed { holder, target_identity, policy } => {
                self.step(now, Input::Seeded { holder, target_identity, policy });
            }
            ResourceAction::ForceRelease(release) => {
                let _known = self.machine.knows_force(&release);
                self.step(now, Input::Forced(release.clone()));
                let _answer = self.machine.force_answer(&release);
            }
        }
    }
}

impl Shell for ResourceShell {
    fn receives(&mut self, now: Timestamp, word: &str, json: &str) -> Option<QueueAssignment> {
        match word {
            // The update.
            "claim" => {
                let Envelope { message, queue_assignment, .. } = serde_json::from_str::<Envelope<Ticket>>(json).ok()?;
                let (answer, effects) = self.machine.claim(now, message);
                shown(&answer);
                self.begin(effects);
                return queue_assignment;
            }
            // The signal.
            "claim_by_message" => {
                let ticket = serde_json::from_str::<Envelope<Ticket>>(json);
                return self.told(
                    now,
                    ticket.map(|Envelope { v, sent_at, message: ticket, queue_assignment }| Envelope {
                        v,
                        sent_at,
                        message: ToResource::Claim { ticket },
                        queue_assignment,
                    }),
                );
            }
            "from_customer" => return self.told(now, serde_json::from_str(json)),
            "act" => {
                if let Ok(action) = serde_json::from_str(json) {
                    self.act(now, action);
                }
            }
            "notified" | "lost" => {
                if let Some(count) = self.notifying.take() {
                    let delivery = if word == "lost" { Delivery::Lost } else { Delivery::Delivered };
                    self.step(now, Input::Notified(vec![delivery; count]));
                }
            }
            "looked_up" if self.is_asking => {
                if let Ok(answer) = serde_json::from_str::<HolderAnswer>(json) {
                    self.is_asking = false;
                    self.step(now, Input::LookedUp(answer));
                }
            }
            "by_hand" if std::mem::take(&mut self.is_asking) => {
                self.step(now, Input::LookUpEndedByHand { said: "completed as nobody".to_owned() });
            }
            "woke" => self.step(now, Input::Woke),
            "reset" => self.step(now, Input::WasReset),
            "resumed" => {
                (self.notifying, self.is_asking) = (None, false);
                self.step(now, Input::Resumed);
            }
            _ => {}
        }
        None
    }

    fn stored(&self) -> Value {
        stored(&self.machine)
    }

    fn restored(&self) -> Result<Value, serde_json::Error> {
        restored(&self.machine)
    }

    fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.machine.wake_at(now)
    }

    fn show(&mut self) {
        shown(&self.machine.view());
    }

    fn check_promises(&mut self, is_own: bool) {
        assert!(self.machine.epoch() >= self.highest, "the epoch fell to {}", self.machine.epoch());
        self.highest = self.machine.epoch();
        if is_own {
            let texts = self.machine.history().iter().flat_map(|entry| [entry.detail.as_deref(), entry.who.as_deref()]);
            texts.flatten().for_each(explained::kept);
        }
    }
}
