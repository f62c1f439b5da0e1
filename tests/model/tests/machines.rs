//! Each machine alone, with inputs that no world would send: every input is handled, a repetition changes nothing, and the state can be
//! converted to JSON and back at any moment.

use interlock_domain::catalog::Planned;
use interlock_domain::customer::{
    Action, ActionKind, AdmissionAnswer, Admitted, Customer, Effect, Input, Local, OrderStep,
};
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::ids::{CustomerRef, Epoch, Incarnation, OrderId, RealmId, ResourceId, TicketId, Timestamp};
use interlock_domain::limits::EntityLimits;
use interlock_domain::message::{
    Asker, ClaimAnswer, Delivery, GiveBack, Hop, Notice, Probe, Ticket, ToCustomer, ToResource,
};
use interlock_domain::order::{ClaimMode, OrderKey, Rejection, ResourcePolicy};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::resource::{self, Resource};
use interlock_model::deed::{Deed, assign, changed, lock, note, release, release_on, swap_sim};
use interlock_model::scenario::{BEGINNING_MS, Scenario, tenant};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parts of an input.
type Raw = (u8, u8, u8, u8);

fn scenario() -> Scenario {
    let deeds: [Deed; 8] = [
        assign("N1"),
        release("N1"),
        lock(&["N1", "N2"]),
        changed("N1", "N2"),
        note("crm"),
        release_on(&["hss", "voice"], "N2").compensated(),
        swap_sim("N1", "N2", "N3").compensated(),
        assign("N2").then_note("crm").urgent(),
    ];
    let world = Scenario::new("alone").with_authority();
    (0_i64..).zip(deeds).fold(world, |world, (key, deed)| world.event("A", 8 - key, deed))
}

fn resource_of(world: &Scenario, raw: u8) -> ResourceId {
    world.resources[usize::from(raw) % world.resources.len()].clone()
}

fn order_of(world: &Scenario, raw: u8) -> OrderId {
    world.order_id(usize::from(raw) % world.events.len())
}

fn key_of(world: &Scenario, raw: u8) -> OrderKey {
    let event = usize::from(raw) % world.events.len();
    OrderKey::new(world.incoming(event).time, None, Timestamp(BEGINNING_MS), world.order_id(event))
}

fn asker(world: &Scenario, raw: u8) -> Option<Asker> {
    let mode = [ClaimMode::Assign, ClaimMode::Release, ClaimMode::Lock][usize::from(raw) % 3];
    raw.is_multiple_of(2).then(|| Asker { key: key_of(world, raw / 2), mode })
}

fn outcome(raw: u8) -> Outcome {
    let detail = String::new();
    match raw % 7 {
        0 | 1 => Outcome::Done,
        2 => Outcome::AlreadyDone,
        3 => Outcome::InUse { holder: raw.is_multiple_of(2).then(|| "B".to_owned()) },
        4 => Outcome::Permanent { code: ReasonCode::of_target("refused"), detail },
        5 => Outcome::Ambiguous { detail },
        _ => Outcome::unavailable(detail),
    }
}

fn notice(world: &Scenario, (kind, a, b, c): Raw) -> ToCustomer {
    let resource = resource_of(world, a);
    let incarnation = Incarnation(BEGINNING_MS + i64::from(c % 8 == 0));
    let ticket = TicketId::derive(&order_of(world, b), &resource, incarnation);
    let (epoch, recall) = (Epoch(u64::from(c) % 5), asker(world, c));
    let notice = match kind % 7 {
        0 | 1 => Notice::LeaseGranted { ticket, epoch, registered: c % 3 == 0, recall },
        2 => Notice::LeaseRecalled { epoch, asker: Asker { key: key_of(world, b), mode: ClaimMode::Assign } },
        3 => Notice::NotHolder { ticket, target_identity: (a % 2 == 0).then(|| "B".to_owned()) },
        4 => Notice::QueueFull { ticket, tickets_max: 1 },
        5 => Notice::Probe { probe: Probe { path: vec![Hop { key: key_of(world, b) }], oldest: None } },
        _ => Notice::Forced { epoch, unused_since: None, by: None },
    };
    ToCustomer { resource, incarnation, notice }
}

/// The answer to the customer's current admission request, or to nothing.
fn answer(world: &Scenario, customer: &Customer, raw: u8) -> AdmissionAnswer {
    let count = if let Local::Admitting(count) = customer.local() { count } else { 1 };
    let effects = customer.clone().step(Timestamp(BEGINNING_MS), Input::Resumed);
    let admission = effects.into_iter().find_map(|effect| match effect {
        Effect::Admit(admission) => Some(admission),
        _ => None,
    });
    let planned = admission.iter().flat_map(|admission| admission.events.iter().zip(world.plan_batch(admission)));
    let admitted = planned.take(count).map(|(waiting, planned)| match planned {
        Ok(Planned { plan, .. }) => {
            let admission = admission.as_ref().expect("there are events");
            let tickets = admission.tickets(&waiting.key, &plan).into_iter();
            let answers = tickets.map(|(resource, _)| (resource, claim_answer(raw)));
            Admitted::Planned { answers: answers.collect(), plan }
        }
        Err(rejection) => Admitted::Rejected { rejection },
    });
    AdmissionAnswer {
        admitted: admitted.collect(),
        limits: EntityLimits::default(),
        attributes_registered: raw.is_multiple_of(2),
        subscriptions: None,
        queue_assignment: None,
    }
}

fn claim_answer(raw: u8) -> ClaimAnswer {
    match raw % 6 {
        0 | 1 => ClaimAnswer::Granted { epoch: Epoch(u64::from(raw) % 5), registered: false, recall: None },
        2 => ClaimAnswer::Queued,
        3 => ClaimAnswer::NotHolder,
        4 => ClaimAnswer::NotAnswered,
        _ => ClaimAnswer::QueueFull { tickets_max: 1 },
    }
}

fn input(world: &Scenario, customer: &Customer, raw: Raw) -> Input {
    let (kind, a, b, c) = raw;
    let (order, step) = (order_of(world, a), usize::from(b) % 4);
    match kind % 16 {
        0..=2 => Input::Submitted(Ok(world.incoming(usize::from(a) % world.events.len()))),
        3 => Input::Submitted(Err(Rejection::new(ErrorCode::NotJson, ""))),
        4..=6 => Input::Admitted(answer(world, customer, a)),
        7 => Input::Sent,
        8..=10 => Input::Told(notice(world, (a, b, c, kind))),
        11..=13 => Input::StepEnded { order, step, outcome: outcome(c) },
        14 => Input::StepInterrupted { order, step },
        _ => Input::Resumed,
    }
}

fn through_json<T: Serialize + DeserializeOwned>(state: &T) -> (String, String) {
    let json = serde_json::to_string(state).expect("JSON");
    let again: T = serde_json::from_str(&json).expect("the same type");
    (serde_json::to_string(&again).expect("JSON"), json)
}

/// What a repetition must not change: everything except messages, notes and counts. A repeated message is answered twice.
fn essence(customer: &Customer) -> String {
    let steps = |steps: &Vec<OrderStep>| steps.iter().map(|step| step.state.clone()).collect::<Vec<_>>();
    let orders: Vec<_> =
        customer.orders().values().map(|order| (&order.key, &order.ending, steps(&order.steps))).collect();
    let leases: Vec<_> =
        customer.leases().iter().map(|(id, lease)| (id, lease.epoch, lease.kept, lease.leaving)).collect();
    let inbox: Vec<_> = customer.inbox().iter().map(|waiting| &waiting.key).collect();
    format!("{orders:?} {leases:?} {inbox:?} {:?} {:?}", customer.remembered(), customer.settled())
}

fn me(world: &Scenario) -> CustomerRef {
    world.customers[0].clone()
}

fn ticket(world: &Scenario, claimant: u8, raw: u8, mode: u8) -> Ticket {
    let key = key_of(world, raw);
    let claimant = CustomerRef { tenant: tenant(), customer: format!("C{}", claimant % 3).parse().expect("an id") };
    let incarnation = Incarnation(BEGINNING_MS + i64::from(mode.is_multiple_of(5)));
    Ticket {
        id: TicketId::derive(&key.order, &world.resources[0], incarnation),
        order: key.order.clone(),
        key,
        mode: [ClaimMode::Assign, ClaimMode::Release, ClaimMode::Lock][usize::from(mode) % 3],
        target_identity: Some(claimant.customer.to_string()),
        claimant,
        incarnation,
        swap: mode.is_multiple_of(4),
        answer_by: None,
        policy: world.policy(),
    }
}

fn told(world: &Scenario, (kind, a, b, c): Raw) -> ToResource {
    let ticket = ticket(world, a, b, c);
    let (from, id, epoch) = (ticket.claimant.clone(), ticket.id.clone(), Epoch(BEGINNING_MS as u64 + u64::from(c % 4)));
    let how = [GiveBack::Released, GiveBack::Yielded, GiveBack::Unused, GiveBack::Contested, GiveBack::Forced]
        [usize::from(c) % 5];
    match kind % 8 {
        0..=2 => ToResource::Claim { ticket },
        3 | 4 => {
            let (tickets, finished) = (vec![ticket; usize::from(b % 2)], vec![id]);
            let registered_to = (a % 3 == 0).then(|| "B".to_owned());
            ToResource::GiveBack { from, epoch, how, tickets, finished, proof: None, registered_to }
        }
        5 => ToResource::Withdraw { from, tickets: vec![id] },
        6 => {
            let lost = (b % 3 == 0).then_some(ticket.incarnation);
            ToResource::Decline { from, ticket: Some(id), epoch, lost }
        }
        _ => ToResource::Used { from, epoch, target_identity: (b % 2 == 0).then(|| "A-2".to_owned()) },
    }
}

fn resource_input(world: &Scenario, resource: &Resource, raw: Raw) -> resource::Input {
    let (kind, a, b, c) = raw;
    match kind % 12 {
        0..=5 => resource::Input::Told(told(world, (a, b, c, kind))),
        6 | 7 => {
            let delivery = if a % 4 == 0 { Delivery::Lost } else { Delivery::Delivered };
            resource::Input::Notified(vec![delivery; resource.sending()])
        }
        8 if c % 4 == 3 => resource::Input::LookUpEndedByHand { said: "failed".to_owned() },
        8 => resource::Input::LookedUp(match a % 4 {
            0 => HolderAnswer::Unclear { detail: String::new() },
            1 => HolderAnswer::TargetIdentity { target_identity: format!("C{}", b % 4) },
            _ => HolderAnswer::Nobody,
        }),
        9 => resource::Input::Woke,
        10 if a % 2 == 0 => {
            resource::Input::Seeded { holder: me(world), target_identity: None, policy: world.policy() }
        }
        10 => resource::Input::Forced(force_release(raw)),
        _ => resource::Input::Resumed,
    }
}

fn force_release((_, a, b, c): Raw) -> resource::ForceRelease {
    resource::ForceRelease {
        action_id: (b % 3).to_string(),
        actor: String::new(),
        reason: String::new(),
        even_if_registered: a % 4 == 1,
        own_only: a % 8 == 3,
        tenant: tenant(),
        policy: if c % 2 == 0 { scenario().policy() } else { ResourcePolicy::default() },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_customer_handles_any_input_and_survives_json(raws in vec(any::<Raw>(), 0..80)) {
        let world = scenario();
        let now = Timestamp(BEGINNING_MS);
        let mut customer = Customer::new(me(&world), Incarnation(BEGINNING_MS));
        for (number, raw) in raws.into_iter().enumerate() {
            if raw.0 > 240 {
                let kinds = [ActionKind::Retry, ActionKind::Skip, ActionKind::Cancel, ActionKind::ReleaseFirst];
                let kind = kinds[usize::from(raw.1) % 4].clone();
                let (actor, reason, order_id) = (String::new(), String::new(), order_of(&world, raw.2));
                let _refused = customer.act(now, &Action { action_id: number.to_string(), order_id, kind, actor, reason, paused_call: false, content: None });
            } else {
                let input = input(&world, &customer, raw);
                customer.step(now, input);
            }
            let (again, json) = through_json(&customer);
            prop_assert_eq!(again, json);
        }
    }

    #[test]
    fn a_customer_acts_once_on_a_repeated_input(raws in vec(any::<Raw>(), 0..60)) {
        let world = scenario();
        let now = Timestamp(BEGINNING_MS);
        let mut customer = Customer::new(me(&world), Incarnation(BEGINNING_MS));
        for raw in raws {
            let input = input(&world, &customer, raw);
            let repeatable = !matches!(input, Input::Admitted(_) | Input::Sent | Input::StepEnded { .. });
            customer.step(now, input.clone());
            if repeatable {
                let before = essence(&customer);
                let mut again = customer.clone();
                again.step(now, input);
                prop_assert_eq!(essence(&again), before);
            }
        }
    }

    #[test]
    fn a_resource_handles_any_input_and_survives_json(raws in vec(any::<Raw>(), 0..80)) {
        let world = scenario();
        let mut resource = Resource::new(RealmId::from(&tenant()), world.resources[0].clone());
        let (mut now, mut epoch) = (Timestamp(BEGINNING_MS), Epoch(0));
        for raw in raws {
            now = now.plus_ms(u64::from(raw.3) * 1_000);
            if raw.0 > 200 {
                resource.claim(now, ticket(&world, raw.1, raw.2, raw.3));
            } else {
                let input = resource_input(&world, &resource, raw);
                resource.step(now, input);
            }
            prop_assert!(resource.epoch() >= epoch, "epochs only grow");
            epoch = resource.epoch();
            let (again, json) = through_json(&resource);
            prop_assert_eq!(again, json);
        }
    }

    #[test]
    fn a_claim_that_comes_twice_is_one_claim(raws in vec(any::<Raw>(), 0..40), claimed in any::<Raw>()) {
        let world = scenario();
        let now = Timestamp(BEGINNING_MS);
        let mut resource = Resource::new(RealmId::from(&tenant()), world.resources[0].clone());
        for raw in raws {
            let input = resource_input(&world, &resource, raw);
            resource.step(now, input);
        }
        let claimed = ticket(&world, claimed.0, claimed.1, claimed.2);
        let (first, _) = resource.claim(now, claimed.clone());
        let (holder, queue) = (resource.holder().cloned(), resource.queue().clone());
        let (second, _) = resource.claim(now, claimed);
        prop_assert_eq!(first, second);
        prop_assert_eq!(resource.holder().map(|holder| holder.epoch), holder.map(|holder| holder.epoch));
        prop_assert_eq!(resource.queue(), &queue);
    }
}
