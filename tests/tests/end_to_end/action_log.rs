//! Who did what: the log of persons' actions, and the rule that a second person must confirm.

use interlock_domain::action_log::GuardedAction;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::routing::TenantSettings;
use interlock_settings::{GatewayRole, GatewayToken, Settings, TargetRight};
use interlock_workflows::ActionLogEntity;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::command::{done, interlock};
use crate::events::{assigned, unassigned};
use crate::replayed::replays;
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, json_payload};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

const TENANT: &str = "blue";

/// The tokens; `release_first` and `limit` need a second person.
fn settings(settings: &mut Settings) {
    let token = |name: &str, role, tenant: &str, targets: Vec<TargetRight>| GatewayToken {
        token: format!("token-of-{name}").into(),
        name: Some(name.to_owned()),
        role,
        tenants: vec![tenant.parse().unwrap()],
        realms: Vec::new(),
        targets,
    };
    settings.gateway.tokens = vec![
        token("ann", GatewayRole::Operate, TENANT, vec![TargetRight::All]),
        token("bob", GatewayRole::Operate, TENANT, vec![TargetRight::All]),
        token("eve", GatewayRole::Operate, TENANT, Vec::new()),
        token("ray", GatewayRole::Read, TENANT, Vec::new()),
        token("gus", GatewayRole::Operate, "green", Vec::new()),
    ];
    settings.second_person.actions = [GuardedAction::Skip, GuardedAction::Limit].into();
    settings.second_person.tenants = [(TENANT.parse().unwrap(), [GuardedAction::Cancel].into())].into();
}

async fn testbed(name: &str) -> Testbed {
    let tenants = vec![(TENANT, TenantSettings::default()), ("green", TenantSettings::default())];
    Testbed::start(name, Wanted { tenants, settings: Some(Box::new(settings)), ..Wanted::default() }).await
}

/// A call of the gateway by a person.
async fn call(bed: &Testbed, who: &str, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let http = Client::builder().no_proxy().build().unwrap();
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let request = http.request(method, format!("{}/v1/{path}", bed.platform.gateway_url()));
    let request = request.bearer_auth(format!("token-of-{who}"));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn acts(bed: &Testbed, who: &str, order: &OrderId, id: &str, action: &str) -> (StatusCode, Value) {
    let body = json!({"action_id": id, "action": action, "reason": "The shop mistyped it", "ticket": "INC-7"});
    call(bed, who, &format!("tenants/{TENANT}/orders/{order}/actions"), Some(&body)).await
}

/// The actions that a query selects.
async fn listed(bed: &Testbed, who: &str, query: &str) -> Vec<Value> {
    let (status, list) = call(bed, who, &format!("tenants/{TENANT}/actions?{query}"), None).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["actions"].as_array().unwrap().clone()
}

/// Waits until the outcome of the newest of these actions is noted.
async fn newest(bed: &Testbed, query: &str) -> Value {
    until(format!("the outcome of {query}"), || async {
        let list = listed(bed, "ann", query).await;
        list.into_iter().next().filter(|action| !action["outcome"].is_null())
    })
    .await
}

async fn confirmed(bed: &Testbed, who: &str, entry: &str) -> (StatusCode, Value) {
    call(bed, who, &format!("tenants/{TENANT}/actions/{entry}/confirmation"), Some(&json!({}))).await
}

/// An order that waits for a number that another customer has, and the event that releases the number.
async fn waiting_order(scene: &Scene<'_>) -> (OrderId, Value) {
    let (holder, waiter, number) = (scene.customer("holder"), scene.customer("waiter"), number());
    scene.done(&assigned(&holder, &number)).await;
    let order = scene.submit(&assigned(&waiter, &number)).await;
    scene.is_waiting_for(&waiter, &number).await;
    (order, unassigned(&holder, &number))
}

#[test]
fn a_persons_actions_are_in_the_log_with_who_why_and_what_became_of_them() {
    run(async {
        let bed = testbed("action-log").await;
        {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            let (order, released) = waiting_order(&scene).await;
            assert_eq!(acts(&bed, "ann", &order, "1", "retry").await.0, StatusCode::CONFLICT, "nothing is held");
            let logged = newest(&bed, "person=ANN&ticket=inc-7&reason=mistyped&action=retry").await;
            let said = (&logged["on"], &logged["id"], &logged["actor"], &logged["outcome"], &logged["code"]);
            let expected = [&json!("order"), &json!(order), &json!("ann"), &json!("refused"), &json!("nothing_held")];
            assert_eq!([said.0, said.1, said.2, said.3, said.4], expected, "{logged}");
            for other in ["person=bob", "ticket=INC-8", "reason=ported", "action=skip", "object=nobody"] {
                assert_eq!(listed(&bed, "ann", other).await, Vec::<Value>::new(), "{other}");
            }
            acts(&bed, "ann", &order, "1", "retry").await;
            assert_eq!(listed(&bed, "ann", "").await.len(), 1, "the same action is the same entry");

            // By the command, on a target that tenants share; and an id that nobody ever had.
            done(&scene, &["target", "pause", "crm", "--reason", "their window", "--ticket", "CHG-1"]).await;
            done(&scene, &["target", "resume", "crm", "--reason", "over"]).await;
            let logged = newest(&bed, "action=pause").await;
            assert_eq!((&logged["actor"], &logged["outcome"]), (&json!("night-shift"), &json!("done")), "{logged}");
            assert_eq!(
                interlock(&scene, &["resource", "release", "msisdn/1", "--force", "--reason", "x"]).await.code,
                1
            );
            let logged = newest(&bed, "action=force_release").await;
            assert_eq!((&logged["outcome"], &logged["id"]), (&json!("refused"), &json!("msisdn/1")), "{logged}");
            let text = done(&scene, &["action", "list", "--ticket", "chg-1"]).await;
            assert!(text.contains("night-shift") && text.contains("target crm") && !text.contains("INC-7"), "{text}");
            let lines = done(&scene, &["action", "list", "--limit", "2", "-o", "jsonl"]).await;
            assert_eq!(lines.lines().count(), 2, "{lines}");

            assert_eq!(listed(&bed, "ray", "limit=1").await.len(), 1, "who may read sees them");
            let (status, _) = call(&bed, "gus", &format!("tenants/{TENANT}/actions"), None).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            let (status, problem) = call(&bed, "ann", &format!("tenants/{TENANT}/actions?limit=1001"), None).await;
            assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("bad_query")));
            scene.submit(&released).await;
            scene.completed(&[order]).await;
        }
        bed.stop().await;
    });
}

#[test]
fn an_action_that_needs_a_second_person_is_carried_out_when_another_one_confirms_it() {
    run(async {
        let bed = testbed("second-person").await;
        {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            let (order, _) = waiting_order(&scene).await;
            let (status, problem) = acts(&bed, "ann", &order, "1", "cancel").await;
            assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("second_person_needed")), "{problem}");
            assert_eq!(acts(&bed, "ann", &order, "1", "cancel").await.1, problem, "the same proposal");
            assert_eq!(scene.order(&order).await.unwrap()["state"], "pending", "nothing was changed");
            let waiting = listed(&bed, "ray", "waiting=true").await;
            assert_eq!((waiting.len(), &waiting[0]["second_person"]["state"]), (1, &json!("open")), "{waiting:?}");
            let entry = waiting[0]["entry"].as_str().unwrap();

            for (who, status, code) in [
                ("ann", StatusCode::CONFLICT, "same_person"),
                ("ray", StatusCode::FORBIDDEN, "role_forbidden"),
                ("gus", StatusCode::FORBIDDEN, "tenant_forbidden"),
            ] {
                let (answered, problem) = confirmed(&bed, who, entry).await;
                assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{who}: {problem}");
            }
            assert_eq!(confirmed(&bed, "bob", "99").await.1["code"], "proposal_unknown");
            let (status, answer) = confirmed(&bed, "bob", entry).await;
            assert_eq!((status, &answer["state"]), (StatusCode::OK, &json!("cancelled")), "{answer}");
            assert_eq!(scene.end_of(&order).await, "cancelled");
            let customer = bed.platform.customer(&scene.tenant, &order.customer()).await.unwrap();
            assert!(customer["journal"].to_string().contains("ann, confirmed by bob"), "{customer:#}");
            let logged = newest(&bed, "person=bob").await;
            assert_eq!((&logged["actor"], &logged["outcome"]), (&json!("ann"), &json!("done")), "{logged}");
            assert_eq!(confirmed(&bed, "eve", entry).await.1["code"], "proposal_decided");
            assert_eq!(acts(&bed, "ann", &order, "1", "cancel").await.1["code"], "proposal_decided");
            limited_by_two(&bed).await;
            replayed(&bed).await;
        }
        bed.stop().await;
    });
}

/// The logs replay, and what cannot be a note or a request changes nothing.
async fn replayed(bed: &Testbed) {
    let routing = &bed.platform.installation.routing;
    let tenant: TenantId = TENANT.parse().unwrap();
    let before = listed(bed, "ann", "").await;
    for of in [Some(&tenant), None] {
        let log = RawEntity::new(&bed.platform, routing.action_log(of));
        log.signal("note", vec![json_payload("[]")]).await;
        log.update("act", &json!({"do": "confirm", "number": 99, "by": "bob"})).await;
        replays::<ActionLogEntity>(log.runs().await).await;
    }
    assert_eq!(listed(bed, "ann", "").await, before);
}

/// An action on a target: who confirms it needs the right over the target.
async fn limited_by_two(bed: &Testbed) {
    let limit = json!({"action_id": "1", "action": "limit", "per_second": 7.0, "reason": "they asked"});
    let (status, problem) = call(bed, "ann", "targets/crm/actions", Some(&limit)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("second_person_needed")), "{problem}");
    let waiting = listed(bed, "ann", "waiting=true").await;
    let entry = waiting[0]["entry"].as_str().unwrap();
    assert_eq!(entry, "targets-1");
    let (status, answer) = confirmed(bed, "bob", entry).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, view) = call(bed, "ann", "targets/crm", None).await;
    assert_eq!((&view["limited_to"], &view["actor"]), (&json!(7.0), &json!("ann, confirmed by bob")), "{view:#}");
    let (status, _) = confirmed(bed, "eve", entry).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "she may not act on the target");
}

#[test]
fn the_command_proposes_and_confirms_too() {
    run(async {
        let bed = testbed("second-person-command").await;
        {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            let (order, _) = waiting_order(&scene).await;
            let config = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
            std::fs::write(config.path(), "[second_person]\nactions = [\"cancel\"]\nwithin = \"1m\"\n").unwrap();
            let config = config.path().to_str().unwrap();
            let cancel = ["order", "cancel", order.as_str(), "--reason", "typo", "--actor", "ann", "--config", config];
            let said = interlock(&scene, &[cancel.as_slice(), &["-o", "json"]].concat()).await;
            assert!(said.code == 1 && said.stdout.contains("second_person_needed"), "{}{}", said.stdout, said.stderr);
            let list = done(&scene, &["action", "list", "--waiting", "-o", "jsonl"]).await;
            let waiting: Value = serde_json::from_str(&list).unwrap();
            let entry = waiting["entry"].as_str().unwrap();
            let own = interlock(&scene, &["action", "confirm", entry, "--actor", "Ann"]).await;
            assert!(own.code == 1 && own.stderr.contains("same_person"), "{}", own.stderr);
            let text = done(&scene, &["action", "confirm", entry]).await;
            assert!(text.contains("cancel by ann, confirmed by night-shift: cancelled"), "{text}");
            assert_eq!(scene.end_of(&order).await, "cancelled");
            assert_eq!(done(&scene, &["action", "list", "--waiting"]).await.trim(), "no actions");
        }
        bed.stop().await;
    });
}
