//! Whether an event type says how its events prove their right to the resources on which their steps act.
//!
//! A field whose form is a resource kind (`imsi`, `msisdn`) names a resource. The right to it is proven by `requires`; or by a claim of
//! it, which waits for its holder; or, if it is only the party of something released, by the release itself, which uses the party that is
//! kept with the lease. The party of an assign proves nothing: a free number could be put on anyone's SIM.

use std::collections::BTreeMap;

use super::event_rule::{ClaimRule, OrderRule, Ordering, StepRule};
use super::form::Form;
use super::kind_rule::KindRule;
use super::pattern::Pattern;
use super::schema::DataSchema;
use super::template::{FieldPath, Template};
use crate::ids::ResourceKind;
use crate::order::ClaimMode;

/// Whether events of a type change things without proving a right to them. `requires = []` says that no proof is needed.
pub(super) fn is_unprotected(rule: &OrderRule, schema: &DataSchema, kinds: &BTreeMap<ResourceKind, KindRule>) -> bool {
    let says_nothing = rule.claims.is_empty() && rule.requires.is_none();
    rule.ordering == Ordering::Customer && (says_nothing || unproven_field(rule, schema, kinds).is_some())
}

/// The first field that names a resource on which a step acts without a proof, and the resource's kind.
pub(super) fn unproven_field(
    rule: &OrderRule,
    schema: &DataSchema,
    kinds: &BTreeMap<ResourceKind, KindRule>,
) -> Option<(ResourceKind, String)> {
    let says_that_none_is_needed = rule.requires.as_ref().is_some_and(Vec::is_empty);
    if says_that_none_is_needed || rule.ordering == Ordering::None {
        return None;
    }
    let mut found = None;
    for step in &rule.steps {
        for (_, argument) in &step.with {
            argument.each_template(&mut |template| {
                let Some(path) = template.whole_field() else { return };
                let form = schema.form_of(path);
                let kind = kinds.keys().find(|kind| form.is_some() && Form::of(kind.as_str()) == form);
                if let Some(kind) = kind.filter(|kind| found.is_none() && !is_proven(rule, step, kind, path)) {
                    found = Some((kind.clone(), path.join(".")));
                }
            });
        }
    }
    found
}

fn is_proven(rule: &OrderRule, step: &StepRule, kind: &ResourceKind, path: &FieldPath) -> bool {
    let is = |template: &Template| template.whole_field() == Some(path);
    let names = |pattern: &Pattern| pattern.kind() == Some(kind) && pattern.template().is_some_and(is);
    let is_required = || rule.requires.iter().flatten().any(|required| names(&required.resource));
    // A resource in a step that also does something else is not only given up: for example a SIM that is swapped.
    let may_be_released = step.resources.iter().all(|(_, pattern)| is_released(rule, pattern));
    let is_claimed = || {
        let mut claims = rule.claims.iter().filter(|claim| names(&claim.resource));
        claims.any(|claim| claim.mode != ClaimMode::Release || may_be_released)
    };
    let target_identities: Vec<&ClaimRule> =
        rule.claims.iter().filter(|claim| claim.target_identity.as_ref().is_some_and(is)).collect();
    let is_target_identity_of_a_release =
        !target_identities.is_empty() && target_identities.iter().all(|claim| claim.mode == ClaimMode::Release);
    is_required() || is_claimed() || is_target_identity_of_a_release
}

fn is_released(rule: &OrderRule, pattern: &Pattern) -> bool {
    let of_one = |claim: &&ClaimRule| match (pattern.template(), claim.resource.template()) {
        (Some(named), Some(claimed)) => pattern.kind() == claim.resource.kind() && named == claimed,
        _ => pattern.kind().is_none_or(|kind| claim.resource.holds(kind)),
    };
    rule.claims.iter().filter(of_one).all(|claim| claim.mode == ClaimMode::Release)
}
