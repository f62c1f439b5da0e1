//! Views are written as they were recorded here, and read back to an equal value; additional fields of another build are accepted.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::customer::waiting::WaitKind;
use crate::customer::{
    ClaimStateName, CustomerView, Keeping, LeasesHeld, ListedOrder, OrderView, StepStateName, Wait, WaitChain,
};
use crate::entity_end::EntityEnd;
use crate::event_result::EventResults;
use crate::order::{ClaimMode, OrderState};
use crate::resource::{LeaseEvent, QueueWait, ResourceView};
use crate::target_entity::{TargetStateName, TargetView};
use crate::tenant::{OnboardingStepState, TenantState, TenantView};
use crate::wire::{Hideable, WireName};

const ORDER: &str = "A1~00000000-0000-0000-0000-000000000001";
const OTHER: &str = "A2~00000000-0000-0000-0000-000000000002";
const AT: &str = "2026-01-01T00:00:00.000Z";

/// Reads a recorded view, and checks that it is written as recorded and that fields of another build make no difference.
fn recorded<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(written: &Value) -> T {
    let view: T = serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(serde_json::to_value(&view).unwrap(), *written);
    let with_more = serde_json::from_value::<T>(with_unknown_fields(written.clone()));
    assert_eq!(with_more.unwrap_or_else(|error| panic!("{error}: {written} with more fields")), view);
    view
}

/// The same with a field of another build in each object, except in tables whose keys are ids.
fn with_unknown_fields(mut value: Value) -> Value {
    match &mut value {
        Value::Array(values) => values.iter_mut().for_each(|value| *value = with_unknown_fields(value.take())),
        Value::Object(fields) => {
            let is_table = |name: &str| matches!(name, "lanes" | "amended");
            for (_, value) in fields.iter_mut().filter(|(name, _)| !is_table(name)) {
                *value = with_unknown_fields(value.take());
            }
            fields.insert("a_field_of_another_build".to_owned(), json!({"x": 1}));
        }
        _ => {}
    }
    value
}

fn order() -> Value {
    json!({
        "order_id": ORDER, "event_id": "e1", "customer_id": "A1", "type": "number.assigned", "state": "inProgress",
        "waiting_for": {
            "waits_for": "target", "target": "hss", "step": "hss.assign_number", "since": AT,
            "paused": {"what": "call", "by": "ann", "reason": null, "at": AT},
            "activity_id": "7", "attempt": 3, "last_failure": "503", "next_attempt_at": null,
            "last_outcome": {"class": "unavailable", "detail": "503"},
        },
        "due_at": AT, "reset_at": AT,
        "steps": [
            {"name": "hss.assign_number", "target": "hss", "operation": "assign_number", "state": "running", "attempts": 1,
             "outcome": null},
            {"name": "hss.release_number", "target": "hss", "operation": "release_number", "state": "held", "attempts": 2,
             "outcome": "release_unconfirmed", "identity": {"named": "I9", "sent": "I1", "refused": ["I9"]}},
        ],
        "claims": [
            {"resource": "msisdn/1", "mode": "assign", "state": "held", "epoch": 7},
            {"resource": "msisdn/2", "mode": "release", "state": "not_holder", "epoch": null},
        ],
        "actions": ["a.b"], "code": "permanent", "detail": "It failed.", "entity_ended": "timed out",
    })
}

#[test]
fn an_order_is_shown_as_it_was() {
    let view: OrderView = recorded(&order());
    assert_eq!(view.state, OrderState::InProgress);
    assert_eq!(view.entity_ended, Some(EntityEnd::TimedOut.into()));
    let waiting = view.waiting_for.unwrap();
    assert_eq!((waiting.kind().known(), waiting.is_for_call()), (Some(WaitKind::Target), true));
    assert_eq!((waiting.call.unwrap().attempt, waiting.paused.unwrap().by.as_deref()), (3, Some("ann")));
    assert_eq!(
        (view.steps[0].state.known(), view.steps[1].state.known()),
        (Some(StepStateName::Running), Some(StepStateName::Held))
    );
    let claims: Vec<_> = view.claims.iter().map(|claim| (claim.mode.known(), claim.state.known())).collect();
    assert_eq!(
        claims,
        [
            (Some(ClaimMode::Assign), Some(ClaimStateName::Held)),
            (Some(ClaimMode::Release), Some(ClaimStateName::NotHolder)),
        ]
    );
}

#[test]
fn an_order_that_is_over_and_forgotten_says_little() {
    let view: OrderView = recorded(&json!({
        "order_id": ORDER, "event_id": "", "customer_id": "A1", "type": "", "state": "completed", "waiting_for": null,
        "steps": [], "claims": [],
    }));
    assert!(view.state.known().unwrap().is_terminal());
}

#[test]
fn each_wait_is_shown_as_it_was() {
    for (kind, waiting) in [
        (WaitKind::Admission, json!({"waits_for": "admission", "since": AT})),
        (
            WaitKind::Lease,
            json!({"waits_for": "lease", "resource": "msisdn/1", "resources": ["msisdn/1", "imsi/2"], "reset_at": AT,
                   "step": "hss.assign_number", "since": AT}),
        ),
        (
            WaitKind::Turn,
            json!({"waits_for": "turn", "target": "hss", "behind": OTHER, "ahead": 2, "step": "s", "since": AT}),
        ),
        (
            WaitKind::Turn,
            json!({"waits_for": "turn", "target": "hss", "behind": null, "ahead": 0, "step": "s", "since": AT}),
        ),
        (WaitKind::Target, json!({"waits_for": "target", "target": "hss", "step": "s", "since": AT})),
        (WaitKind::Settling, json!({"waits_for": "settling", "target": "hss", "step": "s", "since": AT})),
        (
            WaitKind::Person,
            json!({"waits_for": "person", "step": null, "target": null, "code": "late", "detail": "d", "since": AT}),
        ),
    ] {
        let listed: ListedOrder = recorded(&json!({
            "order_id": ORDER, "event_id": "e1", "type": "t", "customer_id": "A1", "state": "pending",
            "waiting_for": waiting, "target": "hss", "code": "late", "accepted_at": AT, "since": AT, "due_at": AT,
        }));
        let waiting = listed.waiting_for.unwrap();
        assert_eq!(
            (waiting.known().map(crate::customer::waiting::WaitingFor::kind), waiting.since()),
            (Some(kind), AT)
        );
    }
}

#[test]
fn what_another_build_says_that_this_one_does_not_know_is_shown_as_it_came() {
    let mut written = order();
    written["state"] = "assessingCancellation".into();
    written["entity_ended"] = "vanished".into();
    written["steps"][0]["state"] = "frozen".into();
    written["claims"][0]["mode"] = "share".into();
    written["waiting_for"] = json!({"waits_for": "moon", "step": "s", "since": AT});
    let view: OrderView = recorded(&written);
    assert_eq!(view.state, WireName::Unknown("assessingCancellation".to_owned()));
    let waiting = view.waiting_for.unwrap();
    assert_eq!((waiting.kind().as_str(), waiting.step(), waiting.since()), ("moon", Some("s"), AT));
    assert!(matches!(waiting.wait, Wait::Other(_)) && !waiting.is_for_call());
    // A known wait with fewer fields.
    written["waiting_for"] = json!({"waits_for": "window"});
    let view: OrderView = recorded(&written);
    assert_eq!(view.waiting_for.unwrap().kind(), WireName::Known(WaitKind::Window));
}

#[test]
fn a_customer_is_shown_as_it_was() {
    let view: CustomerView = recorded(&json!({
        "customer_id": "A1", "orders": [order()],
        "lanes": {"hss": [{"order_id": ORDER, "step": "hss.assign_number", "state": "open"}]},
        "leases": [{"resource": "msisdn/1", "epoch": 7, "since": AT}],
        "journal": [
            {"at": AT, "order_id": ORDER, "event_id": "e1", "type": "t", "what": "completed"},
            {"at": AT, "what": "action skip", "code": "c", "detail": "d", "actor": "ann", "reason": "r"},
        ],
        "counts": {"accepted": 3, "duplicates": 0, "rejected": 0, "backlog_full": 0, "ended": 1},
        "entity_ended": "terminated",
    }));
    let lane = &view.lanes[&"hss".parse().unwrap()];
    assert_eq!(lane[0].state, StepStateName::Open);
    assert_eq!(view.entity_ended, Some(EntityEnd::Terminated.into()));
}

fn resource() -> Value {
    json!({
        "resource": "msisdn/1",
        "holder": {"customer_id": "A1", "tenant_id": "blue", "party": "I1", "order_id": ORDER, "epoch": 7, "since": AT,
                   "orphaned_at": AT, "incarnation": 1},
        "queue": [{"customer_id": "A2", "tenant_id": "blue", "order_id": OTHER, "position": 1, "since": AT}],
        "epoch": 7, "waiting_for": "look_up", "waiting_since": AT,
        "look_up_by_hand": {"times": 2, "again_at": AT},
        "also_held_by": {"customer_id": "A3", "tenant_id": "blue", "epoch": 6},
        "under_way": true,
        "history": [
            {"at": AT, "what": "granted", "who": "blue/A1", "order_id": ORDER, "epoch": 7},
            {"at": AT, "what": "released", "who": "blue/A0", "epoch": 6, "detail": "d", "proof": {
                "order_id": OTHER, "target": "hss", "operation": "release_number", "outcome": "in_use", "holder": "I7",
                "idempotency_key": "5f5006f4-0000-5000-8000-000000000000", "at": AT, "actor": "ann", "reason": "r"}},
            {"at": AT, "what": "forced", "epoch": 6, "proof": {"order_id": OTHER, "at": AT}},
        ],
        "undecodable_messages": 2, "entity_ended": "cancelled",
    })
}

#[test]
fn a_resource_is_shown_as_it_was() {
    let view: ResourceView = recorded(&resource());
    assert_eq!(view.waiting_for, Some(QueueWait::LookUp.into()));
    let whats: Vec<_> = view.history.iter().filter_map(|line| line.what.known()).collect();
    assert_eq!(whats, [LeaseEvent::Granted, LeaseEvent::Released, LeaseEvent::Forced]);
    let free: ResourceView =
        recorded(&json!({"resource": "msisdn/1", "holder": null, "queue": [], "epoch": 0, "history": []}));
    assert_eq!(free.holder, None);
    let of_the_target: ResourceView = recorded(&json!({
        "resource": "msisdn/1", "holder": {"customer_id": null, "party": "I1", "order_id": null, "epoch": 7, "since": AT},
        "queue": [], "epoch": 7, "history": [],
    }));
    assert_eq!(of_the_target.holder.and_then(|holder| holder.name()).as_deref(), Some("I1"));
}

#[test]
fn of_what_whoever_asks_may_not_see_only_that_it_is_there_is_shown() {
    let another = "another tenant";
    let mut written = resource();
    written["holder"] = json!({"customer_id": another, "tenant_id": another, "party": null, "order_id": null, "epoch": 7,
                               "since": AT, "incarnation": null});
    written["queue"][0] =
        json!({"customer_id": another, "tenant_id": another, "order_id": null, "position": 1, "since": AT});
    written["history"] = json!([{"at": AT, "what": "granted", "who": another, "epoch": 7}]);
    let holder = recorded::<ResourceView>(&written).holder.unwrap();
    assert_eq!((holder.target_identity, holder.incarnation), (Some(Hideable::Hidden), Some(Hideable::Hidden)));
}

fn target() -> Value {
    json!({
        "target": "hss", "state": "paused", "since": AT, "down_since": AT, "reason": "r", "actor": "ann", "until": AT,
        "next_probe_at": AT, "limit": 0.0, "limit_pending": true, "limit_fault": "away", "configured_rate": 5.0,
        "limited_to": 2.5, "last_probe": {"at": AT, "up": false, "detail": "refused"}, "failures_in_a_row": 2,
        "breakers": [{"process": "w1", "since": AT, "reason": "unavailable"}], "next_maintenance_at": AT,
        "history": [{"at": AT, "what": "paused", "who": "ann", "detail": "r"}, {"at": AT, "what": "began"}],
        "undecodable_messages": 1,
    })
}

#[test]
fn a_target_is_shown_as_it_was() {
    assert_eq!(recorded::<TargetView>(&target()).state, TargetStateName::Paused);
    let called: TargetView = recorded(&json!({
        "target": "hss", "state": "closed", "since": AT, "limit": null, "limit_pending": false, "configured_rate": null,
        "last_probe": null, "failures_in_a_row": 0, "breakers": [], "history": [],
    }));
    assert_eq!(called.state, TargetStateName::Closed);
    let list: TargetList = recorded(&json!({"targets": [
        target(),
        {"target": "crm", "state": null, "unanswered": {"code": "no_worker", "detail": "It did not answer."}},
    ]}));
    let names: Vec<_> = list.targets.iter().map(TargetListed::target).map(ToString::to_string).collect();
    assert_eq!(names, ["hss", "crm"]);
    assert!(matches!(list.targets[1], TargetListed::Unanswered(_)));
}

fn tenant() -> Value {
    json!({
        "tenant": "blue", "state": "onboarding", "managed": true, "refuses_events": false,
        "steps": [
            {"step": "search_attributes", "state": "failed", "detail": "d", "code": "c", "attempts": 2, "at": AT},
            {"step": "targets", "state": "open", "detail": null, "code": null, "attempts": 0, "at": null},
        ],
        "history": [{"at": AT, "what": "onboard", "who": "ann", "detail": null}],
        "since": AT, "customers_with_open_orders": null, "drain_fault": {"code": "c", "detail": "d"}, "next_try_at": AT,
    })
}

#[test]
fn a_tenant_is_shown_as_it_was() {
    let view: TenantView = recorded(&tenant());
    assert_eq!((view.state.known(), view.settings), (Some(TenantState::Onboarding), None));
    assert_eq!(view.steps[0].state, OnboardingStepState::Failed);
    let mut whole = tenant();
    for (name, value) in [("plan", json!("pro")), ("namespace", Value::Null), ("configured", json!(true))] {
        whole[name] = value;
    }
    assert!(recorded::<TenantView>(&whole).settings.unwrap().configured);
    let list: TenantList = recorded(&json!({"tenants": [
        whole,
        {"tenant": "green", "state": "active", "managed": false, "refuses_events": false, "steps": [], "history": [],
         "plan": "free", "namespace": "green", "configured": true},
        {"tenant": "red", "state": null, "unanswered": {"code": "no_worker", "detail": "It did not answer."}},
    ]}));
    let TenantListed::Answered(green) = &list.tenants[1] else { panic!("{list:?}") };
    assert_eq!((&green.progress, green.managed), (&None, false));
    assert!(matches!(list.tenants[2], TenantListed::Unanswered(_)));
}

#[test]
fn a_page_of_orders_is_shown_as_it_was() {
    let page: OrderPage = recorded(&json!({
        "orders": [{"order_id": ORDER, "event_id": "e1", "type": "t", "customer_id": "A1", "state": "acknowledged",
                    "waiting_for": {"waits_for": "target", "target": "sms", "step": "s", "since": AT}, "target": "sms",
                    "accepted_at": AT, "since": AT, "stands_alone": true}],
        "next_cursor": "c",
        "unanswered": [{"customer_id": "A2", "code": "no_worker", "detail": "It did not answer."}],
    }));
    assert!(page.orders[0].stands_alone);
    recorded::<OrderPage>(&json!({"orders": [], "next_cursor": null}));
    recorded::<crate::customer::OrderPage>(&json!({"orders": [], "next": ORDER}));
}

#[test]
fn why_an_order_waits_is_shown_as_it_was() {
    let why: Why = recorded(&json!({
        "chain": [
            {"depth": 0, "tenant_id": "blue", "customer_id": "A1", "order_id": ORDER, "state": "pending", "step": "s",
             "waits_for": "lease", "resource": "msisdn/1", "holder": "A2", "target": null, "reset_at": AT, "since": AT,
             "detail": "d", "in_ring": true},
            {"depth": 1, "tenant_id": "blue", "customer_id": "A2", "order_id": null, "state": null, "step": null,
             "waits_for": "window", "resource": null, "holder": null, "target": "hss", "target_state": "maintenance",
             "paused": "workflow", "since": null, "code": "paused", "detail": null, "next": "wait"},
        ],
        "ring": true, "cut_off": true,
    }));
    assert_eq!((why.chain[0].wait(), why.chain[1].wait()), (Some(WaitKind::Lease), Some(WaitKind::Window)));
    let own: WaitChain = recorded(&json!({"links": [
        {"order_id": ORDER, "state": "pending", "step": "s", "waits_for": "lease", "resource": "msisdn/1",
         "resources": ["msisdn/1"], "since": AT, "detail": "d"},
        {"order_id": OTHER, "state": "completed", "since": AT, "detail": "d"},
    ]}));
    assert_eq!((own.links[0].wait(), own.links[1].wait()), (Some(WaitKind::Lease), None));
}

#[test]
fn what_a_customer_says_of_a_lease_is_shown_as_it_was_and_an_earlier_build_says_less() {
    recorded::<Keeping>(
        &json!({"holds": true, "epoch": 7, "since": AT, "order_id": ORDER, "detail": "d", "incarnation": 1,
                                "under_way": false}),
    );
    let less: Keeping = recorded(&json!({"holds": false, "detail": "d"}));
    assert_eq!((less.incarnation, less.under_way), (None, None));
    recorded::<LeasesHeld>(
        &json!({"incarnation": 1, "leases": [{"resource": "msisdn/1", "epoch": 7, "under_way": false}]}),
    );
}

#[test]
fn what_an_action_led_to_is_shown_as_it_was() {
    let refusal = || json!({"code": "nothing_held", "detail": "No."});
    recorded::<OrderActionAnswer>(&json!({"done": {"state": "held", "repeated": false}}));
    recorded::<TargetActionAnswer>(&json!({"done": {"state": "paused", "repeated": true}, "target": target()}));
    recorded::<TenantActionAnswer>(&json!({"done": {"state": "left", "repeated": true}, "tenant": tenant()}));
    recorded::<ResourceActionAnswer>(&json!({"state": resource()}));
    recorded::<ResourceActionAnswer>(&json!({"state": resource(), "repeated": false, "released": true}));
    recorded::<ResourceActionAnswer>(&json!({"state": resource(), "repeated": true, "refused": refusal()}));
    recorded::<ResourceActionAnswer>(&json!({"state": resource(), "repeated": false, "unsettled": true}));
    assert_eq!(
        recorded::<TargetActionAnswer>(&json!({"refused": refusal()})),
        TargetActionAnswer::Refused { refused: serde_json::from_value(refusal()).unwrap() }
    );
    assert!(matches!(recorded::<OrderActionAnswer>(&json!({"refused": refusal()})), OrderActionAnswer::Refused { .. }));
    let taken = json!({"order_id": ORDER, "action_id": "x", "state": "held", "repeated": false});
    assert!(matches!(recorded::<BulkResult>(&taken), BulkResult::Taken(_)));
    let refused = json!({"order_id": ORDER, "action_id": "x", "code": "nothing_held", "detail": "No."});
    assert!(matches!(recorded::<BulkResult>(&refused), BulkResult::Refused { .. }));
    recorded::<ForceTaken>(&json!({"resource": "msisdn/1", "action_id": "x", "state": resource(), "repeated": true}));
    recorded::<TargetActionTaken>(
        &json!({"target": "hss", "action_id": "x", "state": "closed", "repeated": false, "view": target()}),
    );
    recorded::<TenantActionTaken>(
        &json!({"tenant": "blue", "action_id": "x", "state": "leaving", "repeated": false, "view": tenant()}),
    );
    let foretold = json!({"order_id": ORDER, "would": "amend", "order": order(), "amended": {"s": ["a"]}});
    let foretold: ForetoldAction = recorded(&foretold);
    assert!(matches!(foretold.order, Some(ForetoldOrder::Shown(_))));
    recorded::<ForetoldAction>(&json!({"order_id": ORDER, "would": "retry", "code": "c", "detail": "d"}));
}

#[test]
fn what_became_of_events_of_a_list_and_of_a_sweep_is_shown_as_it_was() {
    recorded::<EventResults>(&json!({"results": [
        {"event_id": "e1", "status": "accepted", "order_id": ORDER, "customer_id": "A1", "workflow_id": "w", "code": null,
         "detail": null},
    ]}));
    recorded::<ImportSummary>(&json!({
        "lines": 4, "seeded": 1, "unchanged": 1, "conflicts": 1, "bad": 1, "dry_run": true,
        "problems": [{"line": 2, "code": "lease_held", "detail": "d"}],
    }));
    recorded::<SweepView>(&json!({
        "findings": [{"code": "order_overdue", "tenant_id": "blue", "order_id": ORDER, "resource": null, "target": null,
                      "customer_id": null, "since": AT, "detail": "d", "next": "n"}],
        "unanswered": [" hss", "blue A1"],
    }));
}

#[test]
fn every_word_is_written_as_it_is_said() {
    fn all<T: crate::wire::WireWord + Serialize>(words: &[T]) {
        for word in words {
            assert_eq!(json!(word), json!(word.as_str()));
        }
    }
    all(LeaseEvent::ALL);
    all(QueueWait::ALL);
    all(WaitKind::ALL);
    all(StepStateName::ALL);
    all(ClaimStateName::ALL);
    all(TargetStateName::ALL);
    all(EntityEnd::ALL);
    all(OnboardingStepState::ALL);
    all(&[ClaimMode::Assign, ClaimMode::Release, ClaimMode::Lock]);
    all(&[TenantState::Onboarding, TenantState::Active, TenantState::Leaving, TenantState::Left]);
    all(&crate::tenant::Step::ALL);
    all(&[
        OrderState::Acknowledged,
        OrderState::Pending,
        OrderState::InProgress,
        OrderState::Held,
        OrderState::Completed,
        OrderState::Partial,
        OrderState::Failed,
        OrderState::Cancelled,
        OrderState::Rejected,
        OrderState::Superseded,
    ]);
}
