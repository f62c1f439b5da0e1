//! The command line: `interlock NOUN VERB`. Data on stdout, everything else on stderr; exit code 0 for success, 1 for failure, 2 for
//! wrong use.

mod action;
mod age;
mod arguments;
mod audit;
mod bootstrap;
mod catalog;
mod codec_server;
mod completions;
mod customer;
mod demo;
mod dev;
mod doctor;
mod errors;
mod extension;
mod gateway;
mod ingest;
mod order;
mod output;
mod plan;
mod preview;
mod resource;
mod route;
mod sandbox;
mod settings_flag;
mod show;
mod submit;
mod submit_state;
mod subscription;
mod sweep;
mod tables;
mod target;
mod tenant;
mod watch;
mod words;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_observability::telemetry::{self, Color};
use interlock_settings::{Settings, SettingsSources};

use self::arguments::{Arguments, Command, GlobalArguments};
use self::output::{Output, OutputFormat};
use self::settings_flag::SettingsFlag;

/// Runs the program with these arguments, the first of which is its own name. Installed as `temporal-interlock` on PATH it is
/// also `temporal interlock`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = extension::as_interlock(arguments.into_iter().collect());
    match parse(&arguments) {
        Ok(parsed) => {
            let output = Output::new(parsed.global.output);
            let code = match execute(parsed, output) {
                Ok(code) => code,
                Err(fault) => {
                    output.fault(&fault);
                    ExitCode::from(fault.exit_code())
                }
            };
            telemetry::finish();
            code
        }
        Err(error) => wrong_use(&error, &arguments),
    }
}

/// Parses arguments as [`run`] does, the first of which is the program's own name, and does nothing else: for checking command
/// lines in manifests and documentation. Asking for help or the version is valid.
///
/// # Errors
/// What is wrong with them, as a sentence for a person.
pub fn check_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    match parse(&extension::as_interlock(arguments.into_iter().collect())) {
        Err(error) if is_wrong_use(&error) => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// As [`check_arguments`], and also checks that a service could start with these settings and the flags in the command line: one
/// that other machines could reach, without tokens, refuses to start.
///
/// # Errors
/// What is wrong with them, as a sentence for a person.
pub fn check_service(arguments: impl IntoIterator<Item = OsString>, sources: SettingsSources) -> Result<(), String> {
    let parsed = match parse(&extension::as_interlock(arguments.into_iter().collect())) {
        Err(error) if is_wrong_use(&error) => return Err(error.to_string()),
        Err(_) => return Ok(()),
        Ok(parsed) => parsed,
    };
    let with = |flags: Vec<SettingsFlag>| Settings::load(&SettingsSources { flags, ..sources });
    let checked = match parsed.command {
        Command::Gateway(command) => with(command.settings_flags()).map(drop),
        Command::CodecServer(command) => with(command.settings_flags()).and_then(|settings| command.check(settings)),
        _ => Ok(()),
    };
    checked.map_err(|fault| fault.to_string())
}

/// Parses the arguments. The help names the program as it was called.
fn parse(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    if let Some(called) = extension::called(arguments) {
        command = command.bin_name(called);
    }
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn is_wrong_use(error: &clap::Error) -> bool {
    !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// Help and version go to stdout and are not errors; everything else is wrong use.
fn wrong_use(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_error = is_wrong_use(error);
    if is_error && arguments::asks_for_json(arguments) {
        let message = error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Output::new(OutputFormat::Json).fault(&Fault::wrong_use(ErrorCode::WrongUse, message));
    } else if let Err(unwritten) = error.print() {
        tracing::debug!(%unwritten, "the output is closed");
    }
    ExitCode::from(if is_error { 2 } else { 0 })
}

fn execute(arguments: Arguments, output: Output) -> Result<ExitCode, Fault> {
    let (global, command) = (arguments.global, arguments.command);
    let settings = match &command {
        // Completions must work even if the settings are wrong.
        Command::Completions(command) => return completions::run(command),
        // An error must be explained even if the settings are wrong: they may be its cause.
        Command::Errors(command) => return errors::run(command, output),
        Command::Demo(_) => prepare_quietly(&global)?,
        Command::Gateway(command) => prepare_with(&global, command.settings_flags())?,
        Command::CodecServer(command) => prepare_with(&global, command.settings_flags())?,
        _ => prepare(&global)?,
    };
    runtime()?.block_on(Box::pin(carry_out(command, settings, output, global.color)))
}

/// Runs a command with its settings.
async fn carry_out(command: Command, settings: Settings, output: Output, color: Color) -> Result<ExitCode, Fault> {
    match command {
        Command::Completions(command) => completions::run(&command),
        Command::Errors(command) => errors::run(&command, output),
        Command::Catalog(command) => catalog::run(&command, &settings, output),
        Command::Route(command) => Box::pin(route::run(&command, &settings, output)).await,
        Command::Bootstrap(command) => Box::pin(bootstrap::run(&command, settings, output)).await,
        Command::Sandbox(command) => Box::pin(sandbox::run(&command, output)).await,
        Command::Demo(command) => Box::pin(demo::run(&command, settings, output, color)).await,
        Command::Dev(command) => Box::pin(dev::run(&command, settings, output)).await,
        Command::Doctor(command) => Box::pin(doctor::run(&command, settings, output)).await,
        Command::Worker(command) => Box::pin(worker::run(&command, settings, output)).await,
        Command::Gateway(command) => Box::pin(gateway::run(&command, settings, output)).await,
        Command::CodecServer(command) => Box::pin(codec_server::run(&command, settings, output)).await,
        Command::Ingest(command) => Box::pin(ingest::run(&command, settings, output)).await,
        Command::Submit(command) => Box::pin(submit::run(&command, settings, output)).await,
        Command::Plan(command) => Box::pin(plan::run(&command, settings, output)).await,
        Command::Audit(command) => Box::pin(audit::run(&command, settings, output)).await,
        Command::Sweep(command) => Box::pin(sweep::run(&command, settings, output)).await,
        Command::Customer(command) => Box::pin(customer::run(&command, settings, output)).await,
        Command::Resource(command) => Box::pin(resource::run(&command, settings, output)).await,
        Command::Target(command) => Box::pin(target::run(&command, settings, output)).await,
        Command::Tenant(command) => Box::pin(tenant::run(&command, settings, output)).await,
        Command::Subscription(command) => Box::pin(subscription::run(&command, settings, output)).await,
        Command::Order(command) => Box::pin(order::run(&command, settings, output)).await,
        Command::Action(command) => Box::pin(action::run(&command, settings, output)).await,
    }
}

/// Reads the settings and starts the logs.
fn prepare(global: &GlobalArguments) -> Result<Settings, Fault> {
    prepare_with(global, Vec::new())
}

/// As [`prepare`], with the settings that the command's own flags set.
fn prepare_with(global: &GlobalArguments, flags: Vec<SettingsFlag>) -> Result<Settings, Fault> {
    let settings = load(global, flags, SettingsSources::from_environment())?;
    telemetry::start(&settings.log, global.color)?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}

/// As [`prepare`], for a command with its own output: only faults are logged, unless the user sets a log level.
fn prepare_quietly(global: &GlobalArguments) -> Result<Settings, Fault> {
    let mut sources = SettingsSources::from_environment();
    sources.environment.entry("INTERLOCK_LOG_LEVEL".to_owned()).or_insert_with(|| "off".to_owned());
    let settings = load(global, Vec::new(), sources)?;
    telemetry::start(&settings.log, global.color)?;
    Ok(settings)
}

fn load(global: &GlobalArguments, flags: Vec<SettingsFlag>, sources: SettingsSources) -> Result<Settings, Fault> {
    let flags = global.settings_flags().into_iter().chain(flags).collect();
    Settings::load(&SettingsSources { config_file: global.config.clone(), flags, ..sources })
}

/// The runtime of commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Fault::failed(ErrorCode::RuntimeUnavailable, format!("This process cannot start its threads: {error}."))
    })
}
