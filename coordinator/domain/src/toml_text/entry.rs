//! A value of a document, with its place.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Spot};
use crate::error_code::ErrorCode;

/// A value with its place.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Where it is.
    pub spot: Spot,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(spot: Spot, value: &'a DeValue<'a>) -> Self {
        Self { spot, value }
    }

    /// Records that the value is not what was expected.
    pub fn wrong<T>(&self, expected: &str, faults: &mut Faults<'_>) -> Option<T> {
        faults.add(&self.spot, ErrorCode::WrongType, format!("Expected {expected}, found {}.", self.value.type_str()));
        None
    }

    /// The text, if it is one; otherwise no fault.
    pub fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The whole number, if it fits into 64 bits; otherwise no fault.
    pub fn as_integer(&self) -> Option<i64> {
        match self.value {
            DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok(),
            _ => None,
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        self.value.as_table().is_some()
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.value.as_array().is_some()
    }

    /// The text.
    pub fn text(&self, faults: &mut Faults<'_>) -> Option<&'a str> {
        self.value.as_str().or_else(|| self.wrong("a text", faults))
    }

    /// The boolean.
    pub fn flag(&self, faults: &mut Faults<'_>) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false", faults))
    }

    /// The decimal number, as written.
    pub fn number(&self, faults: &mut Faults<'_>) -> Option<&'a str> {
        match self.value {
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
            DeValue::Float(number) => Some(number.as_str()),
            _ => self.wrong("a number", faults),
        }
    }

    /// The duration in milliseconds, within these limits.
    pub fn duration_ms(&self, (least_ms, most_ms): (u64, u64), faults: &mut Faults<'_>) -> Option<u64> {
        let text = self.text(faults)?;
        let millis = humantime::parse_duration(text).ok().and_then(|duration| u64::try_from(duration.as_millis()).ok());
        let taken = millis.filter(|millis| (least_ms..=most_ms).contains(millis));
        if taken.is_none() {
            let (least, most) = (written(least_ms), written(most_ms));
            let message = format!(
                "'{text}' is not a duration from {least} to {most}; write for example \"250ms\", \"5s\" or \"15m\"."
            );
            faults.add(&self.spot, ErrorCode::BadDuration, message);
        }
        taken
    }

    /// One of these words.
    pub fn choice<T: Copy>(&self, words: &[(&str, T)], faults: &mut Faults<'_>) -> Option<T> {
        let text = self.text(faults)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            faults.add(&self.spot, ErrorCode::UnknownValue, format!("'{text}' is unknown here; known are: {known}."));
        }
        found.map(|(_, value)| *value)
    }

    /// A name that parses into `T`.
    pub fn name<T: FromStr<Err: Display>>(&self, faults: &mut Faults<'_>) -> Option<T> {
        let text = self.text(faults)?;
        let no_name =
            |fault| faults.add(&self.spot, ErrorCode::BadName, format!("'{text}' is not a valid name: {fault}."));
        text.parse().map_err(no_name).ok()
    }

    /// The table's entries.
    pub(super) fn table(&self, faults: &mut Faults<'_>) -> Option<&'a DeTable<'a>> {
        self.value.as_table().or_else(|| self.wrong("a table", faults))
    }

    /// The items of the array.
    pub fn items(&self, faults: &mut Faults<'_>) -> Vec<Entry<'a>> {
        let Some(array) = self.value.as_array().or_else(|| self.wrong("an array", faults)) else { return Vec::new() };
        let item = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| {
            Entry::new(Spot { at: value.span().start, path: format!("{}[{index}]", self.spot.path) }, value.get_ref())
        };
        array.iter().enumerate().map(item).collect()
    }

    /// The items of an array, or the value itself if it is not an array.
    pub fn one_or_more(self, faults: &mut Faults<'_>) -> Vec<Entry<'a>> {
        if self.is_array() { self.items(faults) } else { vec![self] }
    }

    /// The value as JSON, if it is not text, an array or a table.
    pub fn scalar(&self, faults: &mut Faults<'_>) -> Option<Value> {
        match self.value {
            DeValue::Boolean(flag) => Some(Value::from(*flag)),
            DeValue::Integer(_) => {
                self.as_integer().map(Value::from).or_else(|| self.wrong("a 64-bit integer", faults))
            }
            DeValue::Float(number) => {
                let float = number.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
                float.map(Value::Number).or_else(|| self.wrong("a finite number", faults))
            }
            _ => self.wrong("a value that JSON can represent", faults),
        }
    }

    /// The value as JSON, or null if JSON cannot represent it. The place of each part is stored under its JSON pointer, for
    /// faults found later.
    pub fn json(&self, places: &mut BTreeMap<String, Spot>, faults: &mut Faults<'_>) -> Value {
        self.json_at("", places, faults)
    }

    fn json_at(&self, pointer: &str, places: &mut BTreeMap<String, Spot>, faults: &mut Faults<'_>) -> Value {
        places.insert(pointer.to_owned(), self.spot.clone());
        match self.value {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Array(_) => {
                let items = self.items(faults);
                let json =
                    |(index, item): (usize, &Entry<'a>)| item.json_at(&format!("{pointer}/{index}"), places, faults);
                Value::Array(items.iter().enumerate().map(json).collect())
            }
            DeValue::Table(_) => {
                let Some(section) = self.section(faults) else { return Value::Null };
                let json = |(key, entry): (&str, Entry<'a>)| {
                    let escaped = key.replace('~', "~0").replace('/', "~1");
                    (key.to_owned(), entry.json_at(&format!("{pointer}/{escaped}"), places, faults))
                };
                Value::Object(section.entries().into_iter().map(json).collect::<Map<_, _>>())
            }
            _ => self.scalar(faults).unwrap_or_default(),
        }
    }
}

/// A duration in the largest unit that divides it: `366d`, `250ms`.
fn written(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(24 * 60 * 60 * 1000, "d"), (60 * 60 * 1000, "h"), (60 * 1000, "m"), (1000, "s")];
    let unit = UNITS.into_iter().find(|(size, _)| ms >= *size && ms.is_multiple_of(*size));
    unit.map_or_else(|| format!("{ms}ms"), |(size, name)| format!("{}{name}", ms / size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toml_text::{Section, TomlFault, read};

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    fn faults_of(text: &str, look: impl Fn(&mut Section<'_>, &mut Faults<'_>)) -> Vec<TomlFault> {
        let mut faults = Faults::of(text);
        let document = read(text, &mut faults);
        let mut section = Section::root(&document);
        look(&mut section, &mut faults);
        section.finish(&mut faults);
        faults.sorted()
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_place() {
        let faults = faults_of("pause = \"soon\"\n\"two words\" = 1\n[table]\nx = 1\n", |section, faults| {
            section.duration_ms("pause", (1, DAY_MS), faults);
            section.text("table", faults);
            section.require("name", faults);
        });
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "1:1: The required key 'name' is missing here. [missing_key]",
                "1:9: pause: 'soon' is not a duration from 1ms to 1d; write for example \"250ms\", \"5s\" or \"15m\". \
                 [bad_duration]",
                "2:1: \"two words\": The key 'two words' is unknown here; known are: pause, table, name. \
                 [unknown_key]",
                "3:1: table: Expected a text, found table. [wrong_type]",
            ]
        );
    }

    #[test]
    fn a_duration_is_taken_at_its_limits_and_not_beyond() {
        let taken = |text: &str| {
            faults_of(&format!("pause = \"{text}\""), |section, faults| {
                section.duration_ms("pause", (250, DAY_MS), faults);
            })
            .is_empty()
        };
        assert!(taken("250ms") && taken("24h"));
        assert!(!taken("249ms") && !taken("86401s") && !taken("-1s") && !taken(""));
    }

    #[test]
    fn limits_are_written_in_their_largest_whole_unit() {
        let texts = [0, 1, 1_500, 90_000, 300_000, 7_200_000, 366 * DAY_MS].map(written);
        assert_eq!(texts, ["0ms", "1ms", "1500ms", "90s", "5m", "2h", "366d"]);
    }
}
