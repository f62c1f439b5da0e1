//! The fault battery: see the crate `interlock-battery`.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlock_battery::main()
}
