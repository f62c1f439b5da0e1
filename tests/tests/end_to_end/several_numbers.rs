//! SIMs with several numbers, and numbers that are only in a list of the HSS, judged by the changes that the HSS applied.

use serde_json::{Value, json};

use crate::command::interlock;
use crate::events::{Customer, assigned, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{run, shared};

/// Registers numbers at the HSS without Interlock: one row, with a list of additional numbers.
async fn register(scene: &Scene<'_>, customer: &Customer, primary: &str, list: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let row = json!({"imsi": customer.imsi, "msisdn": primary, "msisdn_list": list});
    let request = http.put(format!("{}/ims_subscriber/", scene.bed.hss.base_url())).body(row.to_string());
    let answer = request.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

/// The row of a customer in a table of the HSS.
fn row(scene: &Scene<'_>, table: &str, customer: &Customer) -> Value {
    let state = scene.bed.hss.state();
    let rows = state["tables"][table].as_array().unwrap().iter();
    let mut of_customer = rows.filter(|row| row["imsi"] == customer.imsi.as_str());
    let row = of_customer.next().cloned().unwrap_or_default();
    assert_eq!(of_customer.next(), None, "two rows of {table}");
    row
}

#[test]
fn a_number_that_is_only_in_a_list_goes_to_the_next_customer_after_its_holder_released_it() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2) = (scene.customer("A1"), scene.customer("A2"));
        let (primary, listed) = (number(), number());
        register(&scene, &a1, &primary, &format!("{primary},{listed}")).await;
        // The ledger does not know the number, and no look-up of the HSS finds it.
        let assign = scene.submit(&assigned(&a2, &listed)).await;
        scene.is_waiting_for(&a2, &listed).await;
        assert_eq!(scene.registrations(&listed), [format!("{}+", a1.imsi)]);
        let release = scene.submit(&unassigned(&a1, &listed)).await;
        scene.completed(&[release, assign]).await;
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&listed), expected);
        assert_eq!(scene.registrations(&primary), [format!("{}+", a1.imsi)], "the other number of the row stays");
        scene.judge(&[&primary, &listed]);
    });
}

#[test]
fn of_two_numbers_of_a_sim_one_is_handed_over_and_the_other_stays() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2) = (scene.customer("A1"), scene.customer("A2"));
        let (first, second) = (number(), number());
        scene.done(&assigned(&a1, &first)).await;
        scene.done(&assigned(&a1, &second)).await;
        assert_eq!(row(&scene, "subscriber", &a1)["msisdn"], first.as_str());
        let release = scene.submit(&unassigned(&a1, &first)).await;
        let assign = scene.submit(&assigned(&a2, &first)).await;
        scene.completed(&[release, assign]).await;
        scene.judge(&[&first, &second]);
        assert_eq!(scene.registrations(&second), [format!("{}+", a1.imsi)]);
        for (customer, number) in [(&a1, &second), (&a2, &first)] {
            assert_eq!(row(&scene, "subscriber", customer)["msisdn"], number.as_str());
            assert_eq!(row(&scene, "ims_subscriber", customer)["msisdn"], number.as_str());
        }
    });
}

#[test]
fn a_release_that_names_a_sim_that_does_not_have_the_number_leaves_it_to_its_holder() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, a3) = (scene.customer("A1"), scene.customer("A2"), scene.customer("A3"));
        let (primary, listed) = (number(), number());
        register(&scene, &a1, &primary, &listed).await;
        // A2 never had it. The number that it releases is A1's, and A3 gets it only after A1.
        let stray = scene.submit(&unassigned(&a2, &listed)).await;
        let assign = scene.submit(&assigned(&a3, &listed)).await;
        scene.is_waiting_for(&a3, &listed).await;
        assert_eq!(scene.registrations(&listed), [format!("{}+", a1.imsi)]);
        scene.done(&unassigned(&a1, &listed)).await;
        scene.completed(&[assign]).await;
        scene.end_of(&stray).await;
        scene.judge(&[&primary, &listed]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a3.imsi)];
        assert_eq!(scene.registrations(&listed), expected);
    });
}

#[test]
fn a_ledger_that_is_filled_from_the_hss_knows_the_numbers_that_are_only_in_lists() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2) = (scene.customer("A1"), scene.customer("A2"));
        let (primary, listed) = (number(), number());
        register(&scene, &a1, &primary, &listed).await;
        let directory = tempfile::tempdir().unwrap();
        let (customers, config) = (directory.path().join("customers.csv"), directory.path().join("interlock.toml"));
        std::fs::write(&customers, format!("party,customer\n{},{}\n", a1.imsi, a1.id)).unwrap();
        let target = format!("[targets.hss]\nadapter = \"pyhss\"\nbase_url = \"{}\"\n", scene.bed.hss.base_url());
        std::fs::write(&config, target).unwrap();
        let (customers, config) = (customers.to_str().unwrap(), config.to_str().unwrap());
        let arguments = ["resource", "import", "--from", "hss", "--customers", customers, "--config", config];
        // Numbers of other tests belong to no customer of the list. They are reported and left out.
        let said = interlock(&scene, &[&arguments[..], &["--output", "jsonl"]].concat()).await;
        let summary: Value = serde_json::from_str(said.stdout.lines().last().unwrap()).unwrap();
        assert_eq!((&summary["seeded"], &summary["conflicts"]), (&json!(2), &json!(0)), "{summary:#}");
        for number in [&primary, &listed] {
            assert_eq!(scene.holder(number).await, Some(a1.id.clone()));
        }
        let assign = scene.submit(&assigned(&a2, &listed)).await;
        scene.is_waiting_for(&a2, &listed).await;
        let release = scene.submit(&unassigned(&a1, &listed)).await;
        scene.completed(&[release, assign]).await;
        scene.judge(&[&primary, &listed]);
    });
}
