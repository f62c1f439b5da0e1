//! Reads what another build wrote, and finds what was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A field that neither build has.
const UNKNOWN: &str = "a_field_of_another_build";
/// What only this build writes, and only if an operator asks for it, so not while the previous build runs. Everything listed here must
/// also be in CHANGELOG.md.
const NEW: [&str; 3] = ["lease_imported", "lease_gone", "say_again"];
/// The longest word that counts as one of a fixed set: the name of a state, a variant, a mode.
const WORD_MAX: usize = 32;

/// What was read so far, and the faults found.
#[derive(Default)]
pub struct Reading {
    /// The fields and words of the samples that were read, by type.
    seen: BTreeMap<&'static str, BTreeSet<String>>,
    /// The number of samples that were read, by type.
    samples: BTreeMap<&'static str, usize>,
    faults: BTreeSet<String>,
}

impl Reading {
    /// The faults, without duplicates.
    pub fn faults(&self) -> Vec<String> {
        self.faults.iter().cloned().collect()
    }

    /// How many samples were read.
    pub fn samples(&self) -> usize {
        self.samples.values().sum()
    }

    /// Lets the previous build read what this build wrote, and this build read what the previous one wrote of it. A sample without new
    /// fields and words is skipped.
    pub fn both_ways<New, Old>(&mut self, what: &'static str, sample: &New)
    where
        New: Serialize + DeserializeOwned,
        Old: Serialize + DeserializeOwned,
    {
        let written = serde_json::to_value(sample).unwrap();
        if !self.is_news(what, &written) || says_what_is_new(&written) {
            return;
        }
        *self.samples.entry(what).or_default() += 1;
        let old: Old = match serde_json::from_value(written.clone()) {
            Ok(old) => old,
            Err(error) => return self.fault(what, &format!("the previous build cannot read it: {error}")),
        };
        let of_old = serde_json::to_value(old).unwrap();
        for lost in lost(&of_old, &written) {
            self.fault(what, &format!("the previous build reads it otherwise than this one wrote it: {lost}"));
        }
        let back: New = match serde_json::from_value(of_old.clone()) {
            Ok(back) => back,
            Err(error) => return self.fault(what, &format!("what the previous build wrote cannot be read: {error}")),
        };
        for lost in lost(&of_old, &serde_json::to_value(back).unwrap()) {
            self.fault(what, &format!("it is read otherwise than the previous build wrote it: {lost}"));
        }
        self.with_unknown_fields::<New, Old>(what, &written, &of_old);
    }

    /// If the previous build ignores unknown fields, this one must ignore them, too: the next build may write some.
    fn with_unknown_fields<New: DeserializeOwned, Old: DeserializeOwned>(
        &mut self,
        what: &'static str,
        written: &Value,
        of_old: &Value,
    ) {
        // One of many orders or tickets represents all of them.
        let mut tried = BTreeSet::new();
        for pointer in objects(written).into_iter().filter(|pointer| tried.insert(without_numbers(pointer))) {
            let mut extended = written.clone();
            // The previous build ignores what it does not have.
            let known_to_old = of_old.pointer(&pointer).is_some();
            let Some(Value::Object(object)) = extended.pointer_mut(&pointer).filter(|_| known_to_old) else { continue };
            object.insert(UNKNOWN.to_owned(), Value::Bool(true));
            // Tables of orders, leases and so on cannot contain it, either.
            let (old, new) = (serde_json::from_value::<Old>(extended.clone()), serde_json::from_value::<New>(extended));
            if let (Ok(_), Err(error)) = (old, new) {
                self.fault(what, &format!("an unknown field is refused at {}: {error}", without_numbers(&pointer)));
            }
        }
    }

    fn fault(&mut self, what: &'static str, fault: &str) {
        self.faults.insert(format!("{what}: {fault}"));
    }

    fn is_news(&mut self, what: &'static str, written: &Value) -> bool {
        let mut found = BTreeSet::new();
        features(written, "", &mut found);
        let seen = self.seen.entry(what).or_default();
        let before = seen.len();
        seen.extend(found);
        seen.len() > before || before == 0
    }
}

/// Whether it says something that the previous build does not know.
fn says_what_is_new(written: &Value) -> bool {
    match written {
        Value::String(word) => NEW.contains(&word.as_str()),
        Value::Array(values) => values.iter().any(says_what_is_new),
        Value::Object(fields) => {
            fields.keys().any(|name| NEW.contains(&name.as_str())) || fields.values().any(says_what_is_new)
        }
        _ => false,
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let samples: Vec<String> = self.samples.iter().map(|(what, count)| format!("{count} {what}")).collect();
        write!(f, "read both ways: {}", samples.join(", "))
    }
}

/// The fields of a value, and the words in it.
fn features(value: &Value, field: &str, found: &mut BTreeSet<String>) {
    let is_word = |text: &str| {
        !text.is_empty() && text.len() <= WORD_MAX && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                // The keys of tables are not field names.
                let name = if is_word(name) { name.as_str() } else { "*" };
                found.insert(format!("{field}.{name}"));
                features(inner, name, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| features(inner, field, found)),
        Value::String(word) if is_word(word) => {
            found.insert(format!("{field}={word}"));
        }
        other => {
            found.insert(format!("{field}:{}", kind(other)));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        _ => "other",
    }
}

/// The places where one build's text differs from the other's or is missing there.
fn lost(of_one: &Value, of_other: &Value) -> Vec<String> {
    match (of_one, of_other) {
        (Value::Object(one), Value::Object(other)) => {
            let of_field = |(name, inner): (&String, &Value)| match other.get(name) {
                Some(there) => lost(inner, there).into_iter().map(|lost| format!("/{name}{lost}")).collect(),
                None => vec![format!("/{name} is not there")],
            };
            one.iter().flat_map(of_field).collect()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).flat_map(|(one, other)| lost(one, other)).collect()
        }
        (one, other) if one == other => Vec::new(),
        _ => vec![" differs".to_owned()],
    }
}

/// The places of the objects in a value.
fn objects(value: &Value) -> Vec<String> {
    let inner = |name: String, value: &Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        objects(value).into_iter().map(move |rest| format!("/{name}{rest}")).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => {
            let all = fields.iter().flat_map(|(name, value)| inner(name.clone(), value));
            std::iter::once(String::new()).chain(all).collect()
        }
        Value::Array(all) => {
            all.iter().enumerate().flat_map(|(index, value)| inner(index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

fn without_numbers(pointer: &str) -> String {
    let parts = pointer.split('/').map(|part| if part.bytes().any(|byte| byte.is_ascii_digit()) { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
