//! The tests of the tests: what they check is red where the leases are off.

use crate::applied_log::faults_on;
use crate::events::{assigned, unassigned};
use crate::hand_over::two_want_it_at_once;
use crate::scene::{Scene, number, write_that_assigns};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until_true;
use interlock_adapters::sandbox::{Action, Rule};

#[test]
fn without_leases_the_judge_sees_a_number_with_two_holders() {
    run(async {
        let wanted = Wanted { without_leases: true, ..Wanted::default() };
        let bed = Testbed::start("without-leases", wanted).await;
        {
            let (_, _, number) = two_want_it_at_once(&bed).await;
            let faulty = || !faults_on(&bed.hss.log(), &[&number]).is_empty();
            until_true("a number with two holders", faulty).await;
        }
        a2_overtakes_a1(&bed).await;
        bed.stop().await;
    });
}

/// The same events as in the tests of the hand-over, A2's first: nothing keeps A1's back, or A2's.
async fn a2_overtakes_a1(bed: &Testbed) {
    let scene = Scene::on(bed);
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    bed.hss.add_rule(Rule::once(write_that_assigns(&number), Action::Delay { ms: 1_000 }));
    scene.submit(&assigned(&a1, &number)).await;
    until_true("the first write of A1", || {
        bed.hss.log().iter().any(|entry| serde_json::to_value(entry).is_ok_and(|entry| entry["msisdn"] == number))
    })
    .await;
    scene.submit_all(&[assigned(&a2, &number), unassigned(&a1, &number)]).await;
    // Nobody waits for anybody: no queue, no holder.
    until_true("an answer to both", || bed.hss.knobs().rules.len() < 3).await;
    assert_eq!(scene.number_state(&number).await, None, "a resource was claimed");
}
