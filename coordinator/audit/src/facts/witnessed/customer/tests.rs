//! Whose turn it was.

use interlock_domain::ids::{CustomerRef, Incarnation, Timestamp};
use interlock_domain::order::OrderState;
use serde_json::{Value, json};

use super::*;

#[test]
fn every_terminal_state_is_an_end_in_the_journal() {
    let all = [
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
    ];
    for state in all {
        assert_eq!(ENDS.contains(&state.as_str()), state.is_terminal(), "{state:?}");
    }
}

/// An order of one step on the HSS, with this place in the order of keys.
fn order(place: i64, mode: &str, number: &str, state: &str) -> Value {
    let id = format!("A1~00000000-0000-5000-8000-00000000000{place}");
    let resource = format!("msisdn/{number}");
    let planned = json!({
        "name": "hss.step", "role": "hss", "target": "hss", "operation": "x", "data": {}, "resources": [resource],
        "attempt_timeout_ms": 1,
    });
    let mut step = planned_step(&planned, state);
    step["dispatches"] = json!(u8::from(state != "open"));
    json!({
        "event_id": "e", "event_type": "t", "catalog_digest": "", "urgent": false, "unordered": false,
        "key": {"occurred_at": place, "sequence": "", "accepted_at": place, "order": id},
        "expires_at": null, "started": state != "open", "release_first": false, "late_hold": false,
        "ending": null, "weight_bytes": 1, "steps": [step],
        "claims": [{"claim": {"resource": resource, "mode": mode}, "ticket": "out", "state": "open"}],
    })
}

fn planned_step(planned: &Value, state: &str) -> Value {
    json!({
        "planned": planned, "state": {"is": state}, "maybe_sent": false, "dispatches": 0, "outcome": null,
        "compensates": null, "since": 0,
    })
}

fn customer(orders: &[Value]) -> Customer {
    let me = CustomerRef { tenant: "t".parse().unwrap(), customer: "A1".parse().unwrap() };
    let mut state = serde_json::to_value(Customer::new(me, Incarnation(1))).unwrap();
    let by_id = orders.iter().map(|order| (order["key"]["order"].as_str().unwrap().to_owned(), order.clone()));
    state["orders"] = Value::Object(by_id.collect());
    serde_json::from_value(state).unwrap()
}

/// The faults when a customer with the first orders has the second ones after an input.
fn faults(before: &[Value], after: &[Value]) -> Vec<String> {
    let at = At::new(3, Timestamp(1));
    let mut seen = SeenCustomer::default();
    seen.saw(at, &customer(before));
    seen.saw(at, &customer(after));
    assert_eq!(seen.turns.checked, 1);
    seen.turns.faults.into_iter().map(|fault| fault.why).collect()
}

fn with(mut order: Value, field: &str, value: &Value) -> Value {
    order[field] = value.clone();
    order
}

#[test]
fn a_call_that_passes_an_older_order_is_a_fault_unless_it_may() {
    let older = || order(1, "assign", "1", "open");
    let younger = |state: &str| order(2, "assign", "2", state);
    let found = |older: Value, before: Value, after: Value| faults(&[older.clone(), before], &[older, after]);
    assert_eq!(
        found(older(), younger("open"), younger("running")),
        ["an older order that has not started should go first"]
    );
    // The older one starts: it passes nobody.
    assert_eq!(faults(&[older(), younger("open")], &[order(1, "assign", "1", "running"), younger("open")]).len(), 0);
    // Urgent orders pass, and so do those that had started, and releases of something else.
    let urgent = |state: &str| with(younger(state), "urgent", &json!(true));
    assert_eq!(found(older(), urgent("open"), urgent("running")).len(), 0);
    let started = with(younger("open"), "started", &json!(true));
    assert_eq!(found(older(), started, younger("running")).len(), 0);
    let release = |number: &str, state: &str| order(2, "release", number, state);
    assert_eq!(found(older(), release("2", "open"), release("2", "running")).len(), 0);
    assert_eq!(found(older(), release("1", "open"), release("1", "running")).len(), 1);
    // The older order is done at this target.
    let over = || with(older(), "steps", &json!([planned_step(&older()["steps"][0]["planned"], "done")]));
    assert_eq!(found(over(), younger("open"), younger("running")).len(), 0);
}

#[test]
fn a_second_call_to_a_target_is_a_fault_unless_the_order_needs_no_turn() {
    let running = || order(1, "assign", "1", "running");
    let younger = |state: &str| order(2, "release", "2", state);
    let found = faults(&[running(), younger("open")], &[running(), younger("running")]);
    assert_eq!(found, ["another call of the customer to the target is in flight"]);
    let unordered = with(running(), "unordered", &json!(true));
    assert_eq!(faults(&[unordered.clone(), younger("open")], &[unordered, younger("running")]).len(), 0);
}
