//! A target with a rate limit is shared by tenants: they take turns, even if one has more waiting.

use std::time::Duration;

use interlock_adapters::TargetSettings;
use interlock_adapters::sandbox::Effect;
use interlock_domain::ids::OrderId;
use interlock_domain::target_entity::Rate;

use crate::command::done;
use crate::events::Customer;
use crate::outage::{times_ms, tuned, until_it_is, wanted};
use crate::scene::Scene;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// The rate limit of the HSS in the test of shares, in requests per second.
const RATE: u32 = 10;
/// The numbers of orders of the noisy tenant and of the quiet one.
const NOISY: usize = 150;
const QUIET: usize = 8;

fn slow(target: &str, settings: &mut TargetSettings) {
    if target == "hss" {
        settings.rate_per_second = Some(Rate::per_second(RATE));
        settings.outage.ramp_stage = Duration::from_millis(200);
    }
}

#[test]
fn a_quiet_tenant_has_its_share_of_a_target_beside_a_noisy_one() {
    run(async {
        let bed = Testbed::start("target-shared", wanted(slow)).await;
        let last_of_quiet = last_of_quiet(&bed).await;
        // With turns it would be twice its own number. The server has some dispatched in advance.
        let by_turns = 4 * QUIET + usize::try_from(RATE).unwrap();
        assert!(last_of_quiet <= by_turns, "{last_of_quiet} effects until the quiet tenant had its {QUIET}");
        bed.stop().await;
    });
}

#[test]
fn without_fairness_a_quiet_tenant_would_wait_for_the_noisy_one_on_an_embedded_server() {
    run(async {
        let unfair = Wanted { dynamic_config: vec![("matching.enableFairness", "false")], ..wanted(slow) };
        let bed = Testbed::start("target-unshared", unfair).await;
        let last_of_quiet = last_of_quiet(&bed).await;
        assert!(
            last_of_quiet > NOISY,
            "the quiet tenant had its {QUIET} after {last_of_quiet} effects although fairness was off: the other test shows nothing"
        );
        bed.stop().await;
    });
}

/// One tenant has many orders waiting at a target, then another one has a few. Then the target is called. Returns the number of effects
/// until the last one of the quiet tenant.
async fn last_of_quiet(bed: &Testbed) -> usize {
    let (noisy, quiet) = (Scene::on(bed), Scene::on(bed));
    assert_eq!(until_it_is(bed, "hss", "closed").await["limit"], f64::from(RATE));
    done(&noisy, &["target", "pause", "hss", "--reason", "until all are there"]).await;
    until_it_is(bed, "hss", "paused").await;
    let (_, noise) = all_wait_of(&noisy, "N", NOISY).await;
    let (quiet_ones, little) = all_wait_of(&quiet, "Q", QUIET).await;
    done(&noisy, &["target", "resume", "hss", "--reason", "all are there"]).await;
    quiet.completed(&little).await;
    noisy.completed(&noise).await;
    let log = bed.hss.log();
    keeps_its_rate(&times_ms(&log));
    let effects = log.iter().filter_map(|entry| match &entry.effect {
        Effect::ServiceUpdated { of, .. } => Some(quiet_ones.iter().any(|customer| customer.imsi == *of)),
        _ => None,
    });
    let of_quiet: Vec<bool> = effects.collect();
    let last = of_quiet.iter().rposition(|is_of_quiet| *is_of_quiet).unwrap() + 1;
    eprintln!("{last} of {} effects until the last of the quiet tenant's {QUIET}", of_quiet.len());
    last
}

/// One order for each of this many customers, whose steps wait on the server.
async fn all_wait_of(scene: &Scene<'_>, name: &str, count: usize) -> (Vec<Customer>, Vec<OrderId>) {
    let customers: Vec<Customer> = (0..count).map(|place| scene.customer(&format!("{name}{place}"))).collect();
    let mut orders = Vec::new();
    for customer in &customers {
        orders.push(scene.submit(&tuned("line.tuned", customer, 1)).await);
    }
    for customer in &customers {
        let entity = scene.entity(&customer.id.parse().unwrap());
        until(format!("the step of {}", customer.id), || async {
            (entity.pending_activities().await.len() == 1).then_some(())
        })
        .await;
    }
    (customers, orders)
}

/// Over the whole time, no more than the rate allows, plus a burst of one second.
fn keeps_its_rate(times_ms: &[i64]) {
    let seconds = (times_ms[times_ms.len() - 1] - times_ms[0]) / 1_000 + 1;
    let allowed = (usize::try_from(seconds).unwrap() + 2) * usize::try_from(RATE).unwrap();
    assert!(times_ms.len() <= allowed, "{} effects in {seconds} s, not {allowed}", times_ms.len());
}
