//! Breaks every rule of the protocol from outside the machines: a check must turn red each time. If it does not, the model does not
//! check that rule.

use interlock_model::broken::Broken;
use interlock_model::explorer::explore;
use interlock_model::faults::Faults;
use interlock_model::scenario::Scenario;
use interlock_model::violation::Check;
use interlock_model::worlds;

/// More states than these worlds need to show their fault.
const STATES_MAX: usize = 300_000;

/// Explores a world with one rule broken. One of these checks must turn red.
fn turns_red(world: Scenario, broken: Broken, checks: &[Check]) {
    let failure = explore(&world.breaking(broken), STATES_MAX).expect_err("a check turns red");
    println!("{broken:?}: {failure}");
    assert!(checks.contains(&failure.violation.check), "{failure}");
}

fn with(world: Scenario, faults: Faults) -> Scenario {
    world.with("faults", faults)
}

#[test]
fn an_attempt_that_does_not_settle_the_one_before_writes_beside_the_next_holder() {
    turns_red(worlds::trace_8(), Broken::SendsWithoutSettling, &[Check::OneWriter, Check::OneEffect]);
}

#[test]
fn a_grant_that_is_declined_before_its_admission_is_recorded_is_lost() {
    let checks = [Check::TicketLeaked, Check::LeaseLeaked, Check::LockUp];
    turns_red(worlds::trace_1(), Broken::DeclinesTooEarly, &checks);
}

#[test]
fn a_lease_that_goes_back_after_the_first_of_two_steps_lets_the_next_holder_write_too_early() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::ReleaseBeforeWrite];
    turns_red(worlds::trace_2(), Broken::GivesBackAfterTheFirstStep, &checks);
}

#[test]
fn a_lease_that_goes_back_before_its_release_is_confirmed_lets_the_next_holder_write_too_early() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::ReleaseBeforeWrite];
    turns_red(worlds::hand(), Broken::GivesBackBeforeConfirmation, &checks);
}

#[test]
fn orders_that_start_before_they_have_all_their_leases_deadlock() {
    let checks = [Check::LeaseHeld, Check::LockUp];
    turns_red(worlds::trace_6b(), Broken::StartsWithoutAllLeases, &checks);
}

#[test]
fn a_step_that_starts_while_an_older_event_waits_breaks_the_order() {
    turns_red(worlds::trace_12(), Broken::OvertakesTheInbox, &[Check::LaneOrder]);
}

#[test]
fn a_copy_of_a_grant_is_used_again_where_epochs_given_back_are_forgotten() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::LeaseLeaked, Check::LeaseHeld, Check::TicketLeaked];
    turns_red(worlds::trace_7(), Broken::ForgetsEpochsGivenBack, &checks);
}

#[test]
fn epochs_that_do_not_grow_fence_no_one() {
    let checks = [Check::EpochGrows, Check::LockUp, Check::LeaseLeaked, Check::TicketLeaked];
    turns_red(worlds::back(), Broken::EpochsStandStill, &checks);
}

#[test]
fn a_recall_that_is_forgotten_because_its_grant_is_not_known_yet_leaves_a_ring() {
    turns_red(worlds::trace_6a(), Broken::ForgetsEarlyRecalls, &[Check::LockUp]);
}

#[test]
fn without_recalls_locks_in_opposite_order_deadlock() {
    turns_red(worlds::lock_pair_in_one_step(), Broken::NeverRecalls, &[Check::LockUp]);
}

#[test]
fn a_release_that_is_told_without_proof_that_somebody_else_holds_leaves_both_stuck() {
    let checks = [Check::LockUp, Check::LeaseLeaked, Check::Expectation];
    turns_red(worlds::trace_4(), Broken::AssumesHolders, &checks);
}

#[test]
fn messages_that_arrive_before_an_admission_is_recorded_must_not_be_forgotten() {
    let checks = [Check::TicketLeaked, Check::LockUp];
    turns_red(worlds::chain(), Broken::ForgetsEarlyNotices, &checks);
}

#[test]
fn an_older_assign_that_comes_late_takes_what_was_given_up_where_settled_orders_are_forgotten() {
    let checks = [Check::LockUp, Check::Expectation];
    turns_red(worlds::trace_10a(), Broken::ForgetsSettled, &checks);
}

#[test]
fn a_duplicate_event_is_done_again_where_orders_are_forgotten() {
    let world = with(worlds::self_again(), Faults { resubmitted: 1, ..Faults::default() });
    let checks = [Check::OneTerminalState, Check::OneEffect, Check::EventLost];
    turns_red(world, Broken::ForgetsOrders, &checks);
}

#[test]
fn a_copy_of_a_claim_waits_for_nobody_where_finished_tickets_are_forgotten() {
    let world = with(worlds::back(), Faults { unanswered: 1, ..Faults::default() });
    let checks = [Check::TicketLeaked, Check::LeaseLeaked];
    turns_red(world, Broken::ForgetsFinishedTickets, &checks);
}

#[test]
fn a_target_that_takes_a_second_holder_silently_is_overwritten_where_nobody_asks_it_first() {
    turns_red(worlds::boot_overwriting(), Broken::SkipsTheLookUp, &[Check::Overwritten]);
}

#[test]
fn a_forced_release_that_does_not_ask_the_living_holder_makes_two_writers() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::LeaseLeaked];
    turns_red(worlds::trace_14(), Broken::ForcesWithoutAsking, &checks);
}

#[test]
fn an_orphan_that_is_settled_at_once_meets_requests_of_the_dead_customer() {
    let checks = [Check::OneWriter, Check::ReleaseBeforeWrite];
    turns_red(worlds::trace_13(), Broken::SettlesOrphansAtOnce, &checks);
}

#[test]
fn a_resource_that_forgets_that_it_died_grants_what_somebody_has() {
    let world = worlds::hand().with("", Faults { resources_lost: 1, ..Faults::default() });
    let checks = [Check::OneHolder, Check::OneWriter, Check::LeaseLeaked, Check::ReleaseBeforeWrite];
    turns_red(world, Broken::IsNotToldOfItsDeath, &checks);
}

#[test]
fn a_holder_that_keeps_quiet_about_its_lease_gets_a_second_one_beside_it() {
    let world = worlds::hand().with("", Faults { resources_lost: 1, ..Faults::default() });
    let checks = [Check::OneHolder, Check::OneWriter, Check::LeaseLeaked, Check::ReleaseBeforeWrite];
    turns_red(world, Broken::KeepsQuietAboutItsLease, &checks);
}

#[test]
fn a_dead_customer_that_is_not_noticed_keeps_its_lease() {
    let checks = [Check::LockUp, Check::LeaseLeaked];
    turns_red(worlds::trace_13(), Broken::IgnoresTheDead, &checks);
}

#[test]
fn a_customer_that_does_not_notice_its_reset_uses_what_it_gave_away() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::EpochGrows, Check::ReleaseBeforeWrite, Check::LeaseLeaked];
    turns_red(worlds::trace_16(), Broken::NoticesNoReset, &checks);
}

#[test]
fn a_customer_that_believes_its_leases_after_a_reset_uses_what_it_gave_away() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::EpochGrows, Check::ReleaseBeforeWrite];
    turns_red(worlds::trace_16(), Broken::BelievesItsLeases, &checks);
}

#[test]
fn a_customer_with_the_same_identity_after_a_reset_writes_while_its_earlier_calls_are_in_flight() {
    let checks = [Check::OneWriter, Check::OneEffect, Check::LeaseLeaked, Check::LockUp];
    turns_red(worlds::trace_16_unused(), Broken::KeepsItsIncarnation, &checks);
}

#[test]
fn a_reset_customer_that_one_target_speaks_for_stays_registered_on_the_other() {
    let checks = [Check::ReleaseBeforeWrite, Check::LeaseLeaked, Check::OneHolder];
    turns_red(worlds::trace_16_two_targets(), Broken::OneTargetSettlesIt, &checks);
}

#[test]
fn a_resource_that_does_not_notice_its_reset_grants_what_somebody_has() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::EpochGrows, Check::ReleaseBeforeWrite, Check::LeaseLeaked];
    turns_red(worlds::trace_16_resource_unused(), Broken::ResourceNoticesNoReset, &checks);
}

#[test]
fn an_attempt_that_goes_by_its_number_writes_beside_the_next_holder() {
    let checks = [Check::OneWriter, Check::OneEffect, Check::ReleaseBeforeWrite];
    turns_red(worlds::trace_15(), Broken::GoesByTheAttemptNumber, &checks);
}

#[test]
fn a_result_by_hand_that_is_taken_for_an_answer_lets_the_next_holder_write_too_early() {
    let checks = [Check::OneWriter, Check::ReleaseBeforeWrite];
    turns_red(worlds::trace_17(), Broken::TakesResultsByHand, &checks);
}

#[test]
fn a_look_up_by_hand_that_is_taken_for_an_answer_grants_what_somebody_has() {
    let checks = [Check::Overwritten, Check::OneHolder, Check::ReleaseBeforeWrite];
    turns_red(worlds::trace_17_look_up(), Broken::TakesLookUpsByHand, &checks);
}

#[test]
fn a_grant_that_leaves_before_its_timer_is_recorded_is_made_twice() {
    let checks = [Check::OneHolder, Check::OneWriter, Check::LeaseLeaked, Check::EpochGrows];
    turns_red(worlds::trace_21(), Broken::LeavesBeforeItsCause, &checks);
}

#[test]
fn a_grant_identified_by_its_position_is_sent_once_with_an_epoch_that_no_lease_has() {
    // No later release of B tells it again that it holds the number.
    let world = with(worlds::hand(), Faults { tasks_lost: 1, ..Faults::default() });
    turns_red(world, Broken::NamesPositions, &[Check::LeaseLeaked, Check::LockUp]);
}

#[test]
fn a_release_that_counts_as_done_under_one_identity_lets_the_next_holder_wait_for_ever() {
    let checks = [Check::ReleaseBeforeWrite, Check::LeaseLeaked];
    let broken = Broken::ConfirmsUnderOneIdentity;
    let worlds = [worlds::trace_18, worlds::trace_18_mistyped, worlds::trace_18_two_sims, worlds::trace_18_all];
    for world in worlds {
        turns_red(world(), broken, &checks);
    }
}

#[test]
fn a_delivery_that_counts_as_done_before_its_receiver_has_it_is_never_told() {
    turns_red(worlds::hand().subscribed(), Broken::TakesDeliveriesForDone, &[Check::NotTold]);
}

#[test]
fn what_is_forgotten_before_it_is_delivered_is_never_told() {
    turns_red(worlds::hand().subscribed(), Broken::ForgetsWhatToTell, &[Check::NotTold]);
}
