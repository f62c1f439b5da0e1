use std::collections::BTreeMap;

use interlock_domain::customer;
use interlock_domain::error_code::{ErrorCode, ReasonCode};
use interlock_domain::target_entity::Limit;
use interlock_domain::views::Link;
use serde_json::{Value, json};

use super::*;

/// A world of entities that give these answers.
#[derive(Default)]
struct World {
    orders: BTreeMap<String, Value>,
    resources: BTreeMap<String, Value>,
    keeps: BTreeMap<(String, String), Value>,
    targets: BTreeMap<String, Value>,
    forbidden: Option<TenantId>,
}

fn tenant() -> TenantId {
    "blue".parse().unwrap()
}

/// An order of this customer.
fn order(customer: &str, number: u32) -> OrderId {
    OrderId::derive(&tenant(), &customer.parse().unwrap(), "s", &number.to_string(), None)
}

/// The answer for an order that waits for a lease.
fn waits_for_lease(order: &OrderId, resource: &str) -> Value {
    json!({"order_id": order, "state": "pending", "waits_for": "lease", "resource": resource, "resources": [resource],
           "since": "2026-01-01T00:00:00Z", "detail": "d"})
}

/// The answer for an order that waits for a target.
fn waits_for_target(order: &OrderId) -> Value {
    json!({"order_id": order, "state": "inProgress", "step": "hss.release_number", "waits_for": "target", "target": "hss"})
}

impl World {
    fn order(mut self, order: &OrderId, links: &[Value]) -> Self {
        self.orders.insert(order.to_string(), json!(links));
        self
    }

    fn held_by(mut self, resource: &str, customer: &str, keeps: Value) -> Self {
        let state =
            json!({"holder": {"customer_id": customer, "tenant_id": "blue", "epoch": 7}, "waiting_for": "holder"});
        self.resources.insert(resource.to_owned(), state);
        self.keeps.insert((customer.to_owned(), resource.to_owned()), keeps);
        self
    }

    fn resource(mut self, resource: &str, state: Value) -> Self {
        self.resources.insert(resource.to_owned(), state);
        self
    }

    fn answer(&self, question: &ChainQuestion) -> ChainAnswer {
        if self.forbidden.as_ref() == Some(question.tenant()) {
            return ChainAnswer::Forbidden;
        }
        let answer = match question {
            ChainQuestion::Order { order, .. } => {
                self.orders.get(order.as_str()).map(|links| ChainAnswer::Order(links_of(links)))
            }
            ChainQuestion::Resource { resource, .. } => self.resources.get(&resource.to_string()).map(resource_answer),
            ChainQuestion::Keeps { customer, resource, .. } => {
                self.keeps.get(&(customer.to_string(), resource.to_string())).map(keeps_answer)
            }
            ChainQuestion::Target { target, .. } => self.targets.get(target.as_str()).map(target_answer),
        };
        answer.unwrap_or(ChainAnswer::NeverSeen)
    }

    fn why(&self, order: &OrderId) -> Why {
        let mut chain = Chain::of(tenant(), order.clone());
        while let Some(question) = chain.question() {
            let answer = self.answer(&question);
            chain.hear(answer);
        }
        chain.done()
    }
}

/// These fields, with the ones that are always present.
fn with(said: &Value, always: Value) -> Value {
    let mut whole = always;
    whole.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    whole
}

fn links_of(links: &Value) -> Vec<OrderLink> {
    let links: Vec<customer::WaitLink> = serde_json::from_value(links.clone()).unwrap();
    links.into_iter().map(OrderLink::from).collect()
}

fn resource_view(said: &Value) -> ResourceView {
    let mut view = with(said, json!({"resource": "msisdn/1", "epoch": 7}));
    if view["holder"].is_object() {
        view["holder"] = with(&view["holder"], json!({"epoch": 7, "since": ""}));
    }
    serde_json::from_value(view).unwrap()
}

fn resource_answer(said: &Value) -> ChainAnswer {
    ChainAnswer::Resource(Box::new(resource_view(said)), None)
}

fn keeps_answer(said: &Value) -> ChainAnswer {
    ChainAnswer::Keeps(serde_json::from_value(with(said, json!({"holds": false}))).unwrap())
}

fn target_answer(said: &Value) -> ChainAnswer {
    ChainAnswer::Target(serde_json::from_value(with(said, json!({"target": "hss", "since": ""}))).unwrap())
}

/// The chain in short: depth, customer, what it waits for.
fn short(why: &Why) -> Vec<String> {
    let text = |link: &Link| {
        let customer = link.customer_id.as_ref().map_or("–", CustomerId::as_str);
        let ring = if link.in_ring { " ring" } else { "" };
        format!("{} {customer} {}{ring}", link.depth, link.waits_for.as_ref().map_or("nothing", WireName::as_str))
    };
    why.chain.iter().map(text).collect()
}

#[test]
fn a_hand_over_leads_over_the_lease_and_its_holder_to_the_target() {
    let (a2, a1) = (order("A2", 1), order("A1", 2));
    let world = World::default()
        .order(&a2, &[waits_for_lease(&a2, "msisdn/1")])
        .held_by("msisdn/1", "A1", json!({"holds": true, "order_id": a1}))
        .order(&a1, &[waits_for_target(&a1)]);
    let why = world.why(&a2);
    assert_eq!(short(&why), ["0 A2 lease", "1 A1 target"]);
    assert_eq!(why.chain[0].holder.as_deref(), Some("A1"));
    assert_eq!(why.chain[0].next, None);
    assert!(why.chain[1].next.as_ref().unwrap().contains("hss"), "{why:?}");
    assert!(!why.ring);
}

#[test]
fn a_turn_is_followed_to_what_the_order_ahead_waits_for() {
    let (second, first, holder) = (order("A2", 1), order("A2", 2), order("A1", 3));
    let turn = json!({"order_id": second, "state": "pending", "waits_for": "turn", "target": "hss", "behind": first});
    let held = json!({"order_id": holder, "state": "held", "waits_for": "person", "code": "permanent"});
    let world = World::default()
        .order(&second, &[turn, waits_for_lease(&first, "msisdn/1")])
        .held_by("msisdn/1", "A1", json!({"holds": true, "order_id": holder}))
        .order(&holder, &[held]);
    let why = world.why(&second);
    assert_eq!(short(&why), ["0 A2 turn", "1 A2 lease", "2 A1 person"]);
    let next = why.chain[2].next.as_ref().unwrap();
    assert!(next.contains(&format!("interlock order retry {holder} --tenant blue --reason")), "{next}");
}

#[test]
fn a_lease_that_no_order_gives_up_waits_for_an_event() {
    let a2 = order("A2", 1);
    let world = World::default().order(&a2, &[waits_for_lease(&a2, "msisdn/1")]).held_by(
        "msisdn/1",
        "A1",
        json!({"holds": true, "since": "2026-01-01T00:00:00Z"}),
    );
    let why = world.why(&a2);
    assert_eq!(short(&why), ["0 A2 lease", "1 A1 event"]);
    let end = &why.chain[1];
    assert_eq!(end.since.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert!(
        end.next.as_ref().unwrap().contains("interlock resource release msisdn/1 --tenant blue --force"),
        "{end:?}"
    );
}

#[test]
fn orders_that_wait_for_each_other_are_a_ring_and_those_before_it_are_not_in_it() {
    let (a, b, c) = (order("A", 1), order("B", 2), order("C", 3));
    let world = World::default()
        .order(&a, &[waits_for_lease(&a, "msisdn/2")])
        .held_by("msisdn/2", "B", json!({"holds": true, "order_id": b}))
        .order(&b, &[waits_for_lease(&b, "msisdn/3")])
        .held_by("msisdn/3", "C", json!({"holds": true, "order_id": c}))
        .order(&c, &[waits_for_lease(&c, "msisdn/2")]);
    let why = world.why(&a);
    assert!(why.ring);
    assert_eq!(short(&why), ["0 A lease", "1 B lease ring", "2 C lease ring"]);
    assert_eq!(why.chain[2].holder.as_deref(), Some("B"));
    assert!(why.chain[2].next.as_ref().unwrap().contains("interlock order cancel"), "{why:?}");
}

#[test]
fn each_missing_lease_is_followed_and_what_was_told_is_not_told_again() {
    let (a, b) = (order("A", 1), order("B", 2));
    let mut both = waits_for_lease(&a, "imsi/1");
    both["resources"] = json!(["imsi/1", "msisdn/2"]);
    let keeps = || json!({"holds": true, "order_id": b});
    let world = World::default()
        .order(&a, &[both])
        .held_by("imsi/1", "B", keeps())
        .held_by("msisdn/2", "B", keeps())
        .order(&b, &[waits_for_target(&b)]);
    let why = world.why(&a);
    assert_eq!(short(&why), ["0 A lease", "0 A lease", "1 B target", "1 B target"]);
    let resources: Vec<String> =
        why.chain.iter().filter_map(|link| link.resource.as_ref().map(ToString::to_string)).collect();
    assert_eq!(resources, ["imsi/1", "msisdn/2"]);
    assert_eq!(why.chain[3].detail.as_deref(), Some("See above."));
    assert!(!why.ring);
}

#[test]
fn what_a_resource_itself_waits_for_ends_the_chain() {
    let a = order("A", 1);
    let ends = |state: Value| {
        let world = World::default().order(&a, &[waits_for_lease(&a, "msisdn/1")]).resource("msisdn/1", state);
        world.why(&a).chain.last().unwrap().wait().unwrap()
    };
    let holder = || json!({"customer_id": "B", "tenant_id": "blue", "orphaned_at": "2026-01-01T00:00:00Z"});
    assert_eq!(ends(json!({"holder": null, "waiting_for": "look_up"})), WaitKind::Settling);
    assert_eq!(ends(json!({"holder": null, "waiting_for": "clock"})), WaitKind::Settling);
    assert_eq!(ends(json!({"holder": holder(), "waiting_for": "orphan"})), WaitKind::Settling);
    assert_eq!(ends(json!({"holder": null, "waiting_for": "person"})), WaitKind::Person);
    assert_eq!(
        ends(json!({"holder": {"customer_id": null, "party": "00101"}, "waiting_for": "holder"})),
        WaitKind::Person
    );
    assert_eq!(ends(json!({"holder": null})), WaitKind::Settling);
}

#[test]
fn a_look_up_that_was_ended_by_hand_is_told_and_one_that_is_paused_with_what_to_do() {
    let a = order("A", 1);
    let last = |state: Value| {
        let world = World::default().order(&a, &[waits_for_lease(&a, "msisdn/1")]).resource("msisdn/1", state);
        world.why(&a).chain.pop().unwrap()
    };
    let by_hand = |times: u32| {
        let state =
            json!({"holder": null, "waiting_for": "look_up", "look_up_by_hand": {"times": times, "again_at": "T"}});
        last(state).detail.unwrap()
    };
    assert_eq!(
        by_hand(1),
        "The target is asked who is registered there. The look-up was ended by hand in Temporal once, which does not settle it; \
         it is repeated, not before T."
    );
    assert!(by_hand(3).contains("3 times in a row"));

    let paused =
        PausedCall { sentence: "Paused by an operator.".to_owned(), unpause: "temporal activity unpause".to_owned() };
    let view = Box::new(resource_view(&json!({"holder": null, "waiting_for": "look_up"})));
    let mut chain = Chain::of("blue".parse().unwrap(), a.clone());
    chain.hear(ChainAnswer::Order(links_of(&json!([waits_for_lease(&a, "msisdn/1")]))));
    chain.hear(ChainAnswer::Resource(view, Some(paused)));
    let link = chain.done().chain.pop().unwrap();
    assert!(link.detail.unwrap().ends_with("Paused by an operator."));
    assert_eq!(link.next.as_deref(), Some("when it may continue: temporal activity unpause"));
}

#[test]
fn a_grant_on_its_way_is_no_ring() {
    let a = order("A", 1);
    let world = World::default().order(&a, &[waits_for_lease(&a, "msisdn/1")]).held_by(
        "msisdn/1",
        "A",
        json!({"holds": true, "order_id": a}),
    );
    let why = world.why(&a);
    assert_eq!(short(&why), ["0 A lease", "1 A settling"]);
    assert!(!why.ring);
}

#[test]
fn a_lease_that_was_given_back_is_on_its_way_whatever_its_last_holder_wants_next() {
    let (a, b) = (order("A", 1), order("B", 2));
    let world = World::default()
        .order(&a, &[waits_for_lease(&a, "msisdn/1")])
        .held_by("msisdn/1", "B", json!({"holds": false, "order_id": b}))
        .order(&b, &[waits_for_lease(&b, "msisdn/1")]);
    assert_eq!(short(&world.why(&a)), ["0 A lease", "1 B settling"]);
}

#[test]
fn a_holder_that_knows_nothing_of_it_is_told_to_be_a_contradiction_and_what_to_do() {
    let a = order("A", 1);
    let why = |keeps: Value| {
        let links = [waits_for_lease(&a, "msisdn/1")];
        World::default().order(&a, &links).held_by("msisdn/1", "B", keeps).why(&a)
    };
    let detail = "The customer neither holds it nor waits for it.";
    let link = why(json!({"holds": false, "detail": detail, "under_way": false})).chain.pop().unwrap();
    assert!(link.detail.as_ref().is_some_and(|detail| detail.contains("cannot be right")), "{link:?}");
    assert_eq!(link.code.as_ref().map(ReasonCode::as_str), Some("lease_differs"));
    let next = link.next.unwrap();
    assert!(
        next.contains("sweeps compare") && next.contains("resource release msisdn/1 --tenant blue --force"),
        "{next}"
    );
    for said in [json!({"detail": detail, "under_way": true}), json!({"detail": detail})] {
        let link = why(said).chain.pop().unwrap();
        assert_eq!((link.detail.as_deref(), link.code), (Some(detail), None), "a message is in flight, or may be");
    }
}

#[test]
fn a_tenant_that_may_not_be_asked_ends_the_chain_and_the_link_says_so() {
    let a = order("A", 1);
    let state = json!({"holder": {"customer_id": "B", "tenant_id": "red"}, "waiting_for": "holder"});
    let world = World { forbidden: Some("red".parse().unwrap()), ..World::default() }
        .order(&a, &[waits_for_lease(&a, "msisdn/1")])
        .resource("msisdn/1", state);
    let why = world.why(&a);
    assert_eq!(short(&why), ["0 A lease", "1 – forbidden"]);
    assert_eq!(why.chain[1].holder.as_deref(), Some("another tenant"));
    let text = serde_json::to_string(&why).unwrap();
    assert!(!text.contains("red") && !text.contains("\"B\""), "not even whose it is: {text}");
    assert_eq!(why.chain[1].code.as_ref().map(ReasonCode::as_str), Some("tenant_forbidden"));
}

#[test]
fn commands_name_the_tenant_that_they_are_for() {
    let a = order("A", 1);
    let state = json!({"holder": {"customer_id": "B", "tenant_id": "red"}, "waiting_for": "holder"});
    let mut world = World::default().order(&a, &[waits_for_lease(&a, "msisdn/1")]).resource("msisdn/1", state);
    world.keeps.insert(("B".to_owned(), "msisdn/1".to_owned()), json!({"holds": true}));
    let next = world.why(&a).chain[1].next.clone().unwrap();
    assert!(next.contains("interlock resource release msisdn/1 --tenant red --force"), "{next}");
}

#[test]
fn who_does_not_answer_is_a_link_and_the_rest_is_still_told() {
    let a = order("A", 1);
    let world = World::default().order(&a, &[waits_for_lease(&a, "msisdn/1")]);
    assert_eq!(short(&world.why(&a)), ["0 A lease", "1 – settling"]);
    let mut chain = Chain::of(tenant(), a.clone());
    let first = chain.question().unwrap();
    chain.hear(world.answer(&first));
    assert!(chain.question().is_some());
    chain.hear(ChainAnswer::Unanswered { code: ErrorCode::NoWorker, detail: "nobody is there".to_owned() });
    assert_eq!(chain.question(), None);
    let why = chain.done();
    assert_eq!(short(&why), ["0 A lease", "1 – unanswered"]);
    assert_eq!(why.chain[1].code.as_ref().map(ReasonCode::as_str), Some("no_worker"));
}

#[test]
fn a_chain_without_end_is_cut_off_and_says_so() {
    let mut chain = Chain::of(tenant(), order("A", 0));
    let mut number = 0;
    while let Some(question) = chain.question() {
        number += 1;
        assert!(number <= QUESTIONS_MAX);
        chain.hear(match question {
            ChainQuestion::Order { order, .. } => {
                ChainAnswer::Order(links_of(&json!([waits_for_lease(&order, "msisdn/1")])))
            }
            ChainQuestion::Resource { .. } => {
                resource_answer(&json!({"holder": {"customer_id": format!("C{number}")}, "waiting_for": "holder"}))
            }
            ChainQuestion::Keeps { customer, .. } => {
                keeps_answer(&json!({"holds": true, "order_id": order(customer.as_str(), number as u32)}))
            }
            ChainQuestion::Target { .. } => unreachable!("nobody waits for a target"),
        });
    }
    assert_eq!(number, QUESTIONS_MAX);
    assert!(chain.done().cut_off);
}

#[test]
fn an_order_that_is_over_waits_for_nothing() {
    let a = order("A", 1);
    let world = World::default().order(&a, &[json!({"order_id": a, "state": "completed"})]);
    let why = world.why(&a);
    assert_eq!(short(&why), ["0 A nothing"]);
    assert_eq!(why.chain[0].next, None);
}

#[test]
fn of_a_target_that_is_not_called_it_is_told_why_and_what_to_do() {
    let a = order("A", 1);
    let stands = |stands: Value| {
        let stands_in_maintenance = stands["state"] == "maintenance";
        let mut world = World::default().order(&a, &[waits_for_target(&a)]);
        world.targets.insert("hss".to_owned(), stands);
        let why = world.why(&a);
        assert_eq!(why.chain.len(), 1, "it is no link more");
        let link = why.chain.into_iter().next().unwrap();
        let waits_for = if stands_in_maintenance { WaitKind::Window } else { WaitKind::Target };
        assert_eq!(link.wait(), Some(waits_for));
        (link.detail.unwrap_or_default(), link.next.unwrap())
    };
    let since = "2026-01-01T00:00:00.000Z";
    let (detail, next) = stands(json!({
        "state": "paused", "since": since, "limit": 0.0, "actor": "anna", "reason": "new release",
    }));
    assert_eq!(detail, format!("hss is paused and is not called, since {since}, by anna: new release."));
    assert!(next.contains("interlock target resume hss"), "{next}");
    let (detail, next) = stands(json!({"state": "maintenance", "until": "2026-01-01T04:00:00.000Z", "limit": 0.0}));
    assert_eq!(detail, "hss is in maintenance and is not called, until 2026-01-01T04:00:00.000Z.");
    assert!(next.starts_with("nothing: calls resume when"), "{next}");
    let (detail, next) = stands(json!({"state": "open", "next_probe_at": since, "limit": 0.0, "reason": "no answer."}));
    assert_eq!(detail, format!("hss is down and is not called; the next probe is at {since}: no answer."));
    assert!(next.contains("probe it now"), "{next}");
    let (detail, _) = stands(json!({"state": "ramping", "limit": 4.0}));
    assert_eq!(detail, "hss was down and is called again step by step, currently 4 per second.");
    let (detail, _) = stands(json!({"state": "closed", "limit": 2.5, "since": since}));
    assert_eq!(detail, "hss is limited to 2.5 requests per second.");
    let (detail, next) = stands(json!({"state": "closed", "limit": null}));
    assert_eq!(detail, "", "there is nothing to say of it");
    assert!(next.contains("interlock target show hss"), "{next}");
}

#[test]
fn a_target_that_does_not_answer_how_it_stands_is_waited_for_all_the_same() {
    let a = order("A", 1);
    let why = World::default().order(&a, &[waits_for_target(&a)]).why(&a);
    assert_eq!((short(&why), &why.chain[0].target_state), (vec!["0 A target".to_owned()], &None));
}

#[test]
fn who_was_terminated_says_nothing_that_goes_on() {
    let (a, b) = (order("A", 1), order("B", 1));
    let mut chain = Chain::of(tenant(), a.clone());
    let ended = |links: Vec<Value>| ChainAnswer::Ended { ended: EntityEnd::Terminated, links: links_of(&json!(links)) };
    chain.question().unwrap();
    chain.hear(ended(vec![waits_for_target(&a)]));
    assert_eq!(chain.question(), None, "nobody is asked further");
    let why = chain.done();
    assert_eq!(
        (short(&why), why.chain[0].code.as_ref().map(ReasonCode::as_str)),
        (vec!["0 A person".to_owned()], Some("entity_ended"))
    );
    assert!(why.chain[0].next.as_ref().unwrap().contains("interlock customer recover A --tenant blue"));

    // A holder of what another one waits for.
    let world = World::default().order(&b, &[waits_for_lease(&b, "msisdn/1")]).held_by("msisdn/1", "A", json!({}));
    let mut chain = Chain::of(tenant(), b.clone());
    while let Some(question) = chain.question() {
        let is_holder = matches!(question, ChainQuestion::Keeps { .. });
        chain.hear(if is_holder { ended(Vec::new()) } else { world.answer(&question) });
    }
    let why = chain.done();
    let next = why.chain[1].next.clone().unwrap();
    assert!(next.contains("customer recover A --tenant blue, or interlock resource release msisdn/1"), "{next}");

    // An order that had ended before stays ended.
    let mut chain = Chain::of(tenant(), a.clone());
    chain.question().unwrap();
    chain.hear(ended(vec![json!({"order_id": a, "state": "completed"})]));
    assert_eq!(short(&chain.done()), ["0 A nothing"]);
}

#[test]
fn what_persons_said_of_a_target_is_left_out_for_who_may_not_see_it() {
    let said = json!({"state": "paused", "actor": "anna", "reason": "because", "limit": 0.0});
    let ChainAnswer::Target(shown) = target_answer(&said).without_persons() else { unreachable!() };
    assert_eq!((shown.actor, shown.reason, shown.limit), (None, None, Limit::STOPPED));
    assert_eq!(shown.state, TargetStateName::Paused);
}

#[test]
fn the_name_of_a_holder_at_which_the_chain_ends_is_left_out_for_who_may_not_see_it() {
    let holder = json!({"customer_id": "B", "tenant_id": "red"});
    let seen = |waits: &str| {
        let answer = resource_answer(&json!({"holder": holder, "waiting_for": waits}));
        let ChainAnswer::Resource(view, _) = answer.without_names_of(|tenant| tenant.as_str() == "red") else {
            unreachable!()
        };
        view.holder.and_then(|holder| holder.name())
    };
    assert_eq!(seen("orphan").as_deref(), Some(ANOTHER_TENANT));
    assert_eq!(seen("holder").as_deref(), Some("B"), "nobody asks that holder");
}
