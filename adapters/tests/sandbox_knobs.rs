//! Each knob works as described, judged by the log of applied changes; and the adapters find out what happened.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod hss;

use std::time::Duration;

use hss::{Hss, call, number};
use interlock_adapters::sandbox::{
    self, Action, Applied, DatabaseKind, Effect, Keys, Knobs, Pattern, Rule, Sandbox, SandboxOptions, Seed, Times,
    hand_over_faults,
};
use interlock_adapters::{
    Adapter, AdapterKind, Authentication, Call, JsonHttpAdapter, TargetSettings, Verification, install_crypto_provider,
};
use interlock_domain::outcome::Outcome;
use serde_json::{Value, json};

/// How long a condition may take to become true.
const LIMIT: Duration = Duration::from_secs(10);

async fn crm() -> (Sandbox, JsonHttpAdapter) {
    let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
    let settings = TargetSettings::new(AdapterKind::Json, crm.base_url().parse().unwrap());
    let adapter = JsonHttpAdapter::new(&"crm".parse().unwrap(), &settings).unwrap();
    (crm, adapter)
}

fn add_number() -> Call {
    call("add_number", json!({"imsi": "001010000000001", "msisdn": "12065551234"}))
}

fn on(operation: &str) -> Pattern {
    Pattern { operation: Some(operation.to_owned()), ..Pattern::default() }
}

async fn eventually(sandbox: &Sandbox, condition: impl Fn(&[Applied]) -> bool) {
    let poll = async {
        while !condition(&sandbox.log()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, poll).await.expect("the log never reached the expected state");
}

fn effects(sandbox: &Sandbox) -> Vec<Effect> {
    sandbox.log().into_iter().map(|entry| entry.effect).collect()
}

fn added() -> Vec<Effect> {
    vec![Effect::NumberAdded { account: "001010000000001".to_owned(), msisdn: "12065551234".to_owned() }]
}

#[tokio::test]
async fn a_refused_request_is_not_applied() {
    let (crm, adapter) = crm().await;
    let action = Action::Refuse { status: 429, body: json!({"code": "busy"}), retry_after_s: Some(3) };
    crm.add_rule(Rule::once(on("add_number"), action));
    let outcome = adapter.call(&add_number()).await;
    assert!(matches!(outcome, Outcome::Throttled { retry_after_ms: Some(3_000), .. }), "{outcome:?}");
    assert!(crm.log().is_empty());
    assert_eq!(adapter.call(&add_number()).await, Outcome::Done);
}

#[tokio::test]
async fn a_failure_before_the_effect_is_not_applied_and_one_after_it_is() {
    for (action, verification, applied) in
        [(Action::FailBefore, Verification::NotApplied, vec![]), (Action::FailAfter, Verification::Applied, added())]
    {
        let (crm, adapter) = crm().await;
        crm.add_rule(Rule::once(on("add_number"), action));
        let add = add_number();
        assert_eq!(adapter.call(&add).await.class(), "ambiguous");
        assert_eq!(adapter.verify(&add).await, verification);
        assert_eq!(effects(&crm), applied);
        assert!(adapter.call(&add).await.is_effective());
        assert_eq!(effects(&crm), added(), "an idempotency key must be performed only once");
    }
}

#[tokio::test]
async fn a_late_effect_is_applied_after_the_connection_was_cut() {
    let (crm, adapter) = crm().await;
    crm.add_rule(Rule::once(on("add_number"), Action::ApplyLate { ms: 50 }));
    assert_eq!(adapter.call(&add_number()).await.class(), "ambiguous");
    eventually(&crm, |log| log.len() == 1).await;
}

#[tokio::test]
async fn a_delayed_request_is_performed_although_its_caller_has_left() {
    let (crm, adapter) = crm().await;
    crm.add_rule(Rule::once(on("add_number"), Action::Delay { ms: 300 }));
    let mut add = add_number();
    add.timeout = Duration::from_millis(50);
    assert_eq!(adapter.call(&add).await.class(), "ambiguous");
    assert!(crm.log().is_empty());
    eventually(&crm, |log| log.len() == 1).await;
}

#[tokio::test]
async fn requests_that_gather_are_performed_when_all_of_them_are_there() {
    let (crm, adapter) = crm().await;
    crm.add_rule(Rule::always(on("add_number"), Action::Gather { requests: 2 }));
    let add = |msisdn: &str| call("add_number", json!({"imsi": "001010000000001", "msisdn": msisdn}));
    let (first, second) = (add("12065551234"), add("12065551235"));
    let until_received = async {
        while crm.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(crm.log().is_empty(), "one alone waits");
        adapter.call(&second).await
    };
    let (one, other) = tokio::join!(adapter.call(&first), until_received);
    assert_eq!((one, other, crm.log().len()), (Outcome::Done, Outcome::Done, 2));
}

#[tokio::test]
async fn a_duplicate_is_stopped_by_the_idempotency_key_of_the_crm_and_by_the_rules_of_the_hss() {
    let (crm, adapter) = crm().await;
    crm.add_rule(Rule::always(Pattern::default(), Action::Duplicate));
    assert_eq!(adapter.call(&add_number()).await, Outcome::Done);
    assert_eq!(effects(&crm), added());

    let hss = Hss::sandbox().await;
    let (subscription, _) = hss.subscribe().await;
    let sandbox = hss.sandbox.as_ref().unwrap();
    let before = sandbox.log().len();
    sandbox.add_rule(Rule::always(on("patch_subscriber"), Action::Duplicate));
    let disable = call("set_enabled", json!({"imsi": subscription.imsi, "enabled": false}));
    assert_eq!(hss.adapter.call(&disable).await, Outcome::Done);
    let log = &sandbox.log()[before..];
    assert_eq!(log[0].effect, Effect::SubscriberDisabled { imsi: subscription.imsi });
    assert!(matches!(log[1].effect, Effect::Unchanged { .. }));
    assert_eq!((log.len(), log[1].request), (2, log[0].request + 1));
}

#[tokio::test]
async fn every_cut_write_of_a_hand_over_is_found_out_and_completed() {
    for operation in ["patch_subscriber", "put_ims_subscriber", "delete_ims_subscriber"] {
        for action in [Action::FailBefore, Action::FailAfter] {
            let hss = Hss::sandbox().await;
            let sandbox = hss.sandbox.as_ref().unwrap();
            let ((first, _), (second, _)) = (hss.subscribe().await, hss.subscribe().await);
            let number = number();
            let data = |imsi: &str| json!({"imsi": imsi, "msisdn": number});
            assert_eq!(hss.adapter.call(&call("assign_number", data(&first.imsi))).await, Outcome::Done);
            sandbox.set_knobs(Knobs {
                latency_ms: 0,
                rules: vec![Rule { pattern: on(operation), action: action.clone(), times: Times::Count(2) }],
            });
            for step in [call("release_number", data(&first.imsi)), call("assign_number", data(&second.imsi))] {
                complete(&hss, &step).await;
            }
            assert_eq!(hss.ims_subscriber(&number).await["imsi"], second.imsi.as_str());
            assert_eq!(hss.subscriber(&second.imsi).await["msisdn"], number.as_str());
            assert_eq!(hand_over_faults(&sandbox.log()), vec![], "{operation} {action:?}");
        }
    }
}

/// Runs a step like the engine does: it verifies an ambiguous attempt before it sends the next.
async fn complete(hss: &Hss, step: &Call) {
    for _ in 0..5 {
        let outcome = hss.adapter.call(step).await;
        if outcome.is_effective() {
            return;
        }
        assert_eq!(outcome.class(), "ambiguous", "{outcome:?}");
        if hss.adapter.verify(step).await == Verification::Applied {
            return;
        }
    }
    panic!("the step was not completed in five attempts");
}

#[tokio::test]
async fn a_violation_on_postgresql_is_a_null_that_is_read_back() {
    let options = SandboxOptions { database: DatabaseKind::Postgresql, ..SandboxOptions::default() };
    let hss = Hss::sandbox_with(options).await;
    let (subscription, _) = hss.subscribe().await;
    let number = number();
    // Somebody registers the number between the adapter's read and its write.
    let sandbox = hss.sandbox.as_ref().unwrap();
    let pattern = Pattern { body_contains: Some(number.clone()), ..on("patch_subscriber") };
    sandbox.add_rule(Rule::once(pattern, Action::Delay { ms: 500 }));
    let assign = call("assign_number", json!({"imsi": subscription.imsi, "msisdn": number}));
    let intruder = json!({"imsi": "001019999999999", "msisdn": number});
    let (outcome, answered) = tokio::join!(hss.adapter.call(&assign), async {
        // The rule is used up when the adapter's first write arrives.
        let used_up = async {
            while !sandbox.knobs().rules.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, used_up).await.expect("the adapter never wrote");
        hss.send("PUT", "/ims_subscriber/", Some(intruder)).await
    });
    assert_eq!(answered.0, 200);
    assert_eq!(outcome, Outcome::InUse { holder: Some("001019999999999".to_owned()) });
    assert_eq!(hss.subscriber(&subscription.imsi).await["msisdn"], subscription.imsi.as_str());
    assert_eq!(hss.send("PUT", "/ims_subscriber/", Some(json!({"msisdn": number}))).await, (200, Value::Null));
}

#[tokio::test]
async fn a_locked_hss_requires_its_key() {
    let options = SandboxOptions { provisioning_key: Some("open sesame".into()), ..SandboxOptions::default() };
    let locked = Hss::sandbox_with(options).await;
    let sandbox = locked.sandbox.as_ref().unwrap();
    let seed = Seed { imsi: "001010000000001".to_owned(), ..Seed::default() };
    sandbox.seed(&[seed]).unwrap();
    let disable = call("set_enabled", json!({"imsi": "001010000000001", "enabled": false}));
    assert_eq!(locked.adapter.call(&disable).await.class(), "unavailable");
    assert_eq!(locked.adapter.health().await, Ok(()));
    let mut settings = TargetSettings::new(AdapterKind::Pyhss, locked.base_url.parse().unwrap());
    settings.auth = Authentication::ProvisioningKey { key: "open sesame".into() };
    assert_eq!(Hss::with_settings(&settings).adapter.call(&disable).await, Outcome::Done);
}

#[tokio::test]
async fn the_knobs_and_the_log_are_available_over_http() {
    let hss = Hss::sandbox().await;
    let rule = json!({"match": {"method": "PATCH"}, "action": {"action": "refuse", "status": 503}, "times": 1});
    let (status, knobs) = hss.send("POST", "/__sandbox/knobs", Some(json!({"rules": [rule]}))).await;
    assert_eq!((status, &knobs["rules"][0]["times"]), (200, &json!(1)));
    let (status, problem) = hss.send("PUT", "/__sandbox/knobs", Some(json!({"colour": "red"}))).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_body")));
    assert_eq!(hss.send("DELETE", "/__sandbox/knobs", None).await.1["rules"], json!([]));

    let seeds: Vec<Value> =
        (0..500).map(|n| json!({"imsi": format!("00101{n:010}"), "iccid": format!("8988{n:015}")})).collect();
    let (_, seeded) = hss.send("POST", "/__sandbox/subscribers", Some(json!(seeds))).await;
    assert_eq!(seeded, json!({"created": 500, "existing": 0}));
    assert!(hss.get("/__sandbox/log").await.as_array().unwrap().is_empty());
    let one = json!({"imsi": "001019999999999", "msisdn": "12065551234"});
    assert_eq!(hss.send("POST", "/__sandbox/subscribers", Some(one.clone())).await.1["created"], 1);
    assert_eq!(hss.send("POST", "/__sandbox/subscribers", Some(one)).await.1["existing"], 1);
    let taken = json!({"imsi": "001018888888888", "msisdn": "12065551234"});
    assert_eq!(hss.send("POST", "/__sandbox/subscribers", Some(taken)).await.1["code"], "seed_taken");

    let log = hss.get("/__sandbox/log").await;
    let effects: Vec<&str> = log.as_array().unwrap().iter().map(|entry| entry["effect"].as_str().unwrap()).collect();
    assert_eq!(effects, ["subscriber_created", "primary_number_set", "number_assigned"]);
    assert_eq!(hss.get("/__sandbox/log?after=2").await.as_array().unwrap().len(), 1);
    assert_eq!(hss.get("/__sandbox/state").await["tables"]["ims_subscriber"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_log_of_the_hss_shows_epoch_and_key_and_two_holders_are_a_fault() {
    let hss = Hss::sandbox().await;
    let sandbox = hss.sandbox.as_ref().unwrap();
    let (first, _) = hss.subscribe().await;
    let (_, second) = hss.subscribe().await;
    let number = number();
    let assign = call("assign_number", json!({"imsi": first.imsi, "msisdn": number}));
    assert_eq!(hss.adapter.call(&assign).await, Outcome::Done);
    let entry = sandbox.log().pop().unwrap();
    assert_eq!(entry.effect, Effect::NumberAssigned { msisdn: number.clone(), imsi: first.imsi.clone() });
    assert_eq!((entry.epoch, entry.idempotency_key), (Some(7), Some(assign.idempotency_key.to_string())));
    assert_eq!(hand_over_faults(&sandbox.log()), vec![]);

    let path = format!("/subscriber/{}", second["subscriber_id"]);
    hss.send("PATCH", &path, Some(json!({"msisdn": number}))).await;
    let faults = hand_over_faults(&sandbox.log());
    assert_eq!((faults.len(), &faults[0].held_by), (1, &vec![first.imsi]));
}

#[tokio::test]
async fn a_sandbox_that_is_shut_down_does_not_answer() {
    let (crm, adapter) = crm().await;
    assert_eq!(adapter.health().await, Ok(()));
    crm.shutdown().await;
    assert_eq!(adapter.call(&add_number()).await.class(), "unavailable");
}

#[tokio::test]
async fn the_crm_keeps_accounts_and_the_sms_gateway_sends() {
    let (crm, adapter) = crm().await;
    let imsi = "001010000000001";
    for (operation, data) in [
        ("open_account", json!({"imsi": imsi, "iccid": "8988211000000000001", "msisdn": "1"})),
        ("add_number", json!({"imsi": imsi, "msisdn": "2"})),
        ("change_number", json!({"imsi": imsi, "old_msisdn": "2", "new_msisdn": "3"})),
        ("remove_number", json!({"imsi": imsi, "msisdn": "1"})),
        ("update_service", json!({"imsi": imsi, "settings": {"plan": "gold"}})),
        ("set_status", json!({"imsi": imsi, "enabled": false, "reason": "fraud"})),
        ("update_sim", json!({"old_imsi": imsi, "new_imsi": "001010000000002", "msisdn": "3"})),
    ] {
        assert_eq!(adapter.call(&call(operation, data)).await, Outcome::Done, "{operation}");
    }
    let state = crm.state();
    let account = &state["tables"]["accounts"]["001010000000002"];
    assert_eq!((&account["numbers"], &account["status"]), (&json!(["3"]), &json!("suspended")));
    let close = call("close_account", json!({"imsi": "001010000000002"}));
    assert_eq!(adapter.call(&close).await, Outcome::Done);
    let again = call("close_account", json!({"imsi": "001010000000002"}));
    assert_eq!(adapter.call(&again).await, Outcome::AlreadyDone);
    assert_eq!(adapter.call(&call("paint_it_red", json!({}))).await.class(), "permanent");

    let sms = sandbox::sms(SandboxOptions::default()).await.unwrap();
    let settings = TargetSettings::new(AdapterKind::Json, sms.base_url().parse().unwrap());
    let adapter = JsonHttpAdapter::new(&"sms".parse().unwrap(), &settings).unwrap();
    let send = call("send_sms", json!({"msisdn": "1", "kind": "data", "limit": 5}));
    assert_eq!(adapter.call(&send).await, Outcome::Done);
    assert_eq!(adapter.call(&send).await, Outcome::Done);
    assert_eq!(sms.log().len(), 1, "an idempotency key must be performed only once");
}

/// An SMS gateway that handles keys in this way, and how often it applies the same call if the call is made twice.
async fn sent_twice_to(keys: Keys) -> (usize, Verification) {
    let sms = sandbox::sms(SandboxOptions { keys, ..SandboxOptions::default() }).await.unwrap();
    let settings = TargetSettings::new(AdapterKind::Json, sms.base_url().parse().unwrap());
    let adapter = JsonHttpAdapter::new(&"sms".parse().unwrap(), &settings).unwrap();
    let send = call("send_sms", json!({"msisdn": "1"}));
    for _ in 0..2 {
        assert_eq!(adapter.call(&send).await, Outcome::Done);
    }
    (sms.log().len(), adapter.verify(&send).await)
}

#[tokio::test]
async fn a_target_honours_keys_or_says_which_it_carried_out_or_knows_none() {
    assert_eq!(sent_twice_to(Keys::Honoured).await, (1, Verification::Applied));
    assert_eq!(sent_twice_to(Keys::Recorded).await, (2, Verification::Applied));
    let (applied, verification) = sent_twice_to(Keys::Ignored).await;
    assert_eq!(applied, 2);
    assert!(matches!(verification, Verification::Unclear { .. }), "{verification:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_was_applied_and_the_caller_gives_up() {
    let (crm, adapter) = crm().await;
    crm.add_rule(Rule::once(on("add_number"), Action::LoseAnswer));
    let add = Call { timeout: Duration::from_millis(300), ..add_number() };
    assert_eq!(adapter.call(&add).await.class(), "ambiguous");
    assert_eq!(effects(&crm), added());
    assert_eq!(adapter.verify(&add).await, Verification::Applied);
}

#[tokio::test]
async fn every_request_is_remembered_whatever_its_result() {
    let (crm, adapter) = crm().await;
    crm.add_rule(Rule::once(
        on("add_number"),
        Action::Refuse { status: 503, body: Value::Null, retry_after_s: Some(2) },
    ));
    let add = add_number();
    let outcome = adapter.call(&add).await;
    assert!(matches!(outcome, Outcome::Unavailable { retry_after_ms: Some(2_000), .. }), "{outcome:?}");
    assert_eq!(adapter.call(&add).await, Outcome::Done);
    adapter.verify(&add).await;
    let received = crm.received();
    let asked: Vec<(&str, &str)> =
        received.iter().map(|request| (request.method.as_str(), request.operation.as_str())).collect();
    assert_eq!(asked, [("POST", "add_number"), ("POST", "add_number"), ("GET", "operations")]);
    assert_eq!(received[0].idempotency_key, Some(add.idempotency_key.to_string()));
    assert!(received[0].body.contains("12065551234"));
    assert_eq!(crm.log().len(), 1);
}

#[tokio::test]
async fn an_address_in_use_is_reported_as_such() {
    install_crypto_provider();
    let (crm, _) = crm().await;
    let options = SandboxOptions { listen: crm.address(), ..SandboxOptions::default() };
    let error = sandbox::sms(options).await.err().unwrap();
    assert_eq!(error.code(), "sandbox_listen_failed");
}
