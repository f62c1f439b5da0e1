//! `customer`.

mod recover;

use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::Table;
use interlock_domain::ids::CustomerId;
use interlock_fault::Fault;
use interlock_settings::Settings;
use serde_json::Value;

use super::output::Output;
use super::show::{ShowArguments, bad_id};
use super::tables::{ended, list, table, text, waiting_for};

/// `customer`.
#[derive(Debug, Subcommand)]
pub(super) enum CustomerCommand {
    /// Show a customer: its open orders, lanes, leases and journal
    Show(ShowArguments),
    /// Submit the unfinished events of a customer's terminated entity again
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
    let mut journal = table(&["at", "what", "type", "order", "code", "who", "why", "detail"]);
    for entry in list(view, "journal") {
        journal.add_row(
            ["at", "what", "type", "order_id", "code", "actor", "reason", "detail"].map(|name| text(entry, name)),
        );
    }
    let ended = ended(view).map(|ended| format!("\n{ended}")).unwrap_or_default();
    let lanes = lanes(view);
    format!("customer {}{ended}\n\n{orders}\n\n{lanes}\n\n{leases}\n\n{journal}", text(view, "customer_id"))
}

/// The open orders at each target, in the order of their turns there.
fn lanes(view: &Value) -> Table {
    let mut lanes = table(&["lane", "turn", "order", "step", "state"]);
    for (target, lane) in view["lanes"].as_object().into_iter().flatten() {
        for (place, entry) in lane.as_array().into_iter().flatten().enumerate() {
            let field = |name| text(entry, name);
            lanes.add_row([target.clone(), (place + 1).to_string(), field("order_id"), field("step"), field("state")]);
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_is_shown_with_its_lanes_and_who_did_what_and_why() {
        let view = json!({
            "customer_id": "A1", "orders": [], "leases": [],
            "lanes": {"crm": [{"order_id": "A1~x", "step": "crm.add_number", "state": "open"}],
                      "hss": [{"order_id": "A1~x", "step": "hss.assign_number", "state": "held"},
                              {"order_id": "A1~y", "step": "hss.set_enabled", "state": "open"}]},
            "journal": [
                {"at": "2026-01-01T00:00:00Z", "what": "action skip", "order_id": "A1~w", "actor": "anna", "reason": "by hand"},
                {"at": "2026-01-01T00:00:01Z", "what": "rejected", "code": "invalid_data", "detail": "imsi is missing"},
            ],
        });
        let shown = customer_text(&view);
        let line =
            |part: &str| shown.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {shown}"));
        assert_eq!(
            line("hss.set_enabled").split_whitespace().collect::<Vec<_>>(),
            ["hss", "2", "A1~y", "hss.set_enabled", "open"]
        );
        assert!(line("crm.add_number").contains(" 1 "), "{shown}");
        assert!(line("action skip").contains("anna") && line("action skip").contains("by hand"), "{shown}");
        assert!(line("rejected").contains("imsi is missing"), "{shown}");
    }
}
