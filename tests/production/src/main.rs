//! `production-server`: a production-like Temporal server, until Ctrl-C.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use interlock_production_server::{Binaries, ProductionServer, ProductionServerError, ProductionServerOptions, Role};

/// Starts a production-like Temporal server: built from its Go module, with PostgreSQL as store, and the dynamic configuration of
/// deploy/temporal. It runs until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "production-server")]
struct Arguments {
    /// Where data, configuration and logs are kept. Without it, a directory for temporary files that is removed at the end.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// The port of the front end. Without it, a free one.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The number of history shards.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    history_shards: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), ProductionServerError> {
    let binaries = Binaries::find_or_build(&|sentence| eprintln!("{sentence}")).await?;
    let options = ProductionServerOptions {
        directory: arguments.directory,
        history_shards: arguments.history_shards,
        frontend_port: arguments.port,
        ..ProductionServerOptions::default()
    };
    let server = ProductionServer::start(&binaries, options).await?;
    println!("The server is ready. For the tests: export INTERLOCK_TEST_TEMPORAL_ADDRESS={}", server.address());
    println!("Data, configuration and logs: {}", server.directory().display());
    println!("Metrics of the role history: {}", server.metrics_url(Role::History));
    println!("Ctrl-C stops it.");
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("Ctrl-C cannot be received: {error}");
    }
    server.stop().await
}
