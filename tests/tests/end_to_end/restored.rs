//! Temporal's store is lost, and restored from a copy that was taken earlier; the same as a forced fail-over to a replica that lags behind.
//! What a person does then is in `deploy/docs/runbook.md`, and is what this test does.

use interlock_coordinator::local::RunningServer;
use interlock_domain::ids::TenantId;
use interlock_production_server::{ProductionServer, ProductionServerOptions};
use serde_json::Value;

use crate::applied_log::of_account;
use crate::events::{Customer, assigned, unassigned};
use crate::production::binaries;
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run_large, unique};

/// What the copy has.
struct Before {
    tenant: TenantId,
    people: [Customer; 5],
    numbers: [String; 3],
    events: Vec<Value>,
}

/// A1 has the first number, A2 the second one, and B waits for it.
async fn before_the_copy(bed: &Testbed) -> Before {
    let scene = Scene::on(bed);
    let people = ["A1", "A2", "A3", "B", "C"].map(|name| scene.customer(name));
    let numbers = [number(), number(), number()];
    let has = [assigned(&people[0], &numbers[0]), assigned(&people[1], &numbers[1])];
    for event in &has {
        scene.done(event).await;
    }
    let waits = assigned(&people[3], &numbers[1]);
    scene.submit(&waits).await;
    scene.is_waiting_for(&people[3], &numbers[1]).await;
    Before { tenant: scene.tenant, people, numbers, events: [has.to_vec(), vec![waits]].concat() }
}

#[test]
fn after_the_store_was_restored_from_an_older_copy_producers_send_again_and_no_number_is_registered_twice() {
    run_large(async {
        let Some(binaries) = binaries().await else { return };
        let mut server = ProductionServer::start(&binaries, ProductionServerOptions::default()).await.unwrap();
        let copies = tempfile::tempdir().unwrap();
        let copy = copies.path().join("copy");
        let running_server = Some(RunningServer { address: server.address(), namespace: unique("restored") });
        let wanted = Wanted { running_server, leases_may_differ: true, ..Wanted::default() };
        let mut bed = Testbed::start("restored", wanted).await;
        let Before { tenant, people, numbers, events: before } = before_the_copy(&bed).await;
        let [a1, a2, a3, b, c] = &people;
        let [first, second, third] = &numbers;
        server.copy_store(&copy).await.unwrap();

        // What the copy does not have: the first number goes on to A3, the second one to B, and C gets the third one.
        let after = [unassigned(a1, first), assigned(a3, first), unassigned(a2, second), assigned(c, third)];
        {
            let scene = Scene { bed: &bed, tenant: tenant.clone() };
            for event in &after {
                scene.done(event).await;
            }
            scene.done(&before[2]).await;
        }
        let applied = bed.hss.log().len();

        // 1. No worker runs while the ledger is older than the network. 2. The store is restored.
        bed.platform.stop_workers().await.unwrap();
        server.restore_store(&copy).await.unwrap();
        // 3. Workers run again. 4. Producers send again everything since a while before the copy.
        bed.platform.start_workers().await.unwrap();
        let scene = Scene { bed: &bed, tenant };
        let lost = scene
            .bed
            .platform
            .installation
            .catalog
            .order_id(&scene.tenant, &interlock_domain::event::Event::from_value(&after[3], usize::MAX).unwrap());
        assert!(scene.order(&lost).await.is_none(), "the copy knows what came after it");
        assert_eq!(scene.holder(first).await.as_deref(), Some(a1.id.as_str()), "the ledger is as old as the copy");
        let again: Vec<Value> = before.iter().chain(&after).cloned().collect();
        let orders = scene.submit_all(&again).await;
        let mut ends = Vec::new();
        for order in &orders {
            ends.push(scene.end_of(order).await);
        }
        println!("{ends:?}");
        scene.judge(&[first, second, third]);
        for (number, holder) in [(first, a3), (second, b), (third, c)] {
            assert_eq!(scene.holder(number).await.as_deref(), Some(holder.id.as_str()), "{number}");
        }
        // 5. Nothing was registered or released again.
        let registrations = |number: &String| scene.registrations(number);
        let moved = |from: &str, to: &str| [format!("{from}+"), format!("{from}-"), format!("{to}+")];
        assert_eq!(registrations(first), moved(&a1.imsi, &a3.imsi));
        assert_eq!(registrations(second), moved(&a2.imsi, &b.imsi));
        assert_eq!(registrations(third), [format!("{}+", c.imsi)]);
        println!("{applied} changes at the HSS before, {} after", bed.hss.log().len());
        assert_eq!(of_account(&bed.crm.log(), &c.id), [format!("add {third}")]);
        bed.stop().await;
        server.stop().await.unwrap();
    });
}
