//! `interlock customer recover ID`.

use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use interlock_connection::{ASKING_LIMIT, CallRetries, ConnectionFlags, Installation};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::CustomerId;
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::recovery::{Found, LostOrder, OpenEvent, Recovery, Unreadable};
use interlock_settings::Settings;
use serde::Serialize;

use crate::cli::output::{Output, OutputFormat};
use crate::cli::show::bad_id;
use crate::cli::tables::table;

/// `customer recover`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// The customer's id
    id: String,
    /// Only the unfinished events of this run [default: all runs that ended abnormally and whose histories still exist]
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// The present run was started under another workflow type or on another task queue, and no worker executes it: end it, and submit what
    /// it received
    #[arg(long, conflicts_with = "run")]
    misplaced: bool,
    /// Only report what would be submitted
    #[arg(long)]
    dry_run: bool,
    /// Submit the events
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// What was found, and how much was submitted.
#[derive(Serialize)]
struct Report<'a> {
    customer_id: &'a CustomerId,
    #[serde(flatten)]
    found: &'a Found,
    submitted: usize,
}

/// Exit code 1 if orders are lost, because no history has their events any more; 2 if it found events and was not told to
/// submit them.
pub(super) async fn run(arguments: &RecoverArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: CustomerId = arguments.id.parse().map_err(|error| bad_id("customer", &error))?;
    let tenant = settings.tenant.clone();
    let catalog = settings.catalog()?;
    let connection = &arguments.connection;
    let connected = Installation::connect(connection, settings, catalog, CallRetries::Brief, ASKING_LIMIT);
    let recovery = Recovery::new(connected.await?);
    let mut found = if arguments.misplaced {
        recovery.find_misplaced(&tenant, &id).await?
    } else {
        recovery.find(&tenant, &id, arguments.run.as_deref()).await?
    };
    let is_asked = arguments.yes && !arguments.dry_run;
    if output.format() == OutputFormat::Text {
        // As text, write this before anything is done; the other formats write everything at the end.
        output.one(&found, |found| foretold(&id, found))?;
    }
    let mut submitted = 0;
    if is_asked && let Some(run) = found.misplaced.take() {
        found = recovery.end_misplaced(&tenant, &id, &run).await?;
    }
    let events = &found.open.events;
    if is_asked {
        let progress = ProgressBar::with_draw_target(Some(events.len() as u64), ProgressDrawTarget::stderr());
        let count = |_: &OpenEvent| {
            submitted += 1;
            progress.inc(1);
        };
        let result = recovery.submit(&tenant, &id, events, count).await;
        progress.finish_and_clear();
        result?;
    }
    match output.format() {
        OutputFormat::Text if is_asked => output.one(&submitted, |count| format!("{count} events were submitted."))?,
        OutputFormat::Text => {}
        _ => output.one(&Report { customer_id: &id, found: &found, submitted }, |_| String::new())?,
    }
    if !is_asked && !arguments.dry_run && (!events.is_empty() || found.misplaced.is_some()) {
        let message = format!("{} events were found, but none was submitted.", events.len());
        return Err(Fault::wrong_use(ErrorCode::ConfirmationNeeded, message));
    }
    Ok(ExitCode::from(u8::from(!found.open.lost.is_empty())))
}

fn foretold(id: &CustomerId, found: &Found) -> String {
    if found.runs.is_empty() && found.misplaced.is_none() {
        return format!("No run of {id} ended abnormally: there is nothing to recover.");
    }
    let mut lines = Vec::new();
    for run in &found.runs {
        let reason = if run.reason.is_empty() { String::new() } else { format!(": {}", run.reason) };
        let line = format!("The run {} of {id} was {}{reason}.", run.run_id, run.how);
        lines.push(terminal::line(&line).into_owned());
    }
    if let Some(run) = &found.misplaced {
        lines.push(terminal::line(&run.detail).into_owned());
    }
    let open = &found.open;
    if !open.events.is_empty() {
        let mut events = table(&["order", "type", "state then", "happened"]);
        for event in &open.events {
            let state = event.state.as_str();
            events.add_row([event.order_id.as_str(), event.event_type.as_str(), state, event.occurred_at.as_str()]);
        }
        lines.push(format!("Orders that were open then, to be submitted again in this sequence:\n{events}"));
    }
    for LostOrder { order_id, event_id, event_type, .. } in &open.lost {
        let line = format!("Lost: {order_id} ({event_type}); no history has its event {event_id} any more.");
        lines.push(terminal::line(&line).into_owned());
    }
    for Unreadable { at, code, detail } in &open.unreadable {
        let line = format!("Skipped: the message that arrived at {at} is not an event ({code}): {detail}");
        lines.push(terminal::line(&line).into_owned());
    }
    for doubt in &open.doubts {
        lines.push(format!("Some of these may already have ended: {doubt}."));
    }
    if open.told_again > 0 {
        lines.push(format!("{} more were already submitted again.", open.told_again));
    }
    lines.join("\n")
}
