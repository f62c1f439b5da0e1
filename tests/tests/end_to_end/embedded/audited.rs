//! `interlock audit` on a real server: what ran well is clean, with resets and terminations in it; what ran without leases is not.

use interlock_workflows::names;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::applied_log::faults_on;
use crate::command::{Said, interlock};
use crate::embedded::buttons::{freed, taken, wanted};
use crate::embedded::resets::{Point, reset};
use crate::events::{assigned, changed, moved, unassigned};
use crate::hand_over::two_want_it_at_once;
use crate::scene::{Scene, number};
use crate::temporal_buttons::Reapply;
use crate::temporal_calls::json_payload;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::{until, until_true};

/// The log of the HSS, as it is served.
fn log_of_hss(scene: &Scene<'_>) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_vec(&scene.bed.hss.log()).unwrap()).unwrap();
    file
}

async fn audited(scene: &Scene<'_>, more: &[&str]) -> (Said, Value) {
    let log = log_of_hss(scene);
    let log = format!("sandbox={}", log.path().display());
    let common = ["audit", "--output", "json", "--rate", "1000", "--target-log", &log];
    let said = interlock(scene, &[&common, more].concat()).await;
    let verdict = serde_json::from_str(&said.stdout).unwrap();
    (said, verdict)
}

fn of<'a>(verdict: &'a Value, promise: &str) -> &'a Value {
    let all = verdict["promises"].as_array().unwrap();
    all.iter().find(|line| line["promise"] == promise).unwrap()
}

/// Hand-overs with everything that operators do to entities, up to rest.
async fn eventful(scene: &Scene<'_>) {
    let (a1, a2, a3) = (scene.customer("A1"), scene.customer("A2"), scene.customer("A3"));
    let (plain, reset_number, other, lost) = (number(), number(), number(), number());
    scene.done(&assigned(&a1, &plain)).await;
    let second = scene.submit(&assigned(&a2, &plain)).await;
    scene.is_waiting_for(&a2, &plain).await;
    let first = scene.submit(&unassigned(&a1, &plain)).await;
    scene.completed(&[first, second]).await;
    scene.done(&moved(&a2, &a3, &plain)).await;
    until("the number at the third", || async { (scene.holder(&plain).await? == a3.id).then_some(()) }).await;
    scene.done(&changed(&a3, &plain, &other)).await;

    let reset_customer = scene.customer("R");
    scene.done(&taken(&reset_customer, &reset_number)).await;
    let entity = scene.entity(&reset_customer.id.parse().unwrap());
    reset(&entity, Point::First, Reapply::All).await;
    let waits = scene.submit(&taken(&a1, &reset_number)).await;
    scene.done(&freed(&reset_customer, &reset_number)).await;
    scene.completed(&[waits]).await;
    reset(&scene.number_entity(&reset_number), Point::BeforeLastSignal, Reapply::All).await;
    scene.done(&freed(&a1, &reset_number)).await;

    scene.done(&assigned(&a1, &lost)).await;
    let waits = scene.submit(&assigned(&a2, &lost)).await;
    scene.is_waiting_for(&a2, &lost).await;
    scene.number_entity(&lost).terminate().await;
    for customer in [&a1, &a2] {
        scene.entity(&customer.id.parse().unwrap()).signal(names::REASSERT, vec![json_payload("{}")]).await;
    }
    until("A1 to have it in the new ledger", || async { (scene.holder(&lost).await? == a1.id).then_some(()) }).await;
    scene.done(&unassigned(&a1, &lost)).await;
    scene.completed(&[waits]).await;
    for customer in [&a1, &a2, &a3, &reset_customer] {
        let entity = scene.entity(&customer.id.parse().unwrap());
        until("everybody to be at rest", || entity.length_at_rest()).await;
    }
    for number in [&plain, &reset_number, &other, &lost] {
        let entity = scene.number_entity(number);
        until("every number to be at rest", || entity.length_at_rest()).await;
    }
}

#[test]
fn what_ran_well_is_clean_whatever_operators_did_to_entities() {
    run(async {
        let bed = Testbed::start("audited", wanted()).await;
        {
            let scene = Scene::on(&bed);
            eventful(&scene).await;
            // Lists are eventually consistent: a run that is not listed yet is missing.
            until("all runs to be listed", || async {
                (audited(&scene, &["--settled"]).await.0.code == 0).then_some(())
            })
            .await;
            let folder = TempDir::new().unwrap();
            let state = folder.path().join("state.ndjson");
            let state = state.to_str().unwrap();
            let (said, verdict) = audited(&scene, &["--settled", "--resume", state]).await;
            assert_eq!((said.code, &verdict["clean"]), (0, &Value::Bool(true)), "{verdict:#}");
            assert!(of(&verdict, "replays")["checked"].as_u64().unwrap() >= 12, "{verdict:#}");
            for promise in [
                "one_holder",
                "hand_over",
                "epochs_grow",
                "calls_are_leased",
                "no_lease_lost",
                "ends_once",
                "in_turn",
                "target_one_holder",
                "target_calls_are_leased",
                "ledger_is_network",
            ] {
                assert!(of(&verdict, promise)["checked"].as_u64().unwrap() > 0, "{promise}: {verdict:#}");
            }
            // It goes on from its state file, and comes to the same verdict without reading a history again.
            let lines = std::fs::read_to_string(state).unwrap().lines().count();
            let (_, again) = audited(&scene, &["--settled", "--resume", state]).await;
            assert_eq!(again, verdict);
            let after = std::fs::read_to_string(state).unwrap().lines().filter(|line| !line.is_empty()).count();
            assert_eq!(after, lines);
            let other = interlock(&scene, &["audit", "--resume", state, "--since", "2026-01-01T00:00:00Z"]).await;
            assert_eq!(other.code, 2);
            assert!(other.stderr.contains("audit_state_unusable"), "{}", other.stderr);
        }
        bed.stop().await;
    });
}

#[test]
fn what_ran_without_leases_is_found_guilty_by_the_log_of_the_target() {
    run(async {
        let bed = Testbed::start("audited-without-leases", Wanted { without_leases: true, ..Wanted::default() }).await;
        {
            let (scene, _, number) = two_want_it_at_once(&bed).await;
            until_true("a number with two holders", || !faults_on(&bed.hss.log(), &[&number]).is_empty()).await;
            let (said, verdict) = audited(&scene, &[]).await;
            assert_eq!((said.code, &verdict["clean"]), (1, &Value::Bool(false)), "{verdict:#}");
            assert!(of(&verdict, "target_one_holder")["violations"].as_u64().unwrap() > 0, "{verdict:#}");
            let text = interlock(&scene, &["audit", "--rate", "1000"]).await;
            assert!(text.stdout.contains("promise"), "{}", text.stdout);
        }
        bed.stop().await;
    });
}
