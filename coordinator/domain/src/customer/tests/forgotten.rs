//! What is shown of orders that ended, and of calls.

use super::*;
use crate::order::OrderState;

fn service() -> Plan {
    plan(&[], vec![step("crm.update", &[], &[])])
}

fn finished(a: &mut Customer, id: &str) {
    admit(a, id, service(), Vec::new());
    a.step(NOW, done(id, 0));
}

#[test]
fn an_order_that_the_journal_no_longer_has_says_so() {
    let mut a = customer();
    let (first, second) = (order_id("first"), order_id("second"));
    finished(&mut a, "first");
    let shown = a.order_view(&first).unwrap();
    assert_eq!((shown.no_longer_kept, shown.detail, shown.steps.len()), (false, None, 1));
    finished(&mut a, "second");
    a.journal.pop_front();
    let shown = a.order_view(&first).unwrap();
    assert_eq!((shown.state.known(), shown.no_longer_kept), (Some(OrderState::Completed), true));
    assert!(shown.detail.unwrap().contains("no longer kept"));
    assert!(!a.order_view(&second).unwrap().no_longer_kept);
}

#[test]
fn an_order_whose_steps_were_dropped_to_save_room_says_so() {
    let mut a = customer();
    let steps = crate::limits::JOURNAL_PARTS_MAX / 2 + 1;
    for id in ["first", "second"] {
        let plan = plan(&[], (0..steps).map(|_| step("crm.update", &[], &[])).collect());
        admit(&mut a, id, plan, Vec::new());
        for index in 0..steps {
            a.step(NOW, done(id, index));
        }
        assert_eq!(a.state_of(&order_id(id)), Some(OrderState::Completed));
    }
    let shown = a.order_view(&order_id("first")).unwrap();
    assert_eq!((shown.event_id.as_str(), shown.steps.len(), shown.no_longer_kept), ("first", 0, true));
    assert!(shown.detail.unwrap().starts_with("Its steps and claims are no longer kept"));
    let shown = a.order_view(&order_id("second")).unwrap();
    assert_eq!((shown.steps.len(), shown.no_longer_kept, shown.detail), (steps, false, None));
}

#[test]
fn what_was_never_seen_is_told_apart_from_what_ended_and_is_no_longer_shown() {
    let mut a = customer();
    assert_eq!(a.memory_of(&order_id("e1")), OrderMemory::NeverSeen);
    finished(&mut a, "e1");
    assert_eq!(a.memory_of(&order_id("e1")), OrderMemory::Shown);
    assert_eq!(a.memory_of(&order_id("e2")), OrderMemory::NeverSeen, "nothing was forgotten yet");
    a.remembered.clear();
    assert_eq!(a.memory_of(&order_id("e1")), OrderMemory::Ended, "its digest is kept for 30 days");
    a.digests = OrderDigests::default();
    assert_eq!(a.memory_of(&order_id("e1")), OrderMemory::Uncertain);
}

#[test]
fn attempts_are_the_calls_that_were_made_and_not_the_schedules() {
    let mut a = customer();
    admit(&mut a, "e1", plan(&[], vec![step("crm.update", &[], &[]), step("crm.tell", &[], &[0])]), Vec::new());
    let attempts =
        |a: &Customer| a.order_view(&order_id("e1")).unwrap().steps.iter().map(|s| s.attempts).collect::<Vec<_>>();
    assert_eq!(attempts(&a), [0, 0], "it was scheduled; only Temporal knows whether it was sent");
    // The run ends while the call waits in its queue: it is scheduled again.
    a.step(NOW, Input::Resumed);
    assert_eq!(attempts(&a), [0, 0]);
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("no"), detail: "no".to_owned() };
    a.step(NOW, Input::StepAnswered { order: order_id("e1"), step: 0, outcome, calls: 4 });
    assert_eq!(attempts(&a), [4, 0]);
    a.act(NOW, &actions::action("1", "e1", ActionKind::Retry)).0.unwrap();
    a.step(NOW, Input::StepAnswered { order: order_id("e1"), step: 0, outcome: Outcome::Done, calls: 2 });
    a.step(NOW, Input::StepAnswered { order: order_id("e1"), step: 1, outcome: Outcome::AlreadyDone, calls: 0 });
    assert_eq!(attempts(&a), [6, 1], "what was read back was sent by a call of which nothing is known");
}
