//! The four-eyes rule of the log.

use serde_json::{Value, json};

use super::*;
use crate::error_code::ErrorCode;

const AT: Timestamp = Timestamp(1_795_000_000_000);
const WITHIN_MS: u64 = 60_000;

fn proposed(id: &str, actor: &str) -> ProposedAction {
    ProposedAction {
        subject: ActionSubject { on: ActionObject::Order.into(), id: id.to_owned(), action: "cancel".to_owned() },
        words: LoggedWords {
            action_id: "x".to_owned(),
            actor: actor.to_owned(),
            reason: "typo".to_owned(),
            ticket: None,
        },
        content: json!({"data": 1}),
        within_ms: WITHIN_MS,
    }
}

fn propose(log: &mut ActionLog, now: Timestamp, id: &str, actor: &str) -> LogAnswer {
    log.act(now, LogRequest::Propose(proposed(id, actor)))
}

fn confirm(log: &mut ActionLog, now: Timestamp, number: u64, by: &str) -> LogAnswer {
    log.act(now, LogRequest::Confirm { number, by: by.to_owned() })
}

fn code(answer: LogAnswer) -> Option<ErrorCode> {
    match answer {
        LogAnswer::Refused(refusal) => refusal.code.known(),
        LogAnswer::Proposed { .. } | LogAnswer::Confirmed { .. } => None,
    }
}

fn ended(log: &mut ActionLog, now: Timestamp, id: &str, end: ActionEnd) {
    let ProposedAction { subject, words, .. } = proposed(id, "ann");
    let outcome = Some(ActionOutcome { end: end.into(), code: None, detail: String::new() });
    log.note(now, ActionNote { subject, words, outcome });
}

#[test]
fn another_person_confirms_a_proposal_and_gets_all_that_is_needed_to_take_the_action() {
    let mut log = ActionLog::default();
    let until = AT.plus_ms(WITHIN_MS);
    assert_eq!(propose(&mut log, AT, "A~1", "ann"), LogAnswer::Proposed { number: 1, until });
    let again = propose(&mut log, AT.plus_ms(5), "A~1", "ann");
    assert_eq!(again, LogAnswer::Proposed { number: 1, until }, "the same proposal");
    let ProposedAction { subject, words, content, .. } = proposed("A~1", "ann");
    let confirmed = LogAnswer::Confirmed { words, subject, content };
    assert_eq!(confirm(&mut log, AT.plus_ms(9), 1, "bob"), confirmed);
    assert_eq!(confirm(&mut log, AT.plus_ms(10), 1, "bob"), confirmed, "bob may not have got the answer");
    assert_eq!(code(confirm(&mut log, AT.plus_ms(11), 1, "eve")), Some(ErrorCode::ProposalDecided));
    assert_eq!(code(propose(&mut log, AT.plus_ms(12), "A~1", "ann")), Some(ErrorCode::ProposalDecided));
    ended(&mut log, AT.plus_ms(13), "A~1", ActionEnd::Done);
    assert_eq!(code(confirm(&mut log, AT.plus_ms(14), 1, "bob")), Some(ErrorCode::ProposalDecided), "it was taken");
    let shown = log.view(&ActionFilter { now: Some(AT.plus_ms(15)), ..ActionFilter::default() });
    let second = shown.actions[0].second_person.clone().unwrap();
    assert_eq!((second.confirmed_by.as_deref(), second.state.known()), (Some("bob"), Some(ProposalState::Confirmed)));
    assert_eq!(shown.actions[0].outcome, Some(ActionEnd::Done.into()));
}

#[test]
fn nobody_confirms_what_he_proposed_himself_under_whatever_name() {
    for (actor, by) in [
        ("ann", "ann"),
        ("ann", "Ann "),
        ("gateway on behalf of ann", "gateway on behalf of bob"),
        ("gateway on behalf of ann", "ann"),
        ("ann", "desk on behalf of ann"),
    ] {
        let mut log = ActionLog::default();
        propose(&mut log, AT, "A~1", actor);
        assert_eq!(code(confirm(&mut log, AT, 1, by)), Some(ErrorCode::SamePerson), "{actor} and {by}");
        assert_eq!(code(confirm(&mut log, AT, 1, "bob the other")), None);
    }
}

#[test]
fn a_proposal_is_over_when_its_time_is() {
    let mut log = ActionLog::default();
    propose(&mut log, AT, "A~1", "ann");
    propose(&mut log, AT, "A~2", "ann");
    assert_eq!(code(confirm(&mut log, AT.plus_ms(WITHIN_MS - 1), 1, "bob")), None);
    assert_eq!(code(confirm(&mut log, AT.plus_ms(WITHIN_MS), 2, "bob")), Some(ErrorCode::ProposalExpired));
    assert_eq!(code(propose(&mut log, AT.plus_ms(WITHIN_MS), "A~2", "ann")), Some(ErrorCode::ProposalExpired));
    let state = |now: Timestamp| {
        let shown =
            log.view(&ActionFilter { now: Some(now), object: Some("A~2".to_owned()), ..ActionFilter::default() });
        shown.actions[0].second_person.clone().unwrap().state.known()
    };
    assert_eq!(state(AT.plus_ms(WITHIN_MS - 1)), Some(ProposalState::Open));
    assert_eq!(state(AT.plus_ms(WITHIN_MS)), Some(ProposalState::Expired));
}

#[test]
fn only_so_many_proposals_wait_and_none_of_them_is_dropped() {
    let mut log = ActionLog::default();
    for number in 0..PROPOSALS_OPEN_MAX {
        assert_eq!(code(propose(&mut log, AT, &format!("A~{number}"), "ann")), None);
    }
    assert_eq!(code(propose(&mut log, AT, "B~1", "ann")), Some(ErrorCode::ProposalsFull));
    for number in 0..=LOGGED_ACTIONS_MAX {
        let ProposedAction { subject, mut words, .. } = proposed("C~1", "ann");
        words.action_id = number.to_string();
        log.note(AT, ActionNote { subject, words, outcome: None });
    }
    let waiting = ActionFilter { waiting: true, now: Some(AT), ..ActionFilter::default() };
    assert_eq!(log.view(&waiting).actions.len(), PROPOSALS_OPEN_MAX);
    confirm(&mut log, AT, 1, "bob");
    ended(&mut log, AT, "A~0", ActionEnd::Done);
    assert_eq!(code(propose(&mut log, AT, "B~1", "ann")), None, "there is room again");
}

#[test]
fn a_proposal_of_which_the_outcome_is_unclear_can_be_taken_again() {
    let mut log = ActionLog::default();
    propose(&mut log, AT, "A~1", "ann");
    confirm(&mut log, AT, 1, "bob");
    ended(&mut log, AT, "A~1", ActionEnd::Unclear);
    assert_eq!(code(confirm(&mut log, AT, 1, "bob")), None);
}

#[test]
fn what_is_proposed_has_a_size_and_an_id_of_its_own() {
    let mut log = ActionLog::default();
    let mut large = proposed("A~1", "ann");
    large.content = Value::from("x".repeat(PROPOSAL_BYTES_MAX - 1));
    assert_eq!(code(log.act(AT, LogRequest::Propose(large.clone()))), Some(ErrorCode::BadAction));
    large.content = Value::from("x".repeat(PROPOSAL_BYTES_MAX - 2));
    assert_eq!(code(log.act(AT, LogRequest::Propose(large))), None, "the limit counts the quotation marks");
    assert_eq!(code(propose(&mut log, AT, "A~1", "ann")), Some(ErrorCode::ActionIdReused), "other content");
    assert_eq!(code(confirm(&mut log, AT, 7, "bob")), Some(ErrorCode::ProposalUnknown));
    let ProposedAction { subject, words, .. } = proposed("B~1", "ann");
    log.note(AT, ActionNote { subject, words, outcome: None });
    assert_eq!(code(confirm(&mut log, AT, 2, "bob")), Some(ErrorCode::ProposalUnknown), "it was not proposed");
}

#[test]
fn a_rule_is_for_all_or_for_a_tenant() {
    let rule = SecondPersonRule {
        actions: [GuardedAction::Cancel].into(),
        tenants: [("blue".parse().unwrap(), [GuardedAction::Skip].into())].into(),
    };
    let (blue, green) = ("blue".parse().unwrap(), "green".parse().unwrap());
    assert!(rule.needs(Some(&green), "cancel") && !rule.needs(Some(&green), "skip"));
    assert!(rule.needs(Some(&blue), "skip") && !rule.needs(Some(&blue), "cancel"));
    assert!(rule.needs(None, "cancel") && !rule.needs(None, "pause"));
    assert!(!SecondPersonRule::default().needs(Some(&blue), "cancel"));
}
