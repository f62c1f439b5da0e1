//! A text as a document, and its tables.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::entry::Entry;
use super::fault::{Faults, Spot};
use crate::error_code::ErrorCode;

/// Reads the text; its syntax faults are recorded.
pub fn read<'text>(text: &'text str, faults: &mut Faults<'text>) -> Spanned<DeTable<'text>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let spot = Spot { at: error.span().map_or(0, |span| span.start), path: String::new() };
        let code = if error.message().contains("duplicate key") { ErrorCode::DuplicateKey } else { ErrorCode::Syntax };
        faults.add(&spot, code, format!("Invalid TOML: {}.", error.message()));
    }
    document
}

/// A table whose keys are taken one by one, so that unknown keys can be reported.
pub struct Section<'a> {
    /// Where it is.
    pub spot: Spot,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub fn root(document: &'a Spanned<DeTable<'a>>) -> Self {
        Self::new(Spot { at: 0, path: String::new() }, document.get_ref())
    }

    pub(super) fn new(spot: Spot, table: &'a DeTable<'a>) -> Self {
        Self { spot, table, known: Vec::new() }
    }

    /// The value of this key; the key counts as known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let value = self.table.get(key)?;
        Some(Entry::new(Spot { at: value.span().start, path: self.spot.key(key) }, value.get_ref()))
    }

    /// As [`Self::take`], but a missing key is a fault.
    pub fn require(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Entry<'a>> {
        let entry = self.take(key);
        if entry.is_none() {
            faults.add(&self.spot, ErrorCode::MissingKey, format!("The required key '{key}' is missing here."));
        }
        entry
    }

    /// Whether the table has this key. The key does not become a known one.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// The table under this key.
    pub fn section(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<Section<'a>> {
        self.take(key)?.section(faults)
    }

    /// The entries of the table under this key, whatever their keys; empty if it is absent.
    pub fn named(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<(&'a str, Entry<'a>)> {
        self.section(key, faults).map(|section| section.entries()).unwrap_or_default()
    }

    /// The text under this key.
    pub fn text(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<&'a str> {
        self.take(key)?.text(faults)
    }

    /// The boolean under this key.
    pub fn flag(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<bool> {
        self.take(key)?.flag(faults)
    }

    /// The duration under this key in milliseconds, within these limits.
    pub fn duration_ms(&mut self, key: &'static str, limits_ms: (u64, u64), faults: &mut Faults<'_>) -> Option<u64> {
        self.take(key)?.duration_ms(limits_ms, faults)
    }

    /// One of these words under this key.
    pub fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], faults: &mut Faults<'_>) -> Option<T> {
        self.take(key)?.choice(words, faults)
    }

    /// A name under this key that parses into `T`.
    pub fn name<T: FromStr<Err: Display>>(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Option<T> {
        self.take(key)?.name(faults)
    }

    /// The entries of an array under this key; empty if it is absent.
    pub fn items(&mut self, key: &'static str, faults: &mut Faults<'_>) -> Vec<Entry<'a>> {
        self.take(key).map(|entry| entry.items(faults)).unwrap_or_default()
    }

    /// All entries, whatever their keys. Their places are those of the keys.
    pub fn entries(&self) -> Vec<(&'a str, Entry<'a>)> {
        let entry = |(key, value): (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let spot = Spot { at: key.span().start, path: self.spot.key(key.get_ref()) };
            (key.get_ref().as_ref(), Entry::new(spot, value.get_ref()))
        };
        self.table.iter().map(entry).collect()
    }

    /// Records a fault for each key that was not taken.
    pub fn finish(self, faults: &mut Faults<'_>) {
        for (key, entry) in self.entries() {
            if !self.known.contains(&key) {
                let known = self.known.join(", ");
                let message = format!("The key '{key}' is unknown here; known are: {known}.");
                faults.add(&entry.spot, ErrorCode::UnknownKey, message);
            }
        }
    }
}

impl<'a> Entry<'a> {
    /// The table.
    pub fn section(&self, faults: &mut Faults<'_>) -> Option<Section<'a>> {
        let table = self.table(faults)?;
        Some(Section::new(self.spot.clone(), table))
    }
}
