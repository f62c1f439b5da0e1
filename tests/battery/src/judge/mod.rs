//! The judge. It reads what the targets applied and what Temporal recorded, and knows of Interlock only what it must have kept.

mod audited;
mod calls;
mod ending;
mod histories;
mod network;
mod turns;

use std::path::Path;
use std::time::Duration;

use interlock_adapters::sandbox::Applied;

use crate::error::BatteryError;
use crate::faults::Done;
use crate::load::population::Tenant;
use crate::load::producers::Accepted;
use crate::stage::Stage;
use crate::tally::Tally;

pub use histories::Recorded;

/// The most violations of a promise that a report tells, each with its evidence.
const TOLD_MAX: usize = 5;

/// A promise as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its name in `shared/design.md` and ARCHITECTURE.md, and what was checked.
    pub promise: &'static str,
    /// How much was checked, in words.
    pub checked: String,
    /// The violations, with the events that prove them.
    pub violations: Vec<String>,
}

impl Verdict {
    /// A verdict without violations so far.
    pub fn new(promise: &'static str, checked: String) -> Self {
        Self { promise, checked, violations: Vec::new() }
    }

    /// Adds a violation.
    pub fn violated(&mut self, violation: String) {
        self.violations.push(violation);
    }

    /// As a line of the report, and the first violations below it.
    pub fn lines(&self) -> Vec<String> {
        let count = self.violations.len();
        let word = if count == 0 { "kept".to_owned() } else { format!("VIOLATED {count} times") };
        let mut lines = vec![format!("{:<44} {word}; {}", self.promise, self.checked)];
        lines.extend(self.violations.iter().take(TOLD_MAX).map(|violation| format!("    {violation}")));
        if count > TOLD_MAX {
            lines.push(format!("    and {} more", count - TOLD_MAX));
        }
        lines
    }
}

/// The logs of the targets.
pub struct Logs {
    /// Of each tenant's HSS.
    pub hss: Vec<Vec<Applied>>,
    /// Of the CRM.
    pub crm: Vec<Applied>,
    /// Of the gateway for text messages.
    pub sms: Vec<Applied>,
}

/// What a run left behind.
pub struct Evidence<'a> {
    /// Everything that still runs.
    pub stage: &'a Stage,
    /// Who there was.
    pub tenants: &'a [Tenant],
    /// What was done to it.
    pub done: &'a Done,
    /// What producers know.
    pub accepted: &'a [Accepted],
    /// The logs of the targets.
    pub logs: Logs,
    /// All histories of the run's namespace.
    pub recorded: Vec<Recorded>,
    /// How long it took until nothing was open any more; `None` if something still is.
    pub drained: Option<Duration>,
    /// What is still open, if something is.
    pub left: Vec<String>,
    /// The counts.
    pub tally: &'a Tally,
}

impl<'a> Evidence<'a> {
    /// Reads the logs and all histories.
    ///
    /// # Errors
    /// [`BatteryError`] if Temporal does not answer.
    pub async fn collect(
        (stage, tenants): (&'a Stage, &'a [Tenant]),
        done: &'a Done,
        accepted: &'a [Accepted],
        (drained, left): (Option<Duration>, Vec<String>),
        tally: &'a Tally,
    ) -> Result<Self, BatteryError> {
        let targets = &stage.targets;
        let logs = Logs {
            hss: vec![targets.hss_east.log(), targets.hss_west.log()],
            crm: targets.crm.log(),
            sms: targets.sms.log(),
        };
        let recorded = histories::all(stage).await?;
        Ok(Self { stage, tenants, done, accepted, logs, recorded, drained, left, tally })
    }

    /// Judges it all.
    ///
    /// # Errors
    /// [`BatteryError`] if Temporal does not answer, or a history cannot be read.
    pub async fn judge(&self) -> Result<Vec<Verdict>, BatteryError> {
        let mut verdicts = vec![turns::order(self), network::hand_over(self)];
        verdicts.push(ending::once(self).await);
        verdicts.push(calls::once(self));
        verdicts.push(calls::isolation(self));
        verdicts.push(calls::waiting_is_free(self));
        verdicts.push(histories::poison(self));
        verdicts.push(histories::bounded(self));
        verdicts.push(ending::explained(self));
        verdicts.push(ending::drained(self));
        verdicts.push(network::as_in_the_ledger(self).await?);
        verdicts.extend(audited::all(self).await?);
        Ok(verdicts)
    }

    /// Writes logs and histories as JSON files.
    ///
    /// # Errors
    /// [`BatteryError::Io`].
    pub fn keep(&self, directory: &Path) -> Result<(), BatteryError> {
        let write = |name: String, text: Vec<u8>| {
            std::fs::write(directory.join(name), text).map_err(BatteryError::io("writing the evidence"))
        };
        std::fs::create_dir_all(directory).map_err(BatteryError::io("writing the evidence"))?;
        let json = |value: &dyn erased::Json| value.bytes().map_err(std::io::Error::other);
        let logs = [("hss-east", &self.logs.hss[0]), ("hss-west", &self.logs.hss[1])];
        let logs = logs.into_iter().chain([("crm", &self.logs.crm), ("notify", &self.logs.sms)]);
        for (name, log) in logs {
            write(format!("{name}.json"), json(log).map_err(BatteryError::io("writing the evidence"))?)?;
        }
        for recorded in &self.recorded {
            let history = json(&recorded.history).map_err(BatteryError::io("writing the evidence"))?;
            write(format!("{}.history.json", recorded.file_name()), history)?;
        }
        for process in &self.stage.platform.worker_processes {
            write(format!("{}-{}.log", process.workload().as_str(), process.pid()), process.log_text().into_bytes())?;
        }
        Ok(())
    }
}

/// Anything that can be written as JSON.
mod erased {
    /// Anything that can be written as JSON.
    pub trait Json {
        /// The text.
        fn bytes(&self) -> serde_json::Result<Vec<u8>>;
    }

    impl<T: serde::Serialize> Json for T {
        fn bytes(&self) -> serde_json::Result<Vec<u8>> {
            serde_json::to_vec(self)
        }
    }
}
