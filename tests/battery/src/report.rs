//! What a run found: a line for each promise and each fault.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::judge::Verdict;
use crate::options::BatteryOptions;
use crate::tally::Count;

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// What the run was like.
    pub options: BatteryOptions,
    /// How long it took in all.
    pub time: Duration,
    /// The promises.
    pub verdicts: Vec<Verdict>,
    /// The counts: faults, what producers did, what the person on shift did.
    pub counts: BTreeMap<String, Count>,
    /// Where the evidence is, if it was kept.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.violations.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, time, .. } = self;
        let control = options.control.map(|control| format!(", control {control:?}")).unwrap_or_default();
        writeln!(
            f,
            "seed {}, {} min of {} events/s on the {:?} server{control}, {} s in all",
            options.seed,
            options.minutes,
            options.rate,
            options.server,
            time.as_secs()
        )?;
        for verdict in &self.verdicts {
            for line in verdict.lines() {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "what happened: times done, times it hit something")?;
        for (name, Count { done, hit }) in &self.counts {
            writeln!(f, "    {name:<44} {done:>6} {hit:>6}")?;
        }
        if let Some(directory) = &self.kept {
            writeln!(f, "evidence: {}", directory.display())?;
        }
        let verdict = if self.is_clean() { "every promise was kept" } else { "NOT every promise was kept" };
        write!(f, "seed {}: {verdict}", options.seed)
    }
}
