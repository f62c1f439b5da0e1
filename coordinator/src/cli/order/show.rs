//! `order show`.

use std::process::ExitCode;

use interlock_domain::ids::OrderId;
use interlock_fault::Fault;
use interlock_settings::Settings;
use serde_json::Value;

use crate::cli::output::Output;
use crate::cli::show::{ShowArguments, bad_id};
use crate::cli::tables::{ended, list, table, text, waiting_for};

pub(super) async fn run(arguments: &ShowArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: OrderId = arguments.id.parse().map_err(|error| bad_id("order", &error))?;
    let tenant = settings.tenant.clone();
    let view = arguments.inspection(settings).await?.order(&tenant, &id).await?;
    output.one(&view, order_text)?;
    Ok(ExitCode::SUCCESS)
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
    let paused = &view["waiting_for"]["paused"];
    if !paused.is_null() {
        let said = ["by", "reason", "at"].map(|field| text(paused, field));
        let line =
            format!("the {} was paused in Temporal by {}, at {}: {}", text(paused, "what"), said[0], said[2], said[1]);
        head.add_row(["paused by an operator".to_owned(), line]);
    }
    if !view["reset_at"].is_null() {
        head.add_row(["workflow reset".to_owned(), text(view, "reset_at")]);
    }
    for (name, field) in [("attempt", "attempt"), ("failed", "last_failure"), ("next attempt", "next_attempt_at")] {
        if !view["waiting_for"][field].is_null() {
            head.add_row([name.to_owned(), text(&view["waiting_for"], field)]);
        }
    }
    if let Some(ended) = ended(view) {
        head.add_row(["entity".to_owned(), ended]);
    }
    let mut steps = table(&["step", "target", "state", "attempts", "outcome"]);
    for step in list(view, "steps") {
        steps.add_row(["name", "target", "state", "attempts", "outcome"].map(|name| text(step, name)));
    }
    let mut claims = table(&["claim", "mode", "state", "epoch"]);
    for step in list(view, "steps").iter().filter(|step| !step["identity"].is_null()) {
        let identity = &step["identity"];
        let sent = format!("{} (the event named {})", text(identity, "sent"), text(identity, "named"));
        head.add_row([format!("{} uses the identity", text(step, "name")), sent]);
    }
    for claim in list(view, "claims") {
        claims.add_row(["resource", "mode", "state", "epoch"].map(|name| text(claim, name)));
    }
    format!("{head}\n\n{steps}\n\n{claims}")
}
