//! Queries that wait while no worker is there: when one comes, events have come meanwhile
//! (`coordinator/worker-pools/src/query_guard/settled.rs`). What the run makes of them must replay.

use std::sync::Arc;
use std::time::Duration;

use interlock_workflows::{CustomerEntity, names};

use crate::events::{assigned, unassigned};
use crate::replayed::replays;
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// So many customers, since the server decides whether a query or the task of an event comes to a worker first.
const CUSTOMERS: usize = 8;
/// Longer than the clocks of a sender and of the server may differ: the time of such an event cannot be trusted in the task before.
const AWAY: Duration = Duration::from_secs(6);

#[test]
fn a_query_that_waited_for_a_worker_leaves_nothing_that_cannot_be_replayed() {
    run(async {
        let mut bed = Testbed::start("asked-while-away", Wanted::default()).await;
        let mut orders = Vec::new();
        let mut customers = Vec::new();
        {
            let scene = Scene::on(&bed);
            for _ in 0..CUSTOMERS {
                let (customer, number) = (scene.customer("A"), number());
                orders.push(scene.submit(&assigned(&customer, &number)).await);
                customers.push((scene.tenant.clone(), customer, number));
            }
            scene.completed(&orders).await;
        }
        bed.platform.stop_workers().await.unwrap();
        let scene = Scene { bed: &bed, tenant: customers[0].0.clone() };
        let entities: Vec<_> =
            customers.iter().map(|(_, customer, _)| Arc::new(scene.entity(&customer.id.parse().unwrap()))).collect();
        let asking: Vec<_> = entities
            .iter()
            .map(|entity| {
                let entity = Arc::clone(entity);
                // Nobody may be there to answer in time.
                tokio::spawn(async move { drop(entity.query(names::STATE).await) })
            })
            .collect();
        tokio::time::sleep(AWAY).await;
        let mut orders = Vec::new();
        for (_, customer, number) in &customers {
            orders.push(scene.submit(&unassigned(customer, number)).await);
        }
        bed.platform.start_workers().await.unwrap();
        let scene = Scene { bed: &bed, tenant: customers[0].0.clone() };
        scene.completed(&orders).await;
        for asked in asking {
            asked.await.unwrap();
        }
        let mut histories = Vec::new();
        for entity in &entities {
            until("the customer to rest", || entity.length_at_rest()).await;
            histories.push(entity.history("").await);
        }
        replays::<CustomerEntity>(histories).await;
        bed.stop().await;
    });
}
