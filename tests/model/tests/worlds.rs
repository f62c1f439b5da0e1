//! All worlds under each mix of faults, explored completely or up to a number of states: `INTERLOCK_MODEL_STATES`. The numbers are
//! printed; `coordinator/docs/inside/model.md` has those of a long run.

use interlock_model::budget::states_max;
use interlock_model::explorer::explore;
use interlock_model::faults::Faults;
use interlock_model::scenario::Scenario;
use interlock_model::sighting::{Sighting, Sightings};
use interlock_model::worlds;

/// The most states of one world under one mix to explore.
const STATES_MAX: usize = 2_500;

/// Explores all worlds under the mix with this name. Each of `sometimes` must happen.
fn all_worlds_hold(mix: &str, sometimes: &[Sighting]) {
    all_worlds_hold_where(mix, |world| world, sometimes);
}

fn all_worlds_hold_where(mix: &str, change: impl Fn(Scenario) -> Scenario, sometimes: &[Sighting]) {
    let faults: Faults = worlds::mixes().into_iter().find(|(label, _)| *label == mix).expect("a known mix").1;
    let (mut seen, mut states, mut exhausted) = (Sightings::default(), 0, 0);
    // Beside those of `all`, which the simulator's seeds name by number.
    let all = [worlds::all(), vec![worlds::assigned_and_terminated()]].concat();
    for world in &all {
        let world = change(world.clone().with(mix, faults));
        let report = explore(&world, states_max(STATES_MAX)).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{report}");
        states += report.states;
        exhausted += usize::from(report.exhausted);
        seen.add(&report.seen);
    }
    println!("{} worlds with '{mix}': {states} states, {exhausted} worlds exhausted\n  {seen}", all.len());
    let missing = seen.missing(sometimes);
    assert!(missing.is_empty(), "{missing:?} never happened");
}

#[test]
fn all_worlds_hold_where_nothing_goes_wrong() {
    let sometimes = [
        Sighting::Grant,
        Sighting::Wait,
        Sighting::Recall,
        Sighting::Yield,
        Sighting::HandOver,
        Sighting::Superseded,
        Sighting::NotHolder,
        Sighting::Contested,
        Sighting::Decline,
        Sighting::Ring,
        Sighting::Used,
        Sighting::Unused,
        Sighting::LookUp,
        Sighting::Overtaking,
        Sighting::RejectedEvent,
    ];
    all_worlds_hold("", &sometimes);
}

#[test]
fn all_worlds_hold_where_events_and_messages_come_twice() {
    all_worlds_hold("copies", &[Sighting::DuplicateEvent, Sighting::StrayMessage]);
}

#[test]
fn all_worlds_hold_where_messages_come_late() {
    all_worlds_hold("delays", &[Sighting::StrayMessage]);
}

#[test]
fn all_worlds_hold_where_local_activities_run_again() {
    all_worlds_hold("reruns", &[Sighting::Rerun]);
}

#[test]
fn all_worlds_hold_where_claims_are_answered_too_late() {
    all_worlds_hold("late answers", &[Sighting::LateAnswer, Sighting::StrayMessage]);
}

#[test]
fn all_worlds_hold_where_requests_go_unanswered() {
    all_worlds_hold("ambiguous", &[Sighting::AmbiguousAttempt, Sighting::ReadBack, Sighting::LostRequest]);
}

#[test]
fn all_worlds_hold_where_requests_go_unanswered_and_cannot_be_read_back() {
    let blind = |world: Scenario| Scenario { verifies: false, ..world };
    all_worlds_hold_where("ambiguous", blind, &[Sighting::AmbiguousAttempt, Sighting::LostRequest]);
}

#[test]
fn all_worlds_hold_where_runs_continue_as_new_at_any_moment() {
    all_worlds_hold("continued", &[Sighting::ContinuedAsNew, Sighting::ReadBack]);
}

#[test]
fn all_worlds_hold_where_targets_refuse_and_persons_decide() {
    all_worlds_hold("refused", &[Sighting::Refusal, Sighting::PersonActed, Sighting::Compensation]);
}

#[test]
fn all_worlds_hold_where_persons_cancel_orders() {
    all_worlds_hold("cancelled", &[Sighting::PersonActed, Sighting::Compensation]);
}

#[test]
fn all_worlds_hold_where_persons_force_releases() {
    all_worlds_hold("forced", &[Sighting::ForcedRelease, Sighting::ForceRefused]);
}

#[test]
fn all_worlds_hold_where_customers_are_terminated() {
    all_worlds_hold("customer terminated", &[Sighting::CustomerTerminated, Sighting::Orphan]);
}

#[test]
fn all_worlds_hold_where_resources_are_lost_and_customers_say_again_what_they_have() {
    let sometimes =
        [Sighting::ResourceLost, Sighting::LeaseReasserted, Sighting::TicketsReasserted, Sighting::HandOver];
    all_worlds_hold("resource lost", &sometimes);
}

#[test]
fn all_worlds_hold_where_resources_are_lost_and_messages_come_late() {
    all_worlds_hold("resource lost, messages late", &[Sighting::ResourceLost, Sighting::StrayMessage]);
}

#[test]
fn all_worlds_hold_where_customers_forget_leases_and_the_sweep_settles_it() {
    let sometimes =
        [Sighting::LeaseForgotten, Sighting::Disowned, Sighting::Orphan, Sighting::LookUp, Sighting::HandOver];
    all_worlds_hold("lease forgotten", &sometimes);
}

#[test]
fn all_worlds_hold_where_customers_forget_leases_and_messages_come_late() {
    all_worlds_hold("lease forgotten, messages late", &[Sighting::LeaseForgotten, Sighting::StrayMessage]);
}

#[test]
fn all_worlds_hold_where_resources_are_terminated() {
    all_worlds_hold("resource terminated", &[Sighting::ResourceTerminated, Sighting::LookUp]);
}

#[test]
fn all_worlds_hold_where_workflow_tasks_are_lost_after_their_effects_left() {
    all_worlds_hold("tasks lost", &[Sighting::TaskLost, Sighting::HandOver]);
}

#[test]
fn all_worlds_hold_where_workflow_tasks_are_lost_and_persons_cancel_orders() {
    all_worlds_hold("tasks lost, persons cancel", &[Sighting::TaskLost, Sighting::PersonActed]);
}

#[test]
fn all_worlds_hold_where_workflow_tasks_are_lost_and_claims_come_late() {
    all_worlds_hold("tasks lost, claims late", &[Sighting::TaskLost, Sighting::LateAnswer, Sighting::StrayMessage]);
}

#[test]
fn all_worlds_hold_where_customers_are_reset() {
    all_worlds_hold("customer reset", &[Sighting::CustomerReset, Sighting::Orphan, Sighting::ReadBack]);
}

#[test]
fn all_worlds_hold_where_resources_are_reset() {
    all_worlds_hold("resource reset", &[Sighting::ResourceReset, Sighting::LeaseReasserted, Sighting::LookUp]);
}

#[test]
fn all_worlds_hold_where_operators_reset_activities() {
    all_worlds_hold("activity reset", &[Sighting::ActivityReset, Sighting::ReadBack]);
}

#[test]
fn all_worlds_hold_where_operators_end_activities_by_hand() {
    all_worlds_hold("by hand", &[Sighting::ResultByHand, Sighting::ReadBack, Sighting::LookUpByHand]);
}

/// P11 under every mix: a subscriber learns how each order ends, and nothing of an order after its end.
#[test]
fn subscribers_are_told_of_every_end_whatever_goes_wrong() {
    let (mut seen, mut states) = (Sightings::default(), 0);
    for (mix, faults) in worlds::mixes() {
        for world in [worlds::hand(), worlds::self_again(), worlds::left_out()] {
            let world = world.with(mix, faults).subscribed();
            let report = explore(&world, states_max(STATES_MAX)).unwrap_or_else(|failure| panic!("{failure}"));
            println!("{report}");
            states += report.states;
            seen.add(&report.seen);
        }
    }
    println!("{states} states\n  {seen}");
    let sometimes = [Sighting::Told, Sighting::ToldAgain, Sighting::TaskLost, Sighting::ContinuedAsNew];
    let missing = seen.missing(&sometimes);
    assert!(missing.is_empty(), "{missing:?} never happened");
}
