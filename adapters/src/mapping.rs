//! The mapping of a producer's events to those of the catalog: data, in a TOML file.
//!
//! A producer such as PortaOne's ESPF sends events of its own types, which often say only *that* something changed. A [`Mapping`] takes
//! such a body and makes of it an *intake event*, an event of the catalog like any other ([`Mapping::take`]). When that event's turn has
//! come, its [`Translation`] says what to ask the producer, what to ask the ledger, and which events of the catalog follow.
//!
//! This module is pure: it asks nobody. `coordinator/docs/espf.md` is the reference for authors of mappings; [`check`] finds every fault
//! in one.

mod body;
mod rule;
mod shipped;
mod translation;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{self, Entry, Faults, Section, TomlFault};
use serde_json::{Value, json};
use thiserror::Error;

pub use body::BodyFault;
pub use shipped::{SHIPPED, shipped};
pub use translation::{IntakeEvent, Known, LedgerHolder, LookUp, NotTranslated, Translation};

use body::ProducerEvent;
use rule::{Does, Rule, Taking};

/// Why a mapping cannot be used.
#[derive(Debug, Error)]
pub enum MappingError {
    /// It cannot be read.
    #[error("the mapping '{file}' cannot be read ({kind})")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// It has faults.
    #[error("the mapping '{file}' has {} error(s), the first is {}", faults.len(), faults.first().map(ToString::to_string).unwrap_or_default())]
    Faulty {
        /// The file.
        file: String,
        /// All of its faults.
        faults: Vec<TomlFault>,
    },
}

impl MappingError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unreadable { .. } => ErrorCode::MappingUnreadable,
            Self::Faulty { .. } => ErrorCode::MappingFaulty,
        }
    }
}

/// All faults of a mapping, by line. Empty if it is valid.
///
/// ```
/// let faults = interlock_adapters::mapping::check("describes = \"the shop\"\n");
/// assert_eq!((faults[0].line, faults[0].code.as_str()), (1, "no_rules"));
/// ```
pub fn check(text: &str) -> Vec<TomlFault> {
    Mapping::parse(text).err().unwrap_or_default()
}

/// What becomes of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It is this intake event, a CloudEvent.
    Event(Value),
    /// Nothing is to be done, for this reason.
    Ignored {
        /// The producer's id of the event.
        event_id: String,
        /// Why, as the mapping says.
        reason: String,
    },
    /// It is not taken.
    Refused {
        /// The producer's id of the event.
        event_id: String,
        /// `event_type_not_mapped` or `event_not_mapped`.
        code: ErrorCode,
        /// A sentence for a person.
        detail: String,
    },
}

/// The mapping of a producer's events.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Other spellings of event types, and the one that the rules use.
    spellings: BTreeMap<String, String>,
    rules: Vec<Rule>,
    /// The rule of each type of event.
    rule_of: BTreeMap<String, usize>,
}

impl Mapping {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// All of its faults, by line.
    pub fn parse(text: &str) -> Result<Self, Vec<TomlFault>> {
        let mut faults = Faults::of(text);
        let document = toml_text::read(text, &mut faults);
        let mapping = read(Section::root(&document), &mut faults);
        let faults = faults.sorted();
        if faults.is_empty() { Ok(mapping) } else { Err(faults) }
    }

    /// Reads a file, or the mapping of this name that comes with Interlock if there is no such file.
    ///
    /// # Errors
    /// [`MappingError`].
    pub fn read(file: &Path) -> Result<Self, MappingError> {
        let name = file.display().to_string();
        let text = match (std::fs::read_to_string(file), shipped(&name)) {
            (Ok(text), _) => text,
            (Err(error), Some(text)) if error.kind() == std::io::ErrorKind::NotFound => text.to_owned(),
            (Err(error), _) => return Err(MappingError::Unreadable { file: name, kind: error.kind() }),
        };
        Self::parse(&text).map_err(|faults| MappingError::Faulty { file: name, faults })
    }

    /// The producer's types of events that have a rule, in the spelling of the rules; sorted.
    pub fn producer_types(&self) -> impl Iterator<Item = &str> {
        self.rule_of.keys().map(String::as_str)
    }

    /// The event types that the catalog must have: those of intake events, and those that they make.
    pub fn catalog_types(&self) -> BTreeSet<&str> {
        let taking = self.rules.iter().filter_map(Rule::taking);
        taking.flat_map(|of| std::iter::once(of.event_type.as_str()).chain(of.translation.made_types())).collect()
    }

    /// What becomes of a body that the producer sent. The same body always becomes the same; ids may be texts or numbers.
    ///
    /// # Errors
    /// [`BodyFault`] if it is not an event of the producer.
    pub fn take(&self, body: &Value) -> Result<Taken, BodyFault> {
        let mut event = ProducerEvent::read(body)?;
        if let Some(spelling) = self.spellings.get(&event.event_type) {
            event.event_type.clone_from(spelling);
        }
        let Some(rule) = self.rule_of.get(&event.event_type).and_then(|index| self.rules.get(*index)) else {
            return Ok(Taken::Refused {
                code: ErrorCode::EventTypeNotMapped,
                detail: format!("The mapping has no rule for events of the type '{}'.", event.event_type),
                event_id: event.id,
            });
        };
        Ok(match &rule.does {
            Does::Ignore(reason) => Taken::Ignored { event_id: event.id, reason: reason.clone() },
            Does::Take(taking) => intake_event(taking, &event).map_or_else(
                |reason| Taken::Refused {
                    event_id: event.id.clone(),
                    code: ErrorCode::EventNotMapped,
                    detail: format!("The event '{}' does not have what its rule needs: {reason}.", event.id),
                },
                Taken::Event,
            ),
        })
    }

    /// The second part of the rule for events of this type, in the spelling of the rules.
    pub fn translation(&self, event_type: &str) -> Option<&Translation> {
        let rule = self.rule_of.get(event_type).and_then(|index| self.rules.get(*index))?;
        rule.taking().map(|taking| &taking.translation)
    }
}

/// The intake event, or why it cannot be made.
fn intake_event(taking: &Taking, event: &ProducerEvent) -> Result<Value, String> {
    let variables = event.variables();
    let subject = taking.subject.text(&variables).map_err(|error| error.to_string())?;
    let subject = subject.filter(|subject| !subject.is_empty()).ok_or("its subject is empty")?;
    let kept = taking.keep.value(&variables).map_err(|error| error.to_string())?.unwrap_or_else(|| json!({}));
    let mut intake = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": taking.event_type,
        "subject": subject,
        "datacontenttype": "application/json",
        "data": {"event": {"event_type": event.event_type, "source": event.source, "kept": kept}},
    });
    if let Some(time) = &event.time {
        intake["time"] = json!(time);
        intake["data"]["event"]["time"] = json!(time);
    }
    Ok(intake)
}

fn read(mut root: Section<'_>, faults: &mut Faults<'_>) -> Mapping {
    root.require("describes", faults).map(|entry| entry.text(faults));
    let mut spellings = BTreeMap::new();
    for (other, entry) in root.named("spellings", faults) {
        spellings.extend(entry.text(faults).map(|text| (other.to_owned(), text.to_owned())));
    }
    let spot = root.spot.clone();
    let entries = root.items("rules", faults);
    faults.refuse(entries.is_empty(), &spot, ErrorCode::NoRules, "A mapping needs at least one [[rules]].");
    let (mut rules, mut rule_of) = (Vec::new(), BTreeMap::new());
    for entry in entries {
        let Some(mut section) = entry.section(faults) else { continue };
        for event in section.items("events", faults) {
            name_event(&event, rules.len(), &spellings, &mut rule_of, faults);
        }
        if !section.has("events") {
            section.require("events", faults);
        }
        // A rule with faults keeps its place, so that the others keep theirs; the mapping is not used then.
        rules.push(Rule::read(section, faults).unwrap_or_default());
    }
    root.finish(faults);
    Mapping { spellings, rules, rule_of }
}

fn name_event(
    entry: &Entry<'_>,
    rule: usize,
    spellings: &BTreeMap<String, String>,
    rule_of: &mut BTreeMap<String, usize>,
    faults: &mut Faults<'_>,
) {
    let Some(name) = entry.text(faults) else { return };
    if let Some(spelling) = spellings.get(name) {
        let message = format!("'{name}' is another spelling of '{spelling}': name only the latter in rules.");
        faults.add(&entry.spot, ErrorCode::NotTogether, message);
    }
    if rule_of.insert(name.to_owned(), rule).is_some() {
        let message = format!("Another rule, or this one, already is for events of the type '{name}'.");
        faults.add(&entry.spot, ErrorCode::EventTypeTwice, message);
    }
}

#[cfg(test)]
mod tests;
