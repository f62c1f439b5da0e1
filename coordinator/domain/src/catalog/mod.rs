//! The catalog: for each event type its ordering, the JSON Schema of its data, its claims and its steps, as one TOML text.
//! The shipped one is `reference.toml`, which explains each key where it is first used.
//!
//! [`Catalog::parse`] is the only way in; it reports *every* fault of a text. [`Catalog::plan`] makes an order from an event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use sha2::{Digest, Sha256};

mod amendment;
mod checker;
mod event_rule;
mod form;
mod kind_rule;
mod listed;
mod pattern;
mod plan;
mod proof;
mod schema;
mod shared_authority;
mod split_event;
mod step_order;
mod template;
mod timing;

pub(crate) use amendment::UNDO_SUFFIX;
pub use amendment::{AmendableStep, AmendedOrder, Amendment};
pub use event_rule::Ordering;
pub use form::{Form, ICCID_DIGITS, IMSI_DIGITS, MSISDN_DIGITS_MAX};
pub use kind_rule::{FRESH_WAIT_MS, ORPHAN_SETTLE_MS};
pub use plan::{Forward, Holdings, PLAN_PARTS_MAX, PlanContext, Planned};
pub use schema::DataField;
pub use shared_authority::AuthoritiesDiffer;
pub use timing::{
    ATTEMPT_TIMEOUT_MS, ATTEMPT_TIMEOUT_MS_LIMITS, RETRY_CAP_MS_LIMITS, RETRY_FACTOR_PERCENT_LIMITS,
    RETRY_INITIAL_MS_LIMITS,
};

use event_rule::{Body, EventRule};
use kind_rule::KindRule;

use crate::event::{Event, Half};
use crate::ids::{OrderId, RealmId, ResourceKind, Role, TargetId, TenantId};
use crate::limits::EntityLimits;
use crate::order::ResourcePolicy;
use crate::toml_text::{self, Faults, TomlFault};

/// The longest duration in a catalog, in milliseconds: 366 days. Sums of a few stay far from overflow.
const DURATION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

/// The text of the catalog that is shipped.
pub const REFERENCE_TEXT: &str = include_str!("reference.toml");

/// A valid catalog. Clones share it.
#[derive(Debug, Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    digest: String,
    kinds: BTreeMap<ResourceKind, KindRule>,
    rules: BTreeMap<String, EventRule>,
}

impl Catalog {
    /// Reads a catalog.
    ///
    /// # Errors
    /// Every fault of the text, by line. If the text is not valid TOML, only the syntax errors.
    pub fn parse(text: &str) -> Result<Self, Vec<TomlFault>> {
        let mut faults = Faults::of(text);
        let document = toml_text::read(text, &mut faults);
        if !faults.is_empty() {
            // A text with syntax errors seems to say things that its author did not write.
            return Err(faults.sorted());
        }
        let mut root = toml_text::Section::root(&document);
        let kinds = kind_rule::read_all(&mut root, &mut faults);
        let defaults = timing::Timing::read_defaults(&mut root, &mut faults);
        let mut rules = event_rule::read_all(&mut root, &defaults, &mut faults);
        root.finish(&mut faults);
        checker::check(&kinds, &mut rules, &mut faults);
        if !faults.is_empty() {
            return Err(faults.sorted());
        }
        let digest = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
        Ok(Self { inner: Arc::new(Inner { digest, kinds, rules }) })
    }

    /// The catalog that is shipped.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn reference() -> Self {
        static REFERENCE: LazyLock<Catalog> = LazyLock::new(|| match Catalog::parse(REFERENCE_TEXT) {
            Ok(catalog) => catalog,
            Err(faults) => unreachable!("the built-in catalog has errors: {faults:?}"),
        });
        REFERENCE.clone()
    }

    /// The first 16 hex digits of the SHA-256 of the text.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// The event types, sorted.
    pub fn event_types(&self) -> impl Iterator<Item = &str> {
        self.inner.rules.keys().map(String::as_str)
    }

    /// Whether events of this type take a turn; `None` if the type is unknown.
    pub fn ordering(&self, event_type: &str) -> Option<Ordering> {
        Some(match &self.rule(event_type)?.body {
            Body::Order(order) => order.ordering,
            Body::Split { .. } => Ordering::Customer,
        })
    }

    /// The event types for which the catalog does not say how they prove their right, sorted: they take a turn, and claim nothing and
    /// have no `requires`, or a step names something that they neither claim nor require ([`Self::unproven_field`]). Anyone who may
    /// submit one can change, at the targets, whatever it names. `requires = []` says that this is intended.
    pub fn unprotected(&self) -> impl Iterator<Item = &str> {
        let is_unprotected = |rule: &EventRule| match &rule.body {
            Body::Order(order) => proof::is_unprotected(order, &rule.schema, &self.inner.kinds),
            Body::Split { .. } => false,
        };
        self.inner.rules.iter().filter(move |(_, rule)| is_unprotected(rule)).map(|(name, _)| name.as_str())
    }

    /// The first field of an event type that names a resource on which a step acts without a claim or `requires`: the
    /// resource's kind, and the field as it is written.
    pub fn unproven_field(&self, event_type: &str) -> Option<(ResourceKind, String)> {
        let rule = self.rule(event_type)?;
        match &rule.body {
            Body::Order(order) => proof::unproven_field(order, &rule.schema, &self.inner.kinds),
            Body::Split { .. } => None,
        }
    }

    /// How soon, in milliseconds from acceptance, an order of this type should be done, if the catalog says so. A
    /// later one is shown and alerted as overdue; it has no other effect.
    pub fn due_within_ms(&self, event_type: &str) -> Option<u64> {
        match &self.rule(event_type)?.body {
            Body::Order(order) => order.due_within_ms,
            Body::Split { .. } => None,
        }
    }

    /// Which of the two orders an event stands for, if its type makes two; `None` for all others.
    pub fn half(&self, event: &Event) -> Option<Half> {
        match &self.rule(&event.event_type)?.body {
            Body::Order(_) => None,
            Body::Split { .. } => Some(event.half.unwrap_or(Half::From)),
        }
    }

    /// The id of the order that an event makes for its subject.
    pub fn order_id(&self, tenant: &TenantId, event: &Event) -> OrderId {
        event.order_id(tenant, self.half(event))
    }

    /// The resource kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &ResourceKind> {
        self.inner.kinds.keys()
    }

    /// The roles that its steps and authorities call.
    pub fn roles(&self) -> BTreeSet<Role> {
        let steps = self.inner.rules.values().flat_map(|rule| match &rule.body {
            Body::Order(order) => order.steps.as_slice(),
            Body::Split { .. } => &[],
        });
        let authorities = self.inner.kinds.values().filter_map(KindRule::authority_role);
        steps.map(|step| &step.role).chain(authorities).cloned().collect()
    }

    /// The realms of the kinds that several tenants share.
    pub fn realms(&self) -> BTreeMap<ResourceKind, RealmId> {
        self.inner.kinds.iter().filter_map(|(kind, rule)| Some((kind.clone(), rule.realm.clone()?))).collect()
    }

    /// What a resource entity needs to know of a kind; `targets` maps the authority's role. For a kind that the catalog
    /// does not have: no authority, and the default times.
    pub fn policy(
        &self,
        kind: &ResourceKind,
        targets: &BTreeMap<Role, TargetId>,
        limits: &EntityLimits,
    ) -> ResourcePolicy {
        self.inner.kinds.get(kind).unwrap_or(&KindRule::default()).policy(targets, limits)
    }

    /// The top-level fields of the data of this type's events, sorted by name; none if the type is unknown.
    pub fn data_fields(&self, event_type: &str) -> Vec<DataField> {
        self.rule(event_type).map(|rule| rule.schema.fields()).unwrap_or_default()
    }

    fn rule(&self, event_type: &str) -> Option<&EventRule> {
        self.inner.rules.get(event_type)
    }
}

#[cfg(test)]
mod checker_tests;
#[cfg(test)]
mod reference_tests;
