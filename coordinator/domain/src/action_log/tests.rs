use serde_json::json;

use super::*;
use crate::error_code::ErrorCode;

const AT: Timestamp = Timestamp(1_795_000_000_000);

fn note(id: &str, actor: &str, reason: &str, outcome: Option<ActionEnd>) -> ActionNote {
    ActionNote {
        subject: ActionSubject { on: ActionObject::Order.into(), id: id.to_owned(), action: "retry".to_owned() },
        words: LoggedWords {
            action_id: "x".to_owned(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            ticket: (reason == "typo").then(|| "INC-7".to_owned()),
        },
        outcome: outcome.map(|end| ActionOutcome { end: end.into(), code: None, detail: "held".to_owned() }),
    }
}

fn listed(log: &ActionLog, filter: &ActionFilter) -> Vec<String> {
    log.view(filter).actions.into_iter().map(|action| action.id).collect()
}

fn outcome(log: &ActionLog) -> Option<String> {
    log.view(&ActionFilter::default()).actions[0].outcome.as_ref().map(|end| end.as_str().to_owned())
}

#[test]
fn an_action_is_one_entry_with_what_became_of_it() {
    let mut log = ActionLog::default();
    log.note(AT, note("A~1", "ann", "typo", None));
    assert_eq!(outcome(&log), None, "its sender may have died");
    log.note(AT.plus_ms(5), note("A~1", "ann", "typo", Some(ActionEnd::Unclear)));
    assert_eq!(outcome(&log).as_deref(), Some("unclear"));
    log.note(AT.plus_ms(9), note("A~1", "ann", "typo", None));
    assert_eq!(outcome(&log).as_deref(), Some("unclear"), "sending it again tells nothing new");
    log.note(AT.plus_ms(9), note("A~1", "ann", "typo", Some(ActionEnd::Done)));
    log.note(AT.plus_ms(10), note("A~1", "ann", "typo", Some(ActionEnd::Refused)));
    let shown = log.view(&ActionFilter::default());
    assert_eq!(shown.actions.len(), 1);
    assert_eq!(outcome(&log).as_deref(), Some("done"), "what was taken stays taken");
    assert_eq!(shown.actions[0].at, AT.to_rfc3339());
    assert_eq!(shown.actions[0].outcome_at, Some(AT.plus_ms(9).to_rfc3339()));
}

#[test]
fn the_same_id_on_another_thing_or_of_another_caller_is_another_action() {
    let mut log = ActionLog::default();
    for (id, actor) in [("A~1", "ann"), ("A~2", "ann"), ("A~1", "bob"), ("A~1", "ann on behalf of eve")] {
        log.note(AT, note(id, actor, "typo", None));
    }
    assert_eq!(listed(&log, &ActionFilter::default()), ["A~1", "A~2", "A~1"], "newest first; eve's is ann's");
}

#[test]
fn actions_are_found_by_person_reason_ticket_action_and_object() {
    let mut log = ActionLog::default();
    log.note(AT, note("A~1", "Ann", "typo", None));
    log.note(AT, note("B~1", "gateway on behalf of Bob", "ported out", None));
    let some = |text: &str| Some(text.to_owned());
    let all = ActionFilter::default;
    for (filter, found) in [
        (ActionFilter { person: some("ann"), ..all() }, ["A~1"].as_slice()),
        (ActionFilter { person: some("BOB"), ..all() }, &["B~1"]),
        (ActionFilter { reason: some("Ported"), ..all() }, &["B~1"]),
        (ActionFilter { ticket: some("inc-7"), ..all() }, &["A~1"]),
        (ActionFilter { ticket: some("inc"), ..all() }, &[]),
        (ActionFilter { action: some("retry"), ..all() }, &["B~1", "A~1"]),
        (ActionFilter { action: some("skip"), ..all() }, &[]),
        (ActionFilter { object: some("b~"), ..all() }, &["B~1"]),
        (ActionFilter { limit: Some(1), ..all() }, &["B~1"]),
        (ActionFilter { person: some("ann"), reason: some("ported"), ..all() }, &[]),
    ] {
        assert_eq!(listed(&log, &filter), found, "{filter:?}");
    }
}

#[test]
fn a_log_keeps_so_many_actions_and_says_how_many_it_dropped() {
    let mut log = ActionLog::default();
    for number in 0..LOGGED_ACTIONS_MAX {
        log.note(AT, note(&format!("A~{number}"), "ann", "typo", None));
    }
    assert_eq!(log.view(&ActionFilter::default()).no_longer_kept, 0);
    log.note(AT, note("B~1", "ann", "typo", None));
    let shown = log.view(&ActionFilter::default());
    assert_eq!((shown.actions.len(), shown.no_longer_kept), (LOGGED_ACTIONS_MAX, 1));
    assert_eq!(shown.actions.last().unwrap().id, "A~1", "the oldest was dropped");
}

#[test]
fn a_log_of_long_texts_keeps_fewer_actions() {
    let mut log = ActionLog::default();
    let long = |number: usize| note(&format!("A~{number:04}"), "ann", &"r".repeat(1_000), None);
    let each = { 6 + 1 + 3 + 1_000 };
    let room = LOGGED_BYTES_MAX / each;
    for number in 0..room {
        log.note(AT, long(number));
    }
    assert_eq!(log.view(&ActionFilter::default()).no_longer_kept, 0);
    log.note(AT, long(room));
    let shown = log.view(&ActionFilter::default());
    assert_eq!((shown.actions.len(), shown.no_longer_kept), (room, 1));
}

#[test]
fn what_became_of_an_action_and_signs_that_are_escaped_count_too() {
    let mut log = ActionLog::default();
    let escaped = |number: usize| note(&format!("A~{number:04}"), "ann", &"\u{1}".repeat(1_000), None);
    let room = LOGGED_BYTES_MAX / (6 + 1 + 3 + 6_000);
    for number in 0..room {
        log.note(AT, escaped(number));
    }
    assert_eq!(log.view(&ActionFilter::default()).no_longer_kept, 0);
    let mut last = escaped(room - 1);
    last.outcome = Some(ActionOutcome { end: ActionEnd::Refused.into(), code: None, detail: "\u{1}".repeat(1_000) });
    log.note(AT, last);
    assert_eq!(log.view(&ActionFilter::default()).no_longer_kept, 1);
}

#[test]
fn a_note_travels_as_one_flat_object() {
    let mut note = note("A~1", "ann", "typo", None);
    note.outcome = Some(ActionOutcome {
        end: ActionEnd::Refused.into(),
        code: Some(ErrorCode::NothingHeld.into()),
        detail: "No.".to_owned(),
    });
    let written = serde_json::to_value(&note).unwrap();
    let expected = json!({
        "on": "order", "id": "A~1", "action": "retry", "action_id": "x", "actor": "ann", "reason": "typo", "ticket": "INC-7",
        "outcome": {"end": "refused", "code": "nothing_held", "detail": "No."},
    });
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_value::<ActionNote>(expected).unwrap(), note);
}

#[test]
fn two_lists_become_one_newest_first() {
    let mut one = ActionLog::default();
    one.note(AT, note("A~1", "ann", "typo", None));
    one.note(AT.plus_ms(2_000), note("A~3", "ann", "typo", None));
    let mut other = ActionLog::default();
    other.note(AT.plus_ms(1_000), note("A~2", "ann", "typo", None));
    let (one, other) = (one.view(&ActionFilter::default()), other.view(&ActionFilter::default()));
    let ids = |list: ActionList| list.actions.into_iter().map(|action| action.id).collect::<Vec<_>>();
    assert_eq!(ids(one.clone().with(other.clone(), 9)), ["A~3", "A~2", "A~1"]);
    assert_eq!(ids(one.with(other, 2)), ["A~3", "A~2"]);
}
