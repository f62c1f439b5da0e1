//! Rules that are broken on purpose, from outside the machines. A check that then stays green checks nothing.
//!
//! Production code has no switch for this. A rule is broken by editing a machine's state between its steps, by a message that no
//! machine sent, or by an activity that does less than it must.

use interlock_domain::customer::{ClaimState, Customer, Input, OrderDigests, StepState};
use interlock_domain::ids::{Epoch, ResourceId};
use interlock_domain::message::{ClaimAnswer, Delivery, GiveBack, Notice, ToCustomer, ToResource};
use interlock_domain::order::{ClaimMode, Plan};
use interlock_domain::resource::{self, Resource, Vacancy};
use serde_json::{Value, json};

use crate::edited::{edit, edit_each};

/// One rule of the protocol, broken. `ARCHITECTURE.md` and the pages in `coordinator/docs/inside` explain the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// After an unanswered attempt the next one sends without settling.
    SendsWithoutSettling,
    /// A grant for a ticket that is not known yet is declined at once.
    DeclinesTooEarly,
    /// The lease goes back after the first step of a release, not the last.
    GivesBackAfterTheFirstStep,
    /// "Not under the identity that the event named" counts as released, as in version 0.1.0.
    ConfirmsUnderOneIdentity,
    /// The lease goes back when the release is sent, not when it is confirmed.
    GivesBackBeforeConfirmation,
    /// An order starts before it has all its leases.
    StartsWithoutAllLeases,
    /// A step starts while an older accepted event waits for admission.
    OvertakesTheInbox,
    /// Customers forget which epochs they gave back.
    ForgetsEpochsGivenBack,
    /// A resource's epoch does not grow.
    EpochsStandStill,
    /// Customers forget recalls of epochs they have not seen.
    ForgetsEarlyRecalls,
    /// No holder is asked to give anything back.
    NeverRecalls,
    /// A release is told, without proof, that somebody else is the holder.
    AssumesHolders,
    /// A resource's message about an order that is not known yet is forgotten.
    ForgetsEarlyNotices,
    /// Customers forget what was settled last.
    ForgetsSettled,
    /// Customers forget which orders are over.
    ForgetsOrders,
    /// Resources forget finished tickets.
    ForgetsFinishedTickets,
    /// A resource without history does not ask the target first.
    SkipsTheLookUp,
    /// A forced release bypasses the living holder.
    ForcesWithoutAsking,
    /// An orphan is settled while a request of the dead customer may still take effect.
    SettlesOrphansAtOnce,
    /// The death of a customer's entity is not noticed.
    IgnoresTheDead,
    /// A resource entity does not know that an earlier life of it was terminated.
    IsNotToldOfItsDeath,
    /// All effects leave before their cause is recorded, one after the other.
    LeavesBeforeItsCause,
    /// Epochs come from workflow time, and request ids name the position of a message only.
    NamesPositions,
    /// A customer that was reset continues as if nothing had happened, as in version 0.1.0.
    NoticesNoReset,
    /// A customer that was reset believes that its leases are still its own.
    BelievesItsLeases,
    /// A customer that was reset keeps its identity, so that everything granted to it since is its own.
    KeepsItsIncarnation,
    /// A resource that was reset continues as if nothing had happened, and grants at once.
    ResourceNoticesNoReset,
    /// An attempt is the first one if its number is 1.
    GoesByTheAttemptNumber,
    /// A result that an operator entered in Temporal is accepted as the target's answer.
    TakesResultsByHand,
    /// A holder that an operator entered in Temporal is accepted as the authority's answer.
    TakesLookUpsByHand,
    /// The authority's answer about a number settles what a holder that was reset must do on other targets.
    OneTargetSettlesIt,
    /// A delivery counts as done although its receiver has not taken everything.
    TakesDeliveriesForDone,
    /// Customers forget what they are to tell.
    ForgetsWhatToTell,
    /// Customers repeat what they want, but not what they have.
    KeepsQuietAboutItsLease,
}

impl Broken {
    /// The changes to a customer's state before its machine gets an input.
    pub(crate) fn before_customer(self, machine: &mut Customer) -> Hidden {
        let mut hidden = Hidden::default();
        match self {
            Self::StartsWithoutAllLeases => edit(machine, |state| {
                edit_each(&mut state["orders"], "started", &json!(true));
            }),
            Self::OvertakesTheInbox => edit(machine, |state| {
                hidden.inbox = Some(std::mem::replace(&mut state["inbox"], json!([])));
            }),
            _ => {}
        }
        hidden
    }

    /// Whether state may be hidden before this input.
    pub(crate) fn may_hide(input: &Input) -> bool {
        matches!(input, Input::StepEnded { .. } | Input::Told(_))
    }

    /// The changes to a customer's state after its machine got an input.
    pub(crate) fn after_customer(self, machine: &mut Customer) {
        match self {
            Self::ForgetsEpochsGivenBack => edit(machine, |state| state["given_back"] = json!({})),
            Self::ForgetsEarlyRecalls => edit(machine, |state| state["early_recalls"] = json!({})),
            Self::ForgetsEarlyNotices => edit(machine, |state| state["early_notices"] = json!([])),
            Self::ForgetsSettled => edit(machine, |state| state["settled"] = json!({})),
            Self::ForgetsOrders => edit(machine, |state| {
                state["remembered"] = json!([]);
                state["digests"] = json!(OrderDigests::default());
            }),
            Self::ForgetsWhatToTell => edit(machine, |state| {
                if let Some(subscribers) = state.get_mut("subscribers") {
                    subscribers["waiting"] = json!([]);
                }
            }),
            Self::DeclinesTooEarly => decline_unknown(machine),
            _ => {}
        }
    }

    /// The changes to a resource's state after its machine got an input.
    pub(crate) fn after_resource(self, machine: &mut Resource) {
        let of_holder = |machine: &mut Resource, field: &str, value: Value| {
            if machine.holder().is_some() {
                edit(machine, |state| state["holder"][field] = value);
            }
        };
        match self {
            Self::ForgetsFinishedTickets => edit(machine, |state| state["finished"] = json!([])),
            Self::EpochsStandStill => edit(machine, |state| state["epoch"] = json!(Epoch(0))),
            Self::AssumesHolders => of_holder(machine, "used", json!(true)),
            Self::OneTargetSettlesIt => of_holder(machine, "unfinished", json!(false)),
            Self::IgnoresTheDead => of_holder(machine, "orphaned_at", Value::Null),
            _ => {}
        }
    }

    /// The messages that a customer's entity sends although its machine did not.
    pub(crate) fn forged(self, machine: &Customer) -> Vec<(ResourceId, ToResource)> {
        match self {
            Self::GivesBackAfterTheFirstStep => given_back_when(machine, |state| *state == StepState::Done),
            Self::GivesBackBeforeConfirmation => given_back_when(machine, StepState::is_running),
            _ => Vec::new(),
        }
    }

    /// How an admission changes a plan.
    pub(crate) fn planned(self, plan: &mut Plan) {
        if self == Self::ConfirmsUnderOneIdentity {
            plan.steps.iter_mut().for_each(|step| step.target_identity_arguments = None);
        }
    }

    /// How an answer to a customer is changed.
    pub(crate) fn answered(self, answer: &mut ClaimAnswer) {
        if let (Self::NeverRecalls, ClaimAnswer::Granted { recall, .. }) = (self, answer) {
            *recall = None;
        }
    }

    /// How a message to a customer is changed, or whether it is dropped.
    pub(crate) fn heard(self, message: &mut ToCustomer) -> bool {
        match (self, &mut message.notice) {
            (Self::NeverRecalls, Notice::LeaseGranted { recall, .. }) => {
                *recall = None;
                true
            }
            (Self::NeverRecalls, Notice::LeaseRecalled { .. }) => false,
            _ => true,
        }
    }

    /// The input that a resource's machine gets instead.
    pub(crate) fn instead(self, machine: &mut Resource, input: resource::Input) -> resource::Input {
        match (self, input) {
            (Self::IgnoresTheDead, resource::Input::Notified(deliveries)) => {
                resource::Input::Notified(vec![Delivery::Delivered; deliveries.len()])
            }
            (Self::ForcesWithoutAsking, resource::Input::Forced(_)) => {
                edit(machine, |state| {
                    state["holder"] = Value::Null;
                    state["vacancy"] = json!(Vacancy::Known);
                });
                resource::Input::Woke
            }
            (
                Self::KeepsQuietAboutItsLease,
                resource::Input::Told(mut message) | resource::Input::Heard { mut message, .. },
            ) => {
                if let ToResource::Reassert { lease, .. } = &mut message {
                    *lease = None;
                }
                resource::Input::Told(message)
            }
            (_, input) => input,
        }
    }
}

/// The state that is hidden from a machine during one input.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    inbox: Option<Value>,
}

impl Hidden {
    /// Restores it.
    pub(crate) fn restore(self, machine: &mut Customer) {
        if let Some(inbox) = self.inbox {
            edit(machine, |state| state["inbox"] = inbox);
        }
    }
}

fn decline_unknown(machine: &mut Customer) {
    if machine.unjudged().is_empty() {
        return;
    }
    let from = machine.me();
    let declined = machine.unjudged().iter().map(|grant| {
        let (from, ticket) = (from.clone(), Some(grant.ticket.clone()));
        (&grant.resource, ToResource::Decline { from, ticket, epoch: grant.epoch, lost: None })
    });
    let declined: Vec<Value> = declined.map(|message| json!(message)).collect();
    edit(machine, |state| {
        state["unjudged"] = json!([]);
        let outbox = state["outbox"].as_array_mut().expect("the outbox is a list");
        outbox.extend(declined);
    });
}

/// Gives a lease back as soon as a step of a release has reached this state.
fn given_back_when(machine: &Customer, so_far: impl Fn(&StepState) -> bool) -> Vec<(ResourceId, ToResource)> {
    let mut released = Vec::new();
    for order in machine.orders().values() {
        let open = order.claims.iter().filter(|claim| claim.state == ClaimState::Open);
        for claim in open.filter(|claim| claim.claim.mode == ClaimMode::Release) {
            let resource = &claim.claim.resource;
            if order.steps_naming(resource).any(|step| so_far(&step.state)) {
                released.extend(machine.leases().get(resource).map(|lease| (resource.clone(), lease.epoch)));
            }
        }
    }
    let given_back = |(resource, epoch)| {
        let from = machine.me().clone();
        let (how, tickets, finished) = (GiveBack::Released, Vec::new(), Vec::new());
        let (proof, registered_to) = (None, None);
        (resource, ToResource::GiveBack { from, epoch, how, tickets, finished, proof, registered_to })
    };
    released.into_iter().map(given_back).collect()
}
