//! Reads TOML by hand instead of by serde, because the checker must find every fault with its line, not only the first.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Spot};

/// The longest duration in a catalog, in milliseconds: 366 days. Sums of a few stay far from overflow.
pub(super) const DURATION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

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

    /// The key's value as a boolean, `false` where it is absent.
    pub(super) fn flag(&mut self, key: &'static str, faults: &mut Faults<'_>) -> bool {
        self.take(key).and_then(|entry| entry.flag(faults)).unwrap_or(false)
    }

    /// The key's value as milliseconds.
    pub(super) fn duration_ms(&mut self, key: &'static str, least_ms: u64, faults: &mut Faults<'_>) -> Option<u64> {
        self.take(key)?.duration_ms(least_ms, faults)
    }

    /// The key's value as one of these words; the first is the default.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], faults: &mut Faults<'_>) -> T {
        self.take(key).and_then(|entry| entry.choice(words, faults)).unwrap_or(words[0].1)
    }

    /// The key's value as a name that parses into `T`.
    pub(super) fn name<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &'static str,
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        self.take(key)?.name(faults)
    }

    /// The entries of an array under this key; none where it is absent.
    pub(super) fn items(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<Entry<'a>> {
        self.take(key).map(|entry| entry.items(faults)).unwrap_or_default()
    }

    /// All entries, whatever their keys.
    pub(super) fn entries(&self) -> Vec<(&'a str, Entry<'a>)> {
        self.table
            .iter()
            .map(|(key, value)| {
                let spot = Spot { at: key.span().start, path: self.spot.key(key.get_ref()) };
                (key.get_ref().as_ref(), Entry { spot, value: value.get_ref() })
            })
            .collect()
    }

    /// Notes each key that nobody took.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for (key, entry) in self.entries() {
            if !self.known.contains(&key) {
                let known = self.known.join(", ");
                faults.add(
                    &entry.spot,
                    "unknown_key",
                    format!("The key '{key}' is not known here; known are: {known}."),
                );
            }
        }
    }
}

/// A value with its place.
pub(super) struct Entry<'a> {
    pub(super) spot: Spot,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    fn wrong<T>(&self, expected: &str, faults: &mut Faults<'_>) -> Option<T> {
        faults.add(&self.spot, "wrong_type", format!("Expected {expected}, found {}.", self.value.type_str()));
        None
    }

    pub(super) fn text(&self, faults: &mut Faults<'_>) -> Option<&'a str> {
        self.value.as_str().or_else(|| self.wrong("a text", faults))
    }

    fn flag(&self, faults: &mut Faults<'_>) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false", faults))
    }

    fn duration_ms(&self, least_ms: u64, faults: &mut Faults<'_>) -> Option<u64> {
        let text = self.text(faults)?;
        let millis = humantime::parse_duration(text).ok().and_then(|duration| u64::try_from(duration.as_millis()).ok());
        let taken = millis.filter(|millis| (least_ms..=DURATION_MS_MAX).contains(millis));
        if taken.is_none() {
            let least = if least_ms > 0 { "above zero" } else { "from zero" };
            faults.add(
                &self.spot,
                "bad_duration",
                format!("'{text}' is no duration; write e.g. \"5s\", \"90s\" or \"6h\", {least} and at most 366 days."),
            );
        }
        taken
    }

    fn choice<T: Copy>(&self, words: &[(&str, T)], faults: &mut Faults<'_>) -> Option<T> {
        let text = self.text(faults)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            faults.add(&self.spot, "unknown_value", format!("'{text}' is not known here; known are: {known}."));
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn name<T: FromStr<Err: std::fmt::Display>>(&self, faults: &mut Faults<'_>) -> Option<T> {
        let text = self.text(faults)?;
        text.parse().map_err(|fault| faults.add(&self.spot, "bad_name", format!("'{text}' is no name: {fault}."))).ok()
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

    /// The value as JSON. The place of each part is kept under its JSON pointer, for faults found later.
    pub(super) fn json(&self, places: &mut BTreeMap<String, Spot>, faults: &mut Faults<'_>) -> Value {
        self.json_at("", places, faults)
    }

    fn json_at(&self, pointer: &str, places: &mut BTreeMap<String, Spot>, faults: &mut Faults<'_>) -> Value {
        places.insert(pointer.to_owned(), self.spot.clone());
        match self.value {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Integer(number) => match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                Ok(number) => Value::from(number),
                Err(_) => self.wrong("an integer of 64 bits", faults).unwrap_or_default(),
            },
            DeValue::Float(number) => {
                let float = number.as_str().replace('_', "").parse().ok();
                match float.and_then(serde_json::Number::from_f64) {
                    Some(number) => Value::Number(number),
                    None => self.wrong("a finite number", faults).unwrap_or_default(),
                }
            }
            DeValue::Datetime(_) => self.wrong("a value that JSON knows", faults).unwrap_or_default(),
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
        }
    }
}
