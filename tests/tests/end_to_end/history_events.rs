//! What an order costs in history events, customer and resource entities together, entities existing already: the
//! figures of the design, held.

use crate::events::{Customer, event};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, event_types};
use crate::testbed::{run, shared};
use crate::waiting::until;
use serde_json::{Value, json};

fn line(event_type: &str, customer: &Customer, number: &str) -> Value {
    event(event_type, &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

fn touched(customer: &Customer) -> Value {
    event("line.touched", &customer.id, &json!({"imsi": customer.imsi}))
}

/// The entities of one count.
struct Entities<'a> {
    scene: &'a Scene<'a>,
    counted: Vec<(String, RawEntity)>,
}

impl<'a> Entities<'a> {
    fn of(scene: &'a Scene<'a>, customers: &[&Customer], number: &str) -> Self {
        let of = |customer: &&Customer| (customer.id.clone(), scene.entity(&customer.id.parse().unwrap()));
        let mut counted: Vec<_> = customers.iter().map(of).collect();
        counted.push(("resource".to_owned(), scene.number_entity(number)));
        Self { scene, counted }
    }

    /// The events so far, once no workflow task is open any more.
    async fn lengths(&self) -> Vec<usize> {
        let mut lengths = Vec::new();
        for (name, entity) in &self.counted {
            let quiet = until(format!("the quiet of {name}"), || async { entity.is_quiet().await.then_some(()) });
            quiet.await;
            lengths.push(entity.history("").await.len());
        }
        lengths
    }

    /// How many events the work adds.
    async fn cost_of(&self, what: &str, work: impl Future<Output = ()>) -> usize {
        let before = self.lengths().await;
        work.await;
        let after = self.lengths().await;
        let cost: usize = after.iter().sum::<usize>() - before.iter().sum::<usize>();
        println!("{what}: {cost} events");
        for ((name, entity), before) in self.counted.iter().zip(before) {
            let types = event_types(&entity.history("").await);
            let names: Vec<_> = types[before..].iter().map(|kind| kind.as_str_name()).collect();
            println!("  {name}: {} {names:?}", names.len());
        }
        cost
    }

    async fn done(&self, event: &Value) {
        self.scene.done(event).await;
    }
}

#[test]
fn an_order_costs_the_events_that_the_design_allows() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        let entities = Entities::of(&scene, &[&a1, &a2], &number);
        // All three exist already, and know nothing worth mentioning.
        entities.done(&touched(&a2)).await;
        entities.done(&line("line.assigned", &a1, &number)).await;
        entities.done(&line("line.unassigned", &a1, &number)).await;
        is_nobodys(&scene, &number).await;

        let touch = entities.cost_of("one step, no claim", entities.done(&touched(&a1))).await;
        let assign = entities.cost_of("an uncontended assign", entities.done(&line("line.assigned", &a1, &number))).await;
        let release = entities.cost_of("a release with nobody waiting", async {
            entities.done(&line("line.unassigned", &a1, &number)).await;
            is_nobodys(&scene, &number).await;
        });
        let release = release.await;
        entities.done(&line("line.assigned", &a1, &number)).await;
        let hand_over = entities.cost_of("a whole hand-over, A2's event first", async {
            let second = scene.submit(&line("line.assigned", &a2, &number)).await;
            scene.is_waiting_for(&a2, &number).await;
            entities.lengths().await;
            let first = scene.submit(&line("line.unassigned", &a1, &number)).await;
            scene.completed(&[first, second]).await;
        });
        let hand_over = hand_over.await;
        assert_eq!((touch, assign, release, hand_over), (11, 16, 16, 37));
    });
}

async fn is_nobodys(scene: &Scene<'_>, number: &str) {
    until("the number to be nobody's", || async {
        scene.number_state(number).await?["holder"].is_null().then_some(())
    })
    .await;
}
