//! How fast events are accepted: `cargo bench -p interlock-tests --bench ingest`.
//!
//! It starts an embedded Temporal server without workers and a gateway in a process of its own, and sends the same events in three ways, in
//! turn: by raw signal-with-start with the SDK's client, through the gateway one by one, and through the gateway in batches. It prints the
//! rate of each way, the ratio to the raw calls of the same round, and the CPU time of the three processes. The ratio is what counts: on a machine
//! where sender, gateway and server share the cores, all rates are low.

mod report;
mod senders;

use std::process::ExitCode;

use clap::Parser;
use interlock_coordinator::local::{LocalOptions, LocalPlatform, WorkerHosting};

use crate::report::Report;
use crate::senders::{Senders, Way};

/// What is measured is not what a setting allows.
const RATE_WITHOUT_LIMIT: (&str, &str) = ("INTERLOCK_GATEWAY_EVENTS_PER_SECOND_MAX", "4294967295");

/// Why the benchmark could not run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures how fast events are accepted.
#[derive(Debug, Parser)]
#[command(name = "ingest")]
struct Arguments {
    /// The events of each measurement.
    #[arg(long, default_value_t = 4_000)]
    events: usize,
    /// The customers that they are for.
    #[arg(long, default_value_t = 400)]
    customers: usize,
    /// The events that are sent at a time, one by one or in batches.
    #[arg(long, default_value_t = 64)]
    at_a_time: usize,
    /// The events of a batch.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// The rounds. In each, all ways have their turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// An option that cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(Arguments::parse())).await {
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

async fn run(arguments: Arguments) -> Result<Report, Failure> {
    let mut options = LocalOptions::from_environment()?;
    "error".clone_into(&mut options.settings.log.level);
    options.workers =
        WorkerHosting::Processes { binary: env!("CARGO_BIN_EXE_interlock-under-test").into(), workloads: Vec::new() };
    let mut platform = Box::pin(LocalPlatform::start(options, &|sentence| eprintln!("{sentence}"))).await?;
    let gateway = platform.start_gateway_process_with(&[RATE_WITHOUT_LIMIT]).await?;
    let senders = Senders::new(&mut platform, &gateway, &arguments)?;
    let mut report = Report::default();
    // The first round fills caches and opens connections; it does not count.
    for round in 0..=arguments.rounds {
        // Who is first has no advantage in the sum.
        let mut ways = Way::ALL;
        ways.rotate_left(round % Way::ALL.len());
        let mut measured = Vec::new();
        for way in ways {
            measured.push((way, senders.measure(way, round).await?));
        }
        if round > 0 {
            report.add(&measured);
        }
    }
    gateway.stop().await?;
    platform.stop().await?;
    Ok(report)
}
