//! Planning: which order the catalog makes of an event. It depends only on its arguments, so the same event gives the
//! same plan, and the plan is recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Catalog;
use super::amendment::{fixed_arguments, target_identity_arguments};
use super::event_rule::{Body, EventRule, OrderRule, Ordering, StepRule, step_name};
use super::pattern::Pattern;
use super::step_order::indices_after;
use super::template::{Facts, FieldPath, Template, render_fields};
use crate::error_code::ErrorCode;
use crate::event::{Event, ROLE_ATTRIBUTE};
use crate::ids::{CustomerId, OrderId, PART_BYTES_MAX, ResourceId, Role, TargetId, TenantId, Timestamp};
use crate::limits::EntityLimits;
use crate::order::{Claim, ClaimMode, OrderPriority, Plan, PlannedStep, Rejection};

/// The most claims, and the most steps, of one plan. Only an order that releases all that a customer holds comes near it; a
/// larger one is rejected as `plan_too_large`, because a plan is recorded in one piece.
pub const PLAN_PARTS_MAX: usize = 500;

/// The resources that a customer holds or has an open assign of, each with the name under which targets know the customer there.
pub type Holdings = BTreeMap<ResourceId, Option<String>>;

/// What an event is planned for.
#[derive(Debug, Clone, Copy)]
pub struct PlanContext<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The customer whose entity plans: an event with another subject is rejected as `wrong_customer`.
    pub customer: &'a CustomerId,
    /// When that entity accepted the event. It is also the time of a passed-on event that has none of its own.
    pub accepted_at: Timestamp,
    /// The target instances that the tenant's settings map roles to; for a role that is missing, the target has the role's name.
    pub targets: &'a BTreeMap<Role, TargetId>,
    /// What the customer holds, and under which party if that is known. For an order that releases all, include what
    /// its older open orders assign, because it runs after them.
    pub holdings: &'a Holdings,
    /// The limits of the entities: each claim carries them, and an event that is passed on must keep the limit of an event.
    pub limits: &'a EntityLimits,
}

/// The event that must be passed on to the receiving customer, by signal-with-start, before the giving order is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// The receiving customer.
    pub customer: CustomerId,
    /// The order that it makes there.
    pub order: OrderId,
    /// The CloudEvents event in structured JSON, marked with [`ROLE_ATTRIBUTE`].
    pub event: Value,
}

/// What the catalog makes of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The order's id.
    pub order: OrderId,
    /// Its plan. Step names are unique, each step's resources are claimed, and no resource is claimed twice.
    pub plan: Plan,
    /// The event to pass on, if the event makes two orders and this is the giving one.
    pub forward: Option<Forward>,
}

impl Catalog {
    /// Plans an event.
    ///
    /// # Errors
    /// A [`Rejection`]: `wrong_customer`, `unknown_event_type`, `unexpected_role`, `invalid_data`, `not_distinct`,
    /// `conflicting_claims`, `plan_too_large`; for an event that makes two orders also `subject_mismatch`,
    /// `same_customer`, `event_too_large`.
    pub fn plan(&self, context: &PlanContext<'_>, event: &Event) -> Result<Planned, Rejection> {
        if event.subject != *context.customer {
            return Err(Rejection::new(
                ErrorCode::WrongCustomer,
                "The event's subject is not the customer that it was sent to.",
            ));
        }
        let (rule, data) = self.admitted(event)?;
        match &rule.body {
            Body::Order(order) => Ok(Planned {
                order: event.order_id(context.tenant, None),
                plan: self.plan_order(context, order, event, &data)?,
                forward: None,
            }),
            Body::Split { from, to } => self.plan_half(context, event, &data, from, to),
        }
    }

    /// Checks that the catalog accepts the event: its type, role and data. [`Self::plan`] checks what depends on the customer's
    /// state.
    ///
    /// # Errors
    /// `unknown_event_type`, `unexpected_role`, `invalid_data`, `not_distinct`.
    pub fn validate(&self, event: &Event) -> Result<(), Rejection> {
        self.admitted(event).map(|_| ())
    }

    /// The rule of an event, and its data, normalised.
    pub(super) fn admitted(&self, event: &Event) -> Result<(&EventRule, Map<String, Value>), Rejection> {
        let rule = self.rule(&event.event_type).ok_or_else(|| {
            Rejection::new(
                ErrorCode::UnknownEventType,
                "The catalog does not have this event type; see 'interlock catalog check'.",
            )
        })?;
        if event.half.is_some() && matches!(rule.body, Body::Order(_)) {
            let detail = format!("This event type creates only one order; omit the attribute '{ROLE_ATTRIBUTE}'.");
            return Err(Rejection::new(ErrorCode::UnexpectedRole, detail));
        }
        event.priority()?;
        let data = rule.schema.admit(&event.data)?;
        check_distinct(rule, event, &data)?;
        Ok((rule, data))
    }

    /// Plans an event that makes one order; `data` is normalised.
    pub(super) fn plan_order(
        &self,
        context: &PlanContext<'_>,
        rule: &OrderRule,
        event: &Event,
        data: &Map<String, Value>,
    ) -> Result<Plan, Rejection> {
        let facts = facts(context.tenant, event, data);
        let claims = Claims::of(self, context, rule, &facts)?;
        let steps = planned_steps(context, rule, &facts, &claims)?;
        if claims.all.len() > PLAN_PARTS_MAX || steps.len() > PLAN_PARTS_MAX {
            let detail = format!(
                "The order would have {} claims and {} steps; the limit is {PLAN_PARTS_MAX} of each. First release \
                 some of the customer's resources, one by one.",
                claims.all.len(),
                steps.len()
            );
            return Err(Rejection::new(ErrorCode::PlanTooLarge, detail));
        }
        Ok(Plan {
            catalog_digest: self.digest().to_owned(),
            urgent: rule.urgent,
            priority: event.priority()?.or(rule.priority).or(rule.urgent.then_some(OrderPriority::HIGHEST)),
            unordered: rule.ordering == Ordering::None,
            expires_after_ms: rule.expires_after_ms,
            due_within_ms: rule.due_within_ms,
            late: rule.late,
            claims: claims.all,
            requires: required(rule, &facts, false)?,
            first_use: required(rule, &facts, true)?,
            steps,
        })
    }
}

pub(super) fn facts<'a>(tenant: &'a TenantId, event: &'a Event, data: &'a Map<String, Value>) -> Facts<'a> {
    Facts { tenant, customer: &event.subject, event_id: &event.id, data, held: None }
}

fn check_distinct(rule: &EventRule, event: &Event, data: &Map<String, Value>) -> Result<(), Rejection> {
    for (index, (_, path)) in rule.distinct.iter().enumerate() {
        for (_, earlier) in &rule.distinct[..index] {
            if lookup(data, path).is_some_and(|value| lookup(data, earlier) == Some(value)) {
                let (one, other) = (earlier.join("."), path.join("."));
                let detail =
                    format!("In an event of type {} data.{one} and data.{other} must differ.", event.event_type);
                return Err(Rejection::new(ErrorCode::NotDistinct, detail));
            }
        }
    }
    Ok(())
}

fn lookup<'a>(data: &'a Map<String, Value>, path: &FieldPath) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(data.get(first)?, |value, name| value.get(name))
}

/// What the customer must have before the order starts; with `first_use`, what no other customer may have.
fn required(rule: &OrderRule, facts: &Facts<'_>, first_use: bool) -> Result<Vec<ResourceId>, Rejection> {
    let required = rule.requires.iter().flatten().filter(|required| required.first_use == first_use);
    required.filter_map(|required| required.resource.render(facts)).collect()
}

/// The claims of a plan, and which of them exist because the customer holds the resource.
struct Claims {
    all: Vec<Claim>,
    held: Vec<ResourceId>,
}

impl Claims {
    fn of(
        catalog: &Catalog,
        context: &PlanContext<'_>,
        rule: &OrderRule,
        facts: &Facts<'_>,
    ) -> Result<Self, Rejection> {
        let mut claims = Self { all: Vec::new(), held: Vec::new() };
        let mut taken = BTreeSet::new();
        for claim in &rule.claims {
            let Some(resource) = claim.resource.render(facts) else { continue };
            let resource = resource?;
            if !taken.insert(resource.clone()) {
                let detail = format!("The event claims the same resource of kind {} twice.", resource.kind());
                return Err(Rejection::new(ErrorCode::ConflictingClaims, detail));
            }
            claims.all.push(Claim {
                mode: claim.mode,
                release_when: claim.release_when,
                target_identity: identity(claim.target_identity.as_ref(), facts)?,
                target_identity_after: identity(claim.target_identity_after.as_ref(), facts)?,
                policy: catalog.policy(resource.kind(), context.targets, context.limits),
                resource,
            });
        }
        // A resource that is claimed by name is not claimed again as held; the narrower pattern goes first.
        let mut patterns: Vec<_> = rule.claims.iter().filter(|claim| claim.resource.template().is_none()).collect();
        patterns.sort_by_key(|claim| claim.resource.kind().is_none());
        for claim in patterns {
            for (resource, target_identity) in context.holdings {
                if !claim.resource.holds(resource.kind()) || !taken.insert(resource.clone()) {
                    continue;
                }
                let named = identity(claim.target_identity.as_ref(), facts)?;
                claims.held.push(resource.clone());
                claims.all.push(Claim {
                    resource: resource.clone(),
                    mode: ClaimMode::Release,
                    release_when: claim.release_when,
                    target_identity: named.or_else(|| target_identity.clone()),
                    target_identity_after: None,
                    policy: catalog.policy(resource.kind(), context.targets, context.limits),
                });
            }
        }
        Ok(claims)
    }

    /// The held resources that a pattern includes.
    fn held_of<'a>(&'a self, pattern: &'a Pattern) -> impl Iterator<Item = &'a ResourceId> {
        self.held.iter().filter(|resource| pattern.holds(resource.kind()))
    }
}

/// The name under which the targets know the claimant. It is as short as an id: each ticket in a queue has one.
fn identity(template: Option<&Template>, facts: &Facts<'_>) -> Result<Option<String>, Rejection> {
    let Some(name) = template.map(|template| template.render(facts)).transpose()? else { return Ok(None) };
    if name.len() > PART_BYTES_MAX {
        let detail = format!("The party of a claim has {} bytes; the limit is {PART_BYTES_MAX}.", name.len());
        return Err(Rejection::new(ErrorCode::InvalidData, detail));
    }
    Ok(Some(name))
}

fn planned_steps(
    context: &PlanContext<'_>,
    rule: &OrderRule,
    facts: &Facts<'_>,
    claims: &Claims,
) -> Result<Vec<PlannedStep>, Rejection> {
    let mut steps: Vec<PlannedStep> = Vec::new();
    // For each rule: the planned steps that must have ended for the rule to have ended.
    let mut over: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for index in &rule.sequence {
        let step = &rule.steps[*index];
        let after: BTreeSet<usize> =
            indices_after(step, &rule.steps).iter().filter_map(|other| over.get(other)).flatten().copied().collect();
        // It is planned for what is held, not for what the event names.
        let held: Vec<Option<&ResourceId>> = match step.each_held() {
            Some(each) => claims.held_of(each).map(Some).collect(),
            None if step.names_all_held() && claims.held.is_empty() => Vec::new(),
            None => vec![None],
        };
        // A step without repetitions has ended when the steps before it have.
        let mut own = if held.is_empty() { after.clone() } else { BTreeSet::new() };
        for (repetition, held) in held.into_iter().enumerate() {
            let facts = Facts { held: held.map(ResourceId::id), ..*facts };
            let mut data = render_fields(&step.with, &facts)?;
            for name in &step.held_arguments {
                data.extend(held.map(|held| (name.clone(), Value::from(held.id()))));
            }
            own.insert(steps.len());
            steps.push(PlannedStep {
                name: repeated_name(step, repetition, &rule.steps),
                role: step.role.clone(),
                target: context.targets.get(&step.role).cloned().unwrap_or_else(|| TargetId::from(&step.role)),
                operation: step.operation.clone(),
                data,
                fixed: fixed_arguments(rule, step),
                target_identity_arguments: Some(target_identity_arguments(rule, step)),
                resources: resources(step, &facts, claims, held)?,
                after: after.iter().copied().collect(),
                on_failure: step.on_failure,
                compensation: step.compensation.clone(),
                attempt_timeout_ms: step.attempt_timeout_ms,
                retry: step.retry,
                // The admission knows whether the target's worker repeats proofs, and sets it.
                proves: false,
            });
        }
        over.insert(*index, own);
    }
    Ok(steps)
}

/// The first repetition has the rule's name; the others are numbered after the steps of the same operation.
fn repeated_name(step: &StepRule, repetition: usize, steps: &[StepRule]) -> String {
    if repetition == 0 {
        return step.name.clone();
    }
    let is_alike = |other: &&StepRule| other.role == step.role && other.operation == step.operation;
    let alike = steps.iter().filter(is_alike).count();
    step_name(&step.role, &step.operation, alike + repetition - 1)
}

fn resources(
    step: &StepRule,
    facts: &Facts<'_>,
    claims: &Claims,
    held: Option<&ResourceId>,
) -> Result<Vec<ResourceId>, Rejection> {
    let mut resources = Vec::new();
    for (_, pattern) in &step.resources {
        match pattern.render(facts) {
            Some(resource) => resources.push(resource?),
            None if step.each.is_none() && pattern.is_all_of_a_kind() => {
                resources.extend(held.filter(|held| pattern.holds(held.kind())).cloned());
            }
            None => resources.extend(claims.held_of(pattern).cloned()),
        }
    }
    resources.sort();
    resources.dedup();
    Ok(resources)
}
