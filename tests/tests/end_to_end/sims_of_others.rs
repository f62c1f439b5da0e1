//! Attacks: a customer names another customer's SIM, for a number of its own or as its own.

use interlock_adapters::sandbox::Seed;
use interlock_domain::ids::TenantId;
use serde_json::{Value, json};

use crate::events::{Customer, assigned, changed, event};
use crate::scene::{Scene, imsi, number};
use crate::testbed::{run, shared};
use crate::trespass::{at_the_hss, victim};
use crate::waiting::until_or_give_up;

/// The event of an attack, made from the attacker and a number of its own.
type Attack<'a> = Box<dyn Fn(&Customer, &str) -> Value + 'a>;

/// The same customer, with another customer's SIM.
fn naming(customer: &Customer, imsi: &str) -> Customer {
    Customer { id: customer.id.clone(), imsi: imsi.to_owned() }
}

/// A SIM whose keys the HSS has, and that no subscription uses.
fn loaded_sim(scene: &Scene<'_>) -> String {
    let imsi = imsi();
    let iccid = Some(format!("8901{imsi}"));
    scene.bed.hss.seed(&[Seed { imsi: imsi.clone(), iccid, sim_only: true, msisdn: None }]).unwrap();
    imsi
}

/// Waits until an order has ended, is held, or waits for the SIM, which its customer does not release. Returns its state.
async fn settled(scene: &Scene<'_>, attack: &Value, imsi: &str) -> Value {
    let order = scene.submit(attack).await;
    let sim = format!("imsi/{imsi}");
    let ends = ["completed", "partial", "failed", "cancelled", "rejected", "superseded", "held"];
    let settled = until_or_give_up(|| async {
        let shown = scene.order(&order).await?;
        let waits_for_it = shown["state"] == "pending" && shown["waiting_for"]["resource"] == sim.as_str();
        (waits_for_it || ends.contains(&shown["state"].as_str()?)).then_some(shown)
    });
    match settled.await {
        Some(shown) => shown,
        None => panic!("nothing comes of {attack:#}\n{:#}", scene.order(&order).await.unwrap_or_default()),
    }
}

/// Plays each attack with a separate customer that holds a number under a SIM of its own, and checks that the victim's SIM is
/// unchanged. `ledger` is the victim's tenant.
async fn attack(attackers: &Scene<'_>, ledger: &TenantId, imsi: &str, of_victim: &str) {
    let before = at_the_hss(attackers.bed, imsi);
    let swap = |customer: &Customer, own: &str| {
        let new_imsi = loaded_sim(attackers);
        event("sim.swapped", &customer.id, &json!({"old_imsi": imsi, "new_imsi": new_imsi, "msisdn": own}))
    };
    let activation = |customer: &Customer| {
        let data = json!({"imsi": imsi, "iccid": format!("8901{imsi}"), "msisdn": number(), "profile": "default"});
        event("subscriber.activated", &customer.id, &data)
    };
    let attacks: Vec<(&str, Attack<'_>)> = vec![
        ("a free number", Box::new(|customer, _| assigned(&naming(customer, imsi), &number()))),
        ("its number", Box::new(|customer, own| assigned(&naming(customer, imsi), own))),
        ("a change from its number", Box::new(|customer, own| changed(&naming(customer, imsi), own, &number()))),
        ("a change from the victim's", Box::new(|customer, _| changed(customer, of_victim, &number()))),
        (
            "a change under the victim's SIM",
            Box::new(|customer, _| changed(&naming(customer, imsi), of_victim, &number())),
        ),
        ("a swap of the victim's SIM", Box::new(|customer, own| swap(customer, own))),
        ("a swap for a free number", Box::new(|customer, _| swap(customer, &number()))),
        ("an activation", Box::new(|customer, _| activation(customer))),
    ];
    for (what, attack) in attacks {
        // A tenant with a separate ledger knows nothing of the victim's number. A customer that names the number together with its SIM
        // counts as its holder.
        if what == "a change under the victim's SIM" && attackers.tenant != *ledger {
            continue;
        }
        let (customer, own) = (attackers.customer("attacker"), number());
        attackers.done(&assigned(&customer, &own)).await;
        let attack = attack(&customer, &own);
        let shown = settled(attackers, &attack, imsi).await;
        assert_eq!(at_the_hss(attackers.bed, imsi), before, "{what}: {attack:#}\n{shown:#}");
        assert_ne!(shown["state"], "completed", "{what}: {shown:#}");
    }
}

#[test]
fn the_sim_of_another_customer_is_neither_given_a_number_nor_swapped() {
    run(async {
        let scene = Scene::on(shared().await);
        let (activated, of_activated) = victim(&scene).await;
        let (assigned_to, of_assigned) = (scene.customer("victim"), number());
        scene.done(&assigned(&assigned_to, &of_assigned)).await;
        for (imsi, number) in [(&activated.imsi, &of_activated), (&assigned_to.imsi, &of_assigned)] {
            attack(&scene, &scene.tenant, imsi, number).await;
        }
        // Of another tenant on the same HSS, with a separate ledger.
        attack(&Scene::on(scene.bed), &scene.tenant, &activated.imsi, &of_activated).await;
        attack(&Scene::on(scene.bed), &scene.tenant, &assigned_to.imsi, &of_assigned).await;
        for (victim, number) in [(&activated, &of_activated), (&assigned_to, &of_assigned)] {
            assert_eq!(scene.holder(number).await.as_deref(), Some(victim.id.as_str()));
            assert_eq!(scene.registrations(number), [format!("{}+", victim.imsi)]);
        }
    });
}
