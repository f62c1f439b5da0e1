//! Reads TOML by hand instead of by serde, because the checker must find every fault with its line, not only the first.

use std::time::Duration;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Spot};

/// The longest duration in an adapter file. What takes longer is no matter of one request.
const DURATION_MAX: Duration = Duration::from_hours(24);

/// Reads the text; its syntax faults are noted.
pub(super) fn read<'text>(text: &'text str, faults: &mut Faults<'text>) -> Spanned<DeTable<'text>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let spot = Spot { at: error.span().map_or(0, |span| span.start), path: String::new() };
        let code = if error.message().contains("duplicate key") { "duplicate_key" } else { "syntax" };
        faults.add(&spot, code, format!("Not TOML here: {}.", error.message()));
    }
    document
}

/// A table whose keys are taken one by one, so that those left over can be named.
pub(super) struct Section<'a> {
    pub(super) spot: Spot,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn root(document: &'a Spanned<DeTable<'a>>) -> Self {
        Self { spot: Spot { at: 0, path: String::new() }, table: document.get_ref(), known: Vec::new() }
    }

    /// The value of this key, which from now on is a known one.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let value = self.table.get(key)?;
        Some(Entry { spot: Spot { at: value.span().start, path: self.spot.key(key) }, value: value.get_ref() })
    }

    /// As [`Self::take`]; a fault where the key is missing.
    pub(super) fn require(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Entry<'a>> {
        let entry = self.take(key);
        if entry.is_none() {
            faults.add(&self.spot, "missing_key", format!("The key '{key}' is missing here."));
        }
        entry
    }

    /// The table under this key.
    pub(super) fn section(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Section<'a>> {
        self.take(key)?.section(faults)
    }

    /// The entries of the table under this key, whatever their keys; none where it is absent.
    pub(super) fn named(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<(&'a str, Entry<'a>)> {
        self.section(key, faults).map(|section| section.entries()).unwrap_or_default()
    }

    /// The text under this key.
    pub(super) fn text(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<&'a str> {
        self.take(key)?.text(faults)
    }

    /// The boolean under this key.
    pub(super) fn flag(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<bool> {
        self.take(key)?.flag(faults)
    }

    /// The duration under this key.
    pub(super) fn duration(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Duration> {
        self.take(key)?.duration(faults)
    }

    /// One of these words under this key.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        self.take(key)?.choice(words, faults)
    }

    /// Whether the table has this key, which does not make it a known one.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// All entries, whatever their keys. Their places are those of the keys.
    pub(super) fn entries(&self) -> Vec<(&'a str, Entry<'a>)> {
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let spot = Spot { at: key.span().start, path: self.spot.key(key.get_ref()) };
            (key.get_ref().as_ref(), Entry { spot, value: value.get_ref() })
        };
        self.table.iter().map(entry).collect()
    }

    /// Notes each key that nobody took.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for (key, entry) in self.entries() {
            if !self.known.contains(&key) {
                let known = self.known.join(", ");
                let message = format!("The key '{key}' is not known here; known are: {known}.");
                faults.add(&entry.spot, "unknown_key", message);
            }
        }
    }
}

/// A value with its place.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) spot: Spot,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    /// Notes that the value is not what was expected.
    pub(super) fn wrong<T>(&self, expected: &str, faults: &mut Faults<'_>) -> Option<T> {
        faults.add(&self.spot, "wrong_type", format!("Expected {expected}, found {}.", self.value.type_str()));
        None
    }

    /// The text, where it is one; no fault where it is not.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(super) fn text(&self, faults: &mut Faults<'_>) -> Option<&'a str> {
        self.value.as_str().or_else(|| self.wrong("a text", faults))
    }

    pub(super) fn flag(&self, faults: &mut Faults<'_>) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false", faults))
    }

    /// The whole number, where it is one; no fault where it is not.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self.value {
            DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok(),
            _ => None,
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.as_table().is_some()
    }

    pub(super) fn is_array(&self) -> bool {
        self.value.as_array().is_some()
    }

    pub(super) fn duration(&self, faults: &mut Faults<'_>) -> Option<Duration> {
        let text = self.text(faults)?;
        let taken = humantime::parse_duration(text).ok().filter(|duration| *duration <= DURATION_MAX);
        if taken.is_none() {
            let message =
                format!("'{text}' is no duration; write e.g. \"250ms\", \"5s\" or \"15m\", at most 24 hours.");
            faults.add(&self.spot, "bad_duration", message);
        }
        taken
    }

    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)], faults: &mut Faults<'_>) -> Option<T> {
        let text = self.text(faults)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            faults.add(&self.spot, "unknown_value", format!("'{text}' is not known here; known are: {known}."));
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn section(&self, faults: &mut Faults<'_>) -> Option<Section<'a>> {
        let table = self.value.as_table().or_else(|| self.wrong("a table", faults))?;
        Some(Section { spot: self.spot.clone(), table, known: Vec::new() })
    }

    pub(super) fn items(&self, faults: &mut Faults<'_>) -> Vec<Entry<'a>> {
        let Some(array) = self.value.as_array().or_else(|| self.wrong("an array", faults)) else { return Vec::new() };
        let item = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| Entry {
            spot: Spot { at: value.span().start, path: format!("{}[{index}]", self.spot.path) },
            value: value.get_ref(),
        };
        array.iter().enumerate().map(item).collect()
    }

    /// The items of an array, or the value itself where it is none.
    pub(super) fn one_or_more(self, faults: &mut Faults<'_>) -> Vec<Entry<'a>> {
        if self.is_array() { self.items(faults) } else { vec![self] }
    }

    /// The value as JSON, where it is neither text, array nor table.
    pub(super) fn scalar(&self, faults: &mut Faults<'_>) -> Option<Value> {
        match self.value {
            DeValue::Boolean(flag) => Some(Value::from(*flag)),
            DeValue::Integer(_) => {
                self.as_integer().map(Value::from).or_else(|| self.wrong("an integer of 64 bits", faults))
            }
            DeValue::Float(number) => {
                let float = number.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
                float.map(Value::Number).or_else(|| self.wrong("a finite number", faults))
            }
            _ => self.wrong("a value that JSON knows", faults),
        }
    }
}
