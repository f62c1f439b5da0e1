//! Look-ups that a person completed or failed in Temporal: they settle nothing.

use super::tests::{NOW, give_back, ticket, who};
use super::*;
use crate::ids::Incarnation;
use crate::message::GiveBack;
use crate::order::ClaimMode;
use crate::outcome::ProvenHolderAnswer;
use crate::recording::Edition;

const SETTLE_MS: u64 = 90_000;

/// Numbers whose authority is asked; its workers repeat proofs.
fn policy() -> ResourcePolicy {
    let authority = Authority { target: "hss".parse().unwrap(), operation: "find_holder".to_owned() };
    let asked = ResourcePolicy { authority: Some(authority), orphan_settle_ms: SETTLE_MS, ..Default::default() };
    asked.with_proofs(|target| target.as_str() == "hss")
}

fn wanted_by(customer: &str) -> Ticket {
    Ticket { policy: policy(), ..ticket(customer, 5, ClaimMode::Assign) }
}

fn by_hand() -> Input {
    Input::LookUpEndedByHand { said: "completed as nobody".to_owned() }
}

/// The proof that a look-up asks for, if the look-up is the only effect.
fn asked(effects: &[Effect]) -> Option<Uuid> {
    match effects {
        [Effect::LookUp { proof, .. }] => *proof,
        other => panic!("{other:?}"),
    }
}

/// A number that B wants and whose holder is unknown; and the proof of the question.
fn asking() -> (Resource, Uuid) {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let (answer, effects) = n.claim(NOW, wanted_by("B"));
    assert_eq!(answer, ClaimAnswer::Queued);
    (n, asked(&effects).unwrap())
}

fn holds(n: &Resource, customer: &str) -> bool {
    n.holder.as_ref().is_some_and(|holder| holder.is(&who(customer)))
}

#[test]
fn a_look_up_that_is_ended_by_hand_grants_nothing_and_is_made_again_after_waits_that_grow() {
    let (mut n, first) = asking();
    let (mut now, mut proofs) = (NOW, vec![first]);
    for wait_ms in [1_000, 2_000, 4_000] {
        assert_eq!(n.step(now, by_hand()), vec![], "nothing is granted, and the authority is left alone");
        assert_eq!(n.wake_at(now), Some(now.plus_ms(wait_ms)));
        assert_eq!(n.view().waiting_for, Some(QueueWait::LookUp.into()));
        now = now.plus_ms(wait_ms);
        assert_eq!(n.wake_at(now), None);
        proofs.push(asked(&n.step(now, Input::Woke)).unwrap());
    }
    let shown = n.view();
    assert_eq!(shown.look_up_by_hand.map(|by_hand| by_hand.times), Some(3));
    let line = n.history.back().unwrap();
    assert_eq!(line.what, LeaseEvent::LookUpByHand);
    let detail = line.detail.as_deref().unwrap();
    assert!(detail.contains("(completed as nobody), which does not settle it") && detail.contains("asked again at"));
    proofs.dedup();
    assert_eq!(proofs.len(), 4, "an answer to an earlier question is none to this one");

    let effects = n.step(now, Input::LookedUp(HolderAnswer::Nobody));
    assert!(matches!(&effects[..], [Effect::Notify(messages)] if messages[0].0 == who("B")), "{effects:?}");
    assert!(holds(&n, "B") && n.view().look_up_by_hand.is_none());
    assert_eq!(n.asking, Asking { asked: 4, by_hand: 0, again_at: None });
}

#[test]
fn what_comes_in_meanwhile_does_not_have_it_asked_before_the_time() {
    let (mut n, _) = asking();
    n.step(NOW, by_hand());
    let (answer, effects) = n.claim(NOW.plus_ms(1), Ticket { policy: policy(), ..ticket("C", 6, ClaimMode::Assign) });
    assert_eq!((answer, effects), (ClaimAnswer::Queued, vec![]));
    assert!(n.is_idle(), "the run may end while it waits");
    let mut next: Resource = serde_json::from_value(serde_json::to_value(&n).unwrap()).unwrap();
    assert_eq!(next.step(NOW.plus_ms(2), Input::Resumed), vec![]);
    assert_eq!(next.wake_at(NOW.plus_ms(2)), Some(NOW.plus_ms(1_000)));
    assert!(asked(&next.step(NOW.plus_ms(1_000), Input::Woke)).is_some());
}

#[test]
fn a_look_up_that_the_next_run_makes_again_has_another_proof() {
    let (mut n, first) = asking();
    let again = asked(&n.step(NOW, Input::Resumed)).unwrap();
    assert_ne!(first, again);
}

#[test]
fn an_orphan_stays_one_while_nobody_but_a_person_said_that_it_is_not_registered() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.life = Life::Begun;
    n.claim(NOW, wanted_by("A"));
    let recreated = Ticket { incarnation: Incarnation(2), policy: policy(), ..ticket("A", 7, ClaimMode::Assign) };
    n.claim(NOW, recreated);
    n.claim(NOW, wanted_by("B"));
    let quiet = NOW.plus_ms(SETTLE_MS);
    assert!(asked(&n.step(quiet, Input::Woke)).is_some());
    assert_eq!(n.step(quiet, by_hand()), vec![]);
    assert!(n.holder.as_ref().is_some_and(|holder| holder.orphaned_at.is_some() && !holder.looked_up));
    assert_eq!(n.wake_at(quiet), Some(quiet.plus_ms(1_000)));
    assert!(asked(&n.step(quiet.plus_ms(1_000), Input::Woke)).is_some());
}

#[test]
fn a_lease_that_comes_back_while_it_is_asked_is_granted_only_on_its_answer() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.life = Life::Begun;
    n.claim(NOW, wanted_by("A"));
    n.claim(NOW, Ticket { incarnation: Incarnation(2), policy: policy(), ..ticket("A", 7, ClaimMode::Assign) });
    n.claim(NOW, Ticket { policy: policy(), ..ticket("B", 9, ClaimMode::Assign) });
    let quiet = NOW.plus_ms(SETTLE_MS);
    assert!(asked(&n.step(quiet, Input::Woke)).is_some());
    let epoch = n.epoch;
    assert_eq!(n.step(quiet, give_back("A", epoch, GiveBack::Unused)), vec![], "the authority is being asked");
    assert_eq!(n.step(quiet, by_hand()), vec![]);
    assert!(asked(&n.step(quiet.plus_ms(1_000), Input::Woke)).is_some());
    n.step(quiet.plus_ms(1_000), Input::LookedUp(HolderAnswer::Nobody));
    assert!(holds(&n, "A"), "whose new life waits first");
}

#[test]
fn a_forced_release_asks_again_and_is_refused_where_only_persons_answer_for_the_target() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.life = Life::Begun;
    n.claim(NOW, wanted_by("A"));
    let release = ForceRelease {
        action_id: "x".to_owned(),
        actor: "ann".to_owned(),
        reason: "ghost".to_owned(),
        even_if_registered: false,
        own_only: false,
        tenant: "t".parse().unwrap(),
        policy: policy(),
    };
    assert!(asked(&n.step(NOW, Input::Forced(release.clone()))).is_some());
    assert_eq!(n.step(NOW, by_hand()), vec![], "the holder is not asked to give it up");
    assert!(asked(&n.step(NOW.plus_ms(1_000), Input::Woke)).is_some());
    n.step(NOW.plus_ms(1_000), by_hand());
    n.step(NOW.plus_ms(FORCE_LOOK_UP_WAIT_MS), Input::Woke);
    let answer = n.force_answer(&release);
    assert!(
        matches!(&answer, Some(ForceAnswer::Refused { code, .. }) if *code == "authority_unanswered"),
        "{answer:?}"
    );
    assert!(holds(&n, "A"));
}

#[test]
fn no_proof_is_asked_of_workers_that_may_not_repeat_it_nor_in_runs_of_0_1_0() {
    let as_before = ResourcePolicy { authority_proves: false, ..policy() };
    let mut of_others = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let (_, effects) = of_others.claim(NOW, Ticket { policy: as_before.clone(), ..wanted_by("B") });
    assert_eq!(asked(&effects), None);
    assert!(of_others.asking.is_nothing());
    let mut old = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    old.edition = Edition::V0_1;
    let (_, effects) = old.claim(NOW, wanted_by("B"));
    assert_eq!(asked(&effects), None);
    assert_eq!(policy().with_proofs(|_| false), as_before, "an external target");
    assert!(!ResourcePolicy::default().with_proofs(|_| true).authority_proves, "nobody is asked");
}

#[test]
fn an_answer_is_a_workers_where_it_repeats_the_proof_or_none_was_asked_for() {
    let (_, proof) = asking();
    let written: ProvenHolderAnswer = serde_json::from_str(r#"{"answer":"nobody"}"#).unwrap();
    assert!(!written.is_proven(Some(proof)));
    assert!(written.is_proven(None), "what adapters in other languages answer is taken as it is");
    let answered = ProvenHolderAnswer { answer: HolderAnswer::Nobody, proof: Some(proof) };
    let read: ProvenHolderAnswer = serde_json::from_value(serde_json::to_value(&answered).unwrap()).unwrap();
    assert!(read.is_proven(Some(proof)));
    let as_before: HolderAnswer = serde_json::from_value(serde_json::to_value(&answered).unwrap()).unwrap();
    assert_eq!(as_before, HolderAnswer::Nobody, "a build that knows no proofs reads it");
}

#[test]
fn a_person_who_ends_no_look_up_changes_nothing() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let before = n.clone();
    assert_eq!(n.step(NOW, by_hand()), vec![]);
    assert_eq!(n, before);
}
