//! The traces in which a first version of the protocol failed, explored on the real machines, completely or up to the limit.

use interlock_model::budget::states_max;
use interlock_model::explorer::explore;
use interlock_model::faults::Faults;
use interlock_model::scenario::Scenario;
use interlock_model::sighting::Sighting;
use interlock_model::worlds;

/// The most states of one trace to explore.
const STATES_MAX: usize = 120_000;

/// The most states to explore of a trace with a moment to reset to, which may be any moment.
const RESET_STATES_MAX: usize = 12_000;

/// Checks that no check turns red, and that each of `sometimes` happens: otherwise the trace was not followed.
fn holds(world: &Scenario, sometimes: &[Sighting]) {
    let resets = world.faults.customers_reset + world.faults.resources_reset;
    let usual = if resets > 0 { RESET_STATES_MAX } else { STATES_MAX };
    let report = explore(world, states_max(usual)).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{report}\n  {}", report.seen);
    let missing = report.seen.missing(sometimes);
    assert!(missing.is_empty(), "{missing:?} never happened in {report}");
}

#[test]
fn trace_1_a_grant_that_overtakes_its_admission_is_not_declined() {
    holds(&worlds::trace_1(), &[Sighting::Grant, Sighting::Wait, Sighting::HandOver]);
}

#[test]
fn trace_2_a_lease_stays_until_the_last_step_of_a_release_on_two_targets() {
    holds(&worlds::trace_2(), &[Sighting::Wait, Sighting::HandOver]);
}

#[test]
fn trace_3_a_customer_does_not_wait_behind_its_own_lease() {
    holds(&worlds::trace_3(), &[Sighting::Grant]);
}

#[test]
fn trace_4_a_release_is_not_told_without_proof_that_somebody_else_holds() {
    holds(&worlds::trace_4(), &[Sighting::Contested, Sighting::HandOver]);
}

#[test]
fn trace_5_a_contested_assign_is_not_sent_again_beside_the_release() {
    holds(&worlds::trace_5(), &[Sighting::LookUp, Sighting::HandOver]);
}

#[test]
fn trace_6a_a_recall_that_overtakes_its_grant_is_kept() {
    holds(&worlds::trace_6a(), &[Sighting::Recall, Sighting::Yield]);
}

#[test]
fn trace_6b_nothing_starts_before_all_leases_are_held() {
    holds(&worlds::trace_6b(), &[Sighting::Recall, Sighting::Yield]);
}

#[test]
fn trace_6c_an_order_that_has_started_goes_first_in_every_lane() {
    holds(&worlds::trace_6c(), &[Sighting::Wait, Sighting::Recall, Sighting::Yield]);
}

#[test]
fn trace_7_a_copy_of_a_grant_is_not_used_after_the_lease_went_back() {
    holds(&worlds::trace_7(), &[Sighting::StrayMessage, Sighting::Superseded]);
}

#[test]
fn trace_8_an_unanswered_request_is_settled_before_anything_goes_on() {
    holds(&worlds::trace_8(), &[Sighting::AmbiguousAttempt, Sighting::ReadBack, Sighting::HandOver]);
}

#[test]
fn trace_9_an_assign_that_a_person_skips_gives_its_lease_back() {
    holds(&worlds::trace_9(), &[Sighting::Refusal, Sighting::PersonActed, Sighting::Unused, Sighting::HandOver]);
}

#[test]
fn trace_10a_an_assign_that_comes_after_its_younger_release_is_superseded() {
    holds(&worlds::trace_10a(), &[Sighting::Superseded, Sighting::NotHolder, Sighting::HandOver]);
}

#[test]
fn trace_10b_a_release_ends_the_older_assign_it_would_wait_for() {
    holds(&worlds::trace_10b(), &[Sighting::Superseded, Sighting::HandOver]);
}

#[test]
fn trace_11_releases_pass_assigns_that_only_wait() {
    holds(&worlds::trace_11(), &[Sighting::Overtaking, Sighting::HandOver]);
}

#[test]
fn trace_12_no_step_starts_while_an_older_event_waits_for_admission() {
    holds(&worlds::trace_12(), &[Sighting::Grant]);
}

#[test]
fn trace_13_the_lease_of_a_dead_customer_is_found_and_settled() {
    holds(&worlds::trace_13(), &[Sighting::CustomerTerminated, Sighting::Orphan, Sighting::HandOver]);
}

#[test]
fn trace_13_a_grant_that_was_not_used_by_a_dead_customer_is_not_doubled() {
    holds(&worlds::trace_13_unused(), &[Sighting::CustomerTerminated, Sighting::Orphan]);
}

#[test]
fn trace_14_a_forced_release_waits_for_the_living_holder() {
    holds(&worlds::trace_14(), &[Sighting::ForceRefused, Sighting::ForcedRelease, Sighting::HandOver]);
}

#[test]
fn trace_14_a_forced_release_waits_for_a_holder_who_swaps_numbers() {
    holds(&worlds::trace_14_swap(), &[Sighting::ForceRefused, Sighting::ForcedRelease]);
}

#[test]
fn trace_15_an_attempt_after_a_reset_of_its_activity_settles_the_one_before() {
    holds(&worlds::trace_15(), &[Sighting::ActivityReset, Sighting::ReadBack, Sighting::HandOver]);
}

#[test]
fn trace_16_a_customer_that_was_reset_asks_before_it_calls_again() {
    holds(&worlds::trace_16(), &[Sighting::CustomerReset, Sighting::Orphan, Sighting::HandOver]);
    holds(&worlds::trace_16_unused(), &[Sighting::CustomerReset, Sighting::Orphan]);
}

#[test]
fn trace_16_a_customer_that_was_reset_ends_its_release_on_every_target() {
    let seen = [Sighting::CustomerReset, Sighting::Orphan, Sighting::LookUp, Sighting::HandOver];
    holds(&worlds::trace_16_two_targets(), &seen);
}

#[test]
fn trace_16_what_was_only_locked_before_a_reset_goes_on_to_the_next() {
    holds(&worlds::trace_16_locks(), &[Sighting::CustomerReset, Sighting::Orphan]);
}

#[test]
fn trace_16_a_resource_that_was_reset_asks_before_it_grants() {
    holds(&worlds::trace_16_resource(), &[Sighting::ResourceReset, Sighting::HandOver]);
    holds(&worlds::trace_16_resource_unused(), &[Sighting::ResourceReset, Sighting::LeaseReasserted]);
}

#[test]
fn trace_17_a_result_by_hand_is_read_back() {
    holds(&worlds::trace_17(), &[Sighting::ResultByHand, Sighting::ReadBack, Sighting::HandOver]);
}

#[test]
fn trace_17_a_look_up_that_is_ended_by_hand_is_made_again() {
    holds(&worlds::trace_17_look_up(), &[Sighting::LookUpByHand, Sighting::LookUp, Sighting::HandOver]);
}

#[test]
fn trace_21_a_grant_by_a_timer_is_recorded_before_anybody_is_told() {
    holds(&worlds::trace_21(), &[Sighting::Grant, Sighting::TaskLost, Sighting::LateAnswer]);
}

#[test]
fn trace_22_a_grant_has_the_same_epoch_in_every_attempt() {
    holds(&worlds::trace_22(), &[Sighting::HandOver, Sighting::TaskLost]);
}

#[test]
fn trace_18_a_release_goes_by_the_identity_that_the_ledger_has() {
    holds(&worlds::trace_18(), &[Sighting::OtherIdentity, Sighting::HandOver]);
    holds(&worlds::trace_18_mistyped(), &[Sighting::OtherIdentity, Sighting::HandOver]);
}

#[test]
fn trace_18_what_is_registered_under_another_sim_of_the_customer_is_released_there() {
    let sometimes = [Sighting::Contested, Sighting::OtherIdentity, Sighting::HandOver];
    holds(&worlds::trace_18_two_sims(), &sometimes);
    holds(&worlds::trace_18_all(), &sometimes);
    let faults = Faults { ambiguous: 1, ..Faults::default() };
    holds(&worlds::trace_18_two_sims().with("ambiguous", faults), &sometimes);
}

#[test]
fn trace_18_what_somebody_else_has_is_left_there_and_the_ledger_learns_it() {
    holds(&worlds::trace_18_elsewhere(), &[Sighting::FoundElsewhere]);
    holds(&worlds::trace_18_elsewhere().with_authority(), &[Sighting::FoundElsewhere, Sighting::LookUp]);
}

#[test]
fn trace_18_where_the_target_does_not_say_who_a_person_decides() {
    holds(&worlds::trace_18_discreet(), &[Sighting::Unconfirmed, Sighting::PersonActed, Sighting::HandOver]);
}
