//! Results that a person entered in Temporal settle nothing.

use super::*;
use crate::message::ProvisionRequest;
use crate::outcome::ProvenOutcome;

fn called(effects: &[Effect]) -> &ProvisionRequest {
    match effects {
        [Effect::Provision { request, .. }] => request,
        other => panic!("{other:?}"),
    }
}

fn by_hand(id: &str) -> Input {
    Input::StepEndedByHand { order: order_id(id), step: 0, said: "completed as done".to_owned() }
}

/// An assign whose target's workers repeat proofs, running; and its first call.
fn under_way() -> (Customer, ProvisionRequest) {
    let mut a = customer();
    let mut plan = assign();
    plan.steps[0].proves = true;
    let effects = admit(&mut a, "e1", plan, vec![(number(), granted(7))]);
    let request = called(&effects).clone();
    (a, request)
}

#[test]
fn a_result_by_hand_has_the_step_called_again_which_reads_back_first() {
    let (mut a, first) = under_way();
    let again = a.step(NOW, by_hand("e1"));
    let again = called(&again);
    assert!(again.maybe_sent);
    assert_eq!((again.idempotency_key, again.dispatch), (first.idempotency_key, 1));
    assert_ne!(again.proof, first.proof, "an answer to the call before is none to this one");
    let line = a.journal.back().unwrap();
    assert_eq!((line.what.as_str(), line.code.as_deref()), ("result_by_hand", Some("result_by_hand")));
    assert!(a.leases.get(&number()).is_some_and(|lease| !lease.kept), "nothing is settled");
    a.step(NOW, done("e1", 0));
    assert!(a.leases[&number()].kept);
}

#[test]
fn a_person_says_what_is_wanted_where_results_by_hand_come_again_and_again() {
    let (mut a, _) = under_way();
    for _ in 0..3 {
        assert_eq!(a.step(NOW, by_hand("e1")).len(), 1);
    }
    let effects = a.step(NOW, by_hand("e1"));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Provision { .. })), "{effects:?}");
    let step = &a.orders[&order_id("e1")].steps[0];
    assert!(matches!(&step.state, StepState::Held { code, .. } if *code == "result_by_hand"), "{:?}", step.state);
    assert!(step.state.maybe_sent());
}

#[test]
fn an_answer_is_a_workers_where_it_repeats_the_proof_or_none_was_asked_for() {
    let (_, request) = under_way();
    let written: ProvenOutcome = serde_json::from_str(r#"{"class":"done"}"#).unwrap();
    assert!(!written.is_proven(request.proof));
    assert!(written.is_proven(None), "what adapters in other languages answer is taken as it is");
    let counted = |calls: serde_json::Value| {
        let outcome = json!({"class": "done", "calls": calls});
        serde_json::from_value::<ProvenOutcome>(outcome).unwrap().calls
    };
    assert_eq!((counted(json!(3)), counted(json!("many")), counted(json!(-1))), (Some(3), None, None));
    let answered = ProvenOutcome { outcome: Outcome::Done, proof: request.proof, calls: None };
    let read: ProvenOutcome = serde_json::from_value(serde_json::to_value(&answered).unwrap()).unwrap();
    assert!(read.is_proven(request.proof));
    let as_before: Outcome = serde_json::from_value(serde_json::to_value(&answered).unwrap()).unwrap();
    assert_eq!(as_before, Outcome::Done, "a build that knows no proofs reads it");
}
