//! What orders and messages cost a production-like server: `cargo bench -p interlock-tests --bench costs`.
//!
//! It starts a Temporal server with PostgreSQL (see `tests/production`), runs orders of each kind on it, and then sends messages between
//! workflows in three ways. It prints history events, transactions, bytes and CPU time for each order or message; what an idle server uses in
//! the same time is subtracted.

mod measure;
mod messages;
mod orders;

use std::process::ExitCode;

use clap::Parser;

/// Why the benchmark could not run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures what orders and messages cost a production-like Temporal server.
#[derive(Debug, Parser)]
#[command(name = "costs")]
struct Arguments {
    /// The number of orders of each kind, or of hand-overs.
    #[arg(long, default_value_t = 200)]
    orders: usize,
    /// The number of messages in each way.
    #[arg(long, default_value_t = 2_000)]
    messages: usize,
    /// An option that cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(Arguments::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut meter = measure::Meter::start().await?;
    meter.measure_idle().await?;
    let measured = async {
        Box::pin(orders::measure(&meter, arguments.orders)).await?;
        messages::measure(&meter, arguments.messages).await
    };
    let result = measured.await;
    meter.stop().await?;
    result
}
