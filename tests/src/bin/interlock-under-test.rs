//! The command `interlock` as a binary of the tests' own package: cargo builds it before the tests, and tells them where
//! it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlock_coordinator::cli::run(std::env::args_os())
}
