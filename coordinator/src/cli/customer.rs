//! `customer`.

mod recover;

use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::Table;
use interlock_domain::customer::{CustomerView, JournalView};
use interlock_domain::ids::CustomerId;
use interlock_fault::Fault;
use interlock_settings::Settings;

use super::output::Output;
use super::show::{ShowArguments, bad_id};
use super::tables::{cell, ended, prose, prose_cell, table, text, waiting_for};

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
        CustomerCommand::Recover(arguments) => Box::pin(recover::run(arguments, settings, output)).await,
    }
}

async fn show(arguments: &ShowArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: CustomerId = arguments.id.parse().map_err(|error| bad_id("customer", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.customer(&tenant, &id).await?;
    output.one(&view, customer_text)?;
    Ok(ExitCode::SUCCESS)
}

fn customer_text(view: &CustomerView) -> String {
    let mut orders = table(&["order", "type", "state", "waits for"]);
    for order in &view.orders {
        orders.add_row([
            text(order.order_id.as_str()),
            text(&order.event_type),
            text(order.state.as_str()),
            prose(&waiting_for(order.waiting_for.as_ref())),
        ]);
    }
    let mut leases = table(&["lease", "epoch", "since"]);
    for lease in &view.leases {
        leases.add_row([text(&lease.resource.to_string()), lease.epoch.to_string(), text(&lease.since)]);
    }
    let mut journal = table(&["at", "what", "type", "order", "code", "who", "why", "detail"]);
    for JournalView { at, entry } in &view.journal {
        journal.add_row([
            text(at),
            text(&entry.what),
            cell(entry.event_type.as_ref()),
            cell(entry.order_id.as_ref()),
            cell(entry.code.as_ref()),
            cell(entry.actor.as_ref()),
            prose_cell(entry.reason.as_ref()),
            prose_cell(entry.detail.as_ref()),
        ]);
    }
    let ended = ended(view.entity_ended.as_ref()).map(|ended| format!("\n{ended}")).unwrap_or_default();
    let lanes = lanes(view);
    let customer = text(view.customer_id.as_str());
    format!("customer {customer}{ended}\n\n{orders}\n\n{lanes}\n\n{leases}\n\n{journal}")
}

/// The open orders at each target, in the order of their turns there.
fn lanes(view: &CustomerView) -> Table {
    let mut lanes = table(&["lane", "turn", "order", "step", "state"]);
    for (target, lane) in &view.lanes {
        for (entry, turn) in lane.iter().zip(1..) {
            lanes.add_row([
                text(target.as_str()),
                u64::to_string(&turn),
                text(entry.order_id.as_str()),
                text(&entry.step),
                text(entry.state.as_str()),
            ]);
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(number: u8) -> String {
        format!("A1~00000000-0000-0000-0000-{number:012}")
    }

    #[test]
    fn a_customer_is_shown_with_its_lanes_and_who_did_what_and_why() {
        let view = json!({
            "customer_id": "A1", "orders": [], "leases": [],
            "lanes": {"crm": [{"order_id": order(1), "step": "crm.add_number", "state": "open"}],
                      "hss": [{"order_id": order(1), "step": "hss.assign_number", "state": "held"},
                              {"order_id": order(2), "step": "hss.set_enabled", "state": "open"}]},
            "journal": [
                {"at": "2026-01-01T00:00:00Z", "what": "action skip", "order_id": order(3), "actor": "anna", "reason": "by hand"},
                {"at": "2026-01-01T00:00:01Z", "what": "rejected", "code": "invalid_data", "detail": "imsi is missing"},
            ],
        });
        let shown = customer_text(&serde_json::from_value(view).unwrap());
        let line =
            |part: &str| shown.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {shown}"));
        assert_eq!(
            line("hss.set_enabled").split_whitespace().collect::<Vec<_>>(),
            ["hss", "2", &order(2), "hss.set_enabled", "open"]
        );
        assert!(line("crm.add_number").contains(" 1 "), "{shown}");
        assert!(line("action skip").contains("anna") && line("action skip").contains("by hand"), "{shown}");
        assert!(line("rejected").contains("imsi is missing"), "{shown}");
    }
}
