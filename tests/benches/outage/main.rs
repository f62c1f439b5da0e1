//! The cost of an outage: `cargo bench -p interlock-tests --bench outage -- --steps 10000 --outage 60s`.
//!
//! It runs a whole Interlock on this machine (a Temporal server, workers, sandbox targets), and prints counts, and ratios of
//! measurements of one run: the absolute figures of one machine say nothing about another.

mod drain;
mod measure;
mod pace;
mod stage;

use std::process::ExitCode;

use clap::Parser;

/// The exit code of a benchmark that could not run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(measure::Outage::parse().measure()).await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
