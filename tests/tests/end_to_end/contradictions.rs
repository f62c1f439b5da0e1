//! A resource and a customer that contradict each other about a lease. No known path leads there, so the tests forge messages. The
//! sweep sees the difference, counts it, and settles it through the protocol.

use std::time::Duration;

use interlock_domain::ids::{CustomerRef, Epoch, Incarnation, ResourceId, TicketId};
use interlock_domain::message::{Envelope, GiveBack, Notice, ToCustomer, ToResource};
use interlock_settings::SweepSettings;
use interlock_workflows::names;
use serde_json::{Value, json};

use crate::events::{Customer, assigned, event, unassigned};
use crate::scene::{Scene, number};
use crate::swept::{Listener, VOUCHERS};
use crate::temporal_calls::{RawEntity, json_payload};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// Higher than any epoch that a clock gives during a test.
const LATER: u64 = 3_600_000;

async fn bed(name: &str, listener: &Listener) -> Testbed {
    let wanted = Wanted {
        more_events: VOUCHERS.to_owned(),
        sweep: Some(SweepSettings {
            interval: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            parked_after: Duration::from_mins(10),
        }),
        alerts_to: Some(listener.url.clone()),
        leases_may_differ: true,
        ..Wanted::default()
    };
    Testbed::start(name, wanted).await
}

async fn state_of(scene: &Scene<'_>, resource: &ResourceId) -> Option<Value> {
    scene.bed.platform.resource(&scene.tenant, resource).await.ok()
}

fn epoch_of(holder: &Value) -> Epoch {
    serde_json::from_value(holder["epoch"].clone()).unwrap()
}

fn me(scene: &Scene<'_>, customer: &Customer) -> CustomerRef {
    CustomerRef { tenant: scene.tenant.clone(), customer: customer.id.parse().unwrap() }
}

/// Tells a resource, in a customer's name, that the customer gives back its lease.
async fn forge_give_back(scene: &Scene<'_>, customer: &Customer, resource: &ResourceId) -> Epoch {
    let epoch = epoch_of(&state_of(scene, resource).await.unwrap()["holder"]);
    let (tickets, finished) = (Vec::new(), Vec::new());
    let (from, how, proof, registered_to) = (me(scene, customer), GiveBack::Released, None, None);
    let message = ToResource::GiveBack { from, epoch, how, tickets, finished, proof, registered_to };
    let entity =
        RawEntity::new(&scene.bed.platform, scene.bed.platform.installation.routing.resource(&scene.tenant, resource));
    let envelope = serde_json::to_string(&Envelope::new(message)).unwrap();
    entity.signal(names::FROM_CUSTOMER, vec![json_payload(envelope)]).await;
    epoch
}

#[test]
fn a_holder_that_its_resource_forgot_is_its_holder_again_by_a_later_epoch() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("contradicted-resource", &listener).await;
        {
            let scene = Scene::on(&bed);
            let (a, b, number) = (scene.customer("A"), scene.customer("B"), number());
            let resource: ResourceId = format!("msisdn/{number}").parse().unwrap();
            scene.done(&assigned(&a, &number)).await;
            let before = forge_give_back(&scene, &a, &resource).await;

            let alert = listener.alert("raised", "lease_differs").await;
            assert_eq!(alert["data"]["resource"], format!("msisdn/{number}"));
            let told = alert["data"]["detail"].as_str().unwrap();
            assert!(told.contains("no customer holds it") && told.contains(&a.id), "{told}");
            until(format!("{number} to be {}'s again", a.id), || async {
                let holder = state_of(&scene, &resource).await?["holder"].clone();
                (holder["customer_id"] == *a.id && epoch_of(&holder) > before).then_some(())
            })
            .await;
            listener.alert("cleared", "lease_differs").await;
            assert_eq!(bed.lease_differences("found").await, 1);
            assert_eq!(bed.lease_differences("settled").await, 1);

            // Everything is as if nothing had happened.
            let waits = scene.submit(&assigned(&b, &number)).await;
            scene.is_waiting_for(&b, &number).await;
            scene.done(&unassigned(&a, &number)).await;
            scene.completed(&[waits]).await;
            scene.judge(&[&number]);
        }
        bed.stop().await;
    });
}

#[test]
fn a_number_that_was_given_back_by_an_epoch_that_its_resource_does_not_know_goes_to_the_next() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("contradicted-customer", &listener).await;
        {
            let scene = Scene::on(&bed);
            let (a, b, number) = (scene.customer("A"), scene.customer("B"), number());
            let resource: ResourceId = format!("msisdn/{number}").parse().unwrap();
            let order = scene.done(&assigned(&a, &number)).await;
            let waits = scene.submit(&assigned(&b, &number)).await;
            scene.is_waiting_for(&b, &number).await;
            // A gets a grant that the resource did not make.
            let holder = state_of(&scene, &resource).await.unwrap()["holder"].clone();
            let incarnation: Incarnation = serde_json::from_value(holder["incarnation"].clone()).unwrap();
            let ticket = TicketId::derive(&order, &resource, incarnation);
            let epoch = Epoch(epoch_of(&holder).0 + LATER);
            let notice = Notice::LeaseGranted { ticket, epoch, registered: false, recall: None };
            let forged = Envelope::new(ToCustomer { resource: resource.clone(), incarnation, notice });
            let entity = scene.entity(&a.id.parse().unwrap());
            entity.signal(names::FROM_RESOURCE, vec![json_payload(serde_json::to_string(&forged).unwrap())]).await;
            // It gives back what the resource believes to be another lease.
            scene.done(&unassigned(&a, &number)).await;

            scene.completed(&[waits]).await;
            scene.judge(&[&number]);
            let expected = [format!("{}+", a.imsi), format!("{}-", a.imsi), format!("{}+", b.imsi)];
            assert_eq!(scene.registrations(&number), expected);
            listener.alert("cleared", "lease_differs").await;
            let found = bed.lease_differences("found").await;
            assert!(found >= 1, "nothing was counted");
            until("all to be settled", || async { (bed.lease_differences("settled").await == found).then_some(()) })
                .await;
        }
        bed.stop().await;
    });
}

#[test]
fn a_resource_that_two_customers_hold_is_told_as_the_worst_finding_and_is_granted_to_no_third() {
    run(async {
        let listener = Listener::start().await;
        let bed = bed("contradicted-twice", &listener).await;
        {
            let scene = Scene::on(&bed);
            let [a, b, c] = ["A", "B", "C"].map(Scene::newcomer);
            // No target knows the holders.
            let code: ResourceId = format!("voucher/{}", number()).parse().unwrap();
            let holds = |customer: &Customer, what: &str| {
                event(what, &customer.id, &json!({"code": code.id(), "settings": {"voucher": what}}))
            };
            scene.done(&holds(&a, "voucher.taken")).await;
            forge_give_back(&scene, &a, &code).await;
            scene.done(&holds(&b, "voucher.taken")).await;

            let alert = listener.alert("raised", "resource_held_twice").await;
            let told = alert["data"]["detail"].as_str().unwrap();
            assert!(told.contains(&a.id) && told.contains(&b.id), "{told}");
            until("the resource to name both", || async {
                let state = state_of(&scene, &code).await?;
                let is_named = state["holder"]["customer_id"] == *b.id && state["also_held_by"]["customer_id"] == *a.id;
                is_named.then_some(())
            })
            .await;

            // Whichever of the two releases first, no third customer gets it before the other has released it, too.
            let waits = scene.submit(&holds(&c, "voucher.taken")).await;
            scene.done(&holds(&b, "voucher.returned")).await;
            until("it to be A's alone", || async {
                let state = state_of(&scene, &code).await?;
                (state["holder"]["customer_id"] == *a.id && state["also_held_by"].is_null()).then_some(())
            })
            .await;
            assert_eq!(scene.order(&waits).await.unwrap()["state"], "pending");
            listener.alert("cleared", "resource_held_twice").await;
            scene.done(&holds(&a, "voucher.returned")).await;
            scene.completed(&[waits]).await;
        }
        bed.stop().await;
    });
}
