//! What waits at a target leaves by its priority, by its tenant's share and rate.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use interlock_adapters::TargetSettings;
use interlock_adapters::sandbox::{Applied, Effect};
use interlock_domain::target_entity::Rate;
use serde_json::Value;

use crate::command::done;
use crate::events::{Customer, quota_exceeded};
use crate::outage::{tuned, until_it_is, wanted};
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, run};
use crate::waiting::{until, until_true};

/// The rate of the targets whose backlog drains, in requests per second.
const RATE: u32 = 60;
/// How many texts wait at the drain. `INTERLOCK_TEST_WAITING` replaces it.
const WAITING: usize = 600;
/// How many of them are urgent, and how many are those of a quiet tenant.
const FEW: usize = 10;
/// How many events are sent at the same time.
const AT_A_TIME: usize = 16;
/// The rate of one tenant in the test of that setting, in requests per second.
const RATE_PER_TENANT: u32 = 4;

fn drained(target: &str, settings: &mut TargetSettings) {
    if target != "crm" {
        settings.rate_per_second = Some(Rate::per_second(RATE));
        settings.outage.ramp_stage = Duration::from_millis(200);
    }
}

fn with_priority(mut event: Value, priority: u8) -> Value {
    event["priority"] = priority.into();
    event
}

/// The server has some dispatched in advance.
fn in_advance() -> usize {
    usize::try_from(RATE).unwrap()
}

#[test]
fn orders_leave_for_a_target_by_their_priority() {
    run(async {
        let bed = Testbed::start("priorities", wanted(drained)).await;
        let scene = Scene::on(&bed);
        until_it_is(&bed, "hss", "closed").await;
        done(&scene, &["target", "pause", "hss", "--reason", "until all are there"]).await;
        until_it_is(&bed, "hss", "paused").await;
        let several = |name: &str, count: usize| -> Vec<Customer> {
            (0..count).map(|place| scene.customer(&format!("{name}{place}"))).collect()
        };
        let (patient, usual, urgent) = (several("P", FEW), several("U", 2 * in_advance()), several("H", FEW));
        let events = patient.iter().map(|customer| with_priority(tuned("line.tuned", customer, 1), 4));
        let events = events.chain(usual.iter().map(|customer| tuned("line.tuned", customer, 1)));
        let events = events.chain(urgent.iter().map(|customer| with_priority(tuned("line.tuned", customer, 1), 0)));
        let mut orders = Vec::new();
        for event in events {
            orders.push(scene.submit(&event).await);
        }
        for customer in patient.iter().chain(&usual).chain(&urgent) {
            let entity = scene.entity(&customer.id.parse().unwrap());
            let waits = || async { (entity.pending_activities().await.len() == 1).then_some(()) };
            until(format!("the step of {}", customer.id), waits).await;
        }
        done(&scene, &["target", "resume", "hss", "--reason", "all are there"]).await;
        scene.completed(&orders).await;
        let log = bed.hss.log();
        let updated: Vec<&str> = log.iter().filter_map(updated).collect();
        let places = |of: &[Customer]| -> Vec<usize> {
            of.iter().map(|customer| updated.iter().position(|imsi| *imsi == customer.imsi).unwrap()).collect()
        };
        let (last_urgent, first_patient) =
            (*places(&urgent).iter().max().unwrap(), *places(&patient).iter().min().unwrap());
        assert!(last_urgent < FEW + in_advance(), "the last urgent one left as number {last_urgent}");
        assert!(first_patient + FEW + in_advance() >= updated.len(), "a patient one left as number {first_patient}");
        assert!(last_urgent < first_patient);
        bed.stop().await;
    });
}

fn updated(entry: &Applied) -> Option<&str> {
    match &entry.effect {
        Effect::ServiceUpdated { of, .. } => Some(of),
        _ => None,
    }
}

#[test]
fn of_many_that_wait_the_urgent_ones_leave_first_and_a_quiet_tenant_has_its_share() {
    run(async {
        let waiting = std::env::var("INTERLOCK_TEST_WAITING").map_or(WAITING, |count| count.parse().unwrap());
        let bed = Testbed::start("drained", wanted(drained)).await;
        let (noisy, quiet) = (Scene::on(&bed), Scene::on(&bed));
        until_it_is(&bed, "notify", "closed").await;
        done(&noisy, &["target", "pause", "notify", "--reason", "until all are there"]).await;
        until_it_is(&bed, "notify", "paused").await;
        let numbers: [String; 3] = [number(), number(), number()];
        let [usual, urgent, little] = &numbers;
        all_are_taken(&noisy, waiting - 2 * FEW, |customer| quota_exceeded(customer, usual)).await;
        all_are_taken(&quiet, FEW, |customer| quota_exceeded(customer, little)).await;
        all_are_taken(&noisy, FEW, |customer| with_priority(quota_exceeded(customer, urgent), 0)).await;
        assert!(bed.sms.log().is_empty(), "a paused target is not called");
        done(&noisy, &["target", "resume", "notify", "--reason", "all are there"]).await;
        // Longer than `until_true` waits.
        let drained = async {
            while bed.sms.log().len() < waiting {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let limit = Duration::from_secs(60 + u64::try_from(waiting).unwrap() / 10);
        tokio::time::timeout(limit, drained).await.expect("drained in time");
        let log = bed.sms.log();
        let last = |number: &str| log.iter().rposition(|entry| is_text_to(entry, number)).unwrap() + 1;
        assert!(last(urgent) <= FEW + in_advance(), "the last urgent text was number {}", last(urgent));
        // After the urgent ones, the two tenants take turns.
        assert!(
            last(little) <= 3 * FEW + in_advance(),
            "the last text of the quiet tenant was number {}",
            last(little)
        );
        assert!(last(usual) > waiting / 2);
        bed.stop().await;
    });
}

fn is_text_to(entry: &Applied, number: &str) -> bool {
    matches!(&entry.effect, Effect::SmsSent { msisdn, .. } if msisdn == number)
}

/// This many events, each of another customer, are accepted. The server has what they start.
async fn all_are_taken(scene: &Scene<'_>, count: usize, event: impl Fn(&Customer) -> Value) {
    let all = (0..count).map(|place| event(&scene.customer(&format!("C{place}"))));
    let sent = stream::iter(all).map(|event| scene.bed.platform.submit(&scene.tenant, event));
    let mut taken = sent.buffer_unordered(AT_A_TIME);
    while let Some(result) = taken.next().await {
        assert_eq!(result.status.as_str(), "accepted", "{result:?}");
    }
}

fn limited_per_tenant(target: &str, settings: &mut TargetSettings) {
    if target == "notify" {
        settings.rate_per_tenant = Some(Rate::per_second(RATE_PER_TENANT));
    }
}

#[test]
fn a_target_is_called_for_one_tenant_no_more_often_than_its_setting_says() {
    run(async {
        let bed = Testbed::start("rate-per-tenant", wanted(limited_per_tenant)).await;
        let scenes = [Scene::on(&bed), Scene::on(&bed)];
        until_it_is(&bed, "notify", "closed").await;
        let numbers: [String; 2] = [number(), number()];
        let each = 6 * usize::try_from(RATE_PER_TENANT).unwrap();
        for (scene, number) in scenes.iter().zip(&numbers) {
            all_are_taken(scene, each, |customer| quota_exceeded(customer, number)).await;
        }
        until_true("all texts", || bed.sms.log().len() == 2 * each).await;
        for number in &numbers {
            let log = bed.sms.log();
            let of_tenant = log.iter().filter(|entry| is_text_to(entry, number));
            let times: Vec<_> =
                of_tenant.map(|entry| chrono::DateTime::parse_from_rfc3339(&entry.at).unwrap()).collect();
            let took = (times[times.len() - 1] - times[0]).num_milliseconds();
            // The server lets a burst through: of a second, and what it had dispatched before the limit was set.
            let least = i64::try_from(each).unwrap() * 1_000 / i64::from(RATE_PER_TENANT) / 2;
            assert!(took >= least, "{each} texts of a tenant within {took} ms");
        }
        bed.stop().await;
    });
}
