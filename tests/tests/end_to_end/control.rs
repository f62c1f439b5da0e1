//! Tests the tests: without leases, their checks must fail.

use crate::applied_log::faults_on;
use crate::hand_over::two_want_it_at_once;
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until_true;

#[test]
fn without_leases_the_judge_sees_a_number_with_two_holders() {
    run(async {
        let bed = Testbed::start("without-leases", Wanted { without_leases: true, ..Wanted::default() }).await;
        {
            // The same as in the test of this name with leases, which finds no violation.
            let (scene, _, number) = two_want_it_at_once(&bed).await;
            let faulty = || !faults_on(&bed.hss.log(), &[&number]).is_empty();
            until_true("a number with two holders", faulty).await;
            assert_eq!(scene.number_state(&number).await, None, "somebody claimed the number");
        }
        bed.stop().await;
    });
}
