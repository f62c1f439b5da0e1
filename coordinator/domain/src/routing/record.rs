//! The record of an installation in each of its namespaces: its prefix and its count of shards. A process that disagrees with it must
//! not work there: workflow ids carry no prefix, and every queue must be served.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{QueuePrefix, ShardCount};
use crate::error_code::ErrorCode;

/// What is recorded in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationRecord {
    /// The prefix of the task queues.
    pub prefix: QueuePrefix,
    /// The count of shards.
    pub shards: ShardCount,
    /// The earlier counts, newest last, while entities may still be on queues of these counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<ShardCount>,
    /// How often the count was changed.
    #[serde(default)]
    pub generation: u64,
}

impl InstallationRecord {
    /// The record of a new installation.
    pub fn new(prefix: QueuePrefix, shards: ShardCount) -> Self {
        Self { prefix, shards, before: Vec::new(), generation: 0 }
    }

    /// The same installation with another count; the earlier counts are remembered.
    #[must_use]
    pub fn with_shards(&self, shards: ShardCount) -> Self {
        if shards == self.shards {
            return self.clone();
        }
        let mut before = self.before.clone();
        before.push(self.shards);
        before.retain(|count| *count != shards);
        Self { prefix: self.prefix.clone(), shards, before, generation: self.generation.saturating_add(1) }
    }

    /// Whether entities may still be on queues of an earlier count.
    pub fn is_changing(&self) -> bool {
        !self.before.is_empty()
    }

    /// The same, once no entity is.
    #[must_use]
    pub fn settled(&self) -> Self {
        Self { before: Vec::new(), ..self.clone() }
    }

    /// Its content, for a person.
    pub fn words(&self) -> String {
        let before: Vec<String> = self.before.iter().map(|count| count.get().to_string()).collect();
        let changing =
            if before.is_empty() { String::new() } else { format!(" (changing from {})", before.join(", ")) };
        format!("the prefix '{}' and {} shards{changing}", self.prefix.as_str(), self.shards.get())
    }
}

/// Why a process must not work in a namespace, or a record must not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Disagreement {
    /// Nothing is recorded.
    #[error("the namespace '{namespace}' is not bootstrapped; run 'interlock bootstrap'")]
    NotBootstrapped {
        /// The namespace.
        namespace: String,
    },
    /// Another prefix is recorded: another installation works there.
    #[error("the record of the namespace '{namespace}' has {}, but this process has the prefix \
             '{}'", recorded.words(), prefix.as_str())]
    Prefix {
        /// The namespace.
        namespace: String,
        /// The recorded one.
        recorded: Box<InstallationRecord>,
        /// The prefix of this process.
        prefix: QueuePrefix,
    },
    /// Another count is recorded.
    #[error("the record of the namespace '{namespace}' has {}, but this process has {} \
             shards", recorded.words(), shards.get())]
    Shards {
        /// The namespace.
        namespace: String,
        /// The recorded one.
        recorded: Box<InstallationRecord>,
        /// The count of this process.
        shards: ShardCount,
    },
    /// The namespaces of the installation have different records.
    #[error("the record of the namespace '{namespace}' has {}, but that of '{other}' has \
             {}", recorded.words(), other_recorded.words())]
    Namespaces {
        /// One namespace.
        namespace: String,
        /// The record there.
        recorded: Box<InstallationRecord>,
        /// Another.
        other: String,
        /// The record there.
        other_recorded: Box<InstallationRecord>,
    },
}

impl Disagreement {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotBootstrapped { .. } => ErrorCode::NotBootstrapped,
            Self::Prefix { .. } => ErrorCode::PrefixDisagrees,
            Self::Shards { .. } => ErrorCode::ShardCountDisagrees,
            Self::Namespaces { .. } => ErrorCode::NamespacesDisagree,
        }
    }
}

/// The records by namespace; none for a namespace without one.
pub type Records = BTreeMap<String, Option<InstallationRecord>>;

/// The record that all namespaces have, if this process agrees with it. `shards` is the count that the
/// process is configured with; if none, it accepts the recorded one.
///
/// # Errors
/// [`Disagreement`], of the first namespace by name.
pub fn agreed(
    records: &Records,
    prefix: &QueuePrefix,
    shards: Option<ShardCount>,
) -> Result<InstallationRecord, Disagreement> {
    let mut agreed: Option<(&String, &InstallationRecord)> = None;
    for (namespace, recorded) in records {
        let Some(recorded) = recorded else {
            return Err(Disagreement::NotBootstrapped { namespace: namespace.clone() });
        };
        check_prefix(namespace, recorded, prefix)?;
        match agreed {
            Some((other, of_other)) if of_other != recorded => {
                return Err(Disagreement::Namespaces {
                    namespace: namespace.clone(),
                    recorded: Box::new(recorded.clone()),
                    other: other.clone(),
                    other_recorded: Box::new(of_other.clone()),
                });
            }
            _ => agreed = Some((namespace, recorded)),
        }
    }
    let Some((namespace, recorded)) = agreed else {
        return Err(Disagreement::NotBootstrapped { namespace: String::new() });
    };
    check_shards(namespace, recorded, shards)?;
    Ok(recorded.clone())
}

/// The record for all namespaces. `changed_to` is a new count that was asked for; `set` is the one that
/// processes are configured with, which never changes a record, because it may be an old one. If nothing is recorded, the first of
/// `changed_to`, `set` and `usual` counts.
///
/// # Errors
/// [`Disagreement`]: another installation works in one of the namespaces, or `set` differs from what would be recorded.
pub fn to_record(
    records: &Records,
    prefix: &QueuePrefix,
    changed_to: Option<ShardCount>,
    set: Option<ShardCount>,
    usual: ShardCount,
) -> Result<InstallationRecord, Disagreement> {
    let mut newest: Option<(&String, &InstallationRecord)> = None;
    for (namespace, recorded) in records {
        let Some(recorded) = recorded else { continue };
        check_prefix(namespace, recorded, prefix)?;
        // Of the same generation, prefer one that is still changing: only then is it certain that no entity is forgotten.
        let rank = |record: &InstallationRecord| (record.generation, record.before.len());
        if newest.is_none_or(|(_, other)| rank(other) < rank(recorded)) {
            newest = Some((namespace, recorded));
        }
    }
    match (newest, changed_to) {
        (None, _) => Ok(InstallationRecord::new(prefix.clone(), changed_to.or(set).unwrap_or(usual))),
        (Some((_, recorded)), Some(shards)) => Ok(recorded.with_shards(shards)),
        (Some((namespace, recorded)), None) => {
            check_shards(namespace, recorded, set)?;
            Ok(recorded.clone())
        }
    }
}

fn check_prefix(namespace: &str, recorded: &InstallationRecord, prefix: &QueuePrefix) -> Result<(), Disagreement> {
    if recorded.prefix == *prefix {
        return Ok(());
    }
    let recorded = Box::new(recorded.clone());
    Err(Disagreement::Prefix { namespace: namespace.to_owned(), recorded, prefix: prefix.clone() })
}

fn check_shards(
    namespace: &str,
    recorded: &InstallationRecord,
    shards: Option<ShardCount>,
) -> Result<(), Disagreement> {
    match shards {
        Some(shards) if shards != recorded.shards => {
            let recorded = Box::new(recorded.clone());
            Err(Disagreement::Shards { namespace: namespace.to_owned(), recorded, shards })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(number: u64) -> ShardCount {
        number.try_into().unwrap()
    }

    fn record(shards: u64) -> InstallationRecord {
        InstallationRecord::new(QueuePrefix::default(), count(shards))
    }

    fn records(of: &[(&str, Option<InstallationRecord>)]) -> Records {
        of.iter().map(|(namespace, record)| ((*namespace).to_owned(), record.clone())).collect()
    }

    fn agreed_code(records: &Records, shards: Option<u64>) -> &'static str {
        match agreed(records, &QueuePrefix::default(), shards.map(count)) {
            Ok(_) => "agreed",
            Err(disagreement) => disagreement.code().as_str(),
        }
    }

    #[test]
    fn a_process_takes_what_is_recorded_and_refuses_what_disagrees() {
        let two = records(&[("blue", Some(record(2))), ("red", Some(record(2)))]);
        assert_eq!(agreed(&two, &QueuePrefix::default(), None).unwrap(), record(2));
        assert_eq!(agreed_code(&two, Some(2)), "agreed");
        assert_eq!(agreed_code(&two, Some(4)), "shard_count_disagrees");
        assert_eq!(agreed_code(&records(&[("blue", Some(record(2))), ("red", None)]), None), "not_bootstrapped");
        assert_eq!(agreed_code(&records(&[]), None), "not_bootstrapped");
        let apart = records(&[("blue", Some(record(2))), ("red", Some(record(3)))]);
        assert_eq!(agreed_code(&apart, None), "namespaces_disagree");
        let other = "other".parse().unwrap();
        let refused = agreed(&two, &other, None).unwrap_err();
        assert_eq!(refused.code(), "prefix_disagrees");
        assert_eq!(
            refused.to_string(),
            "the record of the namespace 'blue' has the prefix 'interlock' and 2 shards, but this process has the prefix \
             'other'"
        );
    }

    #[test]
    fn an_old_count_disagrees_also_while_the_count_changes() {
        let changing = records(&[("blue", Some(record(2).with_shards(count(4))))]);
        assert_eq!(agreed_code(&changing, Some(2)), "shard_count_disagrees");
        assert_eq!(agreed_code(&changing, Some(4)), "agreed");
        let refused = agreed(&changing, &QueuePrefix::default(), Some(count(2))).unwrap_err();
        assert!(refused.to_string().contains("4 shards (changing from 2), but this process has 2"), "{refused}");
    }

    fn recorded(records: &Records, changed_to: Option<u64>, set: Option<u64>) -> Result<InstallationRecord, String> {
        let counts = (changed_to.map(count), set.map(count));
        to_record(records, &QueuePrefix::default(), counts.0, counts.1, count(16))
            .map_err(|disagreement| disagreement.code().as_str().to_owned())
    }

    #[test]
    fn a_new_installation_records_what_is_asked_for_or_set_or_usual() {
        let none = records(&[("blue", None)]);
        assert_eq!(recorded(&none, Some(4), Some(2)).unwrap(), record(4));
        assert_eq!(recorded(&none, None, Some(2)).unwrap(), record(2));
        assert_eq!(recorded(&none, None, None).unwrap(), record(16));
    }

    #[test]
    fn what_is_recorded_changes_only_where_somebody_says_so() {
        let two = records(&[("blue", Some(record(2))), ("new", None)]);
        assert_eq!(recorded(&two, None, None).unwrap(), record(2));
        assert_eq!(recorded(&two, None, Some(4)).unwrap_err(), "shard_count_disagrees");
        assert_eq!(recorded(&two, Some(2), None).unwrap(), record(2));
        let changed = recorded(&two, Some(4), None).unwrap();
        assert_eq!((changed.shards, &changed.before[..], changed.generation), (count(4), &[count(2)][..], 1));
        assert_eq!(changed.settled().before, []);
        assert_eq!(changed.settled().generation, 1);
    }

    #[test]
    fn a_count_that_is_changed_back_is_not_one_before() {
        let back = record(2).with_shards(count(4)).with_shards(count(2));
        assert_eq!((back.shards, &back.before[..], back.generation), (count(2), &[count(4)][..], 2));
        let thrice = record(2).with_shards(count(4)).with_shards(count(8));
        assert_eq!(thrice.before, [count(2), count(4)]);
    }

    #[test]
    fn a_change_that_reached_only_some_namespaces_is_taken_on() {
        let changed = record(2).with_shards(count(4));
        let apart = records(&[("blue", Some(changed.clone())), ("red", Some(record(2)))]);
        assert_eq!(recorded(&apart, None, None).unwrap(), changed);
        let half = records(&[("blue", Some(changed.settled())), ("red", Some(changed.clone()))]);
        assert_eq!(recorded(&half, None, None).unwrap(), changed, "red may still have some on the old queues");
    }

    #[test]
    fn another_installation_is_not_overwritten() {
        let other = InstallationRecord::new("other".parse().unwrap(), count(2));
        assert_eq!(recorded(&records(&[("blue", Some(other))]), Some(2), None).unwrap_err(), "prefix_disagrees");
    }

    #[test]
    fn a_record_is_read_by_builds_that_know_less_and_more() {
        let text = r#"{"prefix":"interlock","shards":2,"since":"then"}"#;
        assert_eq!(serde_json::from_str::<InstallationRecord>(text).unwrap(), record(2));
        assert!(serde_json::from_str::<InstallationRecord>(r#"{"prefix":"interlock","shards":0}"#).is_err());
    }
}
