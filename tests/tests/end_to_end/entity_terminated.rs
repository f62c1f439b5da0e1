//! Operators must not terminate entities, but some will.

use crate::command::done;
use crate::events::{assigned, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{run, shared};

#[test]
fn a_number_of_a_terminated_customer_is_handed_over_when_its_release_comes() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        scene.entity(&a1.id.parse().unwrap()).terminate().await;

        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        assert_eq!(scene.registrations(&number), [format!("{}+", a1.imsi)]);

        // A new life of A1, which knows nothing of the old one.
        let first = scene.submit(&unassigned(&a1, &number)).await;
        scene.completed(&[first, second]).await;
        scene.judge(&[&number]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&number), expected);
    });
}

#[test]
fn a_customer_terminated_in_the_middle_of_its_assign_gets_the_number_in_its_next_life() {
    run(async {
        use crate::scene::write_that_assigns;
        use crate::waiting::until_true;
        use interlock_adapters::sandbox::{Action, Rule};
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        let slow = Rule::once(write_that_assigns(&number), Action::Delay { ms: 1_000 });
        scene.bed.hss.add_rule(slow.clone());
        let event = assigned(&a1, &number);
        scene.submit(&event).await;
        let under_way = || !scene.bed.hss.knobs().rules.iter().any(|rule| rule.pattern == slow.pattern);
        until_true("the write to be under way", under_way).await;
        scene.entity(&a1.id.parse().unwrap()).terminate().await;

        let second = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        // Its events are submitted again, as `customer recover` does.
        scene.done(&event).await;
        scene.done(&unassigned(&a1, &number)).await;
        scene.completed(&[second]).await;
        scene.judge(&[&number]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&number), expected);
    });
}

#[test]
fn a_terminated_customer_and_who_waits_for_it_say_so_and_what_to_do() {
    run(async {
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        scene.done(&assigned(&a1, &number)).await;
        let waits = scene.submit(&assigned(&a2, &number)).await;
        scene.is_waiting_for(&a2, &number).await;
        let order = waits.as_str();
        assert!(!done(&scene, &["customer", "show", &a1.id]).await.contains("was terminated"));

        scene.entity(&a1.id.parse().unwrap()).terminate().await;
        let why = done(&scene, &["order", "why", order]).await;
        assert!(why.contains(&format!("The entity of {} was terminated while it held the lease.", a1.id)), "{why}");
        assert!(why.contains(&format!("next: recover it: interlock customer recover {}", a1.id)), "{why}");
        assert!(done(&scene, &["customer", "show", &a1.id]).await.contains("its entity was terminated"));

        scene.entity(&a2.id.parse().unwrap()).terminate().await;
        let why = done(&scene, &["order", "why", order]).await;
        assert!(why.contains("waits for a person") && why.contains("[entity_ended]"), "{why}");
        assert!(why.contains(&format!("interlock customer recover {}", a2.id)), "{why}");
        assert!(done(&scene, &["order", "show", order]).await.contains("its entity was terminated"));
    });
}
