//! The second part of a rule: what is asked when the event's turn has come, and the events of the catalog that follow.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section, Spot};
use minijinja::Value as Rendered;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::body::with_texts;
use crate::declarative::scope::Scope;
use crate::declarative::template::{JsonTemplate, NotRendered, Template};

/// The mapping cannot make anything of this event: a sentence for a person, without its last full stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NotTranslated(String);

impl NotTranslated {
    /// The sentence.
    pub fn into_reason(self) -> String {
        self.0
    }
}

impl From<NotRendered> for NotTranslated {
    fn from(error: NotRendered) -> Self {
        Self(format!("the mapping does not fit this event: {error}"))
    }
}

/// The event of the producer, as the intake event's data has it under `event`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct IntakeEvent {
    /// The producer's type, in the spelling of the rules.
    pub event_type: String,
    /// The CloudEvents source.
    pub source: String,
    /// When it happened, RFC 3339, if the producer says so.
    #[serde(default)]
    pub time: Option<String>,
    /// What the rule kept of the body.
    #[serde(default)]
    pub kept: Map<String, Value>,
}

/// Who holds a resource according to the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerHolder {
    /// The customer.
    pub holder: Option<String>,
    /// The name under which the targets know it, e.g. an IMSI.
    pub party: Option<String>,
}

/// All that is known about an event.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its id.
    id: String,
    event: IntakeEvent,
    found: Map<String, Value>,
    ledger: LedgerHolder,
}

impl Known {
    /// What the event itself says. `id` is its CloudEvents id.
    pub fn new(id: String, event: IntakeEvent) -> Self {
        Self { id, event, found: Map::new(), ledger: LedgerHolder::default() }
    }

    /// Adds the answer to a look-up. Whole numbers in it become texts: an id comes as either.
    pub fn add_found(&mut self, name: &str, answer: Map<String, Value>) {
        self.found.insert(name.to_owned(), Value::Object(with_texts(answer)));
    }

    /// Adds what the ledger says.
    pub fn add_ledger(&mut self, ledger: LedgerHolder) {
        self.ledger = ledger;
    }

    fn variables(&self) -> Rendered {
        let LedgerHolder { holder, party } = &self.ledger;
        Rendered::from(minijinja::value::Serde(&json!({
            "event_type": self.event.event_type,
            "kept": self.event.kept,
            "found": self.found,
            "ledger": {"holder": holder, "party": party},
        })))
    }
}

/// A question to the producer.
#[derive(Debug, Clone)]
pub struct LookUp {
    name: String,
    query: String,
    when: Option<Template>,
    with: Option<JsonTemplate>,
}

impl LookUp {
    /// The name of its answer in templates.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The query of the producer's adapter.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Its arguments; `None` if it need not be asked.
    ///
    /// # Errors
    /// [`NotTranslated`] if a value is missing.
    pub fn arguments(&self, known: &Known) -> Result<Option<Map<String, Value>>, NotTranslated> {
        let variables = known.variables();
        if let Some(when) = &self.when
            && !when.holds(&variables)?
        {
            return Ok(None);
        }
        let with = self.with.as_ref().map(|with| with.value(&variables)).transpose()?.flatten();
        Ok(Some(
            with.and_then(|with| if let Value::Object(with) = with { Some(with) } else { None }).unwrap_or_default(),
        ))
    }
}

/// What follows from an event, if its condition holds.
#[derive(Debug, Clone)]
struct Emit {
    when: Option<Template>,
    what: Emitted,
}

#[derive(Debug, Clone)]
enum Emitted {
    /// An event of the catalog.
    Event { event_type: String, subject: Template, data: JsonTemplate },
    /// A person decides, for this reason.
    Hold(Template),
}

/// What is asked, and what follows.
#[derive(Debug, Clone)]
pub struct Translation {
    look_ups: Vec<LookUp>,
    resource: Option<Template>,
    emits: Vec<Emit>,
    waits: bool,
}

impl Translation {
    pub(super) fn read(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let mut names = vec!["event_type".to_owned(), "kept".to_owned()];
        let entries = section.items("look_up", faults);
        let count = entries.len();
        let mut look_ups = Vec::with_capacity(count);
        for entry in entries {
            if let Some(look_up) = LookUp::read(&entry, &Scope::of(names.iter().cloned()), faults) {
                names.push(format!("found.{}", look_up.name));
                look_ups.push(look_up);
            }
        }
        let has_resource = section.has("resource");
        let resource = section.take("resource");
        let resource = resource.map(|entry| Template::read(&entry, &Scope::of(names.iter().cloned()), faults));
        if has_resource {
            names.extend(["ledger.holder".to_owned(), "ledger.party".to_owned()]);
        }
        let scope = Scope::of(names);
        let entries = section.require("emits", faults)?.items(faults);
        let expected = entries.len();
        let emits: Vec<Emit> = entries.iter().filter_map(|entry| Emit::read(entry, &scope, faults)).collect();
        let waits = section.flag("waits", faults) == Some(true);
        let is_whole = look_ups.len() == count && emits.len() == expected;
        let resource = match resource {
            Some(read) => Some(read?),
            None => None,
        };
        is_whole.then_some(Self { look_ups, resource, emits, waits })
    }

    /// The questions to the producer, in the order in which they are asked.
    pub fn look_ups(&self) -> &[LookUp] {
        &self.look_ups
    }

    /// Whether the event is processed only when the orders of the events that it made have ended.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// The types of the events that it can make.
    pub(super) fn made_types(&self) -> impl Iterator<Item = &str> {
        self.emits.iter().filter_map(|emit| match &emit.what {
            Emitted::Event { event_type, .. } => Some(event_type.as_str()),
            Emitted::Hold(_) => None,
        })
    }

    /// The resource whose holder the ledger is asked for, as kind and id; `None` if it need not be asked.
    ///
    /// # Errors
    /// [`NotTranslated`] if a value is missing, or the text is not `KIND/ID`.
    pub fn resource(&self, known: &Known) -> Result<Option<(String, String)>, NotTranslated> {
        let Some(template) = &self.resource else { return Ok(None) };
        let Some(text) = template.text(&known.variables())? else { return Ok(None) };
        let parts = text.split_once('/').filter(|(kind, id)| !kind.is_empty() && !id.is_empty());
        let (kind, id) = parts.ok_or_else(|| NotTranslated(format!("'resource' is '{text}', not KIND/ID")))?;
        Ok(Some((kind.to_owned(), id.to_owned())))
    }

    /// The events of the catalog that follow, as CloudEvents. Their ids follow from that of the event, so that making them again
    /// doubles nothing.
    ///
    /// # Errors
    /// [`NotTranslated`] if the rule says that a person decides, or a value is missing.
    pub fn events(&self, known: &Known) -> Result<Vec<Value>, NotTranslated> {
        let variables = known.variables();
        let mut following = Vec::new();
        for (index, emit) in self.emits.iter().enumerate() {
            if emit.when.as_ref().map(|when| when.holds(&variables)).transpose()?.unwrap_or(true) {
                following.push((index + 1, &emit.what));
            }
        }
        // Nothing is sent if one of them needs a person.
        for (_, what) in &following {
            if let Emitted::Hold(reason) = what {
                let reason = reason.sentence(&variables).unwrap_or_default();
                return Err(NotTranslated(reason.trim().trim_end_matches('.').to_owned()));
            }
        }
        let mut events = Vec::with_capacity(following.len());
        for (number, what) in following {
            if let Emitted::Event { event_type, subject, data } = what {
                events.push(event(known, number, event_type, subject, data, &variables)?);
            }
        }
        Ok(events)
    }
}

fn event(
    known: &Known,
    number: usize,
    event_type: &str,
    subject: &Template,
    data: &JsonTemplate,
    variables: &Rendered,
) -> Result<Value, NotTranslated> {
    let subject = subject.text(variables)?.filter(|subject| !subject.is_empty());
    let subject = subject.ok_or_else(|| NotTranslated(format!("the subject of '{event_type}' is empty")))?;
    let mut event = json!({
        "specversion": "1.0",
        "id": format!("{}/{number}", known.id),
        "source": known.event.source,
        "type": event_type,
        "subject": subject,
        "datacontenttype": "application/json",
        "data": data.value(variables)?.unwrap_or_else(|| json!({})),
    });
    if let Some(time) = &known.event.time {
        event["time"] = json!(time);
    }
    Ok(event)
}

impl LookUp {
    fn read(entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let name = section.require("name", faults).and_then(|entry| entry.text(faults));
        let query = section.require("query", faults).and_then(|entry| entry.text(faults));
        let when = section.take("when").map(|entry| Template::read_condition(&entry, scope, faults));
        let with = section.take("with").map(|entry| {
            if entry.is_table() { JsonTemplate::read(&entry, scope, faults) } else { entry.wrong("a table", faults) }
        });
        section.finish(faults);
        let name = name.filter(|name| is_name(name, &entry.spot, faults))?;
        Some(Self { name: name.to_owned(), query: query?.to_owned(), when: all(when)?, with: all(with)? })
    }
}

impl Emit {
    fn read(entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let when = section.take("when").map(|entry| Template::read_condition(&entry, scope, faults));
        if let Some(reason) = section.take("hold") {
            let reason = Template::read(&reason, scope, faults);
            section.finish(faults);
            return Some(Self { when: all(when)?, what: Emitted::Hold(reason?) });
        }
        let event_type = section.require("type", faults).and_then(|entry| entry.text(faults));
        let subject = section.require("subject", faults).and_then(|entry| Template::read(&entry, scope, faults));
        let data = section.require("data", faults).and_then(|entry| {
            if entry.is_table() { JsonTemplate::read(&entry, scope, faults) } else { entry.wrong("a table", faults) }
        });
        section.finish(faults);
        let what = Emitted::Event { event_type: event_type?.to_owned(), subject: subject?, data: data? };
        Some(Self { when: all(when)?, what })
    }
}

/// `None` if what is there could not be read.
#[allow(clippy::option_option, reason = "absent, unreadable and read are three things")]
fn all<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(read) => Some(read),
        None => Some(None),
    }
}

/// Whether templates can use the name.
fn is_name(name: &str, spot: &Spot, faults: &mut Faults<'_>) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_name = is_word && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit());
    faults.refuse(
        !is_name,
        spot,
        ErrorCode::BadName,
        "The name of a look-up consists of letters, digits and '_', and does not begin with a digit.",
    );
    is_name
}
