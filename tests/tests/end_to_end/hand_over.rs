//! A number moves from one customer to another.

use interlock_adapters::sandbox::{Action, Rule, Seed};

use crate::events::{Customer, assigned, moved, unassigned};
use crate::scene::{Scene, number, write_that_assigns, write_that_begins_to_assign, write_that_releases};
use crate::testbed::{Testbed, run, shared};

/// The latency of the HSS in tests with a slow HSS.
const SLOW: Action = Action::Delay { ms: 400 };

/// A customer that has a number, another one that shall get it, and an HSS that is slow to release it.
async fn a1_has_it(bed: &Testbed) -> (Scene<'_>, Customer, Customer, String) {
    let scene = Scene::on(bed);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    bed.hss.add_rule(Rule::always(write_that_releases(&a1), SLOW));
    (scene, a1, a2, number)
}

fn handed_over(scene: &Scene<'_>, a1: &Customer, a2: &Customer, number: &str) {
    scene.judge(&[number]);
    let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
    assert_eq!(scene.registrations(number), expected);
}

#[test]
fn a2_is_registered_only_after_a1_is_deregistered_when_a2s_event_comes_first() {
    run(async {
        let (scene, a1, a2, number) = a1_has_it(shared().await).await;
        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let first = scene.submit(&unassigned(&a1, &number)).await;
        scene.completed(&[first, second]).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}

#[test]
fn a2_is_registered_only_after_a1_is_deregistered_when_a1s_event_comes_first() {
    run(async {
        let (scene, a1, a2, number) = a1_has_it(shared().await).await;
        let orders = scene.submit_all(&[unassigned(&a1, &number), assigned(&a2, &number)]).await;
        scene.completed(&orders).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}

#[test]
fn a2_is_registered_only_after_a1_is_deregistered_when_both_events_come_at_once() {
    run(async {
        let (scene, a1, a2, number) = a1_has_it(shared().await).await;
        let (give, take) = (unassigned(&a1, &number), assigned(&a2, &number));
        let orders: [_; 2] = tokio::join!(scene.submit(&give), scene.submit(&take)).into();
        scene.completed(&orders).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}

/// Two customers want a free number at once, and the HSS is slow to write. Returns who got it first, and leaves the checks to the
/// caller.
pub async fn two_want_it_at_once(bed: &Testbed) -> (Scene<'_>, [Customer; 2], String) {
    let scene = Scene::on(bed);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    for write in [write_that_begins_to_assign(&number), write_that_assigns(&number)] {
        bed.hss.add_rule(Rule::always(write, SLOW));
    }
    let (one, other) = (assigned(&a1, &number), assigned(&a2, &number));
    tokio::join!(scene.submit(&one), scene.submit(&other));
    (scene, [a1, a2], number)
}

#[test]
fn of_two_customers_that_want_a_free_number_at_once_the_second_waits_until_the_first_gives_it_up() {
    run(async {
        let (scene, customers, number) = two_want_it_at_once(shared().await).await;
        let holder = crate::waiting::until("a first holder that is registered", || async {
            (scene.registrations(&number).len() == 1).then_some(())?;
            scene.holder(&number).await
        })
        .await;
        let (first, second) = match customers {
            [a1, a2] if a1.id == holder => (a1, a2),
            [a1, a2] => (a2, a1),
        };
        scene.is_waiting_for(&second, &number).await;
        scene.done(&unassigned(&first, &number)).await;
        crate::waiting::until_true("the second's registration", || scene.registrations(&number).len() == 3).await;
        handed_over(&scene, &first, &second, &number);
    });
}

#[test]
fn a_number_goes_back_and_forth_in_order() {
    run(async {
        let (scene, a1, a2, number) = a1_has_it(shared().await).await;
        scene.bed.hss.add_rule(Rule::always(write_that_releases(&a2), SLOW));
        let there = scene.submit(&assigned(&a2, &number)).await;
        let away = scene.submit(&unassigned(&a1, &number)).await;
        let back = scene.submit(&assigned(&a1, &number)).await;
        scene.completed(&[away, there]).await;
        let away_again = scene.submit(&unassigned(&a2, &number)).await;
        scene.completed(&[away_again, back]).await;
        scene.judge(&[&number]);
        let (one, two) = (&a1.imsi, &a2.imsi);
        let expected = [format!("{one}+"), format!("{one}-"), format!("{two}+"), format!("{two}-"), format!("{one}+")];
        assert_eq!(scene.registrations(&number), expected);
    });
}

#[test]
fn one_event_that_moves_a_number_becomes_an_order_of_each_of_two_customers() {
    run(async {
        let (scene, a1, a2, number) = a1_has_it(shared().await).await;
        let giving = scene.done(&moved(&a1, &a2, &number)).await;
        assert_eq!(giving.customer().as_str(), a1.id);
        crate::waiting::until_true("the second's registration", || scene.registrations(&number).len() == 3).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}

#[test]
fn a_number_that_was_assigned_before_interlock_came_is_handed_over_in_order() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (Scene::newcomer("A1"), scene.customer("A2"), number());
        let seed = Seed { imsi: a1.imsi.clone(), msisdn: Some(number.clone()), ..Seed::default() };
        scene.bed.hss.seed(&[seed]).unwrap();
        scene.bed.hss.add_rule(Rule::always(write_that_releases(&a1), SLOW));
        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let first = scene.submit(&unassigned(&a1, &number)).await;
        scene.completed(&[first, second]).await;
        handed_over(&scene, &a1, &a2, &number);
    });
}

#[test]
fn a_duplicate_event_changes_nothing() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, number) = (scene.customer("A1"), number());
        scene.bed.hss.add_rule(Rule::once(write_that_assigns(&number), SLOW));
        let event = assigned(&a1, &number);
        let order = scene.submit(&event).await;
        assert_eq!(scene.submit(&event).await, order);
        scene.completed(std::slice::from_ref(&order)).await;
        let after_it_is_over = scene.submit(&event).await;
        assert_eq!(after_it_is_over, order);
        crate::waiting::until("the entity to count two duplicates", || async {
            (scene.customer_state(&a1).await["counts"]["duplicates"] == 2).then_some(())
        })
        .await;
        // What the entity does next shows that it has no work for the duplicate.
        scene.done(&unassigned(&a1, &number)).await;
        assert_eq!(scene.registrations(&number), [format!("{}+", a1.imsi), format!("{}-", a1.imsi)]);
        let crm = crate::applied_log::of_account(&scene.bed.crm.log(), &a1.id);
        assert_eq!(crm, [format!("add {number}"), format!("remove {number}")]);
    });
}
