//! The golden vectors of `coordinator/domain/vectors.json`, for callers in other languages: what they must compute to use
//! Interlock's wire contract. This test makes the file from the code, and checks the code against the file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::event::Half;
use crate::ids::{CustomerId, OrderId, ResourceId, TenantId, encode_part};
use crate::routing::{
    IdKey, QueueKind, Routing, RoutingSettings, ShardCount, Spread, TenantPlan, entity_shard, shard_of,
};

/// Set this to rewrite the file instead of comparing with it.
const REWRITE: &str = "INTERLOCK_REWRITE_VECTORS";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors.json")
}

/// Texts that encodings differ on: reserved characters, the bytes around them, other scripts, edge lengths.
fn texts() -> Vec<String> {
    let plain = ["A1", "a b", "a/b", "a%2Fb", "~", "-._", "!*'()", "+1", "é", "客户", "🙂", "e\u{301}", "..."];
    plain.iter().map(ToString::to_string).chain(["x".repeat(250), "/".repeat(83), "é".repeat(41)]).collect()
}

fn tenants() -> Vec<TenantId> {
    let names = ["default", "acme", "océan", "a/b", "日本"].map(str::to_owned).into_iter();
    names.chain(["t".repeat(64), "/".repeat(21)]).map(|name| name.parse().unwrap()).collect()
}

fn encodings() -> Value {
    texts()
        .iter()
        .map(|text| json!({"text": text, "encoded": encode_part(text), "is_id": text.parse::<CustomerId>().is_ok()}))
        .collect()
}

fn rejected_ids() -> Value {
    let texts = [String::new(), ".".to_owned(), "..".to_owned(), "x".repeat(251), "/".repeat(84), "é".repeat(42)];
    let ids = texts.iter().map(|text| json!({"text": text, "is_id": text.parse::<CustomerId>().is_ok()}));
    let tenants = ["t".repeat(65), "/".repeat(22)];
    let tenants = tenants.iter().map(|text| json!({"text": text, "is_tenant": text.parse::<TenantId>().is_ok()}));
    ids.chain(tenants).collect()
}

fn order_ids() -> Value {
    let cases = [
        ("default", "A1", "/crm", "e1", None),
        ("default", "A2", "/crm", "e1", None),
        ("default", "A1", "/crm", "e1", Some(Half::From)),
        ("default", "A2", "/crm", "e1", Some(Half::To)),
        ("acme", "A1", "/crm", "e1", None),
        ("acme", "A~1", "/crm/a", "b", None),
        ("acme", "A~1", "/crm", "a/b", None),
        ("océan", "客户/1", "urn:uuid:🙂", "e 1", None),
    ];
    let vector = |(tenant, customer, source, event_id, half): (&str, &str, &str, &str, Option<Half>)| {
        let role = half.map(Half::as_str);
        let order = OrderId::derive(&tenant.parse().unwrap(), &customer.parse().unwrap(), source, event_id, role);
        json!({
            "tenant": tenant, "customer": customer, "source": source, "event_id": event_id, "role": role,
            "order_id": order,
            "step_key": {"step": "hss.assign_number", "key": order.step_key("hss.assign_number")},
        })
    };
    cases.into_iter().map(vector).collect()
}

fn shards() -> Value {
    let counts = [1, 2, 16, 1000];
    let vector = |tenant: &TenantId| {
        let shard = |count: u64| {
            (count.to_string(), json!(shard_of(tenant.as_str(), ShardCount::try_from(count).unwrap()).get()))
        };
        json!({"tenant_or_realm": tenant, "shard_by_count": counts.into_iter().map(shard).collect::<serde_json::Map<_, _>>()})
    };
    tenants().iter().map(vector).collect()
}

fn spread_shards(routing: &Routing) -> Value {
    let vector = |tenant: &TenantId, (count, spread): (u64, u64), workflow_id: String| {
        let (shards, over) = (ShardCount::try_from(count).unwrap(), Spread::try_from(spread).unwrap());
        let shard = entity_shard(tenant.as_str(), &workflow_id, shards, over);
        json!({
            "tenant_or_realm": tenant, "workflow_id": workflow_id, "shard_count": count, "spread": spread, "shard": shard,
        })
    };
    let number: ResourceId = "msisdn/12065551234".parse().unwrap();
    let of_tenant = |tenant: TenantId| {
        let customers =
            ["A1", "A2", "A/3", "客户/1"].map(|id| routing.customer(&tenant, &id.parse().unwrap()).workflow_id);
        let ids = customers.into_iter().chain([routing.resource(&tenant, &number).workflow_id]).collect::<Vec<_>>();
        let counts = [(1, 1), (4, 2), (16, 1), (16, 4), (16, 16), (1000, 7)];
        let each = counts.map(|counts| ids.iter().map(|id| vector(&tenant, counts, id.clone())).collect::<Vec<_>>());
        each.into_iter().flatten().collect::<Vec<_>>()
    };
    tenants().into_iter().take(3).flat_map(of_tenant).collect()
}

fn queues(routing: &Routing) -> Value {
    let sharded = tenants().into_iter().take(3).flat_map(|tenant| {
        QueueKind::ALL.map(|kind| {
            json!({"tenant_or_realm": tenant, "kind": kind.as_str(), "shard_count": 16, "queue": routing.tenant_queue(kind, &tenant)})
        })
    });
    let provisioning = ["hss", "hss-east", "a b/é"]
        .map(|target| json!({"target": target, "queue": routing.provisioning_queue(&target.parse().unwrap())}));
    sharded.chain(provisioning).collect()
}

fn workflow_ids(routing: &Routing) -> Value {
    let tenant: TenantId = "océan".parse().unwrap();
    let customers = texts().into_iter().map(|text| {
        let id = routing.customer(&tenant, &text.parse().unwrap()).workflow_id;
        json!({"tenant": tenant, "customer": text, "workflow_id": id})
    });
    let resources = ["msisdn/12065551234", "imsi/001010000000001", "address/1 Main St/2é"].map(|resource| {
        let resource: ResourceId = resource.parse().unwrap();
        let id = routing.resource(&tenant, &resource).workflow_id;
        json!({"realm": tenant, "kind": resource.kind(), "id": resource.id(), "workflow_id": id})
    });
    customers.chain(resources).collect()
}

fn hidden_ids() -> Value {
    let ids = ["12065551234", "001010000000001", "1 Main St/2é"];
    let keys = ["k".to_owned(), "a secret of some length".to_owned(), "clé 🔑".to_owned(), "x".repeat(65)];
    let vector = |(key, id): (&String, &str)| {
        let id_key: IdKey = key.parse().unwrap();
        json!({"id_key": key, "id": id, "hidden": id_key.hide(id)})
    };
    keys.iter().flat_map(|key| ids.map(|id| (key, id))).map(vector).collect()
}

fn fairness_weights() -> Value {
    [TenantPlan::Free, TenantPlan::Pro, TenantPlan::Enterprise]
        .iter()
        .map(|plan| json!({"plan": plan.as_str(), "weight": plan.weight()}))
        .collect()
}

fn vectors() -> Value {
    let routing = Routing::new(RoutingSettings::default()).unwrap();
    json!({
        "about": "Golden vectors of Interlock's wire contract. Texts are UTF-8. Generated from coordinator/domain; \
                  INTERLOCK_REWRITE_VECTORS=1 cargo test -p interlock-domain vectors",
        "rules": {
            "encodings": "percent-encoding of all bytes but A-Za-z0-9._- with upper-case hex; an id has 1 to 250 bytes so \
                          encoded (a tenant or realm 64) and is never '.' or '..'",
            "order_ids": "{customer}~{uuid5(NAMESPACE_URL, 'interlock:order:' + T + '/' + S + '/' + I [+ '/' + R])} with \
                          T, S, I, R = tenant, source, event id, role, each encoded; step key = uuid5(NAMESPACE_URL, \
                          'interlock:step:' + order id + '/' + step)",
            "shards": "first 4 bytes, big-endian, of SHA-256(tenant or realm, not encoded), modulo the shard count",
            "spread_shards": "of a tenant or shared realm that is spread over n shards: (its own shard + (first 4 bytes, \
                              big-endian, of SHA-256(workflow id) modulo n)) modulo the shard count",
            "hidden_ids": "lower-case hex of HMAC-SHA256(key = bytes of INTERLOCK_ID_KEY, message = the resource's id within \
                           its kind, not encoded); it takes the place of the id in the workflow id"
        },
        "encodings": encodings(),
        "rejected_ids": rejected_ids(),
        "order_ids": order_ids(),
        "shards": shards(),
        "spread_shards": spread_shards(&routing),
        "queues": queues(&routing),
        "workflow_ids": workflow_ids(&routing),
        "hidden_ids": hidden_ids(),
        "fairness_weights": fairness_weights(),
    })
}

/// The rules of the shards again, as a caller in Python would write them, applied to the shipped file.
const IN_PYTHON: &str = "\
import hashlib, json, sys; \
number = lambda text: int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], 'big'); \
of = json.load(open(sys.argv[1], encoding='utf-8')); \
wrong = [v for v in of['shards'] for count, shard in v['shard_by_count'].items() \
    if number(v['tenant_or_realm']) % int(count) != shard]; \
wrong += [v for v in of['spread_shards'] if (number(v['tenant_or_realm']) % v['shard_count'] \
    + number(v['workflow_id']) % v['spread']) % v['shard_count'] != v['shard']]; \
print(len(of['shards']), len(of['spread_shards']), wrong)";

#[test]
fn python_computes_the_same_shards() {
    let python = std::process::Command::new("python3").args(["-c", IN_PYTHON]).arg(file()).output();
    let Ok(said) = python else {
        println!("SKIPPED: there is no python3 on PATH");
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{err}");
    assert_eq!(out.trim(), format!("{} {} []", tenants().len(), 3 * 6 * 5));
}

#[test]
fn the_golden_vectors_are_what_the_code_computes() {
    if std::env::var_os(REWRITE).is_some() {
        let text = serde_json::to_string_pretty(&vectors()).unwrap();
        std::fs::write(file(), text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(file()).unwrap();
    let shipped: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        shipped,
        vectors(),
        "callers in other languages rely on these: if the change is meant, {REWRITE}=1 cargo test -p interlock-domain \
         vectors rewrites {}",
        file().display()
    );
}
