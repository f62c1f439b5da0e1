//! A rule of a mapping: what becomes of the producer's events of some types.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Faults, Section};

use super::translation::Translation;
use crate::declarative::scope::Scope;
use crate::declarative::template::{JsonTemplate, Template};

/// The variables of the templates that take an event in.
const OF_BODY: [&str; 3] = ["event_type", "variables", "pb"];

/// One rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    pub(super) does: Does,
}

/// What it does with an event.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// Nothing, for this reason.
    Ignore(String),
    /// It takes the event in.
    Take(Box<Taking>),
}

impl Default for Does {
    fn default() -> Self {
        Self::Ignore(String::new())
    }
}

/// How an event is taken in, and what is made of it later.
#[derive(Debug, Clone)]
pub(super) struct Taking {
    /// The type of the intake event.
    pub(super) event_type: String,
    /// Its subject: events with the same subject are processed one after the other.
    pub(super) subject: Template,
    /// What is kept of the body.
    pub(super) keep: JsonTemplate,
    pub(super) translation: Translation,
}

impl Rule {
    pub(super) fn read(mut section: Section<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        // It was read before, to find the rule of a type.
        section.take("events");
        if let Some(entry) = section.take("ignore") {
            let reason = entry.text(faults).map(str::to_owned);
            let others = ["type", "subject", "keep", "look_up", "resource", "emits", "waits"];
            faults.refuse(
                others.iter().any(|key| section.has(key)),
                &section.spot,
                ErrorCode::NotTogether,
                "A rule with 'ignore' takes nothing in: it has no other key than 'events'.",
            );
            for key in others {
                section.take(key);
            }
            section.finish(faults);
            return Some(Self { does: Does::Ignore(reason?) });
        }
        let scope = Scope::of(OF_BODY.map(str::to_owned));
        let event_type = section.require("type", faults).and_then(|entry| entry.text(faults));
        let subject = section.require("subject", faults).and_then(|entry| Template::read(&entry, &scope, faults));
        let keep = section.require("keep", faults).and_then(|entry| {
            if entry.is_table() { JsonTemplate::read(&entry, &scope, faults) } else { entry.wrong("a table", faults) }
        });
        let translation = Translation::read(&mut section, faults);
        section.finish(faults);
        let taking =
            Taking { event_type: event_type?.to_owned(), subject: subject?, keep: keep?, translation: translation? };
        Some(Self { does: Does::Take(Box::new(taking)) })
    }

    pub(super) fn taking(&self) -> Option<&Taking> {
        match &self.does {
            Does::Take(taking) => Some(taking),
            Does::Ignore(_) => None,
        }
    }
}
