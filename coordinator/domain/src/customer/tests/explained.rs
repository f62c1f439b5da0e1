//! What a customer reports about its open orders: lists, chains of waits, and what lists of entities show.

use std::collections::BTreeSet;

use super::*;
use crate::customer::turns::LOOKS;
use crate::customer::waiting::{WaitKind, WaitingFor};
use crate::error_code::ReasonCode;
use crate::ids::TargetId;
use crate::order::OrderState;

/// A customer with this many open orders: the first has its lease and calls the HSS, some want numbers that others have,
/// the rest wait for their turn, and the last ones for admission.
fn busy(orders: usize) -> Customer {
    let mut a = customer();
    a.limits.open_orders_max = orders;
    a.limits.state_bytes_max = usize::MAX;
    let waiting = orders / 10;
    for n in 0..orders - waiting {
        let resource: ResourceId = format!("msisdn/{}", n % 50).parse().unwrap();
        let assign = plan(
            &[(ClaimMode::Assign, resource.clone())],
            vec![step("hss.assign", std::slice::from_ref(&resource), &[]), step("crm.add", &[], &[0])],
        );
        let answer = if n % 50 == 0 { granted(7) } else { ClaimAnswer::Queued };
        a.step(later(n), Input::Submitted(Ok(event(&format!("e{n:04}")))));
        let admitted = vec![Admitted::Planned { plan: assign, answers: vec![(resource, answer)] }];
        let answer = AdmissionAnswer {
            admitted,
            limits: a.limits,
            attributes_registered: false,
            subscriptions: None,
            queue_assignment: None,
        };
        a.step(later(n), Input::Admitted(answer));
    }
    for n in orders - waiting..orders {
        a.step(later(n), Input::Submitted(Ok(event(&format!("e{n:04}")))));
    }
    a
}

/// A customer at its limit of open orders; building it takes a while.
fn at_its_limit() -> &'static Customer {
    static BUSY: std::sync::LazyLock<Customer> = std::sync::LazyLock::new(|| busy(1_000));
    &BUSY
}

fn later(ms: usize) -> Timestamp {
    NOW.plus_ms(ms as u64)
}

/// All pages of a filter.
fn all_pages(a: &Customer, filter: &OrderFilter) -> Vec<ListedOrder> {
    let (mut listed, mut filter) = (Vec::new(), filter.clone());
    loop {
        let page = a.open_orders(&filter);
        assert!(page.orders.len() <= filter.limit.unwrap_or(PAGE_DEFAULT));
        listed.extend(page.orders);
        match page.next {
            Some(next) => filter.after = Some(next),
            None => return listed,
        }
    }
}

#[test]
fn a_thousand_open_orders_are_listed_in_pages_each_once_by_their_keys() {
    let a = at_its_limit();
    let page = a.open_orders(&OrderFilter::default());
    assert_eq!((page.orders.len(), page.next.as_ref()), (PAGE_DEFAULT, Some(&order_id("e0099"))));
    let listed: Vec<OrderId> = all_pages(a, &OrderFilter::default()).into_iter().map(|one| one.order_id).collect();
    let expected: Vec<OrderId> = (0..1_000).map(|n| order_id(&format!("e{n:04}"))).collect();
    assert_eq!(listed, expected);
    let whole = a.open_orders(&OrderFilter { limit: Some(PAGE_MAX + 1), ..OrderFilter::default() });
    assert_eq!((whole.orders.len(), whole.next), (1_000, None));
    assert!(whole.orders.iter().all(|one| one.waiting_for.is_some()));
}

#[test]
fn an_open_order_is_looked_at_a_few_times_however_many_there_are() {
    let looks = |a: &Customer| {
        let orders = a.orders.len() + a.inbox.len();
        let all = OrderFilter { limit: Some(PAGE_MAX), ..OrderFilter::default() };
        let before = LOOKS.get();
        let listed = a.open_orders(&all).orders.len();
        assert_eq!((listed, a.view().orders.len()), (orders, orders));
        LOOKS.get() - before
    };
    let (few, many) = (looks(&busy(100)), looks(at_its_limit()));
    assert!(many <= few * 12, "ten times as many orders, {few} looks and {many} looks");
    assert!(many <= 10_000, "{many} looks");
}

#[test]
fn a_list_goes_on_where_it_stopped_though_the_order_it_stopped_at_is_over() {
    let mut a = customer();
    for id in ["e1", "e2", "e3"] {
        admit(&mut a, id, plan(&[], vec![step("hss.touch", &[], &[])]), vec![]);
    }
    let one = OrderFilter { limit: Some(1), ..OrderFilter::default() };
    let page = a.open_orders(&one);
    let first = page.next.clone().unwrap();
    assert_eq!(page.orders[0].order_id, first);
    let ended = a.orders[&first].key.clone();
    let event_of = ["e1", "e2", "e3"].into_iter().find(|id| order_id(id) == first).unwrap();
    a.step(NOW, done(event_of, 0));
    let rest = all_pages(&a, &OrderFilter { after: Some(first), ..one });
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|one| a.orders[&one.order_id].key > ended));
}

#[test]
fn a_list_can_be_narrowed_by_state_target_and_code() {
    let mut a = customer();
    admit(&mut a, "held", plan(&[], vec![step("hss.touch", &[], &[])]), vec![]);
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("no_such_imsi"), detail: "no such IMSI".to_owned() };
    a.step(later(5), Input::StepEnded { order: order_id("held"), step: 0, outcome });
    admit(&mut a, "runs", plan(&[], vec![step("crm.touch", &[], &[])]), vec![]);
    admit(&mut a, "waits", assign(), vec![(number(), ClaimAnswer::Queued)]);
    let ids = |filter: Value| -> BTreeSet<String> {
        let filter: OrderFilter = serde_json::from_value(filter).unwrap();
        a.open_orders(&filter).orders.into_iter().map(|one| one.event_id).collect()
    };
    assert_eq!(ids(json!({"states": ["held"]})), BTreeSet::from(["held".to_owned()]));
    assert_eq!(ids(json!({"states": ["held", "pending"]})).len(), 2);
    assert_eq!(ids(json!({"states": []})).len(), 0);
    assert_eq!(ids(json!({"target": "crm"})), BTreeSet::from(["runs".to_owned()]));
    assert_eq!(ids(json!({"target": "hss"})), BTreeSet::from(["held".to_owned()]));
    assert_eq!(ids(json!({"code": "no_such_imsi"})), BTreeSet::from(["held".to_owned()]));
    assert_eq!(ids(json!({"code": "another"})).len(), 0);
    let held = &a.open_orders(&OrderFilter { code: Some("no_such_imsi".to_owned()), ..Default::default() }).orders[0];
    assert_eq!(held.code.as_deref(), Some("no_such_imsi"));
    assert_eq!(held.since, later(5).to_rfc3339());
}

#[test]
fn the_time_by_which_an_order_is_due_counts_from_its_acceptance_and_ends_nothing() {
    let mut a = customer();
    let due = Plan { due_within_ms: Some(60_000), ..assign() };
    admit(&mut a, "e1", due, vec![(number(), ClaimAnswer::Queued)]);
    let due_at = NOW.plus_ms(60_000).to_rfc3339();
    assert_eq!(a.open_orders(&OrderFilter::default()).orders[0].due_at.as_ref(), Some(&due_at));
    assert_eq!(a.order_view(&order_id("e1")).unwrap().due_at, Some(due_at));
    a.step(NOW.plus_ms(120_000), Input::Resumed);
    assert_eq!(a.state_of(&order_id("e1")), Some(OrderState::Pending));
}

/// An order that waits for a lease, one behind it in its lane, and one behind that.
fn queue_of_three() -> Customer {
    let mut a = customer();
    let two = plan(
        &[(ClaimMode::Assign, number()), (ClaimMode::Assign, other_number())],
        vec![step("hss.assign", &[number()], &[]), step("hss.assign#2", &[other_number()], &[0])],
    );
    let queued = |resource: ResourceId| (resource, ClaimAnswer::Queued);
    admit(&mut a, "e1", two, vec![queued(number()), queued(other_number())]);
    for (id, ms) in [("e2", 1), ("e3", 2)] {
        a.step(later(ms), Input::Submitted(Ok(event(id))));
        a.step(later(ms), planned(plan(&[], vec![step("hss.touch", &[], &[])]), vec![]));
    }
    a
}

fn other_number() -> ResourceId {
    "msisdn/2".parse().unwrap()
}

#[test]
fn a_turn_is_explained_by_the_order_that_holds_up_the_lane_and_that_by_what_it_waits_for() {
    let a = queue_of_three();
    let links = a.why(&order_id("e3")).unwrap().links;
    let said: Vec<_> = links.iter().map(|link| (link.order_id.clone(), link.wait(), link.behind.clone())).collect();
    let first = order_id("e1");
    assert_eq!(
        said,
        [(order_id("e3"), Some(WaitKind::Turn), Some(first.clone())), (first, Some(WaitKind::Lease), None)]
    );
    assert_eq!(links[0].target.as_ref().map(TargetId::as_str), Some("hss"));
    assert_eq!(links[0].since, later(2).to_rfc3339());
    assert_eq!(links[1].resource, Some(number()));
    assert_eq!(links[1].resources, [number(), other_number()], "all that are missing");
    assert_eq!(links[1].step.as_deref(), Some("hss.assign"));
    assert!(links[0].detail.contains("one of 2 orders before it"), "{}", links[0].detail);
    assert!(links.iter().all(|link| link.detail.ends_with('.')));
}

#[test]
fn a_release_that_passes_an_order_is_not_said_to_wait_behind_it() {
    let mut a = queue_of_three();
    let third: ResourceId = "msisdn/3".parse().unwrap();
    let release =
        plan(&[(ClaimMode::Release, third.clone())], vec![step("hss.release", std::slice::from_ref(&third), &[])]);
    // It has not started: its lease is in flight.
    admit(&mut a, "e4", release, vec![(third.clone(), ClaimAnswer::Queued)]);
    let links = a.why(&order_id("e4")).unwrap().links;
    assert_eq!((links.len(), links[0].wait(), links[0].resource.as_ref()), (1, Some(WaitKind::Lease), Some(&third)));
    let same = plan(&[(ClaimMode::Lock, number())], vec![step("hss.lock", &[number()], &[])]);
    admit(&mut a, "e5", same, vec![(number(), ClaimAnswer::Queued)]);
    assert_eq!(a.why(&order_id("e5")).unwrap().links[0].wait(), Some(WaitKind::Lease));
}

#[test]
fn an_order_behind_one_that_is_at_work_on_the_same_number_waits_for_that_order() {
    let mut a = customer();
    let both = plan(
        &[(ClaimMode::Assign, number())],
        vec![step("hss.assign", &[number()], &[]), step("crm.add", &[number()], &[0])],
    );
    admit(&mut a, "e1", both, vec![(number(), granted(7))]);
    a.step(NOW, done("e1", 0));
    let lock = plan(&[(ClaimMode::Lock, number())], vec![step("hss.lock", &[number()], &[])]);
    admit(&mut a, "e2", lock, vec![]);
    let links = a.why(&order_id("e2")).unwrap().links;
    let waits: Vec<_> = links.iter().map(WaitLink::wait).collect();
    assert_eq!(waits, [Some(WaitKind::Turn), Some(WaitKind::Target)]);
    assert_eq!(links[0].behind, Some(order_id("e1")));
}

#[test]
fn a_call_that_may_have_been_sent_is_settled_first_and_says_so() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let waits = |a: &Customer| a.why(&order_id("e1")).unwrap().links[0].wait();
    assert_eq!(waits(&a), Some(WaitKind::Target));
    a.step(NOW, Input::StepInterrupted { order: order_id("e1"), step: 0 });
    a.step(NOW, Input::Resumed);
    assert_eq!(waits(&a), Some(WaitKind::Settling));
    let outcome = Outcome::Ambiguous { detail: "nobody knows".to_owned() };
    a.step(NOW, Input::StepEnded { order: order_id("e1"), step: 0, outcome });
    let link = &a.why(&order_id("e1")).unwrap().links[0];
    assert_eq!((link.wait(), link.code.as_deref()), (Some(WaitKind::Person), Some("ambiguous")));
    assert!(matches!(a.waiting_for(&order_id("e1")), Some(WaitingFor::Person { .. })));
}

#[test]
fn what_waits_for_admission_is_over_or_unknown_is_said_so() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    let link = &a.why(&order_id("e1")).unwrap().links[0];
    assert_eq!((link.state.known(), link.wait()), (Some(OrderState::Acknowledged), Some(WaitKind::Admission)));
    a.step(NOW, planned(assign(), vec![(number(), granted(7))]));
    a.step(later(9), done("e1", 0));
    let links = a.why(&order_id("e1")).unwrap().links;
    assert_eq!((links.len(), links[0].state.known(), links[0].wait()), (1, Some(OrderState::Completed), None));
    assert_eq!(links[0].since, later(9).to_rfc3339());
    assert_eq!(a.why(&order_id("never")), None);
}

#[test]
fn a_customer_says_why_it_keeps_a_lease() {
    let mut a = customer();
    assert_eq!((a.keeps(&number()).holds, a.keeps(&number()).order_id), (false, None));
    admit(&mut a, "e1", assign(), vec![(number(), ClaimAnswer::Queued)]);
    let keeping = a.keeps(&number());
    assert_eq!((keeping.holds, keeping.order_id), (false, Some(order_id("e1"))));
    let ticket = TicketId::derive(&order_id("e1"), &number(), Incarnation(1));
    let notice = Notice::LeaseGranted { ticket, epoch: Epoch(7), registered: false, recall: None };
    a.step(later(3), Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice }));
    let keeping = a.keeps(&number());
    assert_eq!((keeping.holds, keeping.epoch, keeping.order_id), (true, Some(Epoch(7)), Some(order_id("e1"))));
    assert_eq!(keeping.since, Some(later(3).to_rfc3339()));
    a.step(NOW, done("e1", 0));
    let keeping = a.keeps(&number());
    assert_eq!((keeping.holds, keeping.order_id), (true, None));
    assert_eq!(keeping.detail, "The customer holds it until an event releases it; no open order names it.");
}

#[test]
fn the_order_that_has_begun_is_named_before_an_older_one_as_what_keeps_a_lease() {
    let mut a = customer();
    admit(&mut a, "e1", assign(), vec![(number(), granted(7))]);
    let older = Event { time: Some(Timestamp(NOW.0 - 1)), ..event("e0") };
    a.step(NOW, Input::Submitted(Ok(older)));
    let lock = plan(&[(ClaimMode::Lock, number())], vec![step("hss.lock", &[number()], &[])]);
    a.step(NOW, planned(lock, vec![]));
    assert_eq!(a.keeps(&number()).order_id, Some(order_id("e1")));
}

/// What was shown by these effects.
fn shown(effects: &[Effect]) -> Vec<(ShownState, bool)> {
    let shown = effects.iter().filter_map(|effect| match effect {
        Effect::Show { state, is_first } => Some((*state, *is_first)),
        _ => None,
    });
    shown.collect()
}

/// An admission on a server that knows the search attributes.
fn registered(input: Input) -> Input {
    match input {
        Input::Admitted(answer) => Input::Admitted(AdmissionAnswer { attributes_registered: true, ..answer }),
        other => other,
    }
}

#[test]
fn lists_show_a_change_of_state_once_and_only_where_the_attributes_are_registered() {
    let mut a = customer();
    let touch = || plan(&[], vec![step("hss.touch", &[], &[])]);
    assert_eq!(shown(&admit(&mut a, "e0", touch(), vec![])), []);
    a.step(NOW, done("e0", 0));
    assert_eq!(shown(&a.step(NOW, Input::Submitted(Ok(event("e1"))))), [], "nobody said yet that they are registered");
    assert_eq!(shown(&a.step(NOW, registered(planned(touch(), vec![])))), [(ShownState::Waiting, true)]);
    assert_eq!(shown(&a.step(NOW, Input::Submitted(Ok(event("e2"))))), [], "it waits already");
    assert_eq!(shown(&a.step(NOW, registered(planned(touch(), vec![])))), []);
    assert_eq!(shown(&a.step(NOW, done("e1", 0))), []);
    let outcome = Outcome::Permanent { code: ReasonCode::of_target("no"), detail: "no".to_owned() };
    let failed = Input::StepEnded { order: order_id("e2"), step: 0, outcome };
    assert_eq!(shown(&a.step(NOW, failed)), [(ShownState::Held, false)]);
    let action: Action =
        serde_json::from_value(json!({"action_id": "x", "order_id": order_id("e2"), "action": "retry",
        "actor": "ann", "reason": "again"}))
        .unwrap();
    assert_eq!(shown(&a.act(NOW, &action).1), [(ShownState::Waiting, false)]);
    assert_eq!(shown(&a.step(NOW, done("e2", 0))), [(ShownState::Normal, false)]);
    assert_eq!(shown(&a.step(NOW, Input::Submitted(Ok(event("e3"))))), [(ShownState::Waiting, false)]);
}

#[test]
fn a_new_run_shows_its_state_again_since_the_run_before_may_have_ended_before_it_did() {
    let mut a = customer();
    a.step(NOW, Input::Submitted(Ok(event("e1"))));
    a.step(NOW, registered(planned(assign(), vec![(number(), ClaimAnswer::Queued)])));
    let mut next: Customer = serde_json::from_value(serde_json::to_value(&a).unwrap()).unwrap();
    assert_eq!(shown(&next.step(NOW, Input::Resumed)), [(ShownState::Waiting, false)]);
}

#[test]
fn the_state_of_a_build_before_lists_is_read() {
    let mut json = serde_json::to_value(queue_of_three()).unwrap();
    json.as_object_mut().unwrap().retain(|key, _| !["attributes_registered", "shown"].contains(&key.as_str()));
    for order in json["orders"].as_object_mut().unwrap().values_mut() {
        order.as_object_mut().unwrap().remove("due_at");
    }
    let read: Customer = serde_json::from_value(json).unwrap();
    assert_eq!((read.shown, read.orders.len()), (None, 3));
}
