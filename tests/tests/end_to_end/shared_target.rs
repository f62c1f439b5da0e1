//! A target that may be called only so often is shared by tenants: by turns, whoever has more waiting.

use interlock_adapters::TargetSettings;
use interlock_domain::ids::OrderId;
use interlock_domain::target::Rate;

use crate::events::Customer;
use crate::outage::{times_ms, tuned, until_it_is, wanted};
use crate::scene::Scene;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// What the HSS is sent at most in the test of shares, in requests per second.
const RATE: u32 = 10;
/// Orders of the noisy tenant, and of the quiet one.
const NOISY: usize = 150;
const QUIET: usize = 8;

fn slow(target: &str, settings: &mut TargetSettings) {
    if target == "hss" {
        settings.rate_per_second = Some(Rate::per_second(RATE));
    }
}

/// What the noisy tenant had of the target, and both together.
struct Shares {
    /// Effects before the quiet tenant came.
    before: usize,
    /// Effects from then on until the last of the quiet tenant's was there.
    until_quiet: usize,
}

#[test]
fn a_quiet_tenant_has_its_share_of_a_target_beside_a_noisy_one() {
    run(async {
        let bed = Testbed::start("target-shared", wanted(slow)).await;
        let shares = share(&bed).await;
        // Turn by turn it would be twice its own; some were on their way already.
        let by_turns = 4 * QUIET + usize::try_from(RATE).unwrap();
        assert!(
            shares.until_quiet <= by_turns,
            "{} effects, the quiet tenant's {QUIET} among them",
            shares.until_quiet
        );
        assert!(shares.before + shares.until_quiet < NOISY, "the noisy tenant had no backlog any more");
        bed.stop().await;
    });
}

#[test]
fn without_fairness_a_quiet_tenant_would_wait_for_all_of_the_noisy_one() {
    run(async {
        let unfair = Wanted { dynamic_config: vec![("matching.enableFairness", "false")], ..wanted(slow) };
        let bed = Testbed::start("target-unshared", unfair).await;
        let shares = share(&bed).await;
        // First come, first served: what the noisy one had sent before goes first, but for what the server keeps in hand.
        assert!(
            shares.before + shares.until_quiet >= NOISY,
            "the quiet tenant had its share although fairness was off: the other test shows nothing"
        );
        bed.stop().await;
    });
}

/// One tenant sends much, the other one little and later.
async fn share(bed: &Testbed) -> Shares {
    let (noisy, quiet) = (Scene::on(bed), Scene::on(bed));
    assert_eq!(until_it_is(bed, "hss", "closed").await["limit"], f64::from(RATE));
    let mut noise = Vec::new();
    for place in 0..NOISY {
        noise.push(noisy.submit(&tuned("line.tuned", &noisy.customer(&format!("N{place}")), 1)).await);
    }
    until("the noisy tenant's first effects", || async { (times_ms(&bed.hss.log()).len() > 5).then_some(()) }).await;
    all_scheduled(&noisy, &noise).await;
    let customers: Vec<Customer> = (0..QUIET).map(|place| quiet.customer(&format!("Q{place}"))).collect();
    let before = times_ms(&bed.hss.log()).len();
    let mut orders = Vec::new();
    for customer in &customers {
        orders.push(quiet.submit(&tuned("line.tuned", customer, 1)).await);
    }
    quiet.completed(&orders).await;
    let until_quiet = times_ms(&bed.hss.log()).len() - before;
    eprintln!("{until_quiet} effects until {QUIET} of the quiet tenant were there, {before} of {NOISY} before");
    noisy.completed(&noise).await;
    keeps_its_rate(&times_ms(&bed.hss.log()));
    Shares { before, until_quiet }
}

/// All of these orders have begun: their steps are with the server.
async fn all_scheduled(scene: &Scene<'_>, orders: &[OrderId]) {
    for order in orders {
        until(format!("{order} to begin"), || async {
            let state = scene.order(order).await?["state"].as_str()?.to_owned();
            ["inProgress", "completed"].contains(&state.as_str()).then_some(())
        })
        .await;
    }
}

/// Over the whole, no more than the rate, and a second's worth at once on top.
fn keeps_its_rate(times_ms: &[i64]) {
    let seconds = (times_ms[times_ms.len() - 1] - times_ms[0]) / 1_000 + 1;
    let allowed = (usize::try_from(seconds).unwrap() + 2) * usize::try_from(RATE).unwrap();
    assert!(times_ms.len() <= allowed, "{} effects in {seconds} s, not {allowed}", times_ms.len());
}
