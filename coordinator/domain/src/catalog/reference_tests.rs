//! What the shipped catalog plans for each event.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error_code::ErrorCode;
use crate::event::EVENT_BYTES_MAX;
use crate::ids::{CustomerId, ResourceId, Timestamp};
use crate::order::{Claim, ClaimMode, Plan, Rejection, ReleaseWhen};

const ACCEPTED_AT: Timestamp = Timestamp(1_800_000_000_000);

#[allow(clippy::needless_pass_by_value)] // Literals of `json!` read best as values.
fn event(event_type: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": "e1", "source": "/crm", "type": event_type, "subject": "A1", "data": data})
}

/// The plan that a customer's entity makes of an event, if the customer holds `holdings`.
fn planned_at(customer: &str, holdings: &[&str], event: &Value) -> Result<Planned, Rejection> {
    planned_by(&Catalog::reference(), customer, holdings, event)
}

fn planned_by(catalog: &Catalog, customer: &str, holdings: &[&str], event: &Value) -> Result<Planned, Rejection> {
    let holdings = holdings.iter().map(|text| (text.parse::<ResourceId>().unwrap(), None)).collect();
    let context = PlanContext {
        tenant: &"default".parse().unwrap(),
        customer: &customer.parse().unwrap(),
        accepted_at: ACCEPTED_AT,
        targets: &[("hss".parse().unwrap(), "hss-east".parse().unwrap())].into(),
        holdings: &holdings,
        limits: &EntityLimits::default(),
    };
    catalog.plan(&context, &Event::from_value(event, EVENT_BYTES_MAX)?)
}

fn planned(event_type: &str, data: Value) -> Plan {
    planned_at("A1", &[], &event(event_type, data)).unwrap().plan
}

fn refused(event_type: &str, data: Value) -> Rejection {
    planned_at("A1", &[], &event(event_type, data)).unwrap_err()
}

/// Each step as `name(resources) after`.
fn outline(plan: &Plan) -> Vec<String> {
    let line = |step: &crate::order::PlannedStep| {
        let resources = step.resources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        format!("{}({resources}) {:?}", step.name, step.after)
    };
    plan.steps.iter().map(line).collect()
}

fn claims(plan: &Plan) -> Vec<(ClaimMode, String)> {
    plan.claims.iter().map(|claim| (claim.mode, claim.resource.to_string())).collect()
}

fn moved() -> Value {
    event(
        "number.moved",
        json!({
            "msisdn": "+1 206-555-1234",
            "from": {"customer_id": "A1", "imsi": "001010000000001"},
            "to": {"customer_id": "A2", "imsi": "001010000000002"},
        }),
    )
}

#[test]
fn the_orders_of_an_event_are_known_before_it_is_planned() {
    let (catalog, tenant) = (Catalog::reference(), "default".parse().unwrap());
    let orders = |event: &Value| {
        let event = Event::from_value(event, EVENT_BYTES_MAX).unwrap();
        catalog.orders_of(&tenant, &event)
    };
    let both = orders(&moved()).unwrap();
    let planned = planned_at("A1", &["msisdn/12065551234"], &moved()).unwrap();
    assert_eq!(both, [planned.order, planned.forward.unwrap().order]);
    let one = event("number.assigned", json!({"imsi": "001010000000001", "msisdn": "12065551234"}));
    assert_eq!(orders(&one).unwrap(), [planned_at("A1", &[], &one).unwrap().order]);
    assert_eq!(orders(&event("number.assigned", json!({}))).unwrap_err().code, ErrorCode::InvalidData);
}

#[test]
fn the_shipped_catalog_is_sound_and_has_the_event_types_of_the_contract() {
    let catalog = Catalog::parse(REFERENCE_TEXT).unwrap();
    assert_eq!(
        catalog.event_types().collect::<Vec<_>>(),
        [
            "customer.resumed",
            "customer.suspended",
            "customer.terminated",
            "number.assigned",
            "number.changed",
            "number.moved",
            "number.unassigned",
            "quota.exceeded",
            "service.updated",
            "sim.swapped",
            "subscriber.activated",
        ]
    );
    assert_eq!(catalog.digest(), &hex::encode(Sha256::digest(REFERENCE_TEXT))[..16]);
    assert_eq!(catalog.kinds().map(ResourceKind::as_str).collect::<Vec<_>>(), ["imsi", "msisdn"]);
    assert!(catalog.realms().is_empty());
}

#[test]
fn an_activation_assigns_the_sim_and_the_number() {
    let plan = planned(
        "subscriber.activated",
        json!({"imsi": "001010000000001", "iccid": "8901000000000000001", "msisdn": "12065551234", "profile": "gold"}),
    );
    assert_eq!(
        claims(&plan),
        [(ClaimMode::Assign, "imsi/001010000000001".to_owned()), (ClaimMode::Assign, "msisdn/12065551234".to_owned()),]
    );
    assert_eq!(
        outline(&plan),
        [
            "hss.create_subscriber(imsi/001010000000001) []",
            "hss.assign_number(msisdn/12065551234) [0]",
            "crm.open_account() [1]",
        ]
    );
    assert_eq!(plan.steps[0].compensation.as_deref(), Some("remove_subscriber"));
    assert_eq!(plan.steps[0].data["iccid"], "8901000000000000001");
    assert_eq!(plan.steps[2].data["customer_id"], "A1");
}

#[test]
fn an_assignment_carries_what_the_resource_needs_to_know() {
    let plan = planned("number.assigned", json!({"imsi": "001010000000001", "msisdn": "+1 206-555-1234"}));
    let Claim { resource, target_identity, policy, .. } = &plan.claims[0];
    assert_eq!(resource.to_string(), "msisdn/12065551234");
    assert_eq!(target_identity.as_deref(), Some("001010000000001"));
    let authority = policy.authority.as_ref().unwrap();
    assert_eq!((authority.target.as_str(), authority.operation.as_str()), ("hss-east", "find_holder"));
    assert_eq!((policy.orphan_settle_ms, policy.fresh_wait_ms), (90_000, 5_000));
    assert_eq!(outline(&plan), ["hss.assign_number(msisdn/12065551234) []", "crm.add_number() [0]"]);
    assert_eq!(plan.steps[0].target.as_str(), "hss-east");
    assert_eq!(plan.steps[1].target.as_str(), "crm");
    assert_eq!(plan.steps[0].attempt_timeout_ms, 30_000);
    assert_eq!(Value::Object(plan.steps[0].data.clone()), json!({"imsi": "001010000000001", "msisdn": "12065551234"}));
}

#[test]
fn a_change_of_number_releases_the_old_one_when_the_new_one_is_granted() {
    let plan =
        planned("number.changed", json!({"imsi": "001010000000001", "old_msisdn": "1111", "new_msisdn": "2222"}));
    assert_eq!(
        claims(&plan),
        [(ClaimMode::Assign, "msisdn/2222".to_owned()), (ClaimMode::Release, "msisdn/1111".to_owned())]
    );
    assert_eq!(plan.claims[1].release_when, ReleaseWhen::Granted);
    assert_eq!(
        outline(&plan),
        ["hss.release_number(msisdn/1111) []", "hss.assign_number(msisdn/2222) [0]", "crm.change_number() [1]"]
    );
}

#[test]
fn a_change_to_the_same_number_however_written_is_refused() {
    let data = json!({"imsi": "001010000000001", "old_msisdn": "1-111", "new_msisdn": "+1111"});
    assert_eq!(refused("number.changed", data).code, "not_distinct");
    let data = json!({"old_imsi": "00101", "new_imsi": "00101", "msisdn": "1111"});
    assert_eq!(refused("sim.swapped", data).code, "not_distinct");
}

#[test]
fn a_sim_swap_locks_the_number_and_names_all_three() {
    let plan = planned("sim.swapped", json!({"old_imsi": "00101", "new_imsi": "00102", "msisdn": "1111"}));
    assert_eq!(
        claims(&plan),
        [
            (ClaimMode::Lock, "msisdn/1111".to_owned()),
            (ClaimMode::Assign, "imsi/00102".to_owned()),
            (ClaimMode::Release, "imsi/00101".to_owned()),
        ]
    );
    assert_eq!(outline(&plan), ["hss.swap_sim(imsi/00101 imsi/00102 msisdn/1111) []", "crm.update_sim() [0]"]);
}

#[test]
fn services_are_updated_side_by_side_with_their_settings_as_they_came() {
    let plan = planned("service.updated", json!({"imsi": "00101", "settings": {"roaming": true, "limits": [1, 2]}}));
    assert_eq!(outline(&plan), ["hss.update_service() []", "crm.update_service() []"]);
    assert_eq!(plan.steps[0].data["settings"], json!({"roaming": true, "limits": [1, 2]}));
    assert!(plan.claims.is_empty() && !plan.urgent && !plan.unordered);
}

#[test]
fn a_suspension_is_urgent_and_a_quota_needs_no_turn() {
    let plan = planned("customer.suspended", json!({"imsi": "00101", "reason": "fraud"}));
    assert!(plan.urgent);
    assert_eq!(plan.steps[0].data["enabled"], json!(false));
    assert_eq!(plan.steps[1].data["status"], "suspended");
    let plan = planned("customer.resumed", json!({"imsi": "00101", "reason": "paid"}));
    assert_eq!(plan.steps[0].data["enabled"], json!(true));
    let plan = planned("quota.exceeded", json!({"msisdn": "1111", "kind": "data", "limit": 10}));
    assert!(plan.unordered);
    assert_eq!(plan.expires_after_ms, Some(6 * 60 * 60 * 1000));
    assert_eq!(plan.steps[0].data["limit"], json!(10));
    assert_eq!(Catalog::reference().ordering("quota.exceeded"), Some(Ordering::None));
}

#[test]
fn a_termination_releases_all_that_the_customer_holds() {
    let event = event("customer.terminated", json!({"imsi": "00101"}));
    let plan = planned_at("A1", &["imsi/00101", "ip/10.0.0.1", "msisdn/1111", "msisdn/2222"], &event).unwrap().plan;
    assert!(plan.claims.iter().all(|claim| claim.mode == ClaimMode::Release));
    assert_eq!(
        claims(&plan).into_iter().map(|(_, resource)| resource).collect::<Vec<_>>(),
        ["imsi/00101", "ip/10.0.0.1", "msisdn/1111", "msisdn/2222"]
    );
    assert_eq!(
        outline(&plan),
        [
            "hss.release_number(msisdn/1111) []",
            "hss.release_number#2(msisdn/2222) []",
            "hss.remove_subscriber(imsi/00101) [0, 1]",
            "crm.close_account() [2]",
        ]
    );
    assert_eq!(plan.steps[1].data["msisdn"], "2222");
}

#[test]
fn a_termination_of_one_who_holds_nothing_still_closes_the_account() {
    let plan = planned("customer.terminated", json!({"imsi": "00101"}));
    assert!(plan.claims.is_empty());
    assert_eq!(outline(&plan), ["crm.close_account() []"], "the SIM that it names may be anybody's");
}

#[test]
fn a_termination_removes_the_sims_that_the_customer_holds_and_not_the_one_that_the_event_names() {
    let event = event("customer.terminated", json!({"imsi": "00109"}));
    let plan = planned_at("A1", &["imsi/00101", "imsi/00102"], &event).unwrap().plan;
    assert_eq!(
        outline(&plan),
        [
            "hss.remove_subscriber(imsi/00101) []",
            "hss.remove_subscriber#2(imsi/00102) []",
            "crm.close_account() [0, 1]"
        ]
    );
    assert_eq!((&plan.steps[0].data["imsi"], &plan.steps[1].data["imsi"]), (&json!("00101"), &json!("00102")));
}

#[test]
fn a_step_that_names_all_held_sims_is_planned_for_those_and_not_for_what_the_event_names() {
    // As in the reference catalog of 0.1.0.
    let text = REFERENCE_TEXT.replace(
        r#"each = "imsi/*", with = { imsi = "{@held}" }, resources = ["imsi/{@held}"]"#,
        r#"with = { imsi = "{imsi}" }, resources = ["imsi/*"]"#,
    );
    assert_ne!(text, REFERENCE_TEXT);
    let catalog = Catalog::parse(&text).unwrap();
    let event = event("customer.terminated", json!({"imsi": "00109"}));
    let nothing = planned_by(&catalog, "A1", &[], &event).unwrap().plan;
    assert_eq!(outline(&nothing), ["crm.close_account() []"]);
    let plan = planned_by(&catalog, "A1", &["imsi/00101", "imsi/00102"], &event).unwrap().plan;
    assert_eq!(outline(&plan)[..2], ["hss.remove_subscriber(imsi/00101) []", "hss.remove_subscriber#2(imsi/00102) []"]);
    assert_eq!((&plan.steps[0].data["imsi"], &plan.steps[1].data["imsi"]), (&json!("00101"), &json!("00102")));
    assert_eq!(plan.steps[0].fixed, ["imsi"], "and nobody may amend it");
}

#[test]
fn a_plan_is_taken_up_to_its_limit_and_not_a_part_above_it() {
    let event = event("customer.terminated", json!({"imsi": "00101"}));
    // One step is planned even without a number.
    let holding = |count: usize| (0..count).map(|number| format!("msisdn/1{number:04}")).collect::<Vec<_>>();
    let plan = |numbers: Vec<String>| planned_at("A1", &numbers.iter().map(String::as_str).collect::<Vec<_>>(), &event);
    assert_eq!(plan(holding(PLAN_PARTS_MAX - 1)).unwrap().plan.steps.len(), PLAN_PARTS_MAX);
    assert_eq!(plan(holding(PLAN_PARTS_MAX)).unwrap_err().code, "plan_too_large");
}

#[test]
fn a_move_is_released_by_the_giver_and_assigned_by_the_receiver() {
    let tenant = "default".parse().unwrap();
    let id = |customer: &str, role| OrderId::derive(&tenant, &customer.parse().unwrap(), "/crm", "e1", role);
    let giving = planned_at("A1", &[], &moved()).unwrap();
    assert_eq!(giving.order, id("A1", None));
    assert_eq!(claims(&giving.plan), [(ClaimMode::Release, "msisdn/12065551234".to_owned())]);
    assert_eq!(outline(&giving.plan), ["hss.release_number(msisdn/12065551234) []", "crm.remove_number() [0]"]);
    assert_eq!(giving.plan.steps[0].data["imsi"], "001010000000001");

    let forward = giving.forward.unwrap();
    assert_eq!((forward.customer.as_str(), &forward.order), ("A2", &id("A2", Some("to"))));
    let receiving = planned_at("A2", &[], &forward.event).unwrap();
    assert_eq!(receiving.order, forward.order);
    assert_eq!(receiving.forward, None);
    assert_eq!(claims(&receiving.plan), [(ClaimMode::Assign, "msisdn/12065551234".to_owned())]);
    assert_eq!(outline(&receiving.plan), ["hss.assign_number(msisdn/12065551234) []", "crm.add_number() [0]"]);
    assert_eq!(receiving.plan.steps[0].data["imsi"], "001010000000002");
    assert_eq!(receiving.plan.steps[1].data["customer_id"], "A2");
}

#[test]
fn both_halves_of_a_move_have_one_place_in_time() {
    let forwarded = |event: &Value| planned_at("A1", &[], event).unwrap().forward.unwrap().event;
    let read = |event: &Value| Event::from_value(event, EVENT_BYTES_MAX).unwrap();
    assert_eq!(read(&forwarded(&moved())).time, Some(ACCEPTED_AT));
    let mut timed = moved();
    timed["time"] = json!("2026-01-31T12:00:00.123456Z");
    timed["sequence"] = json!(7);
    let passed_on = read(&forwarded(&timed));
    assert_eq!(passed_on.time, read(&timed).time);
    assert_eq!(passed_on.sequence.as_deref(), Some("7"));
}

#[test]
fn the_half_that_is_passed_on_is_stamped_with_the_acceptance_of_the_giving_one() {
    let passed_on = |time: Option<Timestamp>, stamp: Option<Timestamp>| {
        let mut event = moved();
        for (name, value) in [("time", time), ("acceptedat", stamp)] {
            value.inspect(|value| event[name] = json!(value.to_rfc3339()));
        }
        let forwarded = planned_at("A1", &[], &event).unwrap().forward.unwrap().event;
        Event::from_value(&forwarded, EVENT_BYTES_MAX).unwrap()
    };
    let (before, after) = (Timestamp(ACCEPTED_AT.0 - 1), Timestamp(ACCEPTED_AT.0 + 1));
    assert_eq!(passed_on(None, None).accepted_at, Some(ACCEPTED_AT));
    assert_eq!(passed_on(Some(before), Some(ACCEPTED_AT)).accepted_at, Some(ACCEPTED_AT));
    assert_eq!(passed_on(Some(ACCEPTED_AT), Some(ACCEPTED_AT)).accepted_at, Some(ACCEPTED_AT));
    assert_eq!(
        passed_on(Some(after), None).accepted_at,
        Some(ACCEPTED_AT),
        "else its place would be that of its arrival"
    );
    assert_eq!(
        passed_on(Some(after), Some(after)).accepted_at,
        Some(ACCEPTED_AT),
        "a stamp that is not trusted is not kept"
    );
    // The giving order was sorted by the event's own time.
    assert_eq!(passed_on(Some(ACCEPTED_AT), None).accepted_at, None);
}

#[test]
fn a_half_that_would_be_too_large_with_a_stamp_is_passed_on_without() {
    let event = moved();
    let passed_on = planned_at("A1", &[], &event).unwrap().forward.unwrap().event;
    let limits = EntityLimits { event_bytes_max: passed_on.to_string().len(), ..EntityLimits::default() };
    let plan = |limits: &EntityLimits| {
        let context = PlanContext {
            tenant: &"default".parse().unwrap(),
            customer: &"A1".parse().unwrap(),
            accepted_at: ACCEPTED_AT,
            targets: &BTreeMap::new(),
            holdings: &BTreeMap::new(),
            limits,
        };
        let event = Event::from_value(&event, EVENT_BYTES_MAX).unwrap();
        Catalog::reference().plan(&context, &event).unwrap().forward.unwrap().event
    };
    assert!(plan(&limits).get("acceptedat").is_some());
    let smaller = EntityLimits { event_bytes_max: limits.event_bytes_max - 1, ..limits };
    assert!(plan(&smaller).get("acceptedat").is_none());
}

#[test]
fn the_id_of_the_order_can_be_known_before_it_is_planned() {
    let catalog = Catalog::reference();
    let tenant = "default".parse().unwrap();
    let read = |event: &Value| Event::from_value(event, EVENT_BYTES_MAX).unwrap();
    let forward = planned_at("A1", &[], &moved()).unwrap().forward.unwrap();
    assert_eq!(catalog.order_id(&tenant, &read(&moved())), planned_at("A1", &[], &moved()).unwrap().order);
    assert_eq!(catalog.order_id(&tenant, &read(&forward.event)), forward.order);
    let plain = event("number.assigned", json!({"imsi": "00101", "msisdn": "1111"}));
    assert_eq!(catalog.order_id(&tenant, &read(&plain)), planned_at("A1", &[], &plain).unwrap().order);
}

#[test]
fn hostile_moves_are_rejected() {
    let code = |customer: &str, event: &Value| planned_at(customer, &[], event).unwrap_err().code;
    let with = |path: &str, value: Value| {
        let mut event = moved();
        *event.pointer_mut(path).unwrap() = value;
        event
    };
    assert_eq!(code("A1", &with("/data/to/customer_id", json!("A1"))), "same_customer");
    assert_eq!(code("A1", &with("/data/from/customer_id", json!("A3"))), "subject_mismatch");
    assert_eq!(code("A1", &with("/data/to/customer_id", json!(".."))), "invalid_data");
    assert_eq!(code("A1", &with("/data/to/customer_id", json!("a\nb"))), "invalid_data");
    assert_eq!(code("A1", &with("/data/to/customer_id", json!(7))), "invalid_data");
    assert_eq!(code("A1", &with("/data/to/imsi", json!("x"))), "invalid_data");
    assert_eq!(code("A1", &with("/data/to", json!([]))), "invalid_data");
    let mut forged = moved();
    forged["interlockrole"] = json!("to");
    assert_eq!(code("A1", &forged), "subject_mismatch");
    let mut forged = event("number.assigned", json!({"imsi": "00101", "msisdn": "1111"}));
    forged["interlockrole"] = json!("to");
    assert_eq!(code("A1", &forged), "unexpected_role");
}

#[test]
fn a_move_that_could_not_be_passed_on_is_not_begun() {
    let mut event = moved();
    let room = EVENT_BYTES_MAX - event.to_string().len() - r#""filler":"","#.len();
    event["data"]["filler"] = json!("x".repeat(room));
    assert_eq!(event.to_string().len(), EVENT_BYTES_MAX);
    assert_eq!(planned_at("A1", &[], &event).unwrap_err().code, "event_too_large");
}

#[test]
fn an_event_for_somebody_else_or_of_no_known_type_is_rejected() {
    let assigned = event("number.assigned", json!({"imsi": "00101", "msisdn": "1111"}));
    assert_eq!(planned_at("A2", &[], &assigned).unwrap_err().code, "wrong_customer");
    assert_eq!(refused("number.stolen", json!({})).code, "unknown_event_type");
}

#[test]
fn invalid_data_are_rejected_without_repeating_them() {
    for data in [
        json!({}),
        json!({"imsi": "00101"}),
        json!({"imsi": "00101", "msisdn": null}),
        json!({"imsi": "00101", "msisdn": 1_206_555}),
        json!({"imsi": "00101", "msisdn": "secret"}),
        json!({"imsi": "00101", "msisdn": ""}),
        json!({"imsi": "00101", "msisdn": "1234567890123456"}),
        json!({"imsi": "0010", "msisdn": "1111"}),
    ] {
        let rejection = refused("number.assigned", data.clone());
        assert_eq!(rejection.code, "invalid_data", "{data}");
        assert!(rejection.detail.contains("imsi") || rejection.detail.contains("msisdn"), "{rejection}");
        assert!(!rejection.detail.contains("secret") && !rejection.detail.contains("1206555"), "{rejection}");
    }
    let rejection = refused("customer.suspended", json!({"imsi": "00101", "reason": 77_123}));
    assert!(rejection.detail.contains("data.reason") && !rejection.detail.contains("77123"), "{rejection}");
}

/// Data for any event type of the shipped catalog, most of it valid.
fn reference_event() -> impl Strategy<Value = Value> {
    let catalog = Catalog::reference();
    let types: Vec<String> = catalog.event_types().map(str::to_owned).collect();
    let number = "[+]?[1-3][ -]?[0-9]{0,2}";
    (prop::sample::select(types), number, number, "0010[1-3]", "0010[1-3]", "A[1-3]", "A[1-3]").prop_map(
        |(event_type, one, two, old, new, giving, receiving)| {
            let mut event = event(&event_type, json!({
                "imsi": old, "old_imsi": old, "new_imsi": new, "iccid": "8901000000000000001", "profile": "gold",
                "msisdn": one, "old_msisdn": one, "new_msisdn": two, "settings": {}, "reason": "", "kind": "data", "limit": 1,
                "from": {"customer_id": giving, "imsi": old}, "to": {"customer_id": receiving, "imsi": new},
            }));
            event["subject"] = json!(giving);
            event
        },
    )
}

fn assert_self_consistent(plan: &Plan) {
    let claimed: BTreeSet<_> = plan.claims.iter().map(|claim| &claim.resource).collect();
    assert_eq!(claimed.len(), plan.claims.len(), "a resource is claimed once");
    let names: BTreeSet<_> = plan.steps.iter().map(|step| &step.name).collect();
    assert_eq!(names.len(), plan.steps.len(), "step names are unique");
    for (index, step) in plan.steps.iter().enumerate() {
        assert!(step.resources.iter().all(|resource| claimed.contains(resource)), "resources are claimed");
        assert!(step.after.iter().all(|after| *after < index), "a step comes after earlier ones");
    }
}

proptest! {
    #[test]
    fn every_plan_is_consistent_in_itself_and_the_same_again(
        event in reference_event(),
        holdings in prop::collection::btree_set("(msisdn/[1-3][0-9]|imsi/0010[1-3]|ip/[1-3])", 0..6),
    ) {
        let holdings: Vec<&str> = holdings.iter().map(String::as_str).collect();
        let subject = event["subject"].as_str().unwrap();
        let first = planned_at(subject, &holdings, &event);
        prop_assert_eq!(&first, &planned_at(subject, &holdings, &event));
        match first {
            Ok(planned) => {
                assert_self_consistent(&planned.plan);
                if let Some(forward) = planned.forward {
                    let other = planned_at(forward.customer.as_str(), &[], &forward.event).unwrap();
                    prop_assert_eq!(&other.order, &forward.order);
                    assert_self_consistent(&other.plan);
                }
            }
            Err(rejection) => prop_assert!(
                ["not_distinct", "same_customer", "invalid_data"].contains(&rejection.code.as_str()), "{}", rejection
            ),
        }
    }

    #[test]
    fn no_data_make_planning_panic(
        event in reference_event(),
        field in "(imsi|msisdn|from|to|settings|limit|reason|old_msisdn)",
        value in prop_oneof![
            Just(json!(null)), Just(json!([[]])), Just(json!({"customer_id": {}})), Just(json!(-1.5)), Just(json!(true)),
            ".{0,300}".prop_map(Value::from),
        ],
    ) {
        let mut event = event;
        event["data"][field] = value;
        let customer: CustomerId = event["subject"].as_str().unwrap().parse().unwrap();
        let _ = planned_at(customer.as_str(), &["msisdn/1111"], &event);
    }
}

#[test]
fn an_event_can_be_validated_without_its_customer() {
    let validate = |event: &Value| {
        let event = Event::from_value(event, EVENT_BYTES_MAX).unwrap();
        Catalog::reference().validate(&event).map_err(|rejection| rejection.code)
    };
    assert_eq!(validate(&moved()), Ok(()));
    assert_eq!(validate(&event("number.stolen", json!({}))), Err(ErrorCode::UnknownEventType.into()));
    assert_eq!(validate(&event("number.assigned", json!({}))), Err(ErrorCode::InvalidData.into()));
}

#[test]
fn a_kind_says_its_realm_and_an_event_type_when_it_is_due() {
    let text = REFERENCE_TEXT
        .replace("[resources.imsi]", "[resources.imsi]\nrealm = \"shared-hss\"")
        .replace("[events.\"number.assigned\"]", "[events.\"number.assigned\"]\ndue_within = \"1h 30m\"");
    let catalog = Catalog::parse(&text).unwrap();
    assert_eq!(catalog.realms(), [("imsi".parse().unwrap(), "shared-hss".parse().unwrap())].into());
    assert_eq!(catalog.due_within_ms("number.assigned"), Some(90 * 60 * 1000));
    assert_eq!(catalog.due_within_ms("number.moved"), None);
    assert_ne!(catalog.digest(), Catalog::reference().digest());
}

/// The event's own priority counts first, then that of its type; what is urgent has the highest one.
#[test]
fn a_plan_has_the_priority_of_its_event_or_of_its_type() {
    let text = REFERENCE_TEXT.replace("[events.\"number.assigned\"]", "[events.\"number.assigned\"]\npriority = 3");
    let catalog = Catalog::parse(&text).unwrap();
    let priority = |event: &Value| planned_by(&catalog, "A1", &[], event).unwrap().plan.priority.map(u64::from);
    let line = json!({"imsi": "001010000000001", "msisdn": "12065551234"});
    let assigned = |priority: Value| {
        let mut event = event("number.assigned", line.clone());
        event["priority"] = priority;
        event
    };
    let of_event = [json!(null), json!(0), json!("4")];
    assert_eq!(of_event.map(|of_event| priority(&assigned(of_event))), [Some(3), Some(0), Some(4)]);
    assert_eq!(priority(&event("customer.suspended", json!({"imsi": "001010000000001", "reason": "fraud"}))), Some(0));
    assert_eq!(priority(&event("number.unassigned", line.clone())), None);
    let refused = planned_by(&catalog, "A1", &[], &assigned(json!(5))).unwrap_err();
    assert_eq!(String::from(refused.code), "bad_priority");
    // The receiving customer gets it, too.
    let mut moved = moved();
    moved["priority"] = json!(1);
    let planned = planned_by(&catalog, "A1", &["msisdn/12065551234"], &moved).unwrap();
    assert_eq!(planned.forward.unwrap().event["priority"], 1);
}

#[test]
fn what_changes_a_sim_without_a_claim_requires_it() {
    let data = json!({"imsi": "00101", "reason": "fraud", "settings": {}});
    for event_type in ["customer.suspended", "customer.resumed", "service.updated"] {
        let plan = planned(event_type, data.clone());
        assert_eq!(plan.requires.iter().map(ToString::to_string).collect::<Vec<_>>(), ["imsi/00101"], "{event_type}");
        assert!(plan.steps.iter().all(|step| step.fixed.contains(&"imsi".to_owned())), "{event_type}: not by amending");
    }
    assert_eq!(Catalog::reference().unprotected().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_sim_that_gets_a_number_or_is_swapped_is_nobody_elses() {
    let cases = [
        (
            "subscriber.activated",
            "imsi",
            json!({"imsi": "00101", "iccid": "8901010000000000001", "msisdn": "1", "profile": "p"}),
        ),
        ("number.assigned", "imsi", json!({"imsi": "00101", "msisdn": "1"})),
        ("number.changed", "imsi", json!({"imsi": "00101", "old_msisdn": "1", "new_msisdn": "2"})),
        ("sim.swapped", "old_imsi", json!({"old_imsi": "00101", "new_imsi": "00102", "msisdn": "1"})),
    ];
    for (event_type, field, data) in cases {
        let plan = planned(event_type, data);
        let named =
            |resources: &[crate::ids::ResourceId]| resources.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            (named(&plan.first_use), named(&plan.requires)),
            (vec!["imsi/00101".to_owned()], vec![]),
            "{event_type}"
        );
        let naming = plan.steps.iter().filter(|step| step.data.contains_key(field));
        assert!(
            naming.clone().count() > 0 && naming.clone().all(|step| step.fixed.contains(&field.to_owned())),
            "{event_type}"
        );
        // Without it the checker reports a fault; an activation claims its SIM.
        let without = REFERENCE_TEXT
            .replace(&format!("requires = [{{ resource = \"imsi/{{{field}}}\", first_use = true }}]\n"), "");
        let unprotected = Catalog::parse(&without).unwrap();
        let is_told = unprotected.unprotected().any(|told| told == event_type);
        assert_eq!(is_told, event_type != "subscriber.activated", "{event_type}");
        let expected = is_told.then(|| ("imsi".parse().unwrap(), field.to_owned()));
        assert_eq!(unprotected.unproven_field(event_type), expected);
    }
}
