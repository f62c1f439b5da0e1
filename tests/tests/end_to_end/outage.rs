//! Common parts of the outage tests: event types with one step, targets that go down and come back, and their states.

use std::time::Duration;

use interlock_adapters::sandbox::{Action, Applied, Effect, Knobs, Pattern, Received, Rule, Sandbox};
use interlock_adapters::{OutageSettings, TargetSettings};
use interlock_domain::ids::OrderId;
use interlock_operations::targets::Targets;
use interlock_settings::SweepSettings;
use serde_json::{Value, json};

use crate::applied_log::applied_at_ms;
use crate::events::{Customer, event};
use crate::scene::Scene;
use crate::testbed::{Testbed, Wanted};
use crate::waiting::until_within;

/// The number of orders of each customer.
pub const ORDERS: usize = 5;
/// The most concurrent calls to the HSS.
pub const CONCURRENCY: usize = 10;
/// The number of consecutive failures that open a breaker.
pub const FAILURES: u32 = 5;
/// The length of each stage of the ramp.
pub const STAGE: Duration = Duration::from_secs(2);
/// The time limit of a drain.
pub const DRAIN_LIMIT: Duration = Duration::from_mins(4);

/// One step at one target each, so that waiting steps are easy to count.
pub const EVENTS: &str = r#"
[events."line.tuned"]
steps = [{ role = "hss", operation = "update_service", with = { imsi = "{imsi}", settings = "{settings}" } }]
[events."line.tuned".data]
required = ["imsi", "settings"]
properties.imsi = { type = "string", format = "imsi" }
properties.settings = { type = "object" }

[events."account.tuned"]
steps = [{ role = "crm", operation = "update_service", with = { customer_id = "{@customer_id}", imsi = "{imsi}", settings = "{settings}" } }]
[events."account.tuned".data]
required = ["imsi", "settings"]
properties.imsi = { type = "string", format = "imsi" }
properties.settings = { type = "object" }
"#;

/// An event of one of these types.
pub fn tuned(event_type: &str, customer: &Customer, value: usize) -> Value {
    event(event_type, &customer.id, &json!({"imsi": customer.imsi, "settings": {"ue_ambr_dl": value}}))
}

/// A testbed that is swept every second and protects its targets like this.
pub async fn bed(name: &str, protect: fn(&str, &mut TargetSettings)) -> Testbed {
    Testbed::start(name, wanted(protect)).await
}

/// The differences between such a testbed and the shared one.
pub fn wanted(protect: fn(&str, &mut TargetSettings)) -> Wanted {
    let sweep = SweepSettings { interval: Duration::from_secs(1), ..SweepSettings::default() };
    Wanted { more_events: EVENTS.to_owned(), protect: Some(protect), sweep: Some(sweep), ..Wanted::default() }
}

/// The HSS quickly counts as down, is quickly probed, and quickly called again.
pub fn watched(target: &str, settings: &mut TargetSettings) {
    if target == "hss" {
        settings.concurrency = Some(CONCURRENCY);
    }
    settings.outage = OutageSettings {
        failures: FAILURES,
        open_for: Duration::from_secs(1),
        probe_first: Duration::from_secs(1),
        probe_cap: Duration::from_secs(4),
        ramp_stage: STAGE,
        ..OutageSettings::default()
    };
}

/// The target answers every request that it is out of service.
pub fn goes_down(sandbox: &Sandbox) {
    let refuse = Action::Refuse { status: 503, body: Value::Null, retry_after_s: None };
    sandbox.add_rule(Rule::always(Pattern::default(), refuse));
}

/// The target answers normally.
pub fn comes_back(sandbox: &Sandbox) {
    sandbox.set_knobs(Knobs::default());
}

/// The requests to the HSS from steps, and from probes.
pub fn asked(hss: &Sandbox) -> (usize, usize) {
    let is_probe = |received: &Received| received.path.contains("ping");
    let (probes, steps): (Vec<_>, Vec<_>) = hss.received().into_iter().partition(is_probe);
    (steps.len(), probes.len())
}

/// The state of a target.
pub async fn standing(bed: &Testbed, target: &str) -> Option<Value> {
    let view = Targets::new(bed.platform.installation.clone()).show(&target.parse().unwrap()).await.ok()?;
    Some(json!(view))
}

/// Waits until a target is in a state, and the server has the matching limit.
pub async fn until_it_is(bed: &Testbed, target: &str, state: &str) -> Value {
    until_within(DRAIN_LIMIT, format!("{target} is {state}"), || async {
        standing(bed, target).await.filter(|view| view["state"] == state && view["limit_pending"] == false)
    })
    .await
}

/// When services were updated, in order.
pub fn times_ms(log: &[Applied]) -> Vec<i64> {
    let updates = log.iter().filter(|entry| matches!(entry.effect, Effect::ServiceUpdated { .. }));
    updates.map(applied_at_ms).collect()
}

/// Orders that wait for the HSS, several of each customer.
pub async fn all_wait(scene: &Scene<'_>, count: usize) -> (Vec<Customer>, Vec<OrderId>) {
    let customers: Vec<Customer> = (0..count / ORDERS).map(|place| scene.customer(&format!("W{place}"))).collect();
    let mut orders = Vec::new();
    for value in 1..=ORDERS {
        for customer in &customers {
            orders.push(scene.submit(&tuned("line.tuned", customer, value)).await);
        }
    }
    (customers, orders)
}
