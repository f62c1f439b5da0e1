//! The fault battery: Interlock under load on a real Temporal server, with every plug pulled, judged by what the targets applied and what
//! Temporal recorded.
//!
//! ```text
//! cargo run --release -p interlock-tests --bin battery -- --seed 1 --minutes 10 --server production
//! ```
//!
//! One event's path: `load` tells a story of it and sends it, sloppily, to one of two gateway processes until it is accepted; the gateway and
//! the worker processes reach the server through `proxy`; the targets are sandboxes of this process; `faults` pulls plugs meanwhile, and
//! `operator` is the person on shift. In the end `judge` reads logs and histories, and `report` prints a line for each promise and each
//! fault. `controls` breaks a rule on purpose: then the judge must find it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod controls;
pub mod error;
pub mod faults;
pub mod judge;
pub mod load;
pub mod operator;
pub mod options;
pub mod proxy;
pub mod report;
mod run;
pub mod stage;
pub mod tally;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use options::{BatteryOptions, ServerKind};
pub use run::run;

/// The commands of `interlock` that a run starts as processes of this same program.
const PROCESSES: [&str; 2] = ["worker", "gateway"];

/// The program `battery`: a run, or one of the processes of a run. Exits with 0 if all promises were kept, 1 if one was not, 2 if the run
/// could not be made.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = arguments.get(1).and_then(|argument| argument.to_str());
    if command.is_some_and(|command| PROCESSES.contains(&command)) {
        return interlock_coordinator::cli::run(arguments);
    }
    let options = BatteryOptions::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the run cannot be made: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(run(&options)) {
        Ok(report) => {
            println!("{report}");
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the run cannot be made: {error}");
            ExitCode::from(2)
        }
    }
}
