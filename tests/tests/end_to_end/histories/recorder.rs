//! Records the histories of entities.

use std::collections::BTreeSet;
use std::sync::Mutex;

use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};

use super::corpus;
use crate::events::Customer;
use crate::scene::Scene;
use crate::temporal_calls::{RawEntity, failed_tasks};
use crate::waiting::until;

/// Saves histories as files of a release.
pub struct Recorder {
    release: &'static str,
    paths: Mutex<BTreeSet<String>>,
}

impl Recorder {
    /// Empties a release's folder.
    pub fn of(release: &'static str) -> Self {
        corpus::empty(release);
        Self { release, paths: Mutex::default() }
    }

    /// The recorded names.
    pub fn paths(&self) -> BTreeSet<String> {
        self.paths.lock().unwrap().clone()
    }

    /// Saves one history.
    pub fn keep(&self, name: &str, events: Vec<HistoryEvent>) {
        assert_eq!(failed_tasks(&events), [""; 0], "{name}");
        corpus::write(self.release, name, &History { events });
        self.paths.lock().unwrap().insert(corpus::path_of(name).to_owned());
    }

    /// Saves the current run of an entity, as soon as it is idle, and the earlier runs that it continues, the last of them as `name.1`.
    pub async fn keep_entity(&self, name: &str, entity: &RawEntity) {
        until(format!("{name} to be at rest"), || entity.length_at_rest()).await;
        let mut runs = entity.runs().await;
        runs.reverse();
        if runs.len() == 1 {
            return self.keep(name, runs.remove(0));
        }
        for (number, run) in runs.into_iter().enumerate() {
            self.keep(&format!("{name}.{}", number + 1), run);
        }
    }

    /// The same for a customer.
    pub async fn keep_customer(&self, name: &str, scene: &Scene<'_>, customer: &Customer) {
        self.keep_entity(name, &scene.entity(&customer.id.parse().unwrap())).await;
    }

    /// The same for a number.
    pub async fn keep_number(&self, name: &str, scene: &Scene<'_>, number: &str) {
        self.keep_entity(name, &scene.number_entity(number)).await;
    }
}
