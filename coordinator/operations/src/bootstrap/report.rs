//! The result of a bootstrap, as data and for a person.

use std::fmt::Write;

use interlock_client::ServerError;
use interlock_domain::routing::InstallationRecord;
use serde::Serialize;

use super::changeover::Changeover;

/// The result of a bootstrap.
#[derive(Debug, Clone, Serialize)]
pub struct BootstrapReport {
    /// The prefix of the task queues.
    pub prefix: String,
    /// The count of shards.
    pub shards: u16,
    /// The earlier counts, while entities may still be on queues of these counts.
    pub shards_before: Vec<u16>,
    /// Whether it only looked.
    pub dry_run: bool,
    /// The results, one for each thing.
    pub done: Vec<Deed>,
    /// The progress of the change of the count; none if the count does not change, or was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changeover: Option<Changeover>,
}

/// One thing that must exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deed {
    /// The namespace.
    pub namespace: String,
    /// What kind of thing.
    pub what: Thing,
    /// Its name, or its content.
    pub name: String,
    /// The result.
    pub outcome: DeedOutcome,
    /// Details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do next, if it is missing or wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The kinds of things that a bootstrap prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A namespace.
    Namespace,
    /// The record of prefix and count.
    Record,
    /// A search attribute.
    SearchAttribute,
    /// A schedule.
    Schedule,
    /// The rate of a target's queue.
    Queue,
}

/// The result for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeedOutcome {
    /// It existed.
    Found,
    /// It was created.
    Made,
    /// It existed and was changed.
    Changed,
    /// The entity that maintains it was told.
    Told,
    /// It would be created.
    WouldMake,
    /// It would be changed.
    WouldChange,
    /// Temporal refused, or could not be reached.
    NotDone,
}

impl DeedOutcome {
    pub(super) fn made(dry_run: bool) -> Self {
        if dry_run { Self::WouldMake } else { Self::Made }
    }

    pub(super) fn changed(dry_run: bool) -> Self {
        if dry_run { Self::WouldChange } else { Self::Changed }
    }

    /// Whether it was not done because bootstrap only looks.
    pub(super) fn is_intention(self) -> bool {
        matches!(self, Self::WouldMake | Self::WouldChange)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Made => "created",
            Self::Changed => "changed",
            Self::Told => "requested",
            Self::WouldMake => "would be created",
            Self::WouldChange => "would be changed",
            Self::NotDone => "NOT DONE",
        }
    }
}

impl Thing {
    fn words(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Record => "record",
            Self::SearchAttribute => "search attribute",
            Self::Schedule => "schedule",
            Self::Queue => "queue",
        }
    }
}

impl Deed {
    /// A thing that was found.
    pub(super) fn of(namespace: &str, what: Thing, name: String) -> Self {
        Self { namespace: namespace.to_owned(), what, name, outcome: DeedOutcome::Found, detail: None, next: None }
    }

    pub(super) fn with(self, outcome: DeedOutcome) -> Self {
        Self { outcome, ..self }
    }

    pub(super) fn with_detail(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// It exists, with a warning.
    pub(super) fn with_warning(self, detail: String, next: &str) -> Self {
        Self { detail: Some(detail), next: Some(next.to_owned()), ..self }
    }

    pub(super) fn failed(self, detail: String, next: &str) -> Self {
        Self { outcome: DeedOutcome::NotDone, detail: Some(detail), next: Some(next.to_owned()), ..self }
    }

    pub(super) fn refused(self, error: &ServerError, next: &str) -> Self {
        let detail = match error.status() {
            Some(status) => format!("{}: {}", status.code(), status.message()),
            None => error.to_string(),
        };
        self.failed(detail, next)
    }
}

impl BootstrapReport {
    pub(super) fn new(record: &InstallationRecord, dry_run: bool, done: Vec<Deed>) -> Self {
        Self {
            prefix: record.prefix.as_str().to_owned(),
            shards: record.shards.get(),
            shards_before: record.before.iter().map(|count| count.get()).collect(),
            dry_run,
            done,
            changeover: None,
        }
    }

    /// Records that the change of the count is over.
    pub(super) fn settle(&mut self, record: &InstallationRecord) {
        self.shards_before = record.before.iter().map(|count| count.get()).collect();
    }

    /// Whether everything exists that must exist.
    pub fn is_complete(&self) -> bool {
        self.done.iter().all(|deed| deed.outcome != DeedOutcome::NotDone)
    }

    /// The first thing that could not be done, in a sentence.
    pub fn first_not_done(&self) -> Option<String> {
        self.not_done().next().map(Deed::words)
    }

    /// What could not be done.
    pub fn not_done(&self) -> impl Iterator<Item = &Deed> {
        self.done.iter().filter(|deed| deed.outcome == DeedOutcome::NotDone)
    }

    /// The whole report, for a person.
    pub fn words(&self) -> String {
        let mut text = String::new();
        let mut line = |words: String| {
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{words}");
        };
        self.done.iter().for_each(|deed| line(deed.words()));
        if let Some(changeover) = &self.changeover {
            changeover.lines().into_iter().for_each(&mut line);
        } else if !self.shards_before.is_empty() && !self.dry_run {
            line("The shard count changes: fix all that is NOT DONE, then run this again.".to_owned());
        }
        let undone = self.not_done().count();
        line(match (undone, self.dry_run) {
            (0, true) => "Nothing was changed.".to_owned(),
            (0, false) => {
                format!("Prefix '{}', {} shards. Workers and gateways may start.", self.prefix, self.shards)
            }
            (undone, _) => format!("{undone} of {} could not be done.", self.done.len()),
        });
        text
    }
}

impl Deed {
    /// The thing and its outcome, for a person.
    pub fn words(&self) -> String {
        let mut words =
            format!("{:<16} {:<17} {}: {}", self.outcome.words(), self.what.words(), self.namespace, self.name);
        if let Some(detail) = &self.detail {
            words = format!("{words} ({detail})");
        }
        if let Some(next) = &self.next {
            words = format!("{words}\n    next: {next}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::routing::{QueuePrefix, ShardCount};

    use tonic::Status;

    use super::*;

    #[test]
    fn what_could_not_be_done_is_said_with_what_to_do_and_the_rest_is_said_too() {
        let record = InstallationRecord::new(QueuePrefix::default(), ShardCount::ONE);
        let namespace = Deed::of("blue", Thing::Namespace, "blue".to_owned());
        let denied = ServerError::from(Status::permission_denied("not here"));
        let attribute = Deed::of("blue", Thing::SearchAttribute, "InterlockTenant".to_owned());
        let done = vec![namespace.clone(), attribute.refused(&denied, "Make it in the console.")];
        let report = BootstrapReport::new(&record, false, done);
        assert!(!report.is_complete());
        let words = report.words();
        for part in [
            "found            namespace         blue: blue",
            "NOT DONE",
            "not here",
            "Make it in the console.",
            "1 of 2",
        ] {
            assert!(words.contains(part), "{part} in {words}");
        }
        let complete = BootstrapReport::new(&record, false, vec![namespace]);
        assert!(complete.is_complete() && complete.words().ends_with("1 shards. Workers and gateways may start.\n"));
    }

    #[test]
    fn what_is_only_looked_at_is_said_to_be_unchanged() {
        let record = InstallationRecord::new(QueuePrefix::default(), ShardCount::ONE);
        let would = Deed::of("blue", Thing::Namespace, "blue".to_owned()).with(DeedOutcome::made(true));
        let report = BootstrapReport::new(&record, true, vec![would]);
        assert!(report.words().contains("would be created"));
        assert!(report.words().ends_with("Nothing was changed.\n"));
        let data = serde_json::to_value(&report).unwrap();
        assert_eq!((data["done"][0]["outcome"].as_str(), data["dry_run"].as_bool()), (Some("would_make"), Some(true)));
    }
}
