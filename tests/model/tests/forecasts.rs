//! What a forecast says of a person's action, and what then happens, in random worlds.
//!
//! A world runs until nothing more happens by itself. Then everything that a person may do is forecast, and done, with targets that answer
//! as the forecast assumes. The world must then come to rest where the forecast says, in a random order of all that happens.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use fastrand::Rng;
use interlock_domain::catalog::Planned;
use interlock_domain::customer::{Admission, Customer};
use interlock_domain::forecast::{Forecast, Party, Plans};
use interlock_domain::ids::{OrderId, ResourceId, Timestamp};
use interlock_domain::limits::CLOCKS_APART_MS_MAX;
use interlock_domain::order::{OrderState, Rejection};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use interlock_domain::resource::HolderName;
use interlock_model::budget::seeds;
use interlock_model::faults::Faults;
use interlock_model::scenario::{Scenario, tenant};
use interlock_model::sighting::Sightings;
use interlock_model::world::{Action, PersonsChoice, Phase, World};
use interlock_model::worlds;

/// Random worlds.
const WORLDS: u64 = 600;
/// The most actions until a world is at rest.
const ACTIONS_MAX: usize = 4_000;
/// How many random orders of what happens are tried, until one ends as forecast: two orders may compete, and then both ends are right.
const SCHEDULES: u64 = 12;

struct Planner<'a>(&'a Scenario);

impl Plans for Planner<'_> {
    fn plan(&self, admission: &Admission) -> Vec<Result<Planned, Rejection>> {
        self.0.plan_batch(admission)
    }
}

/// Where a world stands: its orders, and who has what.
#[derive(Debug, PartialEq)]
struct Standing {
    orders: BTreeMap<OrderId, Option<OrderState>>,
    holders: BTreeMap<ResourceId, Option<String>>,
}

fn perform(world: &mut World, action: &Action, seed: u64) {
    let done = world.perform(action, &mut Sightings::default());
    done.unwrap_or_else(|violation| panic!("INTERLOCK_SEED={seed}: {action:?}: {violation:?}"));
}

/// Runs what is due, in a random order. False if a target answered otherwise than a forecast assumes.
fn rest(world: &mut World, random: &mut Rng, seed: u64) -> bool {
    let mut is_as_assumed = true;
    for _ in 0..ACTIONS_MAX {
        let due: Vec<_> = world.enabled().into_iter().filter(|action| !action.is_optional()).collect();
        let Some(action) = random.choice(&due) else { return is_as_assumed };
        if let Action::LookUpDone(resource) = action {
            is_as_assumed &= is_as_the_ledger(world, *resource);
        }
        perform(world, action, seed);
        let calls = world.customers.iter().flat_map(|customer| customer.calls.values());
        is_as_assumed &= calls.into_iter().all(|call| match &call.phase {
            Phase::Answered(outcome) => *outcome == Outcome::Done,
            _ => true,
        });
    }
    panic!("INTERLOCK_SEED={seed}: no rest");
}

/// Whether the target says of a resource what the ledger says; of one that is forced free, that nobody has it.
fn is_as_the_ledger(world: &World, resource: usize) -> bool {
    let slot = &world.resources[resource];
    let machine = slot.entity.get();
    let holder = machine.holder().filter(|_| machine.forcing().is_none()).and_then(|holder| match &holder.who {
        HolderName::TargetIdentity(target_identity) => Some(target_identity.clone()),
        HolderName::Customer(_) => holder.target_identity.clone(),
    });
    let answer =
        holder.map_or(HolderAnswer::Nobody, |target_identity| HolderAnswer::TargetIdentity { target_identity });
    slot.looking_up.as_ref().is_some_and(|looked_up| *looked_up == Some(answer))
}

fn standing<'a>(
    orders: impl Iterator<Item = OrderId>,
    customer: impl Fn(&OrderId) -> Option<&'a Customer>,
    holders: BTreeMap<ResourceId, Option<String>>,
) -> Standing {
    let orders = orders.map(|id| {
        let state = customer(&id).and_then(|machine| machine.state_of(&id));
        (id, state)
    });
    Standing { orders: orders.collect(), holders }
}

fn holder_of(machine: &interlock_domain::resource::Resource) -> Option<String> {
    machine.holder().map(|holder| match &holder.who {
        HolderName::TargetIdentity(target_identity) => target_identity.clone(),
        HolderName::Customer(customer) => customer.to_string(),
    })
}

fn of_world(world: &World) -> Standing {
    let customer = |id: &OrderId| {
        let index = world.scenario.customers.iter().position(|customer| customer.customer == id.customer())?;
        world.machine(index)
    };
    let machines = world.resources.iter().map(|slot| slot.entity.get());
    let holders = machines.map(|machine| (machine.id().clone(), holder_of(machine))).collect();
    standing((0..world.scenario.events.len()).map(|event| world.scenario.order_id(event)), customer, holders)
}

/// Where the forecast ends: what it does not follow stays as it is.
fn of_forecast(forecast: &Forecast<'_>, world: &World) -> Standing {
    let customer = |id: &OrderId| {
        let index = world.scenario.customers.iter().position(|customer| customer.customer == id.customer())?;
        forecast.customer(&id.customer()).or_else(|| world.machine(index))
    };
    let holders = world.resources.iter().map(|slot| {
        let machine = slot.entity.get();
        (machine.id().clone(), holder_of(forecast.resource(machine.id()).unwrap_or(machine)))
    });
    standing((0..world.scenario.events.len()).map(|event| world.scenario.order_id(event)), customer, holders.collect())
}

fn follow(forecast: &mut Forecast<'_>, world: &World, party: Party) {
    match party {
        Party::Customer(customer) => {
            let index = world.scenario.customers.iter().position(|known| known.customer == customer).unwrap();
            match world.machine(index) {
                Some(machine) => forecast.follow_customer(machine.clone()),
                None => forecast.absent_customer(customer),
            }
        }
        Party::Resource(resource) => {
            let index = world.scenario.resource_index(&resource).unwrap();
            forecast.follow_resource(world.resources[index].entity.get().clone());
        }
        Party::Target(target) => forecast.know_target(target, None),
    }
}

/// Forecasts an action. The second result is whether it is refused.
fn forecast<'a>(planner: &'a Planner<'a>, world: &World, action: &Action) -> (Forecast<'a>, bool) {
    let later = matches!(action, Action::Force(_, false)).then_some(CLOCKS_APART_MS_MAX.cast_signed() + 1);
    let now = Timestamp(world.now + later.unwrap_or_default());
    let mut forecast = Forecast::new(tenant(), now, planner);
    let refused = match action {
        Action::Person(customer, order, choice) => {
            let machine = world.machine(*customer).unwrap();
            let decision = world.decision(*customer, order, *choice);
            forecast.follow_customer(machine.clone());
            let foreseen = forecast.act(&decision).unwrap();
            let (taken, _) = machine.clone().act(now, &decision);
            assert_eq!(foreseen, taken, "{action:?} is answered as it is forecast");
            taken.is_err()
        }
        Action::Force(resource, insists) => {
            let machine = world.resources[*resource].entity.get();
            forecast.follow_resource(machine.clone());
            forecast.force(machine.id(), world.forced_release(*insists));
            false
        }
        other => panic!("{other:?} is not the action of a person"),
    };
    while let Some(party) = forecast.run() {
        follow(&mut forecast, world, party);
    }
    (forecast, refused)
}

#[derive(Debug, Default)]
struct Tally {
    compared: usize,
    refused: usize,
    otherwise: usize,
    changed: usize,
    choices: BTreeMap<String, usize>,
}

/// Compares the forecast of one action with what happens.
fn compare(world: &World, action: &Action, seed: u64, tally: &mut Tally) {
    let planner = Planner(&world.scenario);
    let before = world.fingerprint();
    let (forecast, is_refused) = forecast(&planner, world, action);
    assert_eq!(world.fingerprint(), before, "a forecast changes nothing");
    if is_refused {
        tally.refused += 1;
        return;
    }
    let foreseen = of_forecast(&forecast, world);
    let mut last = None;
    for schedule in 0..SCHEDULES {
        let mut random = Rng::with_seed(seed ^ (schedule << 32));
        let mut after = world.clone();
        perform(&mut after, action, seed);
        after.left = Faults::default();
        if !rest(&mut after, &mut random, seed) {
            tally.otherwise += 1;
            return;
        }
        let really = of_world(&after);
        if really == foreseen {
            tally.compared += 1;
            tally.changed += usize::from(really != of_world(world));
            let name = match action {
                Action::Person(_, _, choice) => format!("{choice:?}"),
                _ => "Force".to_owned(),
            };
            *tally.choices.entry(name).or_default() += 1;
            return;
        }
        last = Some(really);
    }
    panic!("INTERLOCK_SEED={seed}: {action:?}\nforeseen {foreseen:#?}\nreally {last:#?}\n{:#?}", forecast.view("act"));
}

#[test]
fn what_a_person_does_ends_as_it_is_forecast() {
    let faults = Faults { refused: 2, person: 3, cancelled: 2, forced: 1, ..Faults::default() };
    let mut tally = Tally::default();
    for seed in seeds(7_000_000, WORLDS).take(WORLDS as usize) {
        let mut random = Rng::with_seed(seed);
        let mut world = World::new(&worlds::random(seed).with("forecast", faults));
        for _ in 0..3 {
            let eager = random.f64();
            for _ in 0..ACTIONS_MAX {
                let (optional, due): (Vec<_>, Vec<_>) = world.enabled().into_iter().partition(Action::is_optional);
                let refusals: Vec<_> =
                    optional.into_iter().filter(|action| matches!(action, Action::Refused(_))).collect();
                let chosen = if random.f64() < eager { random.choice(&refusals) } else { None };
                let Some(action) = chosen.or_else(|| random.choice(&due)).cloned() else { break };
                perform(&mut world, &action, seed);
            }
            let persons: Vec<_> = world
                .enabled()
                .into_iter()
                .filter(|action| matches!(action, Action::Person(..) | Action::Force(..)))
                .collect();
            for action in &persons {
                compare(&world, action, seed, &mut tally);
            }
            let Some(action) = random.choice(&persons) else { break };
            perform(&mut world, action, seed);
        }
    }
    println!("{tally:?}");
    if seeds(7_000_000, WORLDS).count() < WORLDS as usize {
        return;
    }
    assert!(tally.compared > 500 && tally.changed > 200 && tally.refused > 5, "{tally:?}");
    for choice in [PersonsChoice::Retry, PersonsChoice::Amend, PersonsChoice::Skip, PersonsChoice::Cancel] {
        assert!(tally.choices.contains_key(&format!("{choice:?}")), "{choice:?} is never compared: {tally:?}");
    }
}
