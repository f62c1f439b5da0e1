use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn capabilities(on_ambiguous: OnAmbiguous) -> Capabilities {
    Capabilities { verify: true, idempotency_keys: false, on_ambiguous, max_apply_delay_ms: 35_000 }
}

fn situation(attempt: u32, maybe_sent: bool, left: Option<Left>) -> Situation {
    let left = left.map(|left| LeftBy { attempt: attempt - 1, left, next_at: Some(NOW), calls: None });
    Situation {
        attempt,
        maybe_sent,
        has_details: left.is_some(),
        left,
        first_scheduled_at: Some(Timestamp(NOW.0 - 60_000 * (i64::from(attempt) - 1))),
        scheduled_at: NOW,
        started_at: NOW,
        attempt_timeout_ms: 10_000,
        expires_at: None,
        now: NOW,
    }
}

#[test]
fn a_first_attempt_sends_at_once() {
    assert_eq!(first_move(&situation(1, false, None), &capabilities(OnAmbiguous::Verify)), Move::Send);
}

#[test]
fn an_attempt_may_send_until_its_time_is_over_by_the_clock_of_whoever_counts_on_it() {
    let at_once = situation(1, false, None);
    assert_eq!(at_once.deadline(), NOW.plus_ms(10_000));
    let stopped = Situation { started_at: Timestamp(NOW.0 - 9_999), ..at_once };
    assert_eq!(may_send(NOW, stopped.deadline(), None, true), MaySend::Yes);
    let stopped = Situation { started_at: Timestamp(NOW.0 - 10_000), ..at_once };
    assert_eq!(may_send(NOW, stopped.deadline(), None, true), MaySend::TooLate);
    let clock_behind = Situation { started_at: Timestamp(NOW.0 + 5_000), ..at_once };
    assert_eq!(clock_behind.deadline(), NOW.plus_ms(10_000), "it has no more time by that");
}

#[test]
fn an_attempt_after_a_clean_refusal_sends_at_once() {
    let after_refusal = situation(2, false, Some(Left::Settled));
    assert_eq!(first_move(&after_refusal, &capabilities(OnAmbiguous::Verify)), Move::Send);
}

#[test]
fn what_an_older_attempt_left_says_nothing_about_the_one_that_vanished_since() {
    let stale = LeftBy { attempt: 1, left: Left::Settled, next_at: Some(NOW), calls: None };
    let third = Situation { left: Some(stale), ..situation(3, false, None) };
    assert_eq!(first_move(&third, &capabilities(OnAmbiguous::Verify)), Move::Verify { wait_ms: 10_000 + 35_000 });
}

/// Waits until requests that may still be sent or arrive have ended, and reads back.
const SETTLES: Move = Move::Verify { wait_ms: 10_000 + 35_000 };

#[test]
fn number_1_is_not_the_first_attempt_where_it_was_scheduled_later_than_its_call() {
    // An operator's reset of the activity, of its workflow, or an unpause.
    let reset = Situation { first_scheduled_at: Some(Timestamp(NOW.0 - 1)), ..situation(1, false, None) };
    assert_eq!(first_move(&reset, &capabilities(OnAmbiguous::Verify)), SETTLES);
}

#[test]
fn number_1_is_not_the_first_attempt_where_somebody_gave_signs_of_life_before() {
    let details = Situation { has_details: true, ..situation(1, false, None) };
    assert_eq!(first_move(&details, &capabilities(OnAmbiguous::Verify)), SETTLES);
}

#[test]
fn an_attempt_of_which_the_server_does_not_say_when_it_was_scheduled_settles_first() {
    let unknown = Situation { first_scheduled_at: None, ..situation(1, false, None) };
    assert_eq!(first_move(&unknown, &capabilities(OnAmbiguous::Verify)), SETTLES);
}

#[test]
fn what_was_left_before_a_reset_is_not_taken_for_what_the_attempt_just_before_left() {
    // Attempt 1 was refused, attempt 2 sent, an operator reset the activity to number 1 meanwhile: the next one is number 2.
    let left_at = |next_at: Option<i64>| {
        let refused = LeftBy { attempt: 1, left: Left::Settled, next_at: next_at.map(Timestamp), calls: None };
        Situation { left: Some(refused), ..situation(2, false, None) }
    };
    for next_at in [Some(NOW.0 - 15_000), Some(NOW.0 - 5_001), Some(NOW.0 + 5_001), None] {
        assert_eq!(first_move(&left_at(next_at), &capabilities(OnAmbiguous::Verify)), SETTLES, "{next_at:?}");
    }
    for next_at in [NOW.0 - 5_000, NOW.0 + 5_000] {
        assert_eq!(first_move(&left_at(Some(next_at)), &capabilities(OnAmbiguous::Verify)), Move::Send, "{next_at}");
    }
}

#[test]
fn an_attempt_whose_predecessor_vanished_waits_out_its_deadline_and_the_apply_delay_and_verifies() {
    let vanished = situation(2, false, None);
    assert_eq!(first_move(&vanished, &capabilities(OnAmbiguous::Verify)), Move::Verify { wait_ms: 10_000 + 35_000 });
}

#[test]
fn an_attempt_that_was_carried_over_settles_first_although_it_is_the_first_of_its_schedule() {
    let carried = situation(1, true, None);
    assert!(matches!(first_move(&carried, &capabilities(OnAmbiguous::Verify)), Move::Verify { .. }));
}

#[test]
fn what_can_no_longer_land_is_read_back_at_once() {
    let long_ago = Left::MaybeSent { until: Timestamp(NOW.0 - 35_000) };
    assert_eq!(
        first_move(&situation(2, false, Some(long_ago)), &capabilities(OnAmbiguous::Verify)),
        Move::Verify { wait_ms: 0 }
    );
    let just_not = Left::MaybeSent { until: Timestamp(NOW.0 - 34_999) };
    assert_eq!(
        first_move(&situation(2, false, Some(just_not)), &capabilities(OnAmbiguous::Verify)),
        Move::Verify { wait_ms: 1 }
    );
}

#[test]
fn sending_again_waits_unless_the_target_knows_the_idempotency_key() {
    let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
    let without_keys = capabilities(OnAmbiguous::Resend);
    assert_eq!(first_move(&unsettled, &without_keys), Move::SendLater { wait_ms: 35_000 });
    let with_keys = Capabilities { idempotency_keys: true, ..without_keys };
    assert_eq!(first_move(&unsettled, &with_keys), Move::Send);
}

#[test]
fn what_cannot_be_read_back_is_left_to_a_person() {
    let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
    let blind = Capabilities { verify: false, ..capabilities(OnAmbiguous::Verify) };
    for held in [blind, capabilities(OnAmbiguous::Hold)] {
        assert!(matches!(first_move(&unsettled, &held), Move::Report(Outcome::Ambiguous { .. })));
    }
}

#[test]
fn what_is_worse_late_than_never_is_given_up() {
    let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
    let Move::Report(Outcome::Permanent { code, .. }) = first_move(&unsettled, &capabilities(OnAmbiguous::GiveUp))
    else {
        panic!("expected a permanent outcome");
    };
    assert_eq!(code, "given_up_ambiguous");
}

#[test]
fn an_attempt_that_was_not_let_through_leaves_what_it_found() {
    assert_eq!(not_let_through(&situation(1, false, None), false), ("unavailable", Left::Settled));
    let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
    let (class, left) = not_let_through(&unsettled, false);
    assert_eq!((class, left), ("settling", Left::MaybeSent { until: NOW }));
    assert!(!is_settled_failure(class), "what may have been sent is not forgotten");
    assert_eq!(not_let_through(&unsettled, true), ("unavailable", Left::Settled));
}

#[test]
fn an_ambiguous_answer_is_followed_by_another_attempt_once_it_can_no_longer_land() {
    let ambiguous = Outcome::Ambiguous { detail: "timed out".to_owned() };
    assert_eq!(
        after_call(ambiguous.clone(), &capabilities(OnAmbiguous::Verify), NOW),
        AfterCall::Retry { left: Left::MaybeSent { until: NOW }, wait: Wait::AtLeast(35_000), outcome: ambiguous }
    );
}

#[test]
fn a_refusal_leaves_nothing_on_its_way_and_keeps_the_targets_own_delay() {
    let (retry_after_ms, detail) = (Some(7_000), String::new());
    for refusal in [
        Outcome::Throttled { retry_after_ms, detail: detail.clone() },
        Outcome::Unavailable { retry_after_ms, cause: None, detail: detail.clone() },
    ] {
        assert_eq!(
            after_call(refusal.clone(), &capabilities(OnAmbiguous::Verify), NOW),
            AfterCall::Retry { left: Left::Settled, wait: Wait::AskedFor(7_000), outcome: refusal }
        );
    }
    let away = Outcome::unavailable(detail);
    assert_eq!(
        after_call(away.clone(), &capabilities(OnAmbiguous::Verify), NOW),
        AfterCall::Retry { left: Left::Settled, wait: Wait::Pause, outcome: away }
    );
}

#[test]
fn while_the_target_works_on_a_job_it_is_asked_and_nothing_is_sent() {
    let caps = capabilities(OnAmbiguous::Verify);
    let outcome =
        |poll_after_ms| Outcome::Accepted { job: "17".to_owned(), poll_after_ms, detail: "queued".to_owned() };
    let left = Left::Accepted { since: NOW };
    let waits = |ms| Wait::AskedFor(ms);
    for (poll_after_ms, wait) in [(Some(700), waits(700)), (None, waits(POLL_AFTER_MS))] {
        let outcome = outcome(poll_after_ms);
        assert_eq!(after_call(outcome.clone(), &caps, NOW), AfterCall::Retry { left, wait, outcome });
    }
    let next = situation(2, false, Some(left));
    assert_eq!(first_move(&next, &caps), Move::Poll { since: NOW });
    let expired = Situation { expires_at: Some(NOW), ..next };
    assert_eq!(first_move(&expired, &caps), Move::Poll { since: NOW }, "the job may take effect all the same");
    assert_eq!(not_let_through(&next, false), ("accepted", left), "the job is not forgotten");
    let since = Timestamp(NOW.0 - 1);
    let after = |answer| after_poll(answer, "17", since, &caps, NOW);
    let running = JobAnswer::Running { poll_after_ms: Some(700), detail: "queued".to_owned() };
    let left = Left::Accepted { since };
    assert_eq!(after(running), AfterCall::Retry { left, wait: waits(700), outcome: outcome(Some(700)) });
    let away = Outcome::unavailable("away");
    assert_eq!(after(JobAnswer::NotTold(away.clone())), AfterCall::Retry { left, wait: Wait::Pause, outcome: away });
    assert_eq!(after(JobAnswer::Ended(Outcome::Done)), AfterCall::Report(Outcome::Done));
    let locked = Outcome::Transient { detail: "locked".to_owned() };
    let again = AfterCall::Retry { left: Left::Settled, wait: Wait::Pause, outcome: locked.clone() };
    assert_eq!(after(JobAnswer::Ended(locked)), again, "the job ended without an effect");
    let AfterCall::Retry { left, .. } = after(JobAnswer::Unknown { detail: String::new() }) else { panic!("in doubt") };
    assert_eq!(left, Left::MaybeSent { until: NOW }, "a job that the target forgot leaves its call in doubt");
}

#[test]
fn a_job_is_asked_about_after_an_operators_reset_too_and_a_lost_one_is_found_by_reading_back() {
    let left = Left::Accepted { since: NOW };
    let known = situation(2, false, Some(left));
    for later in [1, 2, 7] {
        let reset = Situation { attempt: later, scheduled_at: NOW.plus_ms(60_000), ..known };
        assert_eq!(
            first_move(&reset, &capabilities(OnAmbiguous::Verify)),
            Move::Poll { since: NOW },
            "attempt {later}"
        );
        assert_eq!(not_let_through(&reset, false), ("accepted", left), "attempt {later}");
    }
    let without_details = Situation { left: None, ..situation(2, true, None) };
    assert_eq!(first_move(&without_details, &capabilities(OnAmbiguous::Verify)), SETTLES);
    let job = "17".to_owned();
    assert_eq!(after_verification(ReadBack::Accepted { job: job.clone() }, true), AfterVerification::Poll { job });
}

#[test]
fn a_job_is_kept_beside_what_was_left_and_read_by_builds_before_jobs() {
    let left = LeftBy { attempt: 2, left: Left::Accepted { since: NOW }, next_at: Some(NOW), calls: None };
    let kept = LeftWithJob { left, job: Some("17".to_owned()) };
    let written = serde_json::to_value(&kept).unwrap();
    let expected = serde_json::json!({"attempt": 2, "left": "accepted", "since": NOW, "next_at": NOW, "job": "17"});
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_value::<LeftWithJob>(written).unwrap(), kept);
    let plain = LeftBy { left: Left::Settled, ..left };
    let of_before = serde_json::to_value(plain).unwrap();
    assert_eq!(serde_json::from_value::<LeftWithJob>(of_before).unwrap(), LeftWithJob { left: plain, job: None });
    let without_job = serde_json::to_value(LeftWithJob { left: plain, job: None }).unwrap();
    assert_eq!(serde_json::from_value::<LeftBy>(without_job).unwrap(), plain);
}

#[test]
fn what_reading_back_says_settles_the_step_or_asks_again() {
    assert_eq!(after_verification(ReadBack::Applied, true), AfterVerification::Report(Outcome::AlreadyDone));
    assert_eq!(after_verification(ReadBack::NotApplied, false), AfterVerification::Send);
    let somebody = Some("other".to_owned());
    assert_eq!(
        after_verification(ReadBack::InUse { holder: somebody.clone() }, true),
        AfterVerification::Report(Outcome::InUse { holder: somebody })
    );
    assert!(matches!(
        after_verification(ReadBack::Unclear { detail: String::new() }, true),
        AfterVerification::AskAgain { .. }
    ));
}

#[test]
fn a_failure_is_settled_where_its_attempt_left_nothing_on_its_way() {
    let detail = String::new();
    let outcomes = [
        Outcome::Transient { detail: detail.clone() },
        Outcome::Throttled { retry_after_ms: None, detail: detail.clone() },
        Outcome::unavailable(detail.clone()),
        Outcome::Ambiguous { detail },
    ];
    for outcome in outcomes {
        let class = outcome.class();
        let after = after_call(outcome, &capabilities(OnAmbiguous::Verify), NOW);
        let AfterCall::Retry { left, .. } = after else { panic!("expected another attempt") };
        assert_eq!(is_settled_failure(class), left == Left::Settled, "{class}");
    }
}

#[test]
fn nothing_is_sent_from_the_deadline_on() {
    assert_eq!(may_send(Timestamp(9), Timestamp(10), None, true), MaySend::Yes);
    assert_eq!(may_send(Timestamp(10), Timestamp(10), None, true), MaySend::TooLate);
}

#[test]
fn nothing_is_sent_from_the_time_on_when_it_is_no_longer_worth_sending() {
    let expires_at = Some(Timestamp(10));
    assert_eq!(may_send(Timestamp(9), Timestamp(99), expires_at, true), MaySend::Yes);
    assert_eq!(may_send(Timestamp(10), Timestamp(99), expires_at, true), MaySend::Expired(expired()));
    assert_eq!(may_send(Timestamp(10), Timestamp(99), expires_at, false), MaySend::Expired(given_up()));
    let on_time = Situation { expires_at: Some(Timestamp(NOW.0 + 1)), ..situation(1, false, None) };
    assert_eq!(first_move(&on_time, &capabilities(OnAmbiguous::Verify)), Move::Send);
    let late = Situation { expires_at: Some(NOW), ..on_time };
    assert_eq!(first_move(&late, &capabilities(OnAmbiguous::Verify)), Move::Report(expired()));
}

#[test]
fn what_expired_in_doubt_is_read_back_and_not_sent_again() {
    let unsettled = situation(2, false, Some(Left::MaybeSent { until: NOW }));
    let late = Situation { expires_at: Some(NOW), ..unsettled };
    assert_eq!(first_move(&late, &capabilities(OnAmbiguous::Verify)), Move::Verify { wait_ms: 35_000 });
    assert_eq!(after_verification(ReadBack::NotApplied, true), AfterVerification::Report(expired()));
    let soon = Situation { expires_at: Some(Timestamp(NOW.0 + 35_000)), ..unsettled };
    assert_eq!(first_move(&soon, &capabilities(OnAmbiguous::Resend)), Move::Report(given_up()));
    let with_keys = Capabilities { idempotency_keys: true, ..capabilities(OnAmbiguous::Resend) };
    assert_eq!(first_move(&soon, &with_keys), Move::Send);
    assert_eq!(first_move(&late, &with_keys), Move::Report(given_up()));
}

#[test]
fn a_call_without_an_outcome_expired_only_where_it_had_a_limit_and_nothing_is_in_doubt() {
    for settled in [Unanswered::Failed("unavailable"), Unanswered::NeverAttempted] {
        assert_eq!(of_unanswered(settled, true), expired());
        assert!(matches!(of_unanswered(settled, false), Outcome::Ambiguous { .. }));
    }
    for doubtful in [
        Unanswered::Failed("ambiguous"),
        Unanswered::Failed("settling"),
        Unanswered::Vanished,
        Unanswered::Unreadable("missing field `class`"),
        Unanswered::Cancelled,
    ] {
        assert!(matches!(of_unanswered(doubtful, true), Outcome::Ambiguous { .. }));
    }
}

#[test]
fn attempts_that_said_nothing_count_as_one_call_each() {
    let left = |attempt, calls| Some(LeftBy { attempt, left: Left::Settled, next_at: None, calls });
    assert_eq!((calls_before(1, None), calls_before(4, None)), (0, 3));
    assert_eq!(calls_before(4, left(3, Some(2))), 2, "one of the three attempts only read back");
    assert_eq!(calls_before(5, left(3, Some(2))), 3, "attempt 4 died before it could say anything");
    assert_eq!(calls_before(4, left(3, None)), 3, "an earlier build does not count");
    assert_eq!(calls_before(1, left(3, Some(2))), 2, "an operator reset the activity, and its numbers began again");
    assert_eq!((calls_so_far(1, false, None), calls_so_far(1, true, None)), (0, 1));
    assert_eq!(calls_so_far(4, true, left(3, Some(2))), 3);
    assert_eq!(calls_so_far(4, true, left(4, Some(2))), 2, "it has said what it sent");
}

#[test]
fn each_way_in_which_a_worker_answers_badly_has_a_sentence_of_its_own() {
    let all = [
        Unanswered::Failed("ValueError"),
        Unanswered::Failed(""),
        Unanswered::Unreadable("missing field `class`"),
        Unanswered::Unreadable("unknown variant `doen`"),
        Unanswered::Cancelled,
        Unanswered::NeverAttempted,
        Unanswered::Vanished,
    ];
    let said: std::collections::BTreeSet<String> =
        all.iter().map(|how| of_unanswered(*how, false).detail().unwrap().to_owned()).collect();
    assert_eq!(said.len(), all.len(), "{said:#?}");
    for part in ["'ValueError'", "missing field `class`", "unknown variant `doen`", "provision.md"] {
        assert!(said.iter().any(|sentence| sentence.contains(part)), "{part}: {said:#?}");
    }
}
