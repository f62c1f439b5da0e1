//! The confirmation of a release: the HSS has the number registered to no party, whatever identity the event named.

use interlock_adapters::sandbox::Seed;
use serde_json::{Value, json};

use crate::events::{Customer, assigned, event, unassigned};
use crate::scene::{Scene, imsi, number};
use crate::testbed::{run, shared};

/// The customer with another of its identities.
fn by(customer: &Customer, imsi: &str) -> Customer {
    Customer { imsi: imsi.to_owned(), ..customer.clone() }
}

fn swapped(old: &Customer, new_imsi: &str, number: &str) -> Value {
    let data = json!({"old_imsi": old.imsi, "new_imsi": new_imsi, "msisdn": number});
    event("sim.swapped", &old.id, &data)
}

/// The line of a number's history about the return of its lease.
async fn released(scene: &Scene<'_>, number: &str) -> Value {
    let state = scene.number_state(number).await.unwrap();
    let history = state["history"].as_array().unwrap();
    history.iter().find(|line| line["what"] == "released").unwrap_or_else(|| panic!("{state:#}")).clone()
}

#[test]
fn a_release_that_names_a_mistyped_sim_releases_the_number_all_the_same_and_the_next_one_gets_it() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        let mistyped = by(&a1, &imsi());
        let release = scene.submit(&unassigned(&mistyped, &number)).await;
        let next = scene.submit(&assigned(&a2, &number)).await;
        scene.completed(&[release.clone(), next]).await;
        scene.judge(&[&number]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&number), expected);
        let shown = scene.order(&release).await.unwrap();
        assert_eq!(shown["steps"][0]["identity"], json!({"named": mistyped.imsi, "sent": a1.imsi}));
        let line = released(&scene, &number).await;
        let proof = &line["proof"];
        assert_eq!(proof["order_id"], release.as_str());
        for (name, value) in [("target", "hss"), ("operation", "release_number"), ("outcome", "done")] {
            assert_eq!(proof[name], value, "{line:#}");
        }
        assert!(proof["idempotency_key"].is_string() && proof["at"].is_string(), "{line:#}");
    });
}

#[test]
fn after_a_sim_swap_a_release_that_names_the_old_sim_releases_the_number_under_the_new_one() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        let new_sim = imsi();
        let sim =
            Seed { imsi: new_sim.clone(), iccid: Some("8988211000000000018".to_owned()), sim_only: true, msisdn: None };
        scene.bed.hss.seed(&[sim]).unwrap();
        scene.done(&assigned(&a1, &number)).await;
        scene.done(&swapped(&a1, &new_sim, &number)).await;
        let release = scene.submit(&unassigned(&a1, &number)).await;
        let next = scene.submit(&assigned(&a2, &number)).await;
        scene.completed(&[release, next]).await;
        scene.judge(&[&number]);
        let registrations = scene.registrations(&number);
        assert!(registrations.ends_with(&[format!("{new_sim}-"), format!("{}+", a2.imsi)]), "{registrations:?}");
    });
}
