//! Forced releases: who is asked, what can refuse them, and that the answer is remembered.

use super::*;
use crate::error_code::ErrorCode;
use crate::ids::{Epoch, Incarnation, OrderId, TicketId};
use crate::message::{Delivery, GiveBack, Notice};
use crate::order::{ClaimMode, OrderKey};
use crate::outcome::HolderAnswer;

const NOW: Timestamp = Timestamp(1_000_000);

fn who(customer: &str) -> CustomerRef {
    CustomerRef { tenant: "t".parse().unwrap(), customer: customer.parse().unwrap() }
}

fn with_authority() -> ResourcePolicy {
    let authority = Authority { target: "hss".parse().unwrap(), operation: "find_holder".to_owned() };
    ResourcePolicy { authority: Some(authority), orphan_settle_ms: 90_000, ..ResourcePolicy::default() }
}

fn ticket(customer: &str, key: i64, policy: &ResourcePolicy) -> Ticket {
    let order = OrderId::derive(&"t".parse().unwrap(), &customer.parse().unwrap(), "s", &key.to_string(), None);
    Ticket {
        id: TicketId::derive(&order, &"msisdn/1".parse().unwrap(), Incarnation(1)),
        key: OrderKey::new(Some(Timestamp(key)), None, NOW, order.clone()),
        order,
        mode: ClaimMode::Assign,
        claimant: who(customer),
        incarnation: Incarnation(1),
        target_identity: Some(format!("imsi-{customer}")),
        swap: false,
        answer_by: None,
        policy: policy.clone(),
    }
}

/// A number that A has, and B waits for.
fn held_by_a(policy: &ResourcePolicy) -> Resource {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.life = Life::Begun;
    n.claim(NOW, ticket("A", 1, policy));
    let epoch = n.epoch;
    n.step(NOW, Input::Told(ToResource::Used { from: who("A"), epoch, target_identity: None }));
    n.claim(NOW, ticket("B", 2, policy));
    n
}

fn release(action_id: &str, even_if_registered: bool, policy: &ResourcePolicy) -> ForceRelease {
    ForceRelease {
        action_id: action_id.to_owned(),
        actor: "ann".to_owned(),
        reason: "ghost".to_owned(),
        even_if_registered,
        own_only: false,
        tenant: "t".parse().unwrap(),
        policy: policy.clone(),
    }
}

fn force(action_id: &str, even_if_registered: bool, policy: &ResourcePolicy) -> Input {
    Input::Forced(release(action_id, even_if_registered, policy))
}

fn target_identity(customer: &str) -> Input {
    Input::LookedUp(HolderAnswer::TargetIdentity { target_identity: format!("imsi-{customer}") })
}

fn is_told_to_give_up(effects: &[Effect], customer: &str) -> bool {
    matches!(effects, [Effect::Notify(messages)]
        if messages[0].0 == who(customer) && matches!(messages[0].1.notice, Notice::Forced { .. }))
}

fn given_back(n: &mut Resource, customer: &str) -> Vec<Effect> {
    let epoch = n.epoch;
    n.step(NOW, Input::Notified(vec![Delivery::Delivered]));
    let (how, tickets, finished) = (GiveBack::Forced, Vec::new(), Vec::new());
    n.step(
        NOW,
        Input::Told(ToResource::GiveBack {
            from: who(customer),
            epoch,
            how,
            tickets,
            finished,
            proof: None,
            registered_to: None,
        }),
    )
}

/// The answer to a forced release of the tenant of [`force`].
fn answer_of(n: &Resource, action_id: &str) -> Option<ForceAnswer> {
    let is_reused = |answer: &ForceAnswer| matches!(answer, ForceAnswer::Refused { code, .. } if *code == ErrorCode::ActionIdReused);
    let answers = [false, true].map(|even_if| n.force_answer(&release(action_id, even_if, &ResourcePolicy::default())));
    answers.into_iter().find(|answer| !answer.as_ref().is_some_and(is_reused)).expect("one of the two was asked for")
}

fn refused(n: &Resource, action_id: &str) -> String {
    match answer_of(n, action_id) {
        Some(ForceAnswer::Refused { code, .. }) => code.to_string(),
        other => panic!("{other:?}"),
    }
}

fn last_detail(n: &Resource, what: &str) -> String {
    let entry =
        n.history.iter().rev().find(|entry| entry.what.as_str() == what).unwrap_or_else(|| panic!("{:?}", n.history));
    entry.detail.clone().unwrap_or_default()
}

#[test]
fn the_target_is_asked_first_and_then_the_living_holder() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    let effects = n.step(NOW, force("x", false, &policy));
    assert!(matches!(effects.as_slice(), [Effect::LookUp { .. }]), "{effects:?}");
    assert!(!n.is_idle(), "a run must not end while somebody waits for the answer");
    let effects = n.step(NOW, Input::LookedUp(HolderAnswer::Nobody));
    assert!(is_told_to_give_up(&effects, "A"), "{effects:?}");
    assert_eq!(answer_of(&n, "x"), None);
    let effects = given_back(&mut n, "A");
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
    assert!(matches!(&effects[..], [Effect::Notify(m)] if m[0].0 == who("B")), "B is next: {effects:?}");
    assert_eq!(last_detail(&n, "forced"), "ann: ghost; the target reports no registration");
}

#[test]
fn a_holder_who_is_still_registered_keeps_it() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    let before = n.holder.clone();
    n.step(NOW, force("x", false, &policy));
    assert_eq!(n.step(NOW, target_identity("A")), vec![]);
    assert_eq!(refused(&n, "x"), "still_registered");
    assert_eq!(n.holder, before);
    assert!(last_detail(&n, "force_refused").starts_with("ann: ghost; "));
}

#[test]
fn who_insists_goes_on_and_it_is_marked() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", true, &policy));
    let effects = n.step(NOW, target_identity("A"));
    assert!(is_told_to_give_up(&effects, "A"), "a living holder is asked all the same: {effects:?}");
    given_back(&mut n, "A");
    assert_eq!(last_detail(&n, "forced"), "ann: ghost; the target has it registered to imsi-A");
}

#[test]
fn a_holder_with_open_orders_refuses_and_they_are_named() {
    let policy = ResourcePolicy::default();
    let mut n = held_by_a(&policy);
    let effects = n.step(NOW, force("x", false, &policy));
    assert!(is_told_to_give_up(&effects, "A"), "a kind without authority goes on at once: {effects:?}");
    let orders = vec![ticket("A", 1, &policy).order];
    let epoch = n.epoch;
    n.step(NOW, Input::Told(ToResource::ForceRefused { from: who("A"), epoch, orders: orders.clone(), used_at: None }));
    assert_eq!(refused(&n, "x"), "holder_has_open_orders");
    assert!(last_detail(&n, "force_refused").contains(orders[0].as_str()));
    assert!(last_detail(&n, "force_refused").contains("no target is configured that can tell"));
    assert!(n.holder.is_some());
}

#[test]
fn a_holder_that_was_registered_after_the_target_was_asked_refuses() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    let effects = n.step(NOW.plus_ms(10), Input::LookedUp(HolderAnswer::Nobody));
    let [Effect::Notify(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(messages[0].1.notice, Notice::Forced { unused_since: Some(NOW), .. }), "{messages:?}");
    let epoch = n.epoch;
    let refusal = ToResource::ForceRefused { from: who("A"), epoch, orders: Vec::new(), used_at: Some(NOW) };
    n.step(NOW.plus_ms(20), Input::Told(refusal));
    assert_eq!(refused(&n, "x"), "used_since_asked");
    assert!(n.holder.is_some());
}

#[test]
fn a_target_that_does_not_answer_is_not_waited_for_without_end() {
    let policy = with_authority();
    let late = NOW.plus_ms(FORCE_LOOK_UP_WAIT_MS);
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    assert_eq!(n.wake_at(NOW), Some(late));
    n.step(Timestamp(late.0 - 1), Input::Woke);
    assert_eq!(answer_of(&n, "x"), None);
    n.step(late, Input::Woke);
    assert_eq!(refused(&n, "x"), "authority_unanswered");
    assert_eq!(n.step(late, Input::LookedUp(HolderAnswer::Nobody)), vec![], "it answers too late");
    assert!(n.holder.is_some() && n.is_idle());

    n.step(late, force("y", true, &policy));
    let effects = n.step(late.plus_ms(FORCE_LOOK_UP_WAIT_MS), Input::Woke);
    assert!(is_told_to_give_up(&effects, "A"), "who insists goes on without it: {effects:?}");
}

#[test]
fn a_lease_that_comes_back_is_granted_while_the_target_is_asked_for_nothing() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    let epoch = n.epoch;
    let (how, tickets, finished) = (GiveBack::Released, Vec::new(), Vec::new());
    let effects = n.step(
        NOW,
        Input::Told(ToResource::GiveBack {
            from: who("A"),
            epoch,
            how,
            tickets,
            finished,
            proof: None,
            registered_to: None,
        }),
    );
    assert!(matches!(&effects[..], [Effect::Notify(m)] if m[0].0 == who("B")), "{effects:?}");
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
    n.step(NOW, Input::Notified(vec![Delivery::Delivered]));
    assert_eq!(n.step(NOW, target_identity("A")), vec![], "what was read before says nothing now");
    assert!(n.holder.as_ref().unwrap().is(&who("B")));
}

#[test]
fn a_holder_whose_entity_is_dead_is_not_waited_for_without_end() {
    let policy = ResourcePolicy { orphan_settle_ms: 90_000, ..ResourcePolicy::default() };
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    n.step(NOW, Input::Notified(vec![Delivery::Lost]));
    assert!(n.holder.as_ref().unwrap().orphaned_at.is_some());
    assert_eq!(answer_of(&n, "x"), None, "not in the moment in which a local activity ended");
    let effects = n.step(NOW.plus_ms(FORCE_HOLDER_WAIT_MS), Input::Woke);
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
    assert!(matches!(&effects[..], [Effect::Notify(m)] if m[0].0 == who("B")), "{effects:?}");
}

#[test]
fn a_holder_of_another_life_is_dead_at_once() {
    let policy = ResourcePolicy { orphan_settle_ms: 90_000, ..ResourcePolicy::default() };
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    let lost = Some(Incarnation(1));
    let epoch = n.epoch;
    n.step(NOW, Input::Told(ToResource::Decline { from: who("A"), ticket: None, epoch, lost }));
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
}

#[test]
fn a_silent_holder_is_named_as_such() {
    let policy = ResourcePolicy::default();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    n.step(NOW, Input::Notified(vec![Delivery::Delivered]));
    n.step(NOW.plus_ms(FORCE_HOLDER_WAIT_MS), Input::Woke);
    assert_eq!(refused(&n, "x"), "holder_unanswered");
    assert!(n.holder.is_some());
}

#[test]
fn another_whom_the_target_names_is_the_holder_afterwards() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    let effects = n.step(NOW, target_identity("Z"));
    assert!(is_told_to_give_up(&effects, "A"), "{effects:?}");
    let effects = given_back(&mut n, "A");
    assert_eq!(effects, vec![], "B is not granted beside Z");
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
    assert_eq!(n.holder.as_ref().unwrap().who, HolderName::TargetIdentity("imsi-Z".to_owned()));
}

#[test]
fn the_same_action_again_changes_nothing_and_finds_its_answer() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("x", false, &policy));
    let asked = n.clone();
    assert_eq!(n.step(NOW, force("x", false, &policy)), vec![]);
    assert_eq!(n, asked);
    n.step(NOW, force("y", false, &policy));
    assert_eq!(refused(&n, "y"), "force_under_way");
    // The run ends while it is running, and the next one asks the target again.
    let mut next: Resource = serde_json::from_value(serde_json::to_value(&n).unwrap()).unwrap();
    let effects = next.step(NOW, Input::Resumed);
    assert!(matches!(effects.as_slice(), [Effect::LookUp { .. }]), "{effects:?}");
    next.step(NOW, target_identity("A"));
    let answered = next.clone();
    next.step(NOW, force("x", false, &policy));
    assert_eq!(next, answered);
    assert_eq!(refused(&next, "x"), "still_registered");
}

#[test]
fn what_nobody_knows_is_settled_by_a_person_after_the_target_was_asked() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.holder = None;
    n.vacancy = Vacancy::Unclear;
    n.step(NOW, force("x", false, &policy));
    n.step(NOW, target_identity("Z"));
    assert_eq!(refused(&n, "x"), "still_registered");
    n.step(NOW, force("y", true, &policy));
    let effects = n.step(NOW, Input::LookedUp(HolderAnswer::Unclear { detail: "two have it".to_owned() }));
    assert_eq!(answer_of(&n, "y"), Some(ForceAnswer::Released));
    assert!(matches!(&effects[..], [Effect::Notify(m)] if m[0].0 == who("B")), "{effects:?}");
}

#[test]
fn what_nobody_has_is_not_forced() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    n.step(NOW, force("x", true, &ResourcePolicy::default()));
    assert_eq!(refused(&n, "x"), "nobody_holds");
    assert_eq!(n.epoch, Epoch(0));
}

#[test]
fn a_seeded_holder_that_never_claimed_is_not_asked() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    let policy = ResourcePolicy::default();
    n.step(NOW, Input::Seeded { holder: who("A"), target_identity: None, policy: policy.clone() });
    assert_eq!(n.step(NOW, force("x", false, &policy)), vec![]);
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
    assert!(n.holder.is_none());
}

#[test]
fn answers_are_remembered_up_to_their_limit() {
    let mut n = Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap());
    for number in 0..=FORCES_REMEMBERED_MAX {
        n.step(NOW, force(&number.to_string(), false, &ResourcePolicy::default()));
    }
    assert_eq!(answer_of(&n, "0"), None);
    assert!(answer_of(&n, "1").is_some());
}

#[test]
fn a_state_of_an_earlier_build_is_read() {
    let mut json = serde_json::to_value(held_by_a(&with_authority())).unwrap();
    let fields = json.as_object_mut().unwrap();
    for new in ["forcing", "forces", "look_up_is_for_force"] {
        fields.remove(new);
    }
    let n: Resource = serde_json::from_value(json).unwrap();
    assert_eq!((n.forcing, n.forces.len()), (None, 0));
}

#[test]
fn tenants_that_share_a_realm_may_give_the_same_action_id() {
    let policy = ResourcePolicy::default();
    let mut n = held_by_a(&policy);
    let of_tenant = |tenant: &str| ForceRelease { tenant: tenant.parse().unwrap(), ..release("x", false, &policy) };
    n.step(NOW, Input::Forced(of_tenant("t")));
    n.step(NOW, Input::Forced(of_tenant("u")));
    let Some(ForceAnswer::Refused { code, .. }) = n.force_answer(&of_tenant("u")) else { panic!("{:?}", n.forces) };
    assert_eq!(code, ErrorCode::ForceUnderWay);
    assert_eq!(answer_of(&n, "x"), None, "the other one's is under way");
    assert!(n.knows_force(&of_tenant("u")) && n.knows_force(&of_tenant("t")));
    assert!(!n.knows_force(&of_tenant("v")));
}

#[test]
fn the_same_action_id_is_another_action_of_another_caller_and_refused_with_another_content() {
    let policy = ResourcePolicy::default();
    let mut n = held_by_a(&policy);
    let first = release("x", false, &policy);
    n.step(NOW, Input::Forced(first.clone()));
    assert_eq!(n.force_answer(&first), None, "it is under way");
    let insists = release("x", true, &policy);
    let of_other = ForceRelease { actor: "bob".to_owned(), ..first.clone() };
    let before = n.clone();
    for is_answered in [false, true] {
        if is_answered {
            given_back(&mut n, "A");
        }
        let code = |release: &ForceRelease| match n.force_answer(release) {
            Some(ForceAnswer::Refused { code, .. }) => Some(code.to_string()),
            _ => None,
        };
        assert_eq!(code(&insists).as_deref(), Some("action_id_reused"), "answered: {is_answered}");
        assert_eq!(code(&of_other), None, "bob's own was never heard of");
        assert!(n.knows_force(&first) && !n.knows_force(&of_other));
    }
    let mut unchanged = before.clone();
    unchanged.step(NOW, Input::Forced(insists));
    assert_eq!(unchanged, before, "a refusal changes nothing");
}

#[test]
fn an_answer_of_0_1_0_is_found_by_its_action_id_alone() {
    let mut n = held_by_a(&ResourcePolicy::default());
    let old = serde_json::json!({"action_id": "x", "answer": {"answer": "released"}});
    n.forces.push_back(serde_json::from_value(old).unwrap());
    assert_eq!(answer_of(&n, "x"), Some(ForceAnswer::Released));
}

#[test]
fn who_has_no_right_over_the_realm_forces_only_what_its_own_tenant_has() {
    let policy = ResourcePolicy::default();
    for (tenant, refused) in [("t", false), ("b", true)] {
        let mut n = held_by_a(&policy);
        let forced = ForceRelease { own_only: true, tenant: tenant.parse().unwrap(), ..release("1", true, &policy) };
        let effects = n.step(NOW, Input::Forced(forced.clone()));
        let answer = n.force_answer(&forced);
        let is_refused =
            matches!(&answer, Some(ForceAnswer::Refused { code, .. }) if *code == ErrorCode::ForeignHolder);
        assert_eq!(is_refused, refused, "{tenant}: {answer:?}");
        assert_eq!(is_told_to_give_up(&effects, "A"), !refused, "{tenant}: {effects:?}");
    }
}

#[test]
fn the_history_says_who_forced_a_release_and_whom_the_look_up_asked() {
    let policy = with_authority();
    let mut n = held_by_a(&policy);
    n.step(NOW, force("1", false, &policy));
    n.step(NOW, Input::LookedUp(HolderAnswer::Nobody));
    given_back(&mut n, "A");
    let lines = n.view().history;
    let line = |what: LeaseEvent| lines.iter().rev().find(|line| line.what == what).unwrap();
    for what in [LeaseEvent::ForceAsked, LeaseEvent::Forced] {
        let line = line(what);
        assert_eq!((line.actor.as_deref(), line.reason.as_deref()), (Some("ann"), Some("ghost")), "{line:?}");
        assert_eq!(line.authority, None);
    }
    let granted = line(LeaseEvent::Granted);
    assert_eq!((&granted.actor, &granted.authority), (&None, &None));

    n.look_up = LookUp::UnderWay { asked_for: AskedFor::Ledger, is_stale: false };
    n.holder = None;
    n.queue.clear();
    n.step(NOW, target_identity("C"));
    let lines = n.view().history;
    let asked = lines.iter().rev().find(|line| line.what == LeaseEvent::LookedUp).unwrap();
    assert_eq!(asked.authority, policy.authority);
}

#[test]
fn a_resource_keeps_the_last_hundred_lines_of_its_history() {
    let policy = ResourcePolicy::default();
    let mut n = held_by_a(&policy);
    for number in 0..HISTORY_MAX {
        n.note(NOW.plus_ms(1), LeaseEvent::Told, Some(number.to_string()), None, None);
        assert!(n.history.len() <= HISTORY_MAX);
    }
    assert_eq!((n.history.len(), n.history[0].who.as_deref()), (HISTORY_MAX, Some("0")));
    n.note(NOW, LeaseEvent::Told, None, None, None);
    assert_eq!((n.history.len(), n.history[0].who.as_deref()), (HISTORY_MAX, Some("1")));
}
