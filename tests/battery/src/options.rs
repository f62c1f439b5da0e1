//! What a run of the battery is like.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::controls::Control;

/// Runs Interlock under load on this machine, pulls its plugs, and judges what the targets applied and what Temporal recorded.
#[derive(Debug, Clone, Parser)]
#[command(name = "battery")]
pub struct BatteryOptions {
    /// The seed: it chooses customers, events and faults. The moments at which they meet differ from run to run.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How long events are sent and faults happen, in minutes. Draining and judging come after that.
    #[arg(long, default_value_t = 10.0, value_name = "MINUTES")]
    pub minutes: f64,
    /// The Temporal server.
    #[arg(long, value_enum, default_value_t = ServerKind::Embedded)]
    pub server: ServerKind,
    /// Events that producers send each second, over all tenants, whether earlier ones are done or not.
    #[arg(long, default_value_t = 5.0, value_name = "EVENTS")]
    pub rate: f64,
    /// Customers, over all tenants.
    #[arg(long, default_value_t = 200)]
    pub customers: usize,
    /// Numbers that the customers contend for, over all tenants. One of each tenant's is hot.
    #[arg(long, default_value_t = 20)]
    pub numbers: usize,
    /// The longest pause between two events of a customer's story, in seconds. Short ones have orders follow each other at once.
    #[arg(long, default_value_t = 12.0, value_name = "SECONDS")]
    pub pause_max: f64,
    /// How long everything may take to end after the last event and the last fault, in minutes.
    #[arg(long, default_value_t = 10.0, value_name = "MINUTES")]
    pub drain_minutes: f64,
    /// How many faults begin each minute, on average. Their effects overlap.
    #[arg(long, default_value_t = 16.0, value_name = "FAULTS")]
    pub faults_per_minute: f64,
    /// Only these faults. Without it, all that the server allows.
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    pub faults: Vec<String>,
    /// A negative control: this rule is broken on purpose, from outside, and the run must find it.
    #[arg(long, value_enum)]
    pub control: Option<Control>,
    /// Where the evidence of a run is written: the targets' logs, the histories, the log of each process. Without it, nothing is kept
    /// unless the run finds a violation: then it goes to a directory for temporary files that the report names.
    #[arg(long, value_name = "DIRECTORY")]
    pub keep: Option<PathBuf>,
}

impl BatteryOptions {
    /// How long events are sent.
    pub fn load_time(&self) -> Duration {
        minutes(self.minutes)
    }

    /// The mean pause between two faults.
    pub fn fault_pause(&self) -> Duration {
        minutes(1.0 / self.faults_per_minute.max(0.01))
    }

    /// How long the drain may take.
    pub fn drain_limit(&self) -> Duration {
        minutes(self.drain_minutes)
    }
}

fn minutes(minutes: f64) -> Duration {
    Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(Duration::ZERO)
}

/// Which Temporal server a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServerKind {
    /// The embedded server, with its data in a file.
    Embedded,
    /// A production-like one: four roles as processes, with PostgreSQL as store. Needs Go and PostgreSQL.
    Production,
}
