//! The condition that a target's settings give for success: what a row of an adapter file can test.

use interlock_domain::toml_text::{self, Faults, Section, TomlFault};
use serde_json::Value;

use super::condition::Condition;
use super::scope::Scope;
use super::status_set::StatusSet;
use crate::exchange::TargetResponse;

/// What a response must satisfy to count as a success: the keys `status` (default `2xx`), `header`, `body` and `text` of a row.
#[derive(Debug, Clone)]
pub(crate) struct Success {
    status: StatusSet,
    conditions: Vec<Condition>,
}

impl Success {
    /// Reads the setting.
    ///
    /// # Errors
    /// All of its faults. Their lines count within the setting.
    pub(crate) fn read(setting: &Value) -> Result<Self, Vec<TomlFault>> {
        let text = toml::to_string(setting).unwrap_or_default();
        let mut faults = Faults::of(&text);
        let document = toml_text::read(&text, &mut faults);
        let mut section = Section::root(&document);
        let status = section.take("status").map(|entry| StatusSet::read(entry, &mut faults));
        let conditions = Condition::read_all(&mut section, &Scope::default(), &mut faults);
        section.finish(&mut faults);
        let faults = faults.sorted();
        let status = status.flatten().unwrap_or_else(StatusSet::successes);
        if faults.is_empty() { Ok(Self { status, conditions }) } else { Err(faults) }
    }

    /// Whether the response is a success.
    pub(crate) fn is_met_by(&self, answer: &TargetResponse) -> bool {
        let variables = minijinja::Value::UNDEFINED;
        self.status.contains(answer.status.as_u16())
            && self.conditions.iter().all(|condition| condition.holds(answer, &variables).unwrap_or(false))
    }
}
