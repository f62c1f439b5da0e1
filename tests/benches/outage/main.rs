//! What an outage costs: `cargo bench -p interlock-tests --bench outage -- --steps 10000 --outage 60s`.
//!
//! It takes a whole Interlock on this machine (a Temporal server, workers, sandbox targets), and prints counts, and ratios of
//! what was measured in one run: a figure of one machine says nothing about another.

mod drain;
mod measure;
mod pace;
mod stage;

use std::process::ExitCode;

use clap::Parser;

/// What a benchmark that could not be carried out ends with.
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
