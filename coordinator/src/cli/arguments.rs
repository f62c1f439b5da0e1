//! The arguments that clap parses.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use interlock_observability::telemetry::Color;
use interlock_settings::LogFormat;

use super::action::ActionCommand;
use super::audit::AuditCommand;
use super::bootstrap::BootstrapCommand;
use super::codec_server::CodecServerCommand;
use super::customer::CustomerCommand;
use super::demo::DemoCommand;
use super::dev::DevCommand;
use super::doctor::DoctorCommand;
use super::errors::ErrorsCommand;
use super::gateway::GatewayCommand;
use super::ingest::IngestCommand;
use super::order::OrderCommand;
use super::output::OutputFormat;
use super::plan::PlanCommand;
use super::resource::ResourceCommand;
use super::route::RouteCommand;
use super::sandbox::SandboxCommand;
use super::settings_flag::SettingsFlag;
use super::submit::SubmitCommand;
use super::subscription::SubscriptionCommand;
use super::sweep::SweepCommand;
use super::target::TargetCommand;
use super::tenant::TenantCommand;
use super::worker::WorkerCommand;

/// Makes changes to shared things happen in the right order.
#[derive(Debug, Parser)]
#[command(name = "interlock", version, max_term_width = 120, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: GlobalArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArguments {
    /// Settings file [env: INTERLOCK_CONFIG] [default: interlock.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Tenant, if the command needs one [env: INTERLOCK_TENANT] [default: default]
    #[arg(long, global = true)]
    pub(super) tenant: Option<String>,
    /// Format of the data on stdout
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub(super) output: OutputFormat,
    /// Catalog file [env: INTERLOCK_CATALOG] [default: the reference catalog]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) catalog: Option<String>,
    /// Log level or filter [env: INTERLOCK_LOG_LEVEL] [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    /// Log format [env: INTERLOCK_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    /// When to use colours on stderr; NO_COLOR is respected
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(super) color: Color,
}

impl GlobalArguments {
    /// The flags that set a setting.
    pub(super) fn settings_flags(&self) -> Vec<SettingsFlag> {
        let log_format = self.log_format.and_then(|format| format.to_possible_value());
        [
            ("--tenant", "tenant", self.tenant.clone()),
            ("--catalog", "catalog", self.catalog.clone()),
            ("--log-level", "log.level", self.log_level.clone()),
            ("--log-format", "log.format", log_format.map(|value| value.get_name().to_owned())),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value?)))
        .collect()
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a number move to another customer in the right order, on a real Temporal server; exits with 0 if the order
    /// was right
    Demo(DemoCommand),
    /// Run all of Interlock on this machine, including Temporal and its web UI, until Ctrl-C
    Dev(DevCommand),
    /// Prepare a Temporal cluster: namespaces, search attributes, schedules; also changes the number of queue shards.
    /// Safe to run repeatedly
    Bootstrap(BootstrapCommand),
    /// Check whether an installation can work: connection, server, namespaces, workers per queue, targets, catalog, clocks.
    /// Exits with 1 if something does not work
    Doctor(DoctorCommand),
    /// Run a pool of workers
    Worker(WorkerCommand),
    /// Run the HTTP gateway
    Gateway(GatewayCommand),
    /// Run the codec server, which decrypts payloads for Temporal's web UI and CLI
    CodecServer(CodecServerCommand),
    /// Take events from a message broker until told to stop: acknowledged once they are accepted, in order per customer
    #[command(subcommand)]
    Ingest(IngestCommand),
    /// Send events: one CloudEvent, a batch, or NDJSON of any length. Safe to run twice
    Submit(SubmitCommand),
    /// Show what an event would do: its claims, who is ahead, its steps and their requests; sends nothing. Exits with 1 if it would be
    /// rejected
    Plan(PlanCommand),
    /// Show customers, and recover them
    #[command(subcommand)]
    Customer(CustomerCommand),
    /// Show, release and import resources
    #[command(subcommand)]
    Resource(ResourceCommand),
    /// List, show and explain orders, and act on them
    #[command(subcommand)]
    Order(OrderCommand),
    /// List who did what, and why
    #[command(subcommand)]
    Action(ActionCommand),
    /// Show targets, and act on them
    #[command(subcommand)]
    Target(TargetCommand),
    /// On-board and off-board tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// List, add, remove and test subscriptions: who is told of outcomes
    #[command(subcommand)]
    Subscription(SubscriptionCommand),
    /// Check all waiting orders, and report alerts
    Sweep(SweepCommand),
    /// Replay the recorded histories of all entities and judge them; reads only. Exits with 1 if a promise was broken
    Audit(AuditCommand),
    /// Run one sandbox target: a simulated external system, with failure controls and a log at /__sandbox
    Sandbox(SandboxCommand),
    /// Show the namespace, task queues, shard and priority of a tenant or one of its entities
    Route(RouteCommand),
    /// Check catalogs
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Explain an error by its code, or list all of them
    Errors(ErrorsCommand),
    /// Print a completion script for a shell
    Completions(CompletionsCommand),
}

/// `catalog`.
#[derive(Debug, Subcommand)]
pub(super) enum CatalogCommand {
    /// Check a catalog; reports the file, line and reason of each error
    Check {
        /// The catalog, a TOML file
        file: PathBuf,
    },
}

/// `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsCommand {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// Whether arguments that could not be parsed ask for JSON, so that the fault is written as JSON.
pub(super) fn asks_for_json(arguments: &[OsString]) -> bool {
    let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let is_json = |value: &str| matches!(value, "json" | "jsonl");
    let joined = texts.iter().any(|text| {
        text.strip_prefix("--output=")
            .or_else(|| text.strip_prefix("-o"))
            .is_some_and(|v| is_json(v.trim_start_matches('=')))
    });
    joined || texts.windows(2).any(|pair| matches!(pair[0].as_ref(), "--output" | "-o") && is_json(&pair[1]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;
    use interlock_connection::{ConnectionFlags, HEADING};

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    /// The flags under a heading of a command's help.
    fn under<'a>(command: &'a clap::Command, heading: &str) -> BTreeSet<&'a str> {
        let arguments = command.get_arguments().filter(|argument| argument.get_help_heading() == Some(heading));
        arguments.map(|argument| argument.get_id().as_str()).collect()
    }

    fn walk<'a>(command: &'a clap::Command, visit: &mut impl FnMut(&'a clap::Command)) {
        visit(command);
        command.get_subcommands().for_each(|inner| walk(inner, visit));
    }

    #[test]
    fn only_connection_flags_stand_under_their_heading() {
        let connection = ConnectionFlags::augment_args(clap::Command::new("connection"));
        let connection: BTreeSet<&str> =
            connection.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        let all = Arguments::command();
        let (mut connecting, mut with_own_flags) = (0, 0);
        walk(&all, &mut |command| {
            let found = under(command, HEADING);
            if found.is_empty() {
                return;
            }
            assert_eq!(found, connection, "interlock … {}", command.get_name());
            connecting += 1;
            with_own_flags +=
                usize::from(command.get_arguments().any(|argument| argument.get_help_heading().is_none()));
        });
        assert!(connecting > 20 && with_own_flags > 15, "{connecting} {with_own_flags}");
    }

    #[test]
    fn json_is_recognised_however_it_is_asked_for() {
        let asks = |line: &str| asks_for_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["interlock x --output json", "interlock -o jsonl x", "interlock --output=json", "interlock -ojson"]
        {
            assert!(asks(line), "{line}");
        }
        assert!(!asks("interlock x --output text json"));
    }
}
