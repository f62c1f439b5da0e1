//! States and messages of running machines.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use interlock_model::sighting::Sightings;
use interlock_model::trace::ACTIONS_MAX;
use interlock_model::world::{Action, LocalRun, Phase, Stray, World};
use interlock_model::worlds;

use crate::previous;
use crate::reading::Reading;
use crate::this::customer::{AdmissionAnswer, Admitted, Customer, Input};
use crate::this::event::Event;
use crate::this::ids::{CustomerRef, Incarnation, Timestamp};
use crate::this::limits::EntityLimits;
use crate::this::message::{Envelope, ToCustomer, ToResource};
use crate::this::routing::QueueAssignment;
use crate::this::target_entity::{
    BreakerReport, BreakerTransition, Finding, Input as ToTarget, MaintenanceWindow, ProbeAnswer, Rate, Target,
    TargetAction, TargetActionKind, TargetRules,
};

/// The number of schedules.
const SEEDS: u64 = 80;
const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Customers and resources of random worlds, with many faults, at every moment of random schedules.
pub fn in_the_simulator(reading: &mut Reading) {
    let mut looked_at = BTreeSet::new();
    for seed in 0..SEEDS {
        let scenario = worlds::random_case(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut world, mut seen) = (World::new(&scenario), Sightings::default());
        for _ in 0..ACTIONS_MAX {
            look_at(reading, &world, &mut looked_at);
            let (optional, due): (Vec<Action>, Vec<Action>) =
                world.enabled().into_iter().partition(Action::is_optional);
            let wanted = if random.u8(0..4) == 0 { &optional } else { &due };
            match random.choice(wanted) {
                Some(action) => {
                    world.perform(action, &mut seen).unwrap_or_else(|fault| panic!("seed {seed}: {fault:?}"));
                }
                None if due.is_empty() => break,
                None => {}
            }
        }
    }
}

/// Whether nothing similar was looked at before.
fn is_new(looked_at: &mut BTreeSet<u64>, thing: &impl Hash) -> bool {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    looked_at.insert(hasher.finish())
}

fn look_at(reading: &mut Reading, world: &World, looked_at: &mut BTreeSet<u64>) {
    for customer in world.customers.iter().filter(|slot| is_new(looked_at, slot)) {
        if let Some(entity) = &customer.entity {
            reading.both_ways::<Customer, previous::customer::Customer>("customers", entity.get());
        }
        if let Some(local) = &customer.local {
            look_at_local(reading, local.get());
        }
        for call in customer.calls.values() {
            reading.both_ways::<_, previous::message::ProvisionRequest>("calls", &*call.request);
            if let Phase::Answered(outcome) = &call.phase {
                reading.both_ways::<_, previous::outcome::Outcome>("outcomes", outcome);
            }
        }
    }
    for resource in world.resources.iter().filter(|slot| is_new(looked_at, slot)) {
        reading.both_ways::<_, previous::resource::Resource>("resources", resource.entity.get());
        if let Some(notifying) = &resource.notifying {
            for (_, message) in notifying.messages.iter() {
                to_customer(reading, message);
            }
            reading.both_ways::<_, Vec<previous::message::Delivery>>("deliveries", &notifying.deliveries);
        }
        if let Some(Some(answer)) = &resource.looking_up {
            reading.both_ways::<_, previous::outcome::HolderAnswer>("answers of authorities", answer);
        }
    }
    for stray in world.strays.iter().filter(|stray| is_new(looked_at, stray)) {
        match stray {
            Stray::ToCustomer(_, message) => to_customer(reading, message),
            Stray::ToResource(_, message) => to_resource(reading, message),
            Stray::Claim(_, ticket) => reading.both_ways::<_, previous::message::Ticket>("tickets", ticket),
        }
    }
}

fn look_at_local(reading: &mut Reading, local: &LocalRun) {
    match local {
        LocalRun::Send { messages, .. } => messages.iter().for_each(|(_, message)| to_resource(reading, message)),
        LocalRun::Admit { admission, work } => {
            reading.both_ways::<_, previous::customer::Admission>("admissions", &**admission);
            let admitted = work.iter().map(|event| match &event.plan {
                Ok(plan) => {
                    let answered = |(of, _, answer): &(_, _, Option<_>)| Some((Clone::clone(of), answer.clone()?));
                    let answers = event.tickets.iter().filter_map(answered).collect();
                    Admitted::Planned { plan: plan.clone(), answers }
                }
                Err(rejection) => Admitted::Rejected { rejection: rejection.clone() },
            });
            let answer = AdmissionAnswer {
                admitted: admitted.collect(),
                limits: EntityLimits::default(),
                attributes_registered: true,
                subscriptions: None,
                queue_assignment: Some(QueueAssignment { generation: 2, task_queue: "interlock.entity.03".to_owned() }),
            };
            reading.both_ways::<_, previous::customer::AdmissionAnswer>("plans", &answer);
        }
    }
}

fn to_customer(reading: &mut Reading, message: &ToCustomer) {
    let envelope = Envelope::new(message.clone());
    reading
        .both_ways::<_, previous::message::Envelope<previous::message::ToCustomer>>("messages to customers", &envelope);
}

fn to_resource(reading: &mut Reading, message: &ToResource) {
    let queue_assignment = QueueAssignment { generation: 2, task_queue: "interlock.resource.03".to_owned() };
    let envelope = Envelope::new(message.clone()).with_queue_assignment(Some(queue_assignment)).sent_at(NOW);
    reading
        .both_ways::<_, previous::message::Envelope<previous::message::ToResource>>("messages to resources", &envelope);
}

/// A target that is down, probed, ramped up, paused, limited and in maintenance.
pub fn of_a_target(reading: &mut Reading) {
    let window = MaintenanceWindow {
        begins: NOW.plus_ms(600_000),
        lasts_ms: 60_000,
        every_ms: None,
        reason: "vendor".to_owned(),
    };
    let rules = TargetRules { rate: Some(Rate::per_second(20)), maintenance: vec![window], ..TargetRules::default() };
    reading.both_ways::<_, previous::target::TargetRules>("rules of targets", &rules);
    let mut target = Target::new("hss".parse().unwrap(), rules.clone(), NOW);
    let report =
        |transition| BreakerReport { process: "worker-1".to_owned(), transition, reason: "refused".to_owned() };
    let probe = |finding| ToTarget::Probed(ProbeAnswer { finding, stands: None });
    let detail = || "refused".to_owned();
    let inputs = [
        ToTarget::Configured(rules),
        probe(Finding::Up),
        ToTarget::LimitSet(Ok(())),
        ToTarget::Reported(report(BreakerTransition::Opened)),
        ToTarget::LimitSet(Err("the server is away".to_owned())),
        ToTarget::Woke,
        ToTarget::LimitSet(Ok(())),
        ToTarget::Woke,
        probe(Finding::Down { detail: detail() }),
        ToTarget::Woke,
        probe(Finding::CannotTell { detail: detail() }),
        ToTarget::LimitSet(Ok(())),
        ToTarget::Woke,
        ToTarget::Reported(report(BreakerTransition::Closed)),
        ToTarget::Resumed,
    ];
    let mut now = NOW;
    let mut look = |target: &Target| reading.both_ways::<_, previous::target::Target>("targets", target);
    for input in inputs {
        drop(target.step(now, input));
        look(&target);
        now = target.wake_at(now).unwrap_or(now).max(now).plus_ms(1);
    }
    let kinds = [
        TargetActionKind::Limit { per_second: Some(Rate::per_second(3)) },
        TargetActionKind::Pause { until: Some(now.plus_ms(1_000)) },
        TargetActionKind::Pause { until: None },
        TargetActionKind::Resume,
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let (actor, reason) = ("night-shift".to_owned(), "vendor".to_owned());
        let action = TargetAction { action_id: number.to_string(), kind, actor, reason };
        drop(target.act(now, &action));
        look(&target);
    }
    now = NOW.plus_ms(600_001);
    drop(target.step(now, ToTarget::Woke));
    look(&target);
}

/// More events than a customer may have, before the first of them is admitted.
pub fn of_a_customer_with_a_backlog(reading: &mut Reading) {
    let me = CustomerRef { tenant: "operator".parse().unwrap(), customer: "customer".parse().unwrap() };
    let mut machine = Customer::new(me, Incarnation(NOW.0));
    for number in 0..1_100 {
        let event = serde_json::json!({
            "specversion": "1.0", "id": number.to_string(), "source": "/crm", "type": "number.assigned",
            "subject": "customer", "data": {"imsi": "001010000000001", "msisdn": format!("1206{number:07}")},
        });
        let event = Event::from_value(&event, usize::MAX).unwrap();
        reading.both_ways::<_, previous::event::Event>("events", &event);
        drop(machine.step(NOW.plus_ms(number), Input::Submitted(Ok(event))));
    }
    assert!(machine.counts().backlog_full > 0);
    reading.both_ways::<_, previous::customer::Customer>("customers with a backlog", &machine);
}
