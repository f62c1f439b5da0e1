//! The command `interlock` as a binary of the tests' own package, so that cargo builds it before the tests and passes its path to them.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlock_coordinator::cli::run(std::env::args_os())
}
