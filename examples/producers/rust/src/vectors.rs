//! Compares the id functions of `interlock-domain` with Interlock's golden vectors, as every other producer does with its own.

use std::error::Error;
use std::fmt::Debug;
use std::path::Path;
use std::process::ExitCode;

use interlock_domain::ids::{CustomerId, OrderId, ResourceId, TenantId, encode_part};
use interlock_domain::routing::{
    IdKey, QueueKind, QueuePrefix, Routing, RoutingSettings, ShardCount, Spread, TenantPlan, entity_shard, shard_of,
};
use serde_json::Value;

/// Prints how many of each section agree. Exit code 1 if one differs.
pub fn check(file: &Path) -> ExitCode {
    match counts(file) {
        Ok(counts) => {
            let said: Vec<String> = counts.iter().map(|(section, count)| format!("{section} {count}")).collect();
            println!("{}: all as expected", said.join(", "));
            ExitCode::SUCCESS
        }
        Err(difference) => {
            eprintln!("{difference}");
            ExitCode::FAILURE
        }
    }
}

type Compared = Result<(), Box<dyn Error>>;
/// What is printed, the name in the file, and the comparison of one vector.
type Section = (&'static str, &'static str, fn(&Value) -> Compared);

fn counts(file: &Path) -> Result<Vec<(&'static str, usize)>, Box<dyn Error>> {
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let sections: [Section; 9] = [
        ("encodings", "encodings", encoding),
        ("rejected ids", "rejected_ids", rejected_id),
        ("workflow ids", "workflow_ids", workflow_id),
        ("order ids", "order_ids", order_id),
        ("shards", "shards", shard),
        ("spread shards", "spread_shards", spread_shard),
        ("queues", "queues", queue),
        ("hidden ids", "hidden_ids", hidden_id),
        ("weights", "fairness_weights", weight),
    ];
    let mut counts = Vec::new();
    for (name, key, compare) in sections {
        let of_section = vectors[key].as_array().ok_or(key)?;
        // Provisioning queues are for adapters, not for producers.
        let for_producers = of_section.iter().filter(|v| v.get("target").is_none());
        let mut count = 0;
        for v in for_producers {
            compare(v).map_err(|difference| format!("{name}: {difference}"))?;
            count += v["shard_by_count"].as_object().map_or(1, serde_json::Map::len);
        }
        counts.push((name, count));
    }
    Ok(counts)
}

fn equal<T: PartialEq + Debug + ?Sized>(said: &T, expected: &T) -> Compared {
    if said == expected { Ok(()) } else { Err(format!("{said:?}, expected {expected:?}").into()) }
}

fn text<'a>(v: &'a Value, name: &'static str) -> Result<&'a str, &'static str> {
    v[name].as_str().ok_or(name)
}

fn number(v: &Value, name: &'static str) -> Result<u64, &'static str> {
    v[name].as_u64().ok_or(name)
}

fn encoding(v: &Value) -> Compared {
    text(v, "text")?.parse::<CustomerId>()?;
    equal(encode_part(text(v, "text")?).as_str(), text(v, "encoded")?)
}

fn rejected_id(v: &Value) -> Compared {
    let text = text(v, "text")?;
    let is_id = if v.get("is_tenant").is_some() {
        text.parse::<TenantId>().is_ok()
    } else {
        text.parse::<CustomerId>().is_ok()
    };
    equal(&is_id, &false)
}

fn workflow_id(v: &Value) -> Compared {
    let routing = Routing::new(RoutingSettings::default())?;
    let route = if v.get("customer").is_some() {
        routing.customer(&text(v, "tenant")?.parse()?, &text(v, "customer")?.parse()?)
    } else {
        let resource = ResourceId::new(text(v, "kind")?.parse()?, text(v, "id")?)?;
        routing.resource(&text(v, "realm")?.parse()?, &resource)
    };
    equal(route.workflow_id.as_str(), text(v, "workflow_id")?)
}

fn order_id(v: &Value) -> Compared {
    let (tenant, customer) = (text(v, "tenant")?.parse()?, text(v, "customer")?.parse()?);
    let order = OrderId::derive(&tenant, &customer, text(v, "source")?, text(v, "event_id")?, v["role"].as_str());
    equal(order.as_str(), text(v, "order_id")?)
}

fn shard(v: &Value) -> Compared {
    for (count, expected) in v["shard_by_count"].as_object().ok_or("shard_by_count")? {
        let said = shard_of(text(v, "tenant_or_realm")?, ShardCount::try_from(count.parse::<u64>()?)?);
        equal(&Some(u64::from(said.get())), &expected.as_u64())?;
    }
    Ok(())
}

fn spread_shard(v: &Value) -> Compared {
    let (count, spread) = (ShardCount::try_from(number(v, "shard_count")?)?, Spread::try_from(number(v, "spread")?)?);
    let said = entity_shard(text(v, "tenant_or_realm")?, text(v, "workflow_id")?, count, spread);
    equal(&u64::from(said.get()), &number(v, "shard")?)
}

fn queue(v: &Value) -> Compared {
    let kind = QueueKind::ALL.into_iter().find(|kind| v["kind"] == kind.as_str()).ok_or("kind")?;
    let shard = shard_of(text(v, "tenant_or_realm")?, ShardCount::try_from(number(v, "shard_count")?)?);
    equal(QueuePrefix::default().queue(kind, shard).as_str(), text(v, "queue")?)
}

fn hidden_id(v: &Value) -> Compared {
    let key: IdKey = text(v, "id_key")?.parse()?;
    equal(key.hide(text(v, "id")?).as_str(), text(v, "hidden")?)
}

fn weight(v: &Value) -> Compared {
    let plan: TenantPlan = serde_json::from_value(v["plan"].clone())?;
    equal(&Some(f64::from(plan.weight())), &v["weight"].as_f64())
}
