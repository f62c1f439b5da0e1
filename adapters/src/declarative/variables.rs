//! The variables of templates.

use std::collections::BTreeMap;

use interlock_domain::ids::{ResourceId, TargetId, TenantId};
use minijinja::Value as Rendered;
use serde_json::{Map, Value, json};

use super::pointer::Pointer;
use crate::adapter::Call;
use crate::exchange::TargetResponse;

type Parameters = BTreeMap<String, String>;

/// Variables that can be extended.
#[derive(Debug, Clone)]
pub(super) struct Variables(Map<String, Value>);

/// The variables of a call. Without a URL for call backs the variable is missing.
pub(super) fn of_call(call: &Call, callback_url: Option<&str>, parameters: &Parameters) -> Variables {
    let mut of_call = variables(json!({
        "tenant": call.tenant,
        "target": call.target,
        "operation": call.operation,
        "order": {"id": call.order, "customer_id": call.order.customer()},
        "idempotency_key": call.idempotency_key,
        "epoch": call.epoch,
        "epochs": call.epochs,
        "attempt": call.attempt,
        "data": call.data,
        "parameters": parameters,
    }));
    of_call.0.extend(callback_url.map(|url| ("callback_url".to_owned(), url.into())));
    of_call
}

/// The variables of a query.
pub(super) fn of_query(
    tenant: &TenantId,
    target: &TargetId,
    arguments: &Map<String, Value>,
    parameters: &Parameters,
) -> Variables {
    variables(json!({"tenant": tenant, "target": target, "data": arguments, "parameters": parameters}))
}

/// The variables of a request for the holder of a resource.
pub(super) fn of_resource(target: &TargetId, resource: &ResourceId, parameters: &Parameters) -> Variables {
    let resource = json!({"kind": resource.kind().as_str(), "id": resource.id()});
    variables(json!({"target": target, "resource": resource, "parameters": parameters}))
}

/// The variables of a request that belongs to no order.
pub(super) fn of_target(target: &TargetId, parameters: &Parameters) -> Variables {
    variables(json!({"target": target, "parameters": parameters}))
}

fn variables(json: Value) -> Variables {
    match json {
        Value::Object(map) => Variables(map),
        _ => Variables(Map::new()),
    }
}

impl Variables {
    /// In the form that templates read.
    pub(super) fn rendered(&self) -> Rendered {
        Rendered::from(minijinja::value::Serde(&self.0))
    }

    /// With the name of a job.
    pub(super) fn with_job(&self, job: &str) -> Self {
        let mut all = self.0.clone();
        all.insert("job".to_owned(), job.into());
        Self(all)
    }

    /// With the variables of an answer.
    pub(super) fn with_answer(&self, answer: &TargetResponse) -> Self {
        let mut all = self.0.clone();
        let text = |value: &http::HeaderValue| Value::from(String::from_utf8_lossy(value.as_bytes()));
        let headers: Map<String, Value> =
            answer.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        all.insert("status".to_owned(), answer.status.as_u16().into());
        all.insert("headers".to_owned(), headers.into());
        all.insert("body".to_owned(), answer.body.clone().unwrap_or_default());
        Self(all)
    }

    /// With names in braces in place of the result of a look-up.
    pub(super) fn with_names<'a>(&self, names: impl Iterator<Item = &'a str>) -> Self {
        let mut all = self.0.clone();
        let found: Map<String, Value> = names.map(|name| (name.to_owned(), format!("{{{name}}}").into())).collect();
        all.insert("found".to_owned(), found.into());
        Self(all)
    }

    /// With the result of a look-up. Parts that are missing in its answer are missing in templates, too.
    pub(super) fn with_found(&self, bind: &[(String, Pointer)], answer: &TargetResponse) -> Self {
        let mut all = self.0.clone();
        let found =
            |(name, pointer): &(String, Pointer)| Some((name.clone(), pointer.first(answer.body.as_ref()?)?.clone()));
        all.insert("found".to_owned(), bind.iter().filter_map(found).collect::<Map<_, _>>().into());
        Self(all)
    }
}
