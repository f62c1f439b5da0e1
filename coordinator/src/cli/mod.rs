//! The command line: `interlock NOUN VERB`. Data on stdout, everything else on stderr; exit 0 good, 1 failed, 2 wrong
//! use.

mod arguments;
mod catalog;
mod completions;
mod output;
mod route;
mod sandbox;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use self::arguments::{Arguments, Command, GlobalArguments};
use self::output::{Output, OutputFormat};
use crate::fault::Fault;
use crate::settings::{Settings, SettingsSources};
use crate::telemetry;

/// Runs the program with these arguments, the first of which is its own name (whatever that is: installed as
/// `temporal-interlock` it is `temporal interlock`).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => {
            let output = Output::new(parsed.global.output);
            match execute(parsed, output) {
                Ok(code) => code,
                Err(fault) => {
                    output.fault(&fault);
                    ExitCode::from(fault.exit_code())
                }
            }
        }
        Err(error) => wrong_use(&error, &arguments),
    }
}

/// Help and version go to stdout and are no error; all else is wrong use.
fn wrong_use(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_error = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_error && arguments::asks_for_json(arguments) {
        let message = error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Output::new(OutputFormat::Json).fault(&Fault::wrong_use("wrong_use", message, "See interlock --help."));
    } else if let Err(unwritten) = error.print() {
        tracing::debug!(%unwritten, "nobody reads what is said");
    }
    ExitCode::from(if is_error { 2 } else { 0 })
}

fn execute(arguments: Arguments, output: Output) -> Result<ExitCode, Fault> {
    let global = arguments.global;
    match arguments.command {
        // Completions must work whatever the settings are.
        Command::Completions(command) => completions::run(&command),
        Command::Catalog(command) => {
            prepare(&global)?;
            catalog::run(&command, output)
        }
        Command::Route(command) => route::run(&command, &prepare(&global)?, output),
        Command::Sandbox(command) => {
            prepare(&global)?;
            runtime()?.block_on(sandbox::run(&command, output))
        }
    }
}

/// Reads the settings and starts the logs.
fn prepare(global: &GlobalArguments) -> Result<Settings, Fault> {
    let sources = SettingsSources {
        config_file: global.config.clone(),
        flags: global.settings_flags(),
        ..SettingsSources::from_environment()
    };
    let settings = Settings::load(&sources)?;
    telemetry::start(&settings.log, global.color)?;
    Ok(settings)
}

/// The runtime of commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Fault::failed(
            "runtime_unavailable",
            format!("This process cannot start its threads: {error}."),
            "Check the limits of the process (ulimit -u, ulimit -n).",
        )
    })
}
