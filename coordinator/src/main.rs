//! The `interlock` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlock_coordinator::cli::run(std::env::args_os())
}
