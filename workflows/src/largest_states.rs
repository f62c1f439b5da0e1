//! The largest entities that the limits allow fit into half of the server's limit for one payload, whatever producers send. An entity
//! that could not pass its state to its next run would be stuck for ever.

use std::collections::{BTreeMap, BTreeSet};

use interlock_domain::action_log::{
    ActionLog, ActionNote, ActionObject, ActionSubject, LOGGED_ACTIONS_MAX, LogAnswer, LogRequest, LoggedWords,
    PROPOSAL_BYTES_MAX, PROPOSALS_OPEN_MAX, ProposedAction,
};
use interlock_domain::catalog::Catalog;
use interlock_domain::customer::{Admission, AdmissionAnswer, Admitted, Customer, Effect, Input};
use interlock_domain::event::Event;
use interlock_domain::ids::{CustomerRef, Epoch, Incarnation, OrderId, ResourceId, TicketId, Timestamp};
use interlock_domain::limits::{EntityLimits, LEASES_MAX, QUEUED_NAMES_BYTES_MAX};
use interlock_domain::message::{ClaimAnswer, Ticket};
use interlock_domain::order::{ClaimMode, OrderKey};
use interlock_domain::outcome::Outcome;
use interlock_domain::planning::Planner;
use interlock_domain::resource::Resource;
use interlock_domain::routing::QueueMove;
use interlock_domain::subscription::Subscription;
use interlock_domain::target_entity::{
    self, BreakerReport, BreakerTransition, OPEN_BREAKERS_MAX, TARGET_HISTORY_MAX, Target, TargetAction,
    TargetActionKind, TargetRules,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::start_argument::{StartArgument, carried, carry};

/// The server's limit for the payloads of one command, in bytes.
const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The longest id of a customer, in bytes of a workflow id.
const CUSTOMER_ID_BYTES_MAX: usize = 250;
/// The numbers of a customer with a past: few customers have this many.
const HELD: usize = 200;
const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Text that cannot be compressed to less than six bits a byte. It is the same in every test.
struct Noise(u64);

impl Noise {
    fn text(&mut self, bytes: usize) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..bytes).map(|_| char::from(LETTERS[(self.next() >> 58) as usize])).collect()
    }

    fn hexadecimal(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[(self.next() >> 60) as usize])).collect()
    }

    /// Xorshift64*, of Vigna's "An experimental exploration of Marsaglia's xorshift generators" (2016).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// A customer that gets events and answers, as the activities would send them.
struct Busy {
    machine: Customer,
    /// A resource's answer to a claim.
    answer: ClaimAnswer,
    events: usize,
    /// No two events have the same time, since chance would decide which is younger.
    now: Timestamp,
}

impl Busy {
    fn new(customer: &str, answer: ClaimAnswer) -> Self {
        let me = CustomerRef { tenant: "operator".parse().unwrap(), customer: customer.parse().unwrap() };
        Self { machine: Customer::new(me, Incarnation(NOW.0)), answer, events: 0, now: NOW }
    }

    /// Adds one event and performs its effects, except calls, which it returns.
    fn submit(&mut self, event_type: &str, data: &Value) -> Vec<(OrderId, usize)> {
        self.events += 1;
        self.now = self.now.plus_ms(1);
        let event = json!({
            "specversion": "1.0", "id": format!("6f1b7c1e-3c54-4a7e-8b1e-{:012}", self.events), "source": "/crm/orders",
            "type": event_type, "subject": self.machine.me().customer, "data": data,
        });
        let event = Event::from_value(&event, self.machine.limits().event_bytes_max).unwrap();
        let effects = self.machine.step(self.now, Input::Submitted(Ok(event)));
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Vec<(OrderId, usize)> {
        let mut calls = Vec::new();
        let mut open = effects;
        while let Some(effect) = open.pop() {
            match effect {
                Effect::Provision { order, step, .. } => calls.push((order, step)),
                Effect::Send(_) => open.extend(self.machine.step(self.now, Input::Sent)),
                Effect::Admit(admission) => {
                    let answer = self.admit(&admission);
                    open.extend(self.machine.step(self.now, Input::Admitted(answer)));
                }
                // The receiver is away: as much waits for it as may.
                Effect::Deliver(_) | Effect::Show { .. } => {}
            }
        }
        calls
    }

    fn admit(&self, admission: &Admission) -> AdmissionAnswer {
        let planner = Planner {
            catalog: &Catalog::reference(),
            targets: &BTreeMap::new(),
            limits: self.machine.limits(),
            proving: &BTreeSet::new(),
            leases: true,
        };
        let admitted = admission.events.iter().zip(planner.plan_batch(admission)).map(|(waiting, planned)| {
            let plan = planned.unwrap().plan;
            let tickets = admission.tickets(&waiting.key, &plan);
            let answers = tickets.into_iter().map(|(resource, _)| (resource, self.answer.clone())).collect();
            Admitted::Planned { plan, answers }
        });
        AdmissionAnswer {
            admitted: admitted.collect(),
            limits: *self.machine.limits(),
            attributes_registered: true,
            subscriptions: Some(vec![subscription()]),
            queue_assignment: None,
        }
    }

    /// One more order, from start to end.
    fn done(&mut self, event_type: &str, data: &Value) {
        let mut calls = self.submit(event_type, data);
        while let Some((order, step)) = calls.pop() {
            let effects = self.machine.step(self.now, Input::StepEnded { order, step, outcome: Outcome::Done });
            calls.extend(self.carry_out(effects));
        }
    }
}

fn subscription() -> Subscription {
    serde_json::from_value(json!({"id": "crm", "target": "crm-hook"})).unwrap()
}

fn assigned(number: usize) -> Value {
    json!({"imsi": "001010000000001", "msisdn": format!("1206{number:07}")})
}

/// The bytes of a machine's payloads. It checks that the machine can be read back unchanged.
fn bytes_of<M>(machine: &M) -> usize
where
    M: Serialize + DeserializeOwned,
{
    let start = StartArgument { tenant_id: "operator".to_owned(), entity_id: "customer".to_owned() };
    let argument = carry(&start, &QueueMove::default(), machine).unwrap();
    let arrived = serde_json::to_value(carried::<M>(&argument).unwrap()).unwrap();
    assert!(arrived == serde_json::to_value(machine).unwrap(), "the machine was changed on its way");
    argument.payloads.iter().map(|payload| payload.data.len()).sum()
}

fn fits<M>(what: &str, machine: &M)
where
    M: Serialize + DeserializeOwned,
{
    let (plain, bytes) = (serde_json::to_vec(machine).unwrap().len(), bytes_of(machine));
    println!("{what}: {plain} bytes of JSON travel as {bytes}");
    assert!(bytes <= PAYLOAD_BYTES_MAX / 2, "{what}: {bytes} bytes");
}

/// A customer with the largest past that is remembered: resources held and released, a full journal, a full memory.
fn with_a_past(customer: &str) -> Busy {
    let granted = ClaimAnswer::Granted { epoch: Epoch(u64::try_from(NOW.0).unwrap()), registered: false, recall: None };
    let mut busy = Busy::new(customer, granted);
    for number in 0..2 * HELD {
        busy.done("number.assigned", &assigned(number));
        if number >= HELD {
            busy.done("number.unassigned", &assigned(number));
        }
    }
    for value in 0..1_000 {
        busy.done("service.updated", &json!({"imsi": "001010000000001", "settings": {"value": value}}));
    }
    assert_eq!((busy.machine.leases().len(), busy.machine.orders().len()), (HELD, 0));
    assert_eq!((busy.machine.remembered().len(), busy.machine.journal().len()), (1_000, 100));
    busy.answer = ClaimAnswer::Queued;
    busy
}

#[test]
fn a_customer_with_all_the_orders_and_all_the_past_that_it_may_have_can_travel() {
    let mut busy = with_a_past("customer-0001234");
    for number in 0..1_000 {
        busy.submit("number.assigned", &assigned(5_000 + number));
    }
    // It may have this many ordinary orders.
    assert_eq!((busy.machine.orders().len(), busy.machine.counts().rejected), (1_000, 0));
    fits("1,000 orders for a number", &busy.machine);
    busy.submit("number.assigned", &assigned(6_000));
    assert_eq!((busy.machine.orders().len(), busy.machine.counts().backlog_full), (1_000, 1));
}

#[test]
fn a_customer_whose_orders_are_as_large_as_they_may_be_is_limited_by_its_state_and_can_travel() {
    let mut noise = Noise(1);
    let mut busy = Busy::new(&noise.text(CUSTOMER_ID_BYTES_MAX), ClaimAnswer::Queued);
    let mut sent = 0;
    while busy.machine.counts().backlog_full < 10 {
        let settings = json!({"apn": noise.text(15 * 1024)});
        busy.submit("service.updated", &json!({"imsi": "001010000000001", "settings": settings}));
        sent += 1;
        assert!(sent < 1_000, "its state has no limit: {} bytes", busy.machine.weight_bytes());
    }
    assert!(busy.machine.weight_bytes() <= busy.machine.limits().state_bytes_max);
    fits("orders of 15 KiB of noise each", &busy.machine);
}

#[test]
fn a_customer_with_all_the_leases_that_it_may_have_can_travel_and_have_its_next_event_admitted() {
    let granted = ClaimAnswer::Granted { epoch: Epoch(u64::try_from(NOW.0).unwrap()), registered: false, recall: None };
    let mut busy = Busy::new("customer-0001234", granted);
    busy.done("number.assigned", &assigned(0));
    let (first, lease) =
        busy.machine.leases().iter().next().map(|(first, lease)| (first.clone(), json!(lease))).unwrap();
    let mut noise = Noise(8);
    let mut state = json!(busy.machine);
    for number in 1..LEASES_MAX {
        let resource = format!("msisdn/1206{number:07}");
        let order = OrderId::derive(
            &"operator".parse().unwrap(),
            &"customer-0001234".parse().unwrap(),
            "/crm",
            &number.to_string(),
            None,
        );
        let mut lease = lease.clone();
        lease["ticket"] = json!(TicketId::derive(&order, &resource.parse().unwrap(), Incarnation(NOW.0)));
        lease["key"]["order"] = json!(order);
        lease["party"] = json!(format!("00101{:010}", noise.next() % 10_000_000_000));
        state["leases"][&resource] = lease;
    }
    assert!(state["leases"][first.to_string()].is_object());
    busy.machine = serde_json::from_value(state).unwrap();
    assert_eq!(busy.machine.leases().len(), LEASES_MAX);
    fits("5,000 leases", &busy.machine);
    let event = json!({
        "specversion": "1.0", "id": "last", "source": "/crm", "type": "number.unassigned", "subject": "customer-0001234",
        "data": assigned(1),
    });
    let event = Event::from_value(&event, usize::MAX).unwrap();
    let effects = busy.machine.step(NOW.plus_ms(10_000), Input::Submitted(Ok(event)));
    let admission = effects.iter().find_map(|effect| match effect {
        Effect::Admit(admission) => Some(admission),
        _ => None,
    });
    let bytes = serde_json::to_vec(admission.unwrap()).unwrap().len();
    println!("the argument of an admission has {bytes} bytes");
    assert!(bytes <= PAYLOAD_BYTES_MAX / 2, "{bytes} bytes");
}

/// Makes the machine remember the most order ids, all of events with a time.
fn with_all_digests(busy: &mut Busy) {
    let max = busy.machine.limits().order_digests_max;
    let mut noise = Noise(7);
    // 256 digests of 12 bytes each, in hexadecimal digits.
    let mut chunk = |_| json!({"last": NOW.0, "digests": noise.hexadecimal(256 * 24)});
    let chunks: Vec<Value> = (0..max / 256).map(&mut chunk).collect();
    let digests = json!({"begun": true, "horizon": NOW.0 - 1, "chunks": chunks});
    let mut state = json!(busy.machine);
    state["digests"] = digests;
    busy.machine = serde_json::from_value(state).unwrap();
    assert_eq!(busy.machine.digests().count(), max);
}

#[test]
fn the_ids_of_all_orders_that_are_remembered_take_24_bytes_each_and_less_where_they_travel() {
    let mut busy = Busy::new("customer", ClaimAnswer::Queued);
    let (plain, bytes) = (serde_json::to_vec(&busy.machine).unwrap().len(), bytes_of(&busy.machine));
    with_all_digests(&mut busy);
    let max = busy.machine.limits().order_digests_max;
    let (plain, bytes) = (serde_json::to_vec(&busy.machine).unwrap().len() - plain, bytes_of(&busy.machine) - bytes);
    println!("{max} digests: {plain} bytes of JSON travel as {bytes}");
    assert!((24 * max..25 * max).contains(&plain), "{plain} bytes of JSON");
    // How well digits are compressed depends on the zlib of the build.
    assert!((12 * max..24 * max).contains(&bytes), "{bytes} bytes");
}

#[test]
fn the_largest_customer_that_also_remembers_as_many_order_ids_as_it_may_can_travel() {
    let mut noise = Noise(6);
    let mut busy = Busy::new(&noise.text(CUSTOMER_ID_BYTES_MAX), ClaimAnswer::Queued);
    while busy.machine.counts().backlog_full == 0 {
        let settings = json!({"apn": noise.text(15 * 1024)});
        busy.submit("service.updated", &json!({"imsi": "001010000000001", "settings": settings}));
    }
    with_all_digests(&mut busy);
    let bytes = bytes_of(&busy.machine);
    println!("orders of noise and all digests travel as {bytes}");
    assert!(bytes <= PAYLOAD_BYTES_MAX * 3 / 4, "{bytes} bytes");

    let mut busy = with_a_past("customer-0001234");
    for number in 0..1_000 {
        busy.submit("number.assigned", &assigned(5_000 + number));
    }
    with_all_digests(&mut busy);
    fits("1,000 orders for a number, and all digests", &busy.machine);
}

#[test]
fn events_that_wait_for_admission_count_like_the_orders_they_become() {
    let mut noise = Noise(2);
    let mut busy = Busy::new("customer", ClaimAnswer::Queued);
    let event = |number: usize, noise: &mut Noise| {
        let data = json!({"imsi": "001010000000001", "settings": {"apn": noise.text(1_000)}});
        let event = json!({"specversion": "1.0", "id": number.to_string(), "source": "/crm", "type": "service.updated",
            "subject": "customer", "data": data});
        Event::from_value(&event, usize::MAX).unwrap()
    };
    // All of them arrive before the first is admitted.
    let effects: Vec<Effect> =
        (0..1_000).flat_map(|number| busy.machine.step(NOW, Input::Submitted(Ok(event(number, &mut noise))))).collect();
    fits("an inbox of noise", &busy.machine);
    let taken_in = busy.machine.inbox().len();
    busy.carry_out(effects);
    fits("what became of it", &busy.machine);
    let counts = busy.machine.counts();
    assert!(busy.machine.weight_bytes() <= busy.machine.limits().state_bytes_max);
    assert!(counts.backlog_full > 1_000 - taken_in as u64, "{counts:?}: none that was taken in was too much");
    assert_eq!(busy.machine.orders().len() as u64 + counts.rejected, 1_000);
}

/// A resource with its maximum of waiting tickets, and their number.
fn crowd(mut customer: impl FnMut(usize) -> String) -> (Resource, usize) {
    let id: ResourceId = "msisdn/12065550100".parse().unwrap();
    let mut resource = Resource::new("operator".parse().unwrap(), id.clone());
    let limits = EntityLimits::default();
    let policy = Catalog::reference().policy(id.kind(), &BTreeMap::new(), &limits);
    for number in 0..=limits.tickets_max {
        let claimant = CustomerRef { tenant: "operator".parse().unwrap(), customer: customer(number).parse().unwrap() };
        let order = OrderId::derive(&claimant.tenant, &claimant.customer, "/crm", &number.to_string(), None);
        let ticket = Ticket {
            id: TicketId::derive(&order, &id, Incarnation(NOW.0)),
            key: OrderKey::new(None, None, NOW, order.clone()),
            order,
            mode: ClaimMode::Assign,
            claimant,
            incarnation: Incarnation(NOW.0),
            target_identity: Some(format!("00101{number:010}")),
            swap: false,
            answer_by: None,
            policy: policy.clone(),
        };
        let (answer, _) = resource.claim(NOW, ticket);
        if let ClaimAnswer::QueueFull { tickets_max } = answer {
            return (resource, tickets_max);
        }
    }
    panic!("more tickets wait than the limit allows");
}

#[test]
fn a_resource_with_all_the_tickets_that_it_may_have_can_travel() {
    // Up to names of 122 bytes.
    let (resource, tickets) = crowd(|number| format!("customer-{number:0113}"));
    assert_eq!(tickets, EntityLimits::default().tickets_max);
    fits("5,000 tickets", &resource);
}

#[test]
fn a_resource_whose_claimants_have_the_longest_names_can_travel() {
    let mut noise = Noise(3);
    let (resource, tickets) = crowd(|_| noise.text(CUSTOMER_ID_BYTES_MAX));
    assert_eq!(tickets, QUEUED_NAMES_BYTES_MAX / CUSTOMER_ID_BYTES_MAX);
    fits("tickets with the longest names", &resource);
    let mut noise = Noise(4);
    let (resource, tickets) = crowd(|_| noise.text(122));
    assert_eq!(tickets, EntityLimits::default().tickets_max);
    fits("5,000 tickets with names of noise", &resource);
}

#[test]
fn a_target_entity_with_all_that_it_remembers_can_travel() {
    let mut noise = Noise(5);
    let mut target = Target::new("hss".parse().unwrap(), TargetRules::default(), NOW);
    target.step(NOW, target_entity::Input::Woke);
    for number in 0..2 * TARGET_HISTORY_MAX.max(OPEN_BREAKERS_MAX) {
        let kind = if number % 2 == 0 { TargetActionKind::Pause { until: None } } else { TargetActionKind::Resume };
        let (action_id, actor, reason) = (noise.text(200), noise.text(1_000), noise.text(1_000));
        let action = TargetAction { action_id, kind, actor, reason };
        target.act(NOW, &action).0.unwrap();
        let report = BreakerReport {
            process: noise.text(200),
            transition: BreakerTransition::Opened,
            reason: noise.text(1_000),
        };
        target.step(NOW, target_entity::Input::Reported(report));
    }
    let view = target.view();
    assert_eq!((view.history.len(), view.breakers.len()), (TARGET_HISTORY_MAX, OPEN_BREAKERS_MAX));
    fits("a target entity", &target);
}

#[test]
fn a_log_of_actions_with_all_that_it_keeps_can_travel() {
    let mut noise = Noise(6);
    let mut log = ActionLog::default();
    let mut words = |reason: usize| LoggedWords {
        action_id: noise.text(36),
        actor: noise.text(40),
        reason: noise.text(reason),
        ticket: Some(noise.text(20)),
    };
    let subject = |id: String| ActionSubject { on: ActionObject::Order.into(), id, action: "release_first".to_owned() };
    // First as many as may be kept, then as large as they may be together.
    for reason in [250, 1_000] {
        for _ in 0..2 * LOGGED_ACTIONS_MAX {
            let note = ActionNote { subject: subject("A~1".to_owned()), words: words(reason), outcome: None };
            log.note(NOW, note);
        }
        fits("a log of actions", &log);
    }
    for number in 0..PROPOSALS_OPEN_MAX {
        let content = Value::from("x".repeat(PROPOSAL_BYTES_MAX - 2));
        let subject = subject(format!("A~{number}"));
        let proposed = ProposedAction { subject, words: words(1_000), content, within_ms: 1_000 };
        assert!(matches!(log.act(NOW, LogRequest::Propose(proposed)), LogAnswer::Proposed { .. }));
    }
    let bytes = serde_json::to_vec(&log).unwrap().len();
    assert!(bytes <= PAYLOAD_BYTES_MAX / 2, "{bytes} bytes, not compressed");
    fits("a log of actions with proposals", &log);
}
