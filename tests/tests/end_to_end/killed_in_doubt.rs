//! A provisioning worker dies (kill -9) between an effect and its report, and another worker dies while it waits until the earlier
//! request can no longer take effect. The result of the step is what the target's row in the README's table says.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_adapters::sandbox::Action;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_worker_pools::Workload;
use temporalio_common::protos::temporal::api::enums::v1::{PendingActivityState, TimeoutType};
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use tokio::sync::OnceCell;

use crate::doubtful_targets::{ALL, Doubtful, DoubtfulBed, InDoubt};
use crate::testbed::run;
use crate::waiting::{until, until_true};

/// The attempt time-out: long enough to see the effect of an attempt and to kill its worker before it times out.
const ATTEMPT_TIMEOUT: &str = "8s";
/// Longer than any attempt, so that a request ends with its attempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The targets at which an attempt waits before it continues, if the effect of the previous attempt is unknown.
const WAITING_OUT: [Doubtful; 6] = [
    Doubtful::Hss,
    Doubtful::Crm,
    Doubtful::KeysAndVerify,
    Doubtful::VerifyOnly,
    Doubtful::Resending,
    Doubtful::Declared,
];

/// The final state.
struct Aftermath {
    /// For each target, how an order ended whose worker died once, between the effect and the report, and how often it took effect.
    once: Vec<(Doubtful, String, usize)>,
    /// The same if the next worker also died while it waited.
    twice: Vec<(Doubtful, String, usize)>,
    /// Why the attempt ended whose worker died.
    noticed_by: Vec<TimeoutType>,
}

/// The workers are killed once, for all tests that check the results of the affected steps.
async fn aftermath() -> &'static Aftermath {
    static AFTERMATH: OnceCell<Aftermath> = OnceCell::const_new();
    AFTERMATH.get_or_init(|| Box::pin(kill_workers())).await
}

async fn kill_workers() -> Aftermath {
    let workloads = vec![Workload::Entity, Workload::Resource, Workload::Provisioning];
    let mut bed = DoubtfulBed::start("killed-in-doubt", Some(workloads), ATTEMPT_TIMEOUT, REQUEST_TIMEOUT).await;
    let begun = begin(&bed, &ALL).await;
    kill_provisioning(&mut bed).await;
    let noticed_by = second_attempts(&bed, &begun).await.iter().map(why_it_ended).collect();
    let once = ends(&bed, &begun).await;

    let begun = begin(&bed, &WAITING_OUT).await;
    kill_provisioning(&mut bed).await;
    second_attempts(&bed, &begun).await;
    kill_provisioning(&mut bed).await;
    let twice = ends(&bed, &begun).await;
    Box::pin(bed.stop()).await;
    Aftermath { once, twice, noticed_by }
}

/// An order whose request took effect while its worker waits for the answer, with enough data to find it again.
struct Begun {
    target: Doubtful,
    tenant: TenantId,
    order: OrderId,
    number: String,
}

/// Starts an order at each of the targets. The answer to its request is lost.
async fn begin(bed: &DoubtfulBed, targets: &[Doubtful]) -> Vec<Begun> {
    let mut begun = Vec::new();
    for target in targets {
        let in_doubt = InDoubt::at(bed, *target).with(Action::LoseAnswer);
        let order = in_doubt.submit().await;
        begun.push(Begun {
            target: *target,
            tenant: in_doubt.scene.tenant.clone(),
            order,
            number: in_doubt.number.clone(),
        });
    }
    let all_have_it = || begun.iter().all(|one| again(bed, one).effects() == 1);
    until_true("the effect at every target", all_have_it).await;
    begun
}

fn again<'a>(bed: &'a DoubtfulBed, begun: &Begun) -> InDoubt<'a> {
    InDoubt::again(bed, begun.target, begun.tenant.clone(), &begun.order, &begun.number)
}

async fn kill_provisioning(bed: &mut DoubtfulBed) {
    let platform = &mut bed.bed.platform;
    let provisioning =
        platform.worker_processes.iter().position(|process| process.workload() == Workload::Provisioning);
    platform.worker_processes.remove(provisioning.unwrap()).kill().await.unwrap();
    platform.start_worker_process(Workload::Provisioning).await.unwrap();
}

/// Waits until each order is at its second attempt, if that can be seen: a second attempt that only reports a result ends at once.
async fn second_attempts(bed: &DoubtfulBed, begun: &[Begun]) -> Vec<PendingActivityInfo> {
    let waiting_out = begun.iter().filter(|one| WAITING_OUT.contains(&one.target));
    let attempts = waiting_out.map(|one| async move {
        let entity = again(bed, one).scene.entity(&one.order.customer());
        until(format!("the second attempt of {}", one.order), || async {
            let pending = entity.pending_activities().await.into_iter().next()?;
            (pending.attempt == 2 && pending.state() == PendingActivityState::Started).then_some(pending)
        })
        .await
    });
    join_all(attempts).await
}

fn why_it_ended(activity: &PendingActivityInfo) -> TimeoutType {
    match activity.last_failure.as_ref().and_then(|failure| failure.failure_info.as_ref()) {
        Some(FailureInfo::TimeoutFailureInfo(timeout)) => timeout.timeout_type(),
        other => panic!("the attempt ended otherwise: {other:?}"),
    }
}

async fn ends(bed: &DoubtfulBed, begun: &[Begun]) -> Vec<(Doubtful, String, usize)> {
    let ends = begun.iter().map(|one| async move {
        let in_doubt = again(bed, one);
        (one.target, in_doubt.end(&one.order).await, in_doubt.effects())
    });
    join_all(ends).await
}

/// The results of the orders at these targets.
fn of(came: &[(Doubtful, String, usize)], targets: &[Doubtful]) -> Vec<(Doubtful, String, usize)> {
    came.iter().filter(|(target, ..)| targets.contains(target)).cloned().collect()
}

fn all(targets: &[Doubtful], end: &str, effects: usize) -> Vec<(Doubtful, String, usize)> {
    targets.iter().map(|target| (*target, end.to_owned(), effects)).collect()
}

/// The targets that apply once, whatever happens to a worker.
const ONCE: [Doubtful; 6] = [
    Doubtful::Hss,
    Doubtful::Crm,
    Doubtful::KeysAndVerify,
    Doubtful::VerifyOnly,
    Doubtful::KeysOnly,
    Doubtful::Declared,
];

#[test]
fn a_step_whose_worker_died_between_effect_and_report_takes_effect_once() {
    run(async { assert_eq!(of(&aftermath().await.once, &ONCE), all(&ONCE, "completed", 1)) });
}

#[test]
fn a_step_whose_next_worker_died_while_it_waited_takes_effect_once() {
    run(async {
        let targets: Vec<Doubtful> = ONCE.into_iter().filter(|target| *target != Doubtful::KeysOnly).collect();
        assert_eq!(of(&aftermath().await.twice, &targets), all(&targets, "completed", 1));
    });
}

#[test]
fn with_neither_keys_nor_verify_a_step_whose_worker_died_waits_for_a_person_or_is_given_up() {
    run(async {
        let once = &aftermath().await.once;
        assert_eq!(of(once, &[Doubtful::Holding]), all(&[Doubtful::Holding], "held ambiguous", 1));
        assert_eq!(of(once, &[Doubtful::GivingUp]), all(&[Doubtful::GivingUp], "held given_up_ambiguous", 1));
    });
}

/// Tests these tests: a double effect is detected.
#[test]
fn a_blind_resend_after_kill_9_shows_as_a_double_effect() {
    run(async {
        let Aftermath { once, twice, .. } = aftermath().await;
        for came in [once, twice] {
            assert_eq!(of(came, &[Doubtful::Resending]), all(&[Doubtful::Resending], "completed", 2));
        }
    });
}

#[test]
fn a_worker_that_dies_is_noticed_by_its_silence_and_not_by_the_time_of_its_attempt() {
    run(async {
        let noticed_by = &aftermath().await.noticed_by;
        assert_eq!(*noticed_by, vec![TimeoutType::Heartbeat; WAITING_OUT.len()]);
    });
}
