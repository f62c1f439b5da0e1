//! `resource`.

mod import;

use std::process::ExitCode;

use chrono::Utc;
use clap::{Args, Subcommand};
use interlock_domain::ids::ResourceId;
use interlock_domain::message::StepProof;
use interlock_domain::resource::{HistoryView, ProofView, QueueWait, ResourceView};
use interlock_domain::wire::WireName;
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::actions::{Actions, ForceRequest};
use interlock_settings::Settings;

use super::age::age_of;
use super::output::{Output, OutputFormat};
use super::preview::forecast_text;
use super::show::{ShowArguments, bad_id, installation};
use super::tables::{cell, ended, prose_cell, table, text};
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
    /// Do nothing, and forecast what would happen next, if the target said that nobody has it
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    words: WordsArguments,
}

async fn release(arguments: &ReleaseArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let resource: ResourceId = arguments.resource.id.parse().map_err(|error| bad_id("resource", &error))?;
    let words = arguments.words.words()?;
    let tenant = settings.tenant.clone();
    let actions = Actions::new(installation(&arguments.resource.connection, settings).await?);
    let request = ForceRequest { resource, even_if_registered: arguments.even_if_registered, own_only: false, words };
    if arguments.preview {
        let forecast = Box::pin(actions.preview_force_release(&tenant, &request)).await?;
        output.one(&forecast, forecast_text)?;
        return Ok(ExitCode::SUCCESS);
    }
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
    let entries = &view.history;
    let left_out = arguments.limit.map_or(0, |limit| entries.len().saturating_sub(limit));
    let entries = &entries[left_out..];
    match output.format() {
        OutputFormat::Text => output.one(&entries, |entries| history_text(entries))?,
        OutputFormat::Json | OutputFormat::Jsonl => output.list(entries, |_| String::new())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn resource_text(view: &ResourceView) -> String {
    let holder = match &view.holder {
        Some(holder) => format!(
            "held by {} since {}, epoch {}",
            holder.name().map(|name| text(&name)).unwrap_or_default(),
            text(&holder.since),
            holder.epoch
        ),
        None => "not held".to_owned(),
    };
    let mut queue = table(&["position", "customer", "order", "since"]);
    for waiter in &view.queue {
        queue.add_row([
            waiter.position.to_string(),
            text(waiter.customer_id.as_str()),
            cell(waiter.order_id.as_ref()),
            text(&waiter.since),
        ]);
    }
    let age = view.waiting_since.as_ref().and_then(|since| age_of(since, Utc::now()));
    let waits = match (&view.waiting_for, age) {
        (Some(what), Some(age)) => format!("\nthe queue waits for {}, for {age}", cause(what)),
        (Some(what), None) => format!("\nthe queue waits for {}", cause(what)),
        (None, _) => String::new(),
    };
    let history = history_text(&view.history);
    let ended = ended(view.entity_ended.as_ref()).map(|ended| format!("\n{ended}")).unwrap_or_default();
    format!("resource {}: {holder}{waits}{ended}\n\n{queue}\n\n{history}", text(&view.resource.to_string()))
}

/// What a resource waits for, in words.
fn cause(what: &WireName<QueueWait>) -> &str {
    match what {
        WireName::Known(QueueWait::Holder) => "the holder to release it",
        WireName::Known(QueueWait::LookUp) => "the target to report who is registered",
        WireName::Known(QueueWait::Clock) => "a short safety delay",
        WireName::Known(QueueWait::Orphan) => "requests of the terminated holder to arrive",
        WireName::Known(QueueWait::Person) => "a person: it is unknown who is registered",
        WireName::Unknown(other) => other,
    }
}

fn history_text(entries: &[HistoryView]) -> String {
    let mut history = table(&["at", "what", "who", "epoch", "order", "detail", "proof"]);
    for entry in entries {
        history.add_row([
            text(&entry.at),
            text(entry.what.as_str()),
            cell(entry.who.as_ref()),
            entry.epoch.to_string(),
            cell(entry.order_id.as_ref()),
            prose_cell(entry.detail.as_ref()),
            evidence_text(entry),
        ]);
    }
    history.to_string()
}

/// What a line of the history rests on, in one cell: the proof of a lease that came back, the authority that was asked, or the person who
/// forced a release.
fn evidence_text(entry: &HistoryView) -> String {
    if let Some(proof) = &entry.proof {
        return proof_text(proof);
    }
    let asked = entry.authority.as_ref();
    let asked = asked.map(|asked| format!("{} {}", asked.target, terminal::line(&asked.operation)));
    let person = entry.actor.as_ref().zip(entry.reason.as_ref());
    let person = person.map(|(actor, reason)| format!("by {}: {}", terminal::line(actor), terminal::line(reason)));
    let words: Vec<String> = asked.into_iter().chain(person).collect();
    if words.is_empty() { "–".to_owned() } else { words.join("\n") }
}

/// The evidence for a change of a lease, in one cell: target, operation and outcome, its order, key and time, and who decided.
fn proof_text(proof: &ProofView) -> String {
    let mut words = Vec::new();
    if let Some(StepProof { target, operation, outcome, holder, .. }) = &proof.step {
        let holder = holder.as_ref().map_or_else(String::new, |holder| format!(" ({} has it)", terminal::line(holder)));
        words.push(format!("{target} {}: {}{holder}", terminal::line(operation), terminal::line(outcome)));
    }
    words.push(format!("order {}", proof.order_id));
    words.extend(proof.step.as_ref().map(|step| format!("key {}", step.idempotency_key)));
    words.push(format!("at {}", terminal::line(&proof.at)));
    if let (Some(actor), Some(reason)) = (&proof.actor, &proof.reason) {
        words.push(format!("by {}: {}", terminal::line(actor), terminal::line(reason)));
    }
    words.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDER: &str = "A1~00000000-0000-0000-0000-000000000001";

    #[test]
    fn a_lease_that_came_back_is_shown_with_its_proof() {
        let proof = json!({
            "order_id": ORDER, "target": "hss", "operation": "release_number", "outcome": "in_use", "holder": "I7",
            "idempotency_key": "5f5006f4-0000-5000-8000-000000000000", "at": "2026-01-01T00:00:00Z", "actor": "ann",
            "reason": "looked it up",
        });
        let shown = proof_text(&serde_json::from_value(proof).unwrap());
        assert!(
            shown.starts_with(&format!("hss release_number: in_use (I7 has it)\norder {ORDER}\nkey 5f50")),
            "{shown}"
        );
        assert!(shown.ends_with("by ann: looked it up"), "{shown}");
        let without_call = json!({"order_id": ORDER, "at": "2026-01-01T00:00:00Z"});
        let shown = proof_text(&serde_json::from_value(without_call).unwrap());
        assert_eq!(shown, format!("order {ORDER}\nat 2026-01-01T00:00:00Z"));
    }

    #[test]
    fn what_the_authority_answered_and_what_a_person_forced_are_shown_with_who_it_was() {
        let line = |more: serde_json::Value| {
            let mut line = json!({"at": "2026-01-01T00:00:00Z", "what": "looked_up", "epoch": 7});
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            evidence_text(&serde_json::from_value(line).unwrap())
        };
        let authority = json!({"target": "hss", "operation": "find_holder"});
        assert_eq!(line(json!({ "authority": authority })), "hss find_holder");
        assert_eq!(line(json!({"actor": "ann", "reason": "ported out"})), "by ann: ported out");
        assert_eq!(line(json!({})), "–");
    }

    #[test]
    fn a_resource_is_shown_with_its_holder_and_its_queue() {
        let view = json!({
            "resource": "msisdn/1206", "holder": {"customer_id": "A1", "epoch": 7, "since": "2026-01-01T00:00:00Z"},
            "queue": [{"position": 1, "customer_id": "A2", "tenant_id": "t", "order_id": ORDER, "since": "2026-01-01T00:00:01Z"}],
            "epoch": 7, "history": [],
        });
        let shown = resource_text(&serde_json::from_value(view).unwrap());
        assert!(shown.starts_with("resource msisdn/1206: held by A1 since"), "{shown}");
        assert!(shown.contains(ORDER), "{shown}");
    }
}
