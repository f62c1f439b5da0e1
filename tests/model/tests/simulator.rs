//! Random schedules of named and random worlds, with many faults at once. A failing seed is printed. `INTERLOCK_SEED=… cargo test -p
//! interlock-model --test simulator` repeats it. `INTERLOCK_MODEL_RUNS` sets the number of runs.

use interlock_model::budget::seeds;
use interlock_model::explorer::explore;
use interlock_model::sighting::{Sighting, Sightings};
use interlock_model::simulator::simulate;
use interlock_model::worlds;

/// Runs of one test.
const RUNS: u64 = 8_000;
/// The most states of one random world to explore.
const STATES_MAX: usize = 3_000;
/// The number of random worlds to explore.
const WORLDS: u64 = 60;

fn runs_hold(first: u64) -> Sightings {
    let (mut seen, mut actions, mut runs) = (Sightings::default(), 0, 0);
    for seed in seeds(first, RUNS) {
        let world = worlds::random_case(seed);
        actions +=
            simulate(&world, seed, &mut seen).unwrap_or_else(|failure| panic!("INTERLOCK_SEED={seed}\n{failure}"));
        runs += 1;
    }
    println!("{runs} runs, {actions} actions\n  {seen}");
    seen
}

#[test]
fn storms_break_nothing_and_everything_expected_happens() {
    let seen = runs_hold(0);
    let sometimes = [
        Sighting::Grant,
        Sighting::Wait,
        Sighting::Recall,
        Sighting::Yield,
        Sighting::HandOver,
        Sighting::Orphan,
        Sighting::Superseded,
        Sighting::NotHolder,
        Sighting::Contested,
        Sighting::Decline,
        Sighting::Ring,
        Sighting::Compensation,
        Sighting::Used,
        Sighting::Unused,
        Sighting::ForcedRelease,
        Sighting::ForceRefused,
        Sighting::LookUp,
        Sighting::Overtaking,
        Sighting::DuplicateEvent,
        Sighting::RejectedEvent,
        Sighting::FinishedTicket,
        Sighting::ContinuedAsNew,
        Sighting::CustomerTerminated,
        Sighting::ResourceLost,
        Sighting::ActivityReset,
        Sighting::ResultByHand,
        Sighting::LookUpByHand,
        Sighting::LeaseReasserted,
        Sighting::Told,
        Sighting::ToldAgain,
        Sighting::TicketsReasserted,
        Sighting::Rerun,
        Sighting::LateAnswer,
        Sighting::StrayMessage,
        Sighting::AmbiguousAttempt,
        Sighting::ReadBack,
        Sighting::LostRequest,
        Sighting::Refusal,
        Sighting::PersonActed,
    ];
    let missing = seen.missing(&sometimes);
    assert!(seeds(0, RUNS).count() < RUNS as usize || missing.is_empty(), "{missing:?} never happened");
}

#[test]
fn more_storms_break_nothing() {
    runs_hold(1_000_000);
}

#[test]
fn random_worlds_hold_in_every_order_of_events() {
    let (mut states, mut exhausted, mut explored) = (0, 0, 0);
    for seed in seeds(0, WORLDS).take(WORLDS as usize) {
        let world = worlds::random(seed);
        let report = explore(&world, STATES_MAX).unwrap_or_else(|failure| panic!("INTERLOCK_SEED={seed}\n{failure}"));
        states += report.states;
        exhausted += usize::from(report.exhausted);
        explored += 1;
    }
    println!("{explored} random worlds: {states} states, {exhausted} worlds exhausted");
}
