//! `resource`.

mod import;

use std::process::ExitCode;

use chrono::Utc;
use clap::{Args, Subcommand};
use interlock_domain::ids::ResourceId;
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::actions::{Actions, ForceRequest};
use interlock_settings::Settings;
use serde_json::Value;

use super::age::age_of;
use super::output::{Output, OutputFormat};
use super::show::{ShowArguments, bad_id, installation};
use super::tables::{ended, list, table, text};
use super::words::WordsArguments;

/// `resource`.
#[derive(Debug, Subcommand)]
pub(super) enum ResourceCommand {
    /// Show a resource, KIND/ID: its holder, queue and history
    Show(ShowArguments),
    /// Show the history of a resource, KIND/ID: who held it, since when, and by which order
    History(HistoryArguments),
    /// Release a resource, KIND/ID, by force: first the target is asked who has it, then the holder
    Release(ReleaseArguments),
    /// Import the current holders of resources into the ledger, from a CSV list 'kind,id,customer' or --from a target,
    /// before Interlock goes live. Safe to run twice; an interrupted import continues where it stopped
    Import(import::ImportArguments),
}

/// `resource history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    #[command(flatten)]
    resource: ShowArguments,
    /// Only the last N lines
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(super) async fn run(command: &ResourceCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        ResourceCommand::Show(arguments) => show(arguments, settings, output).await,
        ResourceCommand::History(arguments) => history(arguments, settings, output).await,
        ResourceCommand::Release(arguments) => release(arguments, settings, output).await,
        ResourceCommand::Import(arguments) => import::run(arguments, settings, output).await,
    }
}

/// `resource release`.
#[derive(Debug, Args)]
pub(super) struct ReleaseArguments {
    #[command(flatten)]
    resource: ShowArguments,
    /// Release it although its holder did not ask for it; required, because it is the only kind of manual release
    #[arg(long, required = true)]
    force: bool,
    /// Release it even if the target has it registered to the holder, or cannot tell; this is marked in the history
    #[arg(long)]
    even_if_registered: bool,
    #[command(flatten)]
    words: WordsArguments,
}

async fn release(arguments: &ReleaseArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let resource: ResourceId = arguments.resource.id.parse().map_err(|error| bad_id("resource", &error))?;
    let words = arguments.words.words()?;
    let tenant = settings.tenant.clone();
    let actions = Actions::new(installation(&arguments.resource.connection, settings).await?);
    let request = ForceRequest { resource, even_if_registered: arguments.even_if_registered, own_only: false, words };
    let taken = actions.force_release(&tenant, &request).await?;
    output.one(&taken, |taken| {
        let before = if taken.repeated { "already released by this action" } else { "released" };
        format!("{} is {before} (action {})\n\n{}", taken.resource, taken.action_id, resource_text(&taken.state))
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(arguments: &ShowArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: ResourceId = arguments.id.parse().map_err(|error| bad_id("resource", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.resource(&tenant, &id).await?;
    output.one(&view, resource_text)?;
    Ok(ExitCode::SUCCESS)
}

async fn history(arguments: &HistoryArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: ResourceId = arguments.resource.id.parse().map_err(|error| bad_id("resource", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.resource.inspection(settings).await?.resource(&tenant, &id).await?;
    let entries = list(&view, "history");
    let left_out = arguments.limit.map_or(0, |limit| entries.len().saturating_sub(limit));
    let entries = &entries[left_out..];
    match output.format() {
        OutputFormat::Text => output.one(&entries, |entries| history_text(entries))?,
        OutputFormat::Json | OutputFormat::Jsonl => output.list(entries, |_| String::new())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn resource_text(view: &Value) -> String {
    let holder = match view.get("holder").filter(|holder| !holder.is_null()) {
        Some(holder) => format!(
            "held by {} since {}, epoch {}",
            [text(holder, "customer_id"), text(holder, "party")]
                .into_iter()
                .find(|name| name != "–")
                .unwrap_or_default(),
            text(holder, "since"),
            text(holder, "epoch")
        ),
        None => "not held".to_owned(),
    };
    let mut queue = table(&["position", "customer", "order", "since"]);
    for waiter in list(view, "queue") {
        queue.add_row(["position", "customer_id", "order_id", "since"].map(|name| text(waiter, name)));
    }
    let waits = match (view["waiting_for"].as_str(), age_of(view, "waiting_since", Utc::now())) {
        (Some(what), Some(age)) => format!("\nthe queue waits for {}, for {age}", cause(what)),
        (Some(what), None) => format!("\nthe queue waits for {}", cause(what)),
        (None, _) => String::new(),
    };
    let history = history_text(list(view, "history"));
    let ended = ended(view).map(|ended| format!("\n{ended}")).unwrap_or_default();
    format!("resource {}: {holder}{waits}{ended}\n\n{queue}\n\n{history}", text(view, "resource"))
}

/// What a resource waits for, in words.
fn cause(what: &str) -> &str {
    match what {
        "holder" => "the holder to release it",
        "look_up" => "the target to report who is registered",
        "clock" => "a short safety delay",
        "orphan" => "requests of the terminated holder to arrive",
        "person" => "a person: it is unknown who is registered",
        other => other,
    }
}

fn history_text(entries: &[Value]) -> String {
    let names = ["at", "what", "who", "epoch", "order", "detail", "proof"];
    let mut history = table(&names);
    for entry in entries {
        let fields = ["at", "what", "who", "epoch", "order_id", "detail"];
        history.add_row(fields.map(|name| text(entry, name)).into_iter().chain([proof_text(&entry["proof"])]));
    }
    history.to_string()
}

/// What a change of a lease rests on, in one cell: target, operation and outcome, its order, key and time, and who decided.
fn proof_text(proof: &Value) -> String {
    if proof.is_null() {
        return "–".to_owned();
    }
    let of = |name: &str| proof[name].as_str().map(terminal::line);
    let mut words = Vec::new();
    if let (Some(target), Some(operation), Some(outcome)) = (of("target"), of("operation"), of("outcome")) {
        let holder = of("holder").map_or_else(String::new, |holder| format!(" ({holder} has it)"));
        words.push(format!("{target} {operation}: {outcome}{holder}"));
    }
    words.extend(of("order_id").map(|order| format!("order {order}")));
    words.extend(of("idempotency_key").map(|key| format!("key {key}")));
    words.extend(of("at").map(|at| format!("at {at}")));
    if let (Some(actor), Some(reason)) = (of("actor"), of("reason")) {
        words.push(format!("by {actor}: {reason}"));
    }
    words.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_that_came_back_is_shown_with_its_proof() {
        let proof = json!({
            "order_id": "A1~x", "target": "hss", "operation": "release_number", "outcome": "in_use", "holder": "I7",
            "idempotency_key": "5f50", "at": "2026-01-01T00:00:00Z", "actor": "ann", "reason": "looked it up",
        });
        let shown = proof_text(&proof);
        assert!(shown.starts_with("hss release_number: in_use (I7 has it)\norder A1~x"), "{shown}");
        assert!(shown.ends_with("by ann: looked it up"), "{shown}");
        assert_eq!(proof_text(&Value::Null), "–");
    }

    #[test]
    fn a_resource_is_shown_with_its_holder_and_its_queue() {
        let view = json!({
            "resource": "msisdn/1206", "holder": {"customer_id": "A1", "epoch": 7, "since": "2026-01-01T00:00:00Z"},
            "queue": [{"position": 1, "customer_id": "A2", "order_id": "A2~x", "since": "2026-01-01T00:00:01Z"}],
            "epoch": 7, "history": [],
        });
        let shown = resource_text(&view);
        assert!(shown.starts_with("resource msisdn/1206: held by A1 since"), "{shown}");
        assert!(shown.contains("A2~x"), "{shown}");
    }
}
