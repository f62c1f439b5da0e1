//! A whole adapter file, parsed and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::ResourceKind;
use interlock_domain::toml_text::{self, Faults, Section, TomlFault};

use super::auth::{Auth, TlsSources};
use super::class::Asked;
use super::operation::{CapabilityKeys, Inquiry, Operation, Surroundings};
use super::query::Query;
use super::request::{NamedRequests, RequestTemplate};
use super::response_table::SharedRows;
use super::scope::Scope;
use crate::adapter::Capabilities;

/// The contents of an adapter file.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    /// The parameters with their defaults. The target's settings must give a value for those without one.
    pub(super) parameters: BTreeMap<String, Option<String>>,
    pub(super) auth: Option<Auth>,
    pub(super) tls: TlsSources,
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) find_holder: BTreeMap<ResourceKind, Inquiry>,
    /// What the target can be asked.
    pub(super) queries: BTreeMap<String, Query>,
    pub(super) health: Option<RequestTemplate>,
    /// The capabilities of operations that the file does not describe.
    pub(super) defaults: Capabilities,
}

impl Connector {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// All of its faults, by line.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<TomlFault>> {
        let mut faults = Faults::of(text);
        let document = toml_text::read(text, &mut faults);
        let connector = read(Section::root(&document), &mut faults);
        let faults = faults.sorted();
        if faults.is_empty() { Ok(connector) } else { Err(faults) }
    }
}

fn read(mut root: Section<'_>, faults: &mut Faults<'_>) -> Connector {
    root.require("describes", faults).map(|entry| entry.text(faults));
    let parameters = read_parameters(&mut root, faults);
    let names: BTreeSet<String> = parameters.keys().cloned().collect();
    let auth = root.section("auth", faults).map(|section| Auth::read(section, faults));
    let tls = root.section("tls", faults).map(|section| TlsSources::read(section, faults)).unwrap_or_default();
    let defaults = root.section("capabilities", faults);
    let defaults = defaults.map(|section| CapabilityKeys::read(section, faults)).unwrap_or_default();
    let shared = SharedRows::read(&mut root, &Scope::of_target(&names), faults);
    let requests = NamedRequests::read(&mut root, faults);
    let has_find_holder = root.has("find_holder");
    let surroundings = Surroundings { parameters: names, shared: Arc::new(shared), requests, has_find_holder };
    let operations = read_operations(&mut root, &defaults, &surroundings, faults);
    let find_holder = read_find_holder(&mut root, &surroundings, faults);
    let queries = read_queries(&mut root, &surroundings, faults);
    let health = root.section("health", faults).and_then(|mut section| {
        let scope = Scope::of_target(&surroundings.parameters);
        let request = RequestTemplate::read(&mut section, Asked::LookUp, &scope, &surroundings.requests, faults);
        section.finish(faults);
        request
    });
    surroundings.requests.finish(faults);
    root.finish(faults);
    let mut defaults = defaults.complete();
    // Nothing is known about an operation that the file does not describe, not even how to read it back.
    defaults.verify = false;
    defaults.on_ambiguous = crate::adapter::OnAmbiguous::Hold;
    Connector { parameters, auth: auth.unwrap_or(None), tls, operations, find_holder, queries, health, defaults }
}

fn read_parameters(root: &mut Section<'_>, faults: &mut Faults<'_>) -> BTreeMap<String, Option<String>> {
    let mut parameters = BTreeMap::new();
    for (name, entry) in root.named("parameters", faults) {
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            faults.add(
                &entry.spot,
                ErrorCode::BadName,
                format!("'{name}' is not a valid name: use letters, digits and '_'."),
            );
        }
        if ["secret", "password", "token", "api_key"].iter().any(|word| name.contains(word)) {
            let message = "A parameter must not contain a secret: describe it in [auth].";
            faults.add(&entry.spot, ErrorCode::InlineSecret, message);
        }
        if entry.as_text().is_some() {
            parameters.insert(name.to_owned(), entry.as_text().map(str::to_owned));
            continue;
        }
        let Some(mut section) = entry.section(faults) else { continue };
        let is_required = section.flag("required", faults) == Some(true);
        section.text("describes", faults);
        let spot = section.spot.clone();
        section.finish(faults);
        faults.refuse(
            !is_required,
            &spot,
            ErrorCode::MissingDefault,
            "Write a default as text, or { required = true }.",
        );
        parameters.insert(name.to_owned(), None);
    }
    parameters
}

fn read_operations(
    root: &mut Section<'_>,
    defaults: &CapabilityKeys,
    surroundings: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> BTreeMap<String, Operation> {
    let spot = root.spot.clone();
    let entries = root.named("operations", faults);
    if entries.is_empty() && !root.has("queries") {
        let message = "An adapter file needs at least one [operations.NAME] or [queries.NAME].";
        faults.add(&spot, ErrorCode::NoOperations, message);
    }
    let mut operations = BTreeMap::new();
    for (name, entry) in entries {
        let Some(section) = entry.section(faults) else { continue };
        if let Some(operation) = Operation::read(section, defaults, surroundings, faults) {
            operations.insert(name.to_owned(), operation);
        }
    }
    operations
}

fn read_queries(
    root: &mut Section<'_>,
    surroundings: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> BTreeMap<String, Query> {
    let mut queries = BTreeMap::new();
    for (name, entry) in root.named("queries", faults) {
        let Some(section) = entry.section(faults) else { continue };
        if let Some(query) = Query::read(section, surroundings, faults) {
            queries.insert(name.to_owned(), query);
        }
    }
    queries
}

fn read_find_holder(
    root: &mut Section<'_>,
    surroundings: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> BTreeMap<ResourceKind, Inquiry> {
    let scope = Scope::of_resource(&surroundings.parameters);
    let mut inquiries = BTreeMap::new();
    for (kind, entry) in root.named("find_holder", faults) {
        let parsed = kind.parse::<ResourceKind>();
        if let Err(error) = &parsed {
            faults.add(&entry.spot, ErrorCode::BadName, format!("'{kind}' is not a valid resource kind: {error}."));
        }
        let Some(mut section) = entry.section(faults) else { continue };
        let inquiry = Inquiry::read(&mut section, Asked::Holder, &scope, surroundings, faults);
        section.finish(faults);
        if let (Ok(kind), Some(inquiry)) = (parsed, inquiry) {
            inquiries.insert(kind, inquiry);
        }
    }
    inquiries
}
