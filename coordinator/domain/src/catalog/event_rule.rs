//! What the catalog says of an event type: `[events."number.assigned"]`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::DURATION_MS_MAX;
use super::pattern::Pattern;
use super::schema::DataSchema;
use super::template::{Argument, FieldPath, Template, field_path};
use super::timing::Timing;
use crate::error_code::ErrorCode;
use crate::ids::Role;
use crate::order::{ClaimMode, Late, OnFailure, OrderPriority, ReleaseWhen};
use crate::retry::RetryPolicy;
use crate::toml_text::{Entry, Faults, Section, Spot};

/// Whether events of a type keep the order of their customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// They take their turn among the customer's orders.
    #[default]
    Customer,
    /// They need no turn and run side by side.
    None,
}

/// An event type.
#[derive(Debug, Clone)]
pub(super) struct EventRule {
    pub(super) schema: DataSchema,
    /// Fields whose values must all differ, and their places in the text.
    pub(super) distinct: Vec<(Spot, FieldPath)>,
    pub(super) body: Body,
}

/// What an event of a type does.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// It makes one order.
    Order(OrderRule),
    /// It makes two: one for the giving customer, its subject, and one for the receiving customer.
    Split { from: HalfRule, to: HalfRule },
}

#[derive(Debug, Clone)]
pub(super) struct OrderRule {
    pub(super) spot: Spot,
    pub(super) ordering: Ordering,
    pub(super) urgent: bool,
    pub(super) priority: Option<OrderPriority>,
    pub(super) late: Late,
    pub(super) expires_after_ms: Option<u64>,
    pub(super) due_within_ms: Option<u64>,
    pub(super) claims: Vec<ClaimRule>,
    /// What the customer must have before the order starts, with the places in the text; none if the catalog does not say.
    pub(super) requires: Option<Vec<RequireRule>>,
    pub(super) steps: Vec<StepRule>,
    /// Whether all claims and steps could be read. If not, references to missing ones are not reported.
    pub(super) is_complete: bool,
    /// The indices of the steps, each after all those that it comes after; the checker sets it.
    pub(super) sequence: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct HalfRule {
    pub(super) spot: Spot,
    /// The field that names the customer of this one of the two orders.
    pub(super) customer: FieldPath,
    /// The event type by which it is planned, and its place in the text.
    pub(super) planned_as: (Spot, String),
    /// The data of that event.
    pub(super) with: Vec<(String, Argument)>,
}

#[derive(Debug, Clone)]
pub(super) struct ClaimRule {
    pub(super) spot: Spot,
    pub(super) mode: ClaimMode,
    pub(super) resource: Pattern,
    pub(super) release_when: ReleaseWhen,
    pub(super) target_identity: Option<Template>,
    pub(super) target_identity_after: Option<Template>,
}

/// What a customer must have.
#[derive(Debug, Clone)]
pub(super) struct RequireRule {
    pub(super) spot: Spot,
    pub(super) resource: Pattern,
    /// Whether the customer may also use a resource that has no known holder.
    pub(super) first_use: bool,
}

#[derive(Debug, Clone)]
pub(super) struct StepRule {
    pub(super) spot: Spot,
    /// `{role}.{operation}`, with `#2` for the second step of the same operation.
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) operation: String,
    /// The held resources for each of which the step is repeated.
    pub(super) each: Option<Pattern>,
    pub(super) with: Vec<(String, Argument)>,
    pub(super) resources: Vec<(Spot, Pattern)>,
    /// For a step that names all held resources of a kind (`KIND/*`) and is not repeated by `each`: the arguments that name one, by
    /// the form of their field. The checker sets it.
    pub(super) held_arguments: Vec<String>,
    pub(super) after: Vec<(Spot, String)>,
    pub(super) on_failure: OnFailure,
    pub(super) compensation: Option<String>,
    pub(super) attempt_timeout_ms: u64,
    pub(super) retry: RetryPolicy,
}

/// Reads `[events]`.
pub(super) fn read_all(
    root: &mut Section<'_>,
    defaults: &Timing,
    faults: &mut Faults<'_>,
) -> BTreeMap<String, EventRule> {
    let mut rules = BTreeMap::new();
    let Some(section) = root.require("events", faults).and_then(|entry| entry.section(faults)) else { return rules };
    for (name, entry) in section.entries() {
        if name.is_empty() {
            faults.add(&entry.spot, ErrorCode::BadName, "The name of an event type must not be empty.");
        }
        if let Some(rule) = EventRule::read(&entry, defaults, faults) {
            rules.insert(name.to_owned(), rule);
        }
    }
    rules
}

impl EventRule {
    fn read(entry: &Entry<'_>, defaults: &Timing, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let schema = section.require("data", faults).map(|entry| DataSchema::read(&entry, faults));
        let distinct = section.items("distinct", faults).iter().filter_map(|item| field(item, faults)).collect();
        let from = section.take("from").map(|entry| HalfRule::read(&entry, faults));
        let to = section.take("to").map(|entry| HalfRule::read(&entry, faults));
        let body = match (from, to) {
            (None, None) => Some(Body::Order(OrderRule::read(&mut section, defaults, faults))),
            (Some(from), Some(to)) => from.zip(to).map(|(from, to)| Body::Split { from, to }),
            _ => {
                faults.add(
                    &section.spot,
                    ErrorCode::MissingKey,
                    "An event that creates two orders needs both 'from' and 'to'.",
                );
                None
            }
        };
        section.finish(faults);
        Some(Self { schema: schema.unwrap_or_else(DataSchema::unknown), distinct, body: body? })
    }
}

impl OrderRule {
    fn read(section: &mut Section<'_>, defaults: &Timing, faults: &mut Faults<'_>) -> Self {
        let orderings = [("customer", Ordering::Customer), ("none", Ordering::None)];
        let lates = [("apply", Late::Apply), ("hold", Late::Hold), ("reject", Late::Reject)];
        let claim_items = section.items("claims", faults);
        let claims: Vec<_> = claim_items.iter().filter_map(|item| ClaimRule::read(item, faults)).collect();
        let requires = section.take("requires").map(|entry| {
            let items = entry.items(faults);
            items.iter().filter_map(|item| RequireRule::read(item, faults)).collect()
        });
        let timing = Timing::read(section, faults).or(defaults);
        let (steps, has_all_steps) = read_steps(section, &timing, faults);
        Self {
            spot: section.spot.clone(),
            ordering: section.choice("ordering", &orderings, faults).unwrap_or(orderings[0].1),
            urgent: section.flag("urgent", faults).unwrap_or(false),
            priority: read_priority(section, faults),
            late: section.choice("late", &lates, faults).unwrap_or(lates[0].1),
            expires_after_ms: section.duration_ms("expires_after", (1, DURATION_MS_MAX), faults),
            due_within_ms: section.duration_ms("due_within", (1, DURATION_MS_MAX), faults),
            is_complete: claims.len() == claim_items.len() && has_all_steps,
            claims,
            requires,
            steps,
            sequence: Vec::new(),
        }
    }
}

/// The priority of a type. What is urgent has the highest one, unless the type says otherwise.
fn read_priority(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<OrderPriority> {
    let entry = section.take("priority")?;
    let text = entry.number(faults)?;
    let priority = text.parse().ok().and_then(|number| OrderPriority::new(number).ok());
    if priority.is_none() {
        let message =
            format!("'{text}' is not a priority; write an integer from 0, the highest, to {}.", OrderPriority::LOWEST);
        faults.add(&entry.spot, ErrorCode::BadPriority, message);
    }
    priority
}

/// The steps that could be read, and whether these are all.
fn read_steps(section: &mut Section<'_>, timing: &Timing, faults: &mut Faults<'_>) -> (Vec<StepRule>, bool) {
    let mut steps: Vec<StepRule> = Vec::new();
    let Some(entry) = section.require("steps", faults) else { return (steps, false) };
    let items = entry.items(faults);
    if items.is_empty() {
        faults.add(&entry.spot, ErrorCode::NoSteps, "An event type needs at least one step.");
    }
    for item in &items {
        steps.extend(StepRule::read(item, &steps, timing, faults));
    }
    let has_all = steps.len() == items.len();
    (steps, has_all)
}

impl HalfRule {
    fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let customer = section.require("customer", faults).and_then(|entry| field(&entry, faults));
        let planned_as = section
            .require("as", faults)
            .and_then(|entry| entry.text(faults).map(|name| (entry.spot.clone(), name.to_owned())));
        let with = arguments(&mut section, faults);
        let spot = section.spot.clone();
        section.finish(faults);
        Some(Self { spot, customer: customer?.1, planned_as: planned_as?, with })
    }
}

impl RequireRule {
    /// `"KIND/{field}"`, or `{ resource = "KIND/{field}", first_use = true }`.
    fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let spot = entry.spot.clone();
        if !entry.is_table() {
            return Some(Self { spot, resource: Pattern::read(entry, faults)?, first_use: false });
        }
        let mut section = entry.section(faults)?;
        let resource = section.require("resource", faults).and_then(|entry| Pattern::read(&entry, faults));
        let first_use = section.flag("first_use", faults).unwrap_or(false);
        section.finish(faults);
        Some(Self { spot, resource: resource?, first_use })
    }
}

impl ClaimRule {
    fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let modes = [("assign", ClaimMode::Assign), ("release", ClaimMode::Release), ("lock", ClaimMode::Lock)];
        let times = [("turn", ReleaseWhen::Turn), ("granted", ReleaseWhen::Granted)];
        let mode =
            section.require("mode", faults).map(|_| section.choice("mode", &modes, faults).unwrap_or(modes[0].1));
        let resource = section.require("resource", faults).and_then(|entry| Pattern::read(&entry, faults));
        let release_when = section.choice("release_when", &times, faults).unwrap_or(times[0].1);
        let target_identity = section.take("party").and_then(|entry| Template::read(&entry, faults));
        let target_identity_after = section.take("party_after").and_then(|entry| Template::read(&entry, faults));
        let spot = section.spot.clone();
        section.finish(faults);
        Some(Self { spot, mode: mode?, resource: resource?, release_when, target_identity, target_identity_after })
    }
}

impl StepRule {
    fn read(entry: &Entry<'_>, earlier: &[Self], outer: &Timing, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let failures = [("hold", OnFailure::Hold), ("skip", OnFailure::Skip), ("abort", OnFailure::Abort)];
        let role: Option<Role> = section.require("role", faults).and_then(|entry| entry.name(faults));
        let operation = operation(&mut section, faults);
        let each = section.take("each").and_then(|entry| Pattern::read(&entry, faults));
        let with = arguments(&mut section, faults);
        let resources = section.items("resources", faults);
        let resources = resources.iter().filter_map(|item| Some((item.spot.clone(), Pattern::read(item, faults)?)));
        let resources = resources.collect();
        let after = section.items("after", faults);
        let after = after.iter().filter_map(|item| Some((item.spot.clone(), item.text(faults)?.to_owned()))).collect();
        let on_failure = section.choice("on_failure", &failures, faults).unwrap_or(failures[0].1);
        let compensation = section.take("compensation").and_then(|entry| operation_name(&entry, faults));
        let timing = Timing::read(&mut section, faults).or(outer);
        let spot = section.spot.clone();
        section.finish(faults);
        let (role, operation) = (role?, operation?);
        let again = earlier.iter().filter(|step| step.role == role && step.operation == operation).count();
        let name = step_name(&role, &operation, again);
        Some(Self {
            spot,
            name,
            role,
            operation,
            each,
            with,
            resources,
            held_arguments: Vec::new(),
            after,
            on_failure,
            compensation,
            attempt_timeout_ms: timing.attempt_timeout_ms(),
            retry: timing.retry_policy(faults),
        })
    }
}

impl StepRule {
    /// The held resources for each of which it is planned, whatever the event names: those of `each`, or those named by
    /// `KIND/*`.
    pub(super) fn each_held(&self) -> Option<&Pattern> {
        let named = || self.resources.iter().map(|(_, pattern)| pattern).find(|pattern| pattern.is_all_of_a_kind());
        self.each.as_ref().or_else(named)
    }

    /// Whether it names all that the customer holds (`*`): it is left out if the customer holds nothing.
    pub(super) fn names_all_held(&self) -> bool {
        self.resources.iter().any(|(_, pattern)| matches!(pattern, Pattern::Held(None)))
    }
}

/// The name of a step that comes after `again` other steps of the same role and operation.
pub(super) fn step_name(role: &Role, operation: &str, again: usize) -> String {
    if again == 0 { format!("{role}.{operation}") } else { format!("{role}.{operation}#{}", again + 1) }
}

fn field(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<(Spot, FieldPath)> {
    let text = entry.text(faults)?;
    let path = field_path(text);
    if path.is_none() {
        faults.add(
            &entry.spot,
            ErrorCode::BadName,
            format!("'{text}' is not a valid field path; write for example \"from.customer_id\"."),
        );
    }
    Some((entry.spot.clone(), path?))
}

/// The required key `operation`.
pub(super) fn operation(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let entry = section.require("operation", faults)?;
    operation_name(&entry, faults)
}

/// An operation's name: it may become part of a URL.
fn operation_name(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = entry.text(faults)?;
    let is_sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !is_sound {
        faults.add(
            &entry.spot,
            ErrorCode::BadName,
            format!("'{text}' is not a valid operation name; use letters, digits, '_' and '-'."),
        );
    }
    is_sound.then(|| text.to_owned())
}

/// The table `with`.
fn arguments(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Vec<(String, Argument)> {
    let Some(entry) = section.take("with") else { return Vec::new() };
    if entry.section(faults).is_none() {
        return Vec::new();
    }
    let mut places = BTreeMap::new();
    let value = entry.json(&mut places, faults);
    match Argument::of(&value, "", &places, faults) {
        Argument::Fields(fields) => fields,
        _ => Vec::new(),
    }
}
