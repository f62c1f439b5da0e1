//! The cost of an order in history events: customer and resource entities together, with existing entities, without search attributes.
//! The test holds the figures of the design. An entity that begins to wait, or that has nothing open any more, sets a search attribute:
//! one event each time.
//!
//! The test sends no queries meanwhile: a query during a workflow task costs one more event.

use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use crate::events::{Customer, event};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, event_types};
use crate::testbed::{run, shared};
use crate::waiting::until;

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

    /// The number of events of each. `None` while one of them has something to do.
    async fn lengths_at_rest(&self) -> Option<Vec<i64>> {
        let mut lengths = Vec::new();
        for (_, entity) in &self.counted {
            lengths.push(entity.length_at_rest().await?);
        }
        Some(lengths)
    }

    /// Waits until all of them are idle, twice with the same lengths: while one of them looked idle, another may have sent it
    /// something.
    async fn settled(&self) -> Vec<i64> {
        until("entities at rest", || async {
            let lengths = self.lengths_at_rest().await?;
            (self.lengths_at_rest().await? == lengths).then_some(lengths)
        })
        .await
    }

    /// How many history events these events add, each submitted when all entities are idle.
    async fn cost_of(&self, what: &str, events: &[Value]) -> usize {
        let before = self.settled().await;
        for event in events {
            self.scene.submit(event).await;
            self.settled().await;
        }
        self.settled().await;
        let mut cost = 0;
        for ((name, entity), before) in self.counted.iter().zip(before) {
            let types = event_types(&entity.history("").await);
            let added: Vec<_> = types.iter().skip(usize::try_from(before).unwrap()).collect();
            println!("  {name}: {:?}", added.iter().map(|event| event.as_str_name()).collect::<Vec<_>>());
            cost += added.iter().filter(|event| ***event != EventType::UpsertWorkflowSearchAttributes).count();
        }
        println!("{what}: {cost} events");
        cost
    }
}

#[test]
fn an_order_costs_the_events_that_the_design_allows() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        // All three exist already.
        for customer in [&a1, &a2] {
            scene.done(&touched(customer)).await;
        }
        scene.done(&line("line.assigned", &a1, &number)).await;
        scene.done(&line("line.unassigned", &a1, &number)).await;
        let entities = Entities::of(&scene, &[&a1, &a2], &number);

        let touch = entities.cost_of("an order with one step, no claim", &[touched(&a1)]).await;
        let assign = entities.cost_of("an uncontended assign", &[line("line.assigned", &a1, &number)]).await;
        let release = [line("line.unassigned", &a1, &number)];
        let release = entities.cost_of("a release with nobody waiting", &release).await;
        scene.done(&line("line.assigned", &a1, &number)).await;
        let hand_over = [line("line.assigned", &a2, &number), line("line.unassigned", &a1, &number)];
        let hand_over = entities.cost_of("a whole hand-over, A2's event first", &hand_over).await;

        assert_eq!((touch, assign, release, hand_over), (11, 16, 21, 42));
        assert_eq!(scene.registrations(&number).last(), Some(&format!("{}+", a2.imsi)));
        scene.judge(&[&number]);
    });
}
