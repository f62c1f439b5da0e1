//! Many customers, many numbers, many events: each takes effect in its turn.

use chrono::{TimeDelta, Utc};
use interlock_adapters::sandbox::{Action, Effect, Pattern, Rule, Sandbox};
use serde_json::{Value, json};

use crate::applied_log::holders;
use crate::events::{Customer, assigned, changed, happened, service_updated, terminated, unassigned};
use crate::scene::{Scene, number, write_that_releases};
use crate::testbed::{run, shared};
use crate::waiting::{until, until_true};

/// The latency of the HSS in tests with a slow HSS.
const SLOW: Action = Action::Delay { ms: 300 };

#[test]
fn a_chain_over_five_customers_ends_with_the_last_whatever_the_order_of_the_events() {
    let seed = std::env::var("INTERLOCK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}: run it again with INTERLOCK_SEED={seed}");
    run(async {
        let scene = Scene::on(shared().await);
        let number = number();
        let customers: Vec<Customer> = (1..=5).map(|place| scene.customer(&format!("C{place}"))).collect();
        for customer in &customers {
            scene.bed.hss.add_rule(Rule::always(write_that_releases(customer), SLOW));
        }
        let now = Utc::now();
        scene.done(&happened(assigned(&customers[0], &number), 10_000, now)).await;
        let mut events: Vec<Value> = Vec::new();
        for (place, pair) in customers.windows(2).enumerate() {
            let before_ms = 4_000 - 1_000 * i64::try_from(place).unwrap();
            events.push(happened(unassigned(&pair[0], &number), before_ms, now));
            events.push(happened(assigned(&pair[1], &number), before_ms - 500, now));
        }
        fastrand::Rng::with_seed(seed).shuffle(&mut events);
        let orders = scene.submit_all(&events).await;
        for order in &orders {
            // An order that arrived after the one it should have preceded is superseded, or finds nothing to do.
            let state = scene.end_of(order).await;
            assert!(["completed", "superseded", "partial"].contains(&state.as_str()), "{order}: {state}");
        }
        scene.judge(&[&number]);
        let last = holders(&scene.bed.hss.log(), &number).pop();
        assert_eq!(last.as_ref(), Some(&customers[4].imsi), "{:?}", scene.registrations(&number));
        assert_eq!(scene.registrations(&number).last(), Some(&format!("{}+", customers[4].imsi)));
    });
}

#[test]
fn a_chain_over_five_customers_whose_events_come_in_their_order_passes_through_all_of_them() {
    run(async {
        let scene = Scene::on(shared().await);
        let number = number();
        let customers: Vec<Customer> = (1..=5).map(|place| scene.customer(&format!("C{place}"))).collect();
        for customer in &customers {
            scene.bed.hss.add_rule(Rule::always(write_that_releases(customer), SLOW));
        }
        scene.done(&assigned(&customers[0], &number)).await;
        // All of them get a place in the queue. Then each releases the number as soon as it has it.
        let mut orders = Vec::new();
        for customer in &customers[1..] {
            orders.push(scene.submit(&assigned(customer, &number)).await);
            scene.is_waiting_for(customer, &number).await;
        }
        for (customer, order) in customers.iter().zip(&orders) {
            scene.done(&unassigned(customer, &number)).await;
            scene.completed(std::slice::from_ref(order)).await;
        }
        scene.judge(&[&number]);
        let expected: Vec<String> = customers.iter().map(|customer| customer.imsi.clone()).collect();
        assert_eq!(holders(&scene.bed.hss.log(), &number), expected);
    });
}

#[test]
fn two_customers_swap_their_numbers() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a, b) = (scene.customer("A"), scene.customer("B"));
        let (one, two) = (number(), number());
        scene.done(&assigned(&a, &one)).await;
        scene.done(&assigned(&b, &two)).await;
        // B still has its old number when A, which has released its own, could take it.
        scene.bed.hss.add_rule(Rule::always(write_that_releases(&b), Action::Delay { ms: 1_500 }));
        let (there, back) = (changed(&a, &one, &two), changed(&b, &two, &one));
        let orders: [_; 2] = tokio::join!(scene.submit(&there), scene.submit(&back)).into();
        scene.completed(&orders).await;
        scene.judge(&[&one, &two]);
        let (a, b) = (&a.imsi, &b.imsi);
        assert_eq!(scene.registrations(&one), [format!("{a}+"), format!("{a}-"), format!("{b}+")]);
        assert_eq!(scene.registrations(&two), [format!("{b}+"), format!("{b}-"), format!("{a}+")]);
    });
}

#[test]
fn a_customer_with_a_backlog_keeps_its_place_at_the_number() {
    run(async {
        let scene = Scene::on(shared().await);
        let (holder, busy, idle) = (scene.customer("holder"), scene.customer("busy"), scene.customer("idle"));
        let number = number();
        scene.done(&assigned(&holder, &number)).await;
        // The busy customer's lane at the HSS is occupied until a change of its service is done.
        let looking = Pattern { path_contains: Some(busy.imsi.clone()), ..Pattern::default() };
        scene.bed.hss.add_rule(Rule::once(looking, Action::Delay { ms: 3_000 }));
        let backlog = scene.submit(&service_updated(&busy, &json!({"ue_ambr_dl": 1_000}))).await;
        let of_busy = scene.submit(&assigned(&busy, &number)).await;
        scene.is_waiting_for(&busy, &number).await;
        let of_idle = scene.submit(&assigned(&idle, &number)).await;
        scene.is_waiting_for(&idle, &number).await;
        scene.done(&unassigned(&holder, &number)).await;
        // The number is free, and the idle customer could have it at once, but the busy one gets it.
        scene.completed(&[backlog, of_busy]).await;
        scene.done(&unassigned(&busy, &number)).await;
        scene.completed(&[of_idle]).await;
        scene.judge(&[&number]);
        let expected = [holder.imsi, busy.imsi, idle.imsi];
        assert_eq!(holders(&scene.bed.hss.log(), &number), expected);
    });
}

#[test]
fn the_orders_of_one_customer_take_effect_at_a_target_in_the_order_in_which_they_happened() {
    run(async {
        let scene = Scene::on(shared().await);
        let customer = scene.customer("A");
        // The first order holds both lanes until all others have arrived, in any order.
        let looking = Pattern { path_contains: Some(customer.imsi.clone()), ..Pattern::default() };
        scene.bed.hss.add_rule(Rule::once(looking.clone(), Action::Delay { ms: 1_500 }));
        let updating = Pattern { body_contains: Some(customer.id.clone()), ..Pattern::default() };
        scene.bed.crm.add_rule(Rule::once(updating.clone(), Action::Delay { ms: 1_500 }));
        let now = Utc::now();
        let at =
            |step: i64| happened(service_updated(&customer, &json!({"ue_ambr_dl": 1_000 + step})), 9_000 - step, now);
        let first = scene.submit(&at(0)).await;
        let is_under_way =
            |sandbox: &Sandbox, pattern: &Pattern| !sandbox.knobs().rules.iter().any(|rule| rule.pattern == *pattern);
        until_true("the first to be under way", || {
            is_under_way(&scene.bed.hss, &looking) && is_under_way(&scene.bed.crm, &updating)
        })
        .await;
        let mut orders = vec![first];
        orders.extend(scene.submit_all(&[at(40), at(20), at(50), at(10), at(30)]).await);
        scene.completed(&orders).await;
        let values = |log: Vec<interlock_adapters::sandbox::Applied>, of: &str, key: &str| -> Vec<i64> {
            log.iter()
                .filter_map(|entry| match &entry.effect {
                    Effect::ServiceUpdated { of: whose, settings } if whose == of => settings[key].as_i64(),
                    _ => None,
                })
                .collect()
        };
        let expected = [1_000, 1_010, 1_020, 1_030, 1_040, 1_050];
        assert_eq!(values(scene.bed.hss.log(), &customer.imsi, "ue_ambr_dl"), expected);
        assert_eq!(values(scene.bed.crm.log(), &customer.id, "ue_ambr_dl"), expected);
    });
}

#[test]
fn a_customer_that_leaves_releases_all_its_numbers_to_the_waiting_customers() {
    run(async {
        let scene = Scene::on(shared().await);
        let (leaving, staying) = (scene.customer("leaving"), scene.customer("staying"));
        let (one, two) = (number(), number());
        for number in [&one, &two] {
            scene.done(&assigned(&leaving, number)).await;
        }
        let waiting = scene.submit(&assigned(&staying, &one)).await;
        scene.is_waiting_for(&staying, &one).await;
        scene.done(&terminated(&leaving)).await;
        scene.completed(&[waiting]).await;
        scene.judge(&[&one, &two]);
        let (leaving_imsi, staying_imsi) = (&leaving.imsi, &staying.imsi);
        assert_eq!(
            scene.registrations(&one),
            [format!("{leaving_imsi}+"), format!("{leaving_imsi}-"), format!("{staying_imsi}+")]
        );
        assert_eq!(scene.registrations(&two), [format!("{leaving_imsi}+"), format!("{leaving_imsi}-")]);
        until_true("the account to be closed", || {
            crate::applied_log::of_account(&scene.bed.crm.log(), &leaving.id).last().is_some_and(|last| last == "close")
        })
        .await;
        assert!(scene.customer_state(&leaving).await["leases"].as_array().is_some_and(Vec::is_empty));
        until("the second number to be nobody's", || async {
            scene.number_state(&two).await?["holder"].is_null().then_some(())
        })
        .await;
    });
}

#[test]
fn an_older_event_that_comes_late_is_superseded() {
    run(async {
        let scene = Scene::on(shared().await);
        let (customer, number) = (scene.customer("A"), number());
        let now = Utc::now() - TimeDelta::seconds(10);
        scene.done(&happened(assigned(&customer, &number), 2_000, now)).await;
        scene.done(&happened(unassigned(&customer, &number), 0, now)).await;
        let late = scene.submit(&happened(assigned(&customer, &number), 1_000, now)).await;
        assert_eq!(scene.end_of(&late).await, "superseded");
        assert_eq!(scene.registrations(&number).len(), 2);
    });
}
