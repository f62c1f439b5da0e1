//! What the catalog says of a resource kind: `[resources.msisdn]`.

use std::collections::BTreeMap;

use super::DURATION_MS_MAX;
use super::event_rule::operation;
use crate::error_code::ErrorCode;
use crate::ids::{RealmId, ResourceKind, Role, TargetId};
use crate::limits::EntityLimits;
use crate::order::{Authority, ResourcePolicy};
use crate::toml_text::{Entry, Faults, Section};

/// How long a resource entity without history waits before its first grant, in milliseconds, unless the kind
/// says otherwise: more than the clocks of two servers differ.
pub const FRESH_WAIT_MS: u64 = 5_000;
/// How long a request of a dead customer entity may still arrive, in milliseconds, unless the kind says otherwise: three
/// times the default time-out of an attempt.
pub const ORPHAN_SETTLE_MS: u64 = 90_000;

/// A resource kind.
#[derive(Debug, Clone)]
pub(super) struct KindRule {
    /// The scope that several tenants share; otherwise each tenant has its own.
    pub(super) realm: Option<RealmId>,
    authority: Option<(Role, String)>,
    orphan_settle_ms: u64,
    fresh_wait_ms: u64,
}

impl Default for KindRule {
    fn default() -> Self {
        Self { realm: None, authority: None, orphan_settle_ms: ORPHAN_SETTLE_MS, fresh_wait_ms: FRESH_WAIT_MS }
    }
}

impl KindRule {
    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let rule = Self {
            realm: section.name("realm", faults),
            authority: section.take("authority").and_then(|entry| authority(&entry, faults)),
            orphan_settle_ms: section
                .duration_ms("orphan_settle", (0, DURATION_MS_MAX), faults)
                .unwrap_or(ORPHAN_SETTLE_MS),
            fresh_wait_ms: section.duration_ms("fresh_wait", (0, DURATION_MS_MAX), faults).unwrap_or(FRESH_WAIT_MS),
        };
        section.finish(faults);
        Some(rule)
    }

    /// The role that is its authority.
    pub(super) fn authority_role(&self) -> Option<&Role> {
        self.authority.as_ref().map(|(role, _)| role)
    }

    /// What each ticket of this kind carries.
    pub(super) fn policy(&self, targets: &BTreeMap<Role, TargetId>, limits: &EntityLimits) -> ResourcePolicy {
        let authority = self.authority.as_ref().map(|(role, operation)| Authority {
            target: targets.get(role).cloned().unwrap_or_else(|| TargetId::from(role)),
            operation: operation.clone(),
        });
        ResourcePolicy {
            authority,
            authority_proves: false,
            orphan_settle_ms: self.orphan_settle_ms,
            fresh_wait_ms: self.fresh_wait_ms,
            limits: *limits,
        }
    }
}

fn authority(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<(Role, String)> {
    let mut section = entry.section(faults)?;
    let role = section.require("role", faults).and_then(|entry| entry.name(faults));
    let operation = operation(&mut section, faults);
    section.finish(faults);
    role.zip(operation)
}

/// Reads `[resources]`.
pub(super) fn read_all(root: &mut Section<'_>, faults: &mut Faults<'_>) -> BTreeMap<ResourceKind, KindRule> {
    let mut kinds = BTreeMap::new();
    let Some(section) = root.take("resources").and_then(|entry| entry.section(faults)) else { return kinds };
    for (name, entry) in section.entries() {
        let kind = name.parse().map_err(|fault| {
            faults.add(&entry.spot, ErrorCode::BadName, format!("'{name}' is not a valid resource kind: {fault}."));
        });
        if name.contains('/') {
            let message = format!("'{name}' is not a valid resource kind: '/' stands between a kind and an id.");
            faults.add(&entry.spot, ErrorCode::BadName, message);
        }
        let rule = KindRule::read(&entry, faults);
        if let (Ok(kind), Some(rule)) = (kind, rule) {
            kinds.insert(kind, rule);
        }
    }
    kinds
}
