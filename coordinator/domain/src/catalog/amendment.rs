//! Amending: which new arguments follow from corrected event data, for steps that wait for a person or have not started.
//!
//! A person gives fields of the event, as a producer does. Each field is validated by its own part of the event type's
//! schema, and every argument that uses it is filled again. The fields of a claim cannot be amended: the lease would protect
//! something other than what the step changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Catalog;
use super::event_rule::{Body, EventRule, OrderRule, StepRule, step_name};
use super::schema::DataSchema;
use super::template::{Argument, Facts, FieldPath, Piece, Template};
use crate::error_code::ErrorCode;
use crate::ids::{CustomerId, TenantId};
use crate::order::Rejection;

/// The suffix that makes a step's name into that of its compensation.
pub(crate) const UNDO_SUFFIX: &str = ".undo";

/// The order to amend, as its customer shows it.
#[derive(Debug, Clone, Copy)]
pub struct AmendedOrder<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The customer.
    pub customer: &'a CustomerId,
    /// The event's id.
    pub event_id: &'a str,
    /// The event's type.
    pub event_type: &'a str,
    /// The steps that can still change, by their names in the order; at least the held ones.
    pub steps: &'a [AmendableStep<'a>],
}

/// A step that can still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendableStep<'a> {
    /// Its name in the order.
    pub name: &'a str,
    /// Whether it waits for a person; otherwise it has not started.
    pub is_held: bool,
    /// Whether it is a release that waits for the identity under which the target has the resource
    /// (`release_unconfirmed`): then a field that only gives the party of a claim may be amended.
    pub seeks_identity: bool,
}

/// New arguments, by step and argument name.
pub type Amendment = BTreeMap<String, Map<String, Value>>;

impl Catalog {
    /// The new arguments that follow from these fields of the event's data. For an event that makes two orders, the fields
    /// are those of the event type by which this order is planned.
    ///
    /// # Errors
    /// A [`Rejection`]: `amend_nothing`, `amend_unknown_field`, `amend_unused_field`, `amend_changes_claim`,
    /// `amend_incomplete`, `amend_not_validated`, `amend_step_unknown`, `invalid_data`, `unknown_event_type`.
    pub fn amendment(&self, order: &AmendedOrder<'_>, data: &Map<String, Value>) -> Result<Amendment, Rejection> {
        if data.is_empty() {
            return Err(refuse(ErrorCode::AmendNothing, "The amendment has no fields."));
        }
        let (event, rule) = self.order_rule(order)?;
        if let Some(field) = data.keys().find(|field| !event.schema.has_field(field)) {
            let detail = format!("The event type {} has no field '{field}'.", order.event_type);
            return Err(refuse(ErrorCode::AmendUnknownField, detail));
        }
        check_claims(rule, data, order.steps.iter().any(|step| step.seeks_identity))?;
        let data = event.schema.admit_fields(data)?;
        check_distinct(event, &data)?;
        let facts =
            Facts { tenant: order.tenant, customer: order.customer, event_id: order.event_id, data: &data, held: None };
        let mut amendment = Amendment::new();
        let mut used = BTreeSet::new();
        for step in order.steps {
            let Some(planned_by) = step_rule(step.name, &rule.steps) else {
                if step.is_held {
                    let detail = format!("The catalog no longer has the step {} of this event type.", step.name);
                    return Err(refuse(ErrorCode::AmendStepUnknown, detail));
                }
                continue;
            };
            let arguments = arguments(planned_by, &facts)?;
            if step.is_held {
                used.extend(data.keys().filter(|field| names_in(planned_by, field)));
            }
            if !arguments.is_empty() {
                amendment.insert(step.name.to_owned(), arguments);
            }
        }
        match data.keys().find(|field| !used.contains(field)) {
            Some(field) => {
                let detail = format!("No held step uses the field '{field}'.");
                Err(refuse(ErrorCode::AmendUnusedField, detail))
            }
            None => Ok(amendment),
        }
    }

    /// The rules by which the order was planned: for an event that makes two orders, those of the part that has its steps.
    fn order_rule(&self, order: &AmendedOrder<'_>) -> Result<(&EventRule, &OrderRule), Rejection> {
        let unknown = || {
            let detail = format!("The catalog has no event type {} that creates this order.", order.event_type);
            refuse(ErrorCode::UnknownEventType, detail)
        };
        let event = self.rule(order.event_type).ok_or_else(unknown)?;
        let (from, to) = match &event.body {
            Body::Order(rule) => return Ok((event, rule)),
            Body::Split { from, to } => (from, to),
        };
        let planned_as = [from, to].into_iter().filter_map(|part| self.rule(&part.planned_as.1));
        let mut orders = planned_as.filter_map(|event| match &event.body {
            Body::Order(rule) => Some((event, rule)),
            Body::Split { .. } => None,
        });
        let has_steps = |rule: &OrderRule| order.steps.iter().all(|step| step_rule(step.name, &rule.steps).is_some());
        orders.find(|(_, rule)| has_steps(rule)).ok_or_else(unknown)
    }
}

fn refuse(code: ErrorCode, detail: impl Into<String>) -> Rejection {
    Rejection::new(code, detail)
}

/// Refuses the fields that a claim is made of; if an identity is sought, the fields that only give the party are allowed.
fn check_claims(rule: &OrderRule, data: &Map<String, Value>, seeks_identity: bool) -> Result<(), Rejection> {
    let claimed = if seeks_identity { resource_fields(rule) } else { claimed_fields(rule) };
    match data.keys().find(|field| claimed.iter().any(|path| path.first() == Some(*field))) {
        Some(field) => {
            let detail = format!(
                "The order claims a resource by the field '{field}': the lease would protect another resource than the \
                 one that the step changes."
            );
            Err(refuse(ErrorCode::AmendChangesClaim, detail))
        }
        None => Ok(()),
    }
}

/// Fields that must differ must be amended together: the original values are no longer known.
fn check_distinct(event: &EventRule, data: &Map<String, Value>) -> Result<(), Rejection> {
    let paths: Vec<&FieldPath> = event.distinct.iter().map(|(_, path)| path).collect();
    let given = |path: &FieldPath| data.contains_key(&path[0]);
    if !paths.iter().any(|path| given(path)) {
        return Ok(());
    }
    let value = |path: &FieldPath| path[1..].iter().try_fold(data.get(&path[0])?, |value, name| value.get(name));
    let names = || paths.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(", ");
    if !paths.iter().all(|path| given(path)) {
        let detail = format!("These fields must differ, so they must be amended together: {}.", names());
        return Err(refuse(ErrorCode::AmendNotValidated, detail));
    }
    let alike = |index: usize| paths[..index].iter().any(|other| value(other) == value(paths[index]));
    if (0..paths.len()).any(alike) {
        return Err(refuse(ErrorCode::NotDistinct, format!("These fields must differ: {}.", names())));
    }
    Ok(())
}

/// The arguments of a step that use one of the fields, filled again.
fn arguments(step: &StepRule, facts: &Facts<'_>) -> Result<Map<String, Value>, Rejection> {
    let mut arguments = Map::new();
    for (name, argument) in &step.with {
        let fields = fields_of(argument);
        if !fields.iter().any(|path| facts.data.contains_key(&path[0])) {
            continue;
        }
        if let Some(missing) = fields.iter().find(|path| !facts.data.contains_key(&path[0])) {
            let detail =
                format!("The argument '{name}' also depends on the field '{}'; give it too.", missing.join("."));
            return Err(refuse(ErrorCode::AmendIncomplete, detail));
        }
        if uses_held(argument) || step.held_arguments.contains(name) {
            let detail = format!("The argument '{name}' also depends on what the customer holds.");
            return Err(refuse(ErrorCode::AmendChangesClaim, detail));
        }
        arguments.insert(name.clone(), argument.render(facts)?);
    }
    Ok(arguments)
}

/// Whether an argument of the step uses the field.
fn names_in(step: &StepRule, field: &str) -> bool {
    step.with.iter().any(|(_, argument)| fields_of(argument).iter().any(|path| path[0] == field))
}

/// The rule by which a step of this name was planned. Repetitions are numbered after the steps of the same operation.
fn step_rule<'a>(name: &str, steps: &'a [StepRule]) -> Option<&'a StepRule> {
    let name = name.strip_suffix(UNDO_SUFFIX).unwrap_or(name);
    let by_name = steps.iter().find(|step| step.name == name);
    by_name.or_else(|| {
        let (base, _) = name.split_once('#')?;
        steps.iter().find(|step| step.each_held().is_some() && step_name(&step.role, &step.operation, 0) == base)
    })
}

/// The fields that claims are made of: their resources and parties.
fn claimed_fields(rule: &OrderRule) -> Vec<&FieldPath> {
    let mut fields = Vec::new();
    for claim in &rule.claims {
        for template in
            claim.resource.template().into_iter().chain(&claim.target_identity).chain(&claim.target_identity_after)
        {
            fields.extend(fields_of_template(template));
        }
    }
    let required = rule.requires.iter().flatten().filter_map(|required| required.resource.template());
    fields.extend(required.flat_map(fields_of_template));
    fields
}

/// The fields that the resources of claims, and their later parties, are made of.
fn resource_fields(rule: &OrderRule) -> Vec<&FieldPath> {
    let claims = rule.claims.iter();
    let templates = claims.flat_map(|claim| claim.resource.template().into_iter().chain(&claim.target_identity_after));
    templates.flat_map(fields_of_template).collect()
}

/// The arguments of a step that repeat what a claim says: by a field of a claim, by one that contains it or is contained in it, or
/// by the resource for which the step is repeated. Sorted.
pub(super) fn fixed_arguments(rule: &OrderRule, step: &StepRule) -> Vec<String> {
    let claimed = claimed_fields(rule);
    let overlaps = |path: &&FieldPath| {
        claimed.iter().any(|claimed| claimed.starts_with(path.as_slice()) || path.starts_with(claimed.as_slice()))
    };
    let is_fixed = |name: &String, argument: &Argument| {
        step.held_arguments.contains(name) || uses_held(argument) || fields_of(argument).iter().any(overlaps)
    };
    let mut fixed: Vec<String> =
        step.with.iter().filter(|(name, argument)| is_fixed(name, argument)).map(|(name, _)| name.clone()).collect();
    fixed.sort();
    fixed
}

/// The arguments of a step that carry the party of a claim and are not part of a resource that the step names. Sorted.
pub(super) fn target_identity_arguments(rule: &OrderRule, step: &StepRule) -> Vec<String> {
    let target_identities: Vec<&Template> =
        rule.claims.iter().filter_map(|claim| claim.target_identity.as_ref()).collect();
    let named: Vec<&Template> = step.resources.iter().filter_map(|(_, pattern)| pattern.template()).collect();
    let carries = |argument: &Argument| match argument {
        Argument::Text(template) => target_identities.contains(&template) && !named.contains(&template),
        _ => false,
    };
    let is_target_identity =
        |name: &String, argument: &Argument| !step.held_arguments.contains(name) && carries(argument);
    let mut arguments: Vec<String> = step
        .with
        .iter()
        .filter(|(name, argument)| is_target_identity(name, argument))
        .map(|(name, _)| name.clone())
        .collect();
    arguments.sort();
    arguments
}

fn fields_of_template(template: &Template) -> impl Iterator<Item = &FieldPath> {
    template.pieces.iter().filter_map(|piece| match piece {
        Piece::Field(path) => Some(path),
        Piece::Text(_) | Piece::Given(_) => None,
    })
}

fn fields_of(argument: &Argument) -> Vec<&FieldPath> {
    let mut fields = Vec::new();
    argument.each_template(&mut |template| fields.extend(fields_of_template(template)));
    fields
}

fn uses_held(argument: &Argument) -> bool {
    let mut uses = false;
    argument.each_template(&mut |template| uses |= template.uses_held());
    uses
}

impl DataSchema {
    /// Some fields of the data, normalised, if each is valid by itself.
    ///
    /// # Errors
    /// `invalid_data`; `amend_not_validated` if the schema ties the fields together, so that none can be validated alone.
    fn admit_fields(&self, fields: &Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
        let alone = self.of_single_fields().map_err(|reason| {
            let detail = format!("The schema of this event type cannot validate single fields: {reason}.");
            refuse(ErrorCode::AmendNotValidated, detail)
        })?;
        alone.admit(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r##"
[resources.line]
[events.set]
claims = [{ mode = "lock", resource = "line/{line.id}", party = "{party}" }]
steps = [
  { role = "a", operation = "set", with = { line = "{line}", id = "{line.id}", name = "{line.name}", speed = "{speed}", text = "{speed}/{unit}", deep = { list = ["{tags}"] }, at = "{@customer_id}" }, resources = ["line/{line.id}"] },
  { role = "a", operation = "set", with = { unit = "{unit}", who = "{party}" } },
  { role = "b", operation = "other", with = { kind = "{kind}" } },
]
[events.set.data]
required = ["line", "party", "speed", "unit", "tags", "kind"]
additionalProperties = false
properties.line = { type = "object", required = ["id", "name"], properties.id = { type = "string" }, properties.name = { type = "string" } }
properties.party = { type = "string" }
properties.speed = { "$ref" = "#/$defs/speed" }
properties.unit = { type = "string" }
properties.kind = { type = "string" }
properties.tags = { type = "array", items = { type = "string", format = "msisdn" } }
properties.number = { type = "string", format = "msisdn" }
"$defs".speed = { type = "integer", minimum = 1 }
"##;

    fn catalog() -> Catalog {
        // The checker accepts no `$ref` for text, so the type is given in addition.
        let text =
            TEXT.replace("{ \"$ref\" = \"#/$defs/speed\" }", "{ \"$ref\" = \"#/$defs/speed\", type = \"integer\" }");
        Catalog::parse(&text).unwrap()
    }

    fn held(name: &str) -> AmendableStep<'_> {
        AmendableStep { name, is_held: true, seeks_identity: false }
    }

    #[allow(clippy::needless_pass_by_value)] // Literals of `json!` read best as values.
    fn amend(catalog: &Catalog, event_type: &str, steps: &[AmendableStep<'_>], data: Value) -> Result<Value, String> {
        let order = AmendedOrder {
            tenant: &"t".parse().unwrap(),
            customer: &"c".parse().unwrap(),
            event_id: "e",
            event_type,
            steps,
        };
        let amendment = catalog.amendment(&order, data.as_object().unwrap());
        amendment.map(|amendment| json!(amendment)).map_err(|refused| refused.code.into())
    }

    #[test]
    fn a_field_becomes_the_arguments_that_name_it_in_every_step_that_can_still_change() {
        let steps = [held("a.set"), AmendableStep { name: "a.set#2", is_held: false, seeks_identity: false }];
        let amended = amend(&catalog(), "set", &steps, json!({"speed": 7, "unit": "s"})).unwrap();
        assert_eq!(amended, json!({"a.set": {"speed": 7, "text": "7/s"}, "a.set#2": {"unit": "s"}}));
        let amended = amend(&catalog(), "set", &steps, json!({"tags": ["12"]})).unwrap();
        assert_eq!(amended, json!({"a.set": {"deep": {"list": [["12"]]}}}));
    }

    #[test]
    fn what_the_claims_are_made_of_is_not_amended() {
        for data in
            [json!({"line": {"id": "1", "name": "n"}}), json!({"party": "p"}), json!({"speed": 1, "party": "p"})]
        {
            assert_eq!(amend(&catalog(), "set", &[held("a.set")], data).unwrap_err(), "amend_changes_claim");
        }
    }

    #[test]
    fn a_release_that_seeks_the_identity_may_be_given_one() {
        let reference = Catalog::reference();
        let seeking = AmendableStep { seeks_identity: true, ..held("hss.release_number") };
        let steps = [seeking, AmendableStep { name: "crm.remove_number", is_held: false, seeks_identity: false }];
        let amended = amend(&reference, "number.unassigned", &steps, json!({"imsi": "001010000000002"})).unwrap();
        let imsi = json!({"imsi": "001010000000002"});
        assert_eq!(amended, json!({"hss.release_number": imsi, "crm.remove_number": imsi}));
        let refused = amend(&reference, "number.unassigned", &steps, json!({"msisdn": "12065551234"})).unwrap_err();
        assert_eq!(refused, "amend_changes_claim", "the lease protects the number");
    }

    #[test]
    fn the_plan_says_which_arguments_carry_the_party_of_a_claim() {
        let reference = Catalog::reference();
        let of = |event: &str, step: usize| {
            let Body::Order(rule) = &reference.rule(event).unwrap().body else { panic!() };
            target_identity_arguments(rule, &rule.steps[step])
        };
        assert_eq!(of("number.unassigned", 0), ["imsi"]);
        assert_eq!(of("number.assigned", 0), ["imsi"]);
        assert_eq!(of("number.changed", 0), ["imsi"]);
        assert_eq!(of("customer.terminated", 0), ["imsi"]);
        assert!(of("subscriber.activated", 0).is_empty(), "there the SIM is the resource");
        assert!(of("sim.swapped", 0).is_empty(), "there, too");
    }

    #[test]
    fn the_plan_says_which_arguments_are_fixed_by_a_claim() {
        let catalog = catalog();
        let Body::Order(rule) = &catalog.rule("set").unwrap().body else { panic!() };
        assert_eq!(fixed_arguments(rule, &rule.steps[0]), ["id", "line"], "not the name beside the id");
        assert_eq!(fixed_arguments(rule, &rule.steps[1]), ["who"]);
        let reference = Catalog::reference();
        let Body::Order(rule) = &reference.rule("customer.terminated").unwrap().body else { panic!() };
        assert_eq!(fixed_arguments(rule, &rule.steps[0]), ["imsi", "msisdn"], "{{@held}} is the resource's id");
    }

    #[test]
    fn each_field_is_held_to_its_own_part_of_the_schema_and_brought_into_its_spelling() {
        let steps = [held("a.set")];
        let refused = |data| amend(&catalog(), "set", &steps, data).unwrap_err();
        assert_eq!(refused(json!({"speed": 0, "unit": "s"})), "invalid_data");
        assert_eq!(refused(json!({"speed": "fast", "unit": "s"})), "invalid_data");
        assert_eq!(refused(json!({"tags": ["x"]})), "invalid_data");
        assert_eq!(refused(json!({"colour": "red"})), "amend_unknown_field");
        assert_eq!(refused(json!({})), "amend_nothing");
        let sms = [held("notify.send_sms")];
        let amended = amend(&Catalog::reference(), "quota.exceeded", &sms, json!({"msisdn": "+1 206-555 1234"}));
        assert_eq!(amended.unwrap(), json!({"notify.send_sms": {"msisdn": "12065551234"}}));
    }

    #[test]
    fn a_field_that_no_held_step_is_given_is_refused() {
        let refused = amend(&catalog(), "set", &[held("a.set")], json!({"kind": "x"})).unwrap_err();
        assert_eq!(refused, "amend_unused_field");
        let not_begun = [held("a.set"), AmendableStep { name: "b.other", is_held: false, seeks_identity: false }];
        let refused = amend(&catalog(), "set", &not_begun, json!({"kind": "x"})).unwrap_err();
        assert_eq!(refused, "amend_unused_field", "the step that waits would fail again");
    }

    #[test]
    fn an_argument_made_of_several_fields_needs_all_of_them() {
        assert_eq!(amend(&catalog(), "set", &[held("a.set")], json!({"speed": 7})).unwrap_err(), "amend_incomplete");
    }

    #[test]
    fn repetitions_and_compensations_go_by_the_rule_of_their_step() {
        let reference = Catalog::reference();
        let refused = |step| amend(&reference, "customer.terminated", &[held(step)], json!({"imsi": "00101"}));
        assert_eq!(refused("hss.release_number#3").unwrap_err(), "amend_changes_claim");
        let steps = [held("crm.open_account.undo")];
        let amended = amend(&reference, "subscriber.activated", &steps, json!({"profile": "gold"})).unwrap();
        assert_eq!(amended, json!({"crm.open_account.undo": {"profile": "gold"}}));
        assert_eq!(refused("hss.nonsense").unwrap_err(), "amend_changes_claim", "the claim is looked at first");
        let unknown = amend(&reference, "service.updated", &[held("hss.nonsense")], json!({"settings": {}}));
        assert_eq!(unknown.unwrap_err(), "amend_step_unknown");
    }

    #[test]
    fn an_order_of_a_split_event_uses_the_event_type_by_which_it_is_planned() {
        let reference = Catalog::reference();
        let refused = |step| amend(&reference, "number.moved", &[held(step)], json!({"imsi": "00101"})).unwrap_err();
        assert_eq!(refused("hss.release_number"), "amend_changes_claim");
        assert_eq!(refused("crm.add_number"), "amend_changes_claim");
        assert_eq!(refused("hss.swap_sim"), "unknown_event_type");
    }
}
