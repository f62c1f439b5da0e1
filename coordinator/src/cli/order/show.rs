//! `order show`.

use std::process::ExitCode;

use interlock_domain::customer::{OrderView, PausedView, StepIdentity};
use interlock_domain::ids::OrderId;
use interlock_fault::Fault;
use interlock_settings::Settings;

use crate::cli::output::Output;
use crate::cli::show::{ShowArguments, bad_id};
use crate::cli::tables::{cell, ended, prose_cell, table, text, waiting_for};

pub(super) async fn run(arguments: &ShowArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: OrderId = arguments.id.parse().map_err(|error| bad_id("order", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.order(&tenant, &id).await?;
    output.one(&view, order_text)?;
    Ok(ExitCode::SUCCESS)
}

fn order_text(view: &OrderView) -> String {
    let mut head = table(&["order", &text(view.order_id.as_str())]);
    for (name, value) in [
        ("event", text(&view.event_id)),
        ("type", text(&view.event_type)),
        ("customer", text(view.customer_id.as_str())),
        ("state", text(view.state.as_str())),
        ("code", cell(view.code.as_ref())),
        ("detail", cell(view.detail.as_ref())),
        ("waits for", waiting_for(view.waiting_for.as_ref())),
    ] {
        head.add_row([name.to_owned(), value]);
    }
    let waiting = view.waiting_for.as_ref();
    if let Some(paused) = waiting.and_then(|waiting| waiting.paused.as_ref()) {
        let PausedView { what, by, reason, at } = paused;
        let (what, by, at) = (text(what.as_str()), cell(by.as_ref()), cell(at.as_ref()));
        let line = format!("the {what} was paused in Temporal by {by}, at {at}: {}", cell(reason.as_ref()));
        head.add_row(["paused by an operator".to_owned(), line]);
    }
    if let Some(reset_at) = &view.reset_at {
        head.add_row(["workflow reset".to_owned(), text(reset_at)]);
    }
    if let Some(call) = waiting.and_then(|waiting| waiting.call.as_ref()) {
        head.add_row(["attempt".to_owned(), call.attempt.to_string()]);
        for (name, value) in [("failed", &call.last_failure), ("next attempt", &call.next_attempt_at)] {
            if let Some(value) = value {
                head.add_row([name.to_owned(), text(value)]);
            }
        }
    }
    if let Some(ended) = ended(view.entity_ended.as_ref()) {
        head.add_row(["entity".to_owned(), ended]);
    }
    let mut steps = table(&["step", "target", "state", "attempts", "outcome"]);
    for step in &view.steps {
        steps.add_row([
            text(&step.name),
            text(step.target.as_str()),
            text(step.state.as_str()),
            step.attempts.to_string(),
            prose_cell(step.outcome.as_ref()),
        ]);
        if let Some(StepIdentity { sent, named, .. }) = &step.identity {
            let sent = format!("{} (the event named {})", text(sent), text(named));
            head.add_row([format!("{} uses the identity", text(&step.name)), sent]);
        }
    }
    let mut claims = table(&["claim", "mode", "state", "epoch"]);
    for claim in &view.claims {
        claims.add_row([
            text(&claim.resource.to_string()),
            text(claim.mode.as_str()),
            text(claim.state.as_str()),
            cell(claim.epoch),
        ]);
    }
    format!("{head}\n\n{steps}\n\n{claims}")
}
