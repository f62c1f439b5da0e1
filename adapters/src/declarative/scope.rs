//! The variables that a template may use, depending on its place.

use std::collections::BTreeSet;

/// The variables that a template may use at one place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    names: BTreeSet<String>,
}

/// The variables of a call.
const OF_CALL: [&str; 11] = [
    "tenant",
    "target",
    "operation",
    "order.id",
    "order.customer_id",
    "idempotency_key",
    "epoch",
    "epochs",
    "attempt",
    "callback_url",
    "data",
];
/// The variables of an answer.
const OF_ANSWER: [&str; 3] = ["status", "headers", "body"];

impl Scope {
    /// In a request that belongs to a call.
    pub(crate) fn of_call(parameters: &BTreeSet<String>) -> Self {
        let call = OF_CALL.iter().map(|name| (*name).to_owned());
        Self { names: call.chain(parameters.iter().map(|name| format!("parameters.{name}"))).collect() }
    }

    /// Exactly these variables, and their fields.
    pub(crate) fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().collect() }
    }

    /// In a request that asks what the target knows.
    pub(crate) fn of_query(parameters: &BTreeSet<String>) -> Self {
        let query = ["tenant", "target", "data"].map(str::to_owned);
        Self::of(query.into_iter().chain(parameters.iter().map(|name| format!("parameters.{name}"))))
    }

    /// In a request that asks for the holder of a resource.
    pub(crate) fn of_resource(parameters: &BTreeSet<String>) -> Self {
        let resource = ["target", "resource.kind", "resource.id"].map(str::to_owned);
        Self { names: resource.into_iter().chain(parameters.iter().map(|name| format!("parameters.{name}"))).collect() }
    }

    /// In a request that belongs to no order.
    pub(crate) fn of_target(parameters: &BTreeSet<String>) -> Self {
        let target = ["target".to_owned()].into_iter();
        Self { names: target.chain(parameters.iter().map(|name| format!("parameters.{name}"))).collect() }
    }

    /// The same scope after a look-up that found something.
    pub(crate) fn with_found<'a>(&self, names: impl Iterator<Item = &'a str>) -> Self {
        let found = names.map(|name| format!("found.{name}"));
        Self { names: self.names.iter().cloned().chain(found).collect() }
    }

    /// The same scope with a job.
    pub(crate) fn with_job(&self) -> Self {
        Self { names: self.names.iter().cloned().chain(["job".to_owned()]).collect() }
    }

    /// The same scope with an answer.
    pub(crate) fn with_answer(&self) -> Self {
        Self { names: self.names.iter().cloned().chain(OF_ANSWER.map(str::to_owned)).collect() }
    }

    /// Whether a variable or one of its fields is known: `data.msisdn` is known if `data` is.
    pub(crate) fn knows(&self, variable: &str) -> bool {
        let is_part_of = |name: &String| {
            variable == name || variable.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        // If its fields are known, the whole of `order` is also known.
        let is_whole_of = |name: &String| name.strip_prefix(variable).is_some_and(|rest| rest.starts_with('.'));
        self.names.iter().any(|name| is_part_of(name) || is_whole_of(name))
    }

    pub(crate) fn known(&self) -> String {
        self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
