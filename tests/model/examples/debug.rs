use interlock_model::{sighting::Sightings, simulator::simulate, worlds, world::World, scenario::Faults};
fn main() {
    let seed: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let at: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let who: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let named = worlds::all();
    let world = match usize::try_from(seed % (2 * named.len() as u64)) {
        Ok(index) if index < named.len() => named[index].clone(),
        _ => worlds::random(seed),
    };
    let storm = worlds::storm();
    let s = match seed % 5 {
        0 => world,
        1 => world.with("storm", storm),
        2 => world.with("storm with a death", Faults { customers_terminated: 1, ..storm }),
        3 => world.with("storm with force", Faults { forced: 1, ..storm }),
        _ => world.with("storm, nobody refuses", Faults { refused: 0, cancelled: 0, person: 0, ..storm }),
    };
    let failure = simulate(&s, seed, &mut Sightings::default()).unwrap_err();
    let mut w = World::new(&s);
    for (i, action) in failure.actions.iter().enumerate() {
        if i + 1 == at { println!("{:#?}", w.customers[who].entity.as_ref().map(|e| e.get())); for r in &w.resources { println!("{:#?}", r.entity.get().holder); println!("{:#?}", r.entity.get().queue.values().map(|q| q.ticket.id.clone()).collect::<Vec<_>>()); } }
        let _ = w.perform(action, &mut Sightings::default());
    }
}
