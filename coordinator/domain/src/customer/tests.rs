//! The customer machine alone: limits, de-duplication, and messages between lives.

mod by_hand;
mod duplicates;
mod explained;
mod foresight;
mod forgotten;
mod identities;
mod imported;
mod intake;
mod keys;
mod observed;
mod quiet;
mod reassert;
mod reset;
mod rights;
mod superseded;
mod told;

use serde_json::{Map, Value, json};

use super::*;
use crate::error_code::{ErrorCode, ReasonCode};
use crate::ids::{Epoch, TicketId, Timestamp};
use crate::limits::{EntityLimits, REMEMBERED_MS_MAX};
use crate::message::{GiveBack, Notice};
use crate::order::{Claim, ClaimMode, Late, OnFailure, PlannedStep, ReleaseWhen, ResourcePolicy};
use crate::recording::Edition;

mod actions;

const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn customer() -> Customer {
    let me = CustomerRef { tenant: "t".parse().unwrap(), customer: "A".parse().unwrap() };
    Customer::new(me, Incarnation(1))
}

fn number() -> ResourceId {
    "msisdn/1".parse().unwrap()
}

fn event(id: &str) -> Event {
    Event {
        id: id.to_owned(),
        source: "test".to_owned(),
        event_type: "any".to_owned(),
        subject: "A".parse().unwrap(),
        time: None,
        sequence: None,
        priority: None,
        half: None,
        trace_parent: None,
        accepted_at: None,
        data: Map::new(),
        bytes: 100,
    }
}

fn step(name: &str, resources: &[ResourceId], after: &[usize]) -> PlannedStep {
    let (role, operation) = name.split_once('.').unwrap();
    PlannedStep {
        name: name.to_owned(),
        role: role.parse().unwrap(),
        target: role.parse().unwrap(),
        operation: operation.to_owned(),
        data: Map::from_iter([("msisdn".to_owned(), Value::from("1"))]),
        fixed: Vec::new(),
        target_identity_arguments: None,
        resources: resources.to_vec(),
        after: after.to_vec(),
        on_failure: OnFailure::Hold,
        compensation: None,
        attempt_timeout_ms: 1_000,
        retry: crate::retry::RetryPolicy::default(),
        proves: false,
    }
}

fn plan(claims: &[(ClaimMode, ResourceId)], steps: Vec<PlannedStep>) -> Plan {
    let claim = |(mode, resource): &(ClaimMode, ResourceId)| Claim {
        resource: resource.clone(),
        mode: *mode,
        release_when: ReleaseWhen::Turn,
        target_identity: None,
        target_identity_after: None,
        policy: ResourcePolicy::default(),
    };
    Plan {
        requires: Vec::new(),
        first_use: Vec::new(),
        catalog_digest: "d".to_owned(),
        urgent: false,
        priority: None,
        unordered: false,
        expires_after_ms: None,
        due_within_ms: None,
        late: Late::Apply,
        claims: claims.iter().map(claim).collect(),
        steps,
    }
}

fn planned(plan: Plan, answers: Vec<(ResourceId, ClaimAnswer)>) -> Input {
    let admitted = vec![Admitted::Planned { plan, answers }];
    Input::Admitted(AdmissionAnswer {
        admitted,
        limits: EntityLimits::default(),
        attributes_registered: false,
        subscriptions: None,
        queue_assignment: None,
    })
}

fn order_id(id: &str) -> OrderId {
    event(id).order_id(&"t".parse().unwrap(), None)
}

fn granted(epoch: u64) -> ClaimAnswer {
    ClaimAnswer::Granted { epoch: Epoch(epoch), registered: false, recall: None }
}

/// Submits an event and admits it with this plan; the effects of the admission.
fn admit(customer: &mut Customer, id: &str, plan: Plan, answers: Vec<(ResourceId, ClaimAnswer)>) -> Vec<Effect> {
    let effects = customer.step(NOW, Input::Submitted(Ok(event(id))));
    assert!(matches!(effects.as_slice(), [Effect::Admit(_)]), "{effects:?}");
    customer.step(NOW, planned(plan, answers))
}

fn done(id: &str, step: usize) -> Input {
    Input::StepEnded { order: order_id(id), step, outcome: Outcome::Done }
}

fn assign() -> Plan {
    plan(&[(ClaimMode::Assign, number())], vec![step("hss.assign", &[number()], &[])])
}

fn release() -> Plan {
    plan(&[(ClaimMode::Release, number())], vec![step("hss.release", &[number()], &[])])
}

#[test]
fn a_granted_assign_is_called_with_its_epoch_and_kept_until_the_release_is_confirmed() {
    let mut a = customer();
    let effects = admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let [Effect::Provision { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((request.epoch, request.maybe_sent, request.dispatch), (Some(Epoch(7)), false, 0));
    assert_eq!(request.idempotency_key, order_id("e1").step_key("hss.assign"));
    assert_eq!(a.step(NOW, done("e1", 0)), vec![]);
    assert!(a.leases[&number()].kept);
    assert_eq!(a.state_of(&order_id("e1")), Some(crate::order::OrderState::Completed));

    let effects = admit(&mut a, "e2", release(), vec![]);
    assert!(matches!(effects.as_slice(), [Effect::Provision { .. }]), "{effects:?}");
    assert!(a.leases.contains_key(&number()), "the lease stays until the release is recorded as done");
    let effects = a.step(NOW, done("e2", 0));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    let [(_, ToResource::GiveBack { how: GiveBack::Released, epoch: Epoch(7), .. })] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert!(a.leases.is_empty());
}

#[test]
fn a_duplicate_event_changes_nothing() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    let before = a.clone();
    assert_eq!(a.step(NOW, Input::Submitted(Ok(event("e1")))), vec![]);
    assert_eq!(a.counts.duplicates, 1);
    a.counts.duplicates = 0;
    assert_eq!(a, Customer { revision: a.revision, ..before });
}

#[test]
fn a_duplicate_of_an_order_that_is_over_is_recognised_among_the_last_thousand() {
    let mut a = customer();
    a.limits.remembered_orders_max = 3;
    for id in ["e1", "e2", "e3"] {
        a.step(NOW, Input::Submitted(Ok(event(id))));
        let rejection = Rejection::new(ErrorCode::UnknownEventType, "no");
        let admitted = vec![Admitted::Rejected { rejection }];
        let limits = EntityLimits { remembered_orders_max: 3, ..EntityLimits::default() };
        a.step(
            NOW,
            Input::Admitted(AdmissionAnswer {
                admitted,
                limits,
                attributes_registered: false,
                subscriptions: None,
                queue_assignment: None,
            }),
        );
    }
    assert_eq!(a.step(NOW, Input::Submitted(Ok(event("e1")))), vec![]);
    assert_eq!(a.counts.duplicates, 1);
    assert_eq!(a.remembered.len(), 3);
}

#[test]
fn an_event_older_than_the_memory_for_duplicates_is_too_old() {
    let mut a = customer();
    let at = |ms: i64| Event { time: Some(Timestamp(NOW.0 - ms)), ..event(&ms.to_string()) };
    assert_eq!(a.step(NOW, Input::Submitted(Ok(at(REMEMBERED_MS_MAX)))).len(), 1);
    a.step(NOW, Input::Submitted(Ok(at(REMEMBERED_MS_MAX + 1))));
    assert_eq!(a.journal.back().unwrap().code.as_deref(), Some("too_old"));
}

#[test]
fn the_order_after_the_thousandth_open_one_ends_as_backlog_full() {
    let mut a = customer();
    assert_eq!(a.limits.open_orders_max, 1_000);
    for n in 0..1_000 {
        let small = Event { bytes: 10, ..event(&format!("e{n}")) };
        a.step(NOW, Input::Submitted(Ok(small)));
    }
    assert_eq!((a.inbox.len(), a.counts.rejected), (1_000, 0));
    a.step(NOW, Input::Submitted(Ok(event("one more"))));
    assert_eq!((a.inbox.len(), a.counts.rejected), (1_000, 1));
    assert_eq!(a.journal.back().unwrap().code.as_deref(), Some("backlog_full"));
    assert_eq!(a.state_of(&order_id("one more")), Some(crate::order::OrderState::Rejected));
}

#[test]
fn state_is_limited_in_bytes_too() {
    let mut a = customer();
    let max = a.limits.state_bytes_max;
    a.limits.event_bytes_max = max;
    a.step(NOW, Input::Submitted(Ok(Event { bytes: max, ..event("fits") })));
    assert_eq!(a.counts.rejected, 0);
    a.step(NOW, Input::Submitted(Ok(Event { bytes: 1, ..event("one byte more") })));
    assert_eq!(a.journal.back().unwrap().code.as_deref(), Some("backlog_full"));
}

#[test]
fn the_journal_keeps_its_last_hundred_lines() {
    let mut a = customer();
    for n in 0..150 {
        a.step(NOW, Input::Submitted(Err(Rejection::new(ErrorCode::NotJson, n.to_string()))));
    }
    assert_eq!(a.journal.len(), 100);
    assert_eq!(a.journal.back().unwrap().detail.as_deref(), Some("149"));
    assert_eq!(a.counts.rejected, 150);
}

#[test]
fn an_entity_whose_start_argument_names_another_notes_it_and_takes_its_events() {
    let mut a = customer();
    a.step(NOW, Input::Misidentified { claimed: "t/B".to_owned() });
    let noted = a.journal.back().unwrap();
    assert_eq!((noted.what.as_str(), noted.code.as_deref()), ("start_argument", Some("identity_mismatch")));
    assert!(noted.detail.as_deref().unwrap().contains("t/B"), "{noted:?}");
    let effects = a.step(NOW, Input::Submitted(Ok(event("e1"))));
    assert!(matches!(effects.as_slice(), [Effect::Admit(_)]), "{effects:?}");
    assert_eq!(a.counts.rejected, 0);
}

#[test]
fn a_run_of_0_1_0_that_was_started_as_another_rejects_every_event_as_its_history_may_say_and_the_next_run_takes_them() {
    let mut a = customer();
    a.begin_run(Edition::V0_1);
    a.step(NOW, Input::Misidentified { claimed: "t/B".to_owned() });
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    assert_eq!(a.journal.back().unwrap().code.as_deref(), Some("identity_mismatch"));
    assert_eq!(a.counts.rejected, 1);
    let mut next: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    next.begin_run(Edition::V0_2);
    next.step(NOW, Input::Resumed);
    let effects = next.step(NOW, Input::Submitted(Ok(event("e2"))));
    assert!(matches!(effects.as_slice(), [Effect::Admit(_)]), "{effects:?}");
}

#[test]
fn an_entity_whose_workflow_id_is_not_a_customers_rejects_every_event_in_every_run() {
    for edition in [Edition::V0_1, Edition::V0_2] {
        let mut a = customer();
        a.begin_run(edition);
        a.step(NOW, Input::NoCustomer { workflow_id: "anything".to_owned() });
        for (run, id) in ["e1", "e2"].into_iter().enumerate() {
            a.step(NOW, Input::Submitted(Ok(event(id))));
            assert_eq!(a.journal.back().unwrap().code.as_deref(), Some("identity_mismatch"), "{run}");
            a = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
            a.begin_run(edition);
            a.step(NOW, Input::Resumed);
        }
        assert_eq!(a.counts.rejected, 2);
    }
}

#[test]
fn a_grant_for_an_unknown_ticket_is_declined_only_when_nothing_waits_for_admission() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(1));
    let notice = Notice::LeaseGranted { ticket: ticket.clone(), epoch: Epoch(9), registered: false, recall: None };
    let grant = ToCustomer { resource: number(), incarnation: Incarnation(1), notice };
    assert_eq!(a.step(NOW, Input::Told(grant.clone())), vec![], "the admission under way may know it");
    let effects = a.step(NOW, planned(assign(), vec![(number(), ClaimAnswer::Queued)]));
    assert!(matches!(effects.as_slice(), [Effect::Provision { .. }]), "{effects:?}");
    a.step(NOW, done("e1", 0));
    admit(&mut a, "e2", release(), vec![]);
    a.step(NOW, done("e2", 0));
    a.step(NOW, Input::Sent);
    let before = a.clone();
    let decline = ToResource::Decline { from: a.me.clone(), ticket: Some(ticket), epoch: Epoch(9), lost: None };
    let answer = a.step(NOW, Input::Told(grant.clone()));
    assert_eq!(answer, vec![Effect::Send(vec![(number(), decline)])], "who granted it may not know that it came back");
    assert!(a.leases.is_empty());
    let mut early = Customer { edition: Edition::V0_1, ..before };
    assert_eq!(early.step(NOW, Input::Told(grant)), vec![], "a run of 0.1.0 ignores it");
}

#[test]
fn a_message_for_an_earlier_life_is_answered_lost() {
    let mut a = customer();
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(0));
    let notice = Notice::LeaseGranted { ticket, epoch: Epoch(9), registered: false, recall: None };
    let grant = ToCustomer { resource: number(), incarnation: Incarnation(0), notice };
    let effects = a.step(NOW, Input::Told(grant));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&messages[0].1, ToResource::Decline { lost: Some(Incarnation(0)), .. }));
}

#[test]
fn an_aborted_order_undoes_what_it_did_in_reverse_and_gives_the_lease_back() {
    let mut a = customer();
    let mut steps = vec![step("hss.assign", &[number()], &[]), step("crm.add", &[], &[0])];
    steps[0].compensation = Some("release".to_owned());
    steps[1].on_failure = OnFailure::Abort;
    admit(&mut a, "e1", plan(&[(ClaimMode::Assign, number())], steps), vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("no"), detail: "no".to_owned() };
    let effects = a.step(NOW, Input::StepEnded { order: order_id("e1"), step: 1, outcome });
    let [Effect::Provision { step: 2, request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((request.operation.as_str(), request.epoch), ("release", Some(Epoch(7))));
    let effects = a.step(NOW, done("e1", 2));
    assert!(matches!(&effects[..], [Effect::Send(m)] if matches!(m[0].1, ToResource::GiveBack { .. })), "{effects:?}");
    assert_eq!(a.state_of(&order_id("e1")), Some(crate::order::OrderState::Failed));
}

#[test]
fn continue_as_new_with_a_call_under_way_says_that_it_may_have_been_sent() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    assert!(!a.is_idle());
    a.step(NOW, Input::StepInterrupted { order: order_id("e1"), step: 0 });
    let mut next: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    let effects = next.step(NOW, Input::Resumed);
    let [Effect::Provision { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((request.maybe_sent, request.dispatch), (true, 1));
}

/// An order that expires, whose call is running: the machine, its call, and its order and step.
fn expiring() -> (Customer, crate::message::ProvisionRequest) {
    let mut a = customer();
    let sms = Plan { unordered: true, expires_after_ms: Some(1_000), ..plan(&[], vec![step("sms.send", &[], &[])]) };
    let effects = admit(&mut a, "1", sms, vec![]);
    let Some(Effect::Provision { request, .. }) =
        effects.into_iter().find(|effect| matches!(effect, Effect::Provision { .. }))
    else {
        panic!("it begins at once")
    };
    (a, request)
}

fn ended_as(a: &Customer) -> (String, Option<String>) {
    let entry = a.journal.back().unwrap();
    (entry.what.clone(), entry.code.clone())
}

#[test]
fn a_call_that_expired_ends_its_order_as_cancelled() {
    let (mut a, request) = expiring();
    assert_eq!(request.expires_at, Some(NOW.plus_ms(1_000)));
    let outcome = crate::attempt::of_unanswered(crate::attempt::Unanswered::Failed("unavailable"), true);
    a.step(NOW.plus_ms(2_000), Input::StepEnded { order: order_id("1"), step: 0, outcome });
    assert_eq!(ended_as(&a), ("cancelled".to_owned(), Some("expired".to_owned())));
    assert!(a.orders.is_empty());
}

#[test]
fn a_call_that_expired_in_doubt_waits_for_a_person() {
    let (mut a, _) = expiring();
    let outcome = crate::attempt::of_unanswered(crate::attempt::Unanswered::Vanished, true);
    a.step(NOW.plus_ms(2_000), Input::StepEnded { order: order_id("1"), step: 0, outcome });
    let held = &a.orders[&order_id("1")].steps[0].state;
    assert!(matches!(held, StepState::Held { code, .. } if code == "ambiguous"), "{held:?}");
}

#[test]
fn a_target_that_says_expired_of_an_ordered_step_cancels_nothing() {
    let mut a = customer();
    admit(&mut a, "1", plan(&[], vec![step("hss.x", &[], &[])]), vec![]);
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("expired"), detail: String::new() };
    a.step(NOW, Input::StepEnded { order: order_id("1"), step: 0, outcome });
    assert!(matches!(&a.orders[&order_id("1")].steps[0].state, StepState::Held { .. }));
}

#[test]
fn unordered_orders_run_side_by_side() {
    let mut a = customer();
    for id in ["e1", "e2", "e3"] {
        let unordered = Plan { unordered: true, ..plan(&[], vec![step("sms.send", &[], &[])]) };
        let effects = admit(&mut a, id, unordered, vec![]);
        assert!(matches!(effects.as_slice(), [Effect::Provision { .. }]), "{effects:?}");
    }
    assert_eq!(a.orders.values().map(|order| order.running().count()).sum::<usize>(), 3);
}

#[test]
fn an_urgent_order_passes_orders_that_only_wait() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    let urgent = Plan { urgent: true, ..plan(&[], vec![step("hss.disable", &[], &[])]) };
    let effects = admit(&mut a, "e2", urgent, vec![]);
    assert!(matches!(effects.as_slice(), [Effect::Provision { .. }]), "{effects:?}");
}

#[test]
fn a_late_event_of_a_type_without_claims_does_what_the_catalog_says() {
    for (late, expected) in [
        (Late::Apply, crate::order::OrderState::InProgress),
        (Late::Hold, crate::order::OrderState::Held),
        (Late::Reject, crate::order::OrderState::Rejected),
    ] {
        let mut a = customer();
        let service = Plan { late, ..plan(&[], vec![step("hss.update", &[], &[])]) };
        admit(&mut a, "e1", service.clone(), vec![]);
        a.step(NOW, done("e1", 0));
        let early = Event { time: Some(Timestamp(NOW.0 - 1)), ..event("e0") };
        a.step(NOW, Input::Submitted(Ok(early)));
        a.step(NOW, planned(service, vec![]));
        assert_eq!(a.state_of(&order_id("e0")), Some(expected));
    }
}

#[test]
fn events_of_the_same_millisecond_are_taken_in_the_order_in_which_they_came() {
    let ids: Vec<String> = (0..12).map(|number| format!("e{number}")).collect();
    let mut a = customer();
    for id in &ids {
        a.step(NOW, Input::Submitted(Ok(event(id))));
    }
    let taken: Vec<&str> = a.inbox.iter().map(|waiting| waiting.event.id.as_str()).collect();
    assert_eq!(taken, ids);
    // An event's own time still comes first.
    let mut earlier = event("earlier");
    earlier.time = Some(Timestamp(NOW.0 - 1));
    a.step(NOW, Input::Submitted(Ok(earlier)));
    assert_eq!(a.inbox[1].event.id, "earlier", "the first one is being admitted");
}
