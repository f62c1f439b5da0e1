//! The conditions of a row of a response table, apart from the status.

use http::HeaderName;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section, Spot};
use minijinja::Value as Rendered;
use regex::Regex;
use serde_json::Value;

use super::pointer::Pointer;
use super::scope::Scope;
use super::template::{JsonTemplate, NotRendered};
use crate::exchange::TargetResponse;

/// The part of the answer that a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Header(HeaderName),
    Body(Pointer),
    /// The whole body as text, JSON or not.
    Text,
}

/// What a condition requires of this part.
#[derive(Debug, Clone)]
enum Test {
    Present(bool),
    Equals(JsonTemplate),
    Matches(Regex),
}

/// One condition. All conditions of a row must hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    place: Place,
    test: Test,
}

impl Condition {
    /// Reads the keys `header`, `body` and `text` of a row.
    pub(super) fn read_all(row: &mut Section<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Vec<Self> {
        let mut conditions = Vec::new();
        for key in ["header", "body"] {
            let Some(entry) = row.take(key) else { continue };
            for item in entry.one_or_more(faults) {
                let spot = item.spot.clone();
                if let Some(condition) = Self::read(key, &item, scope, faults) {
                    add(&mut conditions, condition, &spot, faults);
                }
            }
        }
        if let Some(entry) = row.take("text")
            && let Some(regex) = read_regex(&entry, faults)
        {
            conditions.push(Self { place: Place::Text, test: Test::Matches(regex) });
        }
        conditions
    }

    fn read(key: &str, entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let place = if key == "header" {
            read_header_name(&section.require("name", faults)?, faults).map(Place::Header)
        } else {
            Pointer::read(&section.require("pointer", faults)?, faults).map(Place::Body)
        };
        let mut tests: Vec<Option<Test>> = Vec::new();
        tests.extend(section.take("present").map(|entry| entry.flag(faults).map(Test::Present)));
        tests.extend(section.take("equals").map(|entry| {
            let is_text = key == "body" || entry.as_text().is_some();
            if !is_text {
                return entry.wrong("a text (headers are text)", faults);
            }
            JsonTemplate::read(&entry, scope, faults).map(Test::Equals)
        }));
        tests.extend(section.take("matches").map(|entry| read_regex(&entry, faults).map(Test::Matches)));
        if tests.len() != 1 {
            let message = "Use exactly one of 'present', 'equals' and 'matches'; for more, add another condition.";
            faults.add(&section.spot, ErrorCode::OneTest, message);
        }
        section.finish(faults);
        Some(Self { place: place?, test: tests.into_iter().next()?? })
    }

    /// Whether the answer satisfies the condition.
    pub(super) fn holds(&self, answer: &TargetResponse, variables: &Rendered) -> Result<bool, NotRendered> {
        let found: Vec<Value> = match &self.place {
            Place::Header(name) => answer
                .headers
                .get_all(name)
                .iter()
                .filter_map(|value| Some(value.to_str().ok()?.trim().into()))
                .collect(),
            Place::Body(pointer) => {
                answer.body.as_ref().map(|body| pointer.all(body)).unwrap_or_default().into_iter().cloned().collect()
            }
            Place::Text => vec![Value::from(answer.text.as_str())],
        };
        Ok(match &self.test {
            Test::Present(wanted) => found.iter().any(|value| !value.is_null()) == *wanted,
            Test::Matches(regex) => found.iter().filter_map(text_of).any(|text| regex.is_match(&text)),
            Test::Equals(template) => {
                let wanted = template.value(variables)?.unwrap_or_default();
                found.iter().any(|value| is_equal(value, &wanted))
            }
        })
    }

    /// Whether the condition looks at the body.
    pub(super) fn needs_body(&self) -> bool {
        !matches!((&self.place, &self.test), (Place::Header(_), _) | (_, Test::Present(false)))
    }

    /// Whether the condition can recognise a web page: it looks at a header, or at the body as text.
    pub(super) fn recognises_a_web_page(&self) -> bool {
        matches!(self.place, Place::Header(_) | Place::Text)
    }

    /// Whether the conditions are equal.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.place == other.place
            && match (&self.test, &other.test) {
                (Test::Present(one), Test::Present(other)) => one == other,
                (Test::Equals(one), Test::Equals(other)) => {
                    one.constant().is_some() && one.constant() == other.constant()
                }
                (Test::Matches(one), Test::Matches(other)) => one.as_str() == other.as_str(),
                _ => false,
            }
    }

    /// Whether this condition holds whenever `other` does.
    pub(super) fn follows_from(&self, other: &Self) -> bool {
        let is_presence = matches!(self.test, Test::Present(true)) && !matches!(other.test, Test::Present(_));
        self.is_same(other) || (is_presence && self.place == other.place && other.implies_presence())
    }

    fn implies_presence(&self) -> bool {
        match &self.test {
            Test::Present(present) => *present,
            Test::Equals(wanted) => wanted.constant().is_some_and(|wanted| !wanted.is_null()),
            Test::Matches(_) => true,
        }
    }

    /// Whether the two conditions can never hold together. With `*`, each may match another item.
    fn excludes(&self, other: &Self) -> bool {
        let is_one = match &self.place {
            Place::Body(pointer) => pointer.is_single(),
            Place::Header(_) | Place::Text => true,
        };
        self.place == other.place
            && match (&self.test, &other.test) {
                (Test::Present(false), _) => other.implies_presence(),
                (_, Test::Present(false)) => self.implies_presence(),
                (Test::Equals(one), Test::Equals(other)) => {
                    is_one && one.constant().zip(other.constant()).is_some_and(|(one, other)| !is_equal(one, other))
                }
                (Test::Equals(one), Test::Matches(regex)) | (Test::Matches(regex), Test::Equals(one)) => {
                    is_one && one.constant().and_then(text_of).is_some_and(|text| !regex.is_match(&text))
                }
                _ => false,
            }
    }
}

/// Adds a condition. Reports a fault if it contradicts or repeats an earlier one.
fn add(conditions: &mut Vec<Condition>, condition: Condition, spot: &Spot, faults: &mut Faults<'_>) {
    if conditions.iter().any(|earlier| earlier.excludes(&condition)) {
        faults.add(
            spot,
            ErrorCode::ImpossibleRow,
            "This can never be true together with an earlier condition of the row.",
        );
    } else if conditions.iter().any(|earlier| earlier.is_same(&condition)) {
        faults.add(spot, ErrorCode::DuplicateCondition, "The row already has this condition.");
    }
    conditions.push(condition);
}

pub(super) fn read_header_name(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<HeaderName> {
    let text = entry.text(faults)?;
    let name = HeaderName::try_from(text).ok();
    if name.is_none() {
        faults.add(&entry.spot, ErrorCode::BadHeaderName, format!("'{text}' is not a valid header name."));
    }
    name
}

fn read_regex(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Regex> {
    match Regex::new(entry.text(faults)?) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            faults.add(&entry.spot, ErrorCode::BadRegex, format!("This is not a valid regular expression: {reason}."));
            None
        }
    }
}

/// Whether the two values are equal. A number or boolean equals its text.
fn is_equal(one: &Value, other: &Value) -> bool {
    one == other
        || (one.is_string() != other.is_string() && text_of(one).is_some_and(|text| text_of(other) == Some(text)))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
