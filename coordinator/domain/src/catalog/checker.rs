//! The rules that the parts of a catalog must follow together. Each rule prevents a plan that the machines could not
//! execute; all faults are reported at once.

use std::collections::{BTreeMap, BTreeSet};

use super::event_rule::{Body, ClaimRule, EventRule, HalfRule, OrderRule, Ordering, StepRule};
use super::form::Form;
use super::kind_rule::KindRule;
use super::pattern::Pattern;
use super::schema::{DataSchema, FieldUse};
use super::step_order;
use super::template::{Argument, FieldPath, Piece, Template};
use crate::error_code::ErrorCode;
use crate::ids::ResourceKind;
use crate::order::{ClaimMode, Late, OnFailure, ReleaseWhen};
use crate::toml_text::{Faults, Spot};

/// Checks all event types, and sets the order in which their steps are planned.
pub(super) fn check(
    kinds: &BTreeMap<ResourceKind, KindRule>,
    rules: &mut BTreeMap<String, EventRule>,
    faults: &mut Faults<'_>,
) {
    for rule in rules.values_mut() {
        for (spot, path) in &rule.distinct {
            require_field(&rule.schema, path, FieldUse::Required, spot, faults);
        }
        if let Body::Order(order) = &mut rule.body {
            name_held_arguments(order, &rule.schema);
            order.sequence = step_order::sequence(&order.steps, order.is_complete, faults);
            let check = OrderCheck { order, schema: &rule.schema, distinct: &rule.distinct, kinds };
            check.run(faults);
        }
    }
    for rule in rules.values() {
        if let Body::Split { from, to } = &rule.body {
            check_half(from, &rule.schema, rules, faults);
            check_half(to, &rule.schema, rules, faults);
        }
    }
}

/// Finds the arguments that name one of the resources that a step covers with `KIND/*`: those made of one field of the kind's form.
fn name_held_arguments(order: &mut OrderRule, schema: &DataSchema) {
    for step in order.steps.iter_mut().filter(|step| step.each.is_none()) {
        let Some(form) = step.each_held().and_then(Pattern::kind).and_then(|kind| Form::of(kind.as_str())) else {
            continue;
        };
        let names_one = |argument: &Argument| match argument {
            Argument::Text(template) => template.whole_field().is_some_and(|path| schema.form_of(path) == Some(form)),
            _ => false,
        };
        let named = step.with.iter().filter(|(_, argument)| names_one(argument)).map(|(name, _)| name.clone());
        step.held_arguments = named.collect();
    }
}

fn check_half(half: &HalfRule, schema: &DataSchema, rules: &BTreeMap<String, EventRule>, faults: &mut Faults<'_>) {
    require_field(schema, &half.customer, FieldUse::RequiredText, &half.spot, faults);
    for (_, argument) in &half.with {
        check_argument(argument, schema, false, &half.spot, faults);
    }
    let (spot, name) = &half.planned_as;
    let Some(planned_as) = rules.get(name) else {
        faults.add(
            spot,
            ErrorCode::UnknownEventType,
            format!("The event type '{name}', as which this half is planned, does not exist."),
        );
        return;
    };
    if matches!(planned_as.body, Body::Split { .. }) {
        faults.add(
            spot,
            ErrorCode::UnknownEventType,
            format!("'{name}' creates two orders itself; a half must be one order."),
        );
    }
    for required in planned_as.schema.required() {
        if !half.with.iter().any(|(given, _)| given == required) {
            let message = format!("'{name}' requires '{required}', which 'with' does not set.");
            faults.add(&half.spot, ErrorCode::MissingArgument, message);
        }
    }
}

/// A field that a template uses must always be present: a plan has no gaps.
fn require_field(schema: &DataSchema, path: &FieldPath, needed: FieldUse, spot: &Spot, faults: &mut Faults<'_>) {
    let name = path.join(".");
    match (schema.field(path), needed) {
        (FieldUse::Optional, _) => {
            let message =
                format!("The field '{name}' and its parent fields must be in 'properties' and 'required' of 'data'.");
            faults.add(spot, ErrorCode::FieldNotRequired, message);
        }
        (FieldUse::Required, FieldUse::RequiredText) => {
            let message = format!("The field '{name}' is used as text: its type must be string, integer or boolean.");
            faults.add(spot, ErrorCode::FieldNotText, message);
        }
        _ => {}
    }
}

fn check_template(template: &Template, schema: &DataSchema, may_use_held: bool, spot: &Spot, faults: &mut Faults<'_>) {
    for piece in &template.pieces {
        if let Piece::Field(path) = piece {
            require_field(schema, path, FieldUse::RequiredText, spot, faults);
        }
    }
    check_held(template, may_use_held, spot, faults);
}

fn check_held(template: &Template, may_use_held: bool, spot: &Spot, faults: &mut Faults<'_>) {
    if template.uses_held() && !may_use_held {
        faults.add(spot, ErrorCode::HeldWithoutEach, "'{@held}' is available only in a step with 'each = \"KIND/*\"'.");
    }
}

fn check_argument(argument: &Argument, schema: &DataSchema, may_use_held: bool, spot: &Spot, faults: &mut Faults<'_>) {
    argument.each_template(&mut |template| match template.whole_field() {
        // A whole field keeps its JSON type, whatever that is.
        Some(path) => require_field(schema, path, FieldUse::Required, spot, faults),
        None => check_template(template, schema, may_use_held, spot, faults),
    });
}

struct OrderCheck<'a> {
    order: &'a OrderRule,
    schema: &'a DataSchema,
    distinct: &'a [(Spot, FieldPath)],
    kinds: &'a BTreeMap<ResourceKind, KindRule>,
}

impl OrderCheck<'_> {
    fn run(&self, faults: &mut Faults<'_>) {
        self.check_manner(faults);
        for (index, claim) in self.order.claims.iter().enumerate() {
            self.check_claim(claim, faults);
            for earlier in &self.order.claims[..index] {
                self.check_pair(earlier, claim, faults);
            }
        }
        for required in self.order.requires.iter().flatten() {
            self.check_required(&required.resource, &required.spot, faults);
        }
        for step in &self.order.steps {
            self.check_step(step, faults);
        }
    }

    /// What the customer must have before the order starts.
    fn check_required(&self, required: &Pattern, spot: &Spot, faults: &mut Faults<'_>) {
        if let Some(kind) = required.kind()
            && !self.kinds.contains_key(kind)
        {
            faults.add(spot, ErrorCode::UnknownKind, format!("[resources.{kind}] does not exist; declare the kind."));
        }
        match required.template() {
            Some(template) => check_template(template, self.schema, false, spot, faults),
            None => {
                faults.add(spot, ErrorCode::NotTogether, "'requires' must name single resources: \"KIND/{field}\".");
            }
        }
        if self.order.ordering == Ordering::None {
            let message =
                "'requires' is not allowed with ordering = \"none\": such an event is not tied to a customer.";
            faults.add(spot, ErrorCode::NotTogether, message);
        }
    }

    /// Checks the settings of the whole order against each other.
    fn check_manner(&self, faults: &mut Faults<'_>) {
        let order = self.order;
        let is_unordered = order.ordering == Ordering::None;
        let mut refuse = |is_wrong: bool, message: &str| {
            if is_wrong {
                faults.add(&order.spot, ErrorCode::NotTogether, message);
            }
        };
        refuse(is_unordered && !order.claims.is_empty(), "Claims are not allowed with ordering = \"none\".");
        refuse(is_unordered && order.urgent, "'urgent' is not allowed with ordering = \"none\".");
        refuse(is_unordered && order.late != Late::Apply, "'late' is not allowed with ordering = \"none\".");
        refuse(
            !is_unordered && order.expires_after_ms.is_some(),
            "'expires_after' is allowed only with ordering = \"none\".",
        );
        refuse(
            !order.claims.is_empty() && order.late != Late::Apply,
            "'late' is only for events without claims; a late claim is superseded in the order of the resource.",
        );
    }

    fn check_claim(&self, claim: &ClaimRule, faults: &mut Faults<'_>) {
        if let Some(kind) = claim.resource.kind()
            && !self.kinds.contains_key(kind)
        {
            let message = format!("[resources.{kind}] does not exist; declare the kind.");
            faults.add(&claim.spot, ErrorCode::UnknownKind, message);
        }
        for template in
            claim.resource.template().into_iter().chain(&claim.target_identity).chain(&claim.target_identity_after)
        {
            check_template(template, self.schema, false, &claim.spot, faults);
        }
        if claim.mode != ClaimMode::Release {
            if claim.release_when != ReleaseWhen::Turn {
                faults.add(&claim.spot, ErrorCode::NotTogether, "'release_when' is only for claims with mode release.");
            }
            if claim.resource.template().is_none() {
                faults.add(
                    &claim.spot,
                    ErrorCode::NotTogether,
                    "Claims on all that the customer holds ('*') can only have mode release.",
                );
            }
        }
        let is_named = |step: &StepRule| step.resources.iter().any(|(_, resource)| *resource == claim.resource);
        if self.order.is_complete && claim.resource.template().is_some() && !self.order.steps.iter().any(is_named) {
            let message =
                "No step names this resource: its lease would protect nothing. Add it to a step's 'resources'.";
            faults.add(&claim.spot, ErrorCode::ClaimWithoutStep, message);
        }
    }

    /// A plan has at most one claim per resource.
    fn check_pair(&self, earlier: &ClaimRule, later: &ClaimRule, faults: &mut Faults<'_>) {
        if earlier.resource == later.resource {
            faults.add(&later.spot, ErrorCode::DuplicateClaim, "This resource is already claimed; claim it once.");
            return;
        }
        let (Some(one), Some(other)) = (earlier.resource.template(), later.resource.template()) else { return };
        let are_constants = one.constant().is_some() && other.constant().is_some();
        if earlier.resource.kind() != later.resource.kind() || are_constants {
            return;
        }
        let is_distinct = |template: &Template| {
            template.whole_field().is_some_and(|path| self.distinct.iter().any(|(_, other)| other == path))
        };
        if !(is_distinct(one) && is_distinct(other)) {
            let message = "This may be the same resource as in another claim. Claim single fields, and name both in \
                           'distinct'.";
            faults.add(&later.spot, ErrorCode::ClaimsMayCollide, message);
        }
    }

    fn check_step(&self, step: &StepRule, faults: &mut Faults<'_>) {
        for (_, argument) in &step.with {
            check_argument(argument, self.schema, step.each.is_some(), &step.spot, faults);
        }
        if let Some(each) = &step.each {
            self.check_each(step, each, faults);
        }
        let mut named: BTreeSet<ClaimMode> = BTreeSet::new();
        for (spot, resource) in &step.resources {
            if let Some(template) = resource.template() {
                check_held(template, step.each.is_some(), spot, faults);
            }
            let mode = self.claimed(step, resource);
            if mode.is_none() && self.order.is_complete {
                let message = format!("The step {} names a resource that is not in 'claims'.", step.name);
                faults.add(spot, ErrorCode::ResourceNotClaimed, message);
            }
            named.extend(mode);
        }
        if named.contains(&ClaimMode::Release) {
            if step.on_failure == OnFailure::Skip {
                let message = "A step that releases must not be skipped: the next holder would start while this one \
                               still uses the resource.";
                faults.add(&step.spot, ErrorCode::SkipOnRelease, message);
            }
            if step.compensation.is_some() {
                let message = "A step that releases must not have a compensation: the resource may already have its \
                               next holder.";
                faults.add(&step.spot, ErrorCode::CompensatedRelease, message);
            }
        }
    }

    fn check_each(&self, step: &StepRule, each: &Pattern, faults: &mut Faults<'_>) {
        let is_claimed = match each {
            Pattern::Held(Some(kind)) => self.order.claims.iter().any(|claim| claim.resource.holds(kind)),
            _ => false,
        };
        if !is_claimed && self.order.is_complete {
            let message = "'each' must be \"KIND/*\", and 'claims' must release that or \"*\".";
            faults.add(&step.spot, ErrorCode::HeldWithoutClaim, message);
        }
    }

    /// How the order claims a resource that a step names.
    fn claimed(&self, step: &StepRule, resource: &Pattern) -> Option<ClaimMode> {
        let mut claims = self.order.claims.iter();
        match resource {
            Pattern::One { kind, .. } if resource.is_the_held_one() => {
                let is_of_each = step.each.as_ref().and_then(Pattern::kind) == Some(kind);
                claims.find(|claim| is_of_each && claim.resource.holds(kind))
            }
            Pattern::One { .. } => claims.find(|claim| claim.resource == *resource),
            Pattern::Held(Some(kind)) => claims.find(|claim| claim.resource.holds(kind)),
            Pattern::Held(None) => claims.find(|claim| claim.resource.template().is_none()),
        }
        .map(|claim| claim.mode)
    }
}
