//! `interlock completions SHELL`.

use std::process::ExitCode;

use clap::CommandFactory;
use interlock_fault::Fault;

use super::arguments::{Arguments, CompletionsCommand};
use super::output::write_raw;

pub(super) fn run(command: &CompletionsCommand) -> Result<ExitCode, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Arguments::command(), "interlock", &mut script);
    write_raw(&script)?;
    Ok(ExitCode::SUCCESS)
}
