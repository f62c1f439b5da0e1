//! `audit`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interlock_audit::{
    Audit, CALLS_PER_SECOND, CLOCKS_APART, FACTS_MAX, NamespaceReader, Options, Progress, PromiseVerdict, StateFile,
    TargetLog, TargetLogKind, Verdict,
};
use interlock_connection::ConnectionFlags;
use interlock_domain::ids::Timestamp;
use interlock_domain::routing::ShardCount;
use interlock_fault::Fault;
use interlock_settings::Settings;

use super::output::Output;
use super::show::installation;
use super::tables::table;

/// How long the server may take to list a run that started, in milliseconds. What happened later than that before the audit began is
/// left to the next audit.
const LISTED_WITHIN_MS: i64 = 10_000;

/// `audit`.
#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    #[command(flatten)]
    connection: ConnectionFlags,
    /// Only runs that had not ended before this time, RFC 3339 [default: all runs whose histories still exist]
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    since: Option<DateTime<Utc>>,
    /// Histories in files, *.json and *.json.gz, in place of those of the Temporal cluster
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["since", "resume", "rate"])]
    histories: Option<PathBuf>,
    /// A target's own log to compare with: what a sandbox target serves at /__sandbox/log, or PyHSS at /operation_logs/list
    #[arg(long, value_name = "[sandbox=|pyhss=]FILE")]
    target_log: Vec<String>,
    /// The system is at rest: every order must have ended, and ledger and customers must agree
    #[arg(long)]
    settled: bool,
    /// Calls to Temporal a second
    #[arg(long, value_name = "N", default_value_t = CALLS_PER_SECOND)]
    rate: NonZeroU32,
    /// Keep what was read in this file, and go on from it after an interruption
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// How far the clocks of the server's hosts may be apart, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = u64::try_from(CLOCKS_APART.as_millis()).unwrap_or(u64::MAX))]
    clocks_apart_ms: u64,
    /// The most facts to keep in memory, about 500 bytes each; histories beyond it are left out, and the exit code is 1
    #[arg(long, value_name = "N", default_value_t = FACTS_MAX)]
    facts_max: usize,
}

fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text).map(Into::into).map_err(|error| error.to_string())
}

/// Replays and judges. Exit code 1 if a promise was broken, or if histories were left out.
pub(super) async fn run(command: &AuditCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let logs = target_logs(command)?;
    let mut audit = match &command.histories {
        Some(folder) => {
            // The number of shards is of no concern here.
            let routing = Arc::new(settings.routing(&settings.catalog()?, ShardCount::default())?);
            let mut audit = Audit::new(options(command, Options { routing, ..Options::default() }))?;
            audit.add_folder(folder).await?;
            audit
        }
        None => of_installation(command, settings).await?,
    };
    for log in logs {
        audit.add_target_log(log);
    }
    let verdict = audit.verdict();
    output.one(&verdict, in_words)?;
    Ok(ExitCode::from(u8::from(!verdict.clean)))
}

/// The options that the command sets.
fn options(command: &AuditCommand, options: Options) -> Options {
    Options {
        settled: command.settled,
        clocks_apart: Duration::from_millis(command.clocks_apart_ms),
        facts_max: command.facts_max,
        ..options
    }
}

fn target_logs(command: &AuditCommand) -> Result<Vec<TargetLog>, Fault> {
    let logs = command.target_log.iter().map(|argument| {
        let (kind, file) = match argument.split_once('=') {
            Some((kind, file)) => (Some(kind.parse::<TargetLogKind>()?), file),
            None => (None, argument.as_str()),
        };
        TargetLog::from_file(kind, file.as_ref())
    });
    let logs: Result<Vec<TargetLog>, _> = logs.collect();
    logs.map_err(|error| interlock_audit::AuditError::from(error).into())
}

/// An audit with the histories of all namespaces of the installation.
async fn of_installation(command: &AuditCommand, settings: Settings) -> Result<Audit, Fault> {
    let installation = installation(&command.connection, settings).await?;
    let since = command.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
    let now = Timestamp(Utc::now().timestamp_millis().saturating_sub(LISTED_WITHIN_MS));
    let state = match &command.resume {
        Some(file) => Some(StateFile::open(file, now, since.clone())?),
        None => None,
    };
    let read_from = state.as_ref().map_or(now, StateFile::read_from);
    let mut audit = Audit::new(options(
        command,
        Options {
            routing: installation.routing.clone(),
            all_entities: since.is_none(),
            read_from: (!command.settled).then_some(read_from),
            ..Options::default()
        },
    ))?;
    let mut reader = NamespaceReader::new(command.rate).since(since);
    if let Some(state) = state {
        reader = reader.resume(state, &mut audit)?;
    }
    let bar = progress_bar();
    for namespace in installation.namespaces() {
        let client = installation.client_for(&namespace)?;
        bar.set_message(namespace.clone());
        let advance = |Progress { read, all }| {
            bar.set_length(all);
            bar.set_position(read);
        };
        reader.read(&mut audit, &client, &namespace, advance).await?;
    }
    bar.finish_and_clear();
    Ok(audit)
}

fn progress_bar() -> ProgressBar {
    // On stderr, and only if it is a terminal.
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} histories {elapsed} {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn in_words(verdict: &Verdict) -> String {
    let mut lines = vec![format!(
        "{} histories of {} customers and {} resources; {} orders are open.",
        verdict.histories, verdict.customers, verdict.resources, verdict.open_orders
    )];
    let mut promises = table(&["promise", "checked", "violations", "excused", "unchecked", ""]);
    for PromiseVerdict { promise, checked, violations, excused, unchecked } in &verdict.promises {
        promises.add_row([
            promise.as_str().to_owned(),
            checked.to_string(),
            violations.to_string(),
            excused.to_string(),
            unchecked.to_string(),
            promise.sentence().to_owned(),
        ]);
    }
    lines.push(promises.to_string());
    lines.extend(verdict.violations.iter().map(ToString::to_string));
    if verdict.left_out > 0 {
        lines.push(format!(
            "{} histories were left out: more facts than --facts-max. Audit a shorter time with --since, or raise it.",
            verdict.left_out
        ));
    }
    lines.push(if verdict.clean { "Clean." } else { "Not clean." }.to_owned());
    lines.join("\n")
}
