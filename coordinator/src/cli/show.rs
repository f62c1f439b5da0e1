//! `customer show`, `resource show`, `order show`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use interlock_domain::ids::{CustomerId, OrderId, ResourceId};
use interlock_domain::routing::ShardCount;
use serde_json::Value;

use super::output::Output;
use super::tables::{list, table, text, waiting_for};
use crate::connection::{ConnectionFlags, STARTUP_LIMIT};
use crate::fault::Fault;
use crate::inspection::Inspection;
use crate::installation::{Installation, Patience};
use crate::settings::Settings;

/// `customer`.
#[derive(Debug, Subcommand)]
pub(super) enum CustomerCommand {
    /// Show a customer: its open orders, lanes, leases and journal
    Show(ShowArguments),
}

/// `resource`.
#[derive(Debug, Subcommand)]
pub(super) enum ResourceCommand {
    /// Show a resource, KIND/ID: its holder, queue and history
    Show(ShowArguments),
}

/// `order`.
#[derive(Debug, Subcommand)]
pub(super) enum OrderCommand {
    /// Show an order: its state, what it waits for, its steps and claims
    Show(ShowArguments),
}

/// What is to be shown, and where it is.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Its id
    id: String,
    #[command(flatten)]
    connection: ConnectionFlags,
}

impl ShowArguments {
    async fn inspection(&self, settings: Settings) -> Result<Inspection, Fault> {
        let catalog = settings.catalog()?;
        let shards = ShardCount::default();
        let connected =
            Installation::connect(&self.connection, settings, catalog, shards, Patience::Brief, STARTUP_LIMIT);
        Ok(Inspection::new(connected.await?))
    }
}

pub(super) async fn customer(command: &CustomerCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let CustomerCommand::Show(arguments) = command;
    let id: CustomerId = arguments.id.parse().map_err(|error| bad_id("customer", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.customer(&tenant, &id).await?;
    output.one(&view, customer_text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn resource(command: &ResourceCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ResourceCommand::Show(arguments) = command;
    let id: ResourceId = arguments.id.parse().map_err(|error| bad_id("resource", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.resource(&tenant, &id).await?;
    output.one(&view, resource_text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn order(command: &OrderCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let OrderCommand::Show(arguments) = command;
    let id: OrderId = arguments.id.parse().map_err(|error| bad_id("order", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.order(&tenant, &id).await?;
    output.one(&view, order_text)?;
    Ok(ExitCode::SUCCESS)
}

fn bad_id(what: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::wrong_use("bad_id", format!("This is no {what}: {error}."), "Correct the id.")
}

fn customer_text(view: &Value) -> String {
    let mut orders = table(&["order", "type", "state", "waits for"]);
    for order in list(view, "orders") {
        orders.add_row([text(order, "order_id"), text(order, "type"), text(order, "state"), waiting_for(order)]);
    }
    let mut leases = table(&["lease", "epoch", "since"]);
    for lease in list(view, "leases") {
        leases.add_row([text(lease, "resource"), text(lease, "epoch"), text(lease, "since")]);
    }
    let mut journal = table(&["at", "what", "type", "order", "code"]);
    for entry in list(view, "journal") {
        journal.add_row(["at", "what", "type", "order_id", "code"].map(|name| text(entry, name)));
    }
    format!("customer {}\n\n{orders}\n\n{leases}\n\n{journal}", text(view, "customer_id"))
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
        None => "held by nobody".to_owned(),
    };
    let mut queue = table(&["position", "customer", "order", "since"]);
    for waiter in list(view, "queue") {
        queue.add_row(["position", "customer_id", "order_id", "since"].map(|name| text(waiter, name)));
    }
    let mut history = table(&["at", "what", "who", "epoch", "detail"]);
    for entry in list(view, "history") {
        history.add_row(["at", "what", "who", "epoch", "detail"].map(|name| text(entry, name)));
    }
    format!("resource {}: {holder}\n\n{queue}\n\n{history}", text(view, "resource"))
}

fn order_text(view: &Value) -> String {
    let mut head = table(&["order", &text(view, "order_id")]);
    for (name, field) in [
        ("event", "event_id"),
        ("type", "type"),
        ("customer", "customer_id"),
        ("state", "state"),
        ("code", "code"),
        ("detail", "detail"),
    ] {
        head.add_row([name.to_owned(), text(view, field)]);
    }
    head.add_row(["waits for".to_owned(), waiting_for(view)]);
    let mut steps = table(&["step", "target", "state", "attempts", "outcome"]);
    for step in list(view, "steps") {
        steps.add_row(["name", "target", "state", "attempts", "outcome"].map(|name| text(step, name)));
    }
    let mut claims = table(&["claim", "mode", "state", "epoch"]);
    for claim in list(view, "claims") {
        claims.add_row(["resource", "mode", "state", "epoch"].map(|name| text(claim, name)));
    }
    format!("{head}\n\n{steps}\n\n{claims}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
