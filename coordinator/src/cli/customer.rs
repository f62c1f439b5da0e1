//! `customer`.

mod recover;

use std::process::ExitCode;

use clap::Subcommand;
use interlock_domain::ids::CustomerId;
use serde_json::Value;

use super::output::Output;
use super::show::{ShowArguments, bad_id};
use super::tables::{ended, list, table, text, waiting_for};
use crate::fault::Fault;
use crate::settings::Settings;

/// `customer`.
#[derive(Debug, Subcommand)]
pub(super) enum CustomerCommand {
    /// Show a customer: its open orders, lanes, leases and journal
    Show(ShowArguments),
    /// Submit again what a customer's terminated entity had not ended
    Recover(recover::RecoverArguments),
}

pub(super) async fn run(command: &CustomerCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    match command {
        CustomerCommand::Show(arguments) => show(arguments, settings, output).await,
        CustomerCommand::Recover(arguments) => recover::run(arguments, settings, output).await,
    }
}

async fn show(arguments: &ShowArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: CustomerId = arguments.id.parse().map_err(|error| bad_id("customer", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.customer(&tenant, &id).await?;
    output.one(&view, customer_text)?;
    Ok(ExitCode::SUCCESS)
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
    let ended = ended(view).map(|ended| format!("\n{ended}")).unwrap_or_default();
    format!("customer {}{ended}\n\n{orders}\n\n{leases}\n\n{journal}", text(view, "customer_id"))
}
