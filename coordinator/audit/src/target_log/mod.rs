//! A target's own log of what it applied, independent of all histories.

mod pyhss;
mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use interlock_domain::ids::Epoch;
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetLogKind {
    /// What a sandbox target serves at `/__sandbox/log`: a list of [`Applied`](interlock_adapters::sandbox::Applied).
    Sandbox,
    /// What PyHSS serves at `/operation_logs/list`: its last 1,000 changes.
    Pyhss,
}

/// Why a log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetLogError {
    /// The name of the form is unknown.
    #[error("the kind of target log '{0}' is unknown: 'sandbox' and 'pyhss' are known")]
    Kind(String),
    /// The file cannot be read.
    #[error("the target's log {0} cannot be read: {1}")]
    File(String, String),
    /// It is not a list of entries of this form.
    #[error("the target's log {0} is not a log of kind '{1}': {2}")]
    Form(String, TargetLogKind, String),
}

impl fmt::Display for TargetLogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Pyhss => "pyhss",
        })
    }
}

impl FromStr for TargetLogKind {
    type Err = TargetLogError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sandbox" => Ok(Self::Sandbox),
            "pyhss" => Ok(Self::Pyhss),
            other => Err(TargetLogError::Kind(other.to_owned())),
        }
    }
}

/// A target's log: who got a number and who gave it up, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLog {
    /// A name for messages: a file, an address.
    pub(crate) name: String,
    pub(crate) writes: Vec<Write>,
}

/// One change that the target applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    /// The number of the entry.
    pub(crate) seq: i64,
    pub(crate) at_ms: i64,
    pub(crate) effect: WriteEffect,
    /// The idempotency key of the call, if the log has it.
    pub(crate) key: Option<Uuid>,
    /// The epoch that the request carried, if the log has it.
    pub(crate) epoch: Option<Epoch>,
    /// Whether it was applied before the log's own requests: a seed.
    pub(crate) is_seed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WriteEffect {
    /// A party has a number in a table from now on.
    Takes { table: &'static str, number: String, party: String },
    /// It does not have it in that table any more.
    GivesUp { table: &'static str, number: String, party: String },
    /// A party has another name.
    Renamed { old: String, new: String },
}

impl TargetLog {
    /// Reads a log: a JSON list of its entries, or one entry per line.
    ///
    /// # Errors
    /// [`TargetLogError::Form`].
    pub fn from_json(kind: TargetLogKind, name: impl Into<String>, json: &[u8]) -> Result<Self, TargetLogError> {
        let name = name.into();
        let form = |error: serde_json::Error| TargetLogError::Form(name.clone(), kind, error.to_string());
        let entries: Vec<Value> = if json.trim_ascii_start().first() == Some(&b'[') {
            serde_json::from_slice(json).map_err(form)?
        } else {
            serde_json::Deserializer::from_slice(json).into_iter().collect::<Result<_, _>>().map_err(form)?
        };
        let writes = match kind {
            TargetLogKind::Sandbox => sandbox::writes(entries),
            TargetLogKind::Pyhss => pyhss::writes(entries),
        };
        Ok(Self { writes: writes.map_err(form)?, name })
    }

    /// The sequence numbers of the writes that only make another number of a party its primary number, because the same request removed
    /// the primary one. The party already has that number, so such a write assigns nothing and needs no lease.
    pub(crate) fn promotions(&self) -> BTreeSet<i64> {
        let (mut registrations, mut promotions) = (Registrations::default(), BTreeSet::new());
        let mut before: Option<&Write> = None;
        for write in &self.writes {
            if let WriteEffect::Takes { table, number, party } = &write.effect
                && let Some(before) = before.filter(|before| write.key.is_some() && before.key == write.key)
                && let WriteEffect::GivesUp { table: table_before, number: given_up, party: its_party } = &before.effect
                && (table, party) == (table_before, its_party)
                && number != given_up
                && registrations.has(number, party)
            {
                promotions.insert(write.seq);
            }
            registrations.apply(write);
            before = Some(write);
        }
        promotions
    }

    /// Reads a log from a file. Without a kind, the first entry tells it.
    ///
    /// # Errors
    /// [`TargetLogError`].
    pub fn from_file(kind: Option<TargetLogKind>, file: &Path) -> Result<Self, TargetLogError> {
        let name = file.display().to_string();
        let json = std::fs::read(file).map_err(|error| TargetLogError::File(name.clone(), error.to_string()))?;
        let is_pyhss = || json.windows(14).take(4_096).any(|window| window == b"\"operation_id\"");
        let kind = kind.unwrap_or_else(|| if is_pyhss() { TargetLogKind::Pyhss } else { TargetLogKind::Sandbox });
        Self::from_json(kind, name, &json)
    }
}

/// Who has a number: parties, each with the number of rows per table.
pub(crate) type Parties = BTreeMap<(String, &'static str), usize>;

/// Who has which number.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    by_number: BTreeMap<String, Parties>,
}

impl Registrations {
    /// Applies a write. Returns the parties that still have the number that another party takes now.
    pub(crate) fn apply(&mut self, write: &Write) -> BTreeSet<String> {
        match &write.effect {
            WriteEffect::Takes { table, number, party } => {
                let parties = self.by_number.entry(number.clone()).or_default();
                let others = parties.keys().map(|(other, _)| other).filter(|other| *other != party).cloned().collect();
                *parties.entry((party.clone(), table)).or_default() += 1;
                others
            }
            WriteEffect::GivesUp { table, number, party } => {
                if let Some(parties) = self.by_number.get_mut(number) {
                    let key = (party.clone(), *table);
                    let rows = parties.get(&key).copied().unwrap_or(0);
                    if rows > 1 {
                        parties.insert(key, rows - 1);
                    } else {
                        parties.remove(&key);
                    }
                }
                BTreeSet::new()
            }
            WriteEffect::Renamed { old, new } => {
                for parties in self.by_number.values_mut() {
                    let renamed: Vec<_> = parties.keys().filter(|(party, _)| party == old).cloned().collect();
                    for (party, table) in renamed {
                        let rows = parties.remove(&(party, table)).unwrap_or(0);
                        *parties.entry((new.clone(), table)).or_default() += rows;
                    }
                }
                BTreeSet::new()
            }
        }
    }

    /// Whether a party has a number, in any table.
    fn has(&self, number: &str, party: &str) -> bool {
        self.by_number.get(number).is_some_and(|parties| parties.keys().any(|(of, _)| of == party))
    }

    /// The numbers of the log, each with who has it.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&String, BTreeSet<&String>)> {
        self.by_number.iter().map(|(number, parties)| (number, parties.keys().map(|(party, _)| party).collect()))
    }
}

impl WriteEffect {
    /// The number that it is about.
    pub(crate) fn number(&self) -> Option<&str> {
        match self {
            Self::Takes { number, .. } | Self::GivesUp { number, .. } => Some(number),
            Self::Renamed { .. } => None,
        }
    }
}

#[cfg(test)]
mod promotion_tests {
    use super::*;

    fn write(seq: i64, key: u128, effect: WriteEffect) -> Write {
        Write { seq, at_ms: seq, effect, key: Some(Uuid::from_u128(key)), epoch: None, is_seed: false }
    }

    fn takes(table: &'static str, number: &str) -> WriteEffect {
        WriteEffect::Takes { table, number: number.to_owned(), party: "sim".to_owned() }
    }

    fn gives_up(table: &'static str, number: &str) -> WriteEffect {
        WriteEffect::GivesUp { table, number: number.to_owned(), party: "sim".to_owned() }
    }

    fn promotions(second_is_there: bool, key_of_second: u128) -> BTreeSet<i64> {
        let mut writes = vec![
            write(1, 1, takes("ims_subscriber", "first")),
            write(2, 1, takes("subscriber", "first")),
            write(4, 3, gives_up("ims_subscriber", "first")),
            write(5, 3, gives_up("subscriber", "first")),
            write(6, key_of_second, takes("subscriber", "second")),
        ];
        if second_is_there {
            writes.insert(2, write(3, 2, takes("ims_subscriber", "second")));
        }
        TargetLog { name: "hss".to_owned(), writes }.promotions()
    }

    #[test]
    fn a_number_that_its_party_has_and_that_becomes_primary_by_a_release_is_no_assignment() {
        assert_eq!(promotions(true, 3), [6].into());
        assert!(promotions(true, 4).is_empty(), "another request");
        assert!(promotions(false, 3).is_empty(), "the party did not have it");
    }
}
